r"""Draws are not near the mode: in many dimensions nothing is.

Statement: the closer a point is to the mode, the more natural it is, so that samples should hover about the mode.

Prediction. p = N(0, I_d). |x|^2 has the chi-square law with d degrees of freedom, so that

    E |x| = sqrt2 Gamma((d + 1)/2)/Gamma(d/2),        which is sqrt(d) (1 - 1/(4d) + ...): .798, 1.253, 1.880, 3.938, 15.984 at d = 1, 2, 4, 16, 256,
    P(|x| < sqrt(d)/2) = P(chi2_d < d/4) = 1.1e-3 at d = 16,
    E log p(x) - log p(0) = -E |x|^2/2 = -d/2.

Were a natural x one near the mode, draws of p, which are natural by definition, would have |x| near 0 and log p near its maximum. Density falls with |x|,
volume grows as |x|^(d-1): the mass sits in a shell at sqrt(d) of a thickness that does not grow (the variance of |x| is 1/2). At d = 16 log p is
8 nats higher at the mode than at a typical draw, yet no draw is near it: what is natural is the typical set, not the mode.

Measurement: 400,000 exact draws of the project's `gaussian` (100,000 at d = 256), its own log density. The leading standard error is .014 %; P has one
of 5 %: there are some 440 such draws.

Reference: Vershynin (2018), section 3.1; Nalisnick et al. (2019), section 2, for the typical set.
"""

import math

from scipy.special import gammaln
from scipy.stats import chi2

from scorebench.claims.base import AS_WRITTEN, CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import mean
from scorebench.core.rng import generator
from scorebench.targets.gaussian import gaussian

LABEL = "The closer to the mode, the more natural"
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
EXPECTED = "refuted"
REFERENCE = "Vershynin (2018), section 3.1"
LEADING = "E |x| at d = 256"

DRAWS = {1: 400_000, 2: 400_000, 4: 400_000, 16: 400_000, 256: 100_000}
INNER, INNER_DIM = "P(|x| < sqrt(d)/2) at d = {d}", 16


def _norm(d: int) -> str:
    return f"E |x| at d = {d}"


def _depth(d: int) -> str:
    return f"E log p(x) - log p(0) at d = {d}"


def predict() -> list[Prediction]:
    """Closed forms."""
    predictions = []
    for d in DRAWS:
        norm = math.sqrt(2) * math.exp(gammaln((d + 1) / 2) - gammaln(d / 2))
        predictions += [
            Prediction(_norm(d), CORRECTED, {"d": d}, "x", norm),
            Prediction(_depth(d), CORRECTED, {"d": d}, "nat", -d / 2, 1e-6 * d),
        ]
        predictions.append(Prediction(f"{_norm(d)}, if draws are near the mode", AS_WRITTEN, {"d": d}, "x", 0.0))
        predictions.append(Prediction(f"{_depth(d)}, if draws are near the mode", AS_WRITTEN, {"d": d}, "nat", 0.0))
    d = INNER_DIM
    return [*predictions, Prediction(INNER.format(d=d), CORRECTED, {"d": d}, "", float(chi2.cdf(d / 4, d)))]


def measure(master: int) -> dict[str, Measurement]:
    """Exact draws in each dimension."""
    measurements = {}
    for d, n in DRAWS.items():
        target = gaussian(dim=d)
        x = target.sample(n, generator(master, "claim", "mode-natural", d)).double()
        norm, depth = mean(x.norm(dim=-1), "draws"), mean(target.log_prob(x) - target.log_prob(0 * x[:1]), "draws")
        for name, found_there in ((_norm(d), norm), (_depth(d), depth)):
            measurements[name] = measurements[f"{name}, if draws are near the mode"] = found_there
        if d == INNER_DIM:
            measurements[INNER.format(d=d)] = mean(x.norm(dim=-1) < math.sqrt(d) / 2, "draws")
    return measurements
