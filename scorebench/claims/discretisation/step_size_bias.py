r"""Equation 158 is Euler-Maruyama for the Langevin equation at sigma = 1, with the bias that Euler has.

Statement: x' = x + c s(x) + sqrt(2 c) eps is one step c of dx = grad log p dt + sqrt(2) sigma dW at sigma = 1. Tested here
at any temperature T = sigma^2: x' = x + c s(x) + sqrt(2 c T) eps.

Prediction. On p = N(0, 1), s(x) = -x and x' = a x + sqrt(2 c T) eps with a = 1 - c. A Gaussian start stays Gaussian, of mean 0 and variance

    v' = a^2 v + 2 c T.                                                                                     (*)

- |a| < 1, that is 0 < c < 2: (*) has the fixed point v = 2 c T/(1 - a^2) = 2T/(2 - c), reached as a^(2k): from v_0 = 1, at c = .5, 1, 1.5,
  what is left after 16 steps is below 5e-10 of v. Euler's law is N(0, v), not p^(1/T) = N(0, T), and with r = v/T = 2/(2 - c)
      KL(N(0, v), N(0, T)) = (r - 1 - ln r)/2 = (c/(2 - c) + ln(1 - c/2))/2      at every T.
  This uses that the law is Gaussian; so does the measured KL, of a Gaussian with the chains' mean and variance. That the law is Gaussian is
  tested apart: a share erf(1/sqrt 2) of the chains lies within sqrt v of 0.
- c = 2, a = -1: v' = v + 4T: the variance grows by 4T a step, for ever.
- c > 2, a^2 > 1: with b = 2T/(c - 2), (*) says v' + b = a^2 (v + b): the variance grows geometrically. From v_0 = 1 the factor a step over
  steps 8 to 16 is ((a^32 (1 + b) - b)/(a^16 (1 + b) - b))^(1/8), which is a^2 = 2.25 to 2 parts in 10^4 at c = 2.5.

Measurement: 100,000 chains from exact draws of p; all cells of the grid see the same random numbers, so that at one c the chains of one T are those of
another, scaled, once the start is forgotten. They are counted once: each c at one T (1, 4, 1/4, 1, 1), and of the variance and its KL the variance. The
rest is shown. A variance has a standard error of .45 %: an error of 3 % is seen in 9 of 10 runs. Rounding in float32 moves no number by .01 standard
errors.

Reference: Wibisono (2018) for the bias of Euler on a Gaussian; Roberts and Tweedie (1996) for steps from which on there is no law to reach.
"""

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, moments, of_means, variance
from scorebench.claims.lib.gaussian import kl_of_moments
from scorebench.core.rng import generator
from scorebench.engine.loop import grid, run
from scorebench.samplers.base import exact_density
from scorebench.samplers.ula import GRADIENTS, ULA
from scorebench.targets.gaussian import gaussian

LABEL = "The Langevin step is Euler-Maruyama with σ = 1"
SOURCE = "Sampling Using Langevin Dynamics, above (158)"
QUOTE = r"$i=n$, $c=\Delta t$, $\epsilon=z$을 적용하면 Langevin Dynamics를 다음과 같이 나타낼 수 있습니다."
TRANSLATION = r"With $i = n$, $c = \Delta t$, $\epsilon = z$, Langevin dynamics can be written as follows."
STATEMENT = (
    r"$x_{i+1} = x_i + c\,\nabla\log p(x_i) + \sqrt{2c}\,\epsilon$ is Euler-Maruyama, $c = \Delta t$, for $dx = \nabla\log "
    r"p(x)\,dt + \sqrt{2}\,\sigma\,dW$ with $\sigma = 1$"
)
EXPECTED = "reproduced"
REFERENCE = "Wibisono (2018); Roberts and Tweedie (1996)"
LEADING = "variance at c = 0.5, T = 1"

STABLE, EDGE, UNSTABLE = (0.5, 1.0, 1.5), 2.0, 2.5
TEMPERATURES = (0.25, 1.0, 4.0)
COUNTED = {0.5: 1.0, 1.0: 4.0, 1.5: 0.25, EDGE: 1.0, UNSTABLE: 1.0}
"""Step size -> the temperature at which its numbers count."""
START, EARLY, LATE = 0, 8, 16
CHAINS = 100_000

