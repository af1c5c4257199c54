"""What went wrong in a run, and when it is tried again: a job that failed has its rows, and is up to date until what it rests on or its limits change."""

from collections.abc import Collection, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from scorebench.core import sealed
from scorebench.core.errors import InputError
from scorebench.suite.fingerprint import fingerprint
from scorebench.suite.jobs import STAGES, limits, timing
from scorebench.suite.plan import Plan

WRONG = ("failed", "timeout")
RETRIED = "retried.json"
"""In a suite's folder: the limits with which jobs that had failed with others are tried again. It stays, or they would seem to rest on something else."""


def lost(plan: Plan, folder: Path) -> list[tuple[str, str]]:
    """The jobs of a suite that failed or ran out of time, by stage and id."""
    return [(stage, job) for stage, job, _ in _records(plan, folder)]


def retried(plan: Plan, folder: Path) -> dict[str, Any]:
    """The limits with which jobs are tried again, by the paths of their records: as before, and those that were lost with limits other than today's."""
    path, today = folder / RETRIED, limits(plan.suite)
    before = _read(path)
    return before | {timing(stage, job): today for stage, job, record in _records(plan, folder) if record.get("limits") != today}


def rests_on(plan: Plan, retries: Mapping[str, Any]) -> dict[str, str]:
    """A hash of each job's fingerprint and of the limits with which it is tried again, by the path of its record."""
    its = {timing(stage, job): fingerprint(plan, stage, job) for stage in STAGES for job in plan.jobs(stage)}
    return {path: sha256(f"{hashed}{retries.get(path, '')}".encode()).hexdigest()[:16] for path, hashed in its.items()}


def _records(plan: Plan, folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for stage in STAGES:
        for job in plan.jobs(stage):
            path = folder / timing(stage, job)
            record = _read(path)
            if record.get("status") in WRONG:
                yield stage, job, record


def _read(path: Path) -> dict[str, Any]:
    """Nothing of a file that is not there or damaged: the run that finds it so makes it again (`store.damage`)."""
    try:
        return sealed.read(path)
    except (FileNotFoundError, InputError):
        return {}


def told(count: int, folder: Path) -> str:
    """What a user can do about them."""
    jobs = "1 job" if count == 1 else f"{count} jobs"
    return f"{jobs} failed or ran out of time; `scorebench retry {folder.as_posix()}`, and the next run does them again"


def forget(plan: Plan, folder: Path) -> list[tuple[str, str]]:
    """Remove what these jobs wrote, and what rests on it; which jobs they are."""
    jobs = lost(plan, folder)
    _remove(plan, folder, jobs)
    return jobs


def outdated(plan: Plan, folder: Path, hashes: Mapping[str, str], remembered: Mapping[str, str]) -> None:
    """Remove what jobs wrote that rested on something else than they would now, by their own records, where Snakemake would not see it.

    It remembers what jobs rested on beside the results: where that is lost, or is of another folder's runs, they would seem to be up to date.
    """
    jobs = [(stage, job) for stage in STAGES for job in plan.jobs(stage)]
    records = ((job, path, _read(folder / path)) for job in jobs for path in [timing(*job)])
    others = [(job, path) for job, path, record in records if record and record.get("rests_on") != hashes[path]]
    _remove(plan, folder, [job for job, path in others if hashes[path] in remembered.get(path, hashes[path])])


def _remove(plan: Plan, folder: Path, jobs: Collection[tuple[str, str]]) -> None:
    files: set[str] = set()
    for stage in STAGES:  # each reads only what those before it write
        for job in plan.jobs(stage):
            if (stage, job) in jobs or files.intersection(plan.inputs(stage, job)):
                files |= {*plan.outputs(stage, job), timing(stage, job)}
    for file in files:
        (folder / file).unlink(missing_ok=True)
