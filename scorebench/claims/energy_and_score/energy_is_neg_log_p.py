r"""V = -log p + log 1/Z: an identity, shown where Z is not 1.

Statement: p(x) = exp(-V(x))/Z, so that V(x) = -log p(x) + log(1/Z).

Prediction. Taking logarithms, V + log p = -log Z at every x: nothing could fail but the constant, Z. It is tested where that is not 1: V = (x^2 - 1)^2 at T =
1, 1/4 and 4 (V/T stands for V), b (x_1^2 - 1)^2 + x_2^2/2 with b = 3 in the plane, Z by adaptive quadrature to 1e-10; and the project's quadratic energy
network, Z = (2 pi)^(d/2) det(A)^(-1/2).

- From draws alone, so that p is the law of something: the share of draws in a box B is int_B exp(-V)/Z, so that Z = int_B exp(-V)/share. The integral is by
quadrature, of the network's energy by its values at 20 x 20 nodes of Gauss and Legendre; its draws are of the Gaussian that it should be the energy of.
- From the project's normalised log density V + log p has the mean -log Z over draws, in float64, and in float32 departs from it by rounding: the constant
that its code adds, and 0 by algebra; both shown, not counted.

Measurement: 1,000,000 exact draws; B = [.5, 1.5] (x [-1, 1]): Z has a standard error of .1 to .2 %: one that is off by 1 to 1.5 % is seen in 9 of 10 runs.

Reference: LeCun et al. (2006), section 1.3.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from scipy.integrate import quad
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.ais import Energy
from scorebench.claims.lib.estimates import of_means
from scorebench.core.rng import generator
from scorebench.models.base import Bound, score_and_log_prob
from scorebench.models.quadratic import Quadratic
from scorebench.targets.base import Target
from scorebench.targets.double_well import double_well
from scorebench.targets.lib.mixture import mixture

LABEL = "Energy is minus log density, but for a constant"
SOURCE = "Steady State of Langevin Dynamics, equations before its last line"
QUOTE = r"$V(x) = -\log{p(x)} + \log{\frac{1}{Z}}$"
TRANSLATION = r"$V(x) = -\log p(x) + \log\frac{1}{Z}$"
STATEMENT = r"$V(x) = -\log p(x) + \log\frac{1}{Z}$ where $p = e^{-V}/Z$"
EXPECTED = "reproduced"
REFERENCE = "LeCun et al. (2006), section 1.3"
LEADING = "Z of (x^2 - 1)^2, by the share of a box"

DRAWS, LOW, HIGH, SIDE = 1_000_000, 0.5, 1.5, 1.0
BARRIERS = {"(x^2 - 1)^2": (1, 1.0), "4 (x^2 - 1)^2": (1, 4.0), "(x^2 - 1)^2/4": (1, 0.25), "3 (x_1^2 - 1)^2 + x_2^2/2": (2, 3.0)}
VARIANCES, DOUBLE, SINGLE = (2.0, 0.5), 1e-6, 1e-5
NETWORK = "the quadratic network, A = diag(1/2, 2)"
WAYS = ("by the log density", "by the share of a box")
DEPARTURE = "largest departure of V + log p from -log Z, {what}, at most 1e-05"


def _name(what: str, way: str) -> str:
    return f"Z of {what}, {way}"


def _log_z(dim: int, barrier: float) -> float:
    return math.log(2 * _integral(partial(_well, barrier), 0.0, 9.0)) + (dim - 1) * 0.5 * math.log(2 * math.pi)


def predict() -> list[Prediction]:
    """Quadrature, and the closed form of a Gaussian."""
    constants = {what: _log_z(*options) for what, options in BARRIERS.items()} | {
        NETWORK: math.log(2 * math.pi) + 0.5 * math.log(math.prod(VARIANCES))
    }
    predictions = []
    for what, log_z in constants.items():
        for way, group in zip(WAYS, (IDENTITY, AS_WRITTEN), strict=True):
            predictions.append(Prediction(_name(what, way), group, {"V": what}, "", math.exp(log_z), DOUBLE))
        predictions.append(Prediction(DEPARTURE.format(what=what), IDENTITY, {"V": what}, "nat", 0.0, SINGLE))
    return predictions


def measure(master: int) -> dict[str, Measurement]:
    """Draws of each, V written out here or given by the network."""
    measurements: dict[str, Measurement] = {}
    for what, (dim, barrier) in BARRIERS.items():
        box = _integral(partial(_well, barrier), LOW, HIGH) * (_integral(partial(_bell, 1.0), -SIDE, SIDE) if dim == 2 else 1)
        measurements |= _both(what, partial(_energy, barrier=barrier), double_well(dim=dim, barrier=barrier), box, master)

    network = Quadratic(2, generator("structure")).double()
    parameters = {
        "mean": torch.zeros(2, dtype=torch.float64),
        "matrix": torch.tensor([[1 / v for v in VARIANCES]], dtype=torch.float64).diag_embed()[0],
    }
    bound = Bound(network, parameters, True)

    def energy(x: Tensor) -> Tensor:
        return -score_and_log_prob(bound, x)[1]

    gaussian = mixture(torch.ones(1), torch.zeros(1, 2), torch.tensor([VARIANCES]))
    return measurements | _both(NETWORK, energy, gaussian, _box_integral(energy), master)


def _box_integral(energy: Energy) -> float:
    """Of exp(-V) in the plane."""
    nodes, weights = (torch.from_numpy(of) for of in np.polynomial.legendre.leggauss(20))
    x = torch.cartesian_prod((LOW + HIGH) / 2 + (HIGH - LOW) / 2 * nodes, SIDE * nodes)
    return float((-energy(x)).exp() @ torch.outer(weights, weights).flatten()) * (HIGH - LOW) / 2 * SIDE


def _energy(x: Tensor, barrier: float) -> Tensor:
    return barrier * (x[:, 0].square() - 1).square() + 0.5 * x[:, 1:].square().sum(-1)


def _well(barrier: float, x: float) -> float:
    return math.exp(-barrier * (x * x - 1) ** 2)


def _bell(variance: float, x: float) -> float:
    return math.exp(-x * x / (2 * variance))


def _integral(density: Callable[[float], float], low: float, high: float) -> float:
    return quad(density, low, high, points=[1.0] if low < 1 < high else None, epsabs=0, epsrel=1e-10, limit=200)[0]


def _both(what: str, energy: Energy, target: Target, box: float, master: int) -> dict[str, Measurement]:
    """The constant by the target's log density and by the share of its draws that lie in the box, where exp(-V) has the integral `box`."""
    x = target.sample(DRAWS, generator(master, "claim", "energy-is-neg-log-p", what)).double()
    constant = energy(x) + target.log_prob(x)
    single = energy(x.float()) + target.log_prob(x.float())
    inside = (x[:, 0] > LOW) & (x[:, 0] < HIGH) & (x[:, 1:].abs() < SIDE).all(-1)
    return {
        _name(what, WAYS[0]): Measurement(float((-constant.mean()).exp())),
        _name(what, WAYS[1]): of_means(inside.double()[:, None], lambda m: box / m[0], "draws"),
        DEPARTURE.format(what=what): Measurement(float((single.double() - constant.mean()).abs().max())),
    }
