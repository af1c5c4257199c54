r"""The probability flow: an ordinary differential equation that carries p * N(0, sigma^2 I) to all smaller sigma, without any randomness on the way.

dx/dsigma = -sigma s(x, sigma)                                             (Song et al. 2021, eq. 13; Karras et al. 2022, eq. 1)

Chains start from N(0, sigma_1^2 I), which p * N(0, sigma_1^2 I) is up to a share E|x|^2/(d sigma_1^2) of its variance: the largest level must dominate
p. Each level is a step of Heun's method to the next, of two gradients; the last is one of Euler's to sigma = 0, of one, x + sigma_L^2 s(x, sigma_L), the
mean of the point without its noise (Karras et al. 2022, algorithm 1). The error is of the second order in the distance of levels; what sigma_L blurs stays
blurred. There is no step size and no temperature, and after the last level nothing is left to do.
"""

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from scorebench.core.options import Falling
from scorebench.samplers.base import Density, Info

LABEL = "probability flow"
EQUATION = r"\frac{dx}{d\sigma}=-\sigma\,s(x,\sigma)"
REFERENCE = "Song et al. (2021), eq. 13; Karras et al. (2022), algorithm 1"
NEEDS = {"source.perturbed"}
GRADIENTS = 2
EXACT = False
AXES = ()
LADDER = "sigmas"
ENDS = True


class State(NamedTuple):
    """What is carried."""

    x: Tensor  # (seed, grid, chain, d)
    level: int


@dataclass(frozen=True, eq=False)
class ProbabilityFlow:
    """The grid axes, which it does not have; the noise levels, by default those of Karras et al. (2022), eq. 5 with rho = 7, from 20 to .05."""

    step_size: Tensor
    temperature: Tensor
    sigmas: Falling = (20.0, 15.0, 11.0, 8.5, 6.2, 4.5, 3.2, 2.2, 1.5, 1.0, 0.68, 0.43, 0.27, 0.16, 0.092, 0.05)

    def start(self, density: Density, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Where noise is all there is, (chain, d)."""
        return self.sigmas[0] * torch.randn(shape, generator=generator, device=generator.device)

    def draws(self, density: Density, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """None, (0)."""
        return torch.empty(0, device=generator.device)

    def init(self, x: Tensor, density: Density) -> State:
        """Start at x, at the largest level."""
        return State(x, 0)

    def step(self, state: State, density: Density, draws: Tensor) -> tuple[State, Info]:
        """From one level to the next, from the last to no noise; from there on nothing."""
        sigmas = (*self.sigmas, 0.0)
        if state.level == len(self.sigmas):
            return state, Info()
        sigma, lower = sigmas[state.level : state.level + 2]
        slope = -sigma * density.perturbed(sigma).score(state.x)
        x = state.x + (lower - sigma) * slope
        if lower:
            x = state.x + (lower - sigma) * (slope - lower * density.perturbed(lower).score(x)) / 2
        return State(x, state.level + 1), Info()


def theory(step_size: float, temperature: float, variance: float, *, sigmas: tuple[float, ...]) -> float:
    """The variance at the end on N(0, variance), whatever step and temperature: each level multiplies x, as its score is -x/(variance + sigma^2)."""
    root = sigmas[0]
    for sigma, lower in itertools.pairwise(sigmas):
        here, there, h = sigma / (variance + sigma**2), lower / (variance + lower**2), lower - sigma
        root *= 1 + h * (here + there * (1 + h * here)) / 2
    return (root * variance / (variance + sigmas[-1] ** 2)) ** 2
