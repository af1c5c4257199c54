"""The score of a mixture as a vector field, trajectories that follow it with noise, and where they end."""

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.claims.energy_and_score.vector_field import HALF_WIDTH, LEADING, NODES, START, STEP_SIZE, VARIANCE, T
from scorebench.claims.lib.langevin import langevin
from scorebench.claims.lib.spectral import potential_of, spectrum
from scorebench.core import rng
from scorebench.figures.base import COLOURS, numbers, told
from scorebench.store.results import Results
from scorebench.targets.gaussian_mixture import gaussian_mixture

LABEL = "The score of a mixture, and its trajectories"
CAPTION = (
    "Left: density (shading), score (arrows, length compressed) and five Langevin trajectories from one point (star) until t = 1 (squares); "
    "without noise all would take the dashed way to the right mode. Right: 10,000 of them end in both modes, with the law that the spectrum of "
    "the Fokker-Planck operator says (± one standard error)."
)
NEEDS = {"claim": "vector-field"}


def draw(results: Results) -> Figure:
    """The plane, and the law of the first coordinate."""
    found = numbers(results, "vector-field")
    target = gaussian_mixture(radius=2.0, std=VARIANCE**0.5)
    figure, (ax, right) = plt.subplots(1, 2, figsize=(11.0, 4.2), width_ratios=(1.45, 1))
    x, y = torch.linspace(-3.6, 3.6, 241), torch.linspace(-2.1, 2.1, 141)
    p = target.log_prob(torch.cartesian_prod(x, y)).exp().reshape(241, 141).T
    ax.imshow(p.sqrt().numpy(), origin="lower", extent=(-3.6, 3.6, -2.1, 2.1), cmap="Greys", vmax=1.1)
    points = torch.cartesian_prod(x[5::12], y[5::12])
    s = target.score(points)
    s = s * (s.norm(dim=-1, keepdim=True) + 1e-9) ** -0.6
    ax.quiver(*points.T, *s.T, color="0.35", width=0.0028, scale=52)
    times = [k * 10 * STEP_SIZE for k in range(1, 101)]
    start = torch.tensor([START])
    noisy = langevin(target, start.expand(5, 2), STEP_SIZE, times, rng.generator("mixture_field"))
    (still,) = langevin(target, start, STEP_SIZE, times, rng.generator("mixture_field"), 0.0).unbind(1)
    for k, path in enumerate(torch.cat([start.expand(1, 5, 2), noisy]).unbind(1)):
        ax.plot(*path.T, color=COLOURS[k], lw=0.9)
        ax.plot(*path[-1], "s", color=COLOURS[k], mec="white", markersize=7, label="end" if k == 0 else None)
    ax.plot(*torch.cat([start, still]).T, color="black", lw=1.8, ls="--", label="without noise")
    ax.plot(*START, "*", color="black", mec="white", markersize=15, label="start")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", xlim=(-3.6, 3.6), ylim=(-2.1, 2.1))
    ax.legend(loc="lower center", ncols=3, frameon=True, framealpha=0.9, edgecolor="none")

    (ends,) = langevin(target, start.expand(10_000, 2), STEP_SIZE, (T,), rng.generator("mixture_field", "ends"))
    right.hist(ends[:, 0].numpy(), bins=80, range=(-4, 4), density=True, histtype="stepfilled", color="0.8", label="10,000 chains")
    exact = spectrum(*potential_of((0.5, -2.0, VARIANCE), (0.5, 2.0, VARIANCE)), 1.0, HALF_WIDTH, NODES)
    point = np.zeros(NODES)
    point[np.abs(exact.nodes - START[0]).argmin()] = 1 / (exact.nodes[1] - exact.nodes[0])
    right.plot(exact.nodes, exact.laws(point, [T])[0], color=COLOURS[0], label="law at t = 1")
    right.axvline(0, color="0.5", lw=1, ls=":")
    right.set(xlabel="$x_1$ at t = 1", ylabel="density", xlim=(-4, 4), ylim=(0, 0.85), title=f"share right of 0: {told(found, LEADING)}")
    right.legend(loc="upper left")
    return figure
