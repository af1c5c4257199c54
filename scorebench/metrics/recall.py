r"""Recall: the share of exact draws within the chains' manifold, balls around each that reach to its third nearest other.

recall = |{y : |x - y| <= r_3(x) for a chain x}| / n               (Kynkaanniemi et al. 2019, eqs. 1-2; k = 3)

In the coordinates as they are, an image's pixels. A mode that is lost lowers it; so does memory of few points, and a spread that is too small. Of exact draws
it is below 1: the floor says by how much.
"""

import torch
from torch import Tensor

from scorebench.metrics.base import Estimate, Run, takes
from scorebench.metrics.lib.neighbours import MOST, NEIGHBOURS, distances, radii
from scorebench.targets.base import Target

LABEL = "recall (k = 3)"
REFERENCE = "Kynkaanniemi et al. (2019), eqs. 1-2"
ABOUT = "sampler"
NEEDS = {"run.samples", "target.sample"}
DIRECTION = "higher"
FLOOR = True
LOG = False
SEES = {"duplicated", "lost_mode"}

BLOCKS, SMALLEST = 4, NEIGHBOURS + 1


def recall(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell), of the first 500 chains and as many exact draws.

    The standard error is that of a mean of four blocks of chains, the exact draws held fixed: what a chain covers rests on its neighbours alone, so that the
    variance goes with 1/n. (The jackknife gives up to twice as much: which neighbour is the third is no smooth function of the chains.)
    """
    x, y = run.samples[..., :MOST, :], reference[:, None, :MOST]
    n = x.shape[-2]
    takes(2 * SMALLEST, "chains", n)
    among, across = distances(x, x), distances(x, y.expand(*x.shape[:2], *y.shape[-2:]))
    count = min(BLOCKS, n // SMALLEST)
    blocks = torch.stack([_covered(among, across, block) for block in torch.arange(n, device=x.device).tensor_split(count)])
    return Estimate(_covered(among, across, torch.arange(n, device=x.device)), blocks.std(0) / count**0.5)


def _covered(among: Tensor, across: Tensor, chains: Tensor) -> Tensor:
    """The share of exact draws that these chains cover, (seed, cell)."""
    radius = radii(among[..., chains[:, None], chains])
    return (across[..., chains, :] <= radius[..., None]).any(-2).double().mean(-1)
