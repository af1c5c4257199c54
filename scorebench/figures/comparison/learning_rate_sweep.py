"""The learning rates that were swept, alike for every loss, and which one each loss took."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.figures.base import some, source_label
from scorebench.store.results import Results

LABEL = "Learning-rate sweep"
CAPTION = (
    "Each loss on validation data after a short run at each learning rate, on seeds that are used for nothing else: how many per cent "
    "above its best rate. The star is the rate that the loss was then trained with; darker is worse, ≫ is more than 1000 %."
)
USES = {"loss": ("",)}
READS = ("tables/learning_rates.csv",)


def draw(results: Results) -> Figure:
    """A panel a target, a row a source, a column a rate."""
    table = some(results.table("learning_rates"), "sweep of the learning rate")
    targets = list(table["target"].drop_duplicates())
    columns = min(len(targets), 3)
    deep = max(len(table[table["target"] == t][["model", "loss"]].drop_duplicates()) for t in targets)
    lines = -(-len(targets) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(3.2 * columns, lines * (0.235 * deep + 0.75)), squeeze=False)
    for ax in axes.flat[len(targets) :]:
        ax.remove()
    for ax, target in zip(axes.flat, targets, strict=False):
        of = table[table["target"] == target]
        names = of[["model", "loss"]].drop_duplicates().to_numpy().tolist()
        rates = sorted(of["learning_rate"].unique())
        for i, (model, loss) in enumerate(names):
            here = of[(of["model"] == model) & (of["loss"] == loss)].set_index("learning_rate")
            best = here[here["chosen"]].iloc[0]
            for j, rate in enumerate(rates):
                row = here.loc[rate]
                above = (row["mean"] - best["mean"]) / abs(best["mean"]) * 100
                text = "★" if row["chosen"] else "diverged" if not np.isfinite(above) else _percent(above)
                shade = 1.0 if row["chosen"] else 1 - 0.5 * min(above, 100) / 100 if np.isfinite(above) else 0.4
                ax.add_patch(plt.Rectangle((j - 0.5, i - 0.5), 1, 1, color=str(shade), lw=0))
                ax.text(j, i, text, ha="center", va="center", fontsize=7.5, fontfamily="DejaVu Sans")
        labels = [source_label(model, loss) for model, loss in names]
        ax.set_yticks(range(len(names)), labels, fontsize=7.5)
        ax.set_xticks(range(len(rates)), [f"{r:g}" for r in rates], fontsize=7.5)
        ax.set(xlim=(-0.5, len(rates) - 0.5), ylim=(len(names) - 0.5, -0.5))
        ax.set_title(parse("target", target).label, fontsize=9)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    figure.supxlabel("learning rate", fontsize="medium")
    return figure


def _percent(above: float) -> str:
    return "≫" if above > 1_000 else f"+{above:.0f} %" if above >= 10 else f"+{above:.1g} %" if above >= 0.1 else "< 0.1 %"
