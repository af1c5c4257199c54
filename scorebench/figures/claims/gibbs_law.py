"""The Gibbs law exp(-V/T) at three temperatures: in x, and as a straight line in V."""

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.claims.dynamics.boltzmann_steady_state import TEMPERATURES, WELL_CHAINS, WELL_RUNS, WELL_START, gibbs, square_of
from scorebench.claims.lib.langevin import normal
from scorebench.core import rng
from scorebench.engine.loop import run
from scorebench.figures.base import COLOURS, MARKERS, numbers, told
from scorebench.samplers.base import exact_density
from scorebench.samplers.mala import GRADIENTS, MALA
from scorebench.store.results import Results
from scorebench.targets.double_well import double_well

LABEL = "The Gibbs law at three temperatures"
CAPTION = (
    "V = (x² - 1)². Left: 60,000 MALA chains at each temperature (steps) fill exp(-V/T)/Z (lines): cold chains sit in the wells, hot ones "
    "cross. Right: the same counts, as log density against V, lie on lines of slope -1/T; bars are two standard errors, ± is one."
)
NEEDS = {"claim": "boltzmann-steady-state"}


def draw(results: Results) -> Figure:
    """Densities, and their logarithms in V."""
    found = numbers(results, "boltzmann-steady-state")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 4.2))
    x = np.linspace(-2.6, 2.6, 600)
    v = (x * x - 1) ** 2
    for k, t in enumerate(TEMPERATURES):
        step_size, steps = WELL_RUNS[t]
        start = normal(0.0, WELL_START).sample(WELL_CHAINS, rng.generator("gibbs", t))[None]
        sampler = MALA(torch.tensor([[step_size]]), torch.tensor([[t]]))
        chains = (
            run(sampler, exact_density(double_well()), start, (steps,), [rng.generator("gibbs", "run", t)], GRADIENTS)
            .samples[0, 0, 0, :, 0]
            .numpy()
        )
        z = 2 * gibbs(t, 0, 0.0, 9.0)
        look = {"color": COLOURS[k], "ls": ("-", "--", "-.")[k], "lw": 1.8}
        left.hist(chains, bins=90, range=(-2.6, 2.6), density=True, histtype="stepfilled", color=COLOURS[k], alpha=0.3)
        left.plot(x, np.exp(-v / t) / z, label=f"$T = {t:g}$: $E\\,x^2$ {told(found, square_of(t))}", **look)
        edges = np.linspace(-2.2, 2.2, 45)
        counts, middle = np.histogram(chains, edges)[0], (edges[1:] + edges[:-1]) / 2
        seen = counts > 20
        # The mean of exp(-V/T) over a bin is that of its middle to .3 % where V < 6T.
        density, at = counts[seen] / len(chains) / (edges[1] - edges[0]), (middle[seen] ** 2 - 1) ** 2
        right.errorbar(at, density * z, 2 * density * z / np.sqrt(counts[seen]), fmt=MARKERS[k], color=COLOURS[k], markersize=4, lw=1)
        line = np.linspace(0, min(6 * t, 9), 2)
        right.plot(line, np.exp(-line / t), label=f"$e^{{-V/T}}$, $T = {t:g}$", **look)
    left.set(xlabel="$x$", ylabel="density", xlim=(-2.6, 2.6), ylim=(0, 1.6))
    left.legend(loc="upper center", fontsize=9)
    right.set(xlabel="potential $V(x)$", ylabel="$Z\\,q(x)$ (log scale)", yscale="log", ylim=(1.5e-3, 2), xlim=(-0.2, 9))
    right.legend(loc="upper right")
    return figure
