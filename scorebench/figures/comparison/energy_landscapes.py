"""Trained energies beside the true ones."""

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from scorebench.core.errors import NotApplicable
from scorebench.core.spec import Spec, parse
from scorebench.engine.sources import Source, read
from scorebench.store.results import Results
from scorebench.suite.jobs import Train

LABEL = "Energy surfaces: true and trained"
CAPTION = (
    "Energies from their lowest point up to 12, in contours of 1.5 (dark is low, where data is dense). Top: -log p. Bottom: the MLP "
    "energy with the smallest Fisher divergence, first seed, shifted to agree in the mean over the data. Where there is no data the "
    "trained surface is made up: between far modes and outside."
)
USES = {"model": ("mlp_energy",), "metric": ("fisher_divergence",)}
READS = ("tables/losses.csv", "measure/*.npz")
NODES, HIGHEST = 121, 12.0


def draw(results: Results) -> Figure:
    """A column a target in the plane, true above trained."""
    table = results.table("losses")
    table = table[(table["metric"] == "fisher_divergence") & table["mean"].notna()]
    divergence = dict(zip(zip(table["target"], table["model"], table["loss"], strict=True), table["mean"], strict=True))
    best: dict[str, tuple[float, Train, Spec]] = {}
    for train in results.plan.trains.values():
        for loss in train.losses:
            key = (str(train.target), str(train.model), str(loss))
            given = "target.score" in loss.entry.facts.get("NEEDS", ())
            if train.model.name == "mlp_energy" and not given and key in divergence:
                found = (divergence[key], train, loss)
                best[key[0]] = min(best.get(key[0], found), found, key=lambda f: f[0])
    if not best:
        raise NotApplicable("no trained energy has a Fisher divergence")
    figure, axes = plt.subplots(2, len(best), figsize=(2.45 * len(best) + 0.4, 5.1), squeeze=False)
    for (above, below), (name, (_, train, loss)) in zip(axes.T, best.items(), strict=True):
        target = parse("target", name).build()
        low, high = target.reference.amin(0) - 0.4, target.reference.amax(0) + 0.4
        x, y = (torch.linspace(float(a), float(b), NODES) for a, b in zip(low, high, strict=True))
        points = torch.cartesian_prod(x, y)
        source = [s for s in read(results.folder / "train" / f"{train.id}.npz", train, target) if s.loss == loss][-1]
        true = -target.log_prob(points)
        data = target.reference[:2_000]
        shift = (_energy(source, data, train.experiment.seeds) + target.log_prob(data)).mean()
        for ax, energy in ((above, true), (below, _energy(source, points, train.experiment.seeds) - shift)):
            surface = (energy - true.min()).clamp(0, HIGHEST).reshape(NODES, NODES).T
            levels = torch.arange(0, HIGHEST + 0.1, 1.5)
            filled = ax.contourf(x, y, surface, levels=levels, cmap="cividis")
            ax.contour(x, y, surface, levels=levels[1:-1], colors="white", linewidths=0.4)
            ax.set_aspect("equal")
            ax.set_xticks([])
            ax.set_yticks([])
        above.set_title(train.target.label)
        below.set_title(loss.label, fontsize="small")
    figure.colorbar(filled, ax=axes, shrink=0.6, label="energy above the lowest", ticks=[0, 3, 6, 9, 12])
    axes[0, 0].set_ylabel("true")
    axes[1, 0].set_ylabel("trained")
    return figure


def _energy(source: Source, x: Tensor, seeds: int) -> Tensor:
    return -source.density.score_and_log_prob(x.expand(seeds, 1, -1, 2))[1][0, 0].detach()
