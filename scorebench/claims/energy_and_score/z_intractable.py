r"""Z cannot be had from a grid in many dimensions; from annealed samples it can.

Statement: maximum likelihood takes a Z that is easy to compute, but there is no particular way to. "No particular way" is read as: none brings log Z
within .2 nat (set beforehand) for three million evaluations of f: its error is at least that. Of grids in many dimensions that holds; of samples it does not.

Prediction. Three f on R^d whose Z is known otherwise, so that a method that knows nothing of f can be judged:

    wells      sum_i (x_i^2 - 1)^2:                                 Z = Z_1^d, Z_1 by quadrature; log Z = .680 d
    coupled    the same + 1/4 sum_(i < d) (x_i - x_(i+1))^2:        no product: Z = 1' W K^(d-1) 1, K the kernel between neighbours on 401 nodes of [-4, 4], by
                                                                    the trapezoid rule, exact to rounding; log Z = 3.226, 4.686, 6.147 at d = 8, 12, 16
    shell      (|x|^2 - d)^2/(2d):                                  no product: Z = area of the sphere times int r^(d-1) exp(-f) dr; 11.30, 17.33, 23.36

**By a grid** of n nodes an axis of [-h, h], the midpoint rule, f is evaluated n^d times. Three million leave 1,732 nodes an axis at d = 2 (shown, not
counted: that is not many), and 6, 3 and 2 at d = 8, 12 and 16. Its h is chosen in the grid's favour, by the answer: but as one number that is free meets any
other (for two nodes and d = 16, too, some h gives log Z), the grid must be within .2 at h, 1.1 h and 1.2 h, h the best from 1 to 4. Their largest error is

              d = 8    12      16
    wells     .136     1.86    2.94
    coupled   .081     1.45    2.53
    shell     .003     .056    .401

(sums over all nodes, had beforehand by the kernel on the grid's nodes and by counting nodes by |x|^2). Were h known to 10 %, the shell of d = 16 would not be
missed (.128), the others alike. That a grid fails is no matter of the dimension alone: a shell is smooth on the scale of sqrt d.

**By samples.** Annealed importance sampling in R^d, 2,000 chains and 500 levels, evaluates f three times a level, for the weight and at both ends of a move:
three million times at any d. It is unbiased whatever the moves. (To leading order in the number of levels a log weight of the wells is a sum of d parts, one a
coordinate, and were they independent, its spread would grow like d^(1/2). A chain's moves are accepted for all coordinates together, so that they are not; no
rate in d is claimed.)

Measurement: the grids by evaluating f at all their nodes; AIS from N(0, I) with the project's own MALA in d dimensions, a run a d and f. Its weights have a
skewness of 2 or less, .045 in their mean: a false alarm of 1e-7 by the rule is one of some 1e-6. A spread of .5 in the log weights is .011 in log Z: .1 % of
the wells' at d = 16, of which an error of .7 % is seen in 9 of 10 runs, and a twentieth of .2 nat. The error, a size, has that standard error or a smaller one:
sizes are no further apart than the numbers.

Reference: Neal (2001), section 4 and eqs. 1-10; Wu et al. (2017), for AIS on generative models.
"""

import math
from collections.abc import Callable
from functools import reduce

import numpy as np
import torch
from scipy.integrate import quad
from scipy.special import gammaln
from torch import Tensor

from scorebench.claims.base import CORRECTED, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.ais import log_mean, log_weights
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
CORRECTION = r"not by a grid, whose cost is $n^d$; by annealed samples there is, to a few hundredths of a nat at $d = 16$"
EXPECTED = "qualified"
MANY, ELSE = "by a grid in many dimensions", "by a grid in fewer, or of a smooth shell, or by samples"
CONDITIONS = {"by a grid in many dimensions": True, "by a grid in fewer, or of a smooth shell, or by samples": False}
REFERENCE = "Neal (2001), eqs. 1-10"
LEADING = "log Z of wells at d = 16, by AIS"

LARGEST, COUPLING = 16, 0.5
CHAINS, LEVELS, STEP_SIZE, START = 2_000, 500, 0.1, 1.0
EVALUATIONS = 3_000_000
NODES = {d: int((EVALUATIONS + 0.5) ** (1 / d)) for d in (2, 8, 12, LARGEST)}
HALF_WIDTHS, WIDER = np.geomspace(1, 4, 71), (1.0, 1.1, 1.2)
KNOWN = 0.2
WELLS, COUPLED, SHELL = "wells", "coupled wells", "a shell"
BY_AIS = ((WELLS, 1), (WELLS, 4), (WELLS, LARGEST), (COUPLED, LARGEST), (SHELL, LARGEST))
BY_GRID = {(what, d): d <= 8 or (what, d) == (SHELL, 12) for what in (WELLS, COUPLED, SHELL) for d in NODES}
"""Whether a grid of three million nodes knows log Z."""


