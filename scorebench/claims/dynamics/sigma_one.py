r"""At noise sigma the Langevin equation samples p^(1/sigma^2), so that it samples p at sigma = 1 alone.

Statement: dx = grad log p dt + sqrt(2) sigma dW draws samples of p.

Prediction. It is Langevin's equation at temperature T = sigma^2 with V = -log p, whose steady state is exp(-V/T)/Z, that is p^(1/T) up to its constant. For
p = .8 N(-5, 1) + .2 N(5, 1) the share right of 0 is, by quadrature,

    T = 1/4: .0039     T = 1/2: .0588     T = 1: .2     T = 2: .333     T = 4: .414

where far modes give w^(1/T)/sum w^(1/T) (their equal variances cancel; at T = 4 they overlap); within a mode the variance is T (3.82 at T = 4, cut off at
0). As stated it would be .2 and 1 at each T.

Measurement. Shares by importance sampling from q = 1/2 N(-5, v) + 1/2 N(5, v), v = max(T, 1), with weights p^(1/T)/q, which are bounded: 1,000,000 draws.
And by the project's own MALA, whose invariant law is exact: 3,000 chains of 2,000 steps of c = .1 at T = 4, where modes mix (the
spectral gap is .0389: 200 units of time are 7.8 times the memory of the start). The variance within a mode by MALA with c
= T/2 at each T from 40,000 draws of p, 60 steps: two ways round a mode is 1 unit of time at any T. The leading number has a standard error of .12 %: an
error of 1 % is seen in 9 of 10 runs.

Reference: Pavliotis (2014), proposition 4.2; Song and Ermon (2019), eq. 4, where sigma = 1.
"""

import math
from itertools import product

import numpy as np
import torch
from scipy.integrate import quad
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, of_means
from scorebench.claims.lib.langevin import on_line
from scorebench.core.rng import generator
from scorebench.engine.loop import run
from scorebench.samplers.base import exact_density
from scorebench.samplers.mala import GRADIENTS, MALA

LABEL = "Langevin dynamics with any σ samples p"
SOURCE = (
    r"Steady State of Langevin Dynamics, below the Gibbs law; Sampling Using Langevin Dynamics, the scheme with σ "
    r"before (158)"
)
QUOTE = r"우리가 실제로 추정하는 $p(x)$에 대하여, $p(x)= \frac{exp[-V(x)]}{Z}$ 입니다."
TRANSLATION = r"For the $p(x)$ that we really estimate, $p(x) = \exp[-V(x)]/Z$."
STATEMENT = (
    r"with $V = -\log p$, so that the Gibbs law's $\sigma^2$ is dropped, $dx = \nabla\log p(x)\,dt + \sqrt{2}\,\sigma\,dW$ "
    r"samples $p(x)$ at any $\sigma$"
)
CORRECTION = r"it samples $p(x)^{1/\sigma^2}/Z$: that is $p$ for $\sigma = 1$ alone"
EXPECTED = "refuted"
REFERENCE = "Pavliotis (2014), proposition 4.2"
LEADING = "share right of 0 at T = 4"

TEMPERATURES = (0.25, 0.5, 1.0, 2.0, 4.0)
PARTS = ((0.8, -5.0, 1.0), (0.2, 5.0, 1.0))
DRAWS, CHAINS, MIXING_CHAINS = 1_000_000, 40_000, 3_000
BY_MALA = "share right of 0 at T = 4, by MALA that mixes"


def _share(t: float) -> str:
    return f"share right of 0 at T = {t:g}"


def _within(t: float) -> str:
    return f"variance within the left mode at T = {t:g}"


def _moment(t: float, power: int, low: float, high: float) -> float:
    """Integral of (x + 5)^power p^(1/T) from low to high."""

    def density(x: float) -> float:
        parts = [math.log(w) - 0.5 * (x - m) ** 2 / v for w, m, v in PARTS]
        return (x + 5) ** power * math.exp(float(np.logaddexp.reduce(parts)) / t)

    return quad(density, low, high, points=[p for p in (-5.0, 5.0) if low < p < high], epsabs=1e-13, epsrel=1e-10, limit=400)[0]


def predict() -> list[Prediction]:
    """Quadrature; T = 1, where both readings agree, stands with what holds."""
    edge, predictions = 30.0, []
    for t in TEMPERATURES:
        left, right = _moment(t, 0, -edge, 0), _moment(t, 0, 0, edge)
        variance = _moment(t, 2, -edge, 0) / left - (_moment(t, 1, -edge, 0) / left) ** 2
        if t == 1:
            stated = {_share: right / (left + right), _within: variance}
        predictions.append(Prediction(_share(t), CORRECTED, {"temperature": t}, "", right / (left + right)))
        predictions.append(Prediction(_within(t), CORRECTED, {"temperature": t}, "x^2", variance))
    predictions.append(Prediction(BY_MALA, CORRECTED, {"temperature": 4.0}, "", right / (left + right)))
    for t, (name, value) in product(TEMPERATURES, stated.items()):
        if t != 1:
            predictions.append(Prediction(f"{name(t)}, if p is sampled", AS_WRITTEN, {"temperature": t}, "", value))
    return predictions


def measure(master: int) -> dict[str, Measurement]:
    """Weighted draws, and MALA."""
    measurements = {}
    starts = on_line(*PARTS).sample(CHAINS, generator(master, "claim", "sigma-one", "start"))
    for t in TEMPERATURES:
        measurements[_share(t)] = _by_weights(t, generator(master, "claim", "sigma-one", "draws", t))
        local = _mala(starts, t / 2, t, 60, generator(master, "claim", "sigma-one", "local", t))
        left = (local < 0).double()
        shifted = local + 5
        measurements[_within(t)] = of_means(torch.stack([left, left * shifted, left * shifted.square()], -1), _variance)
    measurements[BY_MALA] = mean(_mala(starts[:MIXING_CHAINS], 0.1, 4.0, 2_000, generator(master, "claim", "sigma-one", "mixing")) > 0)
    return measurements | {
        f"{name(t)}, if p is sampled": measurements[name(t)] for name, t in product((_share, _within), TEMPERATURES) if t != 1
    }


def _by_weights(t: float, stream: torch.Generator) -> Measurement:
    """The share right of 0 under p^(1/T), by weighted draws of a wider mixture with equal weights."""
    proposal = on_line(*((0.5, m, max(t, 1.0)) for _, m, _ in PARTS))
    x = proposal.sample(DRAWS, stream).double()
    weights = (on_line(*PARTS).log_prob(x) / t - proposal.log_prob(x)).exp()
    return of_means(torch.stack([weights * (x[:, 0] > 0), weights], -1), lambda m: m[0] / m[1], "draws")


def _mala(start: Tensor, step_size: float, t: float, steps: int, stream: torch.Generator) -> Tensor:
    """Final positions (chain,), in float64."""
    sampler = MALA(torch.tensor([[step_size]]), torch.tensor([[t]]))
    return run(sampler, exact_density(on_line(*PARTS)), start[None], (steps,), [stream], GRADIENTS).samples[0, 0, 0, :, 0].double()


def _variance(m: Tensor) -> Tensor:
    return m[2] / m[0] - (m[1] / m[0]) ** 2
