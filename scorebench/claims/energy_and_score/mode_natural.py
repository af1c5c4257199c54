r"""Density falls away from the mode in any dimension; probability does so on a line alone.

Statement: the closer to the mode, the more natural an image will presumably be, so that samples should hover about the mode. A hedge ("presumably"), and
"natural" is no number: it is read as probable, in the two ways that there are. By density: a region of one volume is more probable, the closer it is to
the mode. By mass: a distance from the mode is more probable, the smaller it is.

Prediction. p = N(0, I_d), m the median of |x|, so that m^2 is that of the chi-square law with d degrees of freedom, and P = P(|x| < .7 m) = P(chi2_d < .49
m^2).

**By density.** Were density even within m, P/(1/2) would be .7^d. The density within .7 m over that in the rest of the ball is

    R = P/(1/2 - P) (1 - .7^d)/.7^d,        which the statement has above 1: 1.138, 1.414, 2.097 and 24.67 at d = 1, 2, 4 and 16.

A density that rose with the distance would have R < 1.

**By mass.** If the density of |x| falls with |x|, its mean over [0, .7 m] is at least that over [0, m], P at least .35. On a line it is, .363; in the plane
it is .288, and at d = 4 and 16 .199 and .038: the density of |x| goes like r^(d - 1) e^(-r^2/2), which rises until sqrt(d - 1). The fewer draws, the closer
to the mode: at d = 16 log p is 8 nats higher there than at a typical draw, and hardly one is near it. What draws do is to lie in a shell: E |x| = sqrt2
Gamma((d + 1)/2)/Gamma(d/2) = .798, 1.253, 1.880, 3.938 and 15.984 at d = 1, 2, 4, 16, 256, of a thickness that does not grow, Var |x| = d - (E |x|)^2, .4995
at d = 256.

Measurement: counts of exact draws of the project's `gaussian`, 1,000,000 (100,000 at d = 256); its log density is not asked. P has a standard
error of .13 to .5 %, R of .2 to .5 %: an error of 3 % is seen in 9 of 10 runs.

Reference: Vershynin (2018), section 3.1; Nalisnick et al. (2019), section 2, for the typical set.
"""

import math

import torch
from scipy.special import gammaln
from scipy.stats import chi2
from torch import Tensor

from scorebench.claims.base import CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, of_means, variance
from scorebench.core.rng import generator
from scorebench.targets.gaussian import gaussian

LABEL = "The closer to the mode, presumably the more natural"
SOURCE = "Sampling Using Langevin Dynamics, below (158)"
QUOTE = "똑같은 이미지를 생성하지 않으면서도 mode(최빈값)에 가까울 수록 더 자연스러운 이미지일테니 이 주위를 맴도는 sample을 추출하도록 하는 역할입니다."
TRANSLATION = (
    "Its role is to draw samples that hover about the mode without making the same image, since the closer to the mode, the"
    " more natural an image will presumably be."
)
STATEMENT = (
    r"a hedge ('presumably'), read as: on $\mathcal{N}(0, I_d)$ probability falls with the distance from the mode, by "
    r"density and by mass"
)
CORRECTION = (
    r"density does in any dimension $d$; mass does on a line alone: $|x|$ is most likely $\sqrt{d-1}$, and draws lie in a "
    r"shell"
)
EXPECTED = "qualified"
DENSITY, MASS = "by density, and by mass on a line", "by mass, in the plane and beyond"
CONDITIONS = {"by density, and by mass on a line": True, "by mass, in the plane and beyond": False}
REFERENCE = "Vershynin (2018), section 3.1"
LEADING = "P(|x| < 0.7 median) at d = 2"

DRAWS = {1: 1_000_000, 2: 1_000_000, 4: 1_000_000, 16: 1_000_000, 256: 100_000}
INNER, LARGEST = 0.7, 256
THICKNESS = f"variance of |x| at d = {LARGEST}"


def _share(d: int) -> str:
    return f"P(|x| < {INNER:g} median) at d = {d}"


def _ratio(d: int) -> str:
    return f"density within {INNER:g} median over that in the rest of the ball, d = {d}"


def _norm(d: int) -> str:
    return f"E |x| at d = {d}"


def predict() -> list[Prediction]:
    """Closed forms."""
    predictions = []
    for d in DRAWS:
        norm = math.sqrt(2) * math.exp(gammaln((d + 1) / 2) - gammaln(d / 2))
        predictions.append(Prediction(_norm(d), CORRECTED, {"d": d}, "x", norm))
        if d == LARGEST:
            predictions.append(Prediction(THICKNESS, CORRECTED, {"d": d}, "x^2", d - norm**2))
            continue
        share = float(chi2.cdf(INNER**2 * chi2.median(d), d))
        predictions.append(Prediction(_ratio(d), DENSITY, {"d": d}, "", share / (0.5 - share) * (1 - INNER**d) / INNER**d))
        predictions.append(Prediction(_share(d), DENSITY if d == 1 else CORRECTED, {"d": d}, "", share))
        if d > 1:
            predictions.append(Prediction(f"{_share(d)}, at the least, if mass falls with |x|", MASS, {"d": d}, "", INNER / 2))
    return predictions


def measure(master: int) -> dict[str, Measurement]:
    """Exact draws in each dimension."""
    measurements = {}
    for d, n in DRAWS.items():
        norm = gaussian(dim=d).sample(n, generator(master, "claim", "mode-natural", d)).double().norm(dim=-1)
        measurements[_norm(d)] = mean(norm, "draws")
        if d == LARGEST:
            measurements[THICKNESS] = variance(norm, "draws")
            continue
        median = math.sqrt(chi2.median(d))
        counts = torch.stack([norm < INNER * median, norm < median], -1)
        measurements[_share(d)] = mean(counts[:, 0], "draws")
        measurements[_ratio(d)] = of_means(counts, lambda m, d=d: _density_ratio(m, d), "draws")  # type: ignore[misc]
        if d > 1:
            measurements[f"{_share(d)}, at the least, if mass falls with |x|"] = measurements[_share(d)]
    return measurements


def _density_ratio(shares: Tensor, d: int) -> Tensor:
    """Of the shares within .7 m and within m."""
    return shares[0] / (shares[1] - shares[0]) * (1 - INNER**d) / INNER**d
