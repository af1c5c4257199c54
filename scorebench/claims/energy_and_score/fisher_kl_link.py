r"""The Fisher divergence is no rewriting of KL; it is how fast KL falls along Langevin dynamics.

Statement (a hedge: equation 157 "is perhaps, it seems, this expressed simply", of the Gaussian formula above): F is KL but for a factor.

Prediction. **The ratio** F/KL of Gaussians is not constant. With F(N(m_1, v_1), N(m_2, v_2)) = (1/v_2 - 1/v_1)^2 v_1 + (m_1 - m_2)^2/v_2^2 and KL = (r - 1
- ln r + (m_1 - m_2)^2/v_2)/2, r = v_1/v_2:

    N(0, 1) to N(1, 1): F = 1, KL = 1/2, ratio 2;    N(0, 1) to N(0, 4): .5625/.3181 = 1.768;    N(0, 4) to N(0, 1): 2.25/.8069 = 2.789

As stated each would be that of the first pair, 2.

**What holds** is a derivative. If d_t q = d_x(V' q + q') (Langevin, p = exp(-V)/Z) then, by parts, d/dt KL(q, p) = int d_t q log(q/p) = -int q |(log
q/p)'|^2 = -F(q, p) (de Bruijn's identity for a Gaussian p). From N(5, .1) towards N(0, 1), q is Gaussian and both sides are closed forms: at t = 1 KL =
1.696 falls at F(N(m, v), N(0, 1)) = (1 - 1/v)^2 v + m^2 = 3.40. From N(0, 1) towards M2 = 1/2 N(-2, .25) + 1/2 N(2, .25), at t = 0 and .1: F by quadrature
of the start, and by the spectrum of the operator (`lib.spectral`).

Along the heat flow d_t q = q''/2, both q and p diffusing, d/dt KL(q, p) = -F(q, p)/2: N(0, 1) to N(0, 4) at t = 0: -.28125.

Measurement. Divergences of Gaussians on 400,000 exact draws, by the project's own scores and log densities; F of N(0, 1) to M2 by 400,000 draws, too.
Rates: the project's finite-volume solver (1,600 cells), KL of its masses at t - .001 and t + .001, over .002. The tolerance is what is known to be off. In
time, with F the rate: .001^2 F''/6, and twice that at t = 0, by three times on one side: .04 % there, .001 % or less elsewhere. In space, h the width of a
cell: the fitted flux and masses for densities, of second order, (h k)^2/12 each, k^2 the largest of V'^2, |V''| and (log q)'^2 three standard deviations out:
.04 to .15 %. The heat flow is the solver with no drift at T = 1/2. The leading number has a standard error of .5 %: an error of 4 % is seen in 9 of 10 runs.

Reference: Lyu (2009), theorem 1, for the heat flow; Villani (2003), section 8.3; Hyvarinen (2005), eq. 2.
"""

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, CORRECTED, Measurement, Prediction
from scorebench.claims.lib import fokker_planck
from scorebench.claims.lib.estimates import mean, of_means
from scorebench.claims.lib.gaussian import Law, fisher, kl, squared_gap
from scorebench.claims.lib.langevin import gaussian_density, normal, on_line, ou_law
from scorebench.claims.lib.spectral import Spectrum, potential_of, spectrum
from scorebench.core.rng import generator

LABEL = "The Fisher divergence is perhaps a simple way to write KL"
SOURCE = "Fisher Divergence, below the Gaussian formula after (157)"
QUOTE = "Eq 157은 아마 이를 간단하게 표현한 것 같습니다."
TRANSLATION = "Eq. 157 is perhaps, it seems, this expressed simply."
STATEMENT = (
    r"a hedge ('perhaps', 'it seems'), read as: $E_p\left|\nabla\log p-\nabla\log q\right|^2$ is the formula above it, that "
    r"of $D_{KL}$, but for a factor"
)
CORRECTION = r"it is the rate at which $D_{KL}$ falls: $\frac{d}{dt} D_{KL}(q_t, p) = -F(q_t, p)$ along Langevin dynamics"
EXPECTED = "refuted"
REFERENCE = "Lyu (2009), theorem 1; Villani (2003), section 8.3"
LEADING = "ratio F/KL of N(0, 1) to N(0, 4)"

