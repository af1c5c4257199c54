"""The weights of far modes: plain Langevin keeps those of its start, annealed Langevin finds the target's."""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.figures.base import COLOURS, numbers
from scorebench.store.results import Results

LABEL = "Weights of far modes, plain and annealed"
CAPTION = (
    "Two modes with weights .2 and .8; every chain starts evenly spread over the dashed square and has 1,000 steps. Plain Langevin leaves half "
    "of the chains in each, whatever the weights; annealed Langevin comes close to the right shares, not exactly. Right: shares as measured, on"
    " the predictions (rings) of the schemes' kernels."
)
USES = {"claim": ("mixing-weights",)}
SHARES = (
    "plain, weights .2 and .8",
    "plain, weights .5 and .5",
    "annealed, modes of\nvariance σ² at level σ",
    "annealed, modes of\nvariance 1 + σ² at level σ",
)


def draw(results: Results) -> Figure:
    """Chains three times, and the shares."""
    quantities, picture = numbers(results, "mixing-weights"), results.picture("mixing-weights")
    centre, edge = float(picture["centre"]), float(picture["edge"])
    figure, (*axes, right) = plt.subplots(1, 4, figsize=(13.0, 3.7), width_ratios=(1, 1, 1, 1.3))
    titles = ("exact draws", "plain Langevin", "annealed Langevin")
    for k, (ax, x, title) in enumerate(zip(axes, picture["points"], titles, strict=True)):
        ax.plot(*x.T, ".", color=COLOURS[k], markersize=2)
        ax.add_patch(plt.Rectangle((-edge, -edge), 2 * edge, 2 * edge, fill=False, ec="0.5", ls="--", lw=1))
        share = (x.sum(-1) > 0).mean()
        for place, value in ((-centre, 1 - share), (centre, share)):
            ax.text(place, place - 4.6 if place > 0 else place + 3.6, f"{value:.0%}", ha="center", fontsize=12, weight="bold")
        ax.set(title=title, xlabel="$x_1$", aspect="equal", xlim=(-10, 10), ylim=(-10, 10))
    axes[0].set_ylabel("$x_2$")
    for k, (name, weight) in enumerate(zip(picture["share_names"], picture["weights"], strict=True)):
        quantity = quantities.loc[[name]]
        right.plot(weight, k, "|", color="black", markersize=20, mew=2, label="target" if k == 0 else None)
        right.plot(quantity["predicted"], [k], "o", mfc="none", color="0.4", markersize=13, label="predicted" if k == 0 else None)
        right.errorbar(quantity["measured"], [k], xerr=2 * quantity["standard_error"], fmt="D", color=COLOURS[2 if k > 1 else 1], capsize=4)
    right.plot([], [], "D", color="0.3", label="measured")
    right.set(
        yticks=range(len(SHARES)),
        yticklabels=SHARES,
        xlabel="share in the mode at (5, 5)",
        xlim=(0.45, 0.85),
        ylim=(3.6, -0.6),
    )
    right.legend(loc="lower left", fontsize=9, markerscale=0.6)
    return figure
