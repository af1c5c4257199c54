"""An energy surface, the density that it stands for, and what an energy tells: data lies low, other points high."""

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scorebench.claims.energy_and_score.energy_low_on_data import EDGE, LEADING, TRAINED
from scorebench.core import rng
from scorebench.figures.base import COLOURS, numbers, told
from scorebench.store.results import Results
from scorebench.targets.double_well import double_well

LABEL = "Energy is low where data is dense"
CAPTION = (
    "Left: the energy E(x) = (x₁² - 1)² + x₂²/2, low where data is dense. Middle: the density exp(-E)/Z: valleys become hills. Right: "
    "energies of draws from N(0, 1) and of points spread evenly over [-4, 4]: a draw lies lower than such a point with the probability that is "
    "printed (AUROC ± one standard error), by the true energy and by one that was trained."
)
NEEDS = {"claim": ("energy-low-on-data", "boltzmann-form")}


def draw(results: Results) -> Figure:
    """Two surfaces and two histograms."""
    found = numbers(results, "energy-low-on-data")
    numbers(results, "boltzmann-form")
    target = double_well(dim=2)
    x, y = torch.linspace(-1.6, 1.6, 90), torch.linspace(-2.2, 2.2, 90)
    grid = torch.cartesian_prod(x, y)
    log_p = target.log_prob(grid).reshape(90, 90)
    figure = plt.figure(figsize=(12.0, 3.9))
    columns, rows = (c.numpy() for c in torch.meshgrid(x, y, indexing="ij"))
    for place, values, title, view, colours in (
        (131, log_p.max() - log_p, "energy $E(x)$", 42, "viridis_r"),
        (132, log_p.exp(), r"density $p(x) = e^{-E(x)}/Z$", 42, "viridis"),
    ):
        ax = figure.add_subplot(place, projection="3d")
        ax.plot_surface(columns, rows, values.numpy(), cmap=colours, rstride=2, cstride=2, lw=0.15, edgecolor="0.3")
        ax.view_init(elev=view, azim=-58)
        ax.set(title=title, xlabel="$x_1$", ylabel="$x_2$")
        ax.tick_params(labelsize=8, pad=0)
        ax.zaxis.set_major_locator(MaxNLocator(4))
        ax.set_box_aspect(None, zoom=0.92)
    ax = figure.add_subplot(133)
    stream = rng.generator("energy_surfaces")
    data = torch.randn(200_000, generator=stream)
    other = EDGE * (2 * torch.rand(200_000, generator=stream) - 1)
    bins = np.linspace(0, EDGE**2 / 2, 61).tolist()
    ax.hist(
        (data.square() / 2).numpy(), bins, density=True, histtype="stepfilled", alpha=0.45, color=COLOURS[0], label="draws of $N(0, 1)$"
    )
    ax.hist(
        (other.square() / 2).numpy(),
        bins,
        density=True,
        histtype="step",
        lw=1.8,
        ls="--",
        color=COLOURS[1],
        label="points spread over $[-4, 4]$",
    )
    ax.set(xlabel="energy $x^2/2$", ylabel="density (log scale)", yscale="log", ylim=(3e-3, None), title="energy tells data from the rest")
    said = "\n".join(f"{what} {told(found, name)}" for what, name in (("true energy:", LEADING), ("trained:", TRAINED)))
    ax.text(0.98, 0.76, f"AUROC\n{said}", transform=ax.transAxes, ha="right", va="top", fontsize=9)
    ax.legend(loc="upper right")
    return figure
