r"""The density of Langevin dynamics obeys the Fokker-Planck equation: grid, particles and exact law agree.

Statement: q(x, t) obeys d_t q = d_x (V' q) + sigma^2 d_x^2 q.

Prediction. **V = x^2/2** from N(1, .01), sigma = 1: N(e^-t, .01 e^-2t + 1 - e^-2t) (Ornstein and Uhlenbeck), at t = .1, .5, 1. The distance of the
solver's density to that, int |difference|, is bounded by 1e-3, that of two normal laws 1/800 of their deviation apart; shares of particles
left of .5 and of 1 are values of the normal distribution function.

**V = (x^2 - 1)^2** from N(1, .01): no closed form, but the operator has a spectrum (`lib.spectral`: another method, which shares no line with the solver, and
has ten digits): E x = .6927 at t = .5 and .4763 at t = 1; the spectral gap, at which the memory of the well is lost in the end, is .7487.

**In the plane**, V = (u^2 - 1)^2 + v^2/2 along u = (x_1 + x_2)/sqrt 2 and v = (x_2 - x_1)/sqrt 2, from N((u, v) = (1, 0), .01 I): u and v are independent, E u
as above, E v^2 = .01 e^-2t + 1 - e^-2t. (Turned by 45 degrees: along the axes the grid's generator would be the sum of two lines' and give their
numbers again.)

Measurement. The project's finite volumes, 800 cells for V = x^2/2, 400 for the double well, 56 x 56 in the plane. On a function that varies over a length l,
central differences over a cell h are off by h^2/24 l^2 of it each, of which the equation has two, and the weights of the fluxes, z/(e^z - 1) at z = V' h,
whose z/2 cancels, by z^2/12, z of h/l: h^2/6 l^2 of a number is the tolerance, l^2 = 1/8 in the wells: .03 % on the line, 2.7 % in the plane. A scheme of
first order, off by V' h/2, is seen.
The gap is the second eigenvalue of its matrix. Particles: the project's own ULA, 100,000 chains, h = .005; the gap between Euler's own law (`euler_kernel`,
exact to rounding) and the equation's is the tolerance, .9 % of a value or less. E x at t = 1 has a standard error of .5 %: an error of 4 % is seen in 9 of
10 runs.

Reference: Risken (1989), sections 5.3 to 5.5; Scharfetter and Gummel (1969) for the fluxes.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, Measurement, Prediction
from scorebench.claims.lib import fokker_planck
from scorebench.claims.lib.estimates import mean
from scorebench.claims.lib.langevin import euler_kernel, gaussian_density, langevin, normal, ou_euler_law, ou_law
from scorebench.claims.lib.spectral import Spectrum, spectrum
from scorebench.core.rng import generator
from scorebench.targets.double_well import double_well
from scorebench.targets.gaussian import gaussian

LABEL = "The density obeys the Fokker-Planck equation"
SOURCE = "Steady State of Langevin Dynamics, the Fokker-Planck equation with V and its figure"
QUOTE = (
    r"$\frac{\partial}{\partial t}q(x,t)=\frac{\partial}{\partial x}[\nabla V(x)q(x,t)]+\frac{\partial^2}{\partial x^2}[\sigma^2q(x,t)]$ "
    r"식이 유도되었습니다!!"
)
TRANSLATION = (
    r"$\frac{\partial}{\partial t}q(x,t)=\frac{\partial}{\partial x}[\nabla V(x)q(x,t)]+\frac{\partial^2}{\partial x^2}[\sigma^2q(x,t)]$: "
    r"the equation is derived!!"
)
STATEMENT = (
    r"$\frac{\partial}{\partial t} q = \frac{\partial}{\partial x}\left[\nabla V(x)\,q\right] + \frac{\partial^2}{\partial "
    r"x^2}\left[\sigma^2 q\right]$"
)
EXPECTED = "reproduced"
REFERENCE = "Risken (1989), sections 5.3 to 5.5"
LEADING = "E x of particles in the double well at t = 1"

MEAN, VARIANCE, OU_TIMES, WELL_TIMES, EDGES = 1.0, 0.01, (0.1, 0.5, 1.0), (0.5, 1.0), (0.5, 1.0)
CHAINS, STEP_SIZE = 100_000, 0.005
OU_AXIS, WELL_AXIS, PLANE_AXIS = (-7.0, 7.0, 800), (-3.0, 3.0, 400), (-4.0, 4.0, 56)
FINE, DIAGONAL, CURVATURE = 1e-3, 0.5**0.5, 8.0
PICTURE_AXIS, PICTURE_TIMES = (-2.6, 2.6, 260), (0.05, 0.5, 1.0, 4.0)
GAP = "spectral gap of the double well, by the grid"


def _distance(t: float) -> str:
    return f"L1 distance of the grid to the Ornstein-Uhlenbeck law at t = {t:g}, at most {FINE:g}"


def _share(edge: float, t: float) -> str:
    return f"share of particles left of {edge:g} at t = {t:g}, V = x^2/2"


def _mean(whose: str, t: float) -> str:
    return f"E x of {whose} in the double well at t = {t:g}"


def _plane(what: str, t: float) -> str:
    return f"{what} of the grid in the plane at t = {t:g}"


def _slope(x: np.ndarray) -> np.ndarray:
    return 4 * x * (x * x - 1)


def _spectrum() -> Spectrum:
    """Of the double well."""
    return spectrum(lambda x: (x * x - 1) ** 2, _slope, lambda x: 12 * x * x - 4, 1.0, 3.2, 201)


def predict() -> list[Prediction]:
    """Closed forms and the spectrum."""
    predictions = []
    for t in OU_TIMES:
        predictions.append(Prediction(_distance(t), AS_WRITTEN, {"t": t}, "", 0.0, FINE))
        laws = ou_law(t, MEAN, VARIANCE), ou_euler_law(STEP_SIZE, round(t / STEP_SIZE), MEAN, VARIANCE)
        for edge in EDGES:
            exact, euler = (float(norm.cdf(edge, m, math.sqrt(v))) for m, v in laws)
            predictions.append(Prediction(_share(edge, t), AS_WRITTEN, {"t": t}, "", exact, abs(exact - euler)))

    spectral = _spectrum()
    start = gaussian_density(spectral.nodes, MEAN, VARIANCE)
    kernel = euler_kernel(lambda x: -_slope(x), STEP_SIZE, spectral.nodes)

    def add(name: str, setting: dict[str, float], unit: str, value: float, axis: tuple[float, float, int]) -> None:
        low, high, cells = axis
        predictions.append(Prediction(name, AS_WRITTEN, setting, unit, value, value * CURVATURE * ((high - low) / cells) ** 2 / 6))

    for t, means in zip(WELL_TIMES, spectral.mean(spectral.laws(start, list(WELL_TIMES)), lambda x: x), strict=True):
        of_scheme = spectral.mean(np.linalg.matrix_power(kernel, round(t / STEP_SIZE)) @ start, lambda x: x)
        add(_mean("the grid", t), {"t": t}, "x", float(means), WELL_AXIS)
        predictions.append(Prediction(_mean("particles", t), AS_WRITTEN, {"t": t}, "x", float(means), abs(float(means - of_scheme))))
        add(_plane("E u", t), {"t": t}, "x", float(means), PLANE_AXIS)
        add(_plane("E v^2", t), {"t": t}, "x^2", ou_law(t, 0.0, VARIANCE)[1], PLANE_AXIS)
    add(GAP, {}, "1/t", float(spectral.rates[1]), WELL_AXIS)
    return predictions


def _by_grid() -> dict[str, float]:
    """By finite volumes: the numbers of the double well, on the line and turned in the plane."""
    well, turned = double_well(), double_well(dim=2)
    assert well.score is not None and turned.score is not None
    line, plane = WELL_AXIS, PLANE_AXIS

    matrix, x = fokker_planck.generator(well.score, 1.0, line), fokker_planck.centres(line)[:, 0].numpy()
    numbers = {GAP: fokker_planck.spectral_gap(matrix, 0.1)}
    for t, law in zip(WELL_TIMES, fokker_planck.evolve(matrix, fokker_planck.masses(line, MEAN, VARIANCE), WELL_TIMES), strict=True):
        numbers[_mean("the grid", t)] = float(law @ x)

    turn = DIAGONAL * torch.tensor([[1.0, -1.0], [1.0, 1.0]], dtype=torch.float64)  # (u, v) = x turn
    force = turned.score
    matrix = fokker_planck.generator(lambda x: force(x @ turn) @ turn.T, 1.0, plane, plane)
    along = fokker_planck.masses(plane, DIAGONAL * MEAN, VARIANCE)
    u, v = (fokker_planck.centres(plane, plane) @ turn).numpy().T
    for t, law in zip(WELL_TIMES, fokker_planck.evolve(matrix, np.outer(along, along).ravel(), WELL_TIMES), strict=True):
        numbers |= {_plane("E u", t): float(law @ u), _plane("E v^2", t): float(law @ v**2)}
    return numbers


def measure(master: int) -> dict[str, Measurement]:
    """The grid, then particles."""
    measurements = {}
    round_well, well = gaussian(dim=1), double_well()
    start = fokker_planck.masses(OU_AXIS, MEAN, VARIANCE)
    for t, law in zip(
        OU_TIMES, fokker_planck.evolve(fokker_planck.generator(round_well.score, 1.0, OU_AXIS), start, OU_TIMES), strict=True
    ):
        measurements[_distance(t)] = Measurement(float(np.abs(law - fokker_planck.masses(OU_AXIS, *ou_law(t, MEAN, VARIANCE))).sum()))

    measurements |= {name: Measurement(number) for name, number in _by_grid().items()}
    for use, target, times in (("harmonic", round_well, OU_TIMES), ("double well", well, WELL_TIMES)):
        starts, stream = (generator(master, "claim", "fokker-planck", use, what) for what in ("start", "sample"))
        particles = normal(MEAN, VARIANCE).sample(CHAINS, starts)
        for t, chains in zip(times, langevin(target, particles, STEP_SIZE, times, stream)[..., 0], strict=True):
            if target is well:
                measurements[_mean("particles", t)] = mean(chains)
            else:
                measurements |= {_share(edge, t): mean(chains < edge) for edge in EDGES}
    return measurements


def picture(master: int) -> dict[str, Any]:
    """In the double well: the density by the grid (time, x), three paths (path, path time); at four times (time, ...) the grid, the exact law at
    its nodes and a histogram of particles.
    """
    well = double_well()
    assert well.score is not None
    matrix, x = fokker_planck.generator(well.score, 1.0, PICTURE_AXIS), fokker_planck.centres(PICTURE_AXIS)[:, 0].numpy()
    start, h = gaussian_density(x, MEAN, VARIANCE), x[1] - x[0]
    times, path_times = ([PICTURE_TIMES[-1] * k / n for k in range(1, n + 1)] for n in (160, 200))

    def particles(count: int, times: Sequence[float], starts: str, steps: str) -> Tensor:
        x = normal(MEAN, VARIANCE).sample(count, generator("fp", starts))
        return langevin(well, x, STEP_SIZE, times, generator("fp", steps))[..., 0]

    exact = _spectrum()
    edges = np.linspace(-2.2, 2.2, 101)
    return {
        "x": x,
        "end": times[-1],
        "density": (fokker_planck.evolve(matrix, start * h, times) / h).astype(np.float32),
        "path_times": path_times,
        "paths": particles(3, path_times, "few", "paths").T,
        "gap_name": GAP,
        "times": PICTURE_TIMES,
        "by_grid": fokker_planck.evolve(matrix, start * h, PICTURE_TIMES) / h,
        "nodes": exact.nodes,
        "exact": exact.laws(gaussian_density(exact.nodes, MEAN, VARIANCE), list(PICTURE_TIMES)),
        "edges": edges,
        "histograms": [np.histogram(p, edges, density=True)[0] for p in particles(CHAINS, PICTURE_TIMES, "many", "run")],
    }
