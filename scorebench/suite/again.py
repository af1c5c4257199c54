"""What went wrong in a run and is not tried again by itself: a job that failed has its rows, and is up to date."""

import json
from pathlib import Path

from scorebench.suite.jobs import STAGES, timing
from scorebench.suite.plan import Plan

WRONG = ("failed", "timeout")


def lost(plan: Plan, folder: Path) -> list[tuple[str, str]]:
    """The jobs of a suite that failed or ran out of time, by stage and id."""
    return [(stage, job) for stage in STAGES for job in plan.jobs(stage) if _status(folder / timing(stage, job)) in WRONG]


def _status(record: Path) -> str:
    return json.loads(record.read_text(encoding="utf-8"))["status"] if record.exists() else ""


def told(count: int, folder: Path) -> str:
    """What a user can do about them."""
    jobs = "1 job" if count == 1 else f"{count} jobs"
    return f"{jobs} failed or ran out of time; `scorebench retry {folder.as_posix()}`, and the next run does them again"


def forget(plan: Plan, folder: Path) -> list[tuple[str, str]]:
    """Remove what these jobs wrote, and what rests on it; which jobs they are."""
    jobs = lost(plan, folder)
    files: set[str] = set()
    for stage in STAGES:  # each reads only what those before it write
        for job in plan.jobs(stage):
            if (stage, job) in jobs or files.intersection(plan.inputs(stage, job)):
                files |= {*plan.outputs(stage, job), timing(stage, job)}
    for file in files:
        (folder / file).unlink(missing_ok=True)
    return jobs
