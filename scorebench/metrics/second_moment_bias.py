r"""Relative bias of the second moment about the target's mean: (E|x - m|^2 estimated)/(E|x - m|^2 exact) - 1, signed.

On N(0, v I) ULA's is 1/(1 - c/(2v)) - 1. The truth is closed form where the target knows it, 10,000 exact draws elsewhere.
Its standard error takes the fourth moment.
"""

from torch import Tensor

from scorebench.metrics.base import Estimate, Run, mean_over_points
from scorebench.targets.base import Target

LABEL = "second-moment bias"
REFERENCE = "relative moment error"
ABOUT = "sampler"
NEEDS = {"run.samples"}
MOMENTS = 4
DIRECTION = "none"
FLOOR = True
LOG = False
SEES = {"wide_modes", "strays"}


def second_moment_bias(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell)."""
    x = run.samples.double() - target.mean.to(run.samples.device)
    value, error = mean_over_points(x.square().sum(-1) / target.variance)
    return Estimate(value - 1, error)
