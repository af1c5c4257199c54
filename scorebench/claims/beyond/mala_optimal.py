r"""MALA's optimal acceptance .574 and step d^(-1/3) are limits; at finite d squared jump distance wants a larger step.

Statement (what the article leads to: a step that is accepted or refused): MALA is best at an acceptance of .574 and with a step c = l^2 d^(-1/3)/2.

Prediction. As d grows the acceptance tends to 2 Phi(-J l^3/2) and the efficiency to l^2 times that (Roberts and Rosenthal). For N(0, I_d) J^2 = (5 E
f'''^2 - 3 E f''^3)/48 with f = -x^2/2 is 1/16: 2 Phi(-l^3/8): .9005, .5744 and .1832 at l = 1, 1.65 (the best) and 2.2; efficiency at 2.2 over that at
1.65: .567.

**At finite d** all is a smooth integral. y = (1 - c) x + sqrt(2c) eps has p(y) q(x|y)/(p(x) q(y|x)) = exp(-(c/4)(|y|^2 - |x|^2)): the two quadratic forms
of the exponents cancel but for that. By detailed balance E min(1, r) g = 2 E [g; r > 1] for any g symmetric in x and y, so that

    acceptance = 2 P(|y| < |x|),    E |x' - x|^2 = 2 E [|y - x|^2; |y| < |x|].

With R = |x|^2 (chi-square, d), z the part of eps along x and S the square of the rest (chi-square, d - 1), |y|^2 < R says that S lies below a bound: the
mean over S is a distribution function, of d - 1 degrees of freedom, or d - 1 times that of d + 1. What is left is an integral over (R, z), by the
trapezoid rule on 401 x 91 nodes, exact to ten digits from d = 10 on.

At d = 400 the acceptances are within .0008 of the limits, .6 standard errors at most: limits are asked for without a tolerance at every d, and of so much
bias a false alarm becomes one in a million. At d = 10 they are .903, .587, .213, and the squared jump distance, what a chain gains in fact,
at l = 2.2 over that at 1.65 is .654 (d = 50: .632, d = 400: .604, limit .567): it is flatter towards large steps, and at d = 400 has not come to the
limit.

**The best step** is found by maximising the quadrature: by l^2 times acceptance l = 1.676, 1.655 and 1.651, at acceptances of .5695, .5733 and .5741 at d
= 10, 50 and 400 (limits 1.650 and .5742); by squared jump distance 1.717, 1.707 and 1.684, at .541, .537 and .551: both come slowly. A curve is flat at
its top, so that what is measured is what stands beside it: the efficiency at l + .1 over that at l - .1, l the predicted best, which is 1 but for a skewness
of .001; that at l - .4 over that at l - .1; and that at l + .4 over that at l + .1. The curvature is some 2.3: were the best l 5 % larger, the first of
these would be 1.038.

Shown, not counted: l^2 times acceptance at 2.2 over that at 1.65, two acceptances that are counted; and at d = 50 and 400 the acceptance at its best l, that
at 1.65 but for .003.

Measurement: one step of the project's own MALA from exact draws, at all l with the same noise: 200,000 chains at d = 10, 60,000 at 50, 56,000 at 400. The
leading number has a standard error of .25 %, the ratio at the best l of .0006 to .0012: a best l that is off by .6 (d = 10) to 1.1 % (d = 400) is seen in
9 of 10 runs.

Reference: Roberts and Rosenthal (1998), theorems 1 and 2.
"""

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import chi2, norm
from torch import Tensor

from scorebench.claims.base import CORRECTED, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import of_means
from scorebench.core.rng import generator
from scorebench.engine.loop import grid
from scorebench.samplers.base import exact_density
from scorebench.samplers.mala import MALA
from scorebench.targets.base import Target
from scorebench.targets.gaussian import gaussian

LABEL = "MALA is best at acceptance 0.574, with step like d^(-1/3)"
SOURCE = (
    "beyond the article (Roberts and Rosenthal 1998); follows from Sampling Using Langevin Dynamics, (158), which accepts "
    "every step and leaves $c$ open"
)
QUOTE = r"$i=n$, $c=\Delta t$, $\epsilon=z$을 적용하면 Langevin Dynamics를 다음과 같이 나타낼 수 있습니다."
TRANSLATION = r"With $i = n$, $c = \Delta t$, $\epsilon = z$, Langevin dynamics can be written as follows."
STATEMENT = r"with a step that is accepted or refused: acceptance $2\Phi(-l^3/8)$, best at $0.574$, with $c = \frac12 l^2 d^{-1/3}$"
CORRECTION = r"as $d \to \infty$; at finite $d$ more is accepted, and squared jump distance, at any of these $d$, wants a larger step"
EXPECTED = "qualified"
LARGE, FINITE = "by acceptance, as d grows", "at small d, or by squared jump distance"
CONDITIONS = {"by acceptance, as d grows": True, "at small d, or by squared jump distance": False}
REFERENCE = "Roberts and Rosenthal (1998), theorems 1 and 2"
LEADING = "acceptance at d = 400, l = 1.65"

