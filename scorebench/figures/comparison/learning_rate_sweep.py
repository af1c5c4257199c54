"""The learning rates that were tried, for every loss until the best is inside, and which one each took."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.figures.base import panels, required, source_label
from scorebench.store.results import Results

LABEL = "Learning-rate sweep"
CAPTION = (
    "Short runs at each learning rate, on seeds that are used for nothing else. The star is the rate with the lowest validation loss, with which the loss was "
    "then trained. The others: how many times the star's is the relative Fisher divergence to what the loss learns, which had no say in the choice (≫: 100 or "
    "more); where that is not known, how much the validation loss is above the star's, with half of the 95 % interval. Darker is worse; a rate that was not "
    "tried is blank. (field): a network of the score, without an energy."
)
USES = {"loss": ("",)}
READS = ("tables/learning_rates.csv",)
SOURCE = ["target", "model", "loss"]
DARK = 5.0
"""Times the star's divergence that is drawn darkest."""


def draw(results: Results) -> Figure:
    """A panel a target, a row a source, a column a rate."""
    table = required(results.table("learning_rates"), "sweep of the learning rate")
    star = table["divergence"].where(table["chosen"]).groupby([table[column] for column in SOURCE]).transform("max")
    table = table.assign(ratio=(table["divergence"] / star).where(np.isfinite(table["mean"]), np.inf))
    table["text"] = [_text(row) for _, row in table.iterrows()]
    targets = list(table["target"].unique())
    deepest = int(table.groupby("target")[["model", "loss"]].apply(lambda sources: len(sources.drop_duplicates())).max())
    figure, axes = panels(len(targets), 3, 3.6, 0.235 * deepest + 0.75)
    for ax, target in zip(axes, targets, strict=True):
        here = table[table["target"] == target].set_index(["model", "loss", "learning_rate"])
        ratio, text = (here[column].unstack(sort=False).sort_index(axis=1) for column in ("ratio", "text"))
        shade = np.log(ratio.clip(1, DARK).fillna(1)) / np.log(DARK)
        ax.imshow(shade, cmap="Greys", vmin=0, vmax=2, aspect="auto")
        for (i, j), label in np.ndenumerate(text.fillna("").to_numpy()):
            ax.text(j, i, label, ha="center", va="center", fontsize=7, fontfamily="DejaVu Sans")
        ax.set_yticks(range(len(ratio)), [source_label(model, loss) for model, loss in ratio.index], fontsize=7.5)
        ax.set_xticks(range(ratio.shape[1]), [f"{rate:.2g}" for rate in ratio.columns], fontsize=7.5)
        ax.set_title(parse("target", target).label, fontsize=9)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    figure.supxlabel("learning rate", fontsize="medium")
    return figure


def _text(row: pd.Series) -> str:
    if row["chosen"]:
        return "★"
    if not np.isfinite(row["mean"]):
        return "diverged"
    if np.isfinite(row["ratio"]):
        return f"×{row['ratio']:.2g}" if row["ratio"] < 100 else "≫"
    return f"{row['above']:+.2g}±{(row['above_high'] - row['above_low']) / 2:.1g}"
