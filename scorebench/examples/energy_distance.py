r"""Energy distance, unbiased: zero in the mean on exact draws, and no bandwidth to choose.

D = 2 E|x - y| - E|x - x'| - E|y - y'|,   x of the chains, y exact, in units of the target's spread        (Szekely and Rizzo 2013, eq. 5)
"""

import torch
from torch import Tensor

from scorebench.metrics.base import Estimate, Run, takes
from scorebench.targets.base import Target

LABEL = "energy distance"
REFERENCE = "Székely and Rizzo (2013), eq. 5"
ABOUT = "sampler"
NEEDS = {"run.samples"}  # without it the metric is not applicable; it reads nothing else of a run
MOMENTS = 2
DIRECTION = "lower"
FLOOR = True  # between two sets of exact draws it means something: its floor
LOG = False
SEES = {"lost_mode", "wrong_weights"}  # what it sees nearly always, of scorebench.metrics.lib.faults

MOST = 256


def energy_distance(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell), from the first 256 chains and as many exact draws; the standard error is that of its linear part over the chains."""
    x, y = run.samples[..., :MOST, :].double(), reference[:, None, :MOST].double()
    n, m = x.shape[-2], y.shape[-2]
    takes(2, "chains and exact draws", min(n, m))
    across = _distances(x, y.expand(*x.shape[:-2], m, -1)) / m  # (seed, cell, n)
    within = _distances(x, x) / (n - 1)
    value = 2 * across.mean(-1) - within.mean(-1) - _distances(y, y).mean(-1) / (m - 1)
    return Estimate(value / target.spread, 2 * (across - within).std(-1) / n**0.5 / target.spread)


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """The sum of the distances to all y, (*, n, d), (*, m, d) -> (*, n); by differences, not by products that cancel."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").sum(-1)
