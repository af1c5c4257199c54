"""What a suite should take: a job by rates of an ordinary core, which say, too, which jobs share a process, or what it took in the reference run."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sized
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scorebench.core.spec import Spec, parse_all
from scorebench.suite.jobs import STAGES, Measure, Sample, Train, gradients, has_step, has_temperature, timing, within

if TYPE_CHECKING:  # the plan asks here which jobs are short
    from scorebench.suite.config import Sampling
    from scorebench.suite.plan import Plan

# All rates are fitted to the jobs of the article's reference run, but for those of a start, which is measured where it counts (`commands.plan`).
START_SECONDS = 3.4
"""Of a start of Python that measures: imports, and reading a suite."""
STARTS = {"train": 0.73, "sample": 0.73, "map": 0.73, "measure": 1.0, "work": 0.92, "claim": 0.94, "sensitivity": 1.06}
STARTS |= {"figure": 0.5, "page": 0.22, "tables": 0.2}
"""Of another stage, as a share of it: what each imports, in seconds of a processor."""
JOB_SECONDS = 0.06
"""A process of its own, and its files."""
# Seconds for a step of all seeds, and on top of it for a row of it at width 64, depth 2 (64 x 64 products dominate).
STEP_SECONDS, ROW_SECONDS = 5e-4, 1.2e-6
# The same for chains; then for a seed of a cell and metric, for a seed of a source and metric at width 64, and where that is by quadrature.
ROUND_SECONDS, CHAIN_SECONDS, EXACT_SECONDS = 1.6e-4, 7e-7, 4e-9
CELL_SECONDS, SOURCE_SECONDS, QUADRATURE_SECONDS = 5e-4, 3.5e-3, 1.3e-2
# Of a work at 40,960 chains in the end, which its intervals are of: once, and for each value of what it tunes; then for a gradient of a chain.
WORK_SECONDS, BEGIN_SECONDS, GRADIENT_SECONDS, WORK_CHAINS = 10.5, 8.8, 1e-9, 40_960
OTHER_SECONDS = {"map": 0.1, "claim": 2.4, "figure": 1.2, "sensitivity": 0.6, "tables": 0.5, "page": 0.3, "work": 0.3, "sample": 0.15}
TABLE_ROW_SECONDS = {"tables": 1.1e-4, "page": 4.5e-5}


def minutes(plan: Plan, stage: str, *jobs: str) -> float:
    """For one process on one core that does these jobs in turn, start-up included: as long as in the reference run, where there is one."""
    measured = _measured(plan.suite.name)
    return (START_SECONDS * STARTS[stage] + sum(measured.get((stage, job)) or seconds(plan, stage, job) for job in jobs or ("",))) / 60


@cache
def _measured(suite: str) -> dict[tuple[str, str], float]:
    path = Path("results", "reference", suite, "timings.csv")
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines()) if path.exists() else ()
    return {(row["stage"], row["job"]): float(row["seconds"]) for row in rows}


def seconds(plan: Plan, stage: str, job: str) -> float:
    """By the suite alone, which gives the same answer everywhere."""
    return JOB_SECONDS + OTHER_SECONDS.get(stage, 0.0) + _work_of(plan, stage, job)


def _work_of(plan: Plan, stage: str, job: str) -> float:
    if stage == "train":
        train = plan.trains[job]
        training = train.training
        stacked = train.experiment.seeds * training.steps[-1]
        steps = training.steps[-1]
        if training.sweep:
            stacked += training.sweep.seeds * len(training.sweep.learning_rates) * training.sweep.steps
            steps += training.sweep.steps
        return STEP_SECONDS * steps + ROW_SECONDS * _size(train) * stacked * training.batch * len(train.losses)
    if stage == "sample":
        sample = plan.samples[job]
        return sum(_run(sample, block, train, len(losses)) for block, train, losses in sample.runs) if sample.gradients else 0.0
    if stage == "work":
        work, accuracy = plan.works[job], plan.suite.accuracy
        if not gradients(work.method):
            return 0.0
        final = work.begins[0].final or accuracy.final
        chains = sum((begin.pilot or accuracy.pilot) * len(begin.step_sizes) for begin in work.begins) + 5 * final
        once = (WORK_SECONDS + BEGIN_SECONDS * len(work.begins)) * final / WORK_CHAINS
        return once + GRADIENT_SECONDS * chains * max(begin.budget for begin in work.begins)
    if stage == "measure":
        its = plan.measures[job]
        if of_source(its):
            rate = QUADRATURE_SECONDS if by_quadrature(its) else SOURCE_SECONDS
            return rate * sum(_size(train) * number for train, number in _sources(its))
        return CELL_SECONDS * sum(_cells(sample) for sample in its.on.samples)
    return TABLE_ROW_SECONDS[stage] * rows(plan) if stage in TABLE_ROW_SECONDS else 0.0


def of_source(job: Measure) -> bool:
    """Whether a metric is of sources, and not of what samplers made of them."""
    return bool(job.metric.entry.facts.get("ABOUT", "sampler") != "sampler")


def by_quadrature(job: Measure) -> bool:
    """Whether a metric of sources is exact, on a grid, and of what training came to alone."""
    return bool(job.metric.entry.facts.get("EXACT"))


def _sources(job: Measure) -> list[tuple[Train, int]]:
    """Of each training that a metric of sources measures, how many it has, each seed one."""
    steps = (1 if by_quadrature(job) else len(train.training.steps) for train in (*job.on.sources, *job.on.smaller))
    return [
        (train, len(train.losses) * train.experiment.seeds * number)
        for train, number in zip((*job.on.sources, *job.on.smaller), steps, strict=True)
    ]


def _size(train: Train) -> float:
    return (train.model.options.get("width", 16) / 64) ** 1.5


def _run(sample: Sample, block: Sampling, train: Train | None, losses: int) -> float:
    chains = _grid(block, sample.sampler) * block.chains * sample.experiment.seeds
    return block.budgets[-1] * (ROUND_SECONDS + chains * (CHAIN_SECONDS * _size(train) * losses if train else EXACT_SECONDS))


def _grid(block: Sampling, sampler: Spec) -> int:
    return (len(block.step_sizes) if has_step(sampler) else 1) * (len(block.temperatures) if has_temperature(sampler) else 1)


def _cells_of(sample: Sample, block: Sampling, losses: Sized) -> int:
    return _grid(block, sample.sampler) * sample.experiment.seeds * max(len(losses), 1)


def _cells(sample: Sample) -> int:
    return sum(_cells_of(sample, block, losses) * len(block.budgets) for block, _, losses in sample.runs)


class Pace(NamedTuple):
    """Of a machine: seconds of a start of Python that measures, what its libraries hold, and how many times as long as on the ordinary core a job takes."""

    start: float = START_SECONDS
    job: float = 1.0
    megabytes: float = 365.0


def work_and_span(plan: Plan, pace: Pace) -> tuple[float, float]:
    """Core-seconds of all starts of Python, and of the longest chain of them in which each waits for the one before."""
    there: dict[str, float] = {}
    total = 0.0
    for stage in STAGES:  # each reads what those before it write
        for jobs in plan.batches(stage):
            taken = pace.start * STARTS[stage] + pace.job * sum(_likely(plan, stage, job) for job in jobs)
            end = taken + max((there.get(file, 0.0) for file in plan.needed(stage, jobs)), default=0.0)
            there |= dict.fromkeys((file for job in jobs for file in (*plan.outputs(stage, job), timing(stage, job))), end)
            total += taken
    return total, max(there.values())


def _likely(plan: Plan, stage: str, job: str) -> float:
    """A claim is the same work in every suite: as long as in the article's reference run, where there is one."""
    return (_measured("article").get((stage, job)) if stage == "claim" else None) or seconds(plan, stage, job)