def _by_ais(what: str, d: int) -> str:
    return f"log Z of {what} at d = {d}, by AIS"


def _error(what: str, d: int, way: str) -> str:
    return f"error of log Z of {what} at d = {d} by {way}, at least {KNOWN:g}"


GRID, AIS = "a grid of three million nodes", "AIS"


def log_z(what: str, d: int) -> float:
    """The truth."""
    if what == WELLS:
        return d * math.log(quad(lambda x: math.exp(-((x * x - 1) ** 2)), -6, 6, points=(-1, 0, 1), epsabs=0, epsrel=1e-12, limit=200)[0])
    if what == COUPLED:
        return sum_over_grid(what, d, 401, 4.0)
    radius = math.sqrt(d)
    area = math.log(2) + d / 2 * math.log(math.pi) - float(gammaln(d / 2))
    radial = quad(
        lambda r: (r / radius) ** (d - 1) * math.exp(-((r * r - d) ** 2) / (2 * d)), 0, radius + 6, points=[radius], epsrel=1e-11
    )[0]
    return area + (d - 1) * math.log(radius) + math.log(radial)


def sum_over_grid(what: str, d: int, n: int, half_width: float) -> float:
    """Log Z by the midpoint rule, all n^d nodes by the kernel between neighbours, or counted by |x|^2."""
    cell = 2 * half_width / n
    twice = 2 * np.arange(n) + 1 - n
    x = twice * cell / 2
    if what == SHELL:
        counts = reduce(np.convolve, [np.bincount(twice**2).astype(float)] * d)
        return math.log(counts @ np.exp(-((np.arange(len(counts)) * cell**2 / 4 - d) ** 2) / (2 * d))) + d * math.log(cell)
    weights = np.exp(-((x * x - 1) ** 2)) * cell
    kernel = np.exp(-(COUPLING if what == COUPLED else 0) / 2 * (x[:, None] - x) ** 2) * weights
    return math.log(weights @ np.linalg.matrix_power(kernel, d - 1).sum(1))


def best_half_width(what: str, d: int) -> float:
    """That of the least largest error: chosen by the answer. In the plane any will do."""
    if d == 2:
        return float(HALF_WIDTHS[-1])
    truth = log_z(what, d)
    errors = [max(abs(sum_over_grid(what, d, NODES[d], h * wider) - truth) for wider in WIDER) for h in HALF_WIDTHS]
    return float(HALF_WIDTHS[np.argmin(errors)])


def predict() -> list[Prediction]:
    """Quadrature, and what an error is at least where Z cannot be had."""
    predictions = [Prediction(_by_ais(what, d), CORRECTED, {"d": d}, "nat", log_z(what, d), 1e-9) for what, d in BY_AIS]
    predictions += [Prediction(_error(what, LARGEST, AIS), ELSE, {"d": LARGEST}, "nat", KNOWN) for what, d in BY_AIS if d == LARGEST]
    return predictions + [
        Prediction(_error(what, d, GRID), IDENTITY if d == 2 else ELSE if known else MANY, {"d": d, "nodes": NODES[d]}, "nat", KNOWN)
        for (what, d), known in BY_GRID.items()
    ]


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
        half_width, truth = best_half_width(what, d), log_z(what, d)
        off = max(abs(by_grid(energies[what], d, NODES[d], half_width * wider) - truth) for wider in WIDER)
        measurements[_error(what, d, GRID)] = Measurement(off)
    for what, d in BY_AIS:
        stream = generator(master, "claim", "z-intractable", what, d)
        measurements[_by_ais(what, d)] = by_ais = log_mean(log_weights(energies[what], normal(d, START), CHAINS, LEVELS, STEP_SIZE, stream))
        if d == LARGEST:
            measurements[_error(what, d, AIS)] = by_ais._replace(measured=abs(by_ais.measured - log_z(what, d)))
    return measurements


def by_grid(of: Callable[[Tensor], Tensor], d: int, n: int, half_width: float) -> float:
    """Log Z by the midpoint rule, f evaluated at all n^d nodes."""
    axis = -half_width + 2 * half_width * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    others = torch.cartesian_prod(*[axis] * (d - 1)).view(-1, d - 1)
    sums = [(-of(torch.cat([first.expand(len(others), 1), others], -1))).logsumexp(0) for first in axis]
    return float(torch.stack(sums).logsumexp(0)) + d * math.log(2 * half_width / n)
