"""KL falls along Langevin dynamics, at the rate of the Fisher divergence."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.claims.energy_and_score.fisher_kl_link import (
    FAR,
    M2,
    M2_TIMES,
    TIMES,
    TO_M2,
    TO_STANDARD,
    fall_of,
    fisher,
    kl,
    spectral_fisher,
)
from scorebench.claims.lib.langevin import gaussian_density, ou_law
from scorebench.claims.lib.spectral import potential_of, spectrum
from scorebench.figures.base import COLOURS, measured, numbers
from scorebench.store.results import Results

LABEL = "KL falls at the rate of the Fisher divergence"
CAPTION = (
    "From N(5, .1) towards N(0, 1) (left) and from N(0, 1) towards two modes (right): KL to the end (solid) and the Fisher divergence (dashed),"
    " in closed form or by the spectrum. Points: minus the slope of KL, measured by the finite-volume solver; they lie on the Fisher "
    "divergence, which is a rate, not another KL."
)
NEEDS = {"claim": "fisher-kl-link"}


def draw(results: Results) -> Figure:
    """A panel each start."""
    found = numbers(results, "fisher-kl-link")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 4.0))
    t = np.linspace(0.02, 2.3, 200)
    laws, standard = [ou_law(u, *FAR) for u in t], (0.0, 1.0)
    towards_standard = (left, t, [kl(law, standard) for law in laws], [fisher(law, standard) for law in laws], list(TIMES), TO_STANDARD)

    potential, slope, curvature = potential_of(*M2)
    exact = spectrum(potential, slope, curvature, 1.0, 6.0, 601)
    t = np.geomspace(0.003, 1.0, 60)
    q = exact.laws(gaussian_density(exact.nodes, 0.0, 1.0), list(t))
    there = np.maximum(q, 1e-300)
    divergences = (there * (np.log(there) + potential(exact.nodes))).sum(1) * (exact.nodes[1] - exact.nodes[0])
    rates = [spectral_fisher(exact.nodes, law, slope) for law in q]
    towards_modes = (right, t, list(divergences), rates, list(M2_TIMES), TO_M2)
    for ax, times, falling, rate, at, what in (towards_standard, towards_modes):
        ax.plot(times, falling, color=COLOURS[0], lw=1.8, label="$D_{KL}(q_t, p)$ (nat)")
        ax.plot(times, rate, color=COLOURS[1], lw=1.8, ls="--", label="Fisher divergence $F(q_t, p)$")
        measured(ax, [max(u, float(times[0])) for u in at], found.loc[[fall_of(what, u) for u in at]], 1, "$-dD_{KL}/dt$, measured")
        ax.set(yscale="log", xlabel="time $t$", title=what)
    left.set_ylabel("nat, or nat per unit of time")
    left.legend(loc="upper right")
    return figure
