"""Draw one figure, as PNG and PDF; the same results give the same bytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core import registry
from scorebench.core.schema import Ended
from scorebench.engine.attempt import attempt, deadline
from scorebench.figures.base import style
from scorebench.stages.record import record
from scorebench.store import artifacts
from scorebench.store.results import Results

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan

matplotlib.use("agg")
DPI = 200


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write figures/<job>.png and .pdf. A figure whose code fails is a picture that says so: the page and the other figures go on."""
    with record(folder, "figure", job) as entry, style():
        figure, ended = attempt(lambda: registry.module("figure", job).draw(Results(folder, plan)), deadline(plan.suite.job_minutes))
        figure = figure or _failed(job, ended)
        for ending, facts in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
            content = io.BytesIO()
            figure.savefig(content, dpi=DPI, format=ending, metadata=facts)
            artifacts.write_bytes(folder / "figures" / f"{job}.{ending}", content.getvalue())
        plt.close(figure)
        entry |= ended._asdict()


def _failed(job: str, ended: Ended) -> Figure:
    figure = plt.figure(figsize=(6, 1.2))
    figure.text(0.5, 0.5, f"{job}: {ended}", ha="center", va="center", wrap=True)
    return figure
