"""Every loss on every target: Fisher divergence to the target, and to the density that the loss learns."""

import numpy as np
from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.figures.base import COLOURS, across_seeds, panels, some, source_label
from scorebench.store.results import Results

KINDS = (("fisher_divergence", "to the target"), ("fisher_divergence:to=fixed_point", "to what the loss learns"))
LABEL = "Losses compared"
CAPTION = (
    "Fisher divergence after the whole training, lower is better: to the target (circles), and to what the loss learns (squares), which leaves "
    "out the blur that denoising puts in on purpose. Means across seeds with 95 % intervals on a log scale; seeds that diverged or failed are "
    "counted in red. The explicit loss needs the true score and is the yardstick; an arrow says where it is, if far off."
)
USES = {"metric": ("fisher_divergence",), "loss": ("",)}
READS = ("metrics.csv",)


def _given_the_score(loss: str) -> bool:
    return "target.score" in parse("loss", loss).entry.facts["NEEDS"]


def draw(results: Results) -> Figure:
    """A panel a target, a row a source."""
    rows = results.metrics
    rows = rows[rows["metric"].str.startswith("fisher_divergence") & (rows["loss"] != "")]
    rows = rows[
        ~rows["status"].str.startswith("not_applicable") & (rows["train_steps"] == rows.groupby("target")["train_steps"].transform("max"))
    ]
    rows = some(rows, "Fisher divergence of a trained source")
    targets = list(dict.fromkeys(rows["target"]))
    counts = [len(rows[rows["target"] == t][["model", "loss"]].drop_duplicates()) for t in targets]
    figure, axes = panels(len(targets), 3, 4.0, 0.22 * max(counts) + 0.9)
    for ax, target in zip(axes, targets, strict=True):
        of = across_seeds(rows[rows["target"] == target], ["metric", "model", "loss"], log=True)
        order = of.sort_values(["metric", "mean"]).drop_duplicates(["model", "loss"])  # by the divergence to the target, where there is one
        place = {(m, s): i for i, (m, s) in enumerate(zip(order["model"], order["loss"], strict=True))}
        edge = of.loc[~of["loss"].map(_given_the_score), "mean"].min() / 50
        for i, (metric, label) in enumerate(KINDS):
            here = of[of["metric"] == metric]
            for row in here[here["mean"] < edge].itertuples():  # the yardstick, so far off that the others would stand in one line
                at = (0.02, place[row.model, row.loss] + 0.15 * (2 * i - 1))
                ax.annotate(f"← {row.mean:.0e}", at, xycoords=ax.get_yaxis_transform(), va="center", fontsize=8, color=COLOURS[i])
            here = here[~(here["mean"] < edge)]
            y = np.array([place[m, s] for m, s in zip(here["model"], here["loss"], strict=True)]) + 0.15 * (2 * i - 1)
            spread = np.abs(here[["low", "high"]].to_numpy().T - here["mean"].to_numpy())
            look = {"fmt": "os"[i], "color": COLOURS[i], "mfc": (COLOURS[0], "white")[i]}
            ax.errorbar(here["mean"], y, xerr=spread, markersize=4.5, capsize=2, lw=1.1, label=label, **look)
        for (model, loss), i in place.items():
            here = of[(of["model"] == model) & (of["loss"] == loss)]
            if lost := here["lost"].max():
                ax.text(
                    1,
                    i,
                    f"{lost}/{here['seeds'].max()} lost",
                    transform=ax.get_yaxis_transform(),
                    ha="right",
                    va="center",
                    color=COLOURS[3],
                )
        names = [source_label(m, s) for m, s in place]
        ax.set_yticks(range(len(names)), names, fontsize=8)
        ax.set_ylim(len(names) - 0.4, -0.6)  # the best on top
        ax.set_xscale("log")
        ax.set_xlim(left=max(ax.get_xlim()[0], edge * 0.9))
        ax.set(xlabel="Fisher divergence", title=parse("target", target).label)
        ax.grid(axis="y", color="0.93", lw=0.8)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
