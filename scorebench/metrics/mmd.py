r"""Squared maximum mean discrepancy with a Gaussian kernel, unbiased: it can be negative, and has mean zero on exact draws.

MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y),   k = exp(-|x - y|^2 / (2 h^2))               (Gretton et al. 2012, eq. 3)

The bandwidth h is `fraction` times the root mean squared distance between exact draws: 1 sees where the mass is, a small fraction sees the
modes' shape.
"""

import torch
from torch import Tensor

from scorebench.core.options import Positive
from scorebench.metrics.base import Estimate, Run, takes
from scorebench.targets.base import Target

LABEL = "MMD² (h = {fraction} rms)"
REFERENCE = "Gretton et al. (2012), eq. 3"
EXAMPLES = ("mmd", "mmd:fraction=0.2")
ABOUT = "sampler"
NEEDS = {"run.samples"}
MOMENTS = 2
DIRECTION = "lower"
FLOOR = True
LOG = False
SEES = {"lost_mode", "wrong_weights"}

MOST = 512


def mmd(run: Run, target: Target, reference: Tensor, *, fraction: Positive = 1.0) -> Estimate:
    """(seed, cell), from n chains and as many exact draws; the standard error is over the chains, the exact draws held fixed."""
    # Chains are exchangeable: the first 512 stand for all, and the cost stays that of 512 squared.
    x, y = run.samples[..., :MOST, :], reference[:, None, :MOST]
    # E |y - y'|^2 = 2 tr cov(y), from the target's own large reference: one bandwidth for all cells, seeds and floors.
    scale = 2 * fraction * target.spread  # sqrt(2) h
    n, m = x.shape[-2], y.shape[-2]
    takes(2, "chains and exact draws", min(n, m))
    # Not by a matrix product, which far from the origin, or from each other, loses distances.
    distances = (torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist") for a, b in ((x, x), (y, y), (x, y)))
    # Of a kernel wider than the draws k - 1, of which the value is the same: k itself would keep no digit of what it varies by.
    kernel, itself = (torch.expm1, 0) if fraction > 1 else (torch.exp, 1)
    kxx, kyy, kxy = (kernel(-(distance / scale).square()) for distance in distances)
    within = (kxx.sum(-1) - itself) / (n - 1)  # (seed, cell, n)
    across = kxy.mean(-1)
    value = within.mean(-1) + (kyy.sum((-2, -1)) - m * itself) / (m * (m - 1)) - 2 * across.mean(-1)
    return Estimate(value, 2 * (within - across).std(-1) / n**0.5)
