"""Test one claim: predictions, experiment, verdict; and save what its figure shows of the experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import scipy.stats  # noqa: F401  # what most claims compute with: once, before the jobs of a process fork

from scorebench.claims.base import evaluate, result
from scorebench.core import registry
from scorebench.core.schema import Ended, Verdict
from scorebench.core.spec import parse
from scorebench.engine.attempt import attempt, deadline, preload
from scorebench.engine.device import prepare
from scorebench.engine.tracing import kernels
from scorebench.stages.record import record
from scorebench.store import artifacts

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write the claim with its quantities and verdict, `failed` with the reason if its code raises or runs out of time; and its picture."""
    (folder / f"claims/{job}.json").unlink(missing_ok=True)
    limit = deadline(plan.suite.job_minutes)
    prepare(plan.suite.device)
    preload(parse("claim", job))
    seed = plan.suite.seed
    with record(plan, folder, "claim", job) as entry:
        tested, ended = attempt(lambda: evaluate(job, seed), limit)
        if tested is None:
            lost(plan, job, folder, ended)
        else:
            artifacts.write_json(folder / f"claims/{job}.json", tested.as_json())
            if _pictured(job):
                arrays, drawn = attempt(lambda: registry.module("claim", job).picture(seed), limit)
                _write_picture(job, folder, arrays or {}, drawn)
        entry["kernels"] = kernels()
        entry |= ended._asdict()


def lost(plan: Plan, job: str, folder: Path, ended: Ended) -> None:
    """Write the claim as one that failed, and an empty picture; what it had measured before its picture was drawn stands."""
    path = folder / f"claims/{job}.json"
    if not path.exists():
        failed = result(job, plan.suite.seed, Verdict.FAILED, reason=ended.reason or str(ended.status))
        artifacts.write_json(path, failed.as_json())
    if _pictured(job):
        _write_picture(job, folder, {}, ended)


def _pictured(job: str) -> bool:
    return "picture" in registry.entry("claim", job).functions


def _write_picture(job: str, folder: Path, arrays: dict[str, Any], ended: Ended) -> None:
    artifacts.write_arrays(folder / f"claims/{job}.npz", arrays, {"status": str(ended)})
