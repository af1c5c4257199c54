"""The learning rates that were swept, alike for every loss, and which one each loss took."""

import numpy as np
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.figures.base import required, source_label
from scorebench.store.results import Results

LABEL = "Learning-rate sweep"
CAPTION = (
    "Each loss on validation data after a short run at each learning rate, on seeds that are used for nothing else: how many per cent "
    "above its best rate. The star is the rate that the loss was then trained with; darker is worse, ≫ is more than 1000 %."
)
USES = {"loss": ("",)}
READS = ("tables/learning_rates.csv",)
SOURCE = ("target", "model", "loss")


def draw(results: Results) -> Figure:
    """A panel a target, a row a source, a column a rate."""
    table = required(results.table("learning_rates"), "sweep of the learning rate")
    best = table["mean"].where(table["chosen"]).groupby([table[column] for column in SOURCE]).transform("max")
    table = table.assign(above=100 * (table["mean"] - best) / best.abs())
    table["text"] = table["above"].map(_percent).where(~table["chosen"], "★")
    targets = list(table["target"].unique())
    deepest = int(table.groupby("target")[["model", "loss"]].apply(lambda sources: len(sources.drop_duplicates())).max())
    columns = min(len(targets), 3)
    lines = -(-len(targets) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(3.2 * columns, lines * (0.235 * deepest + 0.75)), squeeze=False)
    for ax in axes.flat[len(targets) :]:
        ax.remove()
    for ax, target in zip(axes.flat, targets, strict=False):
        above, text = (
            table[table["target"] == target].pivot_table(column, ["model", "loss"], "learning_rate", "first", sort=False).sort_index(axis=1)
            for column in ("above", "text")
        )
        shade = above.fillna(np.inf).clip(0, 100)
        look = {"cmap": "Greys", "vmin": 0, "vmax": 200, "cbar": False, "annot_kws": {"fontsize": 7.5, "fontfamily": "DejaVu Sans"}}
        sns.heatmap(shade, annot=text.to_numpy(), fmt="", ax=ax, **look)
        ax.set_yticks(np.arange(len(above)) + 0.5, [source_label(model, loss) for model, loss in above.index], fontsize=7.5, rotation=0)
        ax.set_xticks(np.arange(above.shape[1]) + 0.5, [f"{rate:g}" for rate in above.columns], fontsize=7.5)
        ax.set(xlabel="", ylabel="")
        ax.set_title(parse("target", target).label, fontsize=9)
        ax.tick_params(length=0)
    figure.supxlabel("learning rate", fontsize="medium")
    return figure


def _percent(above: float) -> str:
    if not np.isfinite(above):
        return "diverged"
    return "≫" if above > 1_000 else f"+{above:.0f} %" if above >= 10 else f"+{above:.1g} %" if above >= 0.1 else "< 0.1 %"
