"""The stages that the workflow's rules call. Each reads files, calls, writes files, and knows no other stage."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scorebench.core.errors import InputError, unknown
from scorebench.core.schema import OK
from scorebench.engine.process import isolated
from scorebench.stages.record import record as recorded
from scorebench.suite.jobs import STAGES

if TYPE_CHECKING:  # planning is no part of what a job runs: the settings that it makes count
    from scorebench.suite.plan import Plan


def run(stage: str, plan: Plan, job: str, results: Path) -> None:
    """Run one job of a stage; its files are where the workflow expects them under `results`/<suite>. Raises InputError for an unknown one.

    A job that runs a method's code (its stage has a `lost`) has a process of its own, within the suite's limits: what ends that process is told in
    the job's rows.
    """
    if stage not in STAGES:
        raise InputError(unknown("stage", stage, STAGES))
    if job not in plan.jobs(stage):
        raise InputError(unknown(f"stage {stage}: job", job, plan.jobs(stage)))
    module, folder, suite = importlib.import_module(f"scorebench.stages.{stage}"), results.absolute() / plan.suite.name, plan.suite
    if not hasattr(module, "lost"):
        module.run(plan, job, folder)
        return
    left = isolated(lambda: module.run(plan, job, folder), 60 * suite.job_minutes, suite.job_memory_mb)
    if left.ended != OK:
        print(f"{stage} {job}: {left.ended}", file=sys.stderr)
        with recorded(plan, folder, stage, job) as entry:
            module.lost(plan, job, folder, left.ended)
            entry |= left.ended._asdict() | {"seconds": left.seconds, "peak_memory_mb": left.peak_memory_mb}
