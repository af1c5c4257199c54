r"""The steady current is zero where nothing can flow round: on a line without flux at its ends, not on a ring, nor round a rotating drift.

Statement: as t grows d_t q -> 0, so that dJ/dx = 0; the value of J goes to 0, too, and so J = 0 everywhere. (Printed is the value of q_inf, which
no density's is: a slip, read as J.)

Prediction. d_t q = 0 gives div J = 0: in one dimension J is constant, in more it has no divergence. Neither is zero.

**On the line** no mass leaves at infinity, J there is 0, and so everywhere. On the way: from N(m_0, 1), V = x^2/2, T = 1, the law is N(m_0 e^-t, 1), whose
current at x = 0 is -m e^(-m^2/2)/sqrt(2 pi), m = m_0 e^-t: its logarithm falls from t = 3 to 5 by 2 + (m_5^2 - m_3^2)/2, at the spectral gap, 1 a unit of time,
where that of a current that stays would not. (In a double well it falls at that one's gap, which `fokker_planck` counts. That the finite volumes' own steady
state has no current on a line is how they are made: it is not asked.)

**On a ring**, drift f - V' with V = cos x, f = 1, T = 1, the steady state carries a current round and round (Stratonovich 1958):

    J = T (1 - e^(-2 pi f/T)) / int_0^(2 pi) dx int_x^(x + 2 pi) dy e^((U(y) - U(x))/T),    U = cos x - f x,

by quadrature; the mean velocity is 2 pi J = .7747. As stated it is 0, as it is where the drift is a gradient, f = 0: there it is bounded by .02.

**In the plane**, drift -x + w R x, R the rotation by 90 degrees, w = 1: J = w R x N(x; 0, I) is not constant, and has no divergence since x' R x = 0; so
N(0, I) is still the steady state (its density does not see w), while E [x dy - y dx]/dt = w E |x|^2 = 2 w. As stated it is 0. "div J = 0, hence J = 0"
needs detailed balance.

Measurement. Line: the finite-volume solver, cells of h = .02, whose mean decays at the rate 1 - h^2/6 to that order: 2h^2/6 over the two units of time, and for
what is left of that order in the law the same again, is the tolerance, 2.7e-4. Ring: the project's own ULA, h = .02, 8,000 chains over t = 60 after t = 5, the
mean displacement by time; Euler's own mean velocity comes from its transition kernel on the circle (400 nodes, exact to rounding), the gap is the tolerance.
Plane: Euler-Maruyama, h = .01, 32,000 chains over 100 steps from N(0, I), the mean of x dy - y dx; Euler's stationary variance 2/(2 - h(1 + w^2)) gives the
tolerance, 1 % of the value. An error of 2 % on the ring, of 6 % in the plane, is seen in 9 of 10 runs, on the line one of .02 %.

Reference: Risken (1989), sections 5.2 and 11.3; Pavliotis (2014), section 4.6; Stratonovich (1958).
"""

import math

import numpy as np
import torch
from scipy.integrate import dblquad
from scipy.stats import norm
from torch import Tensor

from scorebench.claims.base import BOUND, CORRECTED, Measurement, Prediction
from scorebench.claims.lib import fokker_planck
from scorebench.claims.lib.estimates import mean
from scorebench.claims.lib.langevin import euler_maruyama, langevin
from scorebench.core.rng import generator
from scorebench.samplers.base import Density
from scorebench.targets.gaussian import gaussian

LABEL = "In the steady state J is 0 everywhere"
SOURCE = "Steady State of Langevin Dynamics, below the equation with J"
QUOTE = r"t가 무한대일 때, $q_\infty(x)$의 미분만 0에 수렴하는 것이 아니라 값 도 0에 수렴하는 것을 알 수 있습니다. 즉 모든 $x$에 대하여 $J(x)=0$입니다."
TRANSLATION = (
    r"When $t$ is infinite we see that not only the derivative of $q_\infty(x)$ converges to 0, its value does, too. So "
    r"$J(x) = 0$ for every $x$."
)
STATEMENT = (
    r"$\frac{\partial}{\partial x} J = 0$ and so $J(x) = 0$ for all $x$ (the article says that the value of $q_\infty$ goes "
    r"to 0, which no density does: a slip for $J$, read so)"
)
CORRECTION = (
    r"$\nabla\cdot J = 0$ alone; $J = 0$ where none flows at infinity and the drift is a gradient: not on a tilted ring or with a rotation"
)
EXPECTED = "qualified"
LINE, ROUND = "on a line", "where mass can go round"
CONDITIONS = {"on a line": True, "where mass can go round": False}
REFERENCE = "Risken (1989), sections 5.2 and 11.3; Pavliotis (2014), section 4.6"
LEADING = "mean velocity on the tilted ring"

