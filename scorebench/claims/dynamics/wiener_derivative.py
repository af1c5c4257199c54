r"""dW is an increment of W, not its derivative, which does not exist.

Statement: dW is the derivative of the Wiener process W.

Prediction. W has independent increments, W(t + h) - W(t) ~ N(0, h). Had W a derivative, (W(t + h) - W(t))/h would tend to it as h falls, and its variance
to the variance of the derivative: the slope of log Var against log h would be 0. But

    Var((W(t + h) - W(t))/h) = h/h^2 = 1/h,

slope -1: the difference quotient grows without bound. (What exists is white noise, a distribution, of which dW is the integral over dt.) As h falls
by 100 the variance grows by 100; as stated it stays.

Measurement: paths of W at times 0, .01, ..., 1 are the project's ULA without a score, x' = x + sqrt(2 c T) eps at T = 1/2 and c = .01: 100,000 chains.
From the same paths the increments over .01, .1 and 1, one a path. A variance has a standard error of .45 %, the slope of .0014 (.14 %): an error of 1 %
is seen in 9 of 10 runs.

Reference: Øksendal (2003), section 3.1; Paley, Wiener and Zygmund (1933) for a path that has no derivative anywhere.
"""

import math

import torch
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import moments, of_means, variance
from scorebench.claims.lib.langevin import langevin
from scorebench.core.rng import generator
from scorebench.samplers.base import Density

LABEL = "dW is the derivative of the Wiener process"
SOURCE = "Langevin Dynamics, below the overdamped equation"
QUOTE = "$dW$는 표준 Weiner process의 시간 t에따른 도함수(미분)입니다."
TRANSLATION = "$dW$ is the derivative of the standard Wiener process with respect to time $t$."
STATEMENT = "$dW$ is the derivative of the Wiener process $W$"
CORRECTION = r"$dW$ is an increment: $\text{Var}(\Delta W/\Delta t) = 1/\Delta t$ has no limit, $dW/dt$ does not exist"
EXPECTED = "refuted"
REFERENCE = "Øksendal (2003), section 3.1"
LEADING = "slope of log Var(dW/dt) in log dt"

FINEST, STEPS, CHAINS = 0.01, (1, 10, 100), 100_000
AS_A_DERIVATIVE = "slope of log Var(dW/dt) in log dt, if dW/dt has a limit"


def _name(h: float) -> str:
    return f"Var(dW/dt) at dt = {h:g}"


def predict() -> list[Prediction]:
    """Closed forms."""
    predictions = [Prediction(AS_A_DERIVATIVE, AS_WRITTEN, {}, "", 0.0), Prediction(LEADING, CORRECTED, {}, "", -1.0)]
    return predictions + [Prediction(_name(k * FINEST), CORRECTED, {"dt": k * FINEST}, "1/t", 1 / (k * FINEST)) for k in STEPS]


def measure(master: int) -> dict[str, Measurement]:
    """Paths of ULA without a score, from 0."""
    density = Density(score=torch.zeros_like)
    stream = generator(master, "claim", "wiener-derivative", "sample")
    paths = langevin(density, torch.zeros(CHAINS, 1), FINEST, [k * FINEST for k in STEPS], stream, 0.5)[..., 0]  # (time, chain)
    quotients = [x / (k * FINEST) for k, x in zip(STEPS, paths, strict=True)]
    measurements = {_name(k * FINEST): variance(q) for k, q in zip(STEPS, quotients, strict=True)}
    slope = of_means(torch.cat([moments(quotients[0]), moments(quotients[-1])], -1), _slope)
    return measurements | {LEADING: slope, AS_A_DERIVATIVE: slope}


def _slope(m: Tensor) -> Tensor:
    fine, coarse = m[1] - m[0] ** 2, m[3] - m[2] ** 2
    return (coarse / fine).log() / math.log(STEPS[-1] / STEPS[0])