DRAWS, WINDOW = 400_000, 0.001
PAIRS: tuple[tuple[Law, Law], ...] = (((0.0, 1.0), (1.0, 1.0)), ((0.0, 1.0), (0.0, 4.0)), ((0.0, 4.0), (0.0, 1.0)))
M2, FAR = ((0.5, -2.0, 0.25), (0.5, 2.0, 0.25)), (5.0, 0.1)
AXIS, M2_AXIS, HEAT_AXIS = (-9.0, 13.0, 1_600), (-6.0, 6.0, 1_600), (-25.0, 25.0, 1_600)
TWO = ".5 N(-2, .25) + .5 N(2, .25)"
TIMES, M2_TIMES = (0.5, 1.0, 2.0), (0.0, 0.1)
START, HEAT = f"Fisher divergence of N(0, 1) to {TWO}", "fall of KL along heat flow, N(0, 1) to N(0, 4)"


def _ratio(p: Law, q: Law) -> str:
    return f"ratio F/KL of N({p[0]:g}, {p[1]:g}) to N({q[0]:g}, {q[1]:g})"


def _fall(what: str, t: float) -> str:
    return f"fall of KL at t = {t:g}, {what}"


TO_STANDARD, TO_M2 = "N(5, 0.1) towards N(0, 1)", f"N(0, 1) towards {TWO}"


def predict() -> list[Prediction]:
    """Closed forms, quadrature and the spectrum."""
    predictions = []
    for p, q in PAIRS:
        predictions.append(Prediction(_ratio(p, q), CORRECTED, {}, "1/x^2", fisher(p, q) / kl(p, q)))
    for p, q in PAIRS[1:]:
        predictions.append(Prediction(f"{_ratio(p, q)}, if constant", AS_WRITTEN, {}, "1/x^2", fisher(*PAIRS[0]) / kl(*PAIRS[0])))
    for t in TIMES:
        m, v = ou_law(t, *FAR)
        rates = [fisher(ou_law(u, *FAR), (0.0, 1.0)) for u in _times(t)]
        tolerance = _tolerance(t, rates, AXIS, max((m + 3 * math.sqrt(v)) ** 2, 9 / v))
        predictions.append(Prediction(_fall(TO_STANDARD, t), CORRECTED, {"t": t}, "nat/t", rates[1], tolerance))

    _, slope, curvature = potential_of(*M2)
    at_start = quad(lambda x: norm.pdf(x) * (slope(np.array([x]))[0] - x) ** 2, -10, 10, points=(-2, 0, 2), epsrel=1e-10, limit=200)[0]
    predictions.append(Prediction(START, CORRECTED, {"t": 0.0}, "1/x^2", at_start))
    exact, out = _spectrum(), np.linspace(-3, 3, 601)
    steepest = max(9.0, float((slope(out) ** 2).max()), float(np.abs(curvature(out)).max()))
    for t in M2_TIMES:
        laws = exact.laws(gaussian_density(exact.nodes, 0.0, 1.0), _times(t))
        rates = [_spectral_fisher(exact.nodes, law, slope) for law in laws]
        rate = rates[1] if t else at_start
        predictions.append(Prediction(_fall(TO_M2, t), CORRECTED, {"t": t}, "nat/t", rate, _tolerance(t, rates, M2_AXIS, steepest)))
    rates = [fisher((0.0, 1 + t), (0.0, 4 + t)) / 2 for t in _times(0.0)]
    return [*predictions, Prediction(HEAT, CORRECTED, {}, "nat/t", rates[0], _tolerance(0.0, rates, HEAT_AXIS, 9.0))]


def _times(t: float) -> list[float]:
    """Three, about t or from 0."""
    first = max(0.0, t - WINDOW)
    return [first, first + WINDOW, first + 2 * WINDOW]


def _tolerance(t: float, rates: list[float], axis: fokker_planck.Axis, steepest: float) -> float:
    """What difference quotients and cells are off by; rates at `_times`, steepest the largest squared slope."""
    first, second, third = rates
    width = (axis[1] - axis[0]) / axis[2]
    return abs(first - 2 * second + third) / (6 if t else 3) + width**2 * steepest / 6 * max(rates)


@cache
def _spectrum() -> Spectrum:
    """Of M2."""
    return spectrum(*potential_of(*M2), 1.0, 6.0, 601)


