"""Losses at equal gradients and at equal seconds."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.stats import gmean

from scorebench.core.spec import parse
from scorebench.figures.base import decades, lines, names, required, seconds_a_gradient
from scorebench.report.choosing import at_end, is_ok, of_all_data
from scorebench.store.results import Results

LABEL = "Losses at equal gradients and at equal seconds"
CAPTION = (
    "Relative Fisher divergence to the target of an MLP energy against training, lower is better: against training steps (top) and against the "
    "seconds that they take for one model on one core, many being trained at once (bottom). The exact trace costs more a step than a "
    "random direction. Of denoising's levels the one that ends best is drawn. Means across seeds with 95 % intervals."
)
USES = {"model": ("mlp_energy",), "metric": ("relative_fisher_divergence",)}
READS = ("metrics.csv", "timings.csv")


def draw(results: Results) -> Figure:
    """A column a target with most seeds, steps above seconds."""
    rows = results.metrics
    rows = rows[(rows["metric"] == "relative_fisher_divergence") & (names(rows, "model") == "mlp_energy") & is_ok(rows)]
    rows = required(rows, "relative Fisher divergence of an MLP energy").assign(kind=names(rows, "loss"))
    rows = of_all_data(rows)
    rows = rows[rows["model"] == rows.groupby("target")["model"].transform("first")]
    seeds = rows.groupby("target", sort=False)["seed"].max()
    targets = list(seeds.index[seeds == seeds.max()])
    kinds, cost = list(rows["kind"].unique()), seconds_a_gradient(results)
    figure, axes = plt.subplots(2, len(targets), figsize=(3.9 * len(targets), 5.6), squeeze=False, sharey="col")
    for (above, below), target in zip(axes.T, targets, strict=True):
        here = _best_of_each_kind(rows[rows["target"] == target])
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
        labels = here.drop_duplicates("kind").set_index("kind")["loss"].map(lambda loss: parse("loss", loss).label)
        shown = zip(*above.get_legend_handles_labels(), strict=True)
        handles, kinds_shown = zip(*((handle, labels[kind]) for handle, kind in shown if kind in labels), strict=True)
        above.legend(handles, kinds_shown, fontsize=7.5)
        below.get_legend().remove()
        above.set(title=parse("target", target).label, xlabel="training steps")
        below.set(xlabel="seconds for one model")
    for ax in axes.flat:
        ax.set_ylabel("relative Fisher divergence" if ax in axes[:, 0] else "")
    return figure


def _best_of_each_kind(rows: pd.DataFrame) -> pd.DataFrame:
    """Of a loss at several noise levels the one that ends lowest."""
    final = at_end(rows).groupby(["kind", "loss"])["value"].agg(gmean).sort_values().reset_index()
    return rows[rows["loss"].isin(final.drop_duplicates("kind")["loss"])]
