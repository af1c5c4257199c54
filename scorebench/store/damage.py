"""Files of a run that are not as it wrote them. Each job's record carries the digests of what the job wrote, and its own."""

from collections.abc import Iterator
from pathlib import Path

from scorebench.core import sealed
from scorebench.core.errors import InputError
from scorebench.store.again import RETRIED
from scorebench.store.artifacts import TEMPORARY
from scorebench.suite.jobs import STAGES, timing
from scorebench.suite.plan import Plan
from scorebench.suite.reading import GIVEN

RUN = "run.json"
"""What a whole run cost."""


def damaged(plan: Plan, folder: Path) -> list[str]:
    """The files, in a suite's folder, that have changed since they were written; of those that are not there, the copies of what it was given."""
    found: list[str] = []
    for stage in STAGES:
        for job in plan.jobs(stage):
            found += _changed(folder, timing(stage, job))
    return [*found, *_changed(folder, GIVEN, copies=True), *(name for name in (RUN, RETRIED) if _record(folder, name) is None)]


def _changed(folder: Path, record: str, copies: bool = False) -> Iterator[str]:
    digests = _record(folder, record)
    if digests is None:
        yield record
        return
    for name, digest in digests.get("sha256", {}).items():
        path = folder / name
        if sealed.digest(path) != digest if path.is_file() else copies or path.exists():
            yield name


def _record(folder: Path, name: str) -> dict[str, dict[str, str]] | None:
    """Nothing in it where it is not there; None where it has changed."""
    try:
        return sealed.read(folder / name)
    except FileNotFoundError:
        return {}
    except InputError:
        return None


def sweep(folder: Path) -> None:
    """Remove what a killed process had not come to rename."""
    for path in folder.rglob(TEMPORARY):
        path.unlink(missing_ok=True)
