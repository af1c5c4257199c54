"""Draw one figure, as PNG and PDF; the same results give the same bytes."""

from pathlib import Path

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core import registry
from scorebench.engine.attempt import OK, attempt, deadline
from scorebench.figures.base import style
from scorebench.store import artifacts
from scorebench.store.results import Results
from scorebench.suite.plan import Plan

matplotlib.use("agg")
DPI = 200


def run(plan: Plan, job: str, folder: Path) -> str:
    """Write figures/<job>.png and .pdf, and say how it went.

    A figure whose code fails is a picture that says so: the page and the other figures go on.
    """
    with style():
        figure, status = attempt(lambda: registry.module("figure", job).draw(Results(folder)), deadline(plan.suite.job_minutes))
        figure = figure if status == OK else _failed(job, status)
        for ending, facts in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
            path = folder / "figures" / f"{job}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}")
            figure.savefig(partial, dpi=DPI, format=ending, metadata=facts)
            artifacts.write_bytes(path, partial.read_bytes())
            partial.unlink()
    return status


def _failed(job: str, status: str) -> Figure:
    figure = plt.figure(figsize=(6, 1.2))
    figure.text(0.5, 0.5, f"{job}: {status}", ha="center", va="center", wrap=True)
    return figure
