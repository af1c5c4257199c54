"""Annealed Langevin against plain Langevin on far modes, exact score."""

import numpy as np
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.figures.base import (
    COLOURS,
    MARKERS,
    at_chosen_steps,
    decades,
    interval,
    last_states,
    legend_below,
    lines,
    marginal,
    names,
    required,
)
from scorebench.report.choosing import floor, is_ok
from scorebench.store.results import Results

LABEL = "Annealed against plain Langevin on far modes"
CAPTION = (
    "Exact scores, T = 1, at each sampler's best step. Left: how wrongly the mass is split between the modes, against gradients: MALA and ULA "
    "mend little of the split they start from, annealing brings it close as the noise comes down to the distance of the modes. Middle: the shape within the "
    "modes at the end, of none told from that of exact draws, though a step of .1 makes ULA's modes 12 % too wide in theory. Right: the first coordinate of "
    "all chains beside the exact law. Below the grey band's edge are 95 % of such means of exact draws. Means with 95 % intervals across the seeds that had "
    "no say in the step."
)
USES = {"sampler": ("annealed",), "target": ("gaussian_mixture",), "metric": ("mode_weight_error",)}
READS = (
    "metrics.csv", "tables/samplers.csv", "map/gaussian_mixture*.npz",
    "sample/gaussian_mixture*/ula.npz", "sample/gaussian_mixture*/mala.npz", "sample/gaussian_mixture*/annealed*.npz",
)  # fmt: skip
SAMPLERS = ("ula", "mala", "annealed")


def draw(results: Results) -> Figure:
    """Three panels on the first mixture that is annealed."""
    rows = at_chosen_steps(results)
    known = names(rows, "sampler").isin(SAMPLERS) & (names(rows, "target") == "gaussian_mixture")
    rows = rows[known & (rows["model"] == "") & (rows["temperature"] == 1)]
    annealed = (names(rows, "sampler") == "annealed") & (rows["metric"] == "mode_weight_error")
    target = required(rows[annealed], "annealed Langevin on the exact score of far modes")["target"].iloc[0]
    rows = rows[rows["target"] == target]
    samplers = list(rows["sampler"].unique())
    colours, markers = COLOURS[: len(samplers)], list(MARKERS[: len(samplers)])
    weights = rows[rows["metric"] == "mode_weight_error"]
    shape = rows[(rows["metric"] == "within_mode_sliced_w2") & (rows["steps"] == rows.groupby("sampler")["steps"].transform("max"))]

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 3.5), width_ratios=(1.15, 0.7, 1.15))
    lines(left, weights, "gradient_evaluations", "sampler", samplers)
    look = {
        "order": samplers,
        "hue_order": samplers,
        "palette": colours,
        "markers": markers,
        "markersize": 5,
        "err_kws": {"linewidth": 1.2},
    }
    ends = shape[is_ok(shape)]
    if len(ends):
        sns.pointplot(ends, x="sampler", y="value", hue="sampler", errorbar=interval, capsize=0.15, legend=False, ax=middle, **look)
    for ax, measured in ((left, weights), (middle, shape)):
        edge = floor(measured)
        ax.axhspan(0, edge, color="0.9", lw=0, zorder=0)
        ax.text(0.02, edge / 2, "as exact draws", transform=ax.get_yaxis_transform(), va="center", color="0.35", fontsize=9)
        ax.set_ylim(0)
    left.set(xscale="log", xlabel="gradient evaluations", ylabel="mode-weight error")
    decades(left.xaxis)
    middle.set(ylabel="within-mode sliced $W_2$", xlim=(-0.5, len(samplers) - 0.5), xticks=[], xlabel="at the end")

    x, density = marginal(results.maps(parse("target", target)))
    edges = np.linspace(-4, 4, 41)
    steps = rows.groupby("sampler")["step_size"].first()
    for i, sampler in enumerate(samplers):
        states = last_states(results, target, sampler, steps[sampler], 1.0)[..., 0]
        heights = np.histogram(states, edges, density=True)[0]
        right.stairs(heights, edges, color=COLOURS[i], lw=1.2, ls=("-", "--", "-.", ":")[i % 4])
    right.plot(x, density, color="black", lw=1.6, label="exact law", zorder=0)
    right.set(xlabel="$x_1$", ylabel="density", title=parse("target", target).label, xlim=(edges[0], edges[-1]))
    right.legend(loc="upper left")
    legend_below(figure, [left], len(samplers), lambda name: parse("sampler", name).label)
    return figure
