"""Divergences of laws on the line: of Gaussians (mean, variance) in closed form, of any by their scores at a point."""

import math

from torch import Tensor

from scorebench.targets.base import Target

Law = tuple[float, float]
"""Mean, variance."""


def kl(p: Law, q: Law) -> float:
    """KL(p, q) of Gaussians."""
    r = p[1] / q[1]
    return (r + (p[0] - q[0]) ** 2 / q[1] - 1 - math.log(r)) / 2


def fisher(p: Law, q: Law) -> float:
    """E_p |grad log p - grad log q|^2 of Gaussians."""
    return (1 / q[1] - 1 / p[1]) ** 2 * p[1] + (p[0] - q[0]) ** 2 / q[1] ** 2


def kl_of_moments(m: Tensor, variance: float) -> Tensor:
    """KL to N(0, variance) of the Gaussian with these E x and E x^2, (2, *) -> (*)."""
    return (m[1] / variance - 1 - ((m[1] - m[0] ** 2) / variance).log()) / 2


def squared_gap(p: Target, q: Target, x: Tensor) -> Tensor:
    """|grad log p - grad log q|^2, of which the Fisher divergence is the mean over p, (n, d) -> (n,)."""
    return (p.score(x) - q.score(x)).square().sum(-1)
