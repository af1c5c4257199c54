"""An energy surface, the density that it stands for, and what an energy tells: data lies low, other points high."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scorebench.figures.base import COLOURS, as_text, numbers
from scorebench.store.results import Results

LABEL = "Energy is low where data is dense"
CAPTION = (
    "Left: the energy E(x) = (x₁² - 1)² + x₂²/2, low where data is dense. Middle: the density exp(-E)/Z: valleys become hills. Right: "
    "energies of draws from N(0, 1) and of points spread evenly over [-4, 4]: a draw lies lower than such a point with the probability that is "
    "printed (AUROC ± one standard error), by the true energy and by one that was trained."
)
USES = {"claim": ("energy-low-on-data", "boltzmann-form")}


def draw(results: Results) -> Figure:
    """Two surfaces and two histograms."""
    quantities, _ = (numbers(results, claim) for claim in USES["claim"])
    histograms, surface = (results.picture(claim) for claim in USES["claim"])
    columns, rows = np.meshgrid(surface["x"], surface["y"], indexing="ij")
    figure = plt.figure(figsize=(12.0, 3.9))
    for place, heights, title, colours in (
        (131, surface["energy"], "energy $E(x)$", "viridis_r"),
        (132, surface["density"], r"density $p(x) = e^{-E(x)}/Z$", "viridis"),
    ):
        ax = figure.add_subplot(place, projection="3d")
        ax.plot_surface(columns, rows, heights, cmap=colours, rstride=2, cstride=2, lw=0.15, edgecolor="0.3")
        ax.view_init(elev=42, azim=-58)
        ax.set(title=title, xlabel="$x_1$", ylabel="$x_2$")
        ax.tick_params(labelsize=8, pad=0)
        ax.zaxis.set_major_locator(MaxNLocator(4))
        ax.set_box_aspect(None, zoom=0.92)
    ax = figure.add_subplot(133)
    edges = histograms["edges"]
    ax.stairs(histograms["data"], edges, fill=True, alpha=0.45, color=COLOURS[0], label="draws of $N(0, 1)$")
    ax.stairs(histograms["other"], edges, lw=1.8, ls="--", color=COLOURS[1], label="points spread over $[-4, 4]$")
    ax.set(xlabel="energy $x^2/2$", ylabel="density (log scale)", yscale="log", ylim=(3e-3, None), title="energy tells data from the rest")
    aurocs = zip(("true energy:", "trained:"), histograms["auroc_names"], strict=True)
    lines = "\n".join(f"{energy} {as_text(quantities, name)}" for energy, name in aurocs)
    ax.text(0.98, 0.76, f"AUROC\n{lines}", transform=ax.transAxes, ha="right", va="top", fontsize=9)
    ax.legend(loc="upper right")
    return figure
