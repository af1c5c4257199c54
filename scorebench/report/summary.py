"""What a run says at its end: what to use, how the claims stand, what went wrong, what it cost, where the page is."""

from collections import Counter
from pathlib import Path
from typing import Any

from scorebench.core import sealed
from scorebench.core.schema import ClaimResult, Verdict
from scorebench.report.recommendations import recommendations
from scorebench.report.troubles import divergences, inapplicable, troubles, unfloored
from scorebench.store import artifacts
from scorebench.store.again import lost, told
from scorebench.store.damage import RUN
from scorebench.store.results import Results
from scorebench.suite.jobs import STAGES, timing


def show(folder: Path, since: float, cores: int) -> None:
    """Print it; keep in run.json what a whole run cost."""
    results = Results(folder)
    lines = [f"{results.older}; this is of the run before"] if results.older else []
    lines += [f"{r.target}, {r.what}: {r.choice}; {r.evidence}; {r.standing(1)}" for r in recommendations(results)]
    lines += unfloored(results) + _verdicts(results.claims) + troubles(results)
    lines += [f"does not apply: {line}" for line in inapplicable(results)]
    if jobs := lost(results.plan, folder):
        lines.append(told(len(jobs), folder))
    if diverged := divergences(results):
        lines.append(f"diverged: {len(diverged)} combinations of target, source and sampler at some of their steps (the page lists them)")
    cost = _cost(results, since, cores)
    if cost:
        artifacts.write_json(folder / RUN, cost)
        lines.append(
            f"{cost['jobs']} jobs in {cost['wall_seconds'] / 60:.1f} min on {cores} cores; compute {cost['compute_share']:.2f} of cores x wall; "
            f"at most {cost['peak_memory_mb']:.0f} MB a job"
        )
    print("\n".join([*lines, f"page: {folder / 'index.html'}"]))


def _verdicts(claims: list[ClaimResult]) -> list[str]:
    """How many claims have which verdict, and which have another than their files expect."""
    if not claims:
        return []
    counts = ", ".join(f"{n} {verdict}" for verdict, n in Counter(claim.verdict for claim in claims).most_common())
    other = [claim for claim in claims if claim.verdict != claim.expected]
    return [
        f"{len(claims)} claim{'s' if len(claims) > 1 else ''}: {counts}; {len(claims) - len(other)} as their files expect",
        *(f"claim {claim.id}: {claim.verdict}, expected {claim.expected}" for claim in other if claim.verdict != Verdict.FAILED),
    ]


def _cost(results: Results, since: float, cores: int) -> dict[str, Any] | None:
    """What the run cost, if all of its jobs ran since then; None after a partial run."""
    records = (results.folder / timing(stage, job) for stage in STAGES for job in results.plan.jobs(stage))
    entries = [sealed.read(path) for path in records if path.exists()]
    if not since or not entries or any(entry["started"] < since for entry in entries):
        return None
    wall = max(entry["ended"] for entry in entries) - since
    compute = sum(entry["seconds"] for entry in entries)
    return {
        "jobs": sum(len(results.plan.batches(stage)) for stage in STAGES),
        "cores": cores,
        "wall_seconds": wall,
        "compute_seconds": compute,
        "compute_share": compute / (cores * wall),
        "peak_memory_mb": max(entry["peak_memory_mb"] for entry in entries),
    }
