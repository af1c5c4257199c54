r"""The increment of a Wiener process over dt has variance dt, not standard deviation dt.

Statement: Delta W is normal with mean 0 and standard deviation Delta t. (Two lines later the article
writes sqrt(2 Delta t) z, which needs the variance to be Delta t: the slip does not reach equation 158.)

Prediction. Euler-Maruyama with step h for dx = -x dt + sqrt(2) dW, whose law is N(0, 1): x' = (1 - h) x + sqrt(2) Delta W. The variance
obeys v' = (1 - h)^2 v + 2 Var(Delta W), with the fixed point

    v = 2 Var(Delta W)/(1 - (1 - h)^2) = 2 Var(Delta W)/(h (2 - h)).

As written Var(Delta W) = h^2, from which v = 2h/(2 - h) follows: this is what the statement says of Euler's scheme. It tends to 0: over the 1/h steps of a
unit of time, noise of variance h^2 a step vanishes. Euler's scheme has v = 2/(2 - h), which tends to 1, the variance of the law, as h falls: this is
Var(Delta W) = h. At h = 1 both give 2: shown, not counted.

Measurement: the project's own ULA is x' = x + h s(x) + sqrt(2 h T) eps. At T = 1 its noise is sqrt(2) times N(0, h); at T = h it is sqrt(2) h eps, sqrt(2)
times the increment as written; each reading has random numbers of its own, else one would be the other scaled. 100,000 chains start at x = 0, so that
after k steps the variance is v (1 - (1 - h)^(2k)): what is left to come, for k = 100 and h = .05 a part of 3.5e-5 of v, is the tolerance. A variance has a
standard error of .45 %: an error of 3 % is seen in 9 of 10 runs. Rounding in float32 moves no number by .01 standard errors.

Reference: Higham (2001), section 2, condition 2.
"""

from typing import Any

import numpy as np
import torch

from scorebench.claims.base import AS_WRITTEN, CORRECTED, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import variance
from scorebench.core.rng import generator
from scorebench.engine.loop import run
from scorebench.samplers.base import exact_density
from scorebench.samplers.ula import GRADIENTS, ULA
from scorebench.targets.gaussian import gaussian

LABEL = "A Wiener increment has standard deviation dt"
SOURCE = "Sampling Using Langevin Dynamics, below the Euler-Maruyama equations, before (158)"
QUOTE = r"$\Delta W$는 평균 0, 표준편차 $\Delta t$인 정규분포를 따릅니다."
TRANSLATION = r"$\Delta W$ follows a normal distribution of mean 0 and standard deviation $\Delta t$."
STATEMENT = r"$\Delta W$ is normal with mean $0$ and standard deviation $\Delta t$"
CORRECTION = (
    r"$\Delta W \sim \mathcal{N}(0, \Delta t)$: the variance is $\Delta t$. A slip that cancels: the scheme that is derived "
    r"from it, with $\sigma\sqrt{2\Delta t}\,z$, is right"
)
EXPECTED = "refuted"
REFERENCE = "Higham (2001), section 2, condition 2"
LEADING = "variance at h = 0.1, increments of variance h"

STEP_SIZES, ALIKE = (0.05, 0.1, 0.5), 1.0
STEPS = 100
CHAINS = 100_000

TRUE, WRITTEN, LITERAL = (
    "increments of variance h",
    "Wiener increments, if of standard deviation h",
    "increments of standard deviation h",
)


def _name(what: str, h: float) -> str:
    return f"variance at h = {h:g}, {what}"


def temperature_as_written(h: float) -> float:
    """The temperature at which ULA's noise is sqrt(2) times N(0, h^2)."""
    return h


def temperature_corrected(h: float) -> float:
    """The temperature at which ULA's noise is sqrt(2) times N(0, h)."""
    return 1.0


def predict() -> list[Prediction]:
    """Closed forms."""
    predictions = []
    for h in (*STEP_SIZES, ALIKE):
        euler, literal, rest = 2 / (2 - h), 2 * h / (2 - h), (1 - h) ** (2 * STEPS)
        written, corrected = (IDENTITY, IDENTITY) if h == ALIKE else (AS_WRITTEN, CORRECTED)
        for what, group, increment, v in (
            (WRITTEN, written, h, literal),
            (TRUE, corrected, h, euler),
            (LITERAL, corrected, h**2, literal),
        ):
            predictions.append(Prediction(_name(what, h), group, {"step_size": h, "increment_variance": increment}, "x^2", v, v * rest))
    return predictions


def measure(master: int) -> dict[str, Measurement]:
    """A run of ULA a reading, over the step sizes."""
    target, start = gaussian(dim=1), torch.zeros(1, CHAINS, 1)
    step_sizes = torch.tensor((*STEP_SIZES, ALIKE))[:, None]
    readings = []
    for what, temperature in ((LITERAL, temperature_as_written), (TRUE, temperature_corrected)):
        sampler = ULA(step_sizes, torch.tensor([temperature(h) for h in (*STEP_SIZES, ALIKE)])[:, None])
        stream = generator(master, "claim", "wiener-increment", what)
        readings.append(
            run(sampler, exact_density(target), start, (STEPS,), [stream], GRADIENTS).samples[0, 0, ..., 0]
        )  # (step size, chain)
    measurements = {}
    for h, literal, corrected in zip((*STEP_SIZES, ALIKE), *readings, strict=True):
        measurements[_name(LITERAL, h)] = variance(literal)
        measurements[_name(TRUE, h)] = measurements[_name(WRITTEN, h)] = variance(corrected)
    return measurements


def picture(master: int) -> dict[str, Any]:
    """The variance with increments as written over step sizes (h,), and the names of those measured, as meant and as written (2, step size)."""
    h = np.linspace(0.01, 1.92, 300)
    return {
        "h": h,
        "variance": 2 * h / (2 - h),
        "step_sizes": STEP_SIZES,
        "variance_names": [[_name(what, s) for s in STEP_SIZES] for what in (TRUE, LITERAL)],
    }
