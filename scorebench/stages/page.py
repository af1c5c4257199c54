"""Write the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scorebench.report.page import page
from scorebench.stages.record import record
from scorebench.store import artifacts

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write index.html."""
    with record(plan, folder, "page", job):
        artifacts.write_bytes(folder / "index.html", page(plan, folder).encode())
