"""Nearest neighbours: distances by differences, not by products, which far from the origin put other points nearer than the point itself."""

import numpy as np
import torch
from torch import Tensor

MOST = 500
"""Chains, and exact draws, that are compared: the cost goes with the square."""
NEIGHBOURS = 3


def distances(x: Tensor, y: Tensor) -> Tensor:
    """(*, n, d), (*, m, d) -> (*, n, m)."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def radii(among: Tensor) -> Tensor:
    """From each point to its third nearest other, of the distances among points (*, n, n), (*, n). By numpy: torch's topk takes five times as long on a CPU."""
    third = np.partition(among.cpu().numpy(), NEIGHBOURS, axis=-1)[..., NEIGHBOURS]  # the nearest is the point itself
    return torch.from_numpy(third.copy()).to(among.device)
