r"""Score matching minimises the Fisher divergence without the true score: its losses differ from it by a constant, or learn the noised density.

Statement: the Fisher divergence can be minimised without knowing the true score, by score matching.

Prediction. By parts E_p [s' + s^2/2] = E_p (s - s_p)^2/2 - E_p s_p^2/2: implicit and explicit loss differ by a number without parameters, 1/2 for N(0, 1)
and by quadrature 1.9969 for M2 = 1/2 N(-2, .25) + 1/2 N(2, .25), whatever the model; here N(0, v), s = -x/v, v = 1/2, 4. On N(0, 1) both losses and their
difference are functions of one mean, that of x^2, at either v: of them the difference at v = 4 counts; there explicit is (3/4)^2/2 = .28125, implicit -1/4 +
1/32 = -.21875. Sliced losses have the mean of the implicit one, for every law of the probe: in the plane (on the line signs and circle are +-1, and slicing
does nothing) the precision A = [[.5, .25], [.25, 1]] on N(0, I) has -tr A + |A|_F^2/2 = -.8125.

**Denoising** at sigma = 1/2 on N(0, 1), times sigma^2: its least value is Var(eps | x + sigma eps)/2 = 1/(2 (1 + sigma^2)) = .4, at the precision 1/(1 +
sigma^2) = .8 of the noised density; not at 1. It is not of the losses that minimise (157): its numbers are those of what it learns instead. **Minimisers** of
all others are the same: precision 1. Trained on n points the implicit loss has its minimum at 1/v, v their variance: in the mean n/(n - 3), that is 1.0015 at
n = 2,000. (Gaussian probes, which are not +-1 on the line, are drawn afresh at each step of training.) A loss's slope is linear in the precision and its batch
drawn independently of it: the noise of the steps leaves the mean where it is. Explicit's is 1 without noise: its slope is 0 there at every point.

**Error against n.** s = b - a x fitted to n points of N(0, 1); F = E (s - s*)^2. To the true score: explicit, 0 at any n: the model holds s*. Implicit: a =
1/v, b = a m, with n v chi-square of n - 1 degrees: E F = E (a - 1)^2 + E a^2/n, E a = n/(n - 3), E a^2 = n^2/((n - 3)(n - 5)). Sliced, variance reduced,
with a Gaussian probe a point: a is that times the mean of the v_i^2, which has the mean 1 and the variance 2/n: E a^2 is (1 + 2/n) times as large. So n F is
3.42 and 3.20 for implicit, 5.61 and 5.29 for sliced with variance reduction, at n = 100 and 200: F falls like 1/n. Sliced without it weighs each point by w =
v^2: of s = -a x (the mean is known) a = sum w/sum w x^2, and since E exp(-t w x^2) = E g, g = (1 + 2 t w)^(-1/2), the mean over w,

    E a = n int E[w g] (E g)^(n-1) dt,    E a^2 = n int t ((n - 1) E[w g]^2 (E g)^(n-2) + E[w^2 g] (E g)^(n-1)) dt,

by quadrature: n F is 6.92 and 6.42, 6 in the limit, three times implicit's 2. Denoising, a draw of noise a point: least squares of -eps/sigma
on y = x + sigma eps, jointly Gaussian, residual variance r = 1/(sigma^2 (1 + sigma^2)). To the noised density's score E F = r (1/n + (1 + 1/n)/(n - 3)), n
F = 6.53 and 6.47: it falls likewise. To the true score E F = (1 - .8)^2 + r/((1 + sigma^2)(n - 3)) + r (1 + 1/(n - 3))/n = .099 and .069: not below .04.

Measurement: the project's own losses at 330,000 exact draws; 100 models a loss trained by the project's own fit on 2,000 points each, 150 steps of Adam; for
error against n 24,000 to 72,000 data sets a loss (1,000 for explicit) and one Newton step each, which is exact since the losses are quadratic in a and b. The
leading number has a standard error of .12 %: an error of .8 % is seen in 9 of 10 runs.

Reference: Hyvarinen (2005), theorem 1; Vincent (2011), section 4.2; Song et al. (2019), Sliced score matching, eqs. 7-8.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from scipy.integrate import quad
from torch import Tensor, nn
from torch.func import grad, hessian, vmap

from scorebench.claims.base import AS_WRITTEN, BOUND, CORRECTED, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import mean
from scorebench.claims.lib.langevin import normal, on_line
from scorebench.core.rng import generator
from scorebench.core.spec import parse
from scorebench.engine.training import fit
from scorebench.losses.denoising import denoising
from scorebench.losses.explicit import explicit
from scorebench.losses.implicit import implicit
from scorebench.losses.sliced import draws as probes
from scorebench.losses.sliced import sliced
from scorebench.losses.sliced_vr import sliced_vr
from scorebench.models.base import Bound
from scorebench.models.quadratic import Quadratic
from scorebench.suite.config import Training

LABEL = "Score matching does without the true score"
SOURCE = "Sampling Using Langevin Dynamics, below (158), the last sentence"
QUOTE = "score matching을 통해 ground truth score 없이도 Eq 157의 Fisher Divergence를 minimize 할 수 있습니다."
TRANSLATION = "By score matching we can minimise the Fisher divergence of Eq. 157 without the ground-truth score."
STATEMENT = r"$\frac12 E_p|s-\nabla\log p|^2 = E_p\left[\text{tr}\,\nabla s + \frac12|s|^2\right]$ + constant: no true score is needed"
CORRECTION = r"denoising learns the noised density: its Fisher divergence to the true score stays above $(1 - 1/(1+\sigma^2))^2$ on $\mathcal N(0, 1)$"
EXPECTED = "reproduced"
REFERENCE = "Hyvärinen (2005), theorem 1; Vincent (2011), section 4.2; Song et al. (2019)"
LEADING = "explicit less implicit loss of N(0, 4) on N(0, 1)"
USES = {"model": ("quadratic",), "loss": ("explicit", "implicit", "sliced", "sliced_vr", "denoising")}

DRAWS, VARIANCES, WIDE, SIGMA = 330_000, (0.5, 4.0), 4.0, 0.5
PARTS = {"N(0, 1)": ((1.0, 0.0, 1.0),), ".5 N(-2, .25) + .5 N(2, .25)": ((0.5, -2.0, 0.25), (0.5, 2.0, 0.25))}
MODELS, TRAINING, RATE = 100, Training(size=2_000, batch=128, steps=(150,)), 5e-2
TRAINED = ("explicit", "implicit", "sliced:probe=gaussian", "sliced_vr:probe=gaussian", f"denoising:sigma={SIGMA:g}")
SIZES, ROUNDING = (100, 200), 1e-8
SETS = {"explicit": 1_000, "implicit": 36_000, "sliced": 72_000, "sliced_vr": 42_000, "denoising": 24_000}
EXPLICIT, IMPLICIT = "explicit loss of N(0, 4) on N(0, 1)", "implicit loss of N(0, 4) on N(0, 1)"
FLOOR = "denoising loss of N(0, 1 + sigma^2) on N(0, 1)"
PLANE = ((0.5, 0.25), (0.25, 1.0))
PROBES, SLICED = ("rademacher", "gaussian", "sphere"), {"sliced": sliced, "sliced_vr": sliced_vr}


def _constant(law: str, v: float) -> str:
    return f"explicit less implicit loss of N(0, {v:g}) on {law}"


def _sliced(loss: str, probe: str) -> str:
    return f"{loss} loss of the precision [[.5, .25], [.25, 1]] on N(0, I), {probe} probes"


def _precision(loss: str) -> str:
    return f"precision that {loss} learns from N(0, 1)"


def _error(loss: str, n: int) -> str:
    to = "the noised" if loss == "denoising" else "the true"
    little = f", {BOUND} {ROUNDING:g}" if loss == "explicit" else ""
    return f"n times the Fisher divergence to {to} score of what {loss} learnt from n = {n} points{little}"


def _to_truth(n: int) -> str:
    return f"Fisher divergence to the true score of what denoising learnt from n = {n} points"


def predict() -> list[Prediction]:
    """Closed forms, and quadrature for M2."""
    predictions = [
        Prediction(EXPLICIT, IDENTITY, {"v": WIDE}, "1/x^2", (1 - 1 / WIDE) ** 2 / 2),
        Prediction(IMPLICIT, IDENTITY, {"v": WIDE}, "1/x^2", -1 / WIDE + 1 / (2 * WIDE**2)),
        Prediction(FLOOR, CORRECTED, {"sigma": SIGMA}, "", 1 / (2 * (1 + SIGMA**2))),
    ]
    plane = sum(a * a for row in PLANE for a in row) / 2 - PLANE[0][0] - PLANE[1][1]
    predictions += [Prediction(_sliced(loss, p), AS_WRITTEN, {"probe": p}, "1/x^2", plane) for loss in SLICED for p in PROBES]
    for law, parts in PARTS.items():
        half = _squared_score(parts) / 2
        for v in VARIANCES:
            group = AS_WRITTEN if len(parts) > 1 or v == WIDE else IDENTITY
            predictions.append(Prediction(_constant(law, v), group, {"v": v}, "1/x^2", half))
    for loss in TRAINED:
        size = TRAINING.size
        value = {"explicit": 1.0, TRAINED[-1]: 1 / (1 + SIGMA**2)}.get(loss, size / (size - 3))
        predictions.append(Prediction(_precision(loss), _group(loss), {"loss": loss, "n": size}, "1/x^2", value))
    for n in SIZES:
        first, second = n / (n - 3), n**2 / ((n - 3) * (n - 5))
        residual = 1 / (SIGMA**2 * (1 + SIGMA**2))
        values = {
            "explicit": 0.0,
            "sliced": _error_of_sliced(n),
            "implicit": second * (1 + 1 / n) - 2 * first + 1,
            "sliced_vr": (1 + 2 / n) * second * (1 + 1 / n) - 2 * first + 1,
            "denoising": residual * (1 / n + (1 + 1 / n) / (n - 3)),
        }
        predictions += [Prediction(_error(loss, n), _group(loss), {"n": n}, "1/x^2", n * value, ROUNDING) for loss, value in values.items()]
        floor = (1 - 1 / (1 + SIGMA**2)) ** 2
        to_truth = floor + residual / ((1 + SIGMA**2) * (n - 3)) + residual * (1 + 1 / (n - 3)) / n
        predictions.append(Prediction(_to_truth(n), CORRECTED, {"n": n}, "1/x^2", to_truth))
    return predictions


def _group(loss: str) -> str:
    return {"explicit": IDENTITY, "denoising": CORRECTED}.get(loss.partition(":")[0], AS_WRITTEN)


def _error_of_sliced(n: int) -> float:
    """E (a - 1)^2 of the plain sliced loss with Gaussian probes on n points of N(0, 1), of s = -a x."""
    nodes = np.linspace(-9, 9, 2_001)
    w, weights = nodes**2, np.exp(-(nodes**2) / 2) / math.sqrt(2 * math.pi) * (nodes[1] - nodes[0])

    def first(t: float) -> float:
        g = weights / np.sqrt(1 + 2 * t * w)
        return n * (w @ g) * g.sum() ** (n - 1)

    def second(t: float) -> float:
        g = weights / np.sqrt(1 + 2 * t * w)
        return n * t * ((n - 1) * (w @ g) ** 2 * g.sum() ** (n - 2) + (w * w @ g) * g.sum() ** (n - 1))

    mean_a, mean_square = (
        quad(partial(_scaled, integrand, 1 / n), 0, math.inf, epsabs=0, epsrel=1e-10, limit=400)[0] for integrand in (first, second)
    )
    return mean_square - 2 * mean_a + 1


def _scaled(integrand: Callable[[float], float], by: float, u: float) -> float:
    return integrand(u * by) * by


def _squared_score(parts: tuple[tuple[float, float, float], ...]) -> float:
    """E_p s_p^2."""

    def integrand(x: float) -> float:
        terms = [w * math.exp(-((x - m) ** 2) / (2 * v)) / math.sqrt(2 * math.pi * v) for w, m, v in parts]
        slope = sum(-t * (x - m) / v for t, (_, m, v) in zip(terms, parts, strict=True))
        return slope**2 / sum(terms)

    return quad(integrand, -8, 8, points=[-2, 0, 2], epsabs=0, epsrel=1e-10, limit=200)[0]


class Line(nn.Module):
    """The field s = b - a x, (*, 1) -> (*, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.coefficients[1] - self.coefficients[0] * x


def _line(a: float) -> Bound:
    return Bound(Line(), {"coefficients": torch.tensor([a, 0.0], dtype=torch.float64)}, False)


def measure(master: int) -> dict[str, Measurement]:
    """Losses at given models, trained models, and data sets of two sizes."""

    def stream(use: object) -> torch.Generator:
        return generator(master, "claim", "score-matching", use)

    measurements = {}
    for law, parts in PARTS.items():
        target = on_line(*parts)
        assert target.score is not None
        x = target.sample(DRAWS, stream(law)).double()
        for v in VARIANCES:
            known = explicit(_line(1 / v), x, target.score(x))
            unknown = implicit(_line(1 / v), x, x[:, :0])
            measurements[_constant(law, v)] = mean(known - unknown, "draws")
            if law == "N(0, 1)" and v == WIDE:
                measurements |= {EXPLICIT: mean(known, "draws"), IMPLICIT: mean(unknown, "draws")}
    target = normal(0.0, 1.0)
    x = target.sample(DRAWS, stream("values")).double()
    plane = torch.randn(DRAWS, 2, generator=stream("plane"), dtype=torch.float64)
    model = Bound(Quadratic(2, stream("structure")), {"mean": plane.new_zeros(2), "matrix": plane.new_tensor(PLANE)}, True)
    for loss, probe in product(SLICED, PROBES):
        along = probes(plane, target, stream(f"{loss} {probe}"), probe=probe)
        measurements[_sliced(loss, probe)] = mean(SLICED[loss](model, plane, along), "draws")
    eps = torch.randn(x.shape, generator=stream("eps"), dtype=torch.float64)
    measurements[FLOOR] = mean(denoising(_line(1 / (1 + SIGMA**2)), x, eps, sigma=SIGMA), "draws")
    return measurements | _trained(master) | _errors(stream)


def _trained(master: int) -> dict[str, Measurement]:
    measurements = {}
    for loss in TRAINED:
        models, line = list(range(MODELS)), normal(0.0, 1.0)
        fitted = fit(
            line, parse("model", "quadratic"), [parse("loss", loss)], [RATE], TRAINING, TRAINING.steps, master, models, "score-matching"
        )
        measurements[_precision(loss)] = mean(fitted.parameters[-1]["matrix"].flatten().double(), "models")
    return measurements


def _errors(stream: Any) -> dict[str, Measurement]:
    """The Fisher divergence of the minimiser over each of many data sets."""
    target, measurements = normal(0.0, 1.0), {}
    assert target.score is not None
    for n in SIZES:
        for loss, sets in SETS.items():
            x = target.sample(sets * n, stream(f"sets of {n}, {loss}")).double().view(sets, n, 1)
            noise = torch.randn(x.shape, generator=stream(f"noise of {n}, {loss}"), dtype=torch.float64)  # or directions
            extra = {"explicit": target.score(x), "implicit": x[..., :0]}.get(loss, noise)

            def value(c: Tensor, x: Tensor, extra: Tensor, loss: str = loss) -> Tensor:
                model = Bound(Line(), {"coefficients": c}, False)
                if loss == "denoising":
                    return denoising(model, x, extra, sigma=SIGMA).mean()
                return {"explicit": explicit, "implicit": implicit, **SLICED}[loss](model, x, extra).mean()

            zero = torch.zeros(2, dtype=torch.float64)
            slope, curvature = (vmap(derivative(value), (None, 0, 0), chunk_size=500)(zero, x, extra) for derivative in (grad, hessian))
            a, b = -torch.linalg.solve(curvature, slope).T
            if loss == "sliced":  # the mean is known: b = 0
                a, b = -slope[:, 0] / curvature[:, 0, 0], torch.zeros(())
            variance = 1 + SIGMA**2 if loss == "denoising" else 1.0
            measurements[_error(loss, n)] = mean(n * (variance * (a - 1 / variance).square() + b.square()), "data sets")
            if loss == "denoising":
                measurements[_to_truth(n)] = mean((a - 1).square() + b.square(), "data sets")
    return measurements
