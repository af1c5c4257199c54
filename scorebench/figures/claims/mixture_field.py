"""The score of a mixture as a vector field, trajectories that follow it with noise, and where they end."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.figures.base import COLOURS, as_text, numbers
from scorebench.store.results import Results

LABEL = "The score of a mixture, and its trajectories"
CAPTION = (
    "Left: density (shading), score (arrows, length compressed) and five Langevin trajectories from one point (star) until t = 1 (squares); "
    "without noise all would take the dashed way to the right mode. Right: 36,000 of them end in both modes, with the law that the spectrum of "
    "the Fokker-Planck operator says (± one standard error)."
)
USES = {"claim": ("vector-field",)}


def draw(results: Results) -> Figure:
    """The plane, and the law of the first coordinate."""
    quantities, picture = numbers(results, "vector-field"), results.picture("vector-field")
    figure, (ax, right) = plt.subplots(1, 2, figsize=(11.0, 4.2), width_ratios=(1.45, 1))
    ax.imshow(np.sqrt(picture["density"]), origin="lower", extent=(-3.6, 3.6, -2.1, 2.1), cmap="Greys", vmax=1.1)
    score = picture["score"]
    arrows = score * (np.linalg.norm(score, axis=-1, keepdims=True) + 1e-9) ** -0.6
    ax.quiver(*picture["points"].T, *arrows.T, color="0.35", width=0.0028, scale=52)
    paths = picture["paths"]  # (time, chain, 2)
    for k, path in enumerate(paths.swapaxes(0, 1)):
        ax.plot(*path.T, color=COLOURS[k], lw=0.9)
        ax.plot(*path[-1], "s", color=COLOURS[k], mec="white", markersize=7, label="end" if k == 0 else None)
    ax.plot(*picture["noiseless"].T, color="black", lw=1.8, ls="--", label="without noise")
    ax.plot(*paths[0, 0], "*", color="black", mec="white", markersize=15, label="start")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", xlim=(-3.6, 3.6), ylim=(-2.1, 2.1))
    ax.legend(loc="lower center", ncols=3, frameon=True, framealpha=0.9, edgecolor="none")

    right.hist(
        picture["edges"][:-1], picture["edges"], weights=picture["heights"], histtype="stepfilled", color="0.8", label="36,000 chains"
    )
    right.plot(picture["x"], picture["law"], color=COLOURS[0], label="law at t = 1")
    right.axvline(0, color="0.5", lw=1, ls=":")
    share = as_text(quantities, str(picture["share_name"]))
    right.set(xlabel="$x_1$ at t = 1", ylabel="density", xlim=(-4, 4), ylim=(0, 0.85), title=f"share right of 0: {share}")
    right.legend(loc="upper left")
    return figure
