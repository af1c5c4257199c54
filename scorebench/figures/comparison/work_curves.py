"""The squared bias of every sampler against what it has cost: how fast it falls, where it crosses the threshold, and at what it stays."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scorebench.core.schema import Status
from scorebench.core.spec import parse
from scorebench.figures.base import COLOURS, MARKERS, decades, labels, legend_below, panels, required
from scorebench.report.ranking import of_rivals, shown
from scorebench.store.results import Results

LABEL = "Squared bias against gradients"
CAPTION = (
    "The worst squared bias b² of a panel of functions, in units of the law's own variance, against gradients a chain: each method at its chosen cell, "
    "from one start for all, with a standard error either way; controls are left out. A marker where it falls below the threshold (grey line) for "
    "good: its work. Where a line stays is its step's bias, or modes that it has not come to. On a Gaussian the thin black lines are exact. An estimate "
    "of b² may be negative by chance: below .03 of the threshold a line lies at the lower edge; above 10,000 of it, it is outside."
)
USES = {"sampler": ("",)}
READS = ("tables/work.csv", "work/*.npz")
FLOOR, CEILING = 0.03, 1e4
"""In units of the threshold."""
STYLES = ("-", "--", "-.", ":")
LINES = (*COLOURS[:6], COLOURS[9], COLOURS[7], "#8e871f", "0.2")
"""Pink and yellow are faint as lines."""


def draw(results: Results) -> Figure:
    """A panel a target, a line a method."""
    rows = of_rivals(shown(required(results.table("work"), "comparison of samplers by work")))
    rows = required(rows[rows["plateau"].notna()], "sampler whose squared bias was measured")
    rows = rows.assign(label=labels(rows))
    order, targets = list(rows["label"].unique()), list(rows["target"].unique())
    curves = {(target, found.method): found.curves for target, methods in results.works().items() for found in methods}
    figure, axes = panels(len(targets), 3, 3.5, 2.7)
    for ax, target in zip(axes, targets, strict=True):
        here = rows[rows["target"] == target]
        epsilon = here["epsilon"].iloc[0]
        for _, row in here.iterrows():
            number = order.index(row["label"])
            _curve(ax, curves[target, row["method"]], FLOOR * epsilon, number, row["label"])
            if row["status"] == Status.OK:
                ax.plot(row["gradients"], epsilon, zorder=6, **_look(number))
        ax.axhline(epsilon, color="0.5", lw=1, zorder=0)
        ax.set(xscale="log", yscale="log", title=parse("target", target).label)
        ax.set_ylim(0.8 * FLOOR * epsilon, min(ax.get_ylim()[1], CEILING * epsilon))
        decades(ax.xaxis)
    for place, ax in enumerate(axes):
        ax.set(xlabel="gradients a chain", ylabel="b², worst of the panel" if place % 3 == 0 else "")
    legend_below(figure, axes, 4)
    return figure


def _curve(ax: Axes, curves: dict[str, np.ndarray], floor: float, number: int, label: str) -> None:
    """b^2 with its band; a point at no gradients has no place on a logarithmic axis."""
    there = curves["gradients"] > 0
    gradients, (curve, error) = curves["gradients"][there], curves["max"][:, there]
    low, middle, high = (np.maximum(curve + side * error, floor) for side in (-1, 0, 1))
    ax.fill_between(gradients, low, high, color=LINES[number % 10], alpha=0.25, lw=0, where=middle < CEILING / FLOOR * floor)
    nowhere = (len(gradients), 1)  # of the line's points none is marked; its marker is for the legend
    ax.plot(gradients, middle, ls=STYLES[number % 4], lw=1.5, label=label, markevery=nowhere, **_look(number))
    if "exact max" in curves:
        ax.plot(gradients, np.maximum(curves["exact max"][there], floor), color="black", lw=0.6, zorder=5)


def _look(number: int) -> dict[str, Any]:
    return {"color": LINES[number % 10], "marker": MARKERS[number % 8], "markersize": 7, "mec": "white", "mew": 0.7}
