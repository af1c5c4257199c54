"""The score as a vector field on two far modes, true and trained, with Langevin trajectories."""

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core import rng
from scorebench.core.errors import NotApplicable
from scorebench.engine.loop import grid
from scorebench.engine.loop import run as run_sampler
from scorebench.engine.sources import read
from scorebench.figures.base import COLOURS
from scorebench.samplers.base import Density, exact_density
from scorebench.samplers.ula import GRADIENTS, ULA
from scorebench.store.results import Results

LABEL = "Score fields and trajectories"
CAPTION = (
    "Density (shading), score (arrows, length compressed) and four Langevin trajectories (c = .01, 200 steps, same random numbers) on two far "
    "modes. Left: exact. Right: an MLP energy trained by score matching; it errs where there was no data, between and outside the modes."
)
USES = {"target": ("gaussian_mixture",), "model": ("mlp_energy",)}
READS = ("tables/losses.csv", "measure/*.npz", "sample/gaussian_mixture*/ula.npz")
STARTS = torch.tensor([[-0.4, 2.6], [0.4, -2.6], [3.4, 1.6], [-3.4, -1.6]])


def draw(results: Results) -> Figure:
    """Two panels: the exact score and the first seed of the energy with the smallest Fisher divergence."""
    table = results.table("losses")
    trains = [t for t in results.plan.trains.values() if t.target.name == "gaussian_mixture" and t.model.name == "mlp_energy"]
    # The explicit loss is given the true score: no news in its field.
    trains = [t for t in trains if t.target == trains[0].target and "target.score" not in t.loss.entry.facts.get("NEEDS", ())]
    rows = table[(table["metric"] == "fisher_divergence") & table["mean"].notna()].set_index(["target", "model", "loss"])["mean"]
    found = {(str(t.target), str(t.model), str(loss)): (loss, t) for t in trains for loss in t.losses}
    ranked = sorted(found.keys() & set(rows.index), key=lambda key: rows[key])
    if not ranked:
        raise NotApplicable("no trained energy on two far modes has a Fisher divergence")
    best, train = found[ranked[0]]
    target = train.target.build()
    source = [s for s in read(results.folder / "train" / f"{train.id}.npz", train, target) if s.loss == best][-1]
    seeds = train.experiment.seeds

    axis = torch.linspace(-4, 4, 161)
    points = torch.cartesian_prod(axis, axis)  # (161 * 161, 2)
    sparse = torch.cartesian_prod(axis[::10], axis[::10])
    panels: list[tuple[str, Density, int]] = [
        ("exact", exact_density(target), 1),
        (f"{train.model.label}, {source.loss.label}", source.density, seeds),
    ]
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 4.2), sharex=True, sharey=True)
    for ax, (title, density, stacked) in zip(axes, panels, strict=True):
        log_p = density.score_and_log_prob(points.expand(stacked, 1, -1, 2))[1][0, 0].detach()
        p = (log_p - log_p.max()).exp().reshape(161, 161).T
        ax.imshow(p.sqrt(), origin="lower", extent=(-4, 4, -4, 4), cmap="Greys", vmax=1.6)
        s = density.score(sparse.expand(stacked, 1, -1, 2))[0, 0].detach()
        s = s * (s.norm(dim=-1, keepdim=True) + 1e-9) ** -0.6
        ax.quiver(*sparse.T, *s.T, color="0.35", width=0.0032, scale=48)
        sampler = ULA(*grid([0.01], [1.0]))
        start = STARTS.expand(stacked, -1, -1)
        path = [start[0]]
        streams = [rng.generator("score_field") for _ in range(stacked)]
        for _ in range(200):
            start = run_sampler(sampler, density, start, [1], streams, GRADIENTS).samples[-1, :, 0]
            path.append(start[0])
        for i, line in enumerate(torch.stack(path, 1)):
            ax.plot(*line.T, color=COLOURS[i], lw=0.9)
            ax.plot(*line[0], "o", color=COLOURS[i], mec="white", markersize=6)
            ax.plot(*line[-1], "s", color=COLOURS[i], mec="white", markersize=6)
        ax.set(title=title, xlabel="$x_1$", aspect="equal", xlim=(-4, 4), ylim=(-4, 4))
    axes[0].set_ylabel("$x_2$")
    axes[0].plot([], [], "o", color="0.3", label="start")
    axes[0].plot([], [], "s", color="0.3", label="end")
    axes[0].legend(loc="upper right", ncols=2, frameon=True, framealpha=0.9, edgecolor="none")
    return figure
