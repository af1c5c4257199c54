r"""When the weights of two far modes come right: the slowest mode of Langevin dynamics, along the line through both.

dx = grad log p dt + sqrt(2) dW forgets as E_t f = E_p f + sum_k exp(-lambda_k t) E_p[f phi_k] E_0[phi_k] (Risken 1989, section 5.4), lambda_1 the spectral
gap. Where the coordinate a along the line is independent of the others, and far modes make it the slowest, the weight w of a mode, f = 1(a > 0), has after
k small steps of c

    b^2_k = C exp(-2 lambda_1 c k),    C = (E_p[f phi_1] E_0[phi_1])^2 / (w (1 - w))

once the chains have come to rest within the modes. On nodes h apart the generator is that of a chain which jumps from i to i +- 1 at the rate
sqrt(p_(i+-1)/p_i)/h^2: it keeps p, is off by h^2, and with sqrt(p) taken out is symmetric and tridiagonal.

It is the limit of small steps. Of ULA the rate grows with the step, since its bias fills the saddle: on two modes at +-2 of width .5 and weights .8 and .2
it is .96 times this at c = .02, 1.08 times at .062, the largest step whose variance within a mode is right to b^2 = .01, and 3.6 times at .2. Those of the
scheme of Leimkuhler and Matthews and of MALA (in one dimension) fall, to .245 and .056 at .2, so that of these the number of gradients that is said here
is a lower bound; there none of their steps mends more than .051 lambda_1 a gradient, as much as a step of c = .051 would.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal
from torch import Tensor

from scorebench.core.errors import NotApplicable
from scorebench.engine.gaussian import Gaussian
from scorebench.targets.base import Target, has

NODES, DEPTH = 8_001, 25.0
"""Nodes of the line, an odd number, so that the middle between the modes is one; the line ends where log p is so far below its largest value."""


class Slowest(NamedTuple):
    """The slowest mode, and what it leaves of a start."""

    rate: float
    """lambda_1, a unit of time; a step is c."""
    bias: float
    """C, the squared bias of the mode weight at the start, in units of its own variance."""

    def gradients(self, step_size: float, epsilon: float) -> float:
        """The first k with b^2_k below epsilon, for a scheme of one gradient a step."""
        return max(math.log(self.bias / epsilon), 0.0) / (2 * self.rate * step_size)


def slowest(target: Target, start: Gaussian) -> Slowest:
    """Of a target with two modes. Raises NotApplicable where it has not, or where the line through them is not independent of the other coordinates."""
    if not has(target, "modes") or len(target.modes) != 2:
        raise NotApplicable("the target has not two modes")
    first, second = target.modes.double()
    middle, way = (first + second) / 2, (second - first) / (second - first).norm()
    nodes = torch.linspace(-1, 1, NODES, dtype=torch.float64) * 1.5 * (second - first).norm()
    while float(_log_p(target, middle, way, nodes)[[0, -1]].max()) > -DEPTH:
        nodes = nodes * 1.5
    _independent(target, middle, way, nodes)
    log_p = _log_p(target, middle, way, nodes).numpy()
    inside = np.flatnonzero(log_p > -DEPTH)
    half = int(np.abs(inside - NODES // 2).max())
    a, log_p = (of[NODES // 2 - half : NODES // 2 + half + 1] for of in (nodes.numpy(), log_p))

    h, steps = a[1] - a[0], np.exp(np.diff(log_p) / 2)
    out = np.append(steps, 0) + np.append(0, 1 / steps)
    (_, rate), u = eigh_tridiagonal(out / h**2, np.full(len(a) - 1, -1 / h**2), select="i", select_range=(0, 1))
    root = np.exp(log_p / 2) / np.linalg.norm(np.exp(log_p / 2))
    phi, right = u[:, 1] / root, np.heaviside(a, 0.5)
    w = float(right @ root**2)
    mean, sd = float(way.numpy() @ (start.mean - middle.numpy())), math.sqrt(float(way.numpy() ** 2 @ start.variances))
    z = np.linspace(-8, 8, NODES)
    left = np.interp(mean + sd * z, a, phi) @ np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    return Slowest(float(rate), float((right @ (root * u[:, 1]) * left) ** 2 / (w * (1 - w))))


def _log_p(target: Target, middle: Tensor, way: Tensor, nodes: Tensor) -> Tensor:
    """Along the line, less its largest value."""
    log_p = target.log_prob(middle + nodes[:, None] * way)
    return log_p - log_p.max()


def _independent(target: Target, middle: Tensor, way: Tensor, nodes: Tensor) -> None:
    """The pull along the line is the same beside it. Raises NotApplicable where it is not."""
    line = middle + nodes[:: NODES // 100, None] * way
    pull = target.score(line) @ way
    for axis in torch.eye(len(way), dtype=torch.float64):
        beside = target.score(line + target.spread * (axis - (axis @ way) * way)) @ way
        if not torch.allclose(beside, pull, rtol=1e-6, atol=1e-6 * float(pull.abs().max())):
            raise NotApplicable("the coordinate along the line through the modes is not independent of the others")
