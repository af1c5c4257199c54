"""A training job: the learning rate of each loss by short runs, alike for every loss; then the fit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import torch
from torch.func import vmap

from scorebench.core import registry, rng
from scorebench.core.spec import Spec
from scorebench.engine.target import built
from scorebench.engine.training import Fitted, fit, levels_of, objective, shared_options
from scorebench.losses.base import LossFile
from scorebench.suite.jobs import Train
from scorebench.targets.base import Target

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.config import Training


def train(job: Train, master: int) -> tuple[Fitted, tuple[float, ...], tuple[dict[float, list[float]], ...]]:
    """The fit of a job's losses for every seed, the learning rate of each loss, and the values that chose it (none where one rate was given)."""
    training, name, target = job.experiment.training, str(job.target), built(job.target)
    values = sweep(target, job.model, job.losses, training, master, name) if training.sweep else []
    rates = tuple(map(lowest, values)) or (training.learning_rate,) * len(job.losses)
    fitted = fit(target, job.model, job.losses, rates, training, training.steps, master, range(job.experiment.seeds), name)
    return fitted, rates, tuple(values)


VALIDATION = 2_000


def sweep(
    target: Target, model: Spec, losses: Sequence[Spec], training: Training, master: int, name: str
) -> list[dict[float, list[float]]]:
    """For each of `losses` its value on validation data at each learning rate, one a seed.

    Short runs on seeds of their own, so that what is reported later had no say in the choice; each loss is judged by itself, at 2,000 points that
    it was not trained on, with the same random numbers for every rate: what can be done where the truth is not known.
    """
    assert training.sweep is not None
    seeds = [f"sweep {i}" for i in range(training.sweep.seeds)]
    rates = training.sweep.learning_rates
    members = [member for member in losses for _ in rates]
    fitted = fit(target, model, members, rates * len(losses), training, (training.sweep.steps,), master, seeds, name)
    loss: LossFile = registry.module("loss", losses[0].name)
    options = shared_options(losses)
    points, noise = [], []
    for seed in seeds:
        generator = rng.generator(master, "validation", name, seed)
        points.append((target.validation_sample or target.training_sample or target.sample)(VALIDATION, generator))
        noise.append(loss.draws(points[-1], target, generator, **options))
    x, draws = (torch.stack(v).repeat(len(members), 1, 1) for v in (points, noise))
    with torch.no_grad():
        stacked = {k: v.flatten(0, 1) for k, v in fitted.parameters[-1].items()}
        values = vmap(objective(members, model, fitted.module))(stacked, x, draws, levels_of(members).repeat_interleave(len(seeds)))
    by_loss = values.view(len(losses), len(rates), len(seeds)).tolist()
    return [dict(zip(rates, by_rate, strict=True)) for by_rate in by_loss]


def lowest(by_rate: Mapping[float, Sequence[float]]) -> float:
    """Of learning rates with a value a seed, the one with the lowest mean; one that is not finite on every seed comes last."""
    return min(by_rate, key=lambda rate: fmean(by_rate[rate]) if all(map(math.isfinite, by_rate[rate])) else math.inf)
