r"""Fisher divergence of a trained source under the law that its sampler made: how wrong the score is where the chains are.

F_q = E_q |s_theta(x) - grad log p(x)|^2,   q the law of the chains; at temperature T both scores over T               (Luo 2022, eq. 157, under q)

Unit: a squared score. Under p the places where there is no data do not count; chains go there, and are pushed by a score that nothing has taught
(Song and Ermon 2019, section 3.2.1). There is no floor: for the exact score it is zero, and its row is not applicable.
"""

from torch import Tensor

from scorebench.metrics.base import Estimate, Run, mean_over_points
from scorebench.targets.base import Target

LABEL = "Fisher divergence under the sampler's law"
REFERENCE = "Luo (2022), eq. 157, under the sampler's law"
ABOUT = "sampler"
NEEDS = {"run.samples", "source.score", "target.score"}
DIRECTION = "lower"
FLOOR = False
LOG = True


def fisher_divergence_sampled(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell), over the chains, which are the independent units."""
    x = run.samples
    return mean_over_points((run.score(x) - target.score(x)).square().sum(-1))
