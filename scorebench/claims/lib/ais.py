r"""Annealed importance sampling: an unbiased estimate of Z = int exp(-f), with the project's own MALA as its moves.

From x ~ p_0, normalised, through f_b = (1 - b) (-log p_0) + b f at 0 = b_0 < ... < b_K = 1: each step adds (b_k - b_(k-1)) (-f - log p_0)(x) to the log
weight, then moves x by a kernel that leaves exp(-f_(b_k)) invariant. E exp(log weight) = Z                          (Neal 2001, eqs. 1-10)
"""

from collections.abc import Callable

import torch
from torch import Tensor

from scorebench.claims.base import Measurement
from scorebench.claims.lib.estimates import mean, of_means
from scorebench.samplers.base import Density
from scorebench.samplers.mala import MALA
from scorebench.targets.base import Target

Energy = Callable[[Tensor], Tensor]


def z(energy: Energy, start: Target, chains: int, levels: int, step_size: float, generator: torch.Generator) -> Measurement:
    """Z of an energy (*, d) -> (*) with its standard error over independent chains: unbiased."""
    return mean(log_weights(energy, start, chains, levels, step_size, generator).exp())


def log_mean(log_weight: Tensor) -> Measurement:
    """The logarithm of the mean of exp(log weight) over independent chains (n,)."""
    highest = log_weight.max()
    return of_means((log_weight - highest).exp()[:, None], lambda m: m[0].log() + highest)


def log_weights(energy: Energy, start: Target, chains: int, levels: int, step_size: float, generator: torch.Generator) -> Tensor:
    """Log weights (chains,), in float64: one MALA step of `step_size` at each of `levels` equally spaced b."""
    sampler = MALA(torch.tensor([[step_size]], dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64))
    x = start.sample(chains, generator)[None, None].double()  # (seed, grid, chain, d)
    log_weight = torch.zeros(chains, dtype=torch.float64)
    for k in range(1, levels + 1):
        log_weight += ((-energy(x) - start.log_prob(x)) / levels)[0, 0]
        density = _between(energy, start, k / levels)
        draws = sampler.draws(density, (chains, start.dim), generator)[None].double()
        x = sampler.step(sampler.init(x, density), density, draws)[0].x
    return log_weight


def _between(energy: Energy, start: Target, b: float) -> Density:
    def score_and_log_prob(x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            log_p = (1 - b) * start.log_prob(x) - b * energy(x)
            (score,) = torch.autograd.grad(log_p.sum(), x)
        return score, log_p.detach()

    return Density(score_and_log_prob=score_and_log_prob)
