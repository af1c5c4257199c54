"""How long a job should take: what it took in the reference run, else by rates measured on an ordinary core."""

import csv
from functools import cache
from pathlib import Path

from scorebench.suite.config import Sampling
from scorebench.suite.jobs import Sample, Train
from scorebench.suite.plan import Plan

START_SECONDS = 3.0
# Seconds for a row and step at width 64, depth 2 (64 x 64 products dominate), and for a cell and seed.
TRAIN_SECONDS, SCORE_SECONDS, EXACT_SECONDS, CELL_SECONDS = 6e-6, 1e-6, 8e-8, 7e-3


def minutes(plan: Plan, stage: str, *jobs: str) -> float:
    """For one process on one core that does these jobs in turn, start-up included."""
    return (START_SECONDS + sum(_seconds(plan, stage, job) for job in jobs or ("",))) / 60


@cache
def _measured(suite: str) -> dict[tuple[str, str], float]:
    path = Path("results", "reference", suite, "timings.csv")
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines()) if path.exists() else ()
    return {(row["stage"], row["job"]): float(row["seconds"]) for row in rows}


def _seconds(plan: Plan, stage: str, job: str) -> float:
    measured = _measured(plan.suite.name)
    if (stage, job) in measured:
        return measured[stage, job]
    if stage == "train":
        train = plan.trains[job]
        training = train.experiment.training
        runs = training.steps[-1] * train.experiment.seeds
        if training.sweep:
            runs += training.sweep.steps * training.sweep.seeds * len(training.sweep.learning_rates)
        return TRAIN_SECONDS * _size(train) * runs * training.batch * len(train.losses)
    if stage == "sample":
        sample = plan.samples[job]
        if not sample.gradients:
            return 1.0
        return sum(_rate(train) * max(len(losses), 1) * _chain_steps(block, sample) for block, train, losses in sample.runs)
    if stage == "measure":
        return sum(CELL_SECONDS * _cells(sample) for sample in plan.measures[job].on.samples) / len(plan.metrics)
    return {"claim": 5.0, "figure": 2.0, "sensitivity": 3.0}.get(stage, 1.0)


def _size(train: Train) -> float:
    return (train.model.options.get("width", 16) / 64) ** 1.5


def _rate(train: Train | None) -> float:
    return SCORE_SECONDS * _size(train) if train else EXACT_SECONDS


def _grid(block: Sampling) -> int:
    return len(block.step_sizes) * len(block.temperatures)


def _chain_steps(block: Sampling, sample: Sample) -> float:
    return _grid(block) * block.chains * block.budgets[-1] * sample.experiment.seeds


def _cells(sample: Sample) -> float:
    return sum(_grid(block) * len(block.budgets) * sample.experiment.seeds * max(len(losses), 1) for block, _, losses in sample.runs)
