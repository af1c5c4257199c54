r"""Fisher divergence of a source: to the target, or to the density that its loss learns.

F = E_q |s(x) - grad log q(x)|^2,   q = p, or q = the loss's fixed point                      (Luo 2022, eq. 157)

5,000 exact draws of q a seed. To the target it mixes what the loss aims at with how well it hits; to the fixed point it is quality alone.
It does not see the weights of far modes (Wenliang and Kanagawa 2020, section 3).
"""

from typing import Literal

from scorebench.core.errors import NotApplicable
from scorebench.metrics.base import Estimate, Points, Run, mean_over_points
from scorebench.targets.base import Target, has

LABEL = "Fisher divergence to the {to}"
REFERENCE = "Hyvärinen (2005), eq. 2, twice"
EXAMPLES = ("fisher_divergence", "fisher_divergence:to=fixed_point")
ABOUT = "source"
NEEDS = {"source.score", "target.score"}
DIRECTION = "lower"
FLOOR = False
LOG = True


def fisher_divergence(run: Run, target: Target, reference: Points, *, to: Literal["target", "fixed_point"] = "target") -> Estimate:
    """(seed, 1)."""
    against = target if to == "target" else run.learnt()
    if not has(against, "score"):
        raise NotApplicable("the loss's fixed point has no known score")
    x = reference(against)[:, None]
    return mean_over_points((run.score(x) - against.score(x)).square().sum(-1))
