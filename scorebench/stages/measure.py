"""Measure one target: its sources, and all that was sampled from them; and draw the maps of a target in the plane."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from scorebench.core.schema import METRICS, Status
from scorebench.engine.attempt import attempt, deadline
from scorebench.engine.device import prepare
from scorebench.engine.maps import maps
from scorebench.engine.measuring import Bench
from scorebench.engine.metric import metrics_of
from scorebench.engine.sources import sources
from scorebench.stages.record import record
from scorebench.store import artifacts, samples, trained

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write every row about this target, and its maps."""
    prepare(plan.suite.device)
    suite, its = plan.suite, plan.measures[job]
    about_source, about_sampler = metrics_of(suite.metrics, "source"), metrics_of(suite.metrics, "sampler")
    with record(folder, "measure", job) as entry:
        target, built = attempt(its.target.build, deadline(suite.job_minutes))
        frames, drawn = [pd.DataFrame({"status": [str(built.status)], "reason": [built.reason]})], {}
        if target is not None:
            from_training = [(train, *trained.read(folder / f"train/{train.id}.npz")) for train in its.sources]
            every = [source for train, outcome, points in from_training for source in sources(outcome, points, train, target)]
            bench = Bench(target, suite.seed, its, deadline(suite.job_minutes), every, suite.snapshots)
            frames = [frame for source in every for frame in bench.source_rows(source, about_source)]
            for sample in its.samples:
                frames += bench.sampler_rows(str(sample.sampler), samples.read(folder / f"sample/{sample.id}.npz"), about_sampler)
            levels = sorted({level for train in its.sources for level in train.levels if level is not None})
            drawn = attempt(lambda: maps(target, every, its.experiment.seeds, levels), deadline(suite.job_minutes))[0] or {}
        rows = METRICS.frame(pd.concat(frames) if frames else pd.DataFrame())
        rows = rows.assign(suite=suite.name, target=str(its.target))
        rows["train_size"] = rows["train_size"].mask(rows["model"] != "", its.experiment.training.size)
        artifacts.write_gzip(folder / f"measure/{job}.csv.gz", METRICS.to_csv(rows))
        artifacts.write_arrays(folder / f"measure/{job}.npz", drawn, {"target": str(its.target)})
        wrong = rows[rows["status"].isin([Status.FAILED, Status.TIMEOUT])]
        entry["status"], entry["reason"] = built if wrong.empty else wrong[["status", "reason"]].iloc[0]
