"""Test one claim: predictions, experiment, verdict."""

from pathlib import Path

from scorebench.claims.base import evaluate, result
from scorebench.core.spec import parse
from scorebench.stages.base import OK, attempt, deadline, preload, record
from scorebench.store import artifacts
from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, out: Path, timing: Path) -> None:
    """Write the claim with its quantities and verdict; if its code raises or runs out of time, with the verdict `failed: <reason>`."""
    preload(parse("claim", job))
    with record(timing, "claim", job) as entry:
        found, status = attempt(lambda: evaluate(job, plan.suite.seed), deadline(plan.suite.job_minutes))
        if status != OK:
            found = result(job, plan.suite.seed, status if status.startswith("failed: ") else f"failed: {status}")
        artifacts.write_json(out, found.as_json())
        entry["status"] = status
        entry["verdict"] = found.verdict
