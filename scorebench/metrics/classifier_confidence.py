r"""How many chains a classifier is sure of, in units of how many exact draws: of what looks like nothing it is not sure.

ratio = P(max_k p_k(x) >= .9) / P(max_k p_k(y) >= .9),   y exact draws               (after Salimans et al. 2016, section 4)

p_k is the probability of class k by scikit-learn's kernel logistic regression, which was trained on labelled training draws. Above 1 chains are plainer
than exact draws.
"""

from torch import Tensor

from scorebench.core.errors import NotApplicable
from scorebench.metrics.base import Estimate, Run, takes
from scorebench.metrics.lib.classifier import probabilities
from scorebench.metrics.lib.neighbours import MOST
from scorebench.metrics.lib.shares import share
from scorebench.targets.base import Target

LABEL = "classifier's confidence"
REFERENCE = "after the inception score, Salimans et al. (2016), section 4; classifier of Zhu and Hastie (2005)"
ABOUT = "sampler"
NEEDS = {"run.samples", "target.sample", "target.labelled"}
DIRECTION = "higher"
FLOOR = False
LOG = False
MOMENTS = 2  # the bandwidth is a variance

SURE = 0.9


def classifier_confidence(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell), of the first 500 chains; the standard error is over the chains, the exact draws held fixed."""
    takes(2, "chains", run.samples.shape[-2])
    chains, exact = (share(probabilities(target, points[..., :MOST, :]).amax(-1) >= SURE) for points in (run.samples, reference))
    own = exact.value[:, None]
    if not (own > 0).all():
        raise NotApplicable("the classifier is sure of no exact draw")
    return Estimate(chains.value / own, chains.standard_error / own)
