"""Losses against the number of training points."""

import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import gmean

from scorebench.core.spec import parse
from scorebench.figures.base import decades, legend_below, lines, panels, required, source_label
from scorebench.report.choosing import is_ok
from scorebench.store.results import Results

LABEL = "Losses against the number of training points"
CAPTION = (
    "Relative Fisher divergence to the target against the size of the training set, lower is better: each loss at the rate of a sweep on as many points and "
    "trained to its end. Of denoising's levels the one that is best on all points is drawn. Means across seeds with 95 % intervals."
)
USES = {"metric": ("relative_fisher_divergence",), "loss": ("",)}
READS = ("metrics.csv",)


def draw(results: Results) -> Figure:
    """A panel a target that is trained on several sizes."""
    rows = results.metrics
    rows = rows[(rows["metric"] == "relative_fisher_divergence") & (rows["loss"] != "") & is_ok(rows)]
    several = rows.groupby("target")["train_size"].transform("nunique") > 1
    rows = required(rows[several], "relative Fisher divergence on several sizes of the training set")
    last = rows.groupby(["target", "model", "loss", "train_size"])["train_steps"].transform("max")
    rows = rows[rows["train_steps"] == last]
    targets = list(rows["target"].unique())
    figure, axes = panels(len(targets), 2, 4.6, 3.4)
    for ax, target in zip(axes, targets, strict=True):
        here = _best_levels(rows[rows["target"] == target])
        here = here.assign(source=[source_label(model, loss) for model, loss in zip(here["model"], here["loss"], strict=True)])
        ax.set(xscale="log", yscale="log")
        lines(ax, here, "train_size", "source", list(here["source"].unique()))
        decades(ax.yaxis)
        sizes = sorted(here["train_size"].unique())
        ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
        ax.minorticks_off()
        ax.set(xlabel="training points", ylabel="relative Fisher divergence", title=parse("target", target).label)
    legend_below(figure, axes, 2)
    return figure


def _best_levels(rows: pd.DataFrame) -> pd.DataFrame:
    """Of a model and loss at several noise levels the one that is lowest on all points."""
    rows = rows.assign(kind=[f"{model} {parse('loss', loss).name}" for model, loss in zip(rows["model"], rows["loss"], strict=True)])
    most = rows[rows["train_size"] == rows["train_size"].max()]
    final = most.groupby(["kind", "model", "loss"])["value"].agg(gmean).sort_values().reset_index().drop_duplicates("kind")
    return rows.merge(final[["model", "loss"]], on=["model", "loss"])
