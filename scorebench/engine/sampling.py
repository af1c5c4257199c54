"""One sampler on one target: the exact score and every trained source, over the whole grid, all seeds."""

from __future__ import annotations

import importlib.util
import time
from collections import Counter
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
from scorebench.samplers.base import Density, Outcome, Starts, exact_density
from scorebench.store.samples import Arrays, SourceRun
from scorebench.store.trained import Checkpoint, Training
from scorebench.suite.jobs import Sample, gradients, has_step, has_temperature, ladder, to_the_end, within
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
    for block, source, alike in _sources(job, target, trainings):
        model, loss = (str(spec) if spec else "" for spec in (source.model, source.loss))
        for cells, ended in _parts(job, block, source.ended):
            clock = time.perf_counter()
            outcome, ended = _run(job, source.density, block, cells, target, master, limit, alike) if ended == OK else (None, ended)
            seconds = time.perf_counter() - clock
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


def _sources(job: Sample, target: Target, trainings: Trainings) -> Iterator[tuple[Sampling, Source, int]]:
    """Each source with its block, and how many of its model are run in the same way."""
    alike = Counter((id(block), train and train.model) for block, train, losses in job.runs for _ in losses)
    for block, train, losses in job.runs:
        if train is None:
            yield block, Source(None, None, None, OK, exact_density(target)), 1
        else:
            for source in sources(*trainings[train.id], train, target):
                if source.loss in losses and source.steps == trainings[train.id][0].steps[-1]:
                    yield block, source, alike[id(block), train.model]


Cells = tuple[tuple[float | None, float], ...]
"""Step size and temperature of each."""


def _parts(job: Sample, block: Sampling, ended: Ended) -> list[tuple[Cells, Ended]]:
    """The grid with how it ended so far: of a sampler that has no temperature, what is at another than 1 apart."""
    cells = _cells(job, block)
    if ended != OK or has_temperature(job.sampler):
        return [(cells, ended)]
    at, beyond = (tuple(cell for cell in cells if (cell[1] == 1) == wanted) for wanted in (True, False))
    never = Ended(Status.NOT_APPLICABLE, "the sampler has no temperature: it is for T = 1 alone")
    return [(part, how) for part, how in ((at, OK), (beyond, never)) if part]


def _cells(job: Sample, block: Sampling) -> Cells:
    """The grid; without steps where the sampler has none."""
    steps = block.step_sizes if has_step(job.sampler) else (None,)
    return tuple((step, temperature) for step in steps for temperature in block.temperatures)


def absent(sampler: Spec) -> str:
    """What to install for a sampler that other libraries do (PEERS); nothing where they are there."""
    for extra, packages in sampler.entry.facts.get("PEERS", {}).items():
        if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
            return f"takes {' and '.join(missing)}: pip install 'scorebench[{extra}]'"
    return ""


def lacking(sampler: Spec, density: Density) -> str:
    """What a sampler needs of a source that it does not have; nothing where all is there."""
    missing = [member for _, member in sampler.needs if not has(density, MEMBERS.get(member, member))]
    return f"the source has no {' and no '.join(missing)}" if missing else ""


def settled(sampler: Spec) -> int:
    """The steps after which a sampler is at the last of its noise levels; 0 where it has none."""
    levels = len(ladder(sampler))
    return to_the_end(sampler) // gradients(sampler) * (levels - 1) // levels if levels else 0


def _run(
    job: Sample,
    density: Density,
    block: Sampling,
    cells: Cells,
    target: Target,
    master: int,
    limit: float,
    alike: int,
) -> tuple[Outcome | None, Ended]:
    """Run the sampler on one density over the grid.

    Starts, but for a sampler's own, and random numbers depend on the target and the seed alone, so that sources, samplers and cells are compared in pairs.
    """
    facts = job.sampler.entry.facts
    if why := absent(job.sampler):
        return None, Ended(Status.NOT_APPLICABLE, why)
    if why := lacking(job.sampler, density):
        return None, Ended(Status.NOT_APPLICABLE, why)

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
        draw, shape = target.prior.sample, (block.chains, target.dim)
        if facts.get("START") == "target":  # of a finite set not those that it is compared with
            draw = target.sample if target.rows is None or target.training_sample is None else target.training_sample

        def drawn(stream: torch.Generator) -> Tensor:
            start = sampler.start(density, shape, stream) if isinstance(sampler, Starts) else draw(block.chains, stream)
            return expect("the start", start, shape)

        budgets = within(job.sampler, block.budgets)
        return run(sampler, density, torch.stack(list(map(drawn, starts))), budgets, streams, job.gradients, alike, settled(job.sampler))

    return attempt(go, limit)
