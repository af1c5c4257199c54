"""Measure one metric on one target: of its sources, or of all that was sampled from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import scipy.stats  # noqa: F401  # what some metrics compute with: once, before the jobs of a process fork

from scorebench.core.schema import METRICS, OK, Ended, Status
from scorebench.core.spec import parse_all
from scorebench.engine.attempt import attempt, deadline, preload
from scorebench.engine.device import prepare
from scorebench.engine.measuring import Bench
from scorebench.engine.metric import Metric
from scorebench.engine.sources import Source, sources
from scorebench.engine.target import built
from scorebench.stages.record import record
from scorebench.store import artifacts, samples, trained
from scorebench.suite.jobs import Measure, Train
from scorebench.targets.base import Target

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan

METRICS.frame([])  # loads the checks of tables once, before the jobs of a process fork


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write every row of this metric on this target."""
    limit = deadline(plan.suite.job_minutes)
    prepare(plan.suite.device)
    its = plan.measures[job]
    preload(its.metric)
    with record(plan, folder, "measure", job) as entry:
        target, ended = attempt(lambda: built(its.on.target), limit)
        rows = _rows(plan, its, folder, target, ended, limit)
        _write(plan, job, folder, rows)
        wrong = rows[rows["status"].isin([Status.FAILED, Status.TIMEOUT])]
        entry["status"], entry["reason"] = OK if wrong.empty else wrong[["status", "reason"]].iloc[0]


def lost(plan: Plan, job: str, folder: Path, ended: Ended) -> None:
    """Write the rows of a job that did not come to its end: each says why, but for what had gone wrong before it."""
    _write(plan, job, folder, _rows(plan, plan.measures[job], folder, None, ended, 0.0))


def _rows(plan: Plan, job: Measure, folder: Path, target: Target | None, ended: Ended, limit: float) -> pd.DataFrame:
    on, metric = job.on, Metric(job.metric)
    of_source = metric.facts.get("ABOUT") == "source"
    read: list[tuple[Train, Source]] = []
    if of_source or any(owner == "source" for owner, _ in job.metric.needs):
        for train in (*on.sources, *(on.smaller if of_source else ())):
            training, checkpoints = trained.read(folder / f"train/{train.id}.npz")
            its = training if training.ended != OK else replace(training, **ended._asdict())
            if metric.facts.get("EXACT"):
                its, checkpoints = replace(its, steps=its.steps[-1:]), checkpoints[-1:]
            read += ((train, source) for source in sources(its, checkpoints, train, target))
    every = [source for _, source in read]
    snapshots = plan.suite.snapshots
    bench = Bench(target, metric, plan.suite.seed, on, limit, every, snapshots is None or job.metric in parse_all("metric", snapshots))
    if of_source:
        frames = [bench.source_rows(source).assign(train_size=train.training.size) for train, source in read]
    else:
        frames = []
        for sample in on.samples:
            runs = samples.read(folder / f"sample/{sample.id}.npz")
            shown = ((run if run.ended != OK else replace(run, **ended._asdict()), arrays) for run, arrays in runs)
            frames += bench.sampler_rows(str(sample.sampler), shown)
    rows = METRICS.frame(pd.concat(frames) if frames else []).assign(suite=plan.suite.name, target=str(on.target))
    size = rows["train_size"].fillna(on.experiment.training.size).clip(upper=(target and target.training_rows) or None)
    rows["train_size"] = size.where(rows["model"] != "")
    return rows


def _write(plan: Plan, job: str, folder: Path, rows: pd.DataFrame) -> None:
    artifacts.write_gzip(folder / f"measure/{job}.csv.gz", METRICS.to_csv(rows))
