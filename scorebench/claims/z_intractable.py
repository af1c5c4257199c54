r"""Z cannot be had from a grid in many dimensions; from samples it can, whose log weights spread like sqrt d.

Statement (energy-based models): Z = int exp(-f(x)) dx cannot be known for a complicated f.

Prediction. f(x) = sum_i (x_i^2 - 1)^2 on R^d: Z = Z_1^d, with Z_1 by quadrature to 1e-10: log Z = .6799 d, known here so that a method can be judged.

**By a grid.** A million evaluations of f leave n nodes an axis where n^d <= 10^6: 1,000 at d = 2, 5 at d = 8, 2 at d = 16. The midpoint rule on [-2, 2]^d is
a product, too: log Z comes out as d log((4/n) sum_j exp(-V(x_j))), so that it can be said beforehand how wrong it is: 4.8789 at d = 8, where the truth is
5.4394, and 22.1807 at d = 16 for 10.8788. Here the statement holds: nothing is known.

**By samples.** Annealed importance sampling, 10,000 chains and 100 levels, evaluates f at a million points, too: 10.8788 at d = 16. Moves are made
coordinate by coordinate, so that the log weight is a sum of d independent parts: its spread grows like d^(1/2), and with it the error of log Z as long as
the spread is below 1 (beyond, weights are so unequal that levels must be added in proportion to d). As stated samples could not know more than the grid.

Measurement: the grid by evaluating f at all its n^d nodes; AIS with the project's own MALA; the exponent from the log weights at d = 1 and d = 16. The
leading number has a standard error of .25 %: an error of 1.7 % is seen in 9 of 10 runs.

Reference: Neal (2001), section 4 and eqs. 1-10; Wu et al. (2017), for AIS on generative models.
"""

import math

import torch
from scipy.integrate import quad
from torch import Tensor

from scorebench.claims._ais import log_mean, log_weights
from scorebench.claims.base import CORRECTED, Measurement, Prediction, moments, of_means
from scorebench.rng import generator
from scorebench.targets._mixture import normal

LABEL = "What it takes to know Z"
SOURCE = "energy-based models, below equation 152"
STATEMENT = r"Z = \int \exp(-f(x))\,dx \text{ cannot be known for a complicated } f"
CORRECTION = r"\text{not from a grid, whose cost is } n^d; \text{ from annealed samples it can, whose log weights spread like } \sqrt{d}"
EXPECTED = "qualified"
GRID, SAMPLES = "by a grid", "by samples"
CONDITIONS = {"by a grid": True, "by samples": False}
REFERENCE = "Neal (2001), eqs. 1-10"
LEADING = "log Z at d = 16, by AIS"

DIMENSIONS, LARGEST, HALF_WIDTH = (1, 2, 4, 8, 16), 16, 2.0
CHAINS, LEVELS, STEP_SIZE, START = 10_000, 100, 0.1, 1.5**2
NODES = {d: int((CHAINS * LEVELS + 0.5) ** (1 / d)) for d in (2, 8, 16)}
AS_STATED, EXPONENT = "log Z at d = 16, by AIS, if it knew no more than the grid", "exponent of AIS's log weights' spread in d"


def _by_ais(d: int) -> str:
    return f"log Z at d = {d}, by AIS"


def _by_grid(d: int) -> str:
    return f"log Z at d = {d}, by {NODES[d]} nodes an axis"


def predict() -> list[Prediction]:
    """Products of integrals, and of sums."""
    z, _ = quad(lambda x: math.exp(-((x * x - 1) ** 2)), -6, 6, points=(-1, 0, 1), epsabs=0, epsrel=1e-12, limit=200)
    found = [Prediction(_by_ais(d), CORRECTED, {"d": d}, "nat", d * math.log(z)) for d in DIMENSIONS]
    for d, n in NODES.items():
        nodes = [-HALF_WIDTH + 2 * HALF_WIDTH * (j + 0.5) / n for j in range(n)]
        value = d * math.log(2 * HALF_WIDTH / n * sum(math.exp(-((x * x - 1) ** 2)) for x in nodes))
        found.append(Prediction(_by_grid(d), GRID, {"d": d, "nodes": n}, "nat", value, 1e-9))
    found.append(Prediction(AS_STATED, SAMPLES, {"d": LARGEST}, "nat", value))
    return [*found, Prediction(EXPONENT, CORRECTED, {}, "", 0.5)]


def energy(x: Tensor) -> Tensor:
    """V in every coordinate, (*, d) -> (*)."""
    return (x.square() - 1).square().sum(-1)


def measure(master: int) -> dict[str, Measurement]:
    """Grids, and AIS at every d."""
    found = {_by_grid(d): Measurement(by_grid(d, n)) for d, n in NODES.items()}
    stream = generator(master, "claim", "z-intractable")
    parts = log_weights(energy, normal(1, START), CHAINS * LARGEST, LEVELS, STEP_SIZE, stream).view(CHAINS, LARGEST)
    for d in DIMENSIONS:
        found[_by_ais(d)] = log_mean(parts[:, :d].sum(-1))
    found[AS_STATED] = found[_by_ais(LARGEST)]
    columns = torch.cat([moments(parts[:, 0]), moments(parts.sum(-1))], -1)
    found[EXPONENT] = of_means(columns, lambda m: ((m[3] - m[2] ** 2) / (m[1] - m[0] ** 2)).log() / (2 * math.log(LARGEST)))
    return found


def by_grid(d: int, n: int) -> float:
    """Log Z by the midpoint rule, f evaluated at all n^d nodes."""
    axis = -HALF_WIDTH + 2 * HALF_WIDTH * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    numbers = torch.arange(n**d)
    nodes = torch.stack([axis[numbers // n**k % n] for k in range(d)], -1)
    return float((-energy(nodes)).logsumexp(0)) + d * math.log(2 * HALF_WIDTH / n)
