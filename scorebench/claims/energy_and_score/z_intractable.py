r"""Z cannot be had from a grid in many dimensions; from annealed samples it can, whose error grows like sqrt d.

Statement: maximum likelihood takes a Z that is easy to compute, but there is no particular way to. "No particular way" is read as: none brings log Z
within .2 nat (set beforehand) for a million evaluations of f and some more. Of grids in many dimensions that holds; of samples it does not.

Prediction. Three f on R^d whose Z is known otherwise, so that a method that knows nothing of f can be judged:

    wells      sum_i (x_i^2 - 1)^2:                                 Z = Z_1^d, Z_1 by quadrature; log Z = .680 d
    coupled    the same + 1/4 sum_(i < d) (x_i - x_(i+1))^2:        no product: Z = 1' W K^(d-1) 1, K the kernel between neighbours on 401 nodes of [-4, 4], by
                                                                    the trapezoid rule, exact to rounding; log Z = 3.226 and 6.147 at d = 8 and 16
    shell      (|x|^2 - d)^2/(2d):                                  no product: Z = area of the sphere times int r^(d-1) exp(-f) dr; 11.30 and 23.36

**By a grid** of n nodes an axis, the midpoint rule, f is evaluated n^d times. A million leave 1,000 nodes an axis at d = 2, where Z is known; 5 at d = 8
and 2 at d = 16. Of the wells and the coupled wells, as wide as a node is from the next, log Z is wrong there by .56 and .23 (d = 8), 11.3 and 10.3 (d =
16). A shell is smooth on the scale of sqrt d, and at d = 8 five nodes an axis know its log Z to .02: that a grid fails is no matter of the dimension
alone. With 2 nodes an axis all are at one distance from 0, off the shell: at d = 16 it is wrong by hundreds. (The sums over all nodes were had beforehand
by the same kernel on the grid's nodes, and by counting nodes by |x|^2.)

**By samples.** Annealed importance sampling in R^d, 2,000 chains and 500 levels, evaluates f twice a level: 2 million times at any d. To leading order in
the number of levels a log weight of the wells is a sum of d independent parts, so that its spread grows like d^(1/2), and while that is below 1, so does
the error of log Z. The moves of a chain are accepted for all coordinates together, which makes the parts dependent: the exponent is 1/2 but for .2 at the
most, set beforehand; that it is not 1 is seen, no finer.

Measurement: the grids by evaluating f at all their nodes; AIS from N(0, I) with the project's own MALA in d dimensions, a run a d and f. Its weights have a
skewness of 2 or less, .045 in their mean: a false alarm of 1e-7 by the rule is one of some 1e-6. Log weights at d = 1 have a long tail (a kurtosis of 20 to
100 in 2,000 chains), so that their spread, and it alone, is of eight times the chains. log Z of the wells at d = 16 has a standard error of .2 %: an error of
1.3 % is seen in 9 of 10 runs.

Reference: Neal (2001), section 4 and eqs. 1-10; Wu et al. (2017), for AIS on generative models.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.integrate import quad
from scipy.special import gammaln
from torch import Tensor

from scorebench.claims.base import CORRECTED, Measurement, Prediction
from scorebench.claims.lib.ais import log_mean, log_weights
from scorebench.claims.lib.estimates import moments, of_means
from scorebench.core.rng import generator
from scorebench.targets.lib.mixture import normal

LABEL = "There is no particular way to compute Z"
SOURCE = "Energy-based Models, between (152) and (153)"
QUOTE = r"상수를 쉽게 계산할 수 있어야 합니다. 그렇지만 딱히 방법이 없기 때문에 우리는 $Z_\theta$를 무시하고 근사할 수 있는 방법을 생각해야 합니다."
TRANSLATION = (
    r"[one] must be able to compute the constant easily. But as there is no particular way, we must think of a method that "
    r"ignores $Z_\theta$ and approximates."
)
STATEMENT = r"there is no particular way to compute $Z = \int e^{-f(x)}\,dx$, for an $f$ in many dimensions"
CORRECTION = r"not by a grid, whose cost is $n^d$; by annealed samples, whose error grows like $\sqrt{d}$, there is"
EXPECTED = "qualified"
MANY, ELSE = "by a grid in many dimensions", "by a grid in few, or of a smooth shell, or by samples"
CONDITIONS = {"by a grid in many dimensions": True, "by a grid in few, or of a smooth shell, or by samples": False}
REFERENCE = "Neal (2001), eqs. 1-10"
LEADING = "log Z of wells at d = 16, by AIS"

LARGEST, HALF_WIDTH, COUPLING = 16, 2.0, 0.5
CHAINS, LEVELS, STEP_SIZE, START = 2_000, 500, 0.1, 1.0
FOR_TAIL = 8
"""Times the chains at d = 1."""
EVALUATIONS = 1_000_000
NODES = {d: int((EVALUATIONS + 0.5) ** (1 / d)) for d in (2, 8, 16)}
KNOWN = 0.2
EXPONENT, OFF = "exponent in d of the spread of AIS's log weights, wells, less 1/2, at most 0.2", 0.2
WELLS, COUPLED, SHELL = "wells", "coupled wells", "a shell"
BY_AIS = ((WELLS, 1), (WELLS, 4), (WELLS, LARGEST), (COUPLED, LARGEST), (SHELL, LARGEST))
BY_GRID = {(what, d): d == 2 or (what, d) == (SHELL, 8) for what in (WELLS, COUPLED, SHELL) for d in NODES}
"""Whether a grid of a million nodes knows log Z."""


def _by_ais(what: str, d: int) -> str:
    return f"log Z of {what} at d = {d}, by AIS"


def _missed(what: str, d: int, way: str) -> str:
    return f"log Z of {what} missed by {KNOWN:g} nat at d = {d} by {way} (1: yes)"


GRID, AIS = "a grid of a million nodes", "AIS"


def log_z(what: str, d: int) -> float:
    """The truth."""
    if what == WELLS:
        return d * math.log(quad(lambda x: math.exp(-((x * x - 1) ** 2)), -6, 6, points=(-1, 0, 1), epsabs=0, epsrel=1e-12, limit=200)[0])
    if what == COUPLED:
        x = np.linspace(-4, 4, 401)
        weights = np.exp(-((x * x - 1) ** 2)) * (x[1] - x[0])
        return float(np.log(weights @ np.linalg.matrix_power(np.exp(-COUPLING / 2 * (x[:, None] - x) ** 2) * weights, d - 1).sum(1)))
    radius = math.sqrt(d)
    area = math.log(2) + d / 2 * math.log(math.pi) - float(gammaln(d / 2))
    radial = quad(
        lambda r: (r / radius) ** (d - 1) * math.exp(-((r * r - d) ** 2) / (2 * d)), 0, radius + 6, points=[radius], epsrel=1e-11
    )[0]
    return area + (d - 1) * math.log(radius) + math.log(radial)


def predict() -> list[Prediction]:
    """Quadrature, and flags."""
    predictions = [Prediction(_by_ais(what, d), CORRECTED, {"d": d}, "nat", log_z(what, d), 1e-9) for what, d in BY_AIS]
    predictions += [
        Prediction(_missed(what, d, GRID), ELSE if known else MANY, {"d": d, "nodes": NODES[d]}, "", 1.0)
        for (what, d), known in BY_GRID.items()
    ]
    predictions += [Prediction(_missed(what, LARGEST, AIS), ELSE, {"d": LARGEST}, "", 1.0) for what, d in BY_AIS if d == LARGEST]
    return [*predictions, Prediction(EXPONENT, CORRECTED, {}, "", 0.0, OFF)]


def energy(x: Tensor) -> Tensor:
    """(x_i^2 - 1)^2 in every coordinate, (*, d) -> (*)."""
    return (x.square() - 1).square().sum(-1)


def _coupled(x: Tensor) -> Tensor:
    return energy(x) + COUPLING / 2 * x.diff(dim=-1).square().sum(-1)


def _shell(x: Tensor) -> Tensor:
    d = x.shape[-1]
    return (x.square().sum(-1) - d).square() / (2 * d)


def measure(master: int) -> dict[str, Measurement]:
    """Grids, and AIS."""
    energies: dict[str, Callable[[Tensor], Tensor]] = {WELLS: energy, COUPLED: _coupled, SHELL: _shell}
    measurements = {}
    for what, d in BY_GRID:
        half_width = math.sqrt(d) + HALF_WIDTH if what == SHELL else HALF_WIDTH
        off = by_grid(energies[what], d, NODES[d], half_width) - log_z(what, d)
        measurements[_missed(what, d, GRID)] = Measurement(float(abs(off) >= KNOWN))
    spreads = []
    for what, d in BY_AIS:
        stream = generator(master, "claim", "z-intractable", what, d)
        chains = CHAINS * (FOR_TAIL if d == 1 else 1)
        weights = log_weights(energies[what], normal(d, START), chains, LEVELS, STEP_SIZE, stream)
        measurements[_by_ais(what, d)] = by_ais = log_mean(weights[:CHAINS])
        if d == LARGEST:
            measurements[_missed(what, d, AIS)] = Measurement(float(abs(by_ais.measured - log_z(what, d)) >= KNOWN))
        if what == WELLS:
            spreads.append(of_means(moments(weights), lambda m: (m[1] - m[0] ** 2).log() / (2 * math.log(LARGEST))))
    few, many = spreads[0], spreads[-1]
    exponent = Measurement(many.measured - few.measured - 0.5, math.hypot(few.standard_error, many.standard_error), CHAINS)
    return measurements | {EXPONENT: exponent}


def by_grid(of: Callable[[Tensor], Tensor], d: int, n: int, half_width: float) -> float:
    """Log Z by the midpoint rule, f evaluated at all n^d nodes."""
    axis = -half_width + 2 * half_width * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    numbers = torch.arange(n**d)
    nodes = torch.stack([axis[numbers // n**k % n] for k in range(d)], -1)
    return float((-of(nodes)).logsumexp(0)) + d * math.log(2 * half_width / n)
