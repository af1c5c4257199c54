r"""The force on a Brownian particle is white noise; a Gaussian number at each time would not move it.

Statement: m x'' = -lambda x' + eta, with eta(t) ~ N(0, 2 sigma^2) at each time t.

Prediction. Read as an equation: a random number of finite variance at every time, independent of the others. On steps of h, v' = v + h/m (-lambda v +
eta), eta ~ N(0, 2 sigma^2): with a = 1 - lambda h/m the stationary variance of v is

    (h/m)^2 2 sigma^2/(1 - a^2) = h sigma^2/(lambda m) / (1 - lambda h/(2m)),

which goes to 0 with h: averaged over more and more independent numbers, the force vanishes. What is meant is white noise, E eta(t) eta(s) = 2 sigma^2
delta(t - s): m dv = -lambda v dt + sqrt(2) sigma dW, a process of Ornstein and Uhlenbeck with tau = m/lambda, of which

    Var v = sigma^2/(lambda m),    corr(v(0), v(t)) = e^(-t/tau),    E (x(t) - x(0))^2 = 2 Var v tau^2 (t/tau - 1 + e^(-t/tau)).

m = .5, lambda = 2, sigma = 1: 1; e^-1 = .368 at t = .25; .3773 at t = 1. Literally read Var v is .125 at h = .1 and .0102 at h = .01. The statement is of
time, not of steps: the velocity should not know h, and the two variances be alike, where they are as 12.25 to 1. (That m is called the velocity is a slip
of the pen.)

Measurement: Euler-Maruyama in float64, h = .0025, 100,000 particles from v = 0 over 2 (8 tau), then over 1. Euler's law is known: stationary variance
Var v/(1 - lambda h/(2m)), correlation a^k, and the displacement from both; the gaps, .51 % or less, are the tolerances. The literal reading: 100,000
particles, 200 steps at h = .1, 600 at h = .01. Standard error of a variance .45 %: an error of 3 % is seen in 9 of 10 runs.

Reference: Uhlenbeck and Ornstein (1930), eqs. 7-10; Pavliotis (2014), section 6.1.
"""

import math

import torch
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import moments, of_means, variance
from scorebench.claims.lib.langevin import euler_maruyama
from scorebench.core.rng import generator

LABEL = "Langevin's noise at a time has variance 2σ²"
SOURCE = "Langevin Dynamics, below its first equation"
QUOTE = r"$\eta \sim \mathcal{N}(0,2\sigma^2)$는 Gaussian noise입니다."
TRANSLATION = r"$\eta \sim \mathcal{N}(0, 2\sigma^2)$ is Gaussian noise."
STATEMENT = r"$m\,\ddot x = -\lambda\,\dot x + \eta(t)$ with $\eta(t) \sim \mathcal{N}(0, 2\sigma^2)$ at each time"
CORRECTION = (
    r"$\eta$ is white noise, $E\,\eta(t)\,\eta(s) = 2\sigma^2\,\delta(t-s)$; with independent numbers of that variance "
    r"$\text{Var}\,v \to 0$ as the step falls"
)
EXPECTED = "refuted"
REFERENCE = "Uhlenbeck and Ornstein (1930)"
LEADING = "variance of v, white noise"

MASS, FRICTION, SIGMA = 0.5, 2.0, 1.0
TAU, EQUIPARTITION = MASS / FRICTION, SIGMA**2 / (FRICTION * MASS)
STEP_SIZE, BEFORE, LAG, LATER, PARTICLES = 0.0025, 2.0, 0.25, 1.0, 100_000
CORRELATION, DISPLACEMENT = f"correlation of v over {LAG:g}", f"mean square displacement over {LATER:g}"
LITERAL_STEPS = {0.1: 200, 0.01: 600}
LITERAL = "variance of v, independent numbers on steps of {h:g}"
RATIO = "variance of v, independent numbers on steps of 0.1 over that on steps of 0.01"