SCALES, BEST, LONG = (1.0, 1.65, 2.2), 1, 2
BESIDE = (-0.4, -0.1, 0.0, 0.1, 0.4)
CHAINS = {10: 200_000, 50: 60_000, 400: 56_000}
TOGETHER = 14_000
SMALL, FAR = 10, 400
DIMENSIONS = (4, 5, 6, 7, 8, 10, 13, 18, 28, 50, 120, 400, 1_000)
STATED = "{}, by the limit"


def acceptance_at(d: int, scale: float) -> str:
    """The quantity of that name."""
    return f"acceptance at d = {d}, l = {scale:g}"


PLACES = {
    "0.4 below its best l over that 0.1 below": (0, 1),
    "0.1 above its best l over that 0.1 below": (3, 1),
    "0.4 above its best l over that 0.1 above": (4, 3),
}
"""What is compared, by its place in BESIDE."""


def _beside(what: str, d: int, place: str) -> str:
    return f"{what} {place}, d = {d}"


def _accepted(what: str, d: int) -> str:
    return f"acceptance at the l that is best by {what}, d = {d}"


def ratio_of(what: str, d: int) -> str:
    """The quantity of that name."""
    return f"{what} at l = {SCALES[LONG]:g} over that at {SCALES[BEST]:g}, d = {d}"


EFFICIENCY, JUMP = "l^2 times acceptance", "squared jump distance"


def step_size(d: int, scale: float) -> float:
    """C = l^2 d^(-1/3)/2."""
    return scale**2 * d ** (-1 / 3) / 2


def limit(scale: float) -> float:
    """The acceptance as d grows."""
    return float(2 * norm.cdf(-(scale**3) / 8))


@cache
def finite(d: int, scale: float) -> tuple[float, float]:
    """Acceptance and squared jump distance at d."""
    c, width = step_size(d, scale), 9 * math.sqrt(2 * d)
    r, z = np.linspace(max(0.0, d - width), d + width + 30, 401), np.linspace(-9, 9, 91)[:, None]
    weights = chi2.pdf(r, d) * (r[1] - r[0]) * norm.pdf(z) * (z[1, 0] - z[0, 0])
    along = 2 * c * np.sqrt(2 * c * r) * z
    bound = (r * (1 - (1 - c) ** 2) - along * (1 - c) / c) / (2 * c) - z**2
    below, first = chi2.cdf(bound, d - 1), (d - 1) * chi2.cdf(bound, d + 1)  # P(S < bound), E[S; S < bound]
    jump = (c * c * r - along + 2 * c * z**2) * below + 2 * c * first
    return float(2 * (weights * below).sum()), float(2 * (weights * jump).sum())


@cache
def best(what: str, d: float) -> float:
    """The l of the largest efficiency; d may be infinite."""

    def minus(scale: float) -> float:
        acceptance, jump = (limit(scale), math.nan) if math.isinf(d) else finite(int(d), scale)
        return -(jump if what == JUMP else scale**2 * acceptance)

    return float(minimize_scalar(minus, bounds=(1.2, 2.2), method="bounded", options={"xatol": 1e-5}).x)


def predict() -> list[Prediction]:
    """The limit, and quadrature at finite d."""
    predictions = []
    square = (SCALES[LONG] / SCALES[BEST]) ** 2
    ratio, accepted = square * limit(SCALES[LONG]) / limit(SCALES[BEST]), limit(best(EFFICIENCY, math.inf))
    reached = {acceptance_at(FAR, scale): limit(scale) for scale in SCALES}
    again = {ratio_of(EFFICIENCY, d) for d in CHAINS} | {_accepted(EFFICIENCY, d) for d in CHAINS if d > SMALL}
    missed = {acceptance_at(SMALL, SCALES[LONG]): limit(SCALES[LONG]), _accepted(JUMP, FAR): accepted}
    missed |= {ratio_of(JUMP, d): ratio for d in (SMALL, FAR)}
    for name, (d, value) in _values().items():
        setting: dict[str, float | str] = {"d": d}
        if name in reached:
            predictions.append(Prediction(name, LARGE, setting, "", reached[name]))
            continue
        predictions.append(Prediction(name, IDENTITY if name in again else CORRECTED, setting, "", value))
        if name in missed:
            predictions.append(Prediction(STATED.format(name), FINITE, setting, "", missed[name]))
    return predictions


