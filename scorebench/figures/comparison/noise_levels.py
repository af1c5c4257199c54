r"""Denoising's noise level: what it blurs on purpose against what it has to learn.

A perfect denoiser at sigma has the Fisher divergence E_p |grad log p_sigma - grad log p|^2 to the target: the line, from 20,000 exact draws. What a
trained one has more, at small sigma, is the variance of its regression targets, of order 1/sigma^2.
"""

import numpy as np
from matplotlib.figure import Figure

from scorebench.core import rng
from scorebench.core.spec import parse
from scorebench.figures.base import COLOURS, across_seeds, band, panels, some
from scorebench.store.results import Results

LABEL = "Denoising at each noise level"
CAPTION = (
    "Fisher divergence of energies trained by denoising at several noise levels σ, lower is better: to the target it has a minimum, since "
    "a large σ blurs (the line is a perfect denoiser) and a small one is hard to learn; to what it learns, the noised density, it only "
    "falls. Dotted: variance-reduced sliced score matching, which needs no σ. Means across seeds with 95 % intervals."
)
USES = {"loss": ("denoising",), "metric": ("fisher_divergence",)}
READS = ("metrics.csv",)


def draw(results: Results) -> Figure:
    """A panel a target whose score is known."""
    rows = results.metrics
    last = rows.groupby("target")["train_steps"].transform("max")
    rows = rows[rows["metric"].str.startswith("fisher_divergence") & (rows["sampler"] == "") & (rows["train_steps"] == last)]
    rows = rows[~rows["status"].str.startswith("not_applicable")]
    ours = rows[rows["loss"].str.startswith("denoising:") & (rows["model"] == rows.groupby("target")["model"].transform("first"))]
    targets = list(some(ours, "denoising on a target with a known score")["target"].drop_duplicates())
    figure, axes = panels(len(targets), 3, 3.2, 2.75)
    for ax, name in zip(axes, targets, strict=True):
        for i, (metric, label) in enumerate(
            (("fisher_divergence", "to the target"), ("fisher_divergence:to=fixed_point", "to what it learns"))
        ):
            of = across_seeds(ours[(ours["target"] == name) & (ours["metric"] == metric)], ["sigma"], log=True)
            band(ax, of["sigma"], of, i, label)
        target = parse("target", name).build()
        x = target.sample(20_000, rng.generator("noise_levels"))
        sigmas = np.geomspace(of["sigma"].min() / 1.3, of["sigma"].max() * 1.3, 25)
        blur = [float((target.perturbed(float(s)).score(x) - target.score(x)).square().sum(-1).mean()) for s in sigmas]
        ax.plot(sigmas, blur, color="0.3", lw=1.4, label="a perfect denoiser, to the target", zorder=0)
        sliced = rows[(rows["target"] == name) & (rows["loss"] == "sliced_vr") & (rows["metric"] == "fisher_divergence")]
        if len(sliced):
            ax.axhline(
                across_seeds(sliced, ["target"], log=True)["mean"].iloc[0],
                color=COLOURS[2],
                lw=1.4,
                ls=":",
                label="sliced, variance reduced",
            )
        ax.set(xscale="log", yscale="log", title=parse("target", name).label)
        levels = list(of["sigma"])
        ax.set_xticks(levels, [f"{s:g}" for s in levels])
        ax.minorticks_off()
        ax.set(xlabel="noise level σ", ylabel="Fisher divergence")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
