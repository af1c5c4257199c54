r"""Parallel tempering: replicas at T tau_1 < T tau_2 < ..., tau_1 = 1, each moved by MALA, neighbours exchanged; the first has the law p^(1/T).

After each move the pairs (1, 2), (3, 4), ... and (2, 3), (4, 5), ... in turn exchange their points with probability
min(1, exp((1/T_i - 1/T_j) (log p(x_j) - log p(x_i)))), T_i = T tau_i                (Swendsen and Wang 1986; Geyer 1991; in turn: Syed et al. 2022)

That is min(1, p(x_j)^(1/T_i) p(x_i)^(1/T_j) / (p(x_i)^(1/T_i) p(x_j)^(1/T_j))), so that moves and exchanges leave the product of all p^(1/T_i) invariant
exactly, at any step. Hot replicas cross between modes, and pass their points down. A step takes a gradient a replica.

The step c is that of all: on N(0, v) the move x + c s(x) + sqrt(2 c T_i) eps from sqrt(tau_i) x is sqrt(tau_i) times that of the first replica from x, and
is accepted with the same probability. (Of steps written e for x + e/2 grad log p^(1/T) + sqrt(e) eps, e grows as T_i.) All replicas start at the
given point; a snapshot shows the first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from scorebench.core.options import Rising
from scorebench.samplers import mala
from scorebench.samplers.base import Density, Info
from scorebench.samplers.lib.metropolis import metropolis, normals_and_uniforms
from scorebench.samplers.mala import MALA

LABEL = "parallel tempering"
EXAMPLES = ("parallel_tempering:temperatures=1|2|8",)
EQUATION = r"x_i\leftrightarrow x_j\quad\text{with probability}\quad\min\left(1,e^{(1/T_i-1/T_j)(\log p(x_j)-\log p(x_i))}\right),\quad T_i=T\tau_i"
REFERENCE = "Swendsen and Wang (1986); Geyer (1991); exchanged in turn as in Syed, Bouchard-Côté, Deligiannidis and Doucet (2022)"
NEEDS = {"source.score", "source.log_prob"}
GRADIENTS = "temperatures"
TUNES = {"temperatures"}
EXACT = True


class State(NamedTuple):
    """What is carried."""

    x: Tensor  # (seed, grid, chain, d), of the first replica
    replicas: mala.State  # (seed, grid, replica * chain, ...)
    tau: Tensor  # (replica), the temperatures in units of the first's
    steps: Tensor  # (), how many so far


@dataclass(frozen=True, eq=False)
class ParallelTempering:
    """Hyper-parameters: the grid axes, both (grid, 1); the temperatures of the replicas in units of the first's."""

    step_size: Tensor
    temperature: Tensor
    temperatures: Rising = (1.0, 2.0, 4.0, 8.0, 16.0)

    def draws(self, density: Density, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """What MALA draws for each replica and, in the last column, the uniform that decides its exchange with the next, (replica * chain, d + 2)."""
        return normals_and_uniforms(shape[0] * len(self.temperatures), shape[1], 2, generator)

    def init(self, x: Tensor, density: Density) -> State:
        """All replicas start at x."""
        return self._state(x.repeat(1, 1, len(self.temperatures), 1), density)

    def equilibrium(self, draw: Callable[[float], Tensor], density: Density) -> State:
        """Each replica starts in its own law."""
        replicas = [torch.cat([draw(float(t) * tau) for t in self.temperature], 1) for tau in self.temperatures]
        return self._state(torch.cat(replicas, 2), density)

    def step(self, state: State, density: Density, draws: Tensor) -> tuple[State, Info]:
        """A move of every replica and an exchange; draws are (seed, replica * chain, d + 2). The acceptance is that of the first replica's move."""
        chains = state.x.shape[-2]
        tau = state.tau[:, None].expand(-1, chains)  # (replica, chain)
        temperature = self.temperature * tau.flatten()  # (grid, replica * chain)
        moved, info = MALA(self.step_size, temperature).step(state.replicas, density, draws[..., :-1])

        own = torch.arange(len(tau), device=tau.device)
        other = self._partners(own, state.steps)
        inverse, log_prob = (1 / temperature).unflatten(1, tau.shape), moved.log_prob.unflatten(2, tau.shape)  # (..., replica, chain)
        log_ratio = (inverse - inverse[:, other]) * (log_prob[:, :, other] - log_prob)
        uniform = draws[..., -1].unflatten(1, tau.shape)[:, None, torch.minimum(own, other)]  # one for both
        exchanged = mala.State(*(part.unflatten(2, tau.shape)[:, :, other].flatten(2, 3) for part in moved))
        replicas, _ = metropolis(exchanged, moved, log_ratio.flatten(2), uniform.flatten(2))
        acceptance = torch.as_tensor(info.acceptance)[..., :chains]
        return State(replicas.x[:, :, :chains], replicas, state.tau, state.steps + 1), Info(acceptance)

    def _state(self, x: Tensor, density: Density) -> State:
        replicas, tau = mala.State(x, *density.score_and_log_prob(x)), x.new_tensor(self.temperatures)
        return State(x[:, :, : x.shape[2] // len(tau)], replicas, tau, torch.zeros((), dtype=torch.long, device=x.device))

    @staticmethod
    def _partners(own: Tensor, steps: Tensor) -> Tensor:
        """With which each replica may exchange after so many steps: the next or the one before, by turns; at an end itself."""
        up = (own + steps) % 2 == 0
        other = torch.where(up, own + 1, own - 1)
        return torch.where((other >= 0) & (other < len(own)), other, own)
