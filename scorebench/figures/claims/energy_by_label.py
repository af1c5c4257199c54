"""The energy of a digit with each of the ten labels: lowest at the right one."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.claims.energy_and_score.energy_classifier import LEADING
from scorebench.claims.lib.joint import LABELS, held_out
from scorebench.figures.base import COLOURS, numbers
from scorebench.store.results import Results

LABEL = "Energy by label"
CAPTION = (
    "A joint energy E(x, y) of an image and a label, trained on scikit-learn's digits. Left: four digits that it has not seen and their "
    "energies with each label, above the lowest; the square marks the lowest, which is the answer; a cross, if it is wrong. Right: the mean over all "
    "digits, each by a network that had not seen it, by their true label."
)
NEEDS = {"claim": "energy-classifier"}


def draw(results: Results) -> Figure:
    """Four examples, and the mean by label."""
    found = numbers(results, "energy-classifier")
    x, energies, label = (t.numpy() for t in held_out(results.claim("energy-classifier")["seed"]))
    above = energies - energies.min(1, keepdims=True)
    figure = plt.figure(figsize=(10.5, 4.3))
    grid = figure.add_gridspec(4, 3, width_ratios=(0.28, 1, 1.5))
    for row, digit in enumerate((0, 3, 5, 8)):
        k = int(np.flatnonzero(label == digit)[0])
        ax = figure.add_subplot(grid[row, 0])
        ax.imshow(x[k].reshape(8, 8), cmap="Greys")
        ax.set(xticks=[], yticks=[])
        ax.set_ylabel(f"a {digit}", rotation=0, ha="right", va="center")
        ax = figure.add_subplot(grid[row, 1])
        ax.bar(range(LABELS), above[k], color="0.75", width=0.7)
        right = above[k].argmin() == digit
        ax.plot(
            above[k].argmin(),
            0,
            "s" if right else "X",
            color=COLOURS[2 if right else 3],
            markersize=9,
            mec="white",
            clip_on=False,
            zorder=5,
        )
        ax.set(xticks=range(LABELS), ylim=(0, None))
        if row < 3:
            ax.set_xticklabels([])
        if row == 0:
            ax.set_title("energy above the lowest")
    ax.set_xlabel("label $y$")
    ax = figure.add_subplot(grid[:, 2])
    mean = np.stack([above[label == k].mean(0) for k in range(LABELS)])
    image = ax.imshow(mean, cmap="viridis_r")
    ax.set(xticks=range(LABELS), yticks=range(LABELS), xlabel="label $y$", ylabel="true label")
    ax.set_title(f"the right label is lowest for {found['measured'][LEADING]:.1%} ± {found['standard_error'][LEADING]:.1%}")
    figure.colorbar(image, ax=ax, shrink=0.85, label="mean energy above the lowest")
    return figure
