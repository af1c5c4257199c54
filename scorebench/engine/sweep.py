"""A training job: what each loss tunes, its learning rate or an option of its own, by short runs, alike for every loss; then the fit.

The values that a suite names are where the sweep begins. Where the best is at an edge, it goes on beyond it by the ratio of the two values there, until
the best is inside, or gains nothing over its neighbour (`judging.gains`): there the sweep is flat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from scorebench.core.spec import Spec
from scorebench.engine.judging import gains, log_divergence, validation
from scorebench.engine.target import built
from scorebench.engine.training import Fitted, fit
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
    divergences: tuple[dict[float, list[float]], ...]
    """The relative Fisher divergences to what each loss learns, where that is known: they have no say."""


def train(job: Train, master: int, tell: Callable[[str], None] = lambda text: None) -> Trained:
    """The fit of a job's losses for every seed, and what it was tuned to."""
    training, name, target = job.training, str(job.target), built(job.target)
    option, tried = swept(job.loss, training)
    values, divergences = sweep(target, job.model, job.losses, training, master, name, tell) if len(tried) > 1 else ([], [])
    chosen = tuple(map(lowest, values)) or tried * len(job.losses)
    losses, rates = _at(job.losses, option, chosen, training)
    fitted = fit(target, job.model, losses, rates, training, training.steps, master, range(job.experiment.seeds), name, tell)
    return Trained(fitted, chosen, tuple(values), tuple(divergences))


def _at(losses: Sequence[Spec], option: str, values: Sequence[float], training: Training) -> tuple[Sequence[Spec], Sequence[float]]:
    """Losses and learning rates where each has its value of what is tuned."""
    if option == LEARNING_RATE:
        return losses, values
    if values:
        losses = [loss.having(option, value) for loss, value in zip(losses, values, strict=True)]
    return losses, [training.learning_rate] * len(losses)


Tried = dict[float, list[float]]
"""By value, one a seed."""
SEEDS = 3
WIDER = 6
"""So often a sweep goes on beyond its edges."""


def sweep(
    target: Target,
    model: Spec,
    losses: Sequence[Spec],
    training: Training,
    master: int,
    name: str,
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[list[Tried], list[Tried]]:
    """For each of `losses` its value on validation data at each value of what is tuned, one a seed, by which that is chosen; and its relative Fisher divergence
    to what it learns, none where that is not known.

    Short runs on seeds of their own, so that what is reported later had no say in the choice.
    """
    option, tried = swept(losses[0], training)
    seeds = [f"sweep {i}" for i in range(training.sweep.seeds if training.sweep else SEEDS)]
    steps = (training.sweep.steps if training.sweep else 1,)
    found: list[dict[float, Tensor]] = [{} for _ in losses]  # by value, (seed, point)
    divergences: list[Tried] = [{} for _ in losses]
    wanted = [list(tried) for _ in losses]
    for _ in range(1 + WIDER):
        each = [(number, value) for number, values in enumerate(wanted) for value in values]
        if not each:
            break
        judges = [losses[number] for number, _ in each]
        members, rates = _at(judges, option, [value for _, value in each], training)
        fitted = fit(target, model, members, rates, training, steps, master, seeds, name)
        judged = validation(target, judges, model, fitted.module, master, seeds, name)(fitted.parameters[-1])
        known = log_divergence(target, members, model, master, seeds, name)
        logs = known(fitted.parameters[-1]) if known else None
        for at, ((number, value), values) in enumerate(zip(each, judged, strict=True)):
            found[number][value] = values
            if logs is not None:
                divergences[number][value] = logs[at].exp().tolist()
        wanted = [list(_beyond(values)) for values in found]
    by_value = [{value: values[value].mean(-1).tolist() for value in sorted(values)} for values in found]
    for loss, values in zip(losses, by_value, strict=True):
        tell(f"{loss}: {option.replace('_', ' ')} {lowest(values):g}, the best of {', '.join(f'{value:g}' for value in values)}")
    return by_value, [{value: each[value] for value in sorted(each)} for each in divergences]


def _beyond(values: Mapping[float, Tensor]) -> Iterator[float]:
    """The next value beyond an edge at which the best lies and gains over its neighbour."""
    means = {value: float(v.mean()) for value, v in values.items()}
    tried, best = sorted(values), lowest({value: [mean] for value, mean in means.items()})
    for edge, neighbour in ((tried[0], tried[1]), (tried[-1], tried[-2])):
        if best == edge and bool(gains(values[neighbour].flatten(), values[edge].flatten())):
            yield float(f"{edge * edge / neighbour:.3g}")


def lowest(by_value: Mapping[float, Sequence[float]]) -> float:
    """Of what was tried, with a value a seed, that with the lowest mean; one that is not finite on every seed comes last."""
    return min(by_value, key=lambda tried: fmean(by_value[tried]) if all(map(math.isfinite, by_value[tried])) else math.inf)
