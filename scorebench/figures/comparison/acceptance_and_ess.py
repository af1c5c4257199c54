"""MALA's acceptance and effective sample size against the step size, exact score."""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.schema import Status
from scorebench.core.spec import parse
from scorebench.figures.base import decades, legend_below, lines, mark_lost, required
from scorebench.store.results import Results

LABEL = "Acceptance and effective sample size"
CAPTION = (
    "MALA on exact scores: acceptance falls with the step size. The effective sample size of the trace (independent "
    "draws: 1,600) peaks in between, where it is known: steps at which the chains of a seed had not mixed (R-hat above 1.05) are left out, since a size would "
    "rest on a handful of chains, and the Gaussian with κ = 1 alone had mixed at any. Means across seeds with 95 % intervals."
)
USES = {"sampler": ("mala",), "metric": ("ess",)}
READS = ("metrics.csv",)
INDEPENDENT = 1_600
"""Draws in a trace: eight chains, 200 draws each."""


def draw(results: Results) -> Figure:
    """Two panels over the step size, a colour a target; of a cell that has no value on some seed no point."""
    rows = results.metrics
    rows = rows[(rows["sampler"] == "mala") & (rows["model"] == "") & (rows["temperature"] == 1)]
    without = rows["status"] == Status.NOT_APPLICABLE
    lacking = without.groupby([rows["target"], rows["metric"], rows["step_size"]]).transform("any")
    rows = required(rows[~lacking], "MALA on an exact score at T = 1")
    targets = list(rows["target"].unique())
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4))
    panels = (("acceptance", "mean acceptance probability", "linear"), ("ess", "effective sample size", "log"))
    for ax, (metric, label, scale) in zip(axes, panels, strict=True):
        ax.set(xscale="log", yscale=scale)
        here = rows[rows["metric"] == metric]
        lines(ax, here, "step_size", "target", targets)
        mark_lost(ax, here, "step_size", "target", targets, 0.0)
        ax.set(xlabel="step size $c$", ylabel=label)
    axes[0].set_ylim(0, 1.04)
    axes[1].axhline(INDEPENDENT, color="0.5", lw=1, ls="--")
    axes[1].text(0.02, 1.08 * INDEPENDENT, "independent draws", transform=axes[1].get_yaxis_transform(), color="0.4")
    axes[1].set_ylim(top=2 * INDEPENDENT)
    for axis in (axes[1].xaxis, axes[1].yaxis):
        decades(axis)
    legend_below(figure, axes, 3, lambda target: parse("target", target).label)
    return figure
