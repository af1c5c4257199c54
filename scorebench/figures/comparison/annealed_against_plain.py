"""Annealed Langevin against plain Langevin on far modes, exact score."""

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.figures.base import COLOURS, MARKERS, across_seeds, at_chosen_steps, band, decades, sampler_label, some
from scorebench.store import artifacts
from scorebench.store.results import Results

LABEL = "Annealed against plain Langevin on far modes"
CAPTION = (
    "Exact scores, T = 1, at each sampler's best step. Left: how wrongly the mass is split between the modes, against gradients: MALA keeps the "
    "split it starts from, ULA mends it slowly, by a step so large that the modes come out too wide (middle), annealing brings it close as the noise comes "
    "down to the distance of the modes and keeps the shape. Middle: the shape within the modes at the end. Right: the first coordinate of all "
    "chains beside the exact law. Below the grey band's edge are 95 % of exact draws. Means with 95 % intervals across the seeds that had no say "
    "in the step."
)
USES = {"sampler": ("annealed",), "target": ("gaussian_mixture",), "metric": ("mode_weight_error",)}
READS = ("metrics.csv", "tables/samplers.csv", "sample/*/annealed*.npz", "sample/*/ula.npz", "sample/*/mala.npz", "measure/*.npz")


def draw(results: Results) -> Figure:
    """Three panels on the first target that is annealed."""
    rows = at_chosen_steps(results)
    rows = rows[(rows["model"] == "") & (rows["temperature"] == 1) & (rows["gradient_evaluations"] > 0)]
    target = some(rows[rows["sampler"].str.startswith("annealed")], "annealed Langevin on an exact score")["target"].iloc[0]
    rows = rows[rows["target"] == target]
    samplers = list(rows["sampler"].drop_duplicates())
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 3.5), width_ratios=(1.15, 0.7, 1.15))
    shape = rows[(rows["metric"] == "within_mode_sliced_w2") & (rows["steps"] == rows["steps"].max())]
    for i, sampler in enumerate(samplers):
        weights = rows[(rows["sampler"] == sampler) & (rows["metric"] == "mode_weight_error")]
        of = across_seeds(weights, ["gradient_evaluations"])
        band(left, of["gradient_evaluations"], of, i, sampler_label(sampler))
        end = across_seeds(shape[shape["sampler"] == sampler], ["target"])
        middle.errorbar(
            i, end["mean"], np.abs(end[["low", "high"]].to_numpy().T - end["mean"].to_numpy()), fmt=MARKERS[i], color=COLOURS[i], capsize=3
        )
    for ax, metric in ((left, "mode_weight_error"), (middle, "within_mode_sliced_w2")):
        floor = rows.loc[rows["metric"] == metric, "floor_q95"].iloc[0]
        ax.axhspan(0, floor, color="0.9", lw=0, zorder=0)
        ax.text(0.02, floor / 2, "as exact draws", transform=ax.get_yaxis_transform(), va="center", color="0.35", fontsize=9)
        ax.set_ylim(0)
    left.set(xscale="log", xlabel="gradient evaluations", ylabel="mode-weight error")
    decades(left.xaxis)
    middle.set(ylabel="within-mode sliced $W_2$", xlim=(-0.5, len(samplers) - 0.5), xticks=[], xlabel="at the end")
    edges = np.linspace(-4, 4, 41)
    for i, sampler in enumerate(samplers):
        arrays, meta = artifacts.read_arrays(
            results.folder / "sample" / f"{parse('target', target).slug}/{parse('sampler', sampler).slug}.npz"
        )
        block = next(b for b in meta["blocks"] if b["model"] == "")
        step = rows.loc[rows["sampler"] == sampler, "step_size"].iloc[0]
        cell = [(c, t) for c in block["step_sizes"] for t in block["temperatures"]].index((step, 1.0))
        x = arrays[f"{meta['blocks'].index(block)}/samples"][-1, :, cell, :, 0].ravel()
        right.stairs(np.histogram(x, edges, density=True)[0], edges, color=COLOURS[i], lw=1.2, ls=("-", "--", "-.", ":")[i % 4])
    exact = parse("target", target).build()
    grid = torch.linspace(-4, 4, 401)
    density = exact.log_prob(torch.cartesian_prod(grid, grid)).exp().reshape(401, 401).sum(1) * float(grid[1] - grid[0])
    right.plot(grid, density, color="black", lw=1.6, label="exact law", zorder=0)
    right.set(xlabel="$x_1$", ylabel="density", title=parse("target", target).label)
    right.legend(loc="upper left")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(samplers))
    return figure