def _values() -> dict[str, tuple[int, float]]:
    """Every number with its d, by quadrature."""
    values: dict[str, tuple[int, float]] = {}
    for d in CHAINS:
        acceptance, jump = (torch.tensor(v, dtype=torch.float64) for v in zip(*(finite(d, scale) for scale in _scales(d)), strict=True))
        values |= {name: (d, float(function(torch.cat([acceptance, jump])))) for name, function in _functions(d).items()}
    return values


def _scales(d: int) -> tuple[float, ...]:
    """All l at d: SCALES, and beside the best by either criterion."""
    return (*SCALES, *(best(what, d) + gap for what in (EFFICIENCY, JUMP) for gap in BESIDE))


def _functions(d: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """Every number at d as a function of the means (2 l) of acceptances and squared jump distances at `_scales`."""
    scales = torch.tensor(_scales(d), dtype=torch.float64)
    functions: dict[str, Callable[[Tensor], Tensor]] = {acceptance_at(d, scale): partial(_at, k=k) for k, scale in enumerate(SCALES)}
    for which, what in enumerate((EFFICIENCY, JUMP)):
        efficiency = partial(_efficiency, scales=scales, what=what)
        first = len(SCALES) + which * len(BESIDE)
        functions[ratio_of(what, d)] = partial(_over, efficiency=efficiency, of=LONG, to=BEST)
        functions[_accepted(what, d)] = partial(_at, k=first + BESIDE.index(0.0))
        for place, (of, to) in PLACES.items():
            functions[_beside(what, d, place)] = partial(_over, efficiency=efficiency, of=first + of, to=first + to)
    return functions


def _at(m: Tensor, k: int) -> Tensor:
    return m[k]


def _efficiency(m: Tensor, scales: Tensor, what: str) -> Tensor:
    acceptance, jump = m.split(len(scales))
    return jump if what == JUMP else scales.square() * acceptance


def _over(m: Tensor, efficiency: Callable[[Tensor], Tensor], of: int, to: int) -> Tensor:
    e = efficiency(m)
    return e[of] / e[to]


def measure(master: int) -> dict[str, Measurement]:
    """One step of MALA from exact draws at each d."""
    measurements: dict[str, Measurement] = {}
    for d, chains in CHAINS.items():
        target, stream = gaussian(dim=d), generator(master, "claim", "mala-optimal", d)
        columns = torch.cat([_columns(target, d, n, stream) for n in _parts(chains)])
        measurements |= {name: of_means(columns, function) for name, function in _functions(d).items()}
    return measurements | {p.name: measurements[p.name.removesuffix(STATED.format(""))] for p in predict() if p.group == FINITE}


def _parts(chains: int) -> list[int]:
    """Chains by parts: at d = 400 all at once would take gigabytes."""
    return [min(TOGETHER, chains - done) for done in range(0, chains, TOGETHER)]


def _columns(target: Target, d: int, chains: int, stream: torch.Generator) -> Tensor:
    """Acceptances and squared jump distances at every l, (chain, 2 l), with the same noise."""
    density, samplers = exact_density(target), [MALA(*grid([(step_size(d, scale), 1.0)])) for scale in _scales(d)]
    x, draws, both = target.sample(chains, stream)[None, None], samplers[0].draws(density, (chains, d), stream)[None], []
    draws[..., -1] = 0  # no uniform refuses: what it would is averaged by hand, acceptance times |y - x|^2
    for sampler in samplers:
        state, info = sampler.step(sampler.init(x, density), density, draws)
        acceptance = torch.as_tensor(info.acceptance)[0, 0].double()
        both.append(torch.stack([acceptance, acceptance * (state.x - x).square().sum(-1)[0, 0]]))
    return torch.stack(both, -1).transpose(0, 1).flatten(1)


def picture(master: int) -> dict[str, Any]:
    """What the figure `mala_and_dimension` draws: acceptances (l, d), the efficiencies' ratios (criterion, d), their limits and measured points."""
    exact = np.array([[finite(d, scale) for d in DIMENSIONS] for scale in SCALES])  # (l, d, acceptance and jump)
    square = (SCALES[LONG] / SCALES[BEST]) ** 2
    return {
        "dimensions": DIMENSIONS,
        "scales": SCALES,
        "acceptance": exact[..., 0],
        "acceptance_limits": [limit(scale) for scale in SCALES],
        "ratios": [square * exact[LONG, :, 0] / exact[BEST, :, 0], exact[LONG, :, 1] / exact[BEST, :, 1]],
        "ratio_limit": square * limit(SCALES[LONG]) / limit(SCALES[BEST]),
        "measured_dimensions": list(CHAINS),
        "acceptance_names": [[acceptance_at(d, scale) for d in CHAINS] for scale in SCALES],
        "ratio_names": [[ratio_of(what, d) for d in CHAINS] for what in (EFFICIENCY, JUMP)],
    }
