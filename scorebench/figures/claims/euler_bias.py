"""Euler's own bias against its step: what a step samples in place of p, and what it gives with a literal Wiener increment."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.interpolate import PchipInterpolator

from scorebench.figures.base import COLOURS, measured, numbers
from scorebench.store.results import Results

LABEL = "Euler's bias against the step"
CAPTION = (
    "Left: on N(0, 1) the step c samples the variance 2T/(2 - c) instead of T, at every temperature, and nothing from c = 2 on; with increments"
    " of standard deviation c, as printed, it would freeze as c falls (squares). Points of one step stand a little apart. Middle and right: on "
    "two modes at -2 and 2 the variance within a mode and KL from 1.5 units of time on: a bias that no number of steps removes, and that falls "
    "with c and with its square."
)
USES = {"claim": ("step-size-bias", "wiener-increment", "langevin-sampling")}


def draw(results: Results) -> Figure:
    """A Gaussian, then two modes."""
    gaussian, increments, modes = (numbers(results, claim) for claim in USES["claim"])
    euler, printed, plateau = (results.picture(claim) for claim in USES["claim"])
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12.0, 4.0), width_ratios=(1.3, 1, 1))
    left.plot(euler["c"], euler["variance"], color=COLOURS[0], lw=1.6, label="Euler: $2/(2-c)$")
    left.plot(printed["h"], printed["variance"], color=COLOURS[1], lw=1.6, ls="--", label="as printed: $2c/(2-c)$")
    left.axhline(1, color="black", lw=1, ls=":", label="$p$ itself")
    left.axvline(euler["edge"], color="0.4", lw=1.2, ls="-.")
    left.text(1.95, 1.15, "no law from $c = 2$ on", rotation=90, ha="right", va="bottom", color="0.3", fontsize=9)
    for k, (t, names) in enumerate(zip(euler["temperatures"], euler["variance_names"], strict=True)):
        rows = gaussian.loc[names]
        rows = rows.assign(measured=rows["measured"] / t, standard_error=rows["standard_error"] / t)
        measured(left, (euler["step_sizes"] + 0.02 * (k - 1)).tolist(), rows, (0, 2, 4)[k], f"measured, $T = {t:g}$")
    for k, label in enumerate((None, "measured, as printed")):
        measured(left, printed["step_sizes"].tolist(), increments.loc[printed["variance_names"][k]], k, label)
    left.set(xlabel="step size $c$", ylabel="variance sampled / $T$", xlim=(0, 2.1), ylim=(0, 5), title="$N(0, 1)$")
    left.legend(loc="upper left", fontsize=9)

    step_sizes, limit = plateau["step_sizes"].tolist(), modes["predicted"][str(plateau["limit_name"])]
    c = np.linspace(0, max(step_sizes), 100)
    for ax, what, zero, label, title, line in (
        (middle, "variance", limit, "variance within a mode", "two modes: falls like $c$", "-"),
        (right, "kl", 0.0, "KL to $p$ (nat)", "two modes: falls like $c^2$", "--"),
    ):
        rows = modes.loc[plateau[f"{what}_names"]]
        curve = PchipInterpolator([0.0, *step_sizes[::-1]], [zero, *rows["predicted"][::-1]])
        ax.plot(c, curve(c), color=COLOURS[0], ls=line, lw=1.6, label="Euler's own law")
        ax.axhline(zero, color="black", lw=1, ls=":", label="$p$ itself")
        measured(ax, step_sizes, rows, 0, "measured")
        ax.set(xlabel="step size $c$", ylabel=label, xlim=(0, 0.055), title=title)
        ax.legend(loc="upper left", fontsize=9)
    return figure
