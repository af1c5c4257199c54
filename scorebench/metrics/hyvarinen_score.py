r"""Hyvarinen's proper scoring rule on exact draws: the Fisher divergence less a constant of the target, so that it ranks sources where
the true score is unknown.

H = E_p [ 2 tr grad s(x) + |s(x)|^2 ] = F - E_p |grad log p|^2               (Hyvarinen 2005, theorem 1; Parry, Dawid and Lauritzen 2012)
"""

from scorebench.core.errors import NotApplicable
from scorebench.metrics.base import Estimate, Points, Run, mean_over_points
from scorebench.targets.base import Target

LABEL = "Hyvärinen score"
REFERENCE = "Parry, Dawid and Lauritzen (2012), section 2"
ABOUT = "source"
NEEDS = {"source.score", "source.divergence"}
DIRECTION = "lower"
FLOOR = False
LOG = False

POINTS = 500


def hyvarinen_score(run: Run, target: Target, reference: Points) -> Estimate:
    """(seed, 1). Raises NotApplicable where the law has no density."""
    if target.singular:
        raise NotApplicable(f"the law has no density: {target.singular}")
    x = reference(target)[:, None, :POINTS]
    return mean_over_points(2 * run.divergence(x) + run.score(x).square().sum(-1))
