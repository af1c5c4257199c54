"""Measure which planted fault one metric sees, on one target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebench.core.schema import SENSITIVITY, Ended
from scorebench.core.spec import parse
from scorebench.engine.attempt import attempt, deadline, preload
from scorebench.engine.device import prepare
from scorebench.engine.metric import Metric
from scorebench.engine.sensitivity import sensitivity
from scorebench.engine.target import built
from scorebench.stages.record import record
from scorebench.store import artifacts

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan

SENSITIVITY.frame([])  # loads the checks of tables once, before the jobs of a process fork


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write a row a fault; none if the target or the metric fails, which the record tells."""
    limit = deadline(plan.suite.job_minutes)
    prepare(plan.suite.device)
    asked = plan.suite.sensitivity
    assert asked is not None
    metric = Metric(plan.sensitivities[job])
    preload(metric.spec)
    with record(plan, folder, "sensitivity", job) as entry:
        rows, ended = attempt(
            lambda: sensitivity(built(parse("target", asked.target)), metric, asked.chains, asked.repeats, plan.suite.seed), limit
        )
        _write(plan, job, folder, rows or [])
        entry |= ended._asdict()


def lost(plan: Plan, job: str, folder: Path, ended: Ended) -> None:
    """Write a table without rows."""
    _write(plan, job, folder, [])


def _write(plan: Plan, job: str, folder: Path, rows: list[dict[str, Any]]) -> None:
    assert plan.suite.sensitivity is not None
    table = SENSITIVITY.frame(rows).assign(target=str(parse("target", plan.suite.sensitivity.target)))
    artifacts.write_gzip(folder / f"sensitivity/{job}.csv.gz", SENSITIVITY.to_csv(table))
