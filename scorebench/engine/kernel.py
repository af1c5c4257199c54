r"""How far a sampler is from its law by all features of a kernel at once: what can veto a panel, which sees the functions that it names.

With features phi_1, phi_2, ... of a kernel k(x, x') = sum_j phi_j(x) phi_j(x') the squared maximum mean discrepancy is the sum of their squared biases,

    MMD^2(q, p) = E k(x, x') + E k(y, y') - 2 E k(x, y) = sum_j (E_q phi_j - E_p phi_j)^2                    (Gretton et al. 2012, lemmas 4 and 6)

x, x' ~ q, y, y' ~ p, and their variances under p sum to E k(y, y) - E k(y, y'). So

    b^2 = MMD^2(q, p) / (E k(y, y) - E k(y, y')) = sum_j b^2(phi_j) Var phi_j / sum_j Var phi_j

is a squared bias in units of the law's own variance, as each of the panel is, averaged over features by their variance. Where it is above epsilon so is that of
some feature, which the panel did not have. And since E MMD^2(p_n, p) = (E k(y, y) - E k(y, y'))/n for the law p_n of n exact draws, b^2 = .01 is as far
off as 100 exact draws are in expectation.

k = exp(-|x - x'|^2/(2 d)) in coordinates in which exact draws have covariance I about the nearest mode (about the mean, where there are no modes). In units
of a mode it sees the shape within modes, where a kernel as wide as the law sees the weights alone; in units of each axis it sees a narrow one. For N(0, I) all
is known in closed form: of bandwidths h^2 = d is nearly the best for a scale or a correlation, of which d/10 and 10 d show a third.

The estimate is the mean of h(z, z') = k(x, x') + k(y, y') - k(x, y') - k(x', y) over pairs z = (x, y) of a chain and an exact draw (eq. 3 there), unbiased but
for the quotient. Without each of 40 blocks of pairs: their jackknife holds the error of the exact draws, too, and is in the mean not too small (Efron and Stein
1981); where q = p it is too large. There chains and draws may change places, block by block, which changes the sign of h between the two blocks: how often the
sum is as large by chance is known from that, whatever the law (Lehmann and Romano 2005, theorem 15.2.1).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scorebench.suite.config import BLOCKS
from scorebench.targets.base import Target, has, nearest

EXCHANGES, SEED = 4_000, 2012
"""Random exchanges of chains with draws: the same at every call."""


class KernelBias(NamedTuple):
    """How far chains are from the law."""

    values: np.ndarray
    """b^2, then without each block, (1 + block,)."""
    chance: float
    """The probability of as much where chains are exact draws."""


def kernel_bias(chains: Tensor, exact: Tensor, target: Target) -> KernelBias:
    """Of chains (n, d) beside as many exact draws, n a multiple of 40, consecutive ones being a block."""
    size = len(chains) // BLOCKS
    root = _units(target)
    x, y = (
        ((points.double() - target.mean.to(points.device)) @ root.to(points.device)).unflatten(0, (BLOCKS, size))
        for points in (chains, exact)
    )
    of_x, of_y, across = _sums(x, x), _sums(y, y), _sums(x, y)
    own = np.eye(BLOCKS, dtype=bool)  # pairs are of two points: one with itself is none
    of_x[own] -= size
    of_y[own] -= size
    across[own] -= ((x - y).square().sum(-1) / (-2 * x.shape[-1])).exp().sum(-1).cpu().numpy()
    pairs = of_x + of_y - across - across.T
    values = np.array([_quotient(pairs, of_y, size, left_out) for left_out in (None, *range(BLOCKS))])
    signs = np.random.Generator(np.random.PCG64(SEED)).choice([-1.0, 1.0], (EXCHANGES, BLOCKS))
    as_large = (((signs @ pairs) * signs).sum(1) >= pairs.sum()).sum()
    return KernelBias(values, float((1 + as_large) / (1 + EXCHANGES)))


def _quotient(pairs: np.ndarray, exact: np.ndarray, size: int, left_out: int | None) -> float:
    """From sums over pairs of blocks (block, block), without one of them."""
    kept = np.arange(BLOCKS) != left_out
    n = size * int(kept.sum())
    bias, alike = (sums[np.ix_(kept, kept)].sum() / (n * (n - 1)) for sums in (pairs, exact))
    return float(bias / (1 - alike))


def _units(target: Target) -> Tensor:
    """What takes differences to coordinates in which `reference` has covariance I about the nearest mode, (d, d)."""
    y = target.reference.double()
    y = y - (target.modes.to(y)[nearest(y, target.modes)] if has(target, "modes") else target.mean.to(y))
    variances, axes = torch.linalg.eigh(y.mT @ y / len(y))
    return axes / variances.clamp(min=torch.finfo(y.dtype).tiny).sqrt()


def _sums(x: Tensor, y: Tensor) -> np.ndarray:
    """Of the kernel over pairs of points of two blocks, (block, n, d) twice -> (block, block): distances by products in float64, the rest in float32."""
    to, width = y.flatten(0, 1), 2 * x.shape[-1]
    rows = []
    for block in x:
        squares = torch.addmm(to.square().sum(-1), block, to.T, alpha=-2) + block.square().sum(-1, keepdim=True)
        rows.append((squares / -width).float().clamp_(max=0).exp_().unflatten(-1, (len(y), -1)).sum(0).double().sum(-1))
    return torch.stack(rows).cpu().numpy()
