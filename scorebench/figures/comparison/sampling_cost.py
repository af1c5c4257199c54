"""Samplers at equal gradients and at equal seconds, exact score."""

from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.figures.base import (
    around_zero,
    at_chosen_steps,
    decades,
    legend_below,
    lines,
    panels,
    required,
    seconds_a_gradient,
)
from scorebench.report.choosing import floor
from scorebench.store.results import Results

LABEL = "Samplers at equal gradients and at equal seconds"
CAPTION = (
    "Distance of the chains' states to the target (squared MMD, small bandwidth, unbiased: zero is perfect), exact scores, T = 1, each "
    "sampler at the step size that is best after the whole budget: against gradients a chain (top) and against the seconds they take a "
    "chain (bottom). Grey: 95 % of such means of exact draws are below. Means with 95 % intervals across the seeds that had no say in the step."
)
USES = {"sampler": ("",), "metric": ("mmd",)}
READS = ("metrics.csv", "tables/samplers.csv", "timings.csv")
METRIC = "mmd:fraction=0.2"


def draw(results: Results) -> Figure:
    """Three targets a line, gradients above seconds."""
    rows = at_chosen_steps(results)
    rows = rows[(rows["model"] == "") & (rows["temperature"] == 1) & (rows["metric"] == METRIC) & (rows["gradient_evaluations"] > 0)]
    rows = required(rows, "sampler on an exact score with a small-bandwidth MMD")
    cost = seconds_a_gradient(results)
    target_slug, sampler_slug = (rows[kind].map(lambda text, kind=kind: parse(kind, text).slug) for kind in ("target", "sampler"))
    seconds = (target_slug + "/" + sampler_slug).map(lambda job: cost["sample", job, ""])
    # Two samplers that differ in their noise levels alone, made for two targets, are one to the eye.
    labels = rows["sampler"].map(lambda name: parse("sampler", name).label)
    each = rows.assign(label=labels).drop_duplicates(["target", "sampler"])
    alike = set(each.loc[each.duplicated(["target", "label"]), "label"])  # on one target they are two
    labels = labels.mask(labels.isin(alike), rows["sampler"])
    rows = rows.assign(microseconds=1e6 * rows["gradient_evaluations"].astype(float) * seconds, label=labels)
    targets, order = list(rows["target"].unique()), list(rows["label"].unique())
    columns = min(len(targets), 3)
    figure, axes = panels(2 * columns * -(-len(targets) // columns), columns, 3.2, 2.3)
    for number, target in enumerate(targets):
        place = 2 * columns * (number // columns) + number % columns
        above, below = axes[place], axes[place + columns]
        here = rows[rows["target"] == target]
        edge = floor(here)
        for ax, x in ((above, "gradient_evaluations"), (below, "microseconds")):
            lines(ax, here, x, "label", order)
            ax.axhspan(-edge, edge, color="0.9", lw=0, zorder=0)
            around_zero(ax, "y", edge)
            ax.set(xscale="log", ylabel="MMD²")
            decades(ax.xaxis)
        above.set(title=parse("target", target).label, xlabel="gradients a chain")
        below.set_xlabel("microseconds a chain")
    drawn = [ax for ax in axes if ax.has_data()]
    for ax in axes:
        if ax not in drawn:
            ax.remove()
    legend_below(figure, drawn, 4)
    return figure
