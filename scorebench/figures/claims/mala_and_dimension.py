"""MALA's acceptance and efficiency against the dimension: the famous .574 is a limit."""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.claims.beyond.mala_optimal import BEST, CHAINS, EFFICIENCY, JUMP, LONG, SCALES, acceptance_at, finite, limit, ratio_of
from scorebench.figures.base import COLOURS, measured, numbers
from scorebench.store.results import Results

LABEL = "MALA's acceptance and efficiency against dimension"
CAPTION = (
    "Standard normals of dimension d, c = l² d^(-1/3)/2. Left: acceptance (curves: quadrature; points: measured) tends to its limit (dotted), "
    ".574 at l = 1.65, from above. Right: the efficiency at l = 2.2 over that at 1.65, a loss everywhere: by the squared jump distance, what a "
    "chain gains in fact, large steps cost less at small d than the limit says."
)
NEEDS = {"claim": "mala-optimal"}
DIMENSIONS = (4, 5, 6, 7, 8, 10, 13, 18, 28, 50, 120, 400, 1_000)


def draw(results: Results) -> Figure:
    """Acceptance, then efficiency."""
    found = numbers(results, "mala-optimal")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 4.0))
    exact = {(d, scale): finite(d, scale) for d in DIMENSIONS for scale in SCALES}
    for k, scale in enumerate(SCALES):
        look = {"color": COLOURS[k], "ls": ("-", "--", "-.")[k], "lw": 1.6}
        left.plot(DIMENSIONS, [exact[d, scale][0] for d in DIMENSIONS], **look)
        left.axhline(limit(scale), color=COLOURS[k], lw=1.2, ls=":")
        measured(left, list(CHAINS), found.loc[[acceptance_at(d, scale) for d in CHAINS]], k, f"$l = {scale:g}$, limit {limit(scale):.3f}")
    square = (SCALES[LONG] / SCALES[BEST]) ** 2
    for k, (what, label, factor) in enumerate(((EFFICIENCY, "$l^2 \\times$ acceptance", square), (JUMP, "squared jump distance", 1.0))):
        curve = [factor * exact[d, SCALES[LONG]][k] / exact[d, SCALES[BEST]][k] for d in DIMENSIONS]
        right.plot(DIMENSIONS, curve, color=COLOURS[3 + k], ls=("-", "--")[k], lw=1.6)
        measured(right, list(CHAINS), found.loc[[ratio_of(what, d) for d in CHAINS]], 3 + k, label)
    right.axhline(square * limit(SCALES[LONG]) / limit(SCALES[BEST]), color="black", lw=1.2, ls=":", label="limit of both")
    left.set(xscale="log", xlabel="dimension $d$", ylabel="acceptance", ylim=(0, 1))
    left.legend(loc="center right", bbox_to_anchor=(1.0, 0.74), fontsize=9)
    right.set(xscale="log", xlabel="dimension $d$", ylabel="efficiency at $l = 2.2$ / at $l = 1.65$")
    right.legend(loc="upper right")
    return figure
