r"""Metropolis-adjusted Langevin: ULA's step as a proposal, accepted so that p^(1/T) is left invariant exactly.

y = x + c s(x) + sqrt(2 c T) eps, accepted with probability min(1, p(y)^(1/T) q(x|y) / (p(x)^(1/T) q(y|x))),
q(y|x) = N(y; x + c s(x), 2 c T I)                          (Besag 1994; Roberts and Tweedie 1996, section 1.4)
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from scorebench.samplers.base import Density, Info
from scorebench.samplers.lib.metropolis import metropolis, normals_and_uniforms

LABEL = "MALA"
EQUATION = r"y=x+c\,s(x)+\sqrt{2cT}\,\epsilon,\quad\text{accepted with probability}\quad\min\left(1,\frac{p(y)^{1/T}\,q(x|y)}{p(x)^{1/T}\,q(y|x)}\right)"
REFERENCE = "Roberts and Tweedie (1996), section 1.4"
NEEDS = {"source.score", "source.log_prob"}
GRADIENTS = 1
EXACT = True


class State(NamedTuple):
    """What is carried: the position with its score and log density, so that a step costs one gradient."""

    x: Tensor  # (seed, grid, chain, d)
    score: Tensor  # (seed, grid, chain, d)
    log_prob: Tensor  # (seed, grid, chain)


@dataclass(frozen=True, eq=False)
class MALA:
    """Hyper-parameters: the grid axes alone, both (grid, 1)."""

    step_size: Tensor
    temperature: Tensor

    def draws(self, density: Density, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Noise eps and, in the last column, the uniform that decides, (chain, d + 1)."""
        return normals_and_uniforms(*shape, 1, generator)

    def init(self, x: Tensor, density: Density) -> State:
        """Start at x."""
        return State(x, *density.score_and_log_prob(x))

    def step(self, state: State, density: Density, draws: Tensor) -> tuple[State, Info]:
        """One step; draws are (seed, chain, d + 1), the same for all cells of the grid."""
        c, t = self.step_size, self.temperature
        eps, uniform = draws[:, None, :, :-1], draws[:, None, :, -1]
        y = state.x + c[..., None] * state.score + (2 * c * t)[..., None].sqrt() * eps
        proposal = State(y, *density.score_and_log_prob(y))
        back = state.x - y - c[..., None] * proposal.score
        log_ratio = (proposal.log_prob - state.log_prob) / t + self._log_q(eps, back)
        return metropolis(proposal, state, log_ratio, uniform)

    def _log_q(self, eps: Tensor, back: Tensor) -> Tensor:
        """Log q(x|y)/q(y|x), from eps = (y - x - c s(x))/sqrt(2 c T) and x - y - c s(y)."""
        return eps.square().sum(-1) / 2 - back.square().sum(-1) / (4 * self.step_size * self.temperature)
