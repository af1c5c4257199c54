"""Measure which metric sees which planted fault, on one target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scorebench.core.schema import SENSITIVITY
from scorebench.core.spec import parse, parse_all
from scorebench.engine.attempt import attempt, deadline
from scorebench.engine.device import prepare
from scorebench.engine.metric import metrics_of
from scorebench.engine.sensitivity import sensitivity
from scorebench.stages.record import record
from scorebench.store import artifacts
from scorebench.suite.jobs import floored

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write a row a metric and fault; none if the target or a metric fails, which the record tells."""
    prepare(plan.suite.device)
    suite, asked = plan.suite, plan.suite.sensitivity
    assert asked is not None
    target = parse("target", asked.target)
    metrics = metrics_of(map(str, floored(parse_all("metric", suite.metrics))), "sampler")
    with record(folder, "sensitivity", job) as entry:
        rows, ended = attempt(
            lambda: sensitivity(target.build(), metrics, asked.chains, asked.repeats, suite.seed), deadline(suite.job_minutes)
        )
        table = SENSITIVITY.frame(rows or []).assign(target=str(target))
        artifacts.write_gzip(folder / f"sensitivity/{job}.csv.gz", SENSITIVITY.to_csv(table))
        entry |= ended._asdict()
