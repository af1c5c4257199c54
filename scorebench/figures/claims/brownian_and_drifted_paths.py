"""Paths with the drift alone, with the diffusion alone and with both."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.figures.base import COLOURS, numbers
from scorebench.store.results import Results

LABEL = "Brownian and drifted paths"
CAPTION = (
    "Twelve paths of dx = -x dt + sqrt(2) σ dW, σ = 1/2, from x = 4. With the drift alone they are one curve to 0; with the diffusion alone "
    "(Brownian motion) they spread for ever; with both they settle into N(0, 1/4). Bands: mean and two standard deviations in closed form; bars: those "
    "measured on 100,000 chains."
)
USES = {"claim": ("drift-diffusion",)}
TITLES = ("drift alone: $dx = -x\\,dt$", "diffusion alone: $dx = \\sqrt{2}\\,\\sigma\\,dW$", "both")


def draw(results: Results) -> Figure:
    """Three panels."""
    measured, picture = numbers(results, "drift-diffusion")["measured"], results.picture("drift-diffusion")
    times = picture["times"]
    figure, axes = plt.subplots(1, 3, figsize=(11.0, 3.6), sharey=True)
    for k, (ax, title) in enumerate(zip(axes, TITLES, strict=True)):
        for i, path in enumerate(picture["paths"][k]):
            ax.plot(times, path, color=COLOURS[i % 10], lw=0.7, alpha=0.85)
        middle, spread = picture["mean"][k], 2 * np.sqrt(picture["variance"][k])
        ax.fill_between(times, middle - spread, middle + spread, color="0.85", zorder=0, label="mean ± 2 sd, closed form")
        ax.plot(times, middle, color="black", lw=1.4, ls="--")
        means, variances = measured[picture["mean_names"][k]], measured[picture["variance_names"][k]]
        ax.errorbar(
            picture["measured_times"], means, 2 * np.sqrt(variances.clip(lower=0)),
            fmt="D", color="black", mec="white", capsize=5, lw=1.8, zorder=5, label="measured",
        )  # fmt: skip
        ax.axhline(0, color="0.7", lw=0.8, zorder=0)
        ax.set(title=title, xlabel="time $t$", xlim=(0, times[-1]))
    axes[0].set_ylabel("$x$")
    axes[0].legend(loc="lower left")
    return figure
