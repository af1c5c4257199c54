r"""Denoising's noise level: what it blurs on purpose against what it has to learn.

A perfect denoiser at sigma has the Fisher divergence E_p |grad log p_sigma - grad log p|^2 to the target: the line, by quadrature on the target's
map. What a trained one has more, at small sigma, is the variance of its regression targets, of order 1/sigma^2.
"""

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import gmean

from scorebench.core.errors import NotApplicable
from scorebench.core.schema import Status
from scorebench.core.spec import parse
from scorebench.figures.base import COLOURS, legend_below, lines, panels, required
from scorebench.report.choosing import is_ok
from scorebench.store.results import Results

LABEL = "Denoising at each noise level"
CAPTION = (
    "Fisher divergence of energies trained by denoising at several noise levels σ, lower is better: to the target it has a minimum, since "
    "a large σ blurs (the line is a perfect denoiser) and a small one is hard to learn; to what it learns, the noised density, it only "
    "falls. Dotted: variance-reduced sliced score matching, which needs no σ. Means across seeds with 95 % intervals."
)
USES = {"loss": ("denoising",), "metric": ("fisher_divergence",)}
READS = ("metrics.csv", "measure/*.npz")
METRICS = {"fisher_divergence": "to the target", "fisher_divergence:to=fixed_point": "to what it learns"}


def draw(results: Results) -> Figure:
    """A panel a target whose score is known."""
    rows = results.metrics
    last = rows.groupby("target")["train_steps"].transform("max")
    rows = rows[rows["metric"].isin(METRICS) & (rows["sampler"] == "") & (rows["train_steps"] == last)]
    rows = rows[rows["status"] != Status.NOT_APPLICABLE]
    denoising = rows[rows["loss"].str.startswith("denoising:") & (rows["model"] == rows.groupby("target")["model"].transform("first"))]
    targets = list(required(denoising, "denoising on a target with a known score")["target"].unique())
    figure, axes = panels(len(targets), 3, 3.2, 2.75)
    for ax, target in zip(axes, targets, strict=True):
        here = denoising[denoising["target"] == target]
        levels = np.sort(here["sigma"].unique())
        ax.set(xscale="log", yscale="log")
        lines(ax, here, "sigma", "metric", list(METRICS))
        with suppress(NotApplicable):
            sigmas = np.geomspace(levels[0] / 1.3, levels[-1] * 1.3, 13)
            blur = _blur(results.maps(parse("target", target)), sigmas)
            ax.plot(sigmas, blur, color="0.3", lw=1.4, label="a perfect denoiser, to the target", zorder=0)
        sliced = rows[(rows["target"] == target) & (rows["loss"] == "sliced_vr") & (rows["metric"] == "fisher_divergence") & is_ok(rows)]
        if len(sliced):
            ax.axhline(gmean(sliced["value"]), color=COLOURS[2], lw=1.4, ls=":", label="sliced, variance reduced")
        ax.set_xticks(levels, [f"{sigma:g}" for sigma in levels])
        ax.minorticks_off()
        ax.set(xlabel="noise level σ", ylabel="Fisher divergence", title=parse("target", target).label)
    legend_below(figure, axes, 2, lambda label: METRICS.get(label, label))
    return figure


def _blur(maps: Mapping[str, np.ndarray], sigmas: np.ndarray) -> list[float]:
    """The divergence of a perfect denoiser: p_sigma and p_sigma grad log p_sigma are p and p grad log p, convolved."""
    p, score = np.exp(maps["log_prob"]), np.moveaxis(maps["score"], -1, 0)
    waves = np.fft.fft2(np.stack([p, *(p * score)]))
    x, y = (2 * np.pi * np.fft.fftfreq(len(axis), axis[1] - axis[0]) for axis in maps["axes"])
    seen = p > 1e-8 * p.max()
    divergences = []
    for sigma in sigmas:
        noised, *product = np.fft.ifft2(waves * np.exp(-0.5 * sigma**2 * (x[:, None] ** 2 + y**2))).real
        gap = sum((part[seen] / noised[seen] - exact[seen]) ** 2 for part, exact in zip(product, score, strict=True))
        divergences.append(float(np.average(gap, weights=p[seen])))
    return divergences
