r"""The score of p = exp(-f)/Z is -grad f: there is no Z in it.

Statement: grad log p(x) = -grad f(x) - grad log Z = -grad f(x), since Z does not depend on x.

Prediction. An identity on paper; it is tested where code can miss it.

- f = V = (x^2 - 1)^2, whose Z is not 1 (log Z = .68 by quadrature): automatic differentiation of the energy gives -V'(x) = -4x(x^2 - 1) at any x, to
  rounding in float64 (1e-12). The same numbers for V + 1000 say it again: shown, not counted.
- A network f, a multilayer perceptron in float64, whose Z is had by quadrature on [-8, 8] and cancels in differences: central differences of log p = -f -
log Z with step h differ from
  -f' by h^2 |f'''|/6 + O(h^4), so that halving h divides the error by 4: the order, log2 of that ratio, is 2. With h = .02 the next term
  changes the order by less than .01, the tolerance.
- If s is the score of a normalised density that vanishes at infinity, then by parts E_p [x s(x)] = -1 (Stein 1972). A factor in s shows in it, a
  constant in f does not. On exact draws of V's density x s = -4x^2(x^2 - 1).

Measurement: the project's own score (models.base), its double well's exact draws (by inverse distribution function), 1,000,000 of them; the standard error
of E [x s] is .3 %, so that an error of 2 % is seen in 9 of 10 runs.

Reference: Hyvarinen (2005), section 2.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from scorebench.claims.base import AS_WRITTEN, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import mean
from scorebench.core.rng import generator
from scorebench.models.base import Bound, score
from scorebench.models.mlp_energy import MLPEnergy
from scorebench.targets.double_well import double_well

LABEL = "The score has no Z in it"
SOURCE = "Energy-based Models, (153) to (156)"
QUOTE = "위와같이 Normalization 상수를 포함하지 않고 표현이 가능합니다."
TRANSLATION = "As above, it can be expressed without the normalisation constant."
STATEMENT = r"$\nabla\log p(x) = -\nabla f(x) - \nabla\log Z = -\nabla f(x)$ where $p = e^{-f}/Z$"
EXPECTED = "reproduced"
REFERENCE = "Hyvärinen (2005), section 2"
LEADING = "E[x s(x)] on the double well"

POINTS, CONSTANTS = (-1.5, 0.5, 2.0), (0.0, 1000.0)
STEP, DRAWS = 0.02, 1_000_000
ORDER = "order of central differences of log p of a network"


class DoubleWell(nn.Module):
    """V + constant, (*, 1) -> (*)."""

    def __init__(self, constant: float) -> None:
        super().__init__()
        self.constant = constant

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return ((x.square() - 1).square() + self.constant).squeeze(-1)


def _name(x: float, constant: float) -> str:
    return f"score of V + {constant:g} at x = {x:g}"


def predict() -> list[Prediction]:
    """Closed forms."""
    predictions = [
        Prediction(_name(x, k), IDENTITY if k else AS_WRITTEN, {"x": x, "constant": k}, "1/x", -4 * x * (x * x - 1), 1e-12)
        for x in POINTS
        for k in CONSTANTS
    ]
    predictions.append(Prediction(ORDER, AS_WRITTEN, {"h": STEP}, "", 2.0, 0.01))
    return [*predictions, Prediction(LEADING, AS_WRITTEN, {"draws": DRAWS}, "", -1.0)]


def measure(master: int) -> dict[str, Measurement]:
    """Derivatives in float64, and exact draws."""
    x = torch.tensor(POINTS, dtype=torch.float64)[:, None]
    measurements = {}
    for constant in CONSTANTS:
        for point, s in zip(POINTS, score(Bound(DoubleWell(constant), {}, True), x)[:, 0], strict=True):
            measurements[_name(point, constant)] = Measurement(float(s))

    network = MLPEnergy(1, generator(master, "claim", "score-free-of-z", "network"), width=16).double()
    energy = Bound(network, {k: v.detach() for k, v in network.named_parameters()}, True)
    grid = torch.linspace(-2, 2, 41, dtype=torch.float64)[:, None]
    log_p = _normalised(energy)
    coarse, fine = (float((_difference(log_p, grid, h) - score(energy, grid)[:, 0]).norm()) for h in (STEP, STEP / 2))
    measurements[ORDER] = Measurement(math.log2(coarse / fine))

    draws = double_well().sample(DRAWS, generator(master, "claim", "score-free-of-z", "draws")).double()
    return measurements | {LEADING: mean((draws * score(Bound(DoubleWell(0.0), {}, True), draws))[:, 0], "draws")}


def _normalised(energy: Bound) -> Callable[[Tensor], Tensor]:
    """Log p on [-8, 8], where the network's density is taken to live; Z by the trapezoid rule."""
    nodes = torch.linspace(-8, 8, 4_001, dtype=torch.float64)
    log_z = torch.trapezoid((-energy(nodes[:, None])).exp(), nodes).log()
    return lambda x: -energy(x) - log_z


def _difference(log_p: Callable[[Tensor], Tensor], x: Tensor, h: float) -> Tensor:
    return (log_p(x + h) - log_p(x - h)) / (2 * h)
