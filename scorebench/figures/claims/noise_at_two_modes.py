"""What the noise does between two modes: it decides where the flow cannot, and does not cross between far modes."""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.figures.base import COLOURS, measured, numbers
from scorebench.store.results import Results

LABEL = "With noise and without, at two modes"
CAPTION = (
    "Modes at -2 and 2. Left: without noise x = 0 stays for ever and .1 and .2 always go right. Middle: with noise, paths from the same points "
    "choose either mode and keep its width. Right: the share that is right of 0 at t = 1, by the start; the flow without noise is a step. From "
    "-2 hardly a chain crosses in 10 units of time (± one standard error): noise spreads within a mode, not between far modes."
)
USES = {"claim": ("noise-prevents-collapse",)}


def draw(results: Results) -> Figure:
    """Paths without noise, with noise, and shares."""
    quantities, picture = numbers(results, "noise-prevents-collapse"), results.picture("noise-prevents-collapse")
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12.0, 3.9))
    middle.sharey(left)
    for ax, paths, lw in ((left, picture["noiseless"], 2.2), (middle, picture["noisy"], 0.7)):
        for i, start in enumerate(picture["starts"]):
            for k, path in enumerate(paths[i]):
                label = f"from {start:g}" if k == 0 else None
                ax.plot(picture["times"], path, lw=lw, label=label, color=COLOURS[i], ls=("-", "--", "-.")[i])
    for ax, title in ((left, "without noise"), (middle, "with noise")):
        ax.axhline(0, color="0.6", lw=0.8, ls=":", zorder=0)
        ax.set(title=title, xlabel="time $t$", ylim=(-3.6, 3.6))
    left.set_ylabel("$x$")
    left.legend(loc="lower left")

    right.plot(picture["x"], picture["share"], color="black", lw=1.6, label="with noise, predicted")
    right.plot([-1, 0, 0, 1], [0, 0, 1, 1], color="0.5", lw=1.6, ls="--", label="without noise")
    for i, (start, name) in enumerate(zip(picture["starts"], picture["share_names"], strict=True)):
        measured(right, [start], quantities.loc[[name]], i, f"from {start:g}")
    right.set(xlabel="start $x_0$", ylabel="share right of 0 at $t = 1$", xlim=(-1, 1), xticks=[-1, -0.5, 0, 0.5, 1])
    share, error = (float(quantities[column][str(picture["crossed_name"])]) for column in ("measured", "standard_error"))
    crossed = f"{share:.4f} ± {error:.4f},\npredicted {float(picture['crossed_share']):.4f}"
    right.text(-0.97, 0.72, f"from -2 instead, at $t = 10$:\n{crossed}", fontsize=9)
    right.legend(loc="lower right", fontsize=8.5, bbox_to_anchor=(1.0, 0.08))
    return figure
