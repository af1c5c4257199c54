"""The score as a vector field on two far modes, true and trained, with Langevin trajectories."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.errors import NotApplicable
from scorebench.core.spec import parse
from scorebench.figures.base import COLOURS, names, required
from scorebench.report.choosing import competes
from scorebench.store.maps import of_source
from scorebench.store.results import Results

LABEL = "Score fields and trajectories"
CAPTION = (
    "Score (arrows, length compressed) and four Langevin chains of the first seed, two to either side, over the last states that were kept (at most 200), on "
    "two far modes. Left: exact, on the density. Right: an MLP energy trained by score matching, sampled at the same step, on the error of its score, which "
    "is large where there was no data, between and outside the modes."
)
USES = {"target": ("gaussian_mixture",), "model": ("mlp_energy",)}
READS = ("tables/losses.csv", "map/gaussian_mixture*.npz", "sample/gaussian_mixture*/ula.npz")
EVERY = 10
"""Nodes of the map from arrow to arrow."""


def draw(results: Results) -> Figure:
    """Two panels: the exact score and the first seed of the energy with the smallest Fisher divergence."""
    table = results.table("losses")
    known = (names(table, "target") == "gaussian_mixture") & (names(table, "model") == "mlp_energy")
    table = table[known & (table["metric"] == "relative_fisher_divergence")]
    # The explicit loss is given the true score: no news in its field.
    table = table[table["mean"].notna() & table["loss"].map(competes).astype(bool)]
    table = required(table, "trained energy on far modes with a Fisher divergence")
    best = table[table["target"] == table["target"].iloc[0]].nsmallest(1, "mean").iloc[0]
    target, model, loss = parse("target", best["target"]), best["model"], best["loss"]
    maps = results.maps(target)
    runs = [(run, arrays) for run, arrays in results.samples(target, parse("sampler", "ula")) if arrays]
    exact, trained = ([(run, arrays) for run, arrays in runs if (run.model, run.loss) == source] for source in (("", ""), (model, loss)))
    pairs = [
        (cell, left, right) for left in exact for right in trained for cell in left[0].cells if cell in right[0].cells and cell[1] == 1
    ]
    if not pairs:
        raise NotApplicable(f"{model} {loss} was not sampled by ULA at T = 1 and a step at which the exact score was")
    cell, *chains = min(pairs, key=lambda pair: pair[0])

    inside = maps["log_prob"] > maps["log_prob"].max() + np.log(1e-10)
    limits = [axis[inside.any(across)][[0, -1]] for axis, across in zip(maps["axes"], (1, 0), strict=True)]
    name = f"{parse('model', model).label}, {parse('loss', loss).label}"
    height = 4.0 * np.ptp(limits[1]) / np.ptp(limits[0]) + 0.8
    figure, axes = plt.subplots(1, 2, figsize=(9.4, height), sharex=True, sharey=True)
    density = np.exp(0.5 * (maps["log_prob"] - maps["log_prob"].max()))
    error = np.linalg.norm(maps[of_source("score", model, loss)] - maps["score"], axis=-1)
    for ax, title, shade, (run, arrays) in zip(axes, ("exact", name), (density, error), chains, strict=True):
        image = ax.pcolormesh(*maps["axes"], shade.T, cmap="Greys", vmin=0, vmax=1.6 * shade[inside].max(), rasterized=True)
        score = maps[of_source("score", run.model, run.loss)][::EVERY, ::EVERY]
        arrows = score * (np.linalg.norm(score, axis=-1, keepdims=True) + 1e-9) ** -0.6
        ax.quiver(*maps["axes"][:, ::EVERY], *arrows.T, color="0.35", width=0.0032, scale=48)
        paths = arrays["trace"][0, run.cells.index(cell)]  # (chain, draw, 2)
        for i, path in enumerate(paths[np.argsort(paths[:, -1, 0])[[0, 1, -2, -1]]]):
            ax.plot(*path.T, color=COLOURS[i], lw=0.7)
            ax.plot(*path[0], "o", color=COLOURS[i], mec="white", markersize=6)
            ax.plot(*path[-1], "s", color=COLOURS[i], mec="white", markersize=6)
        ax.set(title=f"{title}, $c$ = {cell[0]:g}", xlabel="$x_1$", aspect="equal", xlim=limits[0], ylim=limits[1])
    axes[0].set_ylabel("$x_2$")
    figure.colorbar(image, ax=axes[1], shrink=0.75, label=r"$|s_\theta - s|$").ax.set_ylim(0, error[inside].max())
    axes[0].plot([], [], "o", color="0.3", label="first")
    axes[0].plot([], [], "s", color="0.3", label="last")
    axes[0].legend(loc="upper right", ncols=2, frameon=True, framealpha=0.9, edgecolor="none")
    return figure
