"""Find the work of one method on one target: the pilot over its cells, the final run, and its bias in equilibrium."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scorebench.core.schema import OK, Ended, Status
from scorebench.engine.attempt import attempt, deadline, preload
from scorebench.engine.bench import Bench
from scorebench.engine.device import prepare
from scorebench.engine.target import built
from scorebench.engine.work import lost_rows, method
from scorebench.stages.record import record
from scorebench.store import works

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write every cell, and the curves of the chosen one."""
    limit = deadline(plan.suite.job_minutes)
    prepare(plan.suite.device)
    its, accuracy = plan.works[job], plan.suite.accuracy
    preload(its.target, its.method)
    with record(plan, folder, "work", job) as entry:
        bench, ended = attempt(lambda: Bench(built(its.target), its.target, plan.suite.seed, accuracy, limit), limit)
        found = method(its, bench) if bench else lost_rows(its, accuracy, ended)
        works.write(folder / f"work/{job}.npz", found)
        wrong = [Ended(row["status"], row["reason"]) for row in found.cells if row["status"] in (Status.FAILED, Status.TIMEOUT)]
        entry |= (wrong or [OK])[0]._asdict()


def lost(plan: Plan, job: str, folder: Path, ended: Ended) -> None:
    """Write how it ended for every cell of the pilot."""
    works.write(folder / f"work/{job}.npz", lost_rows(plan.works[job], plan.suite.accuracy, ended))
