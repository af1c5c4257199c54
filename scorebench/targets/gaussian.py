"""A Gaussian at the origin; with `condition`, its variances spread geometrically from variance to condition x variance."""

import torch

from scorebench.core.options import Count, Scale
from scorebench.targets.base import Target
from scorebench.targets.lib.mixture import mixture, normal

LABEL = "Gaussian, d = {dim}, κ = {condition:g}"
REFERENCE = "closed form"
EXAMPLES = ("gaussian", "gaussian:dim=1,variance=0.5", "gaussian:dim=3,condition=9")
IGNORED = {"condition": {"dim": 1}}


def gaussian(*, dim: Count = 2, variance: Scale = 1.0, condition: Scale = 1.0) -> Target:
    """N(0, diag v) with v geometric from `variance` to `variance` x `condition`; every sampler starts from N(0, 4 v_max I)."""
    exponents = torch.linspace(0, 1, dim)
    variances = variance * condition**exponents
    prior = normal(dim, 4 * variance * max(condition, 1.0))
    return mixture(torch.ones(1), torch.zeros(1, dim), variances[None], prior, modes=False)
