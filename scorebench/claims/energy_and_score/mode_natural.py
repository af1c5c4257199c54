r"""Density falls away from the mode in any dimension; probability does so on a line alone.

Statement: the closer to the mode, the more natural an image will presumably be, so that samples should hover about the mode. A hedge ("presumably"), and
"natural" is no number: it is read as probable, in the two ways that there are. By density: a region of one volume is more probable, the closer it is to
the mode. By mass: a distance from the mode is more probable, the smaller it is.

One criterion for both, set beforehand: near the mode lies at least what an even law has there. With m the median of |x|, so that half of all draws lie in
the ball of radius m, and P = P(|x| < .7 m), a law that is even in the ball has P = .7^d/2, and one for which every distance up to m is as likely P = .35.
Where density falls with the distance P >= .7^d/2, where the density of |x| falls P >= .35; where they rise it is less.

Prediction. p = N(0, I_d), so that m^2 is the median of the chi-square law with d degrees of freedom, and P = P(chi2_d < .49 m^2) = .363, .288, .199 and .038
at d = 1, 2, 4 and 16.

**By density** P is to be .35, .245, .120 and .00166 at least. It is.

**By mass** it is to be .35. On a line that is the same inequality, and counted once; it holds. In the plane and beyond it does not: the density of |x| goes
like r^(d - 1) e^(-r^2/2), which rises before it falls. The fewer draws, the closer to the mode: at d = 16 log p is 8 nats higher there than at a typical draw,
and hardly one is near it. What draws do is to lie in a shell: E |x| = sqrt2 Gamma((d + 1)/2)/Gamma(d/2) = .798, 1.253, 1.880, 3.938 and 15.984 at d = 1, 2,
4, 16, 256, of a thickness that does not grow, Var |x| = d - (E |x|)^2, .4995 at d = 256.

Measurement: counts of exact draws of the project's `gaussian`, 1,000,000 (100,000 at d = 256); its log density is not asked. P has a standard error of .13 to
.5 %: an error of 3 % is seen in 9 of 10 runs, and each threshold is 27 standard errors away or more.

Reference: Vershynin (2018), section 3.1; Nalisnick et al. (2019), section 2, for the typical set.
"""

import math

from scipy.special import gammaln
from scipy.stats import chi2

from scorebench.claims.base import CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, variance
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
    r"density does in any dimension $d$; mass does on a line alone: at $d = 256$ draws lie in a shell, $|x| = 15.98 \pm "
    r"0.71$"
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


def _enough(d: int, least: float) -> str:
    return f"{_share(d)}, at least {least:.4g}"


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
        predictions.append(Prediction(_share(d), CORRECTED, {"d": d}, "", share))
        predictions.append(Prediction(_enough(d, _even(d)), DENSITY, {"d": d}, "", _even(d)))
        if d > 1:
            predictions.append(Prediction(_enough(d, _even(1)), MASS, {"d": d}, "", _even(1)))
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
        share = measurements[_share(d)] = mean(norm < INNER * median, "draws")
        measurements |= {_enough(d, least): share for least in (_even(d), _even(1))}
    return measurements


def _even(d: int) -> float:
    """P of a law that is even in the ball of radius m in d dimensions; in one, of every distance up to m as likely."""
    return INNER**d / 2
