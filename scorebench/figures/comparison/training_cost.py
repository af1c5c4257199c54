"""Losses at equal gradients and at equal seconds."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.figures.base import across_seeds, band, seconds_a_gradient, some
from scorebench.store.results import Results

LABEL = "Losses at equal gradients and at equal seconds"
CAPTION = (
    "Fisher divergence to the target of an MLP energy during training, lower is better: against training steps (top) and against the "
    "seconds that they take for one model on one core, many being trained at once (bottom). The exact trace costs more a step than a "
    "random direction. Of denoising's levels the one that ends best is drawn. Means across seeds with 95 % intervals."
)
USES = {"model": ("mlp_energy",), "metric": ("fisher_divergence",)}
READS = ("metrics.csv", "timings.csv")


def draw(results: Results) -> Figure:
    """A column a target with most seeds, steps above seconds."""
    rows = results.metrics
    rows = rows[(rows["metric"] == "fisher_divergence") & rows["model"].str.startswith("mlp_energy") & (rows["status"] == "ok")]
    seeds = some(rows, "Fisher divergence of an MLP energy").groupby("target")["seed"].max()
    targets = [t for t in rows["target"].unique() if seeds[t] == seeds.max()]
    cost = seconds_a_gradient(results)
    figure, axes = plt.subplots(2, len(targets), figsize=(3.9 * len(targets), 5.6), squeeze=False, sharey="col")
    order = list(dict.fromkeys(_kind(loss) for loss in rows["loss"]))
    for column, target in enumerate(targets):
        of = across_seeds(rows[rows["target"] == target], ["loss", "train_steps"], log=True)
        final = of[of["train_steps"] == of["train_steps"].max()].set_index("loss")["mean"]
        for i, kind in enumerate(order):
            mine = [loss for loss in final.index if _kind(loss) == kind]
            if not mine:
                continue
            best = min(mine, key=lambda loss: final[loss])
            here = of[of["loss"] == best]
            job = next(t.id for t in results.plan.trains.values() if str(t.target) == target and best in map(str, t.losses))
            band(axes[0, column], here["train_steps"], here, i, parse("loss", best).label)
            seconds = pd.Series(here["train_steps"].astype(float)) * cost["train", job, best]
            band(axes[1, column], seconds, here, i, None)
        axes[0, column].set(title=parse("target", target).label, xlabel="training steps")
        axes[1, column].set(xlabel="seconds for one model")
        axes[0, column].legend(fontsize=7.5)
    for ax in axes.flat:
        ax.set(xscale="log", yscale="log")
    for ax in axes[:, 0]:
        ax.set_ylabel("Fisher divergence")
    return figure


def _kind(loss: str) -> str:
    return loss.partition(":")[0]
