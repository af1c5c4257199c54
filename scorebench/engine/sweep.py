"""A training job: what each loss tunes, its learning rate or an option of its own, by short runs, alike for every loss; then the fit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.func import vmap

from scorebench.core import registry, rng
from scorebench.core.spec import Spec
from scorebench.engine.target import built
from scorebench.engine.training import Fitted, fit, levels_of, objective, shared_options
from scorebench.losses.base import LossFile
from scorebench.suite.jobs import LEARNING_RATE, Train, swept
from scorebench.targets.base import Target

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.config import Training


class Trained(NamedTuple):
    """What a training job makes."""

    fitted: Fitted
    chosen: tuple[float, ...]
    """The value of what is tuned, the learning rate or an option, for each loss; none where there was nothing to choose."""
    sweep: tuple[dict[float, list[float]], ...]
    """The values that chose it; none where one was given."""


def train(job: Train, master: int) -> Trained:
    """The fit of a job's losses for every seed, and what it was tuned to."""
    training, name, target = job.experiment.training, str(job.target), built(job.target)
    option, tried = swept(job.loss, training)
    values = sweep(target, job.model, job.losses, training, master, name) if len(tried) > 1 else []
    chosen = tuple(map(lowest, values)) or tried * len(job.losses)
    losses, rates = _at(job.losses, option, chosen, training)
    fitted = fit(target, job.model, losses, rates, training, training.steps, master, range(job.experiment.seeds), name)
    return Trained(fitted, chosen, tuple(values))


def _at(losses: Sequence[Spec], option: str, values: Sequence[float], training: Training) -> tuple[Sequence[Spec], Sequence[float]]:
    """Losses and learning rates where each has its value of what is tuned."""
    if option == LEARNING_RATE:
        return losses, values
    if values:
        losses = [loss.having(option, value) for loss, value in zip(losses, values, strict=True)]
    return losses, [training.learning_rate] * len(losses)


VALIDATION, SEEDS = 2_000, 3


def sweep(
    target: Target, model: Spec, losses: Sequence[Spec], training: Training, master: int, name: str
) -> list[dict[float, list[float]]]:
    """For each of `losses` its value on validation data at each value of what is tuned, one a seed.

    Short runs on seeds of their own, so that what is reported later had no say in the choice; each loss is judged by itself, or by its `validation`, at
    2,000 points that it was not trained on, with the same random numbers for every rate: what can be done where the truth is not known.
    """
    option, tried = swept(losses[0], training)
    seeds = [f"sweep {i}" for i in range(training.sweep.seeds if training.sweep else SEEDS)]
    steps = training.sweep.steps if training.sweep else 1
    judges = [member for member in losses for _ in tried]
    members, rates = _at(judges, option, tried * len(losses), training)
    fitted = fit(target, model, members, rates, training, (steps,), master, seeds, name)
    loss: LossFile = registry.module("loss", losses[0].name)
    options = shared_options(losses)
    points, noise = [], []
    for seed in seeds:
        generator = rng.generator(master, "validation", name, seed)
        points.append((target.validation_sample or target.training_sample or target.sample)(VALIDATION, generator))
        noise.append(loss.draws(points[-1], target, generator, **options))
    x, draws = (torch.stack(v).repeat(len(judges), 1, 1) for v in (points, noise))
    with torch.no_grad():
        stacked = {k: v.flatten(0, 1) for k, v in fitted.parameters[-1].items()}
        judge = objective(judges, model, fitted.module, getattr(loss, "validation", None))
        values = vmap(judge)(stacked, x, draws, levels_of(judges).repeat_interleave(len(seeds)))
    by_loss = values.view(len(losses), len(tried), len(seeds)).tolist()
    return [dict(zip(tried, by_value, strict=True)) for by_value in by_loss]


def lowest(by_value: Mapping[float, Sequence[float]]) -> float:
    """Of what was tried, with a value a seed, that with the lowest mean; one that is not finite on every seed comes last."""
    return min(by_value, key=lambda tried: fmean(by_value[tried]) if all(map(math.isfinite, by_value[tried])) else math.inf)
