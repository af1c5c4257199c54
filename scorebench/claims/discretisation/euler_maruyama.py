r"""Euler-Maruyama converges to its equation: strongly with order 1 for additive noise, 1/2 else; weakly with order 1.

Statement: x(t + h) = x(t) + h mu + sigma dW approximates the solution of dx = mu dt + sigma dW.

Prediction. At t = 1, with h = .1 and .05, on the same Brownian path as the exact solution.

**Additive noise**, dx = -x dt + sqrt(2) dW, x_0 = 1. Over a step the solution is x' = e^-h x + sqrt(2) I, I = int e^-(h - s) dW(s), Euler's X' = (1 - h) X
+ sqrt(2) D, D = W(h). (I, D) is Gaussian, Var I = (1 - e^-2h)/2, Var D = h, Cov = 1 - e^-h. (x, X) is a linear recursion, so that its first two moments,
and E (X - x)^2, follow in closed form: root mean square errors .0479 and .0235, computed below, and their ratio gives the strong order, near 1.

**Multiplicative noise**, dx = x dW, x_0 = 1: x(1) = exp(W(1) - 1/2), X' = X (1 + D). E X^2 = (1 + h)^n, E x^2 = e, and, since E (1 + D) e^(D - h/2) = 1 +
h, E X x = (1 + h)^n, too: E (X - x)^2 = e - (1 + h)^n, of order h: strong order 1/2. The square of X - x has a skewness of some 300 and a kurtosis of
10^5, by simulation: a mean of 200,000 has no quantile at 1e-7. But x^2 = e exp(2 W(1) - 2), and exp(2 W(1) - 2) is the density of the law of W(t) + 2t to
that of W (Cameron and Martin), so that E (X - x)^2 = e E (X/x - 1)^2 with increments D + 2h. There the skewness is some 20 and 4 at the two steps, .05 and
.01 in the mean: a false alarm of 1e-7 by the rule is one of 1e-6 at the most.

**Weak**: E X^2 - E x^2 of the first equation, in closed form; its ratio at the two steps gives order 1.

Measurement: 200,000 paths; the additive scheme is the project's own ULA, its noise given. Root mean squares have a standard error of .16 % (additive) and
.2 % (multiplicative), here `lib.langevin`'s scheme, which sees the increments of its solution; the weak errors are taken on the same path as the solution,
X^2 - x^2, which takes most of the noise out. An order is the log of the ratio of two counted errors: shown, not counted.

Reference: Kloeden and Platen (1992), theorems 10.2.2 and 14.1.5, chapter 16 for the change of measure; Higham (2001), sections 4 and 5.
"""

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import of_means
from scorebench.claims.lib.langevin import euler_maruyama
from scorebench.core.rng import generator
from scorebench.samplers.base import Density
from scorebench.samplers.ula import ULA

LABEL = "Euler-Maruyama approximates the SDE"
SOURCE = "Sampling Using Langevin Dynamics, before (158)"
QUOTE = "Euler-Maruyama 방법(Euler 방법)에 의해 SDE에 대한 근사 수치를 나타낼 수 있습니다."
TRANSLATION = "By the Euler-Maruyama method (Euler method) an approximate value of the SDE can be given."
STATEMENT = r"$x_{t+\Delta t} = x_t + \mu\,\Delta t + \sigma\,\Delta W$ approximates $dx = \mu\,dt + \sigma\,dW$"
EXPECTED = "reproduced"
REFERENCE = "Kloeden and Platen (1992), theorems 10.2.2 and 14.1.5"
LEADING = "strong error at h = 0.1, additive noise"

STEPS, PATHS = (10, 20), 200_000
ADDITIVE, MULTIPLICATIVE, WEAK = (
    "strong error at h = {h:g}, additive noise",
    "strong error at h = {h:g}, multiplicative noise",
    "weak error at h = {h:g}",
)
ORDERS = {ADDITIVE: "strong order, additive noise", MULTIPLICATIVE: "strong order, multiplicative noise", WEAK: "weak order"}


