r"""Maximum likelihood does not need Z: its gradient is a difference of two means, and samples of the model give the second.

Statement: to maximise the likelihood of p = exp(-f)/Z, Z must be known, which it is not.

Prediction. d/dtheta log p(x) = -df/dtheta - d/dtheta log Z, and d/dtheta log Z = -(1/Z) int df/dtheta exp(-f) = -E_model df/dtheta. So the gradient of the
mean log likelihood is

    -E_data df/dtheta + E_model df/dtheta,

in which no Z stands: the second mean is over samples, and MALA draws them from f alone. f = theta V, V = (x^2 - 1)^2, data from theta = 1. With m(theta) =
E_theta V, by quadrature to 1e-10, the gradient is m(theta) - m(1): at theta = 1/2, 2 and 4 it is +.189, -.144 and -.272 (m(1) = .417; m falls, so that the
likelihood has its top at theta = 1, where the gradient is 0).

If one could not do without Z one would have to leave log Z out, as if it were constant: -E_data V = -.417 at any theta, which as a gradient sends theta to
0. As stated that is all that samples can give: -.417 at each theta.

Measurement: the project's own MALA on the unnormalised energy, 100,000 chains from N(0, 1/4), 120 steps of c = .1/theta; the data are 1,000,000 exact
draws of the project's double well. The gradient at theta = 4 has a standard error of .4 %: an error of 3 % is seen in 9 of 10 runs.

Reference: Hinton (2002), eq. 3; Younes (1999); Song and Kingma (2021), section 2.
"""

import math
from collections.abc import Callable

import torch
from scipy.integrate import quad
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import mean
from scorebench.claims.lib.langevin import normal
from scorebench.core.rng import generator
from scorebench.engine.loop import run
from scorebench.samplers.base import Density
from scorebench.samplers.mala import GRADIENTS, MALA
from scorebench.targets.double_well import double_well

LABEL = "Maximum likelihood needs Z"
SOURCE = "Energy-based Models, between (152) and (153)"
QUOTE = r"Maximum Likelihood 방법을 사용하기 위해서는 $Z_\theta=\int{e^{-f_\theta(x)}}dx$인 상수를 쉽게 계산할 수 있어야 합니다."
TRANSLATION = (
    r"To use the method of maximum likelihood one must be able to compute the constant $Z_\theta = \int "
    r"e^{-f_\theta(x)}\,dx$ easily."
)
STATEMENT = r"without a $Z_\theta$ that is easy to compute the likelihood of $p_\theta = e^{-f_\theta}/Z_\theta$ cannot be maximised"
CORRECTION = (
    r"$\nabla_\theta E_{data}\log p_\theta = -E_{data}\nabla_\theta f_\theta + E_{p_\theta}\nabla_\theta f_\theta$: samples "
    r"of the model do, which need no $Z_\theta$ (its value does need it)"
)
EXPECTED = "refuted"
REFERENCE = "Hinton (2002), eq. 3; Song and Kingma (2021), section 2"
LEADING = "gradient at theta = 4, by samples"

DATA = "the gradient's first term, over the data"
THETAS, DRAWS, CHAINS, STEPS, START = (0.5, 1.0, 2.0, 4.0), 1_000_000, 100_000, 120, 0.25


def _name(theta: float) -> str:
    return f"gradient at theta = {theta:g}, by samples"


def _without(theta: float) -> str:
    return f"{_name(theta)}, if Z had to be left out"


def _mean_energy(theta: float) -> float:
    """m(theta)."""

    def weighted(x: float, power: int) -> float:
        v = (x * x - 1) ** 2
        return v**power * math.exp(-theta * v)

    z, first = (quad(weighted, 0, 9, args=(power,), points=[1.0], epsabs=0, epsrel=1e-10, limit=200)[0] for power in (0, 1))
    return first / z


def predict() -> list[Prediction]:
    """Quadrature."""
    predictions = []
    for theta in THETAS:
        predictions.append(Prediction(_name(theta), CORRECTED, {"theta": theta}, "nat", _mean_energy(theta) - _mean_energy(1.0)))
        predictions.append(Prediction(_without(theta), AS_WRITTEN, {"theta": theta}, "nat", -_mean_energy(1.0)))
    return [*predictions, Prediction(DATA, CORRECTED, {}, "nat", -_mean_energy(1.0))]


def measure(master: int) -> dict[str, Measurement]:
    """The mean over the data, and over chains of each model."""

    def stream(use: object) -> torch.Generator:
        return generator(master, "claim", "ml-needs-z", use)

    data = mean(_energy(double_well().sample(DRAWS, stream("data"))), "draws")
    measurements = {}
    for theta in THETAS:
        sampler = MALA(torch.tensor([[0.1 / theta]]), torch.ones(1, 1))
        start = normal(0.0, START).sample(CHAINS, stream(f"start {theta}"))[None]
        x = run(sampler, Density(score_and_log_prob=_unnormalised(theta)), start, (STEPS,), [stream(theta)], GRADIENTS).samples[0, 0, 0]
        model = mean(_energy(x))
        error = math.hypot(model.standard_error, data.standard_error)
        measurements[_name(theta)] = measurements[_without(theta)] = Measurement(model.measured - data.measured, error, CHAINS)
    return measurements | {DATA: data._replace(measured=-data.measured)}


def _energy(x: Tensor) -> Tensor:
    return (x[..., 0].square() - 1).square()


def _unnormalised(theta: float) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """The score and -theta V: all that is known of a model whose Z is not."""
    return lambda x: (-4 * theta * x * (x.square() - 1), -theta * _energy(x))
