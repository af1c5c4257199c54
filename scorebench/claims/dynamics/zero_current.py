r"""The steady current is zero where nothing can flow round: on a line without flux at its ends, not on a ring, nor round a rotating drift.

Statement: as t grows d_t q -> 0, so that dJ/dx = 0; the value of J goes to 0, too, and so J = 0 everywhere. (Printed is the value of q_inf, which
no density's is: a slip, read as J.)

Prediction. d_t q = 0 gives dJ/dx = 0: J is constant, which is not zero.

**On the line** no mass leaves at infinity, J there is 0, and so everywhere. On the way: from N(m_0, 1), V = x^2/2, T = 1, the law is N(m_0 e^-t, 1), whose
current at x = 0 is j = -m e^(-m^2/2)/sqrt(2 pi), m = m_0 e^-t: log j falls from t = 3 to 5 by 2 + (m_5^2 - m_3^2)/2 (the spectral gap, 1, a unit
of time). In the double well, V = (x^2 - 1)^2, from N(1, .01), the mass right of 0 by the spectrum of the operator (`lib.spectral`) falls by .134 from t
= 1 to 2; the current there is minus its derivative, whose logarithm falls by 1.4974 from t = 3 to 5, twice the spectral gap. (That the finite volumes' own
steady state has no current on a line is how they are made: it is not asked.)

**On a ring**, drift f - V' with V = cos x, f = 1, T = 1, the steady state carries a current round and round (Stratonovich 1958):

    J = T (1 - e^(-2 pi f/T)) / int_0^(2 pi) dx int_x^(x + 2 pi) dy e^((U(y) - U(x))/T),    U = cos x - f x,

by quadrature; the mean velocity is 2 pi J. As stated it is 0.

**In the plane**, drift -x + w R x, R the rotation by 90 degrees, w = 1: x' R x = 0, so that N(0, I) is still the steady state (its density does not see
w), while E [x dy - y dx]/dt = w E |x|^2 = 2 w. As stated it is 0. "dJ/dx = 0, hence J = 0" needs detailed balance.

Measurement. Line: the finite-volume solver, 800 cells and 400, tolerance 2e-3; particles by the project's own ULA, h = .01, 250,000 chains, the same at
both times, Euler's kernel gives the tolerance. Ring: the project's own ULA, h = .02, 8,000 chains over t = 60 after t = 5, the mean displacement by time;
Euler's own mean velocity comes from its transition kernel on the circle (400 nodes, exact to rounding), the gap is the tolerance. Plane: Euler-Maruyama, h
= .01, 32,000 chains over 100 steps from N(0, I), the mean of x dy - y dx; Euler's stationary variance 2/(2 - h(1 + w^2)) gives the tolerance, 1 % of the
value. Beyond the tolerance an error of 3 % on the ring, of 6 % on the line and in the plane, is seen in 9 of 10 runs.

Reference: Risken (1989), sections 5.2 and 11.3; Pavliotis (2014), section 4.6; Stratonovich (1958).
"""

import math

import numpy as np
import torch
from scipy.integrate import dblquad
from scipy.stats import norm
from torch import Tensor

from scorebench.claims.base import CORRECTED, Measurement, Prediction
from scorebench.claims.lib import fokker_planck
from scorebench.claims.lib.estimates import mean
from scorebench.claims.lib.langevin import euler_kernel, euler_maruyama, gaussian_density, langevin, normal
from scorebench.claims.lib.spectral import spectrum
from scorebench.core.rng import generator
from scorebench.samplers.base import Density
from scorebench.targets.base import Target
from scorebench.targets.double_well import double_well

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
CORRECTION = "$J$ is constant, and $0$ where none flows at infinity and the drift is a gradient: not on a ring or with a rotation"
EXPECTED = "qualified"
LINE, ROUND = "on a line", "where mass can go round"
CONDITIONS = {"on a line": True, "where mass can go round": False}
REFERENCE = "Risken (1989), sections 5.2 and 11.3; Pavliotis (2014), section 4.6"
LEADING = "mean velocity on the tilted ring"

START, EARLY, LATE = 1.0, 3.0, 5.0
AXIS, NUMERICAL = (-8.0, 8.0, 800), 2e-3
FALL, WELL_FALL = (
    "fall of the log current at x = 0 from t = 3 to 5, V = x^2/2",
    "fall of the log current at x = 0 from t = 3 to 5, double well",
)
PASSED = "change of P(X > 0) from t = 1 to 2, double well"
WELL_LAW, WELL_AXIS, WELL_TIMES, WELL_STEP, WELL_CHAINS = (1.0, 0.01), (-3.2, 3.2, 400), (1.0, 2.0), 0.01, 250_000
FORCE, RING_STEP, RING_TIMES, RING_CHAINS = 1.0, 0.02, (5.0, 65.0), 8_000
OMEGA, PLANE_STEP, PLANE_STEPS, PLANE_CHAINS = 1.0, 0.01, 100, 32_000
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
    predictions = [
        Prediction(FALL, LINE, {}, "", LATE - EARLY + (late**2 - early**2) / 2, NUMERICAL),
        *_well(),
    ]
    for what, unit, value, tolerance in (
        (LEADING, "x/t", velocity, gap),
        (ROTATION, "x^2/t", 2 * OMEGA, 2 * OMEGA * (spread - 1)),
    ):
        predictions.append(Prediction(what, CORRECTED, {}, unit, value, tolerance))
        predictions.append(Prediction(STATED.format(what=what), ROUND, {}, unit, 0.0))
    return predictions


