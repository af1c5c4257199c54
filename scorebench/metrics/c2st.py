r"""Classifier two-sample test: how well a nearest-neighbour classifier tells chains from exact draws; one half is indistinguishable.

Leave-one-out accuracy of the majority of the k = 15 nearest among the other 2n - 1 points             (Lopez-Paz and Oquab 2017, section 3)

k is odd, so that no vote is tied. On exact draws the accuracy lies a little below one half, since a point that is left out leaves its own class one
short: the floor knows.
"""

import torch
from torch import Tensor

from scorebench.metrics.base import Estimate, Run
from scorebench.targets.base import Target

LABEL = "C2ST accuracy"
REFERENCE = "Lopez-Paz and Oquab (2017), section 3"
ABOUT = "sampler"
NEEDS = {"samples"}
DIRECTION = "lower"
FLOOR = True
LOG = False
SEES = {"lost_mode", "shifted"}

NEIGHBOURS, MOST = 15, 256


def c2st(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell), from the first 256 chains and as many exact draws; the standard error is over the chains, the exact draws held fixed."""
    x = run.samples[..., :MOST, :]
    n = x.shape[-2]
    both = torch.cat([x, reference[:, None, :n].expand_as(x)], -2)
    near = torch.cdist(both, both).topk(NEIGHBOURS + 1, largest=False).indices[..., 1:]  # the nearest is the point itself
    own = torch.arange(2 * n, device=x.device) < n
    right = ((near < n).sum(-1) > NEIGHBOURS / 2) == own
    right = right.to(x.dtype)  # (seed, cell, 2n)
    # A chain counts by its own vote and by those of the exact draws around it: both halves vary with the chains alone.
    return Estimate(right.mean(-1), (right[..., :n].var(-1) / n).sqrt())
