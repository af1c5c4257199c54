r"""Maximum likelihood does not need Z: its gradient is a difference of two means, and samples of the model give the second.

Statement: to use maximum likelihood one must be able to compute Z easily. (Of the likelihood's value that is true. Its maximum is what is asked for.)

Prediction. d/dtheta log p(x) = -df/dtheta - d/dtheta log Z, and d/dtheta log Z = -(1/Z) int df/dtheta exp(-f) = -E_model df/dtheta. So the gradient of the
mean log likelihood is

    -E_data df/dtheta + E_model df/dtheta,

in which no Z stands: the second mean is over samples, and MALA draws them from f alone. f = theta V, V = (x^2 - 1)^2, data from theta = 1. With m(theta) =
E_theta V, by quadrature to 1e-10, the gradient is m(theta) - m(1): at theta = 1/2, 2 and 4 it is +.189, -.144 and -.272 (m(1) = .417; m falls, so that the
likelihood has its top at theta = 1, where the gradient is 0).

**Ascent without Z.** From theta = 4 the likelihood has L(1) - L(4) = .518 a datum to gain up to its maximum, L(theta) = -theta mean V - log Z(theta) by
quadrature, which judges alone. As stated, who cannot compute Z gains nothing: a share of 0. With the gradient by samples, ascent is that of Robbins and
Monro,

    theta' = theta + a/(k + 20) (mean V of 200 chains - mean V of the data),    a = 20,    k = 0, ..., 299,

the chains going one step of MALA at each k and kept. Without noise the recursion in m ends at 1.00004. I = Var_1 V = .223 is minus the slope of m at 1, a
I = 4.5, and theta is off by a variance of a^2 s^2/(300 (2 a I - 1)), s^2 = I (1 + 2 tau)/200. tau, the sum of the autocorrelations of V over steps of .03 at
theta = 1, is 1.17 by MALA's kernel on 1,301 nodes of [-2.6, 2.6]: a variance of 6.3e-4. So E theta = 1 but for curvature, m''/(2 I) times that, 4.3e-4, and the
likelihood lacks I/2 times that, 7.0e-5 of .518, a share of 1.4e-4: tolerances of twice that, 1e-3 and 3e-4.

Measurement: the project's own MALA on the unnormalised energy, 70,000 chains from N(0, 1/4), 120 steps of c = .1/theta and seven looks, 20 steps apart, whose
mean is a chain's number; 200 ascents of c = .03; the data are 1,000,000 exact draws of the project's double well. The gradient at theta = 1/2 has a standard
error of .7 %: an error of 5 % is seen in 9 of 10 runs.

Reference: Hinton (2002), eq. 3; Younes (1999), for the kept chains; Robbins and Monro (1951); Song and Kingma (2021), section 2.
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

LABEL = "Maximum likelihood needs a Z that is easily computed"
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
END, GAIN = "theta where ascent by samples ends, from 4", "share of the log likelihood that ascent by samples gains, from theta = 4"
GAIN_STATED = f"{GAIN}, if it takes Z"
ASCENTS, KEPT, ITERATIONS, RATE, LATER, ASCENT_STEP = 200, 200, 300, 20.0, 20, 0.03
THETAS, DRAWS, CHAINS, STEPS, START = (0.5, 2.0, 4.0), 1_000_000, 70_000, tuple(range(120, 260, 20)), 0.25


def _name(theta: float) -> str:
    return f"gradient at theta = {theta:g}, by samples"


def _mean_energy(theta: float) -> float:
    """m(theta)."""

    def weighted(x: float, power: int) -> float:
        v = (x * x - 1) ** 2
        return v**power * math.exp(-theta * v)

    z, first = (quad(weighted, 0, 9, args=(power,), points=[1.0], epsabs=0, epsrel=1e-10, limit=200)[0] for power in (0, 1))
    return first / z


def predict() -> list[Prediction]:
    """Quadrature."""
    by_theta = [Prediction(_name(t), CORRECTED, {"theta": t}, "nat", _mean_energy(t) - _mean_energy(1.0)) for t in THETAS]
    return [
        *by_theta,
        Prediction(DATA, CORRECTED, {}, "nat", -_mean_energy(1.0)),
        Prediction(END, CORRECTED, {}, "", 1.0, 1e-3),
        Prediction(GAIN, CORRECTED, {}, "", 1.0, 3e-4),
        Prediction(GAIN_STATED, AS_WRITTEN, {}, "", 0.0),
    ]


def measure(master: int) -> dict[str, Measurement]:
    """The mean over the data, and over chains of each model."""

    def stream(use: object) -> torch.Generator:
        return generator(master, "claim", "ml-needs-z", use)

    data = mean(_energy(double_well().sample(DRAWS, stream("data"))), "draws")
    measurements = {}
    for theta in THETAS:
        sampler = MALA(torch.tensor([[0.1 / theta]]), torch.ones(1, 1))
        start = normal(0.0, START).sample(CHAINS, stream(f"start {theta}"))[None]
        x = run(sampler, Density(score_and_log_prob=_unnormalised(theta)), start, STEPS, [stream(theta)], GRADIENTS).samples[:, 0, 0]
        model = mean(_energy(x).mean(0))
        error = math.hypot(model.standard_error, data.standard_error)
        measurements[_name(theta)] = Measurement(model.measured - data.measured, error, CHAINS)

    ends = _ascend(data.measured, stream("ascent"))
    likelihood = _log_likelihood(torch.cat([ends, torch.tensor([THETAS[-1], 1.0], dtype=torch.float64)]), data.measured)
    first, best = likelihood[-2], likelihood[-1]  # at theta = 1 the data's own maximum is reached to 1e-6
    end = mean(ends, "ascents")
    curvature = (_mean_energy(0.99) - _mean_energy(1.01)) / 0.02
    measurements[END] = end._replace(standard_error=math.hypot(end.standard_error, data.standard_error / curvature))
    measurements[GAIN] = measurements[GAIN_STATED] = mean((likelihood[:-2] - first) / (best - first), "ascents")
    return measurements | {DATA: data._replace(measured=-data.measured)}


def _ascend(of_data: float, stream: torch.Generator) -> Tensor:
    """Where ascents by samples end, (ascent,): no Z in it."""
    theta = torch.full((ASCENTS,), THETAS[-1], dtype=torch.float64)
    sampler = MALA(torch.tensor([[ASCENT_STEP]], dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64))
    x = normal(0.0, START).sample(ASCENTS * KEPT, stream)[None, None].double()
    for k in range(ITERATIONS):
        density = Density(score_and_log_prob=_unnormalised(theta.repeat_interleave(KEPT)[:, None]))
        draws = sampler.draws(density, (ASCENTS * KEPT, 1), stream)[None].double()
        x = sampler.step(sampler.init(x, density), density, draws)[0].x
        theta = theta + RATE / (k + LATER) * (_energy(x).view(ASCENTS, KEPT).mean(1) - of_data)
    return theta


def _log_likelihood(theta: Tensor, of_data: float) -> Tensor:
    """The mean log likelihood of the data, (*), Z by the trapezoid rule, which converges faster than any power of the spacing: the judge of the ascents."""
    x = torch.linspace(-5, 5, 1_001, dtype=torch.float64)
    return -theta * of_data - (-theta[:, None] * _energy(x[:, None])).logsumexp(-1) - math.log(float(x[1] - x[0]))


def _energy(x: Tensor) -> Tensor:
    return (x[..., 0].square() - 1).square()


def _unnormalised(theta: float | Tensor) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """The score and -theta V, theta a number or one a chain (chain, 1): all that is known of a model whose Z is not."""
    return lambda x: (-4 * theta * x * (x.square() - 1), (-theta * (x.square() - 1).square())[..., 0])
