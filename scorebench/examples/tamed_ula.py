r"""Tamed unadjusted Langevin: ULA whose drift is never longer than 1, so that it does not run away where the score grows faster than x.

x' = x + c s(x)/(1 + c |s(x)|) + sqrt(2 c T) eps,   eps ~ N(0, I)                                   (Brosse et al. 2019, TULA, eq. 3)

It leaves p^(1/T) invariant up to order c, as ULA does, and has a stationary law where ULA has none: for V = x^4 every step of ULA runs away from far enough.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from scorebench.samplers.base import Density, Info

LABEL = "tamed ULA"
EQUATION = r"x'=x+\frac{c\,s(x)}{1+c\,|s(x)|}+\sqrt{2cT}\,\epsilon"
REFERENCE = "Brosse et al. (2019), The tamed unadjusted Langevin algorithm, eq. 3"
NEEDS = {"source.score"}  # what of the density it calls
GRADIENTS = 1  # a step; budgets are spent in them
EXACT = False  # a step of some size has a bias ...
ORDER = 1  # ... which is of this order in c


class State(NamedTuple):
    """What is carried from step to step."""

    x: Tensor  # (seed, grid, chain, d)


@dataclass(frozen=True, eq=False)
class TamedULA:
    """Hyper-parameters: the two grid axes, both (grid, 1). An option would be a field below them, with a type of scorebench.core.options."""

    step_size: Tensor
    temperature: Tensor

    # All randomness of a step is drawn here, for each seed apart; the cells of the grid share it.
    def draws(self, density: Density, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """eps, (chain, d)."""
        return torch.randn(shape, generator=generator, device=generator.device)

    def init(self, x: Tensor, density: Density) -> State:
        """Start at x."""
        return State(x)

    # A new state; the old one stays as it is.
    def step(self, state: State, density: Density, draws: Tensor) -> tuple[State, Info]:
        """One step; draws are (seed, chain, d)."""
        c, t, s = self.step_size[..., None], self.temperature[..., None], density.score(state.x)
        drift = c * s / (1 + c * s.norm(dim=-1, keepdim=True))
        return State(state.x + drift + (2 * c * t).sqrt() * draws[:, None]), Info()
