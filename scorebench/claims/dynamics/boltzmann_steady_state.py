r"""The steady state is the Gibbs law exp(-V/sigma^2): in a parabola with Euler's own bias, in a double well by its slope.

Statement: q_inf(x) is proportional to exp(-V(x)/sigma^2).

Prediction. At T = sigma^2 = 1/4, 1, 4. **V = x^2/2**: variance T. Euler with h = .05 has 2T/(2 - h), 2.6 % more: its own bias, which at this number of
chains is seen, and is predicted (that it tends to the Gibbs law as h does to 0 is in `step_size_bias`).

**V = (x^2 - 1)^2**: E x^2 by quadrature, .918, .833 and 1.042 at the three T, and the share with |x| < .3 to that with .7 < |x| < 1.3: quadrature, too.
Where log q is linear in V its slope is -1/T: the statement itself, without its constant.

(Euler on a quartic has no steady state: from |x| > sqrt(1 + 1/(2h)) a step leads further out than it came from, and sooner or later a chain gets there. So the
particles there are MALA's, whose steady state is exact.)

Measurement. Parabola: the project's own ULA, 100,000 chains from N(0, T), 120 steps: what is left of the start is 5e-6 of the bias. Double well: MALA,
45,000 chains from N(0, 1/4), 100 steps of c = .05 (.02 at T = 1/4, 300 steps), and then four looks more, a fifth of these steps apart: a chain's number is
the mean over its looks. From |x| = 3 it would refuse for ever. Slope: the steady state of the
finite-volume solver, 600 cells, regression of log q on V where V < 6T: second order, tolerance 1e-3 of it. The leading number has a standard error of .45
%: an error of 3 % is seen in 9 of 10 runs.

Reference: Risken (1989), section 5.2; Pavliotis (2014), proposition 4.2; Roberts and Tweedie (1996), section 3, for the quartic.
"""

import math
from typing import Any

import numpy as np
import torch
from scipy.integrate import quad
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, Measurement, Prediction
from scorebench.claims.lib import fokker_planck
from scorebench.claims.lib.estimates import mean, of_means, variance
from scorebench.claims.lib.langevin import langevin, normal
from scorebench.core.rng import generator
from scorebench.engine.loop import run
from scorebench.samplers.base import exact_density
from scorebench.samplers.mala import GRADIENTS, MALA
from scorebench.targets.double_well import double_well

LABEL = "The steady state is the Gibbs law"
SOURCE = "Steady State of Langevin Dynamics, the Gibbs law"
QUOTE = r"$\sigma$를 상수 취급했을 때 다음과 같은 비례식을 유도할 수 있습니다:"
TRANSLATION = r"Treating $\sigma$ as a constant, the following proportionality can be derived:"
STATEMENT = r"$q_\infty(x) \propto \exp\left(-\frac{V(x)}{\sigma^2}\right)$"
EXPECTED = "reproduced"
REFERENCE = "Risken (1989), section 5.2; Pavliotis (2014), proposition 4.2"
LEADING = "variance in x^2/2 at T = 1, Euler at h = 0.05"

TEMPERATURES, STEP_SIZE, STEPS, CHAINS = (0.25, 1.0, 4.0), 0.05, 120, 100_000
WELL_CHAINS, WELL_START, LOOKS, WELL_RUNS = 45_000, 0.25, 5, {0.25: (0.02, 300), 1.0: (0.05, 100), 4.0: (0.05, 100)}
INNER, OUTER = 0.3, (0.7, 1.3)
AXIS, DEPTH, NUMERICAL = (-3.5, 3.5, 600), 6.0, 1e-3


def _variance(t: float) -> str:
    return f"variance in x^2/2 at T = {t:g}, Euler at h = {STEP_SIZE:g}"


def _square(t: float) -> str:
    return f"E x^2 in the double well at T = {t:g}"


def _ratio(t: float) -> str:
    return f"log ratio of shares, |x| < {INNER:g} to {OUTER[0]:g} < |x| < {OUTER[1]:g}, in the double well at T = {t:g}"


def _slope(t: float) -> str:
    return f"slope of log q in V, double well at T = {t:g}"


def predict() -> list[Prediction]:
    """Closed forms and quadrature."""
    predictions = []
    for t in TEMPERATURES:
        setting = {"temperature": t}
        predictions.append(Prediction(_variance(t), AS_WRITTEN, setting, "x^2", 2 * t / (2 - STEP_SIZE), 1e-5 * t))
        z, square, inner, outer = (
            _gibbs(t, power, low, high) for power, low, high in ((0, 0.0, 9.0), (2, 0.0, 9.0), (0, 0.0, INNER), (0, *OUTER))
        )
        predictions.append(Prediction(_square(t), AS_WRITTEN, setting, "x^2", square / z))
        predictions.append(Prediction(_ratio(t), AS_WRITTEN, setting, "", math.log(inner / outer)))
        predictions.append(Prediction(_slope(t), AS_WRITTEN, setting, "1/V", -1 / t, NUMERICAL / t))
    return predictions


