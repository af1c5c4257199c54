"""Control: independent draws from where every sampler starts. A sampler that is no better than this has done nothing."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from scorebench.samplers.base import Density, Info
from scorebench.targets.base import Target

LABEL = "prior draws"
REFERENCE = "control"
NEEDS = {"source.prior"}
GRADIENTS = 0
EXACT = False


class State(NamedTuple):
    """The latest draw."""

    x: Tensor  # (seed, grid, chain, d)


@dataclass(frozen=True, eq=False)
class Prior:
    """The grid axes are ignored: the prior knows no temperature."""

    step_size: Tensor
    temperature: Tensor

    def draws(self, density: Density, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """A draw a chain, (chain, d)."""
        return density.prior(shape[0], generator)

    def init(self, x: Tensor, density: Density) -> State:
        """Start at x."""
        return State(x)

    def step(self, state: State, density: Density, draws: Tensor) -> tuple[State, Info]:
        """Replace the state."""
        return State(draws[:, None].expand_as(state.x)), Info()


def law(target: Target, temperature: float) -> Target:
    """The prior, at any temperature. A target has one."""
    assert target.prior is not None
    return target.prior
