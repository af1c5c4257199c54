"""Draw one figure, as PNG and PDF; the same results give the same bytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core import registry
from scorebench.core.schema import METRICS, Ended
from scorebench.engine.attempt import attempt, deadline
from scorebench.figures.base import style
from scorebench.stages.record import record
from scorebench.store import artifacts
from scorebench.store.results import Results

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan

matplotlib.use("agg")
DPI = 200

METRICS.frame([])  # loads the checks of tables once, before the jobs of a process fork


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write figures/<job>.png and .pdf. A figure whose code fails is a picture that says so: the page and the other figures go on."""
    limit = deadline(plan.suite.job_minutes)
    with record(plan, folder, "figure", job) as entry, style():
        files, ended = attempt(lambda: _files(registry.module("figure", job).draw(Results(folder, plan))), limit)
        if files is None:
            lost(plan, job, folder, ended)
        else:
            _write(job, folder, files)
        entry |= ended._asdict()


def lost(plan: Plan, job: str, folder: Path, ended: Ended) -> None:
    """Write a picture that says how it ended."""
    plt.close("all")
    with style():
        figure = plt.figure(figsize=(6, 1.2))
        figure.text(0.5, 0.5, f"{job}: {ended}", ha="center", va="center", wrap=True, parse_math=False)
        _write(job, folder, _files(figure))


def _files(figure: object) -> dict[str, bytes]:
    """The figure's files by their endings; the same figure gives the same bytes. Raises TypeError for what is no figure."""
    if not isinstance(figure, Figure):
        raise TypeError(f"draw returned {type(figure).__name__}, not a figure")
    files = {}
    for ending, facts in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
        content = io.BytesIO()
        figure.savefig(content, dpi=DPI, format=ending, metadata=facts)
        files[ending] = content.getvalue()
    plt.close(figure)
    return files


def _write(job: str, folder: Path, files: dict[str, bytes]) -> None:
    for ending, content in files.items():
        artifacts.write_bytes(folder / "figures" / f"{job}.{ending}", content)