def _spectral_fisher(x: np.ndarray, q: np.ndarray, slope: Callable[[np.ndarray], np.ndarray]) -> float:
    """Int q (q'/q + V')^2, with q' by central differences of fourth order where q is not rounding."""
    h = x[1] - x[0]
    gradient = (8 * (q[3:-1] - q[1:-3]) - (q[4:] - q[:-4])) / (12 * h)
    inner, v = q[2:-2], slope(x[2:-2])
    kept = inner > 1e-9
    return float(((gradient[kept] / inner[kept] + v[kept]) ** 2 * inner[kept]).sum() * h)


def measure(master: int) -> dict[str, Measurement]:
    """Draws, then the solver."""
    measurements = {}
    for p, q in PAIRS:
        x, of_p, of_q = _draws(p, master, f"{p} {q}"), normal(*p), normal(*q)
        columns = torch.stack([squared_gap(of_p, of_q, x), of_p.log_prob(x) - of_q.log_prob(x)], -1)
        measurements[_ratio(p, q)] = of_means(columns, lambda m: m[0] / m[1], "draws")
    measurements |= {f"{_ratio(p, q)}, if constant": measurements[_ratio(p, q)] for p, q in PAIRS[1:]}
    standard, two = normal(0.0, 1.0), on_line(*M2)
    measurements[START] = mean(squared_gap(standard, two, _draws((0.0, 1.0), master, "M2")), "draws")

    for what, target, axis, start, times in (
        (TO_STANDARD, standard, AXIS, FAR, TIMES),
        (TO_M2, two, M2_AXIS, (0.0, 1.0), M2_TIMES),
    ):
        solver = fokker_planck.generator(target.score, 1.0, axis)
        masses, steady = fokker_planck.masses(axis, *start), fokker_planck.steady_state(solver)
        for t in times:
            around = (0.0, WINDOW, 2 * WINDOW) if t == 0 else (t - WINDOW, t + WINDOW)
            measurements[_fall(what, t)] = Measurement(_rate(fokker_planck.evolve(solver, masses, around), steady, around))

    solver, around = fokker_planck.generator(torch.zeros_like, 0.5, HEAT_AXIS), (0.0, WINDOW, 2 * WINDOW)
    narrow, wide = (fokker_planck.evolve(solver, fokker_planck.masses(HEAT_AXIS, *law), around) for law in PAIRS[1])
    return measurements | {HEAT: Measurement(_rate(narrow, wide, around))}


def picture(master: int) -> dict[str, Any]:
    """Towards N(0, 1) and towards M2: KL and the Fisher divergence over time (time,), the times and names of what was measured."""
    standard, times = (0.0, 1.0), np.linspace(0.02, 2.3, 200)
    laws = [ou_law(t, *FAR) for t in times]
    early = np.geomspace(0.003, 1.0, 60)
    potential, slope, _ = potential_of(*M2)
    exact = _spectrum()
    densities = exact.laws(gaussian_density(exact.nodes, *standard), list(early))
    positive = np.maximum(densities, 1e-300)
    return {
        "titles": (TO_STANDARD, TO_M2),
        "standard_times": times,
        "standard_kl": [kl(law, standard) for law in laws],
        "standard_fisher": [fisher(law, standard) for law in laws],
        "standard_measured_times": TIMES,
        "standard_names": [_fall(TO_STANDARD, t) for t in TIMES],
        "modes_times": early,
        "modes_kl": (positive * (np.log(positive) + potential(exact.nodes))).sum(1) * (exact.nodes[1] - exact.nodes[0]),
        "modes_fisher": [_spectral_fisher(exact.nodes, q, slope) for q in densities],
        "modes_measured_times": M2_TIMES,
        "modes_names": [_fall(TO_M2, t) for t in M2_TIMES],
    }


def _draws(law: Law, master: int, use: str) -> Tensor:
    return normal(*law).sample(DRAWS, generator(master, "claim", "fisher-kl-link", use)).double()


def _rate(laws: np.ndarray, to: np.ndarray, times: tuple[float, ...]) -> float:
    """Minus the derivative of KL(law, to): between two times, or at the first of three equally spaced ones, both of second order."""
    both = np.where(laws > 1e-300, laws, 1.0), np.broadcast_to(to, laws.shape)
    divergences = (laws * np.log(both[0] / np.maximum(both[1], 1e-300))).sum(-1)
    slopes = [(b - a) / (late - early) for (a, b), (early, late) in zip(pairwise(divergences), pairwise(times), strict=True)]
    return float(-(slopes[0] if len(slopes) == 1 else 1.5 * slopes[0] - 0.5 * slopes[1]))
