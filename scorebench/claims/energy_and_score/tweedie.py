r"""Tweedie's formula: what was noised is, in the mean, the noisy point and a multiple of the score there; a denoiser is a score.

Statement: for x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps, sqrt(abar) E[x_0 | x_t] = x_t + (1 - abar) grad log q(x_t).

Prediction. q(y | x) = N(y; sqrt(abar) x, 1 - abar), so that grad log q(y) = E[(sqrt(abar) x_0 - y)/(1 - abar) | y], which is the formula. p = .8 N(2, .25) +
.2 N(-2, .25), abar = 1/2. E[x_0 | x_t = y] by quadrature of x p(x) q(y|x) and p(x) q(y|x), in which no score stands:

    .9600 at y = 0,    1.8742 at y = 1,    -1.7500 at y = -1

and by quadrature, too, the least mean squared error of any denoiser, E (x_0 - E[x_0 | x_t])^2 = .4151 (the posterior variance).

Measurement. **Exact score**: of the project's own mixture, noised: x_t/sqrt(abar) has the law p * N(0, (1 - abar)/abar). **Draws**: the mean of x_0 over
400,000 exact draws, weighted by q(y|x_0): neither score nor quadrature. **A trained denoiser**: denoising score matching of the project's own MLP field at
sigma = 1, the same noise in units of sqrt(abar), on 100,000 draws. By how much a network is off at a point no derivation says; over 400,000 fresh draws its
mean squared error exceeds the least, as no denoiser's falls below, by .02 of it at the most: a bound, set before. The excess is the mean of (x_0 - x^)^2 - (x_0
- E[x_0 | x_t])^2, x^ the network's, the other by quadrature, so that what is wrong in the formula does not cancel: with another sign of the score x^ = 2 x_t/
sqrt(abar) - E[x_0 | x_t], a mean squared error of 6.6 times the least, without x_t 13.6 times. The exact score's mean squared error itself is the least.
The leading number has a standard error of .04 %: an error of .3 % is seen in 9 of 10 runs; the least one of .5 %: of 3 %.

Reference: Robbins (1956); Efron (2011), section 2; Luo (2022), eqs. 131-133.
"""

import math
from functools import cache

import numpy as np
import torch
from scipy.integrate import quad
from scipy.interpolate import CubicSpline
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, of_means
from scorebench.claims.lib.langevin import on_line
from scorebench.claims.lib.training import fit_one
from scorebench.core.rng import generator
from scorebench.core.spec import parse
from scorebench.models.base import score
from scorebench.suite.config import Training

LABEL = "Tweedie's formula yields the score"
SOURCE = "Score-based Generative Models, before (152)"
QUOTE = (
    r"VDM이 neural network인 $s_\theta(x_t, t)$를 통해 score function인 $\nabla \log{p(x_t)}$를 심플하게 예측할 수 있다는 것을 보여주었습니다. 다만 이것은 "
    r"Tweedie's Formula를 통해 예측한 값을 대입해준 것일 뿐"
)
TRANSLATION = (
    r"[We] showed that the VDM can predict the score function $\nabla\log p(x_t)$ simply, by a neural network $s_\theta(x_t,"
    r" t)$. But this only put in the value that Tweedie's formula predicts"
)
STATEMENT = r"Tweedie's formula yields the score: $\sqrt{\bar\alpha}\,E[x_0 \mid x_t] = x_t + (1-\bar\alpha)\,\nabla\log q(x_t)$"
EXPECTED = "reproduced"
REFERENCE = "Robbins (1956); Efron (2011), section 2; Luo (2022), eqs. 131-133"
LEADING = "E[x0 | xt = 1], by draws"
USES = {"model": ("mlp_score",), "loss": ("denoising",)}

PARTS, ABAR, POINTS, DRAWS = ((0.8, 2.0, 0.25), (0.2, -2.0, 0.25)), 0.5, (0.0, 1.0, -1.0), 400_000
SIGMA = math.sqrt((1 - ABAR) / ABAR)
TRAINING, RATE, EXCESS = Training(size=100_000, batch=512, steps=(1_500,)), 1e-2, 0.02
LEAST = "least mean squared error of a denoiser, by the exact score"
EXCESS_OF_LEAST = "excess of a trained denoiser's mean squared error over the least, in units of it, at most 0.02"


