"""Trained energies beside the true ones."""

from contextlib import suppress

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.errors import NotApplicable
from scorebench.core.spec import parse
from scorebench.figures.base import names
from scorebench.report.choosing import competes
from scorebench.store.maps import of_source
from scorebench.store.results import Results

LABEL = "Energy surfaces: true and trained"
CAPTION = (
    "Energies from their lowest point up to 12, in contours of 1.5 (dark is low, where data is dense). Top: -log p. Bottom: the MLP "
    "energy with the smallest Fisher divergence, first seed, shifted to agree in the mean over the data. Where there is no data the "
    "trained surface is made up: between far modes and outside."
)
USES = {"model": ("mlp_energy",), "metric": ("relative_fisher_divergence",)}
READS = ("tables/losses.csv", "map/*.npz")
HIGHEST = 12.0


def draw(results: Results) -> Figure:
    """A column a target in the plane, true above trained."""
    table = results.table("losses")
    table = table[(table["metric"] == "relative_fisher_divergence") & table["mean"].notna() & (names(table, "model") == "mlp_energy")]
    table = table[table["loss"].map(competes).astype(bool)]
    best = table.loc[table.groupby("target", sort=False)["mean"].idxmin()]
    columns = []
    for target, model, loss in best[["target", "model", "loss"]].itertuples(index=False, name=None):
        with suppress(NotApplicable):
            columns.append(
                (parse("target", target), parse("loss", loss), of_source("log_prob", model, loss), results.maps(parse("target", target)))
            )
    if not columns:
        raise NotApplicable("no trained energy of a target in the plane has a Fisher divergence")
    figure, axes = plt.subplots(2, len(columns), figsize=(2.45 * len(columns) + 0.4, 5.1), squeeze=False)
    levels = np.arange(0, HIGHEST + 0.1, 1.5)
    for (above, below), (target, loss, source, maps) in zip(axes.T, columns, strict=True):
        true, trained = -maps["log_prob"], -maps[source]
        trained = trained + np.average(true - trained, weights=np.exp(-true))
        low = np.minimum(true, trained) < true.min() + HIGHEST
        limits = [axis[low.any(across)][[0, -1]] for axis, across in zip(maps["axes"], (1, 0), strict=True)]
        for ax, energy in ((above, true), (below, trained)):
            surface = (energy - true.min()).clip(0, HIGHEST).T
            filled = ax.contourf(*maps["axes"], surface, levels=levels, cmap="cividis")
            ax.contour(*maps["axes"], surface, levels=levels[1:-1], colors="white", linewidths=0.4)
            ax.set(aspect="equal", xlim=limits[0], ylim=limits[1], xticks=[], yticks=[])
        above.set_title(target.label)
        below.set_title(loss.label, fontsize="small")
    figure.colorbar(filled, ax=axes, shrink=0.6, label="energy above the lowest", ticks=[0, 3, 6, 9, 12])
    axes[0, 0].set_ylabel("true")
    axes[1, 0].set_ylabel("trained")
    return figure