def predict() -> list[Prediction]:
    """Closed forms; the tolerance is Euler's known gap."""
    k = LATER / TAU
    displacement = 2 * EQUIPARTITION * TAU**2 * (k - 1 + math.exp(-k))
    euler = _euler()
    predictions = [
        Prediction(LEADING, CORRECTED, {}, "v^2", EQUIPARTITION, abs(EQUIPARTITION - euler[0]) + math.exp(-2 * BEFORE / TAU)),
        Prediction(CORRELATION, CORRECTED, {"t": LAG}, "", math.exp(-LAG / TAU), abs(math.exp(-LAG / TAU) - euler[1])),
        Prediction(DISPLACEMENT, CORRECTED, {"t": LATER}, "x^2", displacement, abs(displacement - euler[2])),
    ]
    for h in LITERAL_STEPS:
        value = h * EQUIPARTITION / (1 - h / (2 * TAU))
        predictions.append(Prediction(LITERAL.format(h=h), CORRECTED, {"h": h}, "v^2", value))
    return [*predictions, Prediction(RATIO, AS_WRITTEN, {}, "", 1.0)]


def _euler() -> tuple[float, float, float]:
    """Variance, correlation and displacement of the scheme: E (sum_j h v_j)^2 over n steps with correlations a^|i - j|."""
    a, n = 1 - STEP_SIZE / TAU, round(LATER / STEP_SIZE)
    spread = EQUIPARTITION / (1 - STEP_SIZE / (2 * TAU))
    pairs = n + 2 * sum((n - k) * a**k for k in range(1, n))
    return spread, a ** round(LAG / STEP_SIZE), STEP_SIZE**2 * spread * pairs


def measure(master: int) -> dict[str, Measurement]:
    """White noise, then the literal reading at two steps."""

    def stream(use: object) -> torch.Generator:
        return generator(master, "claim", "newton-langevin", use)

    def forward(state: Tensor, time: float, noise: torch.Generator) -> Tensor:
        return euler_maruyama(state, _drift, kick, STEP_SIZE, round(time / STEP_SIZE), noise)

    kick = torch.tensor([0.0, math.sqrt(2) * SIGMA / MASS], dtype=torch.float64)
    noise = stream("white")
    start = forward(torch.zeros(PARTICLES, 2, dtype=torch.float64), BEFORE, noise)  # (particle, (x, v))
    middle = forward(start, LAG, noise)
    end = forward(middle, LATER - LAG, noise)
    v, later = start[:, 1], middle[:, 1]
    measurements = {
        LEADING: variance(v, "particles"),
        CORRELATION: of_means(torch.stack([v * later, v.square(), later.square()], -1), lambda m: m[0] / (m[1] * m[2]).sqrt(), "particles"),
        DISPLACEMENT: of_means(moments(end[:, 0] - start[:, 0]), lambda m: m[1], "particles"),
    }
    for h, steps in LITERAL_STEPS.items():
        # eta is a number and not an increment: no square root of h. euler_maruyama has one, so it is given eta/sqrt(h) h.
        still = torch.zeros(PARTICLES, dtype=torch.float64)
        v = euler_maruyama(still, lambda v: -v / TAU, math.sqrt(h) * math.sqrt(2) * SIGMA / MASS, h, steps, stream(h))
        measurements[LITERAL.format(h=h)] = variance(v, "particles")
    coarse, fine = (measurements[LITERAL.format(h=h)] for h in LITERAL_STEPS)
    ratio = coarse.measured / fine.measured
    error = ratio * math.hypot(coarse.standard_error / coarse.measured, fine.standard_error / fine.measured)
    return measurements | {RATIO: Measurement(ratio, error, PARTICLES, "particles")}


def _drift(state: Tensor) -> Tensor:
    """X' = v, v' = -v/tau."""
    v = state[..., 1]
    return torch.stack([v, -v / TAU], -1)
