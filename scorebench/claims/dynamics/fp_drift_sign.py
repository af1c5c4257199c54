r"""The drift of Langevin dynamics is -grad V: with the sign of the text, mass runs away from the minimum.

Statement: put mu = +grad V into the Fokker-Planck equation d_t q = -d(mu q) + sigma^2 d^2 q, and q tends to exp(-V/sigma^2)/Z.

Prediction. V = x^2/2, sigma = 1, start N(1, .1). Langevin dynamics has drift -x; moments of the Fokker-Planck equation give for a drift of mu = b x

    mean e^(bt),    variance .1 e^(2bt) + (e^(2bt) - 1)/b.

b = -1: e^-t and .1 e^-2t + 1 - e^-2t, which contract to N(0, 1), as the statement says of its equation. b = +1, as the text says: e^t and
.1 e^2t + e^2t - 1, which grow for ever: exp(V) is no density, and there is no steady state. At t = 1 the variances are .878 and 7.128. (A slip
of the text alone, which cancels: the equation that is printed next, with + d_x[grad V q], is right.)

What tends to its steady state N(0, 1) comes nearer to it all the time: KL to it, of a Gaussian of the measured mean and variance, is smaller at t = 1 than
at t = .5. One criterion for both signs: with -grad V KL falls from .22 to .07, with +grad V it grows from 1.51 to 5.78.

Measurement. The density: the project's finite-volume solver in [-25, 25] with either drift; its second-order error with cells of h = .05 (.2 % of the
variance at t = 1, drift +grad V; fitted fluxes diffuse by T (1 + x^2 h^2/12)) is within the tolerance, 5e-3 of the value. Particles: 200,000 by ULA with
either score, h = .002; Euler's known law gives the tolerance. A variance has a standard error of .32 %. KL falls if its fall, .15 and -4.27, is at least 0;
of particles it is a function of means over the same chains, of x and x^2 at both times, 130 standard errors or more from 0.

Reference: Risken (1989), section 5.3; Pavliotis (2014), section 3.4.
"""

import math
from itertools import product

import numpy as np
import torch
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, CORRECTED, Measurement, Prediction
from scorebench.claims.lib import fokker_planck
from scorebench.claims.lib.estimates import mean, moments, of_means, variance
from scorebench.claims.lib.gaussian import kl_of_moments
from scorebench.claims.lib.langevin import langevin, linear, normal
from scorebench.core.rng import generator

LABEL = "The Fokker-Planck drift is plus the gradient of V"
SOURCE = "Steady State of Langevin Dynamics, text above the Fokker-Planck equation of q"
QUOTE = r"이전 SDE에서 대입한 $\mu(x,t)=\nabla V(x)$와 $\sigma(x,t)=\sqrt{2}\sigma$를 통해 Langevin Dynamics의 식으로 고쳐봅시다."
TRANSLATION = (
    r"Let us rewrite it as the equation of Langevin dynamics by $\mu(x,t) = \nabla V(x)$ and $\sigma(x,t) = \sqrt2\sigma$, "
    r"which were put into the SDE before."
)
STATEMENT = r"$\partial_t q = -\partial_x(\mu q) + \sigma^2 \partial_x^2 q$ with $\mu = +\nabla V$ tends to $e^{-V/\sigma^2}/Z$"
CORRECTION = (
    r"$\mu = -\nabla V$; with $+\nabla V$ and $V = x^2/2$ the variance is $e^{2t}v_0 + e^{2t} - 1$. A slip of this text "
    r"alone, which cancels: the equation that is printed next, $\partial_t q = \partial_x[\nabla V q] + "
    r"\partial_x^2[\sigma^2 q]$, is right, and what follows rests on it"
)
EXPECTED = "refuted"
REFERENCE = "Risken (1989), section 5.3"
LEADING = "variance of particles at t = 1, drift -grad V"

MEAN, VARIANCE, TIMES = 1.0, 0.1, (0.5, 1.0)
NEARER = "fall of KL to exp(-V)/Z from t = 0.5 to 1, {}, drift {}, at least 0"
STEP_SIZE, CHAINS = 0.002, 200_000
AXIS, NUMERICAL = (-25.0, 25.0, 1000), 5e-3
SIGNS = {"-grad V": -1.0, "+grad V": 1.0}


def _law(b: float, t: float) -> tuple[float, float]:
    grown = math.exp(2 * b * t)
    return math.exp(b * t) * MEAN, VARIANCE * grown + (grown - 1) / b


def _euler_law(b: float, t: float) -> tuple[float, float]:
    steps = round(t / STEP_SIZE)
    a = 1 + b * STEP_SIZE
    grown = a ** (2 * steps)
    return a**steps * MEAN, VARIANCE * grown + 2 * STEP_SIZE * (grown - 1) / (a * a - 1)


def predict() -> list[Prediction]:
    """Closed forms."""
    predictions = []
    for (drift, b), whose in product(SIGNS.items(), ("particles", "the density")):
        predictions.append(Prediction(NEARER.format(whose, drift), AS_WRITTEN if b > 0 else CORRECTED, {}, "nat", 0.0))
    for (drift, b), t in product(SIGNS.items(), TIMES):
        for k, what in enumerate(("mean", "variance")):
            value, unit = _law(b, t)[k], "x" if what == "mean" else "x^2"
            gap = abs(value - _euler_law(b, t)[k])
            of_particles, of_density = (f"{what} of {whose} at t = {t:g}, drift {drift}" for whose in ("particles", "the density"))
            predictions.append(Prediction(of_particles, CORRECTED, {"t": t}, unit, value, gap))
            predictions.append(Prediction(of_density, CORRECTED, {"t": t}, unit, value, NUMERICAL * value))
    return predictions


def measure(master: int) -> dict[str, Measurement]:
    """Particles and the density, with either sign."""
    measurements: dict[str, Measurement] = {}
    starts, stream = (generator(master, "claim", "fp-drift-sign", use) for use in ("start", "sample"))
    start = normal(MEAN, VARIANCE).sample(CHAINS, starts)
    masses = fokker_planck.masses(AXIS, MEAN, VARIANCE)
    x = fokker_planck.centres(AXIS)[:, 0].numpy()
    for drift, b in SIGNS.items():
        drift_of = linear(b)
        particles = langevin(drift_of, start, STEP_SIZE, TIMES, stream)[..., 0]
        densities = fokker_planck.evolve(fokker_planck.generator(drift_of.score, 1.0, AXIS), masses, TIMES)
        for t, chains, density in zip(TIMES, particles, densities, strict=True):
            middle = float(density @ x)
            for what, of_chains, of_density in (
                ("mean", mean(chains), middle),
                ("variance", variance(chains), float(density @ (x - middle) ** 2)),
            ):
                measurements[f"{what} of particles at t = {t:g}, drift {drift}"] = of_chains
                measurements[f"{what} of the density at t = {t:g}, drift {drift}"] = Measurement(of_density)
        measurements[NEARER.format("particles", drift)] = of_means(torch.cat([moments(chains) for chains in particles], -1), _fall)
        moments_of_density = torch.from_numpy(densities @ np.stack([x, x**2], -1)).flatten()
        measurements[NEARER.format("the density", drift)] = Measurement(float(_fall(moments_of_density)))
    return measurements


def _fall(m: Tensor) -> Tensor:
    """KL(N(mean, variance), N(0, 1)) at the first time less that at the second, of E x, E x^2 at the first and at the second."""
    return kl_of_moments(m[:2], 1.0) - kl_of_moments(m[2:], 1.0)
