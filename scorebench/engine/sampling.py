"""One sampler on one target: the exact score and every trained source, over the whole grid, all seeds."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.core.schema import OK, Ended, Status
from scorebench.core.shapes import expect
from scorebench.core.spec import Spec
from scorebench.engine.attempt import attempt
from scorebench.engine.loop import grid, run
from scorebench.engine.sources import Source, sources
from scorebench.engine.target import built
from scorebench.samplers.base import Density, Outcome, exact_density
from scorebench.store.samples import Arrays, SourceRun
from scorebench.store.trained import Checkpoint, Training
from scorebench.suite.jobs import Sample, ladder, to_the_end
from scorebench.targets.base import Target, has

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.config import Sampling

MEMBERS = {"log_prob": "score_and_log_prob"}
"""Where a sampler's need is called otherwise in `Density`."""


class Cost(NamedTuple):
    """What a source cost."""

    model: str
    loss: str
    seconds_per_gradient: float
    """Of one chain."""


Trainings = Mapping[str, tuple[Training, list[Checkpoint]]]
"""What the training jobs left, by their ids."""


def sample(job: Sample, master: int, limit: float, trainings: Trainings) -> tuple[list[tuple[SourceRun, Arrays]], list[Cost]]:
    """Every source in turn: how its run went with its arrays, and what it cost."""
    target, ended = attempt(lambda: built(job.target), limit)
    if target is None:
        return [(lost, {}) for lost in without_samples(job, ended)], []
    runs: list[tuple[SourceRun, Arrays]] = []
    costs: list[Cost] = []
    for block, source in _sources(job, target, trainings):
        clock = time.perf_counter()
        cells = _cells(job, block)
        outcome, ended = _run(job, source.density, block, cells, target, master, limit) if source.ended == OK else (None, source.ended)
        seconds = time.perf_counter() - clock
        model, loss = (str(spec) if spec else "" for spec in (source.model, source.loss))
        source_run = SourceRun(model, loss, source.steps, *ended, cells, block.chains)
        arrays: Arrays = {}
        if outcome:
            source_run = replace(source_run, steps=outcome.steps, gradients=outcome.gradients)
            arrays = {name: array for name, array in outcome._asdict().items() if isinstance(array, Tensor)}
            work = max(outcome.gradients[-1], 1) * outcome.samples[0, ..., 0].numel()
            costs.append(Cost(model, loss, seconds / work))
        runs.append((source_run, arrays))
    return runs, costs


def without_samples(job: Sample, ended: Ended) -> Iterator[SourceRun]:
    """Every source of a job that did not come to its end."""
    for block, train, losses in job.runs:
        cells = _cells(job, block)
        if train is None:
            yield SourceRun("", "", None, *ended, cells, block.chains)
        else:
            for loss in losses:
                yield SourceRun(str(train.model), str(loss), train.experiment.training.steps[-1], *ended, cells, block.chains)


def _sources(job: Sample, target: Target, trainings: Trainings) -> Iterator[tuple[Sampling, Source]]:
    for block, train, losses in job.runs:
        if train is None:
            yield block, Source(None, None, None, OK, exact_density(target))
        else:
            for source in sources(*trainings[train.id], train, target):
                if source.loss in losses and source.steps == train.experiment.training.steps[-1]:
                    yield block, source


def _cells(job: Sample, block: Sampling) -> tuple[tuple[float | None, float], ...]:
    """The grid; independent draws have no step."""
    steps = block.step_sizes if job.gradients else (None,)
    return tuple((step, temperature) for step in steps for temperature in block.temperatures)


def absent(sampler: Spec) -> str:
    """What to install for a sampler that other libraries do (PEERS); nothing where they are there."""
    for extra, packages in sampler.entry.facts.get("PEERS", {}).items():
        if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
            return f"takes {' and '.join(missing)}: pip install 'scorebench[{extra}]'"
    return ""


def _run(
    job: Sample,
    density: Density,
    block: Sampling,
    cells: tuple[tuple[float | None, float], ...],
    target: Target,
    master: int,
    limit: float,
) -> tuple[Outcome | None, Ended]:
    """Run the sampler on one density over the grid.

    Starts and random numbers depend on the target and the seed alone, so that sources, samplers and cells are compared in pairs.
    """
    facts = job.sampler.entry.facts
    if why := absent(job.sampler):
        return None, Ended(Status.NOT_APPLICABLE, why)
    if missing := [member for _, member in job.sampler.needs if not has(density, MEMBERS.get(member, member))]:
        return None, Ended(Status.NOT_APPLICABLE, f"the source has no {' and no '.join(missing)}")

    if block.budgets[-1] < (least := to_the_end(job.sampler)):
        levels = len(ladder(job.sampler))
        return None, Ended(
            Status.NOT_APPLICABLE, f"its {levels} noise levels take {least} gradients, of which the budget is {block.budgets[-1]}"
        )

    def go() -> Outcome:
        assert target.prior is not None
        step_size, temperature = grid((block.step_sizes[0] if step is None else step, t) for step, t in cells)
        sampler = job.sampler.build(step_size=step_size, temperature=temperature)
        starts, streams = ([rng.generator(master, use, job.target, s) for s in range(job.experiment.seeds)] for use in ("start", "sample"))
        law = target if facts.get("START") == "target" else target.prior
        start = torch.stack([expect("the start", law.sample(block.chains, stream), (block.chains, target.dim)) for stream in starts])
        return run(sampler, density, start, block.budgets, streams, job.gradients)

    return attempt(go, limit)
