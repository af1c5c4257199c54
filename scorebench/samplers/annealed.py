r"""Annealed Langevin: ULA on the perturbed densities p * N(0, sigma^2 I), from the largest sigma to the smallest.

x' = x + c_i s(x, sigma_i) + sqrt(2 c_i T) eps,   c_i = c sigma_i^2/sigma_L^2               (Song and Ermon 2019, algorithm 1)

Their alpha_i is 2 c_i and their epsilon is 2 c. After `steps` steps a level it stays at the last. The large levels carry mass between far
modes, which plain Langevin does not; what is left is close to p * N(0, sigma_L^2 I), not to p. With `denoise` a snapshot shows x + sigma_i^2
s(x, sigma_i), the mean of the point without its noise (Tweedie's formula; Jolicoeur-Martineau et al. 2021, section 3.1), at one gradient more.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from scorebench.core.options import Count, Falling
from scorebench.samplers.base import Density, Info
from scorebench.targets.base import Target

LABEL = "annealed Langevin"
VARIANTS = {"denoise": "denoised"}
EXAMPLES = ("annealed", "annealed:sigmas=2|1|0.5,steps=10", "annealed:denoise=true")
EQUATION = r"x'=x+c_i\,s(x,\sigma_i)+\sqrt{2c_iT}\,\epsilon,\quad c_i=c\,\sigma_i^2/\sigma_L^2"
REFERENCE = "Song and Ermon (2019), algorithm 1"
NEEDS = {"source.perturbed"}
GRADIENTS = 1
EXACT = False
ORDER = 1
LADDER = "sigmas"
STEPS_A_LEVEL = "steps"
TUNES = {"steps"}


class State(NamedTuple):
    """What is carried."""

    x: Tensor  # (seed, grid, chain, d)
    step: int


@dataclass(frozen=True, eq=False)
class Annealed:
    """Hyper-parameters: the grid axes, both (grid, 1), c being the step at the last level; the noise levels; steps a level."""

    step_size: Tensor
    temperature: Tensor
    sigmas: Falling = (4.0, 2.0, 1.0, 0.5, 0.25, 0.125)
    steps: Count = 40
    denoise: bool = False

    def draws(self, density: Density, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """eps, (chain, d)."""
        return torch.randn(shape, generator=generator, device=generator.device)

    def init(self, x: Tensor, density: Density) -> State:
        """Start at x."""
        return State(x, 0)

    def step(self, state: State, density: Density, draws: Tensor) -> tuple[State, Info]:
        """One step; draws are (seed, chain, d), the same for all cells of the grid."""
        sigma = self._sigma(state.step)
        c, t = self.step_size[..., None] * (sigma / self.sigmas[-1]) ** 2, self.temperature[..., None]
        score = density.perturbed(sigma).score(state.x)
        return State(state.x + c * score + (2 * c * t).sqrt() * draws[:, None], state.step + 1), Info()

    def output(self, state: State, density: Density) -> Tensor:
        """The position, or its mean without the noise of the level it is at."""
        if not self.denoise:
            return state.x
        sigma = self._sigma(state.step - 1)
        return state.x + sigma**2 * density.perturbed(sigma).score(state.x)

    def _sigma(self, step: int) -> float:
        return self.sigmas[min(step // self.steps, len(self.sigmas) - 1)]


def law(target: Target, temperature: float, *, sigmas: tuple[float, ...], steps: int, denoise: bool) -> Target:
    """Where a chain ends up: the last level's density, tempered."""
    law: Target = target.perturbed(sigmas[-1]).tempered(temperature)
    return law
