"""Paths with the drift alone, with the diffusion alone and with both."""

import math

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.claims.dynamics.drift_diffusion import BOTH, DIFFUSION, DRIFT, START, STEP_SIZE, TIMES
from scorebench.claims.lib.langevin import langevin, normal, ou_law
from scorebench.core import rng
from scorebench.figures.base import COLOURS, numbers
from scorebench.samplers.base import Density
from scorebench.store.results import Results

LABEL = "Brownian and drifted paths"
CAPTION = (
    "Twelve paths of dx = -x dt + sqrt(2) dW from x = 2. With the drift alone they are one curve to 0; with the diffusion alone (Brownian "
    "motion) they spread for ever; with both they settle into N(0, 1). Bands: mean and two standard deviations in closed form; bars: those "
    "measured on 100,000 chains."
)
NEEDS = {"claim": "drift-diffusion"}
PATHS, END = 12, 2.2


def draw(results: Results) -> Figure:
    """Three panels."""
    found = numbers(results, "drift-diffusion")
    free = Density(score=torch.zeros_like)
    times = [2 * STEP_SIZE * k for k in range(1, round(END / STEP_SIZE / 2) + 1)]
    grid = torch.tensor([0.0, *times])
    figure, axes = plt.subplots(1, 3, figsize=(11.0, 3.6), sharey=True)
    for ax, what, title, temperature in zip(
        axes,
        (DRIFT, DIFFUSION, BOTH),
        ("drift alone: $dx = -x\\,dt$", "diffusion alone: $dx = \\sqrt{2}\\,dW$", "both"),
        (0.0, 1.0, 1.0),
        strict=True,
    ):
        start = torch.full((PATHS, 1), START)
        density = free if what == DIFFUSION else normal(0.0, 1.0)
        x = langevin(density, start, STEP_SIZE, times, rng.generator("paths", what), temperature)[..., 0]
        for k, path in enumerate(torch.cat([start.T, x]).T):
            ax.plot(grid, path, color=COLOURS[k % 10], lw=0.7, alpha=0.85)
        laws = [(START, 2 * float(t)) if what == DIFFUSION else ou_law(float(t), START, 0.0, temperature) for t in grid]
        middle, spread = torch.tensor([m for m, _ in laws]), 2 * torch.tensor([v for _, v in laws]).sqrt()
        ax.fill_between(grid, middle - spread, middle + spread, color="0.85", zorder=0, label="mean ± 2 sd, closed form")
        ax.plot(grid, middle, color="black", lw=1.4, ls="--")
        rows = [found.loc[[f"{m} of {what} at t = {t:g}, T = {temperature:g}" for m in ("mean", "variance")], "measured"] for t in TIMES]
        ax.errorbar(
            TIMES, [r.iloc[0] for r in rows], [2 * math.sqrt(max(r.iloc[1], 0.0)) for r in rows],
            fmt="D", color="black", mec="white", capsize=5, lw=1.8, zorder=5, label="measured",
        )  # fmt: skip
        ax.axhline(0, color="0.7", lw=0.8, zorder=0)
        ax.set(title=title, xlabel="time $t$", xlim=(0, END))
    axes[0].set_ylabel("$x$")
    axes[0].legend(loc="lower left")
    return figure
