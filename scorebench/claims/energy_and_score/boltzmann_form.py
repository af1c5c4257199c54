r"""p = exp(-f)/Z integrates to one, where exp(-f) is integrable; not every network is.

Statement: p(x) = exp(-f(x))/Z with Z = int exp(-f(x)) dx, f a neural network, is a density: it integrates to one. (No condition on f is given.)

Prediction. **Integrable.** V = (x^2 - 1)^2 at temperature T: Z = int exp(-V/T) dx by adaptive quadrature to 1e-10, at T = 1/4, 1, 4.
Annealed importance sampling (AIS) knows nothing of quadrature and must find the same. The network f(x) = softplus(x) + softplus(-x),
softplus(x) = ln(1 + e^x), has exp(-f) = 1/((1 + e^x)(1 + e^-x)), the logistic density: Z = 1. Energies trained on V's draws, by implicit and by
denoising score matching: AIS over quadrature is 1, and so is the growth of int_(-L)^L exp(-f) from L = 40 to 80. Tail test: a
softplus network is asymptotically linear along every ray, so that in one dimension exp(-f) is integrable exactly if f rises far out on both sides. The
lesser of both rises, from |x| = 40 to 80, must be at least 0.

**Not integrable.** The same network with its last weights negated, f(x) = -softplus(x) - softplus(-x): int_(-L)^L exp(-f) = int (1 + e^x)(1 + e^-x)
= 4 L + 4 sinh L, which grows without end. As stated int_(-2L)^(2L) over int_(-L)^L would be 1; it is (8 L + 4 sinh 2L)/(4 L + 4 sinh L), near e^L.
By the tail test f must fall, not rise. Nothing in an energy network forbids it: score matching only sees f where there is data.

Measurement: AIS with 20,000 chains, 100 levels, one MALA step each, from N(0, 1.5^2) (N(0, 3^2) for the network); Z has a standard error of .5 %
or less: an error of 4 % is seen in 9 of 10 runs. Integrals up to L by the trapezoid rule on 40,001 nodes in float64: to 1e-6 of them, the tolerance.

Reference: LeCun et al. (2006), section 1.3, for the requirement; Neal (2001) for AIS.
"""

import math
from typing import Any

import torch
from scipy.integrate import quad
from torch import Tensor

from scorebench.claims.base import CORRECTED, Measurement, Prediction
from scorebench.claims.lib.ais import Energy, z
from scorebench.claims.lib.training import fit_one
from scorebench.core.rng import generator
from scorebench.core.spec import parse
from scorebench.models.base import Bound
from scorebench.models.mlp_energy import MLPEnergy
from scorebench.suite.config import Training
from scorebench.targets.double_well import double_well
from scorebench.targets.lib.mixture import normal

LABEL = "exp(-f)/Z of a network f is a density"
SOURCE = "Energy-based Models, (152)"
QUOTE = r"$Z_{\theta}$는 $\int{p_\theta(x)}dx=1$이여야 하기 때문에 이를 위하기 위한 normalization 상수 입니다."
TRANSLATION = r"$Z_\theta$ is the normalisation constant that is there for this, since $\int p_\theta(x)\,dx = 1$ must hold."
STATEMENT = (
    r"$p_\theta(x) = e^{-f_\theta(x)}/Z_\theta$ with a neural network $f_\theta$ integrates to one (the article sets no "
    r"condition on the network)"
)
CORRECTION = r"where $\int e^{-f(x)}\,dx < \infty$: a network must grow in every direction"
EXPECTED = "qualified"
INTEGRABLE, NOT = "integrable", "not integrable"
CONDITIONS = {"integrable": True, "not integrable": False}
REFERENCE = "LeCun et al. (2006), section 1.3; Neal (2001)"
LEADING = "Z of the double well at T = 1"
USES = {"model": ("mlp_energy",), "loss": ("implicit", "denoising")}

TEMPERATURES, CHAINS, LEVELS = (0.25, 1.0, 4.0), 20_000, 100
NEAR, FAR, SMALL = 40.0, 80.0, 10.0
NETWORK = "softplus(x) + softplus(-x)"
TRAINED = {f"an energy trained by {loss.partition(':')[0]} score matching": loss for loss in ("implicit", "denoising:sigma=0.1")}
NEGATED = f"-({NETWORK})"


def _z(what: str) -> str:
    return f"Z of {what}"


def _over(what: str) -> str:
    return f"{_z(what)}, AIS over quadrature"


def _growth(what: str) -> str:
    return f"growth of the integral of exp(-f), f = {what}, when L doubles"


def _rise(what: str) -> str:
    return f"lesser rise of f from |x| = {NEAR:g} to {FAR:g}, f = {what}, at least 0"


FALL = f"greater fall of f from |x| = {NEAR:g} to {FAR:g}, f = {NEGATED}, at least 0"


