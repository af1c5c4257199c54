"""The learning rates that were swept, alike for every loss, and which one each loss took."""

import numpy as np
from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.figures.base import panels, required, source_label
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
    figure, axes = panels(len(targets), 3, 3.2, 0.235 * deepest + 0.75)
    for ax, target in zip(axes, targets, strict=True):
        here = table[table["target"] == target].set_index(["model", "loss", "learning_rate"])
        above, text = (here[column].unstack(sort=False).sort_index(axis=1) for column in ("above", "text"))
        ax.imshow(above.fillna(np.inf).clip(0, 100), cmap="Greys", vmin=0, vmax=200, aspect="auto")
        for (i, j), label in np.ndenumerate(text.to_numpy()):
            ax.text(j, i, label, ha="center", va="center", fontsize=7.5, fontfamily="DejaVu Sans")
        ax.set_yticks(range(len(above)), [source_label(model, loss) for model, loss in above.index], fontsize=7.5)
        ax.set_xticks(range(above.shape[1]), [f"{rate:g}" for rate in above.columns], fontsize=7.5)
        ax.set_title(parse("target", target).label, fontsize=9)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    figure.supxlabel("learning rate", fontsize="medium")
    return figure


def _percent(above: float) -> str:
    if not np.isfinite(above):
        return "diverged"
    return "≫" if above > 1_000 else f"+{above:.0f} %" if above >= 1 else f"+{above:.1f} %" if above >= 0.1 else "< 0.1 %"
