"""The error of a trained score over the plane: small where data is, as large as the score itself between the modes."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from scorebench.figures.base import COLOURS, numbers
from scorebench.store.results import Results

LABEL = "Score matching where data is rare"
CAPTION = (
    "Mixture of .2 N((-5, -5), I) and .8 N((5, 5), I). Left: error of scores trained on 2,000 points (200 of them are dots), relative to the "
    "true score's size in the modes: dark where there is no data. Right: the same along the diagonal, for the first twenty of the claim's networks; "
    "the square of the claim (white on the left) and the density (its logarithm) are shaded."
)
USES = {"claim": ("low-density",)}


def draw(results: Results) -> Figure:
    """A map, and a cut."""
    quantities, picture = numbers(results, "low-density"), results.picture("low-density")
    half, edge = float(picture["half"]), float(picture["edge"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 4.4), width_ratios=(1, 1.15))
    image = left.imshow(picture["median"], origin="lower", extent=(-half, half, -half, half), cmap="viridis_r", norm=LogNorm(0.05, 10))
    figure.colorbar(image, ax=left, label="error of the score / its size in a mode", shrink=0.9, extend="both")
    left.plot(*picture["data"].T, ".", color=COLOURS[1], markersize=3, mec="black", mew=0.2)
    left.add_patch(plt.Rectangle((-edge, -edge), 2 * edge, 2 * edge, fill=False, ec="white", lw=2))
    left.set(xlabel="$x_1$", ylabel="$x_2$", title="median of twenty networks")

    line, density = picture["diagonal"], picture["density"]
    for k, errors in enumerate(picture["errors"]):
        right.plot(line, errors, color=COLOURS[0], lw=0.5, alpha=0.6, label="one network" if k == 0 else None)
    right.plot(line, picture["diagonal_median"], color="black", lw=2, label="median")
    right.axhline(1, color="0.4", ls=":", lw=1.2, label="as large as the score in a mode")
    right.fill_between(line, 0.01, 0.01 * np.maximum(1e3 * density / density.max(), 1.0), color="0.85", zorder=0, label="density")
    right.axvspan(-edge, edge, color=COLOURS[8], alpha=0.25, zorder=0, label="the square")
    right.set(yscale="log", xlabel="along the diagonal, $x_1 = x_2$", ylabel="error / size in a mode", ylim=(0.01, 300), xlim=(-half, half))
    networks = picture["networks"]
    learnt, wrong = networks * (1 - quantities["measured"][picture["missed_names"]])
    right.set_title(f"of {networks} networks {learnt:.0f} are right in the modes, {wrong:.0f} wrong in the square", fontsize=10)
    right.legend(loc="upper center", ncols=2, fontsize=9)
    return figure