def predict() -> list[Prediction]:
    """Closed forms, and adaptive quadrature for the double well."""
    predictions = []
    for t in TEMPERATURES:
        value, _ = quad(lambda x, t=t: math.exp(-((x * x - 1) ** 2) / t), -9, 9, points=(-1, 0, 1), epsabs=0, epsrel=1e-10, limit=200)
        predictions.append(Prediction(_z(f"the double well at T = {t:g}"), INTEGRABLE, {"temperature": t}, "x", value))
    predictions += [
        Prediction(_z(NETWORK), INTEGRABLE, {}, "x", 1.0),
        Prediction(_growth(NETWORK), INTEGRABLE, {"L": NEAR}, "", 1.0, 1e-6),
        Prediction(_rise(NETWORK), INTEGRABLE, {}, "", 0.0),
    ]
    for trained in TRAINED:
        predictions += [
            Prediction(_over(trained), INTEGRABLE, {}, "", 1.0, 1e-6),
            Prediction(_growth(trained), INTEGRABLE, {"L": NEAR}, "", 1.0, 1e-6),
            Prediction(_rise(trained), INTEGRABLE, {}, "", 0.0),
        ]
    ratio = (8 * SMALL + 4 * math.sinh(2 * SMALL)) / (4 * SMALL + 4 * math.sinh(SMALL))
    return [
        *predictions,
        Prediction(_growth(NEGATED), NOT, {"L": SMALL}, "", 1.0, 1e-6),
        Prediction(_rise(NEGATED), NOT, {}, "", 0.0),
        Prediction(f"{_growth(NEGATED)}, in closed form", CORRECTED, {"L": SMALL}, "", ratio, 1e-6 * ratio),
        Prediction(FALL, CORRECTED, {}, "", 0.0),
    ]


def measure(master: int) -> dict[str, Measurement]:
    """AIS, quadrature and tails."""

    def stream(use: object) -> torch.Generator:
        return generator(master, "claim", "boltzmann-form", use)

    measurements = {}
    for t in TEMPERATURES:
        by_ais = z(_double_well(t), normal(1, 1.5**2), CHAINS, LEVELS, 0.1 * min(t, 1.0), stream(t))
        measurements[_z(f"the double well at T = {t:g}")] = by_ais

    network, negated, trained = two_softplus(1.0), two_softplus(-1.0), {name: _trained(loss, master) for name, loss in TRAINED.items()}
    measurements[_z(NETWORK)] = z(network, normal(1, 9.0), CHAINS, LEVELS, 0.5, stream("network"))
    for name, energy in trained.items():
        by_ais, integral = z(energy, normal(1, 1.5**2), CHAINS, LEVELS, 0.05, stream(name)), math.exp(_log_integral(energy, NEAR))
        measurements[_over(name)] = by_ais._replace(measured=by_ais.measured / integral, standard_error=by_ais.standard_error / integral)
    for name, energy, half_width in ((NETWORK, network, NEAR), *((n, e, NEAR) for n, e in trained.items()), (NEGATED, negated, SMALL)):
        measurements[_growth(name)] = Measurement(math.exp(_log_integral(energy, 2 * half_width) - _log_integral(energy, half_width)))
        measurements[_rise(name)] = Measurement(rise(energy))
    measurements[f"{_growth(NEGATED)}, in closed form"] = measurements[_growth(NEGATED)]
    measurements[FALL] = Measurement(-measurements[_rise(NEGATED)].measured)
    return measurements


def picture(master: int) -> dict[str, Any]:
    """The double well in the plane: its energy, 0 at the lowest, and its density, (x_1, x_2)."""
    x, y = torch.linspace(-1.6, 1.6, 90), torch.linspace(-2.2, 2.2, 90)
    target = double_well(dim=2)
    assert target.log_prob is not None
    log_p = target.log_prob(torch.cartesian_prod(x, y)).view(90, 90)
    return {"x": x, "y": y, "energy": log_p.max() - log_p, "density": log_p.exp()}


def _double_well(t: float) -> Energy:
    return lambda x: (x.square() - 1).square()[..., 0] / t


def rise(energy: Energy) -> float:
    """The lesser of both sides; of an f that is linear far out, exp(-f) has a finite integral on the line where it is positive."""
    ends = torch.tensor([[-FAR], [-NEAR], [NEAR], [FAR]], dtype=torch.float64)
    left, near_left, near_right, right = energy(ends)
    return float(min(left - near_left, right - near_right))


def two_softplus(sign: float) -> Bound:
    """The project's own network with two hidden units, f = sign (softplus(x) + softplus(-x))."""
    network = MLPEnergy(1, generator("structure"), width=2, depth=1).double()
    parameters = {
        "hidden.0.weight": torch.tensor([[1.0], [-1.0]], dtype=torch.float64),
        "hidden.0.bias": torch.zeros(2, dtype=torch.float64),
        "out.weight": sign * torch.ones(1, 2, dtype=torch.float64),
        "out.bias": torch.zeros(1, dtype=torch.float64),
    }
    return Bound(network, parameters, True)


def _trained(loss: str, master: int) -> Bound:
    """An energy that a loss learnt from draws of the double well, in float64."""
    training = Training(size=5_000, batch=128, steps=(400,))
    model = parse("model", "mlp_energy:width=16")
    network = fit_one(double_well(), model, parse("loss", loss), 1e-2, training, master, "boltzmann-form")
    return Bound(network.module.double(), {k: v.double() for k, v in network.parameters.items()}, True)


def _log_integral(energy: Energy, half_width: float) -> float:
    """Log of int_(-L)^L exp(-f) by the trapezoid rule."""
    nodes = torch.linspace(-half_width, half_width, 40_001, dtype=torch.float64)
    log_p: Tensor = -energy(nodes[:, None])
    highest = log_p.max()
    return float(torch.trapezoid((log_p - highest).exp(), nodes).log() + highest)
