"""Losses at equal gradients and at equal seconds."""

from collections.abc import Collection

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.stats import gmean

from scorebench.core.spec import parse
from scorebench.figures.base import COLOURS, decades, legend_below, lines, names, required, seconds_a_gradient
from scorebench.report.choosing import at_end, is_ok, of_all_data
from scorebench.store.results import Results

LABEL = "Losses at equal gradients and at equal seconds"
CAPTION = (
    "Relative Fisher divergence to the target of an MLP energy against training, lower is better: against training steps (top) and against the "
    "seconds that they take for one model on one core, many being trained at once (bottom). Denoising's steps are the cheapest; "
    "in two dimensions the exact trace costs about as much as a random direction, or up to twice as much. Of denoising's levels the one that ends best is "
    "drawn, and named at its line. Means across seeds with 95 % intervals."
)
USES = {"model": ("mlp_energy",), "metric": ("relative_fisher_divergence",)}
READS = ("metrics.csv", "timings.csv")


def draw(results: Results) -> Figure:
    """A column a target, steps above seconds."""
    rows = results.metrics
    rows = rows[(rows["metric"] == "relative_fisher_divergence") & (names(rows, "model") == "mlp_energy") & is_ok(rows)]
    rows = required(rows, "relative Fisher divergence of an MLP energy").assign(kind=names(rows, "loss"))
    rows = of_all_data(rows)
    rows = rows[rows["model"] == rows.groupby("target")["model"].transform("first")]
    targets = list(rows["target"].unique())
    kinds, cost = list(rows["kind"].unique()), seconds_a_gradient(results)
    drawn = {target: _best_of_each_kind(rows[rows["target"] == target]) for target in targets}
    losses = {kind: {loss for here in drawn.values() for loss in here.loc[here["kind"] == kind, "loss"]} for kind in kinds}
    figure, axes = plt.subplots(2, len(targets), figsize=(3.9 * len(targets), 6.0), squeeze=False, sharey="col")
    for (above, below), target in zip(axes.T, targets, strict=True):
        here = drawn[target]
        jobs = {
            (str(t.model), str(loss)): t.id
            for t in results.plan.trains.values()
            if str(t.target) == target and not t.size
            for loss in t.losses
        }
        rates = [cost["train", jobs[source], source[1]] for source in zip(here["model"], here["loss"], strict=True)]
        here = here.assign(seconds=here["train_steps"].astype(float) * rates)
        for ax, x in ((above, "train_steps"), (below, "seconds")):
            ax.set(xscale="log", yscale="log")
            lines(ax, here, x, "kind", kinds)
            decades(ax.xaxis)
        ends = at_end(here).groupby(["kind", "loss", "train_steps"])["value"].agg(gmean)
        for (kind, loss, steps), end in ends.items():
            if len(losses[kind]) > 1:
                option = parse("loss", loss).label.partition(", ")[2]
                look = {"color": COLOURS[kinds.index(kind)], "va": "center", "textcoords": "offset points"}
                above.annotate(option, (steps, end), xytext=(8, 0), **look)
        above.set(title=parse("target", target).label, xlabel="training steps")
        below.set(xlabel="seconds for one model")
    for ax in axes.flat:
        ax.set_ylabel("relative Fisher divergence" if ax in axes[:, 0] else "")
    legend_below(figure, [*axes.flat], len(kinds), lambda kind: _label(losses[kind]))
    return figure


def _label(losses: Collection[str]) -> str:
    """Of a loss whose options differ between targets, whose lines say them, what is before these."""
    labels = [parse("loss", loss).label for loss in losses]
    return labels[0] if len(labels) == 1 else labels[0].partition(", ")[0]


def _best_of_each_kind(rows: pd.DataFrame) -> pd.DataFrame:
    """Of a loss at several noise levels the one that ends lowest."""
    final = at_end(rows).groupby(["kind", "loss"])["value"].agg(gmean).sort_values().reset_index()
    return rows[rows["loss"].isin(final.drop_duplicates("kind")["loss"])]
