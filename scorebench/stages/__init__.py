"""The stages that the workflow's rules call. Each reads files, calls, writes files, and knows no other stage."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from scorebench.core.errors import InputError, unknown
from scorebench.suite.jobs import STAGES

if TYPE_CHECKING:  # planning is no part of what a job runs: the settings that it makes count
    from scorebench.suite.plan import Plan


def run(stage: str, plan: Plan, job: str, results: Path) -> None:
    """Run one job of a stage; its files are where the workflow expects them under `results`/<suite>. Raises InputError for an unknown one."""
    if stage not in STAGES:
        raise InputError(unknown("stage", stage, STAGES))
    if job not in plan.jobs(stage):
        raise InputError(unknown(f"stage {stage}: job", job, plan.jobs(stage)))
    importlib.import_module(f"scorebench.stages.{stage}").run(plan, job, results / plan.suite.name)
