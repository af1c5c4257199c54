r"""Predicting the clean point, the noise or the score is the same regression up to a weight in t; the weight moves gradients and what a limited model learns.

Statement: learning the score is identical to the derivation of variational diffusion models, which predict x_0.

Prediction. x_t = a x_0 + b eps, a = sqrt(abar), b = sqrt(1 - abar), so that x_0, eps and the score of q(x_t | x_0), -eps/b, are the same thing given x_t:

    |eps - eps^|^2 = (a/b)^2 |x_0 - x^|^2,    |score - score^|^2 = (a/b^2)^2 |x_0 - x^|^2,

and the step's part of the variational bound is KL(q(x_(t-1) | x_t, x_0), the same with x^) = (SNR(t-1) - SNR(t)) |x_0 - x^|^2/2, SNR = abar/(1 - abar).
x_0 ~ N(0, 1), x^ = w x_t: E |x_0 - x^|^2 = (1 - w a)^2 + (w b)^2. **Same**: the two that the project has a
loss for, the noise (denoising score matching at sigma = b/a) and the score (explicit score matching, told the score of q(x_t | x_0)), have the clean point's
value with their weights, 1 and 2 at abar = .5, 9 and 90 at .9, and its best w, a, at one t. The clean point itself and the bound, a number times it, are
arithmetic of the claim's own: shown, not counted.

**Not the same**: gradients in w, which have the weight: over that for x_0, 2 (w - a), as stated 1; it is 90 for the score at abar = .9. And one w for abar =
.9 and .5 together: the best is a mean of a with the loss's weights: .8279 for x_0, .9245 for the noise, .9434 for the score; as stated all .8279.

Measurement: 400,000 draws of their own for each way to predict and each abar; w = .3. The leading number has a standard error of .16 %: an error of 1.1 % is
seen in 9 of 10 runs.

Reference: Luo (2022), eqs. 99, 115, 130, 148; Kingma et al. (2021), eq. 13; Vincent (2011), eqs. 9-11.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import jvp

from scorebench.claims.base import CORRECTED, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, of_means
from scorebench.claims.lib.langevin import normal
from scorebench.core.rng import generator
from scorebench.losses.denoising import denoising
from scorebench.losses.explicit import explicit
from scorebench.models.base import Bound

LABEL = "The score view is identical to that of diffusion models"
SOURCE = "Score-based Generative Models, before (152)"
QUOTE = "결론적으로 보면 VDM이 유도하는 수식과 동일하지만 해석의 방향성으 조금 다릅니다."
TRANSLATION = "In conclusion it is identical to the equations that the VDM derives, but the direction of interpretation differs a little."
STATEMENT = (
    r"predicting the clean point, the noise or the score, $|x_0 - \hat x|^2$, $|\epsilon - \hat\epsilon|^2$, $|\nabla\log "
    r"q(x_t \mid x_0) - \hat s|^2$, is one and the same objective"
)
CORRECTION = (
    r"the same up to weights $1$, $\bar\alpha/(1-\bar\alpha)$, $\bar\alpha/(1-\bar\alpha)^2$ in $t$, which gradients and "
    r"limited models feel"
)
EXPECTED = "qualified"
SAME, NOT = "at one t, with its weight", "gradients, and one model for all t"
CONDITIONS = {"at one t, with its weight": True, "gradients, and one model for all t": False}
REFERENCE = "Luo (2022), eqs. 99, 115, 130, 148; Kingma et al. (2021), eq. 13"
LEADING = "best slope for the noise at abar = 0.5"

ABARS, SLOPE, DRAWS, BEFORE = (0.5, 0.9), 0.3, 400_000, {0.5: 0.6, 0.9: 0.95}
WAYS = ("clean point", "noise", "score")


def _error(way: str, abar: float) -> str:
    return f"mean squared error of the {way} at abar = {abar:g}"


def _gradient(way: str, abar: float) -> str:
    return f"gradient for the {way} over that for the clean point at abar = {abar:g}"


def _best(way: str, abar: float | str) -> str:
    return f"best slope for the {way} at abar = {abar}"


def _bound(abar: float) -> str:
    return f"KL of the step to abar = {BEFORE[abar]:g} at abar = {abar:g}"


STATED, BOTH = "{}, as stated", "0.5 and 0.9"


def weight(way: str, abar: float) -> float:
    """Of a way to predict, against the clean point."""
    return {"clean point": 1.0, "noise": abar / (1 - abar), "score": abar / (1 - abar) ** 2}[way]


def predict() -> list[Prediction]:
    """Closed forms."""
    predictions = []
    for abar in ABARS:
        a, setting = math.sqrt(abar), {"abar": abar}
        error = (1 - SLOPE * a) ** 2 + SLOPE**2 * (1 - abar)
        ratio = BEFORE[abar] / (1 - BEFORE[abar]) - abar / (1 - abar)
        predictions.append(Prediction(_bound(abar), IDENTITY, setting, "nat", ratio * error / 2))
        for way in WAYS:
            group = IDENTITY if way == "clean point" else SAME
            predictions.append(Prediction(_error(way, abar), group, setting, "", weight(way, abar) * error))
            predictions.append(Prediction(_best(way, abar), group, setting, "", a))
            if way != "clean point" and weight(way, abar) != 1:
                predictions.append(Prediction(_gradient(way, abar), CORRECTED, setting, "", weight(way, abar)))
                predictions.append(Prediction(STATED.format(_gradient(way, abar)), NOT, setting, "", 1.0))
    for way in WAYS:
        shares = [weight(way, abar) for abar in ABARS]
        value = sum(s * math.sqrt(abar) for s, abar in zip(shares, ABARS, strict=True)) / sum(shares)
        predictions.append(Prediction(_best(way, BOTH), IDENTITY if way == "clean point" else CORRECTED, {"abar": BOTH}, "", value))
        if way != "clean point":
            stated = sum(map(math.sqrt, ABARS)) / len(ABARS)
            predictions.append(Prediction(STATED.format(_best(way, BOTH)), NOT, {"abar": BOTH}, "", stated))
    return predictions


class Predictor(nn.Module):
    """The field of x_t/a that predicts x_0 by w x_t: s = a (a w x_t - x_t)/b^2, (*, 1) -> (*, 1)."""

    def __init__(self, abar: float) -> None:
        super().__init__()
        self.abar = abar
        self.w = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        a = math.sqrt(self.abar)
        return (a * self.w * (a * x) - a * x) * a / (1 - self.abar)


def measure(master: int) -> dict[str, Measurement]:
    """Losses as functions of w: their values, slopes and curvatures at each draw."""
    measurements, kept = {}, {}
    w, along = torch.tensor(SLOPE, dtype=torch.float64), torch.ones((), dtype=torch.float64)
    for abar in ABARS:
        for way in WAYS:
            stream = generator(master, "claim", "vdm-equivalence", way, abar)
            x = normal(0.0, 1.0).sample(DRAWS, stream).double()
            eps = torch.randn(x.shape, generator=stream, dtype=torch.float64)
            loss = _loss(way, abar, x, eps)

            def slope(w: Tensor, loss: Callable[[Tensor], Tensor] = loss) -> Tensor:
                return jvp(loss, (w,), (along,))[1]

            first, second = jvp(slope, (w,), (along,))  # type: ignore[misc]
            measurements[_error(way, abar)] = mean(loss(w), "draws")
            columns = kept[way, abar] = torch.stack([first, second], -1)
            measurements[_best(way, abar)] = of_means(columns, lambda m: SLOPE - m[0] / m[1], "draws")
            if way == "clean point":
                measurements[_bound(abar)] = mean(_kl(abar, x, math.sqrt(abar) * x + math.sqrt(1 - abar) * eps), "draws")
            elif weight(way, abar) != 1:
                measurements[_gradient(way, abar)] = mean(first / (2 * (SLOPE - math.sqrt(abar))), "draws")
    for way in WAYS:
        columns = torch.cat([kept[way, abar] for abar in ABARS], -1)
        measurements[_best(way, BOTH)] = of_means(columns, lambda m: SLOPE - (m[0] + m[2]) / (m[1] + m[3]), "draws")
    names = [_gradient(way, 0.9) for way in WAYS[1:]] + [_gradient("score", 0.5)] + [_best(way, BOTH) for way in WAYS[1:]]
    return measurements | {STATED.format(name): measurements[name] for name in names}


def _loss(way: str, abar: float, x: Tensor, eps: Tensor) -> Callable[[Tensor], Tensor]:
    """The squared error, a number a draw, as a function of w."""
    a, b = math.sqrt(abar), math.sqrt(1 - abar)
    noisy, field = a * x + b * eps, Predictor(abar)
    if way == "clean point":
        return lambda w: (x - w * noisy).square().sum(-1)
    if way == "noise":
        return lambda w: 2 * denoising(Bound(field, {"w": w}, False), x, eps, sigma=b / a)
    return lambda w: 2 * explicit(Bound(field, {"w": w}, False), noisy / a, -eps * a / b) / a**2


def _kl(abar: float, x: Tensor, noisy: Tensor) -> Tensor:
    """KL between the Gaussians q(x_(t-1) | x_t, x_0) with the true and with the predicted x_0: of one variance, their means apart."""
    before = BEFORE[abar]
    step = abar / before
    variance = (1 - step) * (1 - before) / (1 - abar)
    pull = math.sqrt(before) * (1 - step) / (1 - abar)
    return (pull * (x - SLOPE * noisy)).square().sum(-1) / (2 * variance)
