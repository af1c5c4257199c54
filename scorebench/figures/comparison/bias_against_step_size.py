r"""ULA's bias against its step size on a Gaussian, with the closed form; MALA has none.

E|x|^2/(T d v) - 1 = 1/(1 - c/(2 v)) - 1 for ULA on N(0, v I); it diverges at c = 2 v. The same at every temperature, and cells share their
random numbers, so that other temperatures would show the same points: T = 1 is drawn.
"""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.errors import NotApplicable
from scorebench.figures.base import COLOURS, across_seeds, error_bars, mark_lost, some
from scorebench.samplers.ula import theory
from scorebench.store.results import Results

LABEL = "Bias against step size"
CAPTION = (
    "Relative error of the second moment on a Gaussian, exact score: ULA follows the closed form and has no stationary law from the dashed "
    "line on; MALA, at the same cost, has no bias. Points are means across seeds with 95 % intervals; crosses count the seeds that diverged."
)
USES = {"target": ("gaussian",), "sampler": ("ula",), "metric": ("second_moment_bias",)}
READS = ("metrics.csv",)


def draw(results: Results) -> Figure:
    """One panel, logarithmic in the step."""
    target = next(
        (m.target for m in results.plan.measures.values() if m.target.name == "gaussian" and m.target.options["condition"] == 1), None
    )
    if target is None:
        raise NotApplicable("the closed form drawn is that of one variance, and the suite has no such Gaussian")
    variance = target.options["variance"]
    rows = results.metrics
    rows = rows[
        (rows["target"] == str(target)) & (rows["model"] == "") & (rows["metric"] == "second_moment_bias") & (rows["temperature"] == 1)
    ]
    rows = some(rows[rows["sampler"].isin(["ula", "mala"])], "moment bias on the exact Gaussian score at T = 1")
    figure, ax = plt.subplots(figsize=(6, 3.8))
    smallest, largest = rows["step_size"].min(), rows["step_size"].max()
    steps = np.geomspace(0.6 * smallest, 1.99 * variance, 400)
    ax.plot(steps, [theory(c, 1.0, variance) / variance - 1 for c in steps], color=COLOURS[0], lw=1.5, label="ULA, theory")
    ax.axvline(2 * variance, color="0.4", ls="--", lw=1)
    found = {s: _last(rows[rows["sampler"] == s]) for s in ("ula", "mala") if (rows["sampler"] == s).any()}
    for i, (sampler, of) in enumerate(found.items()):
        error_bars(ax, of["step_size"] * (1 + 0.04 * i), of, i, sampler.upper())  # a little apart, where they would cover each other
        mark_lost(ax, of["step_size"], of, i, 1.0)
    ax.axhline(0, color="0.7", lw=0.8, zorder=0)
    highest = max(of["high"].max() for of in found.values())
    ax.set(xscale="log", xlabel="step size $c$", ylabel="relative bias of $E|x|^2$")
    ax.set(xlim=(0.6 * smallest, 1.8 * largest), ylim=(-0.5, 1.3 * max(highest, 1.0) if np.isfinite(highest) else 4))
    ax.legend(loc="upper left")
    return figure


def _last(rows: pd.DataFrame) -> pd.DataFrame:
    return across_seeds(rows[rows["steps"].isna() | (rows["steps"] == rows["steps"].max())], ["step_size"])
