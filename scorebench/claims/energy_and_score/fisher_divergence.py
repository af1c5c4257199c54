r"""E_p |grad log p - grad log q|^2 measures how far q is from p, where they overlap; between far modes it sees nothing.

Statement: the Fisher divergence F(p, q) = E_p |grad log p - grad log q|^2 measures the distance between p and q.

Prediction. **Overlapping.** N(0, 1) to N(0, 4): scores -x and -x/4, F = (3/4)^2 E x^2 = .5625; in the other order (3/4)^2 4 = 2.25. N(0, 1)
to N(1, 1): F = 1 = 2 KL. It can be had from draws: by Monte Carlo over n draws the first has the standard error .5625 sqrt(2/n) (x^2 has
variance 2), 7.95e-3 at n = 10^4, which falls as n^(-1/2): the exponent between n = 10^2 and 10^4 is -1/2.

**Far modes.** For unit Gaussians that are shifted, F = 2 KL. If F measured the distance between mixtures of far unit Gaussians as it does
between those, it would be about 2 KL there, too. M10 = .8 N(-5, 1) + .2 N(5, 1) to the same with weights .5, .5 has KL = .8 ln 1.6 + .2 ln .4
= .1927 (but for the overlap, of order 1e-6), a fifth of a nat, and total variation .3; as stated F = 2 KL = .3855. But both scores are x ->
-(x + 5) on the left and -(x - 5) on the right: the weights enter by the share of the right mode at x alone, which is 0 or 1 but near x = 0,
where there is no mass. By quadrature F < 1e-5. A trained score may be as good as that and have the weights all wrong.

Measurement: 1,000,000 exact draws; the standard error over 2,000 independent estimates at each n; F of M10 by importance sampling with
1,000,000 draws uniform on [-15, 15], since a share of order 1e-6 of p lies where the scores differ; KL on exact draws. Leading
standard error: .14 %, so that an error of 1 % is seen in 9 of 10 runs.

Reference: Wenliang and Kanagawa (2020), section 3, for the blindness; Hyvarinen (2005), eq. 2.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.integrate import quad
from torch import Tensor

from scorebench.claims.base import CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, moments, of_means
from scorebench.claims.lib.langevin import normal, on_line
from scorebench.core.rng import generator
from scorebench.targets.base import Target

LABEL = "The Fisher divergence measures distance"
SOURCE = "Fisher Divergence, after (157)"
QUOTE = "Fisher Divergence는 확률 분포간 차이를 측정하는 방법 중 하나입니다."
TRANSLATION = "The Fisher divergence is one of the ways to measure the difference between probability distributions."
STATEMENT = (
    r"$F(p, q) = E_p\left|\nabla\log p(x)-\nabla\log q(x)\right|^2$ measures the difference of $p$ and $q$: it is not far "
    r"below $D_{KL}(p, q)$"
)
CORRECTION = "where they overlap; on far modes it misses the weights: $F < 10^{-5}$, $D_{KL} = 0.19$ for $0.8/0.2$ against $0.5/0.5$"
EXPECTED = "qualified"
OVERLAPPING, FAR = "overlapping", "far modes"
CONDITIONS = {"overlapping": True, "far modes": False}
REFERENCE = "Wenliang and Kanagawa (2020), section 3; Hyvärinen (2005), eq. 2"
LEADING = "Fisher divergence of N(0, 1) to N(0, 4)"

DRAWS, REPEATS, SIZES = 1_000_000, 2_000, (100, 10_000)
EDGE, WEIGHTS, EQUAL = 15.0, (0.8, 0.2), (0.5, 0.5)
OTHER_ORDER, SHIFT, FALL = (
    "Fisher divergence of N(0, 4) to N(0, 1)",
    "Fisher divergence of N(0, 1) to N(1, 1)",
    "exponent of the standard error in n",
)
MODES = ".8 N(-5, 1) + .2 N(5, 1) to the same with equal weights"
AS_STATED, BLIND, KL = f"Fisher divergence of {MODES}, if twice KL as between Gaussians", f"Fisher divergence of {MODES}", f"KL of {MODES}"


def _spread(n: int) -> str:
    return f"standard error of the Fisher divergence over {n} draws"


def predict() -> list[Prediction]:
    """Closed forms, and quadrature for the mixtures."""
    predictions = [
        Prediction(LEADING, OVERLAPPING, {}, "1/x^2", 0.75**2),
        Prediction(OTHER_ORDER, OVERLAPPING, {}, "1/x^2", 4 * 0.75**2),
        Prediction(SHIFT, OVERLAPPING, {}, "1/x^2", 1.0, 1e-12),
        Prediction(FALL, OVERLAPPING, {}, "", -0.5),
    ]
    predictions += [Prediction(_spread(n), OVERLAPPING, {"n": n}, "1/x^2", 0.75**2 * math.sqrt(2 / n)) for n in SIZES]
    divergence = _integral(_kl_density)
    predictions.append(Prediction(AS_STATED, FAR, {}, "1/x^2", 2 * divergence))
    predictions.append(Prediction(BLIND, CORRECTED, {}, "1/x^2", _integral(_fisher_density)))
    predictions.append(Prediction(KL, CORRECTED, {}, "nat", divergence))
    return predictions


def _integral(density: Callable[[float], float]) -> float:
    return quad(density, -EDGE, EDGE, points=(-5.0, 0.0, 5.0), epsabs=0, epsrel=1e-10, limit=500)[0]


def _log_parts(x: float) -> np.ndarray:
    return -0.5 * np.array([(x + 5) ** 2, (x - 5) ** 2]) - 0.5 * math.log(2 * math.pi)


def _log(weights: tuple[float, float], x: float) -> float:
    return float(np.logaddexp.reduce(np.log(weights) + _log_parts(x)))


def _kl_density(x: float) -> float:
    return math.exp(_log(WEIGHTS, x)) * (_log(WEIGHTS, x) - _log(EQUAL, x))


def _fisher_density(x: float) -> float:
    """The density p times (10 (share of the right mode under p - under q))^2; the scores differ by the distance of the modes times that."""
    shares = (math.exp(math.log(w[1]) + _log_parts(x)[1] - _log(w, x)) for w in (WEIGHTS, EQUAL))
    return math.exp(_log(WEIGHTS, x)) * (10 * (next(shares) - next(shares))) ** 2


def measure(master: int) -> dict[str, Measurement]:
    """Exact draws, and uniform ones where those of p are too rare."""

    def stream(use: str) -> torch.Generator:
        return generator(master, "claim", "fisher-divergence", use)

    standard, wide, moved = (normal(*law) for law in ((0.0, 1.0), (0.0, 4.0), (1.0, 1.0)))
    measurements = {}
    for name, p, q in ((LEADING, standard, wide), (OTHER_ORDER, wide, standard), (SHIFT, standard, moved)):
        measurements[name] = mean(_squared_gap(p, q, p.sample(DRAWS, stream(name)).double()), "draws")

    columns = []
    for n in SIZES:
        g = stream(f"estimates {n}")
        estimates = torch.stack([_squared_gap(standard, wide, standard.sample(n, g).double()).mean() for _ in range(REPEATS)])
        columns.append(moments(estimates))
        measurements[_spread(n)] = of_means(columns[-1], _deviation, "estimates")
    measurements[FALL] = of_means(
        torch.cat(columns, -1), lambda m: (_deviation(m[2:]) / _deviation(m[:2])).log() / math.log(SIZES[1] / SIZES[0]), "estimates"
    )

    p, q = (_mixture(weights) for weights in (WEIGHTS, EQUAL))
    x = EDGE * (2 * torch.rand(DRAWS, 1, generator=stream("uniform"), dtype=torch.float64) - 1)
    measurements[BLIND] = measurements[AS_STATED] = mean(2 * EDGE * p.log_prob(x).exp() * _squared_gap(p, q, x), "draws")
    x = p.sample(DRAWS, stream("KL")).double()
    return measurements | {KL: mean(p.log_prob(x) - q.log_prob(x), "draws")}


def _squared_gap(p: Target, q: Target, x: Tensor) -> Tensor:
    return (p.score(x) - q.score(x)).square().sum(-1)


def _deviation(m: Tensor) -> Tensor:
    return (m[1] - m[0] ** 2).sqrt()


def _mixture(weights: tuple[float, float]) -> Target:
    return on_line((weights[0], -5.0, 1.0), (weights[1], 5.0, 1.0))
