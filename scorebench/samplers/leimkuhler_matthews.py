r"""The scheme of Leimkuhler and Matthews: ULA with the mean of two successive noises, which makes the bias of order c^2.

x' = x + c s(x) + sqrt(2 c T) (eps_k + eps_(k+1))/2                                  (Leimkuhler and Matthews 2013, eq. 15)

The limit of BAOAB (`underdamped`) for infinite friction, h = sqrt(2 c). On a Gaussian the law is exact for every stable c. eps_0 = 0.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scorebench.samplers.base import Density, Info, Recursion
from scorebench.samplers.ula import ULA

LABEL = "Leimkuhler-Matthews"
EQUATION = r"x'=x+c\,s(x)+\sqrt{2cT}\,\tfrac12(\epsilon_k+\epsilon_{k+1})"
REFERENCE = "Leimkuhler and Matthews (2013), Rational construction of stochastic numerical methods for molecular sampling"
NEEDS = {"source.score"}
GRADIENTS = 1
EXACT = False
ORDER = 2


class State(NamedTuple):
    """What is carried."""

    x: Tensor  # (seed, grid, chain, d)
    noise: Tensor  # (seed, 1, chain, d), eps of the last step


@dataclass(frozen=True, eq=False)
class LeimkuhlerMatthews(ULA):
    """Hyper-parameters: the grid axes alone, both (grid, 1)."""

    def init(self, x: Tensor, density: Density) -> State:  # type: ignore[override]
        """Start at x, after no noise."""
        return State(x, torch.zeros_like(x[:, :1]))

    def step(self, state: State, density: Density, draws: Tensor) -> tuple[State, Info]:  # type: ignore[override]
        """One step; draws are (seed, chain, d), the same for all cells of the grid."""
        c, t, noise = self.step_size[..., None], self.temperature[..., None], draws[:, None]
        x = state.x + c * density.score(state.x) + (c * t / 2).sqrt() * (state.noise + noise)
        return State(x, noise), Info()


def recursion(step_size: float, temperature: float, variance: float) -> Recursion:
    """Of z = (x, eps_k): x' = (1 - c/v) x + s eps_k + s eps_(k+1), s = sqrt(c T/2); the new noise enters z' along (s, 1)."""
    s = (step_size * temperature / 2) ** 0.5
    return Recursion(np.array([[1 - step_size / variance, s], [0, 0]]), np.outer((s, 1), (s, 1)))
