"""Two far modes, .2 N((-5, -5), v I) + .8 N((5, 5), v I), from a start on [-8, 8]^2 (Song and Ermon 2019), and the law of chains along the diagonal.

That the weights enter the score along a = (x_1 + x_2)/sqrt 2 alone, so that the law of a is one on the line, is derived in the claim `mixing_weights`.
"""

import math

import numpy as np
import torch
from torch import Tensor

from scorebench.claims.lib.langevin import euler_kernel, right_of_0
from scorebench.claims.lib.spectral import potential_of
from scorebench.targets.base import Target
from scorebench.targets.lib.mixture import mixture

SHARES, CENTRE, EDGE = (0.2, 0.8), 5.0, 8.0
MIDDLE = CENTRE * math.sqrt(2)
"""Of the right mode, along the diagonal."""


def target(part: float, weights: tuple[float, float] = SHARES) -> Target:
    """The mixture with parts of this variance."""
    return mixture(torch.tensor(weights), torch.tensor([[-CENTRE] * 2, [CENTRE] * 2]), torch.full((2, 2), part))


def start(chains: int, stream: torch.Generator) -> Tensor:
    """Uniform on the square, (chain, 2)."""
    return EDGE * (2 * torch.rand(chains, 2, generator=stream) - 1)


def along(x: Tensor) -> Tensor:
    """The coordinate along the diagonal, (*, 2) -> (*)."""
    return x.double().sum(-1) / math.sqrt(2)


def law(stages: list[tuple[float, float, int]], half_width: float, h: float, weights: tuple[float, float] = SHARES) -> tuple[float, float]:
    """Share right and E (a - m)^2 there, after stages of (variance of a part, step size, steps), by products of Euler's kernels."""
    a = np.arange(-half_width, half_width + h / 2, h)
    edge = EDGE * math.sqrt(2)
    density = np.clip(edge - np.abs(a), 0, None)
    density /= density.sum() * h
    for i, (part, c, steps) in enumerate(stages):
        if i:  # the law narrows from level to level
            inside = density > 1e-16 * density.max()
            a, density = a[inside], density[inside]
        _, slope, _ = potential_of((weights[0], -MIDDLE, part), (weights[1], MIDDLE, part))
        kernel = euler_kernel(lambda x, slope=slope: -slope(x), c, a)  # type: ignore[misc]
        for _ in range(steps):
            density = kernel @ density
    right = right_of_0(a, density)
    return float(right.sum() * h), float(right @ (a - MIDDLE) ** 2 / right.sum())
