"""What several claims share: targets on the line, ULA by the times it passes, Euler-Maruyama for any drift, and laws known beforehand."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from scorebench.engine.loop import run
from scorebench.samplers.base import Density, exact_density
from scorebench.samplers.ula import GRADIENTS, ULA
from scorebench.targets.base import Target
from scorebench.targets.lib.mixture import mixture


def on_line(*parts: tuple[float, float, float]) -> Target:
    """The mixture of Gaussians on the line with these (weight, mean, variance)."""
    weights, means, variances = torch.tensor(parts).T
    return mixture(weights, means[:, None], variances[:, None])


def normal(mean: float, variance: float) -> Target:
    """N(mean, variance) on the line."""
    return on_line((1.0, mean, variance))


def langevin(
    source: Target | Density, x: Tensor, step_size: float, times: Sequence[float], generator: torch.Generator, temperature: float = 1.0
) -> Tensor:
    """The project's own ULA from x (chain, d): positions at these times, (time, chain, d), for dx = s dt + sqrt(2T) dW."""
    sampler = ULA(torch.tensor([[step_size]]), torch.tensor([[temperature]]))
    steps = [round(t / step_size) for t in times]
    density = exact_density(source) if isinstance(source, Target) else source
    return run(sampler, density, x[None], steps, [generator], GRADIENTS).samples[:, 0, 0]


def linear(rate: float) -> Density:
    """The drift rate x."""
    return Density(score=lambda x: rate * x)


def euler_maruyama(
    x: Tensor,
    drift: Callable[[Tensor], Tensor],
    noise: Callable[[Tensor], Tensor] | Tensor | float,
    h: float,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """X' = x + h b(x) + sqrt(h) g(x) eps, eps ~ N(0, I), for x of any shape; float64 in, float64 out."""
    for _ in range(steps):
        eps = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        x = x + h * drift(x) + math.sqrt(h) * (noise(x) if callable(noise) else noise) * eps
    return x


def euler_kernel(score: Callable[[np.ndarray], np.ndarray], step_size: float, nodes: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """What a step of ULA does to a density at equally spaced nodes, (to, from): N(x'; x + c s(x), 2 c T) times their spacing.

    Sums converge geometrically once the nodes lie closer than sqrt(2 c T): the law of the scheme, to rounding.
    """
    variance = 2 * step_size * temperature
    gaps = nodes[:, None] - (nodes + step_size * score(nodes))
    return np.exp(-gaps * gaps / (2 * variance)) / math.sqrt(2 * math.pi * variance) * (nodes[1] - nodes[0])


def gaussian_density(nodes: np.ndarray, mean: float, variance: float) -> np.ndarray:
    """N(mean, variance) at the nodes."""
    return np.exp(-((nodes - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)


def right_of_0(nodes: np.ndarray, density: np.ndarray) -> np.ndarray:
    """A density at equally spaced nodes, right of 0 alone: half of it at a node at 0."""
    half = (nodes[1] - nodes[0]) / 2
    return np.where(nodes > half, density, np.where(np.abs(nodes) < half, density / 2, 0.0))


def ou_law(t: float, mean: float, variance: float, temperature: float = 1.0) -> tuple[float, float]:
    """Mean and variance at time t of dx = -x dt + sqrt(2T) dW from N(mean, variance)."""
    gone = -math.expm1(-2 * t)
    return mean * math.exp(-t), variance * (1 - gone) + temperature * gone


def ou_euler_law(h: float, steps: int, mean: float, variance: float, temperature: float = 1.0) -> tuple[float, float]:
    """The same of its Euler scheme: a = 1 - h; mean a^k m, variance a^(2k) v + 2 h T sum_(j<k) a^(2j)."""
    a = (1 - h) ** steps
    return a * mean, a * a * variance + 2 * h * temperature * math.fsum((1 - h) ** (2 * j) for j in range(steps))
