r"""Squared maximum mean discrepancy with a Gaussian kernel, unbiased: it can be negative, and has mean zero on exact draws.

MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y),   k = exp(-|x - y|^2 / (2 h^2))               (Gretton et al. 2012, eq. 3)

The bandwidth h is `fraction` times the root mean squared distance between exact draws: 1 sees where the mass is, a small fraction sees the
modes' shape.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from scorebench.core.options import Positive
from scorebench.metrics.base import Estimate, Run, takes
from scorebench.metrics.lib.pairs import blockwise
from scorebench.targets.base import Target

LABEL = "MMD² (h = {fraction} rms)"
REFERENCE = "Gretton et al. (2012), eq. 3"
EXAMPLES = ("mmd", "mmd:fraction=0.2")
ABOUT = "sampler"
NEEDS = {"run.samples", "target.sample"}
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
    length = 2 * fraction * target.spread
    x, y = ((points.double() - target.mean.to(points.device)) / length for points in (x, y))
    n, m = x.shape[-2], y.shape[-2]
    takes(2, "chains and exact draws", min(n, m))
    # Of a kernel wider than the draws k - 1, of which the value is the same: k itself would keep no digit of what it varies by.
    kernel = torch.expm1 if fraction > 1 else torch.exp
    within = _sums(kernel, x, x, others=True) / (n - 1)  # (seed, cell, n)
    across = _sums(kernel, x, y.expand(*x.shape[:-2], *y.shape[-2:])) / m
    value = within.mean(-1) + _sums(kernel, y, y, others=True).mean(-1) / (m - 1) - 2 * across.mean(-1)
    return Estimate(value, 2 * (within - across).std(-1) / n**0.5)


def _sums(kernel: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, others: bool = False) -> Tensor:
    """The sum over y of the kernel of -|x - y|^2, (*, n, d), (*, m, d) -> (*, n): squared distances by products in float64, their kernel in float32."""
    of_x, of_y = (points.square().sum(-1, keepdim=True) for points in (x, y))
    left = torch.cat([x, of_x, torch.ones_like(of_x)], -1)
    right = torch.cat([2 * y, -torch.ones_like(of_y), -of_y], -1).mT
    return blockwise(lambda of, to: kernel((of @ to).float().clamp_(max=0)), left, right, others).double()
