"""Is the part of a field's error that no energy could have harmless?"""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.figures.base import COLOURS, legend_below, required
from scorebench.report.statistics import t_interval
from scorebench.store.results import Results

LABEL = "A field's error taken apart"
CAPTION = (
    "Score fields that are trained without an energy. Left: their relative Fisher divergence to the target, in the part that an energy could have, too, and "
    "the part that turns, which it could not. Right: total variation between the target and the law of Langevin dynamics with the field, and between that law "
    "and the one of the field without the turning part; in theory that part alone leaves the target as it is. Means across seeds with 95 % intervals, by "
    "quadrature."
)
USES = {"metric": ("field_error",), "loss": ("",)}
READS = ("metrics.csv",)
PARTS = {
    "gradient": (0, "part that an energy could have, too"),
    "rotation": (0, "turning part"),
    "law": (1, "law against the target"),
    "effect": (1, "law against that without the turning part"),
}
"""Each part's panel and words."""


def draw(results: Results) -> Figure:
    """A row a source, divergences beside what comes of them."""
    rows = results.metrics
    metrics = {str(parse("metric", f"field_error:of={part}")): part for part in PARTS}
    rows = required(rows[rows["metric"].isin(metrics) & (rows["status"] == "ok")], "field whose error was taken apart")
    rows = rows.assign(part=rows["metric"].map(metrics))
    places = list(rows[["target", "model", "loss"]].drop_duplicates().itertuples(index=False, name=None))
    names = [f"{parse('target', target).label}, {parse('loss', loss).label}" for target, _, loss in places]
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 0.5 * len(places) + 1.5), sharey=True)
    for place, (target, model, loss) in enumerate(places):
        here = rows[(rows["target"] == target) & (rows["model"] == model) & (rows["loss"] == loss)]
        for number, (part, (panel, words)) in enumerate(PARTS.items()):
            mean, low, high = t_interval(here.loc[here["part"] == part, "value"].to_numpy(float), log=True)
            if np.isnan(mean):
                continue
            look = {"fmt": "os"[number % 2], "color": COLOURS[number], "capsize": 2, "markersize": 6}
            label = None if place else words
            axes[panel].errorbar(mean, place + 0.12 * (2 * (number % 2) - 1), xerr=[[mean - low], [high - mean]], label=label, **look)
    for ax, title in zip(axes, ("relative Fisher divergence", "total variation"), strict=True):
        ax.set(xscale="log", xlabel=title)
        ax.grid(axis="y", color="0.93", lw=0.8)
    axes[0].set_yticks(range(len(names)), names, fontsize=8)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    legend_below(figure, axes, 2)
    return figure
