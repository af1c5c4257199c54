"""The density of Langevin dynamics over time in a double well: finite volumes, particles and the exact law."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.claims.dynamics.fokker_planck import GAP, MEAN, STEP_SIZE, VARIANCE
from scorebench.claims.lib import fokker_planck
from scorebench.claims.lib.langevin import gaussian_density, langevin, normal
from scorebench.claims.lib.spectral import spectrum
from scorebench.core import rng
from scorebench.figures.base import COLOURS, numbers, told
from scorebench.store.results import Results
from scorebench.targets.double_well import double_well

LABEL = "The Fokker-Planck equation in a double well"
CAPTION = (
    "V = (x² - 1)², T = 1, all mass near x = 1 at first. Left: the density by finite volumes, with three particles. Right: at four times the "
    "solver lies on the exact law (spectrum of the operator, ten digits) and 100,000 particles fill it; the other well is found at the rate of "
    "the spectral gap."
)
NEEDS = {"claim": "fokker-planck"}
TIMES = (0.05, 0.5, 1.0, 4.0)
AXIS = (-2.6, 2.6, 260)


def draw(results: Results) -> Figure:
    """A map of density over time, and four times."""
    found, well = numbers(results, "fokker-planck"), double_well()
    matrix, x = fokker_planck.generator(well.score, 1.0, AXIS), fokker_planck.centres(AXIS)[:, 0].numpy()
    h = x[1] - x[0]
    start = gaussian_density(x, MEAN, VARIANCE) * h
    times = np.linspace(0, 4, 161)[1:]
    q = fokker_planck.evolve(matrix, start, list(times)) / h
    figure = plt.figure(figsize=(11.0, 5.0))
    ax = plt.subplot2grid((2, 4), (0, 0), rowspan=2, colspan=2, fig=figure)
    image = ax.imshow(q.T, origin="lower", aspect="auto", extent=(0, 4, x[0], x[-1]), cmap="Blues", vmax=1.0)
    figure.colorbar(image, ax=ax, label="$q(x, t)$, capped at 1", shrink=0.9)
    fine = [round(0.02 * k, 2) for k in range(1, 201)]
    paths = langevin(well, normal(MEAN, VARIANCE).sample(3, rng.generator("fp", "few")), STEP_SIZE, fine, rng.generator("fp", "paths"))[
        ..., 0
    ]
    for k, path in enumerate(paths.T):
        ax.plot(fine, path, color=COLOURS[(1, 2, 7)[k]], lw=0.9)
    ax.set(xlabel="time $t$", ylabel="$x$", ylim=(-2.1, 2.1), title=f"spectral gap by the grid: {told(found, GAP, 4)}")

    exact = spectrum(lambda x: (x * x - 1) ** 2, lambda x: 4 * x * (x * x - 1), lambda x: 12 * x * x - 4, 1.0, 3.2, 201)
    laws = exact.laws(gaussian_density(exact.nodes, MEAN, VARIANCE), list(TIMES))
    grids = fokker_planck.evolve(matrix, start, TIMES) / h
    particles = langevin(
        well, normal(MEAN, VARIANCE).sample(100_000, rng.generator("fp", "many")), STEP_SIZE, TIMES, rng.generator("fp", "run")
    )[..., 0]
    for k, t in enumerate(TIMES):
        ax = plt.subplot2grid((2, 4), (k // 2, 2 + k % 2), fig=figure)
        ax.hist(particles[k].numpy(), bins=100, range=(-2.2, 2.2), density=True, histtype="stepfilled", color="0.82", label="particles")
        ax.plot(x, grids[k], color=COLOURS[0], lw=3.2, alpha=0.55, label="finite volumes")
        ax.plot(exact.nodes, laws[k], color="black", lw=1.2, ls="--", label="exact")
        ax.set(title=f"$t = {t:g}$", xlim=(-2.2, 2.2), ylim=(0, None))
        if k >= 2:
            ax.set_xlabel("$x$")
        if k == 1:
            ax.legend(loc="upper left", fontsize=8)
    return figure
