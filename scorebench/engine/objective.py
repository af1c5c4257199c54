"""What a training descends: the mean loss of one member of a stack of models."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from scorebench.core import registry
from scorebench.core.shapes import expect
from scorebench.core.spec import Spec
from scorebench.models.base import Bound, Parameters
from scorebench.suite.jobs import gives, level


def gives_energy(model: Spec) -> bool:
    """Whether a model is an energy, else a field."""
    return "log_prob" in gives(model)


def shared_options(losses: Sequence[Spec]) -> dict[str, Any]:
    """The options of one loss at its levels, without the level."""
    axis = losses[0].entry.facts.get("LEVELS")
    return {name: value for name, value in losses[0].options.items() if name != axis}


def levels_of(losses: Sequence[Spec]) -> Tensor:
    """The level of each, NaN for a loss that has none, (loss,)."""
    return torch.tensor([math.nan if (value := level(loss)) is None else value for loss in losses])


def objective(
    losses: Sequence[Spec], model: Spec, module: nn.Module, function: Callable[..., Any] | None = None, each: bool = False
) -> Callable[..., Any]:
    """The mean loss of one member of the stack, or of what judges it, or that of each row; the noise level that the members differ in is an argument.

    Of a loss with a state, which is then the last argument, the mean and the next state.
    """
    called = function or registry.method("loss", losses[0].name)
    options, axis = shared_options(losses), losses[0].entry.facts.get("LEVELS")
    energy = gives_energy(model)

    def mean_loss(parameters: Parameters, x: Tensor, draws: Tensor, value: Tensor, *state: Tensor) -> Any:
        at = {axis: value} if axis else {}
        result = called(Bound(module, parameters, energy), x, draws, *state, **options, **at)
        values, *following = result if state else (result,)
        values = expect("the loss", values, x.shape[:1])
        mean = values if each else values.mean()
        return (mean, *following) if state else mean

    return mean_loss
