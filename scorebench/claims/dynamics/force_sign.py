r"""A force is -grad V: with the sign as printed a particle leaves the minimum.

Statement: the force of a potential is F = +grad V.

Prediction. V = x^2/2, x_0 = 1, at rest, m = 1, t = 1.

    Newton:      x'' = -V'  gives x = cos t = .5403, with energy x'^2/2 + V kept;     x'' = +V'  gives x = cosh t = 1.5431
    overdamped:  x' = -V'   gives x = e^-t = .3679;                                   x' = +V'   gives x = e^t = 2.7183

so that the potential energy falls with the minus alone. (A slip that cancels: F is set equal to -lambda x' + eta, too,
so that the article's next line, lambda x' = -grad V + eta, is right.)

Measurement: nothing is random. Newton by SciPy's integrator at a relative tolerance of 1e-12; overdamped by the project's ULA at T = 0, h = 1e-4, whose
result (1 - h)^k or (1 + h)^k is known: the gap to e^-t or e^t, below 1.4e-4, and float32's rounding over 10,000 steps, 1e-3 of the value, are the tolerance.

Reference: Goldstein (1980), equation 1-16.
"""

import math

import torch
from scipy.integrate import solve_ivp

from scorebench.claims.base import AS_WRITTEN, CORRECTED, Measurement, Prediction
from scorebench.claims.lib.langevin import langevin, linear

LABEL = "The force is plus the gradient of V"
SOURCE = "Langevin Dynamics, above the overdamped equation"
QUOTE = "이때 물리에서 입자의 Force($F$)는 Potential energy $V(x)$의 미분으로 나타낼 수 있습니다."
TRANSLATION = "In physics the force ($F$) on a particle can be written as the derivative of the potential energy $V(x)$."
STATEMENT = r"the force of a potential is $F = +\nabla V$"
CORRECTION = (
    r"$F = -\nabla V$. A slip that cancels: the article sets $F$ equal to $-\lambda\dot x + \eta$, too, so that its next "
    r"line, $\lambda\dot x = -\nabla V + \eta$, is right"
)
EXPECTED = "refuted"
REFERENCE = "Goldstein (1980), equation 1-16"
LEADING = "x(1) by x'' = -grad V"

STEPS = 10_000
NEWTON, OVERDAMPED = "x(1) by x'' = {sign}grad V", "x(1) by x' = {sign}grad V"
FALLS = "x(1) by x'{s} = +grad V, if that force led to the minimum"


def predict() -> list[Prediction]:
    """Closed forms."""
    h = 1 / STEPS
    predictions = []
    for sign, b, newton in (("-", -1.0, math.cos(1)), ("+", 1.0, math.cosh(1))):
        gap = abs((1 + b * h) ** STEPS - math.exp(b)) + 1e-3 * math.exp(b)
        predictions.append(Prediction(NEWTON.format(sign=sign), CORRECTED, {}, "x", newton, 1e-9))
        predictions.append(Prediction(OVERDAMPED.format(sign=sign), CORRECTED, {}, "x", math.exp(b), gap))
    predictions.append(Prediction(FALLS.format(s="'"), AS_WRITTEN, {}, "x", math.cos(1), 1e-9))
    predictions.append(Prediction(FALLS.format(s=""), AS_WRITTEN, {}, "x", math.exp(-1), 1e-3))
    return predictions


def measure(master: int) -> dict[str, Measurement]:
    """Four paths, without noise: the master seed does nothing."""
    measurements = {}
    for sign, b in (("-", -1.0), ("+", 1.0)):
        path = solve_ivp(lambda t, y, b=b: (y[1], b * y[0]), (0, 1), (1.0, 0.0), method="DOP853", rtol=1e-12, atol=1e-12)
        measurements[NEWTON.format(sign=sign)] = Measurement(float(path.y[0, -1]))
        end = langevin(linear(b), torch.ones(1, 1), 1 / STEPS, (1.0,), torch.Generator(), 0.0)
        measurements[OVERDAMPED.format(sign=sign)] = Measurement(float(end))
    measurements[FALLS.format(s="'")] = measurements[NEWTON.format(sign="+")]
    measurements[FALLS.format(s="")] = measurements[OVERDAMPED.format(sign="+")]
    return measurements
