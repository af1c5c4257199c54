r"""Unadjusted Langevin: Euler-Maruyama for dx = grad log p dt + sqrt(2 T) dW with step c.

x' = x + c s(x) + sqrt(2 c T) eps,   eps ~ N(0, I)          (Luo 2022, eq. 158 at T = 1; Roberts and Tweedie 1996, eq. 5)

It targets p^(1/T) with a bias of order c that no number of steps removes: on N(0, v) its stationary variance is
T v/(1 - c/(2 v)), and from c = 2 v on there is none.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scorebench.samplers.base import Density, Info, Recursion

LABEL = "ULA"
EQUATION = r"x'=x+c\,s(x)+\sqrt{2cT}\,\epsilon"
REFERENCE = "Roberts and Tweedie (1996), eq. 5"
NEEDS = {"source.score"}
GRADIENTS = 1
EXACT = False
ORDER = 1


class State(NamedTuple):
    """What is carried."""

    x: Tensor  # (seed, grid, chain, d)


@dataclass(frozen=True, eq=False)
class ULA:
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
        return State(state.x + c * density.score(state.x) + (2 * c * t).sqrt() * draws[:, None]), Info()


def theory(step_size: float, temperature: float, variance: float) -> float:
    """The stationary variance on N(0, variance)."""
    return temperature * variance / (1 - step_size / (2 * variance))


def recursion(step_size: float, temperature: float, variance: float) -> Recursion:
    """Of x alone: A = 1 - c/v, Q = 2 c T."""
    return Recursion(np.array([[1 - step_size / variance]]), np.array([[2 * step_size * temperature]]))
