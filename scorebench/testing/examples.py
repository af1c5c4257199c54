"""The methods that contract tests run over, what fits what, and their random streams.

A method's file is tested by being there, as its EXAMPLES (specs) configure it. Streams are named after the test, so that no seed was chosen.
"""

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from scorebench.core import registry, rng
from scorebench.core.errors import InputError
from scorebench.core.spec import Spec, parse
from scorebench.models.base import Bound
from scorebench.suite.jobs import trains
from scorebench.targets.base import Target
from scorebench.targets.lib.density import Density

SEED = ContextVar("SEED", default=0)
"""Which of the independent repeats of all tests: `scorebench check --seed`."""


def examples(kind: str) -> list[Spec]:
    """Every method of a kind, as its file's EXAMPLES configure it, or by its name; what other libraries do (PEERS) has tests of its own."""
    own = [name for name in registry.names(kind) if "PEERS" not in registry.entry(kind, name).facts]
    return [spec for name in own for spec in of_file(kind, name)]


def of_file(kind: str, name: str) -> list[Spec]:
    """A method as its file's EXAMPLES configure it, or by its name. Raises InputError for what is no spec of it."""
    specs = [parse(kind, text) for text in registry.entry(kind, name).facts.get("EXAMPLES", (name,))]
    if others := [str(spec) for spec in specs if spec.name != name]:
        raise InputError(
            f"{kind} {name!r}: EXAMPLES names {', '.join(map(repr, others))}, another method (allowed: {name} with its options)"
        )
    return specs


def fits(model: Spec, loss: Spec) -> bool:
    """Whether the loss can train the model."""
    return trains(loss, model)


def pairs() -> list[tuple[Spec, Spec]]:
    """Every model with every loss that can train it."""
    return [(model, loss) for model in examples("model") for loss in examples("loss") if fits(model, loss)]


def is_stepped(sampler: Spec) -> bool:
    """Whether the package's loop steps it; else it has a loop of its own (`samplers.base.Runs`)."""
    return not hasattr(registry.method("sampler", sampler.name), "run")


def loss_values(loss: Spec, model: Bound, x: Tensor, draws: Tensor, target: Target, **options: Any) -> Tensor:
    """A loss's value a row, (batch,); of one with a state, as it begins. `options` for the spec's."""
    options = options or loss.options
    module, function = registry.module("loss", loss.name), registry.method("loss", loss.name)
    if not hasattr(module, "init_state"):
        return function(model, x, draws, **options)
    return function(model, x, draws, module.init_state(x, target, stream("state"), **options), **options)[0]


def stream(*names: object) -> torch.Generator:
    """The random stream of a test, and of its repeat where SEED says which."""
    return rng.generator("tests", *names, *([f"seed {SEED.get()}"] if SEED.get() else []))


P = ParamSpec("P")
R = TypeVar("R")


def cached(function: Callable[P, R]) -> Callable[P, R]:
    """`functools.cache`, for each device and repeat apart."""

    @functools.cache
    def on(device: torch.device, seed: int, *arguments: P.args, **named: P.kwargs) -> R:
        return function(*arguments, **named)

    @functools.wraps(function)
    def call(*arguments: P.args, **named: P.kwargs) -> R:
        return on(torch.get_default_device(), SEED.get(), *arguments, **named)  # type: ignore[arg-type]

    call.cache_clear = on.cache_clear  # type: ignore[attr-defined]
    return call


LEVELLED = Density(
    score_and_log_prob=lambda x: (-x, -x.square().sum(-1) / 2),
    perturbed=lambda _: Density(score_and_divergence=lambda x: (-x, -x.sum(-1))),
    levels=(2.0, 1.0),
)
"""What an energy with noise levels is to a metric."""
TURNING = Density(score=lambda x: torch.stack([-x[..., 0] - x[..., 1] / 2, x[..., 0] / 2 - x[..., 1]], -1))
"""And a field that is no gradient."""


def density_for(spec: Spec) -> Density:
    """A source that a metric can be had of."""
    return TURNING if spec.entry.facts.get("FIELDS") else LEVELLED
