r"""A force is -grad V: with the sign as printed V is no potential energy, since energy is not kept.

Statement: the force of a potential energy V is F = dV/dx, m x'' = F = grad V.

Prediction. V = x^2/2, x_0 = 1, at rest, m = 1, t = 1. A potential energy is what makes x'^2/2 + V constant. Did F = +grad V belong to V, it would stay at
V(1) = .5.

    x'' = +V'  gives x = cosh t, with x'^2/2 + V = cosh(2)/2 = 1.8811;     x'' = -V'  gives x = cos t = .5403, with x'^2/2 + V = .5.

(A slip that cancels: F is set equal to -lambda x' + eta, too, so that the article's next line, lambda x' = -grad V + eta, is right.)

Measurement: the project's own underdamped Langevin dynamics in its order OABAO, in float64, without noise (T = 0) and with a friction of 1e-12: 100 steps
of .01. A step is then x + v h/2, v + h F, x + v h/2, of second order: h^2 = 1e-4 of a number is the tolerance (its frequency is off by h^2/24, its energy by
h^2/4 of what swings).

Reference: Goldstein (1980), equation 1-16.
"""

import math

import torch

from scorebench.claims.base import AS_WRITTEN, CORRECTED, Measurement, Prediction
from scorebench.claims.lib.langevin import linear
from scorebench.samplers.underdamped import Underdamped

LABEL = "The force is plus the gradient of V"
SOURCE = "Langevin Dynamics, above the overdamped equation"
QUOTE = r"$F = \frac{\partial V(x)}{\partial x}=\nabla V(x)$"
TRANSLATION = (
    r"$F = \frac{\partial V(x)}{\partial x}=\nabla V(x)$ [below: in physics the force on a particle can be written as the derivative of the "
    r"potential energy]"
)
STATEMENT = r"the force of a potential energy $V$ is $F = +\nabla V$"
CORRECTION = (
    r"$F = -\nabla V$, which keeps $\dot x^2/2 + V$. A slip that cancels: the article sets $F$ equal to $-\lambda\dot x + \eta$, too, so that "
    r"its next line, $\lambda\dot x = -\nabla V + \eta$, is right"
)
EXPECTED = "refuted"
REFERENCE = "Goldstein (1980), equation 1-16"
LEADING = "energy at t = 1, F = +grad V"

STEPS, FRICTION = 100, 1e-12
PLACE, ENERGY = "x at t = 1, F = {}grad V", "energy at t = 1, F = {}grad V"
KEPT = f"{LEADING}, if it is that of V"


def predict() -> list[Prediction]:
    """Closed forms."""
    numbers = (
        (ENERGY.format("-"), CORRECTED, "x^2", 0.5),
        (PLACE.format("-"), CORRECTED, "x", math.cos(1)),
        (LEADING, CORRECTED, "x^2", math.cosh(2) / 2),
        (KEPT, AS_WRITTEN, "x^2", 0.5),
    )
    return [Prediction(name, group, {}, unit, value, value / STEPS**2) for name, group, unit, value in numbers]


def measure(master: int) -> dict[str, Measurement]:
    """Two paths, without noise: the master seed does nothing."""
    measurements = {}
    for sign, b in (("-", -1.0), ("+", 1.0)):
        force, one = linear(b), torch.ones(1, 1, dtype=torch.float64)
        sampler = Underdamped(one / (2 * STEPS**2), 0 * one, "OABAO", FRICTION)
        state = sampler.init(torch.ones(1, 1, 1, 1, dtype=torch.float64), force)
        for _ in range(STEPS):
            state, _ = sampler.step(state, force, torch.zeros(1, 1, 2, dtype=torch.float64))
        measurements[ENERGY.format(sign)] = Measurement(float(state.x.square() + state.v.square()) / 2)
        if sign == "-":
            measurements[PLACE.format(sign)] = Measurement(float(state.x))
    return measurements | {KEPT: measurements[LEADING]}
