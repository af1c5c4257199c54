"""MALA's acceptance and efficiency against the dimension: the famous .574 is a limit."""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.figures.base import COLOURS, measured, numbers
from scorebench.store.results import Results

LABEL = "MALA's acceptance and efficiency against dimension"
CAPTION = (
    "Standard normals of dimension d, c = l² d^(-1/3)/2. Left: acceptance (curves: quadrature; points: measured) tends to its limit (dotted), "
    ".574 at l = 1.65, from above. Right: the efficiency at l = 2.2 over that at 1.65, a loss everywhere: by the squared jump distance, what a "
    "chain gains in fact, large steps cost less at small d than the limit says."
)
USES = {"claim": ("mala-optimal",)}


def draw(results: Results) -> Figure:
    """Acceptance, then efficiency."""
    quantities, picture = numbers(results, "mala-optimal"), results.picture("mala-optimal")
    dimensions, at = picture["dimensions"], picture["measured_dimensions"].tolist()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 4.0))
    rows = zip(*(picture[key] for key in ("scales", "acceptance", "acceptance_limits", "acceptance_names")), strict=True)
    for k, (scale, acceptance, limit, names) in enumerate(rows):
        left.plot(dimensions, acceptance, color=COLOURS[k], ls=("-", "--", "-.")[k], lw=1.6)
        left.axhline(limit, color=COLOURS[k], lw=1.2, ls=":")
        measured(left, at, quantities.loc[names], k, f"$l = {scale:g}$, limit {limit:.3f}")
    labels = ("$l^2 \\times$ acceptance", "squared jump distance")
    for k, (label, ratio, names) in enumerate(zip(labels, picture["ratios"], picture["ratio_names"], strict=True)):
        right.plot(dimensions, ratio, color=COLOURS[3 + k], ls=("-", "--")[k], lw=1.6)
        measured(right, at, quantities.loc[names], 3 + k, label)
    right.axhline(picture["ratio_limit"], color="black", lw=1.2, ls=":", label="limit of both")
    left.set(xscale="log", xlabel="dimension $d$", ylabel="acceptance", ylim=(0, 1))
    left.legend(loc="center right", bbox_to_anchor=(1.0, 0.74), fontsize=9)
    right.set(xscale="log", xlabel="dimension $d$", ylabel="efficiency at $l = 2.2$ / at $l = 1.65$")
    right.legend(loc="upper right")
    return figure
