r"""J as printed tells how much probability flows, with the sign of a flow to the left.

Statement: J = grad V q + d(sigma^2 q)/dx is the probability current, which tells how much density flows at x. Of a way the article says nothing ("let us just
take it as denoting the bracket"), and its d_t q = d_x J is consistent. How much is tested as said; which way as a current is read, to the right where positive.

Prediction. The Fokker-Planck equation d_t q = d_x [V' q + sigma^2 q'] has the form of a law of conservation, d_t q = -d_x j, with j = -(V' q + sigma^2
q'): the mass right of x changes by d/dt P(X > x) = +j(x), by integration. So the current, which is positive where mass moves right, is j = -J. With V = x^2/2,
sigma = 1, from N(m_0, .1), the law is N(m, v), m = m_0 e^-t, v = .1 e^-2t + 1 - e^-2t, and J = (x - (x - m)/v) N(x; m, v):

    from N(5, .1), through 0:    J > 0 at all times;    P(X > 0) = Phi(m/sqrt v) is .9999 at t = .5, .8732 at 1.5: .1267 flows to the left
    from N(0, .1), through 1:    J < 0 at all times;    P(X > 1) is .0256 at t = .1, .1459 at 1.1: .1203 flows to the right

How much flows is the integral of |J| over these times: it holds. Which way is not: it is to the left where J > 0 and to the right where J < 0, so that what
flows, counted in the direction of J, is not at least 0. (At the steady state all vanish, so that the sign changes nothing there.)

Measurement. The project's own ULA, h = .005, 250,000 chains each, the same chains at both times, so that the change of their share has the standard error of
paired numbers, .53 and .63 %: with Euler's gap, 1 and .2 %, as the tolerance an error of 4.5 % is seen in 9 of 10 runs. Counted in the direction of J that
change is 150 standard errors from 0.

Reference: Risken (1989), section 4.1, eq. 4.46; Pavliotis (2014), section 4.1.
"""

import math
from typing import NamedTuple

from scipy.stats import norm

from scorebench.claims.base import Measurement, Prediction
from scorebench.claims.lib.estimates import mean
from scorebench.claims.lib.langevin import langevin, normal, ou_euler_law, ou_law
from scorebench.core.rng import generator
from scorebench.targets.gaussian import gaussian

LABEL = "J as printed is the flow of probability"
SOURCE = "Steady State of Langevin Dynamics, below the equation with J"
QUOTE = (
    r"여기서 J는 Probability current(확률 흐름)이라고 하며, 임의의 공간 x에 대한 확률밀도의 흐름의 정도를 나타내는 값입니다. 그냥 $ "
    r"\bigg[\nabla V(x)q_\infty(x)+\frac{\partial}{\partial x}[\sigma^2q_\infty(x)]\bigg]$를 나타내는 정도로만 이해합시다."
)
TRANSLATION = (
    r"Here $J$ is called the probability current, a value that tells how much probability density flows at any place $x$. Let us just take "
    r"it as denoting $\bigg[\nabla V(x)q_\infty(x)+\frac{\partial}{\partial x}[\sigma^2q_\infty(x)]\bigg]$."
)
STATEMENT = (
    r"$J(x) = \nabla V(x)\,q(x) + \frac{\partial}{\partial x}\left[\sigma^2 q(x)\right]$ is the probability current: it tells how much flows at $x$ "
    r"and, read as a current is, which way (to the right where $J > 0$; the article names no way)"
)
CORRECTION = r"how much, yes; to the right flows $j = -J = -\nabla V\,q - \sigma^2\,\partial_x q$: $\frac{d}{dt} P(X > x) = j(x)$"
EXPECTED = "qualified"
HOW_MUCH, WHICH_WAY = "how much", "which way"
CONDITIONS = {"how much": True, "which way": False}
REFERENCE = "Risken (1989), section 4.1"
LEADING = "what flows through 0 from t = 0.5 to 1.5, from N(5, 0.1)"

VARIANCE, STEP_SIZE, CHAINS = 0.1, 0.005, 250_000


class Flow(NamedTuple):
    """Through a place, between two times."""

    mean: float
    through: float
    times: tuple[float, float]
    j: int
    """The sign of J there, all the time."""


FLOWS = {
    LEADING: Flow(5.0, 0.0, (0.5, 1.5), 1),
    "what flows through 1 from t = 0.1 to 1.1, from N(0, 0.1)": Flow(0.0, 1.0, (0.1, 1.1), -1),
}


def _way(name: str) -> str:
    return f"{name}, in the direction of J, at least 0"


def predict() -> list[Prediction]:
    """Closed forms; the integral of J is the change of a share."""
    predictions = []
    for name, flow in FLOWS.items():
        exact, euler = (
            abs(float(late - early))
            for early, late in (
                [norm.sf(flow.through, m, math.sqrt(v)) for m, v in laws]
                for laws in (
                    [ou_law(t, flow.mean, VARIANCE) for t in flow.times],
                    [ou_euler_law(STEP_SIZE, round(t / STEP_SIZE), flow.mean, VARIANCE) for t in flow.times],
                )
            )
        )
        predictions.append(Prediction(name, HOW_MUCH, {"x": flow.through}, "", exact, abs(exact - euler)))
        predictions.append(Prediction(_way(name), WHICH_WAY, {"x": flow.through}, "", 0.0))
    return predictions


def measure(master: int) -> dict[str, Measurement]:
    """Particles that pass a place."""
    measurements = {}
    for name, flow in FLOWS.items():
        starts, stream = (generator(master, "claim", "current-sign", name, use) for use in ("start", "sample"))
        start = normal(flow.mean, VARIANCE).sample(CHAINS, starts)
        early, late = langevin(gaussian(dim=1), start, STEP_SIZE, flow.times, stream)[..., 0] > flow.through
        change = mean(late.double() - early.double())
        measurements[name] = change._replace(measured=abs(change.measured))
        measurements[_way(name)] = change._replace(measured=change.measured * flow.j)
    return measurements
