r"""How wrongly the mass is split among the modes: total variation between the chains' shares and the exact weights.

TV = sum_k |share_k - w_k| / 2, a point belonging to the nearest centre. Zero on exact draws but for their noise, which is the floor.
"""

import torch
from torch import Tensor

from scorebench.metrics.base import Estimate, Run, takes
from scorebench.targets.base import Target, nearest

LABEL = "mode-weight error"
REFERENCE = "total variation of mode shares; after Song and Ermon (2019), figure 3"
ABOUT = "sampler"
NEEDS = {"run.samples", "target.modes"}
DIRECTION = "lower"
FLOOR = True
LOG = False
SEES = {"lost_mode", "wrong_weights"}


def mode_weight_error(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell); the standard error is that of the linear statistic with the signs held fixed."""
    takes(2, "chains", run.samples.shape[-2])
    member = torch.nn.functional.one_hot(nearest(run.samples, target.modes), len(target.modes)).double()  # (seed, cell, n, k)
    gap = member.mean(-2) - target.mode_weights.value.to(member)
    influence = 0.5 * (member * gap.sign()[..., None, :]).sum(-1)
    return Estimate(0.5 * gap.abs().sum(-1), influence.std(-1) / member.shape[-2] ** 0.5)
