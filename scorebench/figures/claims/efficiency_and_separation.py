"""What score matching pays for separated modes, against maximum likelihood."""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.figures.base import COLOURS, measured, numbers
from scorebench.store.results import Results

LABEL = "Efficiency of score matching against separation"
CAPTION = (
    "The weight w of two modes at -a and a is estimated. Left: the density for three separations. Right: the variance of maximum likelihood "
    "over that of score matching: 1 would be no loss; at a = 3 score matching needs some 140 times the data. Curve: quadrature; points: "
    "measured."
)
USES = {"claim": ("sm-efficiency",)}


def draw(results: Results) -> Figure:
    """Densities, then the efficiency."""
    quantities, picture = numbers(results, "sm-efficiency"), results.picture("sm-efficiency")
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.0, 3.9))
    for k, (a, density) in enumerate(zip(picture["density_a"], picture["density"], strict=True)):
        left.plot(picture["x"], density, color=COLOURS[k], ls=("-", "--", "-.")[k], lw=1.8, label=f"$a = {a:g}$")
    left.set(xlabel="$x$", ylabel="$p(x)$", ylim=(0, 0.48))
    left.legend(loc="upper right")
    right.plot(picture["curve_a"], picture["curve_efficiency"], color="black", lw=1.6, label="quadrature")
    measured(right, picture["measured_a"].tolist(), quantities.loc[picture["measured_names"]], 3, "measured, 440,000 draws")
    right.axhline(1, color="0.5", lw=1, ls=":")
    right.set(yscale="log", xlabel="half separation $a$ (standard deviations)", ylabel="efficiency of score matching", ylim=(3e-3, 2))
    right.legend(loc="lower left")
    return figure