START, EARLY, LATE = 1.0, 3.0, 5.0
AXIS, FALL = (-8.0, 8.0, 800), "fall of the log current at x = 0 from t = 3 to 5, V = x^2/2"
FORCE, RING_STEP, RING_TIMES, RING_CHAINS = 1.0, 0.02, (5.0, 65.0), 8_000
OMEGA, PLANE_STEP, PLANE_STEPS, PLANE_CHAINS = 1.0, 0.01, 100, 32_000
STILL, UNTILTED = 0.02, f"mean velocity on the ring without tilt, {BOUND} 0.02"
ROTATION = "E [x dy - y dx]/dt of the rotating drift"
STATED = "{what}, as stated"


def _ring_drift(x: Tensor) -> Tensor:
    return FORCE + x.sin()


def predict() -> list[Prediction]:
    """Closed forms and quadrature."""
    early, late = (START * math.exp(-t) for t in (EARLY, LATE))
    velocity = 2 * math.pi * _stratonovich()
    gap = abs(velocity - _euler_velocity())
    spread = 2 / (2 - PLANE_STEP * (1 + OMEGA**2))
    cell = (AXIS[1] - AXIS[0]) / AXIS[2]
    predictions = [
        Prediction(FALL, LINE, {}, "", LATE - EARLY + (late**2 - early**2) / 2, 2 * (LATE - EARLY) * cell**2 / 6),
        Prediction(UNTILTED, CORRECTED, {}, "x/t", 0.0, STILL),
    ]
    for what, unit, value, tolerance in (
        (LEADING, "x/t", velocity, gap),
        (ROTATION, "x^2/t", 2 * OMEGA, 2 * OMEGA * (spread - 1)),
    ):
        predictions.append(Prediction(what, CORRECTED, {}, unit, value, tolerance))
        predictions.append(Prediction(STATED.format(what=what), ROUND, {}, unit, 0.0))
    return predictions


def _stratonovich() -> float:
    def potential(x: float) -> float:
        return math.cos(x) - FORCE * x

    integral, _ = dblquad(
        lambda y, x: math.exp(potential(y) - potential(x)), 0, 2 * math.pi, lambda x: x, lambda x: x + 2 * math.pi, epsrel=1e-10
    )
    return (1 - math.exp(-2 * math.pi * FORCE)) / integral


def _euler_velocity() -> float:
    """Mean of the drift under Euler's stationary law on the circle; sums over equally spaced nodes converge geometrically."""
    nodes = 400
    x = 2 * math.pi * np.arange(nodes) / nodes
    drift = FORCE + np.sin(x)
    gaps = x[:, None] - (x + RING_STEP * drift) + 2 * math.pi * np.arange(-2, 3)[:, None, None]
    kernel = norm.pdf(gaps, 0, math.sqrt(2 * RING_STEP)).sum(0)  # to, from
    kernel /= kernel.sum(0)
    values, vectors = np.linalg.eig(kernel)
    law = np.real(vectors[:, np.argmax(values.real)])
    return float(drift @ law / law.sum())


def measure(master: int) -> dict[str, Measurement]:
    """The line by finite volumes; the rings and the plane by particles."""
    measurements = {FALL: _fall()}
    for name, drift in ((LEADING, _ring_drift), (UNTILTED, lambda x: _ring_drift(x) - FORCE)):
        stream = generator(master, "claim", "zero-current", "ring", name)
        early, late = langevin(Density(score=drift), torch.zeros(RING_CHAINS, 1), RING_STEP, RING_TIMES, stream)[..., 0]
        measurements[name] = mean((late - early) / (RING_TIMES[1] - RING_TIMES[0]))

    stream = generator(master, "claim", "zero-current", "plane")
    at = torch.randn(PLANE_CHAINS, 2, generator=stream, dtype=torch.float64)
    swept = torch.zeros(PLANE_CHAINS, dtype=torch.float64)
    for _ in range(PLANE_STEPS):
        after = euler_maruyama(at, _rotating, math.sqrt(2), PLANE_STEP, 1, stream)
        swept += at[:, 0] * after[:, 1] - at[:, 1] * after[:, 0]
        at = after
    measurements[ROTATION] = mean(swept / (PLANE_STEP * PLANE_STEPS))
    return measurements | {STATED.format(what=what): measurements[what] for what in (LEADING, ROTATION)}


def _fall() -> Measurement:
    """Of the logarithm of the solver's current to the left through the face at 0, the middle one."""
    solver = fokker_planck.generator(gaussian(dim=1).score, 1.0, AXIS)
    laws = fokker_planck.evolve(solver, fokker_planck.masses(AXIS, START, 1.0), (EARLY, LATE))
    early, late = (-fokker_planck.current(solver, masses)[AXIS[2] // 2 - 1] for masses in laws)
    return Measurement(math.log(early / late) if early > late > 0 else math.nan)


def _rotating(at: Tensor) -> Tensor:
    """-x + w R x."""
    x, y = at.unbind(-1)
    return torch.stack([-x - OMEGA * y, -y + OMEGA * x], -1)
