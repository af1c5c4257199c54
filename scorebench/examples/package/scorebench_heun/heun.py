r"""Stochastic Heun: a step of ULA, and the mean of the scores at both its ends.

y = x + c s(x) + sqrt(2 c T) eps,   x' = x + c (s(x) + s(y))/2 + sqrt(2 c T) eps                      (Kloeden and Platen 1992, section 15.1)

For noise that does not depend on x it is of weak order 2: on N(0, v) the stationary variance is T v (1 - u + u^2/4)/(1 - u + u^2/2 - u^3/8), u = c/v.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from scorebench.samplers.base import Density, Info

LABEL = "stochastic Heun"
EQUATION = r"x'=x+\tfrac{c}{2}\left(s(x)+s(y)\right)+\sqrt{2cT}\,\epsilon,\quad y=x+c\,s(x)+\sqrt{2cT}\,\epsilon"
REFERENCE = "Kloeden and Platen (1992), section 15.1"
NEEDS = {"source.score"}
GRADIENTS = 2
EXACT = False
ORDER = 2


class State(NamedTuple):
    """What is carried."""

    x: Tensor  # (seed, grid, chain, d)


@dataclass(frozen=True, eq=False)
class Heun:
    """Hyper-parameters: the grid axes alone, both (grid, 1)."""

    step_size: Tensor
    temperature: Tensor

    def draws(self, density: Density, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """eps, (chain, d)."""
        return torch.randn(shape, generator=generator, device=generator.device)

    def init(self, x: Tensor, density: Density) -> State:
        """Start at x."""
        return State(x)

    def step(self, state: State, density: Density, draws: Tensor) -> tuple[State, Info]:
        """One step; draws are (seed, chain, d), the same for all cells of the grid."""
        c, t = self.step_size[..., None], self.temperature[..., None]
        noise, here = (2 * c * t).sqrt() * draws[:, None], density.score(state.x)
        there = density.score(state.x + c * here + noise)
        return State(state.x + c * (here + there) / 2 + noise), Info()


def theory(step_size: float, temperature: float, variance: float) -> float:
    """The stationary variance on N(0, variance)."""
    u = step_size / variance
    return temperature * variance * (1 - u + u**2 / 4) / (1 - u + u**2 / 2 - u**3 / 8)
