r"""Error of the mean in units of the target's spread: |E_q x - E_p x| / sqrt(E_p |x - E_p x|^2), the bias of the first moment.

Without a unit. Mean and spread are closed form where the target knows them, from 10,000 exact draws elsewhere. A norm is never zero: on exact draws it is
about 1/sqrt(n), which is the floor.
"""

import torch
from torch import Tensor

from scorebench.metrics.base import Estimate, Run, mean_over_points
from scorebench.targets.base import Target

LABEL = "error of the mean"
REFERENCE = "relative moment error"
ABOUT = "sampler"
NEEDS = {"run.samples"}
MOMENTS = 2
DIRECTION = "lower"
FLOOR = True
LOG = False
SEES = {"lost_mode", "shifted", "wrong_weights"}


def mean_error(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell), by the delta method: the standard error of the mean along the direction of its error.

    Where the error is within its noise the norm has a corner, and its spread is smaller, .6 of this.
    """
    x = run.samples.double() - target.mean.to(run.samples.device)
    gap = x.mean(-2)  # (seed, cell, d)
    size = gap.norm(dim=-1)
    direction = gap / size.clamp(min=torch.finfo(x.dtype).tiny)[..., None]
    _, error = mean_over_points((x * direction[..., None, :]).sum(-1))
    spread = target.variance**0.5
    return Estimate(size / spread, error / spread)
