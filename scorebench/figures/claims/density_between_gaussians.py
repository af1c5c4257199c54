"""The density q(x, t) of Langevin dynamics between N(0, 1) and N(5, .1), both ways."""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.figures.base import COLOURS, measured, numbers
from scorebench.store.results import Results

LABEL = "q(x, t) between two Gaussians"
CAPTION = (
    "Histograms: 20,000 Langevin chains; curves: the law in closed form. Towards N(0, 1) it takes units of time (left); towards the narrow N(5,"
    " .1) tenths, the clock runs ten times as fast (middle). Right: KL to the end falls along the closed form; points are measured on 280,000 "
    "chains."
)
USES = {"claim": ("two-gaussians",)}


def draw(results: Results) -> Figure:
    """A panel each way, and the divergence."""
    quantities, picture = numbers(results, "two-gaussians"), results.picture("two-gaussians")
    figure, (*axes, right) = plt.subplots(1, 3, figsize=(12.0, 3.9))
    for k, ax in enumerate(axes):
        x, start, end = picture["x"][k], picture["start"][k], picture["end"][k]
        for i, t in enumerate(picture["times"][k]):
            ax.stairs(picture["histograms"][k, i], picture["edges"][k], fill=True, color=COLOURS[i], alpha=0.3)
            ax.plot(x, picture["densities"][k, i], color=COLOURS[i], ls=("-", "--", "-.", ":")[i], lw=1.8, label=f"$t = {t:g}$")
        ax.set(title=f"from {start} towards {end}", xlabel="$x$", ylabel="$q(x, t)$", xlim=(x[0], x[-1]))
        ax.legend(loc="upper left")
        right.plot(picture["scaled_times"], picture["kl"][k], color=COLOURS[k], ls=("-", "--")[k], lw=1.6)
        measured(right, picture["kl_times"][k], quantities.loc[picture["kl_names"][k]], k, f"towards {end}")
    right.set(
        yscale="log", xlabel="time $t/s$, $s$ the variance of the end", ylabel="KL to the end (nat)", title="both fall like $e^{-2t/s}$"
    )
    right.legend(loc="upper right")
    return figure
