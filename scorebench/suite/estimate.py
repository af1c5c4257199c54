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

START_SECONDS = 3.0
# Seconds for a step of all seeds, and on top of it for a row of it at width 64, depth 2 (64 x 64 products dominate).
STEP_SECONDS, ROW_SECONDS = 1e-3, 8e-7
# The same for chains; then for a seed of a cell and metric.
ROUND_SECONDS, CHAIN_SECONDS, EXACT_SECONDS, CELL_SECONDS = 1e-3, 5e-7, 8e-8, 4.5e-4
# Of a work: its equilibrium and its intervals, which are of as many chains in every suite; the same for each value of what it tunes; then as above.
WORK_FIXED_SECONDS, BEGIN_SECONDS, WORK_ROUND_SECONDS, WORK_SECONDS = 4.0, 1.2, 3e-4, 1.5e-8
OTHER_SECONDS = {"measure": 0.2, "map": 0.6, "claim": 2.6, "figure": 1.2, "sensitivity": 0.7, "tables": 0.5, "page": 0.5, "work": 0.3}
TABLE_ROW_SECONDS = {"tables": 1e-4, "page": 5e-5}


def minutes(plan: Plan, stage: str, *jobs: str) -> float:
    """For one process on one core that does these jobs in turn, start-up included: as long as in the reference run, where there is one."""
    measured = _measured(plan.suite.name)
    return (START_SECONDS + sum(measured.get((stage, job)) or seconds(plan, stage, job) for job in jobs or ("",))) / 60


@cache
def _measured(suite: str) -> dict[tuple[str, str], float]:
    path = Path("results", "reference", suite, "timings.csv")
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines()) if path.exists() else ()
    return {(row["stage"], row["job"]): float(row["seconds"]) for row in rows}


def seconds(plan: Plan, stage: str, job: str) -> float:
    """By the suite alone, which gives the same answer everywhere."""
    fixed = OTHER_SECONDS.get(stage, 1.0)
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
        return fixed if not sample.gradients else sum(_run(sample, block, train, len(losses)) for block, train, losses in sample.runs)
    if stage == "work":
        work, accuracy = plan.works[job], plan.suite.accuracy
        if not gradients(work.method):
            return fixed
        cells = sum((begin.pilot or accuracy.pilot) * len(begin.step_sizes) for begin in work.begins) + 5 * (
            work.begins[0].final or accuracy.final
        )
        rounds = max(begin.budget for begin in work.begins) * (WORK_ROUND_SECONDS * len(work.begins) + cells * WORK_SECONDS)
        return WORK_FIXED_SECONDS + BEGIN_SECONDS * len(work.begins) + rounds
    if stage == "measure":
        return fixed + CELL_SECONDS * sum(_cells(sample) for sample in plan.measures[job].on.samples)
    return fixed + (TABLE_ROW_SECONDS[stage] * rows(plan) if stage in TABLE_ROW_SECONDS else 0.0)


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
    """Of a machine: seconds of a start of Python, and how many times as long as on the ordinary core a job takes."""

    start: float = START_SECONDS
    job: float = 1.0


def work_and_span(plan: Plan, pace: Pace) -> tuple[float, float]:
    """Core-seconds of all starts of Python, and of the longest chain of them in which each waits for the one before."""
    there: dict[str, float] = {}
    total = 0.0
    for stage in STAGES:  # each reads what those before it write
        for jobs in plan.batches(stage):
            taken = pace.start + pace.job * sum(seconds(plan, stage, job) for job in jobs)
            end = taken + max((there.get(file, 0.0) for file in plan.needed(stage, jobs)), default=0.0)
            there |= dict.fromkeys((file for job in jobs for file in (*plan.outputs(stage, job), timing(stage, job))), end)
            total += taken
    return total, max(there.values())


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


BASE_MB, CLAIM_MB, WORK_MB = 350.0, 1_500.0, 600.0
"""Of a process with its libraries; of the claim, and of the work, that takes most: their numbers of draws are their own."""
COPIES = 3
"""Of what a job samples or measures it has so many at a time."""


def memory_mb(plan: Plan, dims: Mapping[str, int]) -> float:
    """Of the job that takes most; no job may take more than the suite's `job_memory_mb`."""
    largest = max((_sample_bytes(sample, dims[id]) for id, on in plan.targets.items() for sample in on.samples), default=0.0)
    its = [BASE_MB + COPIES * largest / 2**20]
    its += [CLAIM_MB] if plan.suite.claims else []
    its += [WORK_MB] if plan.works else []
    return min(max(its), plan.suite.job_memory_mb)


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
    if job.metric.entry.facts.get("ABOUT", "sampler") != "sampler":
        return sum(len(train.losses) * train.experiment.seeds * len(train.training.steps) for train in (*job.on.sources, *job.on.smaller))
    snapshots = plan.suite.snapshots
    every = snapshots is None or job.metric in parse_all("metric", snapshots)
    return sum(
        _cells_of(sample, block, losses) * (_snapshots(sample, block) if every else 1)
        for sample in job.on.samples
        for block, _, losses in sample.runs
    )


def _snapshots(sample: Sample, block: Sampling) -> int:
    return len(within(sample.sampler, block.budgets)) if sample.gradients else 1
