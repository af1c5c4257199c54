"""The methods that contract tests run over, what fits what, and their random streams.

A method's file is tested by being there, as its EXAMPLES (specs) configure it. Streams are named after the test, so that no seed was chosen.
"""

from typing import Any

import torch
from torch import Tensor

from scorebench.core import registry, rng
from scorebench.core.spec import Spec, parse
from scorebench.models.base import Bound
from scorebench.suite.jobs import trains
from scorebench.targets.base import Target


def examples(kind: str) -> list[Spec]:
    """Every method of a kind, as its file's EXAMPLES configure it, or by its name; what other libraries do (PEERS) has tests of its own."""
    own = [name for name in registry.names(kind) if "PEERS" not in registry.entry(kind, name).facts]
    return [parse(kind, text) for name in own for text in registry.entry(kind, name).facts.get("EXAMPLES", (name,))]


def fits(model: Spec, loss: Spec) -> bool:
    """Whether the loss can train the model."""
    return trains(loss, model)


def pairs() -> list[tuple[Spec, Spec]]:
    """Every model with every loss that can train it."""
    return [(model, loss) for model in examples("model") for loss in examples("loss") if fits(model, loss)]


def loss_values(loss: Spec, model: Bound, x: Tensor, draws: Tensor, target: Target, **options: Any) -> Tensor:
    """A loss's value a row, (batch,); of one with a state, as it begins. `options` for the spec's."""
    options = options or loss.options
    module, function = registry.module("loss", loss.name), registry.method("loss", loss.name)
    if not hasattr(module, "init_state"):
        return function(model, x, draws, **options)
    return function(model, x, draws, module.init_state(x, target, stream("state"), **options), **options)[0]


def stream(*names: object) -> torch.Generator:
    """The random stream of a test."""
    return rng.generator("tests", *names)
