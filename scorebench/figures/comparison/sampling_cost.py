"""Samplers at equal gradients and at equal seconds, exact score."""

from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.figures.base import (
    across_seeds,
    around_zero,
    at_chosen_steps,
    band,
    decades,
    panels,
    sampler_label,
    seconds_a_gradient,
    some,
)
from scorebench.store.results import Results

LABEL = "Samplers at equal gradients and at equal seconds"
CAPTION = (
    "Distance of the chains' states to the target (squared MMD, small bandwidth, unbiased: zero is perfect), exact scores, T = 1, each "
    "sampler at the step size that is best after the whole budget: against gradients a chain (top) and against the seconds they take a "
    "chain (bottom). Grey: 95 % of exact draws are below. Means with 95 % intervals across the seeds that had no say in the step."
)
USES = {"sampler": ("",), "metric": ("mmd",)}
READS = ("metrics.csv", "tables/samplers.csv", "timings.csv")
METRIC = "mmd:fraction=0.2"


def draw(results: Results) -> Figure:
    """Three targets a line, gradients above seconds."""
    rows = at_chosen_steps(results)
    rows = rows[(rows["model"] == "") & (rows["temperature"] == 1) & (rows["metric"] == METRIC) & (rows["gradient_evaluations"] > 0)]
    targets = list(some(rows, "sampler on an exact score with a small-bandwidth MMD")["target"].drop_duplicates())
    order = list(dict.fromkeys(sampler_label(s) for s in rows["sampler"]))
    cost = seconds_a_gradient(results)
    columns = min(len(targets), 3)
    figure, axes = panels(2 * columns * -(-len(targets) // columns), columns, 3.2, 2.3)
    for number, target in enumerate(targets):
        place = 2 * columns * (number // columns) + number % columns
        above, below = axes[place], axes[place + columns]
        here = rows[rows["target"] == target]
        floor = here["floor_q95"].iloc[0]
        for sampler in here["sampler"].drop_duplicates():
            of = across_seeds(here[here["sampler"] == sampler], ["gradient_evaluations"])
            index = order.index(sampler_label(sampler))
            band(above, of["gradient_evaluations"], of, index, sampler_label(sampler))
            rate = cost["sample", f"{parse('target', target).slug}/{parse('sampler', sampler).slug}", ""]
            band(below, of["gradient_evaluations"].astype(float) * rate * 1e6, of, index, None)
        for ax in (above, below):
            ax.axhspan(-floor, floor, color="0.9", lw=0, zorder=0)
            around_zero(ax, "y", floor)
            ax.set(xscale="log", ylabel="MMD²")
            decades(ax.xaxis)
        above.set(title=parse("target", target).label, xlabel="gradients a chain")
        below.set_xlabel("microseconds a chain")
    for ax in axes:
        if not ax.has_data():
            ax.remove()
    handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    return figure
