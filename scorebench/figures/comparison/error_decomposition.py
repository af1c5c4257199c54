"""How much of a trained sampler's error is the loss's, and how much the sampler's."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.figures.base import COLOURS, around_zero, legend_below, required, source_label
from scorebench.report.decomposition import by_first_metric
from scorebench.store.results import Results

LABEL = "Error decomposed"
CAPTION = (
    "What ranks the samples, to the target: by how much means over a panel of functions are off, in standard deviations. Circles: the trained "
    "source's own law, by quadrature: the loss's part. Squares: the trained source with the sampler; the line between them is what the sampler adds. "
    "Triangles: the same sampler on the exact score. Grey: 95 % of such means of exact draws are below, as many as a "
    "trained source has chains. The axis is linear near 0 and logarithmic beyond. On the Gaussians the sampler was not run on the exact score; a field, which "
    "has no energy, has no row for parallel tempering, which needs one. Means with 95 % intervals across the seeds that had no say in the step."
)
USES = {"metric": ("panel_bias", "law_error"), "model": ("",)}
READS = ("tables/decomposition.csv", "tables/samplers.csv")
LOOKS = (
    ("loss", "o", "trained source alone", 0.18),
    ("total", "s", "trained source with the sampler", -0.18),
    ("sampler_exact", "^", "exact score with the sampler", 0.0),
)
LINEAR = 4
"""Floors up to which an axis is linear."""


def draw(results: Results) -> Figure:
    """A panel a target with a row for each loss and sampler."""
    table = required(results.table("decomposition"), "source that was sampled, and of which the own law is known")
    table = by_first_metric(table)
    targets = list(table["target"].unique())
    pairs = {t: table[table["target"] == t][["sampler", "model", "loss"]].drop_duplicates().to_numpy().tolist() for t in targets}
    columns = 2 if len(targets) > 1 else 1
    lines = -(-len(targets) // columns)
    heights = [len(pairs[t]) for t in targets]
    deepest = [max(heights[i * columns : (i + 1) * columns]) for i in range(lines)]
    size = (4.9 * columns, 0.235 * sum(deepest) + 0.75 * lines + 0.5)
    figure, axes = plt.subplots(lines, columns, figsize=size, squeeze=False, height_ratios=deepest)
    for ax in axes.flat[len(targets) :]:
        ax.remove()
    samplers = results.table("samplers")
    for ax, target in zip(axes.flat, targets, strict=False):
        parts = table[table["target"] == target].set_index(["sampler", "model", "loss", "part"])
        metric = parts["metric"].iloc[0]
        trained = samplers[(samplers["target"] == target) & (samplers["metric"] == metric) & (samplers["model"] != "")]
        floor = trained["floor_q95"].dropna().iloc[0]
        for i, (sampler, model, loss) in enumerate(pairs[target]):
            source, together = (parts.loc[(sampler, model, loss, part), "mean"] for part in ("loss", "total"))
            ax.plot([source, together], [i + 0.18, i - 0.18], color="0.45", lw=1.6, zorder=1)
            for j, (part, marker, label, shift) in enumerate(LOOKS):
                row = parts.loc[(sampler, model, loss, part)]
                ends = np.abs(row[["low", "high"]].to_numpy(float) - row["mean"])[:, None]
                look = {"fmt": marker, "color": COLOURS[j], "mfc": "white" if part == "sampler_exact" else COLOURS[j]}
                ax.errorbar(row["mean"], i + shift, xerr=ends, markersize=4.5, capsize=1.5, lw=1, label=None if i else label, **look)
        around_zero(ax, LINEAR * floor)
        ax.set_xlim(ax.get_xlim())
        ax.axvspan(ax.get_xlim()[0], floor, color="0.9", lw=0, zorder=0)
        names = [f"{source_label(model, loss)} | {parse('sampler', s).label.replace(' Langevin', '')}" for s, model, loss in pairs[target]]
        ax.set_yticks(range(len(names)), names, fontsize=7.5)
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.set(title=parse("target", target).label, xlabel=parse("metric", metric).label)
        ax.grid(axis="y", color="0.94", lw=0.8)
    legend_below(figure, list(axes.flat[: len(targets)]), 3 if columns > 1 else 1)
    return figure
