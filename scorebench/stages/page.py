"""Write the page."""

from pathlib import Path

from scorebench.report.page import page
from scorebench.stages.record import record
from scorebench.store import artifacts
from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write index.html."""
    with record(folder, "page", job):
        artifacts.write_bytes(folder / "index.html", page(plan, folder).encode())
