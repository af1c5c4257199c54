"""Test one claim: predictions, experiment, verdict; and save what its figure shows of the experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scorebench.claims.base import evaluate, result
from scorebench.core import registry
from scorebench.core.schema import OK, Verdict
from scorebench.core.spec import parse
from scorebench.engine.attempt import attempt, deadline, preload
from scorebench.engine.device import prepare
from scorebench.stages.record import record
from scorebench.store import artifacts

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write the claim with its quantities and verdict, `failed` with the reason if its code raises or runs out of time; and its picture."""
    prepare(plan.suite.device)
    preload(parse("claim", job))
    seed = plan.suite.seed
    with record(folder, "claim", job) as entry:
        limit = deadline(plan.suite.job_minutes)
        tested, ended = attempt(lambda: evaluate(job, seed), limit)
        if tested is None:
            tested = result(job, seed, Verdict.FAILED, reason=ended.reason or str(ended.status))
        artifacts.write_json(folder / f"claims/{job}.json", tested.as_json())
        if "picture" in registry.entry("claim", job).functions:
            arrays, drawn = attempt(lambda: registry.module("claim", job).picture(seed), limit) if ended == OK else (None, ended)
            artifacts.write_arrays(folder / f"claims/{job}.npz", arrays or {}, {"status": str(drawn)})
        entry |= ended._asdict()
