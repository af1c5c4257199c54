r"""J as printed is minus the flow of probability.

Statement: J = grad V q + d(sigma^2 q)/dx is the probability current, the flow of probability density at x.

Prediction. The Fokker-Planck equation d_t q = d_x [V' q + sigma^2 q'] has the form of a law of conservation, d_t q = -d_x j, with j = -(V' q + sigma^2
q'): the mass right of x changes by d/dt P(X > x) = +j(x), by integration. So the current, which is positive where mass moves right, is j = -J. From N(5, .1),
V = x^2/2, sigma = 1, the law is N(m, v), m = 5 e^-t, v = .1 e^-2t + 1 - e^-2t, and

    P(X > 0) = Phi(m/sqrt v) falls: mass moves left through 0;        J(0, t) = q'(0, t) = m/v N(0; m, v) = +.130 at t = 1.

As printed the share right of 0 would rise by int J dt = -(Phi(m/sqrt v) at t = 1.5 less at t = .5), while it falls by as much. (At the steady state both
vanish, so that the slip changes nothing there.)

Measurement. Particles: the project's own ULA, h = .005, 600,000 chains, the same chains at both times, so that the change of their share has the standard
error of paired numbers, .4 %: an error of 3 % is seen in 9 of 10 runs. Euler's law gives the tolerance. The current itself by the finite-volume solver,
800 cells: second order, tolerance 1e-3.

Reference: Risken (1989), section 4.1, eq. 4.46; Pavliotis (2014), section 4.1.
"""

import math

import numpy as np
from scipy.stats import norm

from scorebench.claims.base import AS_WRITTEN, CORRECTED, Measurement, Prediction
from scorebench.claims.lib import fokker_planck
from scorebench.claims.lib.estimates import mean
from scorebench.claims.lib.langevin import langevin, normal, ou_euler_law, ou_law
from scorebench.core.rng import generator
from scorebench.targets.gaussian import gaussian

LABEL = "J as printed is the flow of probability"
SOURCE = "Steady State of Langevin Dynamics, below the equation with J"
QUOTE = "여기서 J는 Probability current(확률 흐름)이라고 하며, 임의의 공간 x에 대한 확률밀도의 흐름의 정도를 나타내는 값입니다."
TRANSLATION = "Here $J$ is called the probability current, a value that tells how much probability density flows at any place $x$."
STATEMENT = r"$J(x) = \nabla V(x)\,q(x) + \frac{\partial}{\partial x}\left[\sigma^2 q(x)\right]$ is the flow of probability"
CORRECTION = r"$j = -J = -\nabla V\,q - \sigma^2\,\partial_x q$ is: $\frac{d}{dt} P(X > x) = j(x)$"
EXPECTED = "refuted"
REFERENCE = "Risken (1989), section 4.1"
LEADING = "change of P(X > 0) from t = 0.5 to 1.5"

MEAN, VARIANCE, TIMES = 5.0, 0.1, (0.5, 1.5)
STEP_SIZE, CHAINS = 0.005, 600_000
AXIS, NUMERICAL = (-8.0, 12.0, 800), 1e-3
AS_PRINTED, FLOW, FLOW_AS_PRINTED = f"{LEADING}, by J", "flow to the right through 0 at t = 1", "flow to the right through 0 at t = 1, by J"


def predict() -> list[Prediction]:
    """Closed forms."""
    exact, euler = (
        np.diff([norm.cdf(m / math.sqrt(v)) for m, v in laws])[0]
        for laws in (
            [ou_law(t, MEAN, VARIANCE) for t in TIMES],
            [ou_euler_law(STEP_SIZE, round(t / STEP_SIZE), MEAN, VARIANCE) for t in TIMES],
        )
    )
    m, v = ou_law(1.0, MEAN, VARIANCE)
    j = m / v * norm.pdf(0, m, math.sqrt(v))
    gap = abs(exact - euler)
    return [
        Prediction(LEADING, CORRECTED, {}, "", float(exact), float(gap)),
        Prediction(AS_PRINTED, AS_WRITTEN, {}, "", -float(exact), float(gap)),
        Prediction(FLOW, CORRECTED, {}, "1/t", -float(j), NUMERICAL),
        Prediction(FLOW_AS_PRINTED, AS_WRITTEN, {}, "1/t", float(j), NUMERICAL),
    ]


def measure(master: int) -> dict[str, Measurement]:
    """Particles that pass 0, and the solver's current through the face at 0."""
    starts, stream = (generator(master, "claim", "current-sign", use) for use in ("start", "sample"))
    start = normal(MEAN, VARIANCE).sample(CHAINS, starts)
    early, late = langevin(gaussian(dim=1), start, STEP_SIZE, TIMES, stream)[..., 0] > 0
    change = mean(late.double() - early.double())

    edges = np.linspace(AXIS[0], AXIS[1], AXIS[2] + 1)
    masses = np.diff(norm.cdf(edges, MEAN, math.sqrt(VARIANCE)))
    generator_ = fokker_planck.generator(lambda x: -x, 1.0, AXIS)
    (later,) = fokker_planck.evolve(generator_, masses, [1.0])
    face = int(np.abs(edges[1:-1]).argmin())
    flow = Measurement(float(fokker_planck.current(generator_, later)[face]))
    return {LEADING: change, AS_PRINTED: change, FLOW: flow, FLOW_AS_PRINTED: flow}
