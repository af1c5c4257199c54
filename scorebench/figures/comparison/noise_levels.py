r"""Denoising's noise level: what it blurs on purpose against what it has to learn.

A perfect denoiser at sigma has E_p |grad log p_sigma - grad log p|^2 over E_p |grad log p|^2 to the target: the line. What a trained one has more, at small
sigma, is the variance of its regression targets, of order 1/sigma^2.
"""

from contextlib import suppress

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import gmean

from scorebench.core.errors import NotApplicable
from scorebench.core.schema import Status
from scorebench.core.spec import parse
from scorebench.figures.base import COLOURS, legend_below, lines, names, panels, required
from scorebench.report.choosing import at_end, is_ok
from scorebench.store.results import Results

LABEL = "Denoising at each noise level"
CAPTION = (
    "Relative Fisher divergence of energies trained by denoising at several noise levels σ, lower is better: a large σ blurs (the line is a perfect "
    "denoiser), a small one is harder to learn: to what it learns, the noised density, the divergence falls as σ grows. To the target a σ inside those tried "
    "is best on the Gaussian with κ = 100 and on 8 modes, elsewhere the smallest tried. Dotted: variance-reduced sliced score matching, which needs no σ. "
    "Means across seeds with 95 % intervals."
)
USES = {"loss": ("denoising",), "metric": ("relative_fisher_divergence",)}
READS = ("metrics.csv", "map/*.npz")
METRICS = {"relative_fisher_divergence": "to the target", "relative_fisher_divergence:to=fixed_point": "to what it learns"}


def draw(results: Results) -> Figure:
    """A panel a target whose score is known."""
    rows = results.metrics
    rows = at_end(rows[rows["metric"].isin(METRICS) & (rows["sampler"] == "")])
    rows = rows[rows["status"] != Status.NOT_APPLICABLE]
    denoising = rows[(names(rows, "loss") == "denoising") & (rows["model"] == rows.groupby("target")["model"].transform("first"))]
    targets = list(required(denoising, "denoising on a target with a known score")["target"].unique())
    figure, axes = panels(len(targets), 3, 3.2, 2.75)
    for ax, target in zip(axes, targets, strict=True):
        here = denoising[denoising["target"] == target]
        levels = np.sort(here["sigma"].unique())
        ax.set(xscale="log", yscale="log")
        lines(ax, here, "sigma", "metric", list(METRICS))
        with suppress(NotApplicable):
            maps = results.maps(parse("target", target))
            ax.plot(maps["sigma"], maps["blur"], color="0.3", lw=1.4, label="a perfect denoiser, to the target", zorder=0)
        sliced = rows[
            (rows["target"] == target) & (rows["loss"] == "sliced_vr") & (rows["metric"] == "relative_fisher_divergence") & is_ok(rows)
        ]
        if len(sliced):
            ax.axhline(gmean(sliced["value"]), color=COLOURS[2], lw=1.4, ls=":", label="sliced, variance reduced")
        ax.set_xticks(levels, [f"{sigma:g}" for sigma in levels])
        ax.minorticks_off()
        ax.set(xlabel="noise level σ", ylabel="relative Fisher divergence", title=parse("target", target).label)
    legend_below(figure, axes, 2, lambda label: METRICS.get(label, label))
    return figure
