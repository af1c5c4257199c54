r"""Z cannot be had from a grid in many dimensions; from annealed samples it can, whose error grows like sqrt d.

Statement: Z = int exp(-f(x)) dx cannot be known for a complicated f.

Prediction. f(x) = sum_i (x_i^2 - 1)^2 on R^d: Z = Z_1^d, Z_1 by quadrature to 1e-10, log Z = .6799 d: known here so that a method that does not know
that f is a sum can be judged. "Known" is within .2 nat, set beforehand; as stated no method would know any.

**By a grid** of n nodes an axis, the midpoint rule on [-2, 2]^d, f is evaluated n^d times. f being a sum, so is what comes out, log Z = d log((4/n) sum_j
exp(-V(x_j))), and it can be said beforehand how wrong it is. .01 nat takes 8, 81 and 6,561 evaluations at d = 1, 2 and 4: nine to the power of d. A million
evaluations leave 1,000 nodes an axis at d = 2, where Z is known to 1e-5; 5 at d = 8, where the grid says 4.879 (truth 5.439); 2 at d = 16, where it says
22.18 (truth 10.88). So at d = 8 and 16 the statement holds of grids.

**By samples.** Annealed importance sampling in R^d, 2,000 chains and 1,000 levels, evaluates f twice a level: 4 million times at any d. To leading order in
the number of levels a log weight is a sum of d independent parts, so that its spread grows like d^(1/2), and while that is below 1, so does the error of log
Z. The moves of a chain are accepted for all coordinates together, which makes the parts dependent: the exponent is .5 within .1, set beforehand.

Measurement: the grids by evaluating f at all their nodes; AIS with the project's own MALA in d dimensions, a run a d. log Z at d = 16 has a standard error
of .12 %: an error of 1 % is seen in 9 of 10 runs.

Reference: Neal (2001), section 4 and eqs. 1-10; Wu et al. (2017), for AIS on generative models.
"""

import math
from collections.abc import Callable

import torch
from scipy.integrate import quad
from torch import Tensor

from scorebench.claims.base import CORRECTED, Measurement, Prediction
from scorebench.claims.lib.ais import log_mean, log_weights
from scorebench.claims.lib.estimates import moments, of_means
from scorebench.core.rng import generator
from scorebench.targets.lib.mixture import normal

LABEL = "There is no way to know Z"
SOURCE = "Energy-based Models, between (152) and (153)"
QUOTE = r"상수를 쉽게 계산할 수 있어야 합니다. 그렇지만 딱히 방법이 없기 때문에 우리는 $Z_\theta$를 무시하고 근사할 수 있는 방법을 생각해야 합니다."
TRANSLATION = (
    r"[one] must be able to compute the constant easily. But as there is no particular way, we must think of a method that "
    r"ignores $Z_\theta$ and approximates."
)
STATEMENT = r"there is no particular way to compute $Z = \int e^{-f(x)}\,dx$, for an $f$ in many dimensions"
CORRECTION = r"not by a grid, whose cost is $n^d$; by annealed samples, whose error grows like $\sqrt{d}$, there is"
EXPECTED = "qualified"
MANY, ELSE = "by a grid in many dimensions", "by a grid in few dimensions, or by samples"
CONDITIONS = {"by a grid in many dimensions": True, "by a grid in few dimensions, or by samples": False}
REFERENCE = "Neal (2001), eqs. 1-10"
LEADING = "log Z at d = 16, by AIS"

DIMENSIONS, FEW, LARGEST, HALF_WIDTH = (1, 2, 4, 8, 16), (1, 2, 4), 16, 2.0
CHAINS, LEVELS, STEP_SIZE, START = 2_000, 1_000, 0.1, 1.5
EVALUATIONS = 1_000_000
NODES = {d: int((EVALUATIONS + 0.5) ** (1 / d)) for d in (2, 8, 16)}
KNOWN, CLOSE, MOST = 0.2, 0.01, 20
EXPONENT, OFF = "exponent in d of the spread of AIS's log weights", 0.1


def _by_ais(d: int) -> str:
    return f"log Z at d = {d}, by AIS"


def _by_grid(d: int) -> str:
    return f"log Z at d = {d}, by a grid of {NODES[d]} nodes an axis"


