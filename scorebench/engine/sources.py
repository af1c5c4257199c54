"""Trained sources as they are read back: what samplers and metrics see of a stack of trained models."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.core.schema import OK, Ended
from scorebench.core.spec import Spec
from scorebench.engine.tracing import repeated
from scorebench.models.base import over_stack, score, score_and_divergence, score_and_log_prob
from scorebench.samplers.base import Density
from scorebench.store.trained import Checkpoint, Training
from scorebench.suite.jobs import Train, gives, levels
from scorebench.targets.base import Target


@dataclass(frozen=True, eq=False)
class Source:
    """The exact score (no model, loss or steps), or one loss at one noise level of a training job after some number of steps; every seed."""

    model: Spec | None
    loss: Spec | None
    steps: int | None
    ended: Ended
    density: Density


def sources(training: Training, checkpoints: Sequence[Checkpoint], train: Train, target: Target | None) -> Iterator[Source]:
    """Every loss and checkpoint of a training job; the last checkpoint is the one that is sampled. Of one that ended well there is a target."""
    for number, steps in enumerate(training.steps):
        for level, loss in enumerate(train.losses):
            if training.ended == OK:
                assert target is not None
                parameters = {name: torch.as_tensor(array[level]) for name, array in checkpoints[number].items()}
                yield trained(train.model, loss, steps, parameters, target)
            else:
                yield Source(train.model, loss, steps, training.ended, Density())


def trained(model: Spec, loss: Spec, steps: int, parameters: dict[str, Tensor], target: Target) -> Source:
    """A source from stacked parameters, each (seed, ...). A noise-conditional one is its density at the lowest level, and has the others."""
    its = gives(model)
    energy, noise = "log_prob" in its, levels(loss, model) if "noise_levels" in its else ()
    parameters = {k: v.to(torch.get_default_device()) for k, v in parameters.items()}
    module = model.build(target.dim, rng.generator("structure"))

    def over_seeds(function: Callable[..., Any], sigma: float | None) -> Callable[[Tensor], Any]:
        level = None if sigma is None else torch.tensor(sigma)
        mapped = over_stack(function, module, energy, level)
        return repeated(lambda x: mapped(parameters, x.flatten(1, -2)))  # (seed, ..., d) -> (seed, row, d)

    def density(sigma: float | None) -> Density:
        field = over_seeds(score, sigma)

        def beside(function: Callable[..., Any]) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
            """The score and what the function gives beside it, a number a row."""
            mapped = over_seeds(function, sigma)

            def both(x: Tensor) -> tuple[Tensor, Tensor]:
                s, value = mapped(x)
                return s.view_as(x), value.view(x.shape[:-1])

            return both

        there = Density(lambda x: field(x).view_as(x), score_and_divergence=beside(score_and_divergence))
        if energy:
            there = replace(there, score_and_log_prob=beside(score_and_log_prob))
        if noise:
            there = replace(there, perturbed=cache(density), levels=noise)
        return replace(there, prior=target.prior.sample) if target.prior else there

    return Source(model, loss, steps, OK, density(noise[-1] if noise else None))
