"""The Gibbs law exp(-V/T) at three temperatures: in x, and as a straight line in V."""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.figures.base import COLOURS, MARKERS, as_text, numbers
from scorebench.store.results import Results

LABEL = "The Gibbs law at three temperatures"
CAPTION = (
    "V = -log p of two normal laws. Left: 60,000 Langevin chains at each temperature (steps) fill exp(-V/T)/Z (lines): cold chains sit in the "
    "wells, hot ones cross. Right: the same counts, as log density against V, lie on lines of slope -1/T; bars are two standard errors, ± is one."
)
USES = {"claim": ("boltzmann-steady-state",)}


def draw(results: Results) -> Figure:
    """Densities, and their logarithms in V."""
    quantities, picture = numbers(results, "boltzmann-steady-state"), results.picture("boltzmann-steady-state")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 4.2))
    x, edges = picture["x"], picture["edges"]
    for k, (t, square) in enumerate(zip(picture["temperatures"], picture["square_names"], strict=True)):
        look = {"color": COLOURS[k], "ls": ("-", "--", "-.")[k], "lw": 1.8}
        left.stairs(picture["histograms"][k], edges, fill=True, color=COLOURS[k], alpha=0.3)
        left.plot(x, picture["densities"][k], label=f"$T = {t:g}$: $E\\,x^2$ {as_text(quantities, square)}", **look)
        right.errorbar(
            picture["potential"], picture["scaled"][k], picture["errors"][k], fmt=MARKERS[k], color=COLOURS[k], markersize=4, lw=1
        )
        right.plot(picture["line_potential"][k], picture["line"][k], label=f"$e^{{-V/T}}$, $T = {t:g}$", **look)
    left.set(xlabel="$x$", ylabel="density", xlim=(edges[0], edges[-1]), ylim=(0, 0.5))
    left.legend(loc="upper center", fontsize=9)
    right.set(xlabel="potential $V(x)$", ylabel="$Z\\,q(x)$ (log scale)", yscale="log", ylim=(1.5e-3, 2), xlim=(-0.2, 9))
    right.legend(loc="upper right")
    return figure