def _cost(d: int) -> str:
    return f"evaluations of f for {CLOSE:g} nat by a grid, d = {d}"


def _known(d: int, way: str) -> str:
    return f"log Z known to {KNOWN:g} nat at d = {d} by {way} (1: yes)"


GRID, AIS = "a grid of a million nodes", "AIS"


def _truth() -> float:
    """Log Z at d = 1."""
    return math.log(quad(lambda x: math.exp(-((x * x - 1) ** 2)), -6, 6, points=(-1, 0, 1), epsabs=0, epsrel=1e-12, limit=200)[0])


def _of_sum(n: int) -> float:
    """What n nodes say at d = 1."""
    nodes = [-HALF_WIDTH + 2 * HALF_WIDTH * (j + 0.5) / n for j in range(n)]
    return math.log(2 * HALF_WIDTH / n * sum(math.exp(-((x * x - 1) ** 2)) for x in nodes))


def _evaluations(d: int, error: Callable[[int], float]) -> float:
    """N^d for the least n up to MOST whose error, and that of n + 1, is small."""
    return float(next((n for n in range(2, MOST) if max(error(n), error(n + 1)) < CLOSE), MOST) ** d)


def predict() -> list[Prediction]:
    """Products of integrals, and of sums."""
    truth = _truth()
    predictions = [Prediction(_by_ais(d), CORRECTED, {"d": d}, "nat", d * truth) for d in DIMENSIONS]
    for d, n in NODES.items():
        predictions.append(Prediction(_by_grid(d), CORRECTED, {"d": d, "nodes": n}, "nat", d * _of_sum(n), 1e-9))
        predictions.append(Prediction(_known(d, GRID), ELSE if d == 2 else MANY, {"d": d, "nodes": n}, "", 0.0))
    for d in FEW:
        predictions.append(Prediction(_cost(d), CORRECTED, {"d": d}, "", _evaluations(d, lambda n, d=d: d * abs(_of_sum(n) - truth))))  # type: ignore[misc]
    predictions.append(Prediction(_known(LARGEST, AIS), ELSE, {"d": LARGEST}, "", 0.0))
    return [*predictions, Prediction(EXPONENT, CORRECTED, {}, "", 0.5, OFF)]


def energy(x: Tensor) -> Tensor:
    """V in every coordinate, (*, d) -> (*)."""
    return (x.square() - 1).square().sum(-1)


def measure(master: int) -> dict[str, Measurement]:
    """Grids, and AIS at every d."""
    truth, measurements = _truth(), {}
    for d, n in NODES.items():
        value = by_grid(d, n)
        measurements[_by_grid(d)] = Measurement(value)
        measurements[_known(d, GRID)] = Measurement(float(abs(value - d * truth) < KNOWN))
    for d in FEW:
        measurements[_cost(d)] = Measurement(_evaluations(d, lambda n, d=d: abs(by_grid(d, n) - d * truth)))  # type: ignore[misc]
    spreads = []
    for d in DIMENSIONS:
        weights = log_weights(energy, normal(d, START), CHAINS, LEVELS, STEP_SIZE, generator(master, "claim", "z-intractable", d))
        measurements[_by_ais(d)] = log_mean(weights)
        spreads.append(of_means(moments(weights), lambda m: (m[1] - m[0] ** 2).log() / (2 * math.log(LARGEST))))
    measurements[_known(LARGEST, AIS)] = Measurement(float(abs(measurements[LEADING].measured - LARGEST * truth) < KNOWN))
    few, many = spreads[0], spreads[-1]
    exponent = Measurement(many.measured - few.measured, math.hypot(few.standard_error, many.standard_error), CHAINS)
    return measurements | {EXPONENT: exponent}


def by_grid(d: int, n: int) -> float:
    """Log Z by the midpoint rule, f evaluated at all n^d nodes."""
    axis = -HALF_WIDTH + 2 * HALF_WIDTH * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    numbers = torch.arange(n**d)
    nodes = torch.stack([axis[numbers // n**k % n] for k in range(d)], -1)
    return float((-energy(nodes)).logsumexp(0)) + d * math.log(2 * HALF_WIDTH / n)