def wall_seconds(work: float, span: float, cores: int) -> float:
    """At most, where no core idles while a job could start (Graham 1969, eq. 1): W/N + (1 - 1/N) S, W the work, S the span."""
    return work / cores + (1 - 1 / cores) * span


FLOAT = 4
TRACE = 8 * 200
"""States of a cell's trace, of chains by draws (samplers.base), at most."""
ROW_BYTES, JOB_BYTES, CLAIM_BYTES, FIGURE_BYTES = 225, 13_000, 22_000, 500_000
"""Of a row of metrics.csv with its share of the tables; of a job's record, log and benchmark; of a claim; of a figure, which the page holds, too."""
MAP_BYTES, PLANE_BYTES = 500_000, 300_000
"""Of a map of a target in the plane, and of each source on it."""


def size(plan: Plan, dims: Mapping[str, int]) -> float:
    """Bytes under the suite's results; `dims` is the dimension of each target by its id."""
    total = float(ROW_BYTES * rows(plan) + JOB_BYTES * sum(len(plan.jobs(stage)) for stage in STAGES))
    total += CLAIM_BYTES * len(plan.suite.claims) + FIGURE_BYTES * len(plan.suite.figures)
    for id, on in plan.targets.items():
        total += sum(_sample_bytes(sample, dims[id]) for sample in on.samples)
        total += sum(_train_bytes(train, dims[id]) for train in (*on.sources, *on.smaller))
        if dims[id] == 2:
            total += MAP_BYTES + PLANE_BYTES * sum(len(train.losses) for train in on.sources)
    return total