def _gibbs(t: float, power: int, low: float, high: float) -> float:
    """Integral of x^power exp(-V/T)."""
    return quad(
        lambda x: x**power * math.exp(-((x * x - 1) ** 2) / t),
        low,
        high,
        points=[1.0] if high > 1 else None,
        epsabs=0,
        epsrel=1e-10,
        limit=200,
    )[0]


def measure(master: int) -> dict[str, Measurement]:
    """ULA in the parabola; MALA and the solver in the double well."""
    measurements = {}
    well = double_well()
    for t in TEMPERATURES:

        def stream(use: str, t: float = t) -> torch.Generator:
            return generator(master, "claim", "boltzmann-steady-state", use, t)

        start = normal(0.0, t).sample(CHAINS, stream("start"))
        (x,) = langevin(normal(0.0, 1.0), start, STEP_SIZE, (STEPS * STEP_SIZE,), stream("ula"), t)[..., 0]
        measurements[_variance(t)] = variance(x)

        x = _in_well(t, stream("inside"), stream("mala")).double()
        measurements[_square(t)] = mean(x.square().mean(0))
        inner, outer = (inside.double().mean(0) for inside in (x.abs() < INNER, (x.abs() > OUTER[0]) & (x.abs() < OUTER[1])))
        measurements[_ratio(t)] = of_means(torch.stack([inner, outer], -1), lambda m: (m[0] / m[1]).log())

        matrix = fokker_planck.generator(well.score, t, AXIS)
        masses = fokker_planck.steady_state(matrix)
        v = (fokker_planck.centres(AXIS)[:, 0].numpy() ** 2 - 1) ** 2
        deep = v < DEPTH * t
        measurements[_slope(t)] = Measurement(float(np.polyfit(v[deep], np.log(masses[deep]), 1)[0]))
    return measurements


def picture(master: int) -> dict[str, Any]:
    """At each temperature: the law (temperature, x) and a histogram of chains (temperature, bin); Z times the density of finer bins against V, NaN
    where few chains are, with two standard errors (temperature, finer bin), and the line exp(-V/T) by its ends (temperature, 2).
    """
    x, edges, finer = np.linspace(-2.6, 2.6, 600), np.linspace(-2.6, 2.6, 91), np.linspace(-2.2, 2.2, 45)
    t = np.array(TEMPERATURES)[:, None]
    z = np.array([[2 * _gibbs(u, 0, 0.0, 9.0)] for u in TEMPERATURES])
    chains = [_in_well(u, generator("gibbs", u), generator("gibbs", "run", u))[-1].numpy() for u in TEMPERATURES]
    counts = np.array([np.histogram(c, finer)[0] for c in chains])
    # The mean of exp(-V/T) over a bin is that of its middle to .3 % where V < 6T.
    scaled = np.where(counts > 20, z * counts / WELL_CHAINS / (finer[1] - finer[0]), np.nan)
    ends = np.minimum(DEPTH * t, 9) * [0, 1]
    return {
        "temperatures": TEMPERATURES,
        "square_names": [_square(u) for u in TEMPERATURES],
        "x": x,
        "densities": np.exp(-((x * x - 1) ** 2) / t) / z,
        "edges": edges,
        "histograms": [np.histogram(c, 90, (-2.6, 2.6), density=True)[0] for c in chains],
        "potential": ((finer[1:] + finer[:-1]) ** 2 / 4 - 1) ** 2,
        "scaled": scaled,
        "errors": 2 * scaled / np.sqrt(np.maximum(counts, 1)),
        "line_potential": ends,
        "line": np.exp(-ends / t),
    }


def _in_well(t: float, starts: torch.Generator, stream: torch.Generator) -> Tensor:
    """MALA in the double well, (look, chain)."""
    step_size, steps = WELL_RUNS[t]
    sampler = MALA(torch.tensor([[step_size]]), torch.tensor([[t]]))
    start = normal(0.0, WELL_START).sample(WELL_CHAINS, starts)[None]
    looks = [steps + steps // 5 * k for k in range(LOOKS)]
    return run(sampler, exact_density(double_well()), start, looks, [stream], GRADIENTS).samples[:, 0, 0, :, 0]
