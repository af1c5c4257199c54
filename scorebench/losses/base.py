"""What a loss is: a function that gives one value a row of a batch, and what it draws and learns.

A loss's file defines the function, called like the file, with `draws` and `fixed_point` beside it (`Loss`, `LossFile`; where no fixed point is known,
`stationary` as well: `Stationary`), and says

    LABEL, EQUATION, REFERENCE
    NEEDS    what it needs, as "target.score" or "model.log_prob": what the model's file GIVES
    LEVELS   the option that is its noise level, where it has one: a suite names it at several, which are trained as one stack
    LADDER   of a loss that trains one model at many levels, the option that holds them, from the largest to the smallest

All are pure functions of their arguments: a training step is written down once and repeated.

A loss is descended by Adam unless its file defines `fit` (`Fits`), and says

    TUNES    the option that is swept in place of the learning rate, with its values, as {"ridge": (1e-4, 1e-2)}; its default is None, which
             asks for that choice. The loss at None judges it, on the validation points of the sweep.

What is fitted has no gradient steps: it has one checkpoint, the last, and `seconds_per_gradient` is the fit's time over its steps.

A loss whose file defines `init_state` (`Carries`) has a state, which goes from gradient step to gradient step, for every seed, level and rate its own.
A loss whose gradient is not that of its value, or that has a state, defines `validation` (`Judged`): by this its learning rate is chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from scorebench.models.base import Bound, Parameters
from scorebench.targets.base import Target

if TYPE_CHECKING:  # planning is no part of what a loss runs: the settings that it makes count
    from scorebench.suite.config import Training


class Loss(Protocol):
    """The loss itself."""

    def __call__(self, model: Bound, x: Tensor, draws: Tensor, **options: Any) -> Tensor:
        """(batch, d) and (batch, *) -> (batch,)."""


class LossFile(Protocol):
    """What stands beside it in its file."""

    NEEDS: set[str]

    @staticmethod
    def draws(x: Tensor, target: Target, generator: torch.Generator, **options: Any) -> Tensor:
        """The randomness for a batch x (batch, d), without the level: (batch, *), row by row. Training draws for several minibatches at a time, as one."""

    @staticmethod
    def fixed_point(target: Target, **options: Any) -> Target:
        """The density whose score minimises the loss. Raises NotApplicable where it is not known."""


class Stationary(Protocol):
    """What stands in the file of a loss whose `fixed_point` raises NotApplicable, as one with a penalty: no loss goes without a check of where it leads."""

    @staticmethod
    def stationary(target: Target, **options: Any) -> Target:
        """Of a Gaussian target with independent coordinates, the Gaussian at whose quadratic energy the mean gradient vanishes."""


class Carries(Protocol):
    """A loss with a state, and what stands in its file."""

    def __call__(self, model: Bound, x: Tensor, draws: Tensor, state: Tensor, **options: Any) -> tuple[Tensor, Tensor]:
        """(batch, d), (batch, *) and the state -> (batch,) and the next state, of the shape of the first, through which nothing is differentiated."""

    @staticmethod
    def init_state(x: Tensor, target: Target, generator: torch.Generator, **options: Any) -> Tensor:
        """The state before the first gradient step, whose batch is x (batch, d)."""


class Judged(Protocol):
    """What stands in the file of a loss that cannot judge itself."""

    @staticmethod
    def validation(model: Bound, x: Tensor, draws: Tensor, **options: Any) -> Tensor:
        """What is lower for a better model, as the loss is called, but for the state: (batch, d) and (batch, *) -> (batch,)."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What a loss fits by itself: one model, every seed."""

    target: Target
    modules: Sequence[nn.Module]
    """One a seed, its parameters drawn as training draws them; they may be changed."""
    gives_energy: bool
    """Whether a module is an energy, else a field: see `Bound`."""
    data: Tensor
    """The training points, (seed, n, d)."""
    generators: Sequence[torch.Generator]
    """The fit's own random stream, one a seed: the same for every value of what the loss tunes."""
    training: "Training"
    """The suite's settings, of which a fit may take what it can."""


class Fits(Protocol):
    """What stands in the file of a loss that fits by itself."""

    @staticmethod
    def fit(problem: Problem, **options: Any) -> Parameters:
        """The fitted parameters of the modules, each (seed, ...) as `named_parameters` names and shapes them. What it raises is a row."""