CLAIM_MB = 100.0
"""Beside the libraries, of most claims; their numbers of draws are their own, and the largest of the article's take 1 GB."""
WORK_MB, WORK_DRAWS = 100.0, 3 * 2**20
"""Of a work beside exact draws of the target, by which its panel is known."""
SOURCE_MB, QUADRATURE_MB, GRID_MB = 0.7, 1.05, 550.0
"""Of a metric of sources for a seed and a unit of a layer: what a network holds of the points at which its score is asked for, 5,000 or the edges of a grid;
and of the grid's own matrices and their factors."""
COPIES = 3
"""Of what a job samples or measures it has so many at a time."""


def memory_mb(plan: Plan, dims: Mapping[str, int], pace: Pace) -> float:
    """Of the job that takes most; no job may take more than the suite's `job_memory_mb`."""
    held = [COPIES * _sample_bytes(sample, dims[id]) / 2**20 for id, on in plan.targets.items() for sample in on.samples]
    held += [CLAIM_MB for _ in plan.suite.claims]
    held += [WORK_MB + FLOAT * WORK_DRAWS * dims[str(work.target.slug)] / 2**20 for work in plan.works.values()]
    for its in filter(of_source, plan.measures.values()):
        units = max((train.experiment.seeds * train.model.options.get("width", 16) for train, _ in _sources(its)), default=0)
        if units and not by_quadrature(its):
            held.append(SOURCE_MB * units)
        elif units and dims[its.on.id] == 2:
            held.append(QUADRATURE_MB * units + GRID_MB)
    return min(pace.megabytes + max(held, default=0.0), plan.suite.job_memory_mb)


def _sample_bytes(sample: Sample, dim: int) -> float:
    states = 0
    for block, _, losses in sample.runs:
        steps = block.budgets[-1] // sample.gradients // 2 if sample.gradients else TRACE
        states += _cells_of(sample, block, losses) * (_snapshots(sample, block) * block.chains + min(TRACE, 8 * max(steps, 1)))
    return float(FLOAT * dim * states)


def _train_bytes(train: Train, dim: int) -> float:
    width = train.model.options.get("width", dim)
    return float(FLOAT * width * (width + dim + 4) * len(train.losses) * train.experiment.seeds * len(train.training.steps))


def rows(plan: Plan) -> int:
    """Of metrics.csv: a seed of a cell, at every budget for the metrics of `snapshots`, at the last for the others; or of a source."""
    return sum(_rows(plan, job) for job in plan.measures.values())


def _rows(plan: Plan, job: Measure) -> int:
    if of_source(job):
        return sum(number for _, number in _sources(job))
    snapshots = plan.suite.snapshots
    every = snapshots is None or job.metric in parse_all("metric", snapshots)
    return sum(
        _cells_of(sample, block, losses) * (_snapshots(sample, block) if every else 1)
        for sample in job.on.samples
        for block, _, losses in sample.runs
    )


def _snapshots(sample: Sample, block: Sampling) -> int:
    return len(within(sample.sampler, block.budgets)) if sample.gradients else 1