def predict() -> list[Prediction]:
    """Closed forms."""
    errors: dict[str, list[float]] = {ADDITIVE: [], MULTIPLICATIVE: [], WEAK: []}
    for n in STEPS:
        second = _second_moments(1 / n, n)
        errors[ADDITIVE].append(math.sqrt(second[0, 0] - 2 * second[0, 1] + second[1, 1]))
        errors[MULTIPLICATIVE].append(math.sqrt(math.e - (1 + 1 / n) ** n))
        errors[WEAK].append(second[1, 1] - second[0, 0])
    predictions = []
    for what, values in errors.items():
        predictions += [Prediction(what.format(h=1 / n), AS_WRITTEN, {"h": 1 / n}, "", v) for n, v in zip(STEPS, values, strict=True)]
        predictions.append(Prediction(ORDERS[what], IDENTITY, {}, "", math.log2(values[0] / values[1])))
    return predictions


def _covariance(h: float) -> np.ndarray:
    """Of (I, D)."""
    return np.array([[-math.expm1(-2 * h) / 2, -math.expm1(-h)], [-math.expm1(-h), h]])


def _second_moments(h: float, n: int) -> np.ndarray:
    """E of the products of (x, X) after n steps of h from 1."""
    rates = np.array([math.exp(-h), 1 - h])
    second = np.ones((2, 2))
    for _ in range(n):
        second = np.outer(rates, rates) * second + 2 * _covariance(h)
    return second


def measure(master: int) -> dict[str, Measurement]:
    """Solutions and schemes on the same paths; the coarse steps see the sums of the fine increments."""
    stream = generator(master, "claim", "euler-maruyama", "paths")
    fine = 1 / STEPS[1]
    factor = torch.from_numpy(np.linalg.cholesky(_covariance(fine)))
    noise = torch.randn(STEPS[1], PATHS, 2, generator=stream, dtype=torch.float64) @ factor.T  # (step, path, (I, D))
    increments = noise[..., 1]
    ou = one = torch.ones(PATHS, dtype=torch.float64)
    for own in noise[..., 0]:
        ou = math.exp(-fine) * ou + math.sqrt(2) * own
    columns: dict[str, list[Tensor]] = {ADDITIVE: [], MULTIPLICATIVE: [], WEAK: []}
    for n in STEPS:
        coarse = increments.unflatten(0, (n, -1)).sum(1)
        scheme = _ula(coarse)
        columns[ADDITIVE].append((scheme - ou).square())
        columns[WEAK].append(scheme.square() - ou.square())
        scheme, path = (
            euler_maruyama(start, drift, volatility, 1 / n, n, generator(master, "claim", "euler-maruyama", n))
            for start, drift, volatility in ((one, lambda x: 2 * x, lambda x: x), (0 * one, torch.zeros_like, torch.ones_like))
        )  # the same noise for both; the path is W
        columns[MULTIPLICATIVE].append(math.e * (scheme / (path + 1.5).exp() - 1).square())
    measurements = {}
    for what, pair in columns.items():
        both, power = torch.stack(pair, -1), 1.0 if what == WEAK else 0.5
        for k, n in enumerate(STEPS):
            measurements[what.format(h=1 / n)] = of_means(both[:, k : k + 1], partial(_root, power=power), "paths")
        measurements[ORDERS[what]] = of_means(both, partial(_order, power=power), "paths")
    return measurements


def _root(m: Tensor, power: float) -> Tensor:
    return m[0] ** power


def _order(m: Tensor, power: float) -> Tensor:
    return power * (m[0] / m[1]).log2()


def _ula(increments: Tensor) -> Tensor:
    """The project's own ULA of N(0, 1) from 1 with these Brownian increments (step, path), h = 1/steps."""
    h = torch.tensor([[1 / len(increments)]], dtype=torch.float64)
    sampler, density = ULA(h, torch.ones_like(h)), Density(score=lambda x: -x)
    state = sampler.init(torch.ones(1, 1, increments.shape[1], 1, dtype=torch.float64), density)
    for dw in increments:
        state, _ = sampler.step(state, density, (dw / h.sqrt())[..., None])
    return state.x.flatten()
