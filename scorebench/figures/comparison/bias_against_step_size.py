r"""ULA's bias against its step size on a Gaussian, with the closed form; MALA has none.

E|x|^2/(T d v) - 1 = 1/(1 - c/(2 v)) - 1 for ULA on N(0, v I); it diverges at c = 2 v. The same at every temperature, and cells share their
random numbers, so that other temperatures would show the same points: T = 1 is drawn.
"""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.errors import NotApplicable
from scorebench.figures.base import COLOURS, lines, mark_lost, required
from scorebench.report.choosing import is_ok
from scorebench.store.results import Results

LABEL = "Bias against step size"
CAPTION = (
    "Relative error of the second moment on a Gaussian, exact score: ULA follows the closed form and has no stationary law from the dashed line on; MALA, at "
    "the same cost, has no bias in theory, and every interval holds 0. Points are means across seeds with 95 % intervals; crosses count the seeds "
    "that diverged."
)
USES = {"target": ("gaussian",), "sampler": ("ula",), "metric": ("second_moment_bias",)}
READS = ("metrics.csv",)
SAMPLERS = ("ula", "mala")


def draw(results: Results) -> Figure:
    """One panel, logarithmic in the step."""
    gaussians = [on.target for on in results.plan.targets.values() if on.target.name == "gaussian" and on.target.options["condition"] == 1]
    if not gaussians:
        raise NotApplicable("the closed form drawn is that of one variance, and the suite has no such Gaussian")
    variance = gaussians[0].options["variance"]
    rows = results.metrics
    rows = rows[(rows["target"] == str(gaussians[0])) & (rows["model"] == "") & (rows["metric"] == "second_moment_bias")]
    rows = required(rows[rows["sampler"].isin(SAMPLERS) & (rows["temperature"] == 1)], "moment bias on the exact Gaussian score at T = 1")
    rows = rows[rows["steps"].isna() | (rows["steps"] == rows.groupby("sampler")["steps"].transform("max"))]
    smallest, largest, highest = rows["step_size"].min(), rows["step_size"].max(), rows.loc[is_ok(rows), "value"].max()
    # A little apart, where they would cover each other.
    rows = rows.assign(step_size=rows["step_size"] * (1 + 0.04 * (rows["sampler"] == "mala")))

    figure, ax = plt.subplots(figsize=(6, 3.8))
    steps = np.geomspace(0.6 * smallest, 1.99 * variance, 400)
    ax.plot(steps, 1 / (1 - steps / (2 * variance)) - 1, color=COLOURS[0], lw=1.5, label="ULA, theory")
    ax.axvline(2 * variance, color="0.4", ls="--", lw=1)
    ax.axhline(0, color="0.7", lw=0.8, zorder=0)
    lines(ax, rows, "step_size", "sampler", SAMPLERS, dashes=False, linestyle="", markersize=5)
    mark_lost(ax, rows, "step_size", "sampler", SAMPLERS, 1.0)
    ax.set(xscale="log", xlabel="step size $c$", ylabel="relative bias of $E|x|^2$")
    ax.set(xlim=(0.6 * smallest, 1.8 * largest), ylim=(-0.5, 1.3 * max(highest, 1.0) if np.isfinite(highest) else 4))
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles, [label.upper() if label in SAMPLERS else label for label in labels], loc="upper left")
    return figure
