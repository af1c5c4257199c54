"""How long a job should take: by rates measured on an ordinary core, which say, too, which jobs share a process; or what it took in the reference run."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from scorebench.suite.jobs import Sample, Train, gradients

if TYPE_CHECKING:  # the plan asks here which jobs are short
    from scorebench.suite.config import Sampling
    from scorebench.suite.plan import Plan

START_SECONDS = 3.0
# Seconds for a step of all seeds, and on top of it for a row of it at width 64, depth 2 (64 x 64 products dominate).
STEP_SECONDS, ROW_SECONDS = 1e-3, 8e-7
# The same for chains; then for a seed of a cell and metric.
ROUND_SECONDS, CHAIN_SECONDS, EXACT_SECONDS, CELL_SECONDS = 1e-3, 5e-7, 8e-8, 5e-4
WORK_ROUND_SECONDS, WORK_SECONDS = 3e-4, 1.5e-8
OTHER_SECONDS = {"measure": 0.2, "map": 1.0, "claim": 4.0, "figure": 1.3, "sensitivity": 1.0}


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
        return max(begin.budget for begin in work.begins) * (WORK_ROUND_SECONDS * len(work.begins) + cells * WORK_SECONDS)
    if stage == "measure":
        return fixed + CELL_SECONDS * sum(_cells(sample) for sample in plan.measures[job].on.samples)
    return fixed


def _size(train: Train) -> float:
    return (train.model.options.get("width", 16) / 64) ** 1.5


def _run(sample: Sample, block: Sampling, train: Train | None, losses: int) -> float:
    chains = _grid(block) * block.chains * sample.experiment.seeds
    return block.budgets[-1] * (ROUND_SECONDS + chains * (CHAIN_SECONDS * _size(train) * losses if train else EXACT_SECONDS))


def _grid(block: Sampling) -> int:
    return len(block.step_sizes) * len(block.temperatures)


def _cells(sample: Sample) -> float:
    return sum(_grid(block) * len(block.budgets) * sample.experiment.seeds * max(len(losses), 1) for block, _, losses in sample.runs)
