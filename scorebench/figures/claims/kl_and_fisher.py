"""KL falls along Langevin dynamics, at the rate of the Fisher divergence."""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.figures.base import COLOURS, measured, numbers
from scorebench.store.results import Results

LABEL = "KL falls at the rate of the Fisher divergence"
CAPTION = (
    "From N(5, .1) towards N(0, 1) (left) and from N(0, 1) towards two modes (right): KL to the end (solid) and the Fisher divergence (dashed),"
    " in closed form or by the spectrum. Points: minus the slope of KL, measured by the finite-volume solver; they lie on the Fisher "
    "divergence, which is a rate, not another KL. On the right they are at t = 0 and .1 only."
)
USES = {"claim": ("fisher-kl-link",)}


def draw(results: Results) -> Figure:
    """A panel each start."""
    quantities, picture = numbers(results, "fisher-kl-link"), results.picture("fisher-kl-link")
    figure, axes = plt.subplots(1, 2, figsize=(11.0, 4.0))
    for ax, end, title in zip(axes, ("standard", "modes"), picture["titles"], strict=True):
        times = picture[f"{end}_times"]
        ax.plot(times, picture[f"{end}_kl"], color=COLOURS[0], lw=1.8, label="$D_{KL}(q_t, p)$ (nat)")
        ax.plot(times, picture[f"{end}_fisher"], color=COLOURS[1], lw=1.8, ls="--", label="Fisher divergence $F(q_t, p)$")
        at = picture[f"{end}_measured_times"].clip(times[0]).tolist()
        measured(ax, at, quantities.loc[picture[f"{end}_names"]], 1, "$-dD_{KL}/dt$, measured")
        ax.set(yscale="log", xlabel="time $t$", title=title)
    axes[0].set_ylabel("nat, or nat per unit of time")
    axes[0].legend(loc="upper right")
    return figure