VARIANCE, KL, SHARE = "variance", "KL to N(0, T)", "share within one standard deviation"
GAINS = {(k, j): f"variance gained a step, steps {k} to {j}," for k, j in ((START, EARLY), (EARLY, LATE))}
FACTOR = f"factor of the variance a step, steps {EARLY} to {LATE},"


def _name(what: str, c: float, t: float) -> str:
    return f"{what} at c = {c:g}, T = {t:g}"


def predict() -> list[Prediction]:
    """Closed forms."""
    predictions = []

    def add(what: str, c: float, t: float, unit: str, value: float) -> None:
        group = AS_WRITTEN if t == COUNTED[c] and what != KL else IDENTITY
        predictions.append(Prediction(_name(what, c, t), group, {"step_size": c, "temperature": t}, unit, value))

    for c, t in itertools.product(STABLE, TEMPERATURES):
        add(VARIANCE, c, t, "x^2", 2 * t / (2 - c))
        add(KL, c, t, "nat", (c / (2 - c) + math.log1p(-c / 2)) / 2)
    for c in STABLE:
        add(SHARE, c, COUNTED[c], "", math.erf(math.sqrt(0.5)))
    for t in TEMPERATURES:
        for gain in GAINS.values():
            add(gain, EDGE, t, "x^2", 4 * t)
    for t in TEMPERATURES:
        square, b = (1 - UNSTABLE) ** 2, 2 * t / (UNSTABLE - 2)
        early, late = (square**k * (1 + b) - b for k in (EARLY, LATE))
        add(FACTOR, UNSTABLE, t, "", (late / early) ** (1 / (LATE - EARLY)))
    return predictions


def measure(master: int) -> dict[str, Measurement]:
    """One run of ULA over the grid."""
    target = gaussian(dim=1)
    streams = [generator(master, "claim", "step-size-bias", use) for use in ("start", "sample")]
    start = target.sample(CHAINS, streams[0])[None]  # (1, chain, 1)
    step_sizes = (*STABLE, EDGE, UNSTABLE)
    sampler = ULA(*grid(itertools.product(step_sizes, TEMPERATURES)))
    samples = run(sampler, exact_density(target), start, (EARLY, LATE), [streams[1]], GRADIENTS).samples
    measurements = {}
    for i, (c, t) in enumerate(itertools.product(step_sizes, TEMPERATURES)):
        early, late = samples[:, 0, i, :, 0]  # (chain,)
        # The moments of the same chains at three times: differences and ratios have the standard error of paired numbers.
        at = {START: slice(0, 2), EARLY: slice(2, 4), LATE: slice(4, 6)}
        columns = torch.cat([moments(x) for x in (start[0, :, 0], early, late)], -1)  # (chain, 6)
        if c in STABLE:
            measurements[_name(VARIANCE, c, t)] = variance(late)
            measurements[_name(KL, c, t)] = of_means(moments(late), partial(kl_of_moments, variance=t))
            if t == COUNTED[c]:
                measurements[_name(SHARE, c, t)] = mean(late.square() < 2 * t / (2 - c))
        elif c == EDGE:
            for (k, j), gain in GAINS.items():
                measurements[_name(gain, c, t)] = of_means(columns, _gain(at[k], at[j], j - k))
        else:
            measurements[_name(FACTOR, c, t)] = of_means(columns, _factor(at[EARLY], at[LATE], LATE - EARLY))
    return measurements


def picture(master: int) -> dict[str, Any]:
    """Euler's variance at T = 1 over step sizes (c,), and the names of those measured (temperature, step size)."""
    c = np.linspace(0.01, 1.92, 300)
    return {
        "c": c,
        "variance": 2 / (2 - c),
        "edge": EDGE,
        "step_sizes": STABLE,
        "temperatures": TEMPERATURES,
        "variance_names": [[_name(VARIANCE, s, t) for s in STABLE] for t in TEMPERATURES],
    }


def _variance(m: Tensor) -> Tensor:
    return m[1] - m[0] ** 2


def _gain(before: slice, after: slice, steps: int) -> Callable[[Tensor], Tensor]:
    return lambda m: (_variance(m[after]) - _variance(m[before])) / steps


def _factor(before: slice, after: slice, steps: int) -> Callable[[Tensor], Tensor]:
    return lambda m: (_variance(m[after]) / _variance(m[before])) ** (1 / steps)
