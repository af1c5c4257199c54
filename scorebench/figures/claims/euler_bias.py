"""Euler's own bias against its step: what a step samples in place of p, and what it gives with a literal Wiener increment."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.interpolate import PchipInterpolator

from scorebench.claims.discretisation.langevin_sampling import LIMIT, STEP_SIZES, T, kl_after, variance_at
from scorebench.claims.discretisation.step_size_bias import STABLE, TEMPERATURES, VARIANCE
from scorebench.claims.discretisation.wiener_increment import GIVEN, TRUE
from scorebench.claims.discretisation.wiener_increment import STEP_SIZES as INCREMENTS
from scorebench.figures.base import COLOURS, measured, numbers
from scorebench.store.results import Results

LABEL = "Euler's bias against the step"
CAPTION = (
    "Left: on N(0, 1) the step c samples the variance 2T/(2 - c) instead of T, at every temperature, and nothing from c = 2 on; with increments"
    " of standard deviation c, as printed, it would freeze as c falls (squares). Points of one step stand a little apart. Middle and right: on "
    "two modes at -2 and 2 the variance within a mode and KL from 1.5 units of time on: a bias that no number of steps removes, and that falls "
    "with c and with its square."
)
NEEDS = {"claim": ("step-size-bias", "wiener-increment", "langevin-sampling")}


def draw(results: Results) -> Figure:
    """A Gaussian, then two modes."""
    gaussian, increments, modes = (numbers(results, claim) for claim in NEEDS["claim"])
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12.0, 4.0), width_ratios=(1.3, 1, 1))
    c = np.linspace(0.01, 1.92, 300)
    left.plot(c, 2 / (2 - c), color=COLOURS[0], lw=1.6, label="Euler: $2/(2-c)$")
    left.plot(c, 2 * c / (2 - c), color=COLOURS[1], lw=1.6, ls="--", label="as printed: $2c/(2-c)$")
    left.axhline(1, color="black", lw=1, ls=":", label="$p$ itself")
    left.axvline(2, color="0.4", lw=1.2, ls="-.")
    left.text(1.97, 0.12, "no law from $c = 2$ on", rotation=90, ha="right", va="bottom", color="0.3", fontsize=9)
    for k, t in enumerate(TEMPERATURES):
        rows = gaussian.loc[[f"{VARIANCE} at c = {s:g}, T = {t:g}" for s in STABLE]]
        rows = rows.assign(measured=rows["measured"] / t, standard_error=rows["standard_error"] / t)
        measured(left, [s + 0.02 * (k - 1) for s in STABLE], rows, (0, 2, 4)[k], f"measured, $T = {t:g}$")
    for what, index in ((TRUE, 0), (GIVEN, 1)):
        rows = increments.loc[[f"variance at h = {h:g}, {what}" for h in INCREMENTS]]
        measured(left, INCREMENTS, rows, index, "measured, increments as printed" if what == GIVEN else None)
    left.set(xlabel="step size $c$", ylabel="variance sampled / $T$", xlim=(0, 2.1), ylim=(0, 5))
    left.legend(loc="upper left", fontsize=9)

    at, variances, divergences = (
        np.array([0.0, *sorted(STEP_SIZES)]),
        [variance_at(c) for c in STEP_SIZES],
        [kl_after(c, T) for c in STEP_SIZES],
    )
    for k, (ax, names, zero, label) in enumerate(
        ((middle, variances, float(modes["predicted"][LIMIT]), "variance within a mode"), (right, divergences, 0.0, "KL to $p$ (nat)"))
    ):
        rows = modes.loc[names]
        curve = PchipInterpolator(at, [zero, *rows["predicted"].iloc[::-1]])
        c = np.linspace(0, max(STEP_SIZES), 100)
        ax.plot(c, curve(c), color=COLOURS[0], ls=("-", "--")[k], lw=1.6, label="Euler's own law")
        ax.axhline(zero, color="black", lw=1, ls=":", label="$p$ itself")
        measured(ax, STEP_SIZES, rows, 0, "measured")
        ax.set(xlabel="step size $c$", ylabel=label, xlim=(0, 0.055))
        ax.legend(loc="upper left", fontsize=9)
    middle.set_title("two modes: falls like $c$")
    right.set_title("two modes: falls like $c^2$")
    left.set_title("$N(0, 1)$")
    return figure
