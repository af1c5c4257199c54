"""The energy of a digit with each of the ten labels: lowest at the right one."""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.figures.base import COLOURS, numbers
from scorebench.store.results import Results

LABEL = "Energy by label"
CAPTION = (
    "A joint energy E(x, y) of an image and a label, trained on scikit-learn's digits. Left: four digits that it has not seen and their "
    "energies with each label, above the lowest; the square marks the lowest, which is the answer; a cross, if it is wrong. Right: the mean over all "
    "digits, each by a network that had not seen it, by their true label."
)
USES = {"claim": ("energy-classifier",)}


def draw(results: Results) -> Figure:
    """Four examples, and the mean by label."""
    quantities, picture = numbers(results, "energy-classifier"), results.picture("energy-classifier")
    labels = range(picture["mean_above"].shape[0])
    figure = plt.figure(figsize=(10.5, 4.3))
    grid = figure.add_gridspec(4, 3, width_ratios=(0.28, 1, 1.5))
    for row, (digit, pixels, above) in enumerate(zip(picture["digits"], picture["pixels"], picture["above"], strict=True)):
        ax = figure.add_subplot(grid[row, 0])
        ax.imshow(pixels, cmap="Greys")
        ax.set(xticks=[], yticks=[])
        ax.set_ylabel(f"a {digit}", rotation=0, ha="right", va="center")
        ax = figure.add_subplot(grid[row, 1])
        ax.bar(labels, above, color="0.75", width=0.7)
        lowest = above.argmin()
        marker, colour = ("s", COLOURS[2]) if lowest == digit else ("X", COLOURS[3])
        ax.plot(lowest, 0, marker, color=colour, markersize=9, mec="white", clip_on=False, zorder=5)
        ax.set(xticks=labels, ylim=(0, None))
        if row < 3:
            ax.set_xticklabels([])
        if row == 0:
            ax.set_title("energy above the lowest")
    ax.set_xlabel("label $y$")
    ax = figure.add_subplot(grid[:, 2])
    image = ax.imshow(picture["mean_above"], cmap="viridis_r")
    ax.set(xticks=labels, yticks=labels, xlabel="label $y$", ylabel="true label")
    share = quantities.loc[str(picture["share_name"])]
    ax.set_title(f"the right label is not the lowest for {share['measured']:.1%} ± {share['standard_error']:.1%} of the digits")
    figure.colorbar(image, ax=ax, shrink=0.85, label="mean energy above the lowest")
    return figure
