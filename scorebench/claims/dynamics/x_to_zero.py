r"""In Langevin dynamics the law of x converges, x does not.

Statement: as t grows x converges to 0, so that the graph's slope becomes 0 and d_t q = 0. Two readings: x itself comes to rest at 0; the density q does, as
the second sentence says. One criterion for both, set beforehand: over a unit of time from t = 5 the move is a tenth of that from t = 1 at most, of x in
the mean square, of the density in the square of its distance to the later one (Wasserstein's: the least mean square move that carries one to the other).

Prediction. dx = -x dt + sqrt(2) dW from N(5, .1), sigma = 1, is the process of Ornstein and Uhlenbeck: x(t) = e^-t x(0) + sqrt(2) int_0^t e^-(t-s) dW(s)
is Gaussian with

    mean 5 e^-t,    variance .1 e^-2t + 1 - e^-2t,    E (x(t + 1) - x(t))^2 = (1 - 1/e)^2 E x(t)^2 + 1 - e^-2.

The density settles: its move, (difference of means)^2 + (difference of standard deviations)^2, falls from 1.355 to .00045, by e^-8. The path does not: 2.567
and 1.265, as in the steady state, 2 (1 - 1/e). Did x converge to 0, its variance would fall, too; it grows, from .878 at t = 1 to 1.000 at t = 5. What
goes to 0 is the mean: 1.839 at t = 1, .677 at t = 2.

Measurement: the project's own ULA with h = .01, 100,000 chains. Euler's moments are known, too, and the gaps between them and the equation's the
tolerances, 1.01 % or less. Mean squares and variances have a standard error of .45 % or less: an error of 4 % is seen in 9 of 10 runs. Ratios of moves and
the fall of the variance are functions of means over the same chains: .0003, .493 +- .003 and -.122 +- .006.

Reference: Pavliotis (2014), section 3.4; Uhlenbeck and Ornstein (1930).
"""

import math

import torch
from torch import Tensor

from scorebench.claims.base import CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, moments, of_means, variance
from scorebench.claims.lib.langevin import langevin, normal, ou_euler_law, ou_law
from scorebench.core.rng import generator
from scorebench.targets.gaussian import gaussian

LABEL = "x converges to 0 as t grows"
SOURCE = "Steady State of Langevin Dynamics, below the figure of the density over time"
QUOTE = (
    r"그림을 보면, t가 커짐에 따라 x가 0으로 수렴하게 됩니다. 이때 그래프의 기울기는 0이 될테니 "
    r"$\frac{\partial}{\partial t}q(x,t)=0$이되겠죠?"
)
TRANSLATION = (
    r"In the figure, as $t$ grows $x$ converges to 0. The slope of the graph will then be 0, so "
    r"$\frac{\partial}{\partial t}q(x,t)=0$, won't it?"
)
STATEMENT = r"as $t \to \infty$ Langevin dynamics comes to rest: $x \to 0$ for $V = x^2/2$, and $\partial_t q \to 0$"
CORRECTION = r"$x(t)$ converges in law, to $\mathcal{N}(0, 1)$; its mean goes to $0$, its variance to $\sigma^2 = 1$"
EXPECTED = "qualified"
DENSITY, PATH = "the density", "x itself"
CONDITIONS = {"the density": True, "x itself": False}
REFERENCE = "Pavliotis (2014), section 3.4"
LEADING = "mean square move of x from t = 5 to 6"

MEAN, VARIANCE = 5.0, 0.1
EARLY, LATE, STEP_SIZE, CHAINS = 1.0, 5.0, 0.01, 100_000
TIMES = (EARLY, EARLY + 1, LATE, LATE + 1)
REST = 0.1
SETTLES = f"move of {{}} from t = {LATE:g} over that from t = {EARLY:g}, at most {REST:g}"
NARROWS = f"fall of the variance from t = {EARLY:g} to {LATE:g}, at least 0"


def _move(t: float) -> str:
    return f"mean square move of x from t = {t:g} to {t + 1:g}"


def predict() -> list[Prediction]:
    """Closed forms."""
    steps = round(1 / STEP_SIZE)
    predictions = [Prediction(SETTLES.format(what), what, {}, "", 0.0, REST) for what in (DENSITY, PATH)]
    predictions.append(Prediction(NARROWS, PATH, {}, "x^2", 0.0))
    for t in TIMES[:-1]:
        laws = ou_law(t, MEAN, VARIANCE), ou_euler_law(STEP_SIZE, round(t * steps), MEAN, VARIANCE)
        gaps, setting = [abs(a - b) for a, b in zip(*laws, strict=True)], {"t": t}
        if t < LATE:
            predictions.append(Prediction(f"mean at t = {t:g}", CORRECTED, setting, "x", laws[0][0], gaps[0]))
        predictions.append(Prediction(f"variance at t = {t:g}", CORRECTED, setting, "x^2", laws[0][1], gaps[1]))
        if t in (EARLY, LATE):
            ways = zip(
                laws, ((math.exp(-1), ou_law(1, 0, 0)[1]), ((1 - STEP_SIZE) ** steps, ou_euler_law(STEP_SIZE, steps, 0, 0)[1])), strict=True
            )
            true, euler = ((1 - left) ** 2 * (m * m + v) + added for (m, v), (left, added) in ways)
            predictions.append(Prediction(_move(t), CORRECTED, setting, "x^2", true, abs(true - euler)))
    return predictions


def measure(master: int) -> dict[str, Measurement]:
    """One run of ULA, looked at four times."""
    starts, stream = (generator(master, "claim", "x-to-zero", use) for use in ("start", "sample"))
    start = normal(MEAN, VARIANCE).sample(CHAINS, starts)
    paths = dict(zip(TIMES, langevin(gaussian(dim=1), start, STEP_SIZE, TIMES, stream)[..., 0].double(), strict=True))
    measurements, moves = {}, {t: (paths[t + 1] - paths[t]).square() for t in (EARLY, LATE)}
    for t in TIMES[:-1]:
        if t < LATE:
            measurements[f"mean at t = {t:g}"] = mean(paths[t])
        measurements[f"variance at t = {t:g}"] = variance(paths[t])
    for t, move in moves.items():
        measurements[_move(t)] = mean(move)
    laws = torch.cat([moments(x) for x in paths.values()], -1)
    measurements[SETTLES.format(PATH)] = of_means(torch.stack(list(moves.values()), -1), lambda m: m[1] / m[0])
    measurements[SETTLES.format(DENSITY)] = of_means(laws, _of_density)
    return measurements | {NARROWS: of_means(laws, lambda m: _variances(m)[0] - _variances(m)[2])}


def _variances(m: Tensor) -> Tensor:
    """At each of the times, of E x, E x^2 at one after the other."""
    return m[1::2] - m[::2].square()


def _of_density(m: Tensor) -> Tensor:
    """The late move over the early one, of the same."""
    moves = m[::2].diff().square() + _variances(m).sqrt().diff().square()
    return moves[2] / moves[0]