def _mean(y: float, by: str) -> str:
    return f"E[x0 | xt = {y:g}], by {by}"


def _posterior(y: float) -> tuple[float, float, float]:
    """Integrals of p(x) q(y|x), and of that times x and x^2."""

    def joint(x: float, power: int) -> float:
        p = sum(w * math.exp(-((x - m) ** 2) / (2 * v)) / math.sqrt(2 * math.pi * v) for w, m, v in PARTS)
        q = math.exp(-((y - math.sqrt(ABAR) * x) ** 2) / (2 * (1 - ABAR))) / math.sqrt(2 * math.pi * (1 - ABAR))
        return x**power * p * q

    return tuple(quad(joint, -9, 9, args=(k,), points=[-2.0, 0.0, 2.0], epsabs=0, epsrel=1e-10, limit=200)[0] for k in (0, 1, 2))


def predict() -> list[Prediction]:
    """Quadrature."""
    predictions = []
    for y in POINTS:
        mass, first, _ = _posterior(y)
        for by, tolerance in (("the exact score", 1e-5), ("draws", 0.0)):
            predictions.append(Prediction(_mean(y, by), AS_WRITTEN, {"x_t": y, "abar": ABAR}, "x", first / mass, tolerance))
    predictions.append(Prediction(LEAST, AS_WRITTEN, {"abar": ABAR}, "x^2", least_error()))
    return [*predictions, Prediction(EXCESS_OF_LEAST, AS_WRITTEN, {"abar": ABAR}, "", 0.0, EXCESS)]


@cache
def _by_quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Nodes x_t = y, and there the integrals of p(x) q(y|x) and of that times x and x^2 (3, node)."""
    nodes = np.linspace(-7, 7, 281)
    return nodes, np.array([_posterior(y) for y in nodes]).T


def least_error() -> float:
    """E Var(x_0 | y) over q(y): a smooth integrand, by the trapezoid rule."""
    nodes, (mass, first, second) = _by_quadrature()
    return float((second - first**2 / mass).sum() * (nodes[1] - nodes[0]))


def measure(master: int) -> dict[str, Measurement]:
    """The exact score, draws, and a network."""

    def stream(use: str) -> torch.Generator:
        return generator(master, "claim", "tweedie", use)

    target = on_line(*PARTS)
    model, loss = parse("model", "mlp_score:width=32"), parse("loss", f"denoising:sigma={SIGMA:g}")
    noised, network = target.perturbed(SIGMA), fit_one(target, model, loss, RATE, TRAINING, master, "tweedie")
    assert noised is not None and noised.score is not None
    y = torch.tensor(POINTS, dtype=torch.float64)[:, None]
    exact = denoised(noised.score(y / math.sqrt(ABAR)), y)
    x = target.sample(DRAWS, stream("draws")).double()
    measurements = {}
    for i, point in enumerate(POINTS):
        weight = (-(point - math.sqrt(ABAR) * x).square() / (2 * (1 - ABAR))).exp()
        measurements[_mean(point, "the exact score")] = Measurement(float(exact[i]))
        measurements[_mean(point, "draws")] = of_means(torch.cat([weight, weight * x], -1), lambda m: m[1] / m[0], "draws")
    noisy = math.sqrt(ABAR) * x + math.sqrt(1 - ABAR) * torch.randn(DRAWS, 1, generator=stream("noise"), dtype=torch.float64)
    guess, exact = (
        denoised(s.double(), noisy) for s in (score(network, (noisy / math.sqrt(ABAR)).float()), noised.score(noisy / math.sqrt(ABAR)))
    )
    nodes, (mass, first, _) = _by_quadrature()
    best = torch.from_numpy(CubicSpline(nodes, first / mass)(noisy.numpy()))
    measurements[LEAST] = mean((x - exact).square().flatten(), "draws")
    excess = (x - guess).square() - (x - best).square()
    return measurements | {EXCESS_OF_LEAST: mean(excess.flatten() / least_error(), "draws")}


def denoised(score: Tensor, y: Tensor) -> Tensor:
    """E[x_0 | x_t = y] from the score of x_t/sqrt(abar), of which that of x_t is 1/sqrt(abar)."""
    return (y + (1 - ABAR) * score / math.sqrt(ABAR)) / math.sqrt(ABAR)
