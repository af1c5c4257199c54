"""What a loss is: a function that gives one value a row of a batch, and what it draws and learns.

A loss's file defines the function, called like the file, with `draws` and `fixed_point` beside it (`Loss`, `LossFile`), and says

    LABEL, EQUATION, REFERENCE
    NEEDS    what it needs, as "target.score" or "model.noise_levels"
    LEVELS   the option that is its noise level, where it has one: a suite names it at several, which are trained as one stack
    LADDER   of a loss that trains one model at many levels, the option that holds them, from the largest to the smallest

All are pure functions of their arguments: a training step is written down once and repeated.
"""

from typing import Any, Protocol

import torch
from torch import Tensor

from scorebench.models.base import Bound
from scorebench.targets.base import Target


class Loss(Protocol):
    """The loss itself."""

    def __call__(self, model: Bound, x: Tensor, draws: Tensor, **options: Any) -> Tensor:
        """(batch, d) and (batch, *) -> (batch,)."""


class LossFile(Protocol):
    """What stands beside it in its file."""

    NEEDS: set[str]

    @staticmethod
    def draws(x: Tensor, target: Target, generator: torch.Generator, **options: Any) -> Tensor:
        """The randomness for a batch x (batch, d), without the level: (batch, *)."""

    @staticmethod
    def fixed_point(target: Target, **options: Any) -> Target:
        """The density whose score minimises the loss. Raises NotApplicable where it is not known."""