def _well() -> list[Prediction]:
    """The double well, by its spectrum; the current at 0 by the difference of two masses right of it."""
    exact = spectrum(lambda x: (x * x - 1) ** 2, _well_slope, lambda x: 12 * x * x - 4, 1.0, 3.2, 201)
    start, apart = gaussian_density(exact.nodes, *WELL_LAW), 1e-3
    near = [t + sign * apart for t in (EARLY, LATE) for sign in (-1, 1)]
    shares = exact.above(exact.laws(start, [*near, *WELL_TIMES]))
    kernel = euler_kernel(lambda x: -_well_slope(x), WELL_STEP, exact.nodes)
    of_scheme = exact.above(np.stack([np.linalg.matrix_power(kernel, round(t / WELL_STEP)) @ start for t in WELL_TIMES]))
    fall = math.log((shares[1] - shares[0]) / (shares[3] - shares[2]))
    passed, by_scheme = shares[5] - shares[4], of_scheme[1] - of_scheme[0]
    return [
        Prediction(WELL_FALL, LINE, {}, "", fall, NUMERICAL),
        Prediction(PASSED, LINE, {}, "", float(passed), float(abs(passed - by_scheme))),
    ]


def _well_slope(x: np.ndarray) -> np.ndarray:
    return 4 * x * (x * x - 1)


def _stratonovich() -> float:
    def potential(x: float) -> float:
        return math.cos(x) - FORCE * x

    integral, _ = dblquad(
        lambda y, x: math.exp(potential(y) - potential(x)), 0, 2 * math.pi, lambda x: x, lambda x: x + 2 * math.pi, epsrel=1e-10
    )
    return (1 - math.exp(-2 * math.pi * FORCE)) / integral


def _euler_velocity(nodes: int = 400) -> float:
    """Mean of the drift under Euler's stationary law on the circle; sums over equally spaced nodes converge geometrically."""
    x = 2 * math.pi * np.arange(nodes) / nodes
    drift = FORCE + np.sin(x)
    gaps = x[:, None] - (x + RING_STEP * drift) + 2 * math.pi * np.arange(-2, 3)[:, None, None]
    kernel = norm.pdf(gaps, 0, math.sqrt(2 * RING_STEP)).sum(0)  # to, from
    kernel /= kernel.sum(0)
    values, vectors = np.linalg.eig(kernel)
    law = np.real(vectors[:, np.argmax(values.real)])
    return float(drift @ law / law.sum())


def measure(master: int) -> dict[str, Measurement]:
    """The line by finite volumes; the ring and the plane by particles."""
    well = double_well()
    measurements = {
        FALL: _fall(normal(0.0, 1.0), AXIS, (START, 1.0)),
        WELL_FALL: _fall(well, WELL_AXIS, WELL_LAW),
    }
    stream = generator(master, "claim", "zero-current", "well")
    first, second = langevin(well, normal(*WELL_LAW).sample(WELL_CHAINS, stream), WELL_STEP, WELL_TIMES, stream)[..., 0] > 0
    measurements[PASSED] = mean(second.double() - first.double())

    stream = generator(master, "claim", "zero-current", "ring")
    early, late = langevin(Density(score=_ring_drift), torch.zeros(RING_CHAINS, 1), RING_STEP, RING_TIMES, stream)[..., 0]
    measurements[LEADING] = mean((late - early) / (RING_TIMES[1] - RING_TIMES[0]))

    stream = generator(master, "claim", "zero-current", "plane")
    at = torch.randn(PLANE_CHAINS, 2, generator=stream, dtype=torch.float64)
    swept = torch.zeros(PLANE_CHAINS, dtype=torch.float64)
    for _ in range(PLANE_STEPS):
        after = euler_maruyama(at, _rotating, math.sqrt(2), PLANE_STEP, 1, stream)
        swept += at[:, 0] * after[:, 1] - at[:, 1] * after[:, 0]
        at = after
    measurements[ROTATION] = mean(swept / (PLANE_STEP * PLANE_STEPS))
    return measurements | {STATED.format(what=what): measurements[what] for what in (LEADING, ROTATION)}


def _fall(target: Target, axis: fokker_planck.Axis, law: tuple[float, float]) -> Measurement:
    """Of the logarithm of the solver's current to the left through the face at 0, from N(mean, variance)."""
    edges = np.linspace(axis[0], axis[1], axis[2] + 1)
    solver = fokker_planck.generator(target.score, 1.0, axis)
    laws = fokker_planck.evolve(solver, np.diff(norm.cdf(edges, law[0], math.sqrt(law[1]))), (EARLY, LATE))
    early, late = (-fokker_planck.current(solver, masses)[int(np.abs(edges[1:-1]).argmin())] for masses in laws)
    return Measurement(math.log(early / late) if early > late > 0 else math.nan)


def _rotating(at: Tensor) -> Tensor:
    """-x + w R x."""
    x, y = at.unbind(-1)
    return torch.stack([-x - OMEGA * y, -y + OMEGA * x], -1)
