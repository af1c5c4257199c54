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
from scorebench.models.base import over_stack, score, score_and_divergence, score_and_log_prob
from scorebench.samplers.base import Density
from scorebench.store.trained import Checkpoint, Training
from scorebench.suite.jobs import Train
from scorebench.targets.base import Absent, Target


@dataclass(frozen=True, eq=False)
class Source:
    """The exact score (no model, loss or steps), or one loss at one noise level of a training job after some number of steps; every seed."""

    model: Spec | None
    loss: Spec | None
    steps: int | None
    ended: Ended
    density: Density
    divergence: Callable[[Tensor], Tensor] = Absent("divergence")


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
    gives = model.entry.facts["GIVES"]
    energy = "log_prob" in gives
    parameters = {k: v.to(torch.get_default_device()) for k, v in parameters.items()}
    module = model.build(target.dim, rng.generator("structure"))

    def over_seeds(function: Callable[..., Any], sigma: float | None) -> Callable[[Tensor], Any]:
        level = None if sigma is None else torch.tensor(sigma)
        mapped = over_stack(function, module, energy, level)
        return lambda x: mapped(parameters, x.flatten(1, 2))  # (seed, grid, chain, d) -> (seed, grid * chain, d)

    def density(sigma: float | None) -> Density:
        field, both = over_seeds(score, sigma), over_seeds(score_and_log_prob, sigma)

        def score_and_density(x: Tensor) -> tuple[Tensor, Tensor]:
            s, log_p = both(x)
            return s.view_as(x), log_p.view(x.shape[:-1])

        there = Density(lambda x: field(x).view_as(x))
        if energy:
            there = replace(there, score_and_log_prob=score_and_density)
        if "noise_levels" in gives:
            there = replace(there, perturbed=cache(density))
        return replace(there, prior=target.prior.sample) if target.prior else there

    lowest = loss.options[loss.entry.facts["LADDER"]][-1] if "noise_levels" in gives else None
    with_divergence = over_seeds(score_and_divergence, lowest)
    return Source(model, loss, steps, OK, density(lowest), lambda x: with_divergence(x)[1].view(x.shape[:-1]))
