r"""The score of a mixture as a vector field, and where its trajectories end.

Statement: trajectories that follow the score with noise end at the modes, by both of them from a start between.

Prediction. p = 1/2 N((-2, 0), .25 I) + 1/2 N((2, 0), .25 I), start (.1, 1), t = 1. The means differ in x_1 alone, so that the posterior weights are
functions of x_1, and the equation falls apart:

    x_1: Langevin on 1/2 N(-2, .25) + 1/2 N(2, .25), whose law from .1 the spectrum of its operator gives (`lib.spectral`): right of 0 a share of .711;
    x_2: Ornstein-Uhlenbeck at rate 4: mean e^-4 = .0183 (.05 at the most), variance .25 (1 - e^-8).

Noiseless, every trajectory from there ends at the same point, the right mode.

Measurement: the project's own ULA, c = .001, 36,000 chains; Euler's law from its transition kernel, and in closed form along x_2, gives the tolerances,
.0035 in the share. Its standard error is .35 %: an error of 3 % is seen in 9 of 10 runs.

Reference: Song and Ermon (2019), Fig. 2; Luo (2022), figure of three trajectories.
"""

import math
from typing import Any

import numpy as np
import torch

from scorebench.claims.base import AS_WRITTEN, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, variance
from scorebench.claims.lib.langevin import euler_kernel, langevin
from scorebench.claims.lib.spectral import Spectrum, potential_of, spectrum
from scorebench.core.rng import generator
from scorebench.targets.gaussian_mixture import gaussian_mixture

LABEL = "Langevin trajectories from between two modes end at either"
SOURCE = "Fisher Divergence, figure of the vector field"
QUOTE = "위의 그림은 score function을 통해 정의된 vector field를 따라 mode를 찾아가는 모습을 시각화 한 것입니다."
TRANSLATION = "The figure above shows how the mode is found by following the vector field that the score function defines."
STATEMENT = (
    r"$\nabla\log p(x)$ points to the modes; trajectories of Langevin dynamics from between them end at either (as in Luo's "
    r"figure of three trajectories)"
)
EXPECTED = "reproduced"
REFERENCE = "Song and Ermon (2019), Fig. 2"
LEADING = "share that ends right of x_1 = 0"

START, T, STEP_SIZE, CHAINS = (0.1, 1.0), 1.0, 0.001, 36_000
VARIANCE, HALF_WIDTH, NODES = 0.25, 6.0, 481
PARTS = (0.5, -2.0, VARIANCE), (0.5, 2.0, VARIANCE)
MEAN, LITTLE, SPREAD = "mean of x_2, at most 0.05", 0.05, "variance of x_2"
NOISELESS = "x_1 without noise, at t = 4"


def predict() -> list[Prediction]:
    """The spectrum along x_1, closed forms along x_2."""
    exact, point = _along_the_line()
    _, slope, _ = potential_of(*PARTS)
    kernel = np.linalg.matrix_power(euler_kernel(lambda x: -slope(x), STEP_SIZE, exact.nodes), round(T / STEP_SIZE))
    share, of_scheme = exact.above(np.stack([exact.laws(point, [T])[0], kernel @ point]))
    left, of_steps = math.exp(-T / VARIANCE), (1 - STEP_SIZE / VARIANCE) ** round(T / STEP_SIZE)
    wide = VARIANCE / (1 - STEP_SIZE / (2 * VARIANCE))
    spread = VARIANCE * (1 - left**2)
    return [
        Prediction(LEADING, AS_WRITTEN, {"t": T}, "", float(share), float(abs(share - of_scheme))),
        Prediction(MEAN, AS_WRITTEN, {"t": T}, "x", 0.0, LITTLE),
        Prediction(SPREAD, AS_WRITTEN, {"t": T}, "x^2", spread, abs(spread - wide * (1 - of_steps**2))),
        Prediction(NOISELESS, AS_WRITTEN, {"t": 4.0}, "x", 2.0, 1e-4),
    ]


def measure(master: int) -> dict[str, Measurement]:
    """Chains from one point, with noise and without."""
    target = gaussian_mixture(radius=2.0, std=VARIANCE**0.5)
    stream = generator(master, "claim", "vector-field", "sample")
    start = torch.tensor([START])
    (x,) = langevin(target, start.expand(CHAINS, 2), STEP_SIZE, (T,), stream)
    (end,) = langevin(target, start, STEP_SIZE, (4.0,), stream, 0.0)
    return {
        LEADING: mean(x[:, 0] > 0),
        MEAN: mean(x[:, 1]),
        SPREAD: variance(x[:, 1]),
        NOISELESS: Measurement(float(end[0, 0])),
    }


def picture(master: int) -> dict[str, Any]:
    """What the figure `mixture_field` draws: the density (x_2, x_1), the score at points, paths (time, chain, 2), and the law of x_1 at T."""
    target = gaussian_mixture(radius=2.0, std=VARIANCE**0.5)
    assert target.log_prob is not None and target.score is not None
    x, y = torch.linspace(-3.6, 3.6, 241), torch.linspace(-2.1, 2.1, 141)
    points = torch.cartesian_prod(x[5::12], y[5::12])
    start, times = torch.tensor([START]), [k * 10 * STEP_SIZE for k in range(1, 101)]
    noisy = langevin(target, start.expand(5, 2), STEP_SIZE, times, generator("mixture_field"))
    noiseless = langevin(target, start, STEP_SIZE, times, generator("mixture_field"), 0.0)
    (ends,) = langevin(target, start.expand(CHAINS, 2), STEP_SIZE, (T,), generator("mixture_field", "ends"))
    heights, edges = np.histogram(ends[:, 0].numpy(), 80, (-4, 4), density=True)
    exact, point = _along_the_line()
    return {
        "density": target.log_prob(torch.cartesian_prod(x, y)).exp().reshape(len(x), len(y)).T,
        "points": points,
        "score": target.score(points),
        "paths": torch.cat([start.expand(1, 5, 2), noisy]),
        "noiseless": torch.cat([start, noiseless[:, 0]]),
        "heights": heights,
        "edges": edges,
        "x": exact.nodes,
        "law": exact.laws(point, [T])[0],
        "share_name": LEADING,
    }


def _along_the_line() -> tuple[Spectrum, np.ndarray]:
    """The spectrum of x_1's operator, and the start as a density at its nodes."""
    exact = spectrum(*potential_of(*PARTS), 1.0, HALF_WIDTH, NODES)
    point = np.zeros(NODES)
    point[np.abs(exact.nodes - START[0]).argmin()] = 1 / (exact.nodes[1] - exact.nodes[0])
    return exact, point
