"""Control: independent exact draws from p^(1/T). A metric that does not say "at the floor" here is wrong.

Of a finite set the draws are of the part that trains, so that none is compared with itself; what asks whether a training point is remembered says so.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.samplers.base import Density, Info

LABEL = "exact draws"
REFERENCE = "control"
NEEDS = {"source.tempered"}
GRADIENTS = 0
EXACT = True


class State(NamedTuple):
    """The latest draw."""

    x: Tensor  # (seed, grid, chain, d)


@dataclass(frozen=True, eq=False)
class Exact:
    """The step size is ignored: its grid axis has one value in the plan."""

    step_size: Tensor
    temperature: Tensor

    def draws(self, density: Density, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """A draw a chain for each cell, (grid, chain, d)."""
        laws = [density.tempered(float(t)) for t in self.temperature]
        # Rejection takes as many numbers as it needs: a stream a temperature, or a cell would depend on its company.
        name = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        streams = [rng.generator(name, float(t)) for t in self.temperature]
        return torch.stack([law.sample(shape[0], stream) for law, stream in zip(laws, streams, strict=True)])

    def init(self, x: Tensor, density: Density) -> State:
        """Start at x."""
        return State(x)

    def step(self, state: State, density: Density, draws: Tensor) -> tuple[State, Info]:
        """Replace the state."""
        return State(draws), Info()
