r"""The negative log-likelihood of exact draws under a source with noise levels, by its probability flow, in nats a dimension.

dx/dsigma = -sigma s(x, sigma),   log q(x) = log N(x_1; 0, sigma_1^2 I) - int_(sigma_L)^(sigma_1) sigma tr grad s(x_sigma, sigma) dsigma

up from x at the lowest level to x_1 at the highest: along the flow d log q/dsigma = -tr grad (dx/dsigma) (Chen et al. 2018, theorem 1; Song et al. 2021,
eq. 39). q is what the source has learnt of p * N(0, sigma_L^2 I), and the number the cross-entropy of the target's draws under it: unlike a Fisher
divergence it sees the weights of modes. At the highest level the law is taken for N(0, sigma_1^2 I), which adds its divergence from that, E|x|^2/(2
sigma_1^2) nats at most. Heun's method in log sigma, of order 2, goes through levels at which the model was not trained, too: its input is log sigma. Of a
ring of eight modes 64 steps from .1 to 8 are off by 6e-4 nats a dimension.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from scorebench.core.errors import NotApplicable
from scorebench.core.options import Count
from scorebench.metrics.base import Estimate, Points, Run, mean_over_points
from scorebench.targets.base import Target
from scorebench.targets.lib.density import Density

LABEL = "negative log-likelihood (probability flow)"
REFERENCE = "Song et al. (2021), section 4.3"
ABOUT = "source"
NEEDS = {"source.density"}
DIRECTION = "lower"
FLOOR = False
LOG = False

POINTS = 500


def probability_flow_likelihood(run: Run, target: Target, reference: Points, *, steps: Count = 64) -> Estimate:
    """(seed, 1)."""
    if not run.density.levels:
        raise NotApplicable("the source has no noise levels")
    highest, lowest = run.density.levels[0], run.density.levels[-1]
    x = reference(target)[:, None, :POINTS]
    with torch.no_grad():
        return mean_over_points(-log_likelihood(run.density, x, np.geomspace(lowest, highest, steps + 1).tolist()) / target.dim)


def log_likelihood(density: Density, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Log q at x (seed, ..., d) for the density at the first of rising noise levels, (seed, ...)."""

    def slopes(x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """Of x and of the integral, in log sigma."""
        score, divergence = density.perturbed(sigma).score_and_divergence(x)
        return -(sigma**2) * score, sigma**2 * divergence

    gained = x.new_zeros(x.shape[:-1])
    for sigma, higher in zip(sigmas, sigmas[1:], strict=False):
        step = math.log(higher / sigma)
        moves, gains = slopes(x, sigma)
        then_moves, then_gains = slopes(x + step * moves, higher)
        x, gained = x + step / 2 * (moves + then_moves), gained + step / 2 * (gains + then_gains)
    noise = -0.5 * (x / sigmas[-1]).square().sum(-1) - x.shape[-1] * math.log(math.sqrt(2 * math.pi) * sigmas[-1])
    return noise - gained
