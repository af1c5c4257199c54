"""Test one claim: predictions, experiment, verdict; and save what its figure shows of the experiment."""

from pathlib import Path

from scorebench.claims.base import evaluate, result
from scorebench.core import registry
from scorebench.core.spec import parse
from scorebench.engine.attempt import OK, attempt, deadline, preload
from scorebench.stages.base import record
from scorebench.store import artifacts
from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, out: Path, timing: Path) -> None:
    """Write the claim with its quantities and verdict; if its code raises or runs out of time, with the verdict `failed: <reason>`."""
    preload(parse("claim", job))
    with record(timing, "claim", job) as entry:
        limit = deadline(plan.suite.job_minutes)
        found, status = attempt(lambda: evaluate(job, plan.suite.seed), limit)
        if status != OK:
            found = result(job, plan.suite.seed, status if status.startswith("failed: ") else f"failed: {status}")
        artifacts.write_json(out, found.as_json())
        if "picture" in registry.entry("claim", job).functions:
            arrays, picture_status = attempt(lambda: registry.module("claim", job).picture(plan.suite.seed), limit)
            artifacts.write_arrays(out.with_suffix(".npz"), arrays or {}, {"status": picture_status})
        entry["status"] = status
        entry["verdict"] = found.verdict
