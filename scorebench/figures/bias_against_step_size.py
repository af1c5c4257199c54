r"""ULA's bias against its step size on a Gaussian, with the closed form; MALA has none.

E|x|^2/(T d v) - 1 = 1/(1 - c/(2 v)) - 1 for ULA on N(0, v I), at every temperature; it diverges at c = 2 v.
"""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.figures.base import COLOURS, across_seeds, error_bars
from scorebench.results import Results
from scorebench.samplers.ula import theory

LABEL = "Bias against step size"
CAPTION = (
    "Relative error of the second moment on a Gaussian, exact score: ULA follows the closed form and has no stationary law from the dashed "
    "line on; MALA, at the same cost, has no bias. Points are means across seeds with 95 % intervals; crosses on the edge diverged."
)
NEEDS = {"target": "gaussian", "sampler": "ula", "metric": "second_moment_bias"}


def draw(results: Results) -> Figure:
    """One panel, logarithmic in the step."""
    rows = results.metrics
    rows = rows[
        (rows["target"] == "gaussian") & (rows["model"] == "") & (rows["metric"] == "second_moment_bias") & (rows["temperature"] == 1)
    ]
    figure, ax = plt.subplots(figsize=(6, 3.8))
    largest = 1.99
    steps = np.geomspace(0.5 * rows["step_size"].min(), largest, 400)
    ax.plot(steps, [theory(c, 1.0, 1.0) - 1 for c in steps], color=COLOURS[0], lw=1.5, label="ULA, theory")
    ax.axvline(2, color="0.4", ls="--", lw=1)
    top = 4.2
    for i, (sampler, label) in enumerate((("ula", "ULA"), ("mala", "MALA"))):
        of = rows[rows["sampler"] == sampler]
        if of.empty:
            continue
        of = across_seeds(of[of["steps"] == of["steps"].max()], ["step_size"])
        error_bars(ax, of["step_size"], of, i, label)
        lost = of[of["diverged"] > 0]
        ax.plot(lost["step_size"], np.full(len(lost), top), "x", color=COLOURS[i], markersize=8, mew=2, clip_on=False)
        for c in lost["step_size"]:
            ax.annotate("diverged", (c, top), xytext=(0, -16), textcoords="offset points", ha="center", color=COLOURS[i])
    ax.axhline(0, color="0.7", lw=0.8, zorder=0)
    ax.set(xscale="log", ylim=(-0.5, top), xlabel="step size $c$", ylabel="relative bias of $E|x|^2$", title=LABEL)
    ax.legend(loc="upper left")
    return figure
