"""The density of Langevin dynamics over time in a double well: finite volumes, particles and the exact law."""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from scorebench.figures.base import COLOURS, as_text, numbers
from scorebench.store.results import Results

LABEL = "The Fokker-Planck equation in a double well"
CAPTION = (
    "V = (x² - 1)², T = 1, all mass near x = 1 at first. Left: the density by finite volumes, with three particles. Right: at four times the "
    "solver lies on the exact law (spectrum of the operator, ten digits) and 100,000 particles fill it; the other well is found at the rate of "
    "the spectral gap."
)
USES = {"claim": ("fokker-planck",)}


def draw(results: Results) -> Figure:
    """A map of density over time, and four times."""
    quantities, picture = numbers(results, "fokker-planck"), results.picture("fokker-planck")
    x = picture["x"]
    figure = plt.figure(figsize=(11.0, 5.0), layout=ConstrainedLayoutEngine(w_pad=0.1))
    ax = plt.subplot2grid((2, 4), (0, 0), rowspan=2, colspan=2, fig=figure)
    extent = (0.0, float(picture["end"]), float(x[0]), float(x[-1]))
    image = ax.imshow(picture["density"].T, origin="lower", aspect="auto", extent=extent, cmap="Blues", vmax=1.0)
    figure.colorbar(image, ax=ax, label="$q(x, t)$, capped at 1", shrink=0.9)
    for path, colour in zip(picture["paths"], (1, 2, 7), strict=True):
        ax.plot(picture["path_times"], path, color=COLOURS[colour], lw=0.9)
    gap = as_text(quantities, str(picture["gap_name"]), 4)
    ax.set(xlabel="time $t$", ylabel="$x$", ylim=(-2.1, 2.1), title=f"spectral gap by the grid: {gap}")

    edges = picture["edges"]
    for k, t in enumerate(picture["times"]):
        ax = plt.subplot2grid((2, 4), (k // 2, 2 + k % 2), fig=figure)
        ax.stairs(picture["histograms"][k], edges, fill=True, color="0.82", label="particles")
        ax.plot(x, picture["by_grid"][k], color=COLOURS[0], lw=3.2, alpha=0.55, label="finite volumes")
        ax.plot(picture["nodes"], picture["exact"][k], color="black", lw=1.2, ls="--", label="exact")
        ax.set(title=f"$t = {t:g}$", xlim=(edges[0], edges[-1]), ylim=(0, None))
        if k >= 2:
            ax.set_xlabel("$x$")
        if k == 1:
            ax.legend(loc="upper left", fontsize=8)
    return figure
