r"""Random-walk Metropolis, as a sampler with a loop of its own: how another library's, which does all steps in one piece, comes in.

y = x + sqrt(2 c T) eps, accepted with probability min(1, (p(y)/p(x))^(1/T))                                              (Metropolis et al. 1953)

Of a library PEERS would say what is imported, inside `run`, and by which extra it comes (see samplers/base.py and samplers/nuts_blackjax.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from scorebench.samplers.base import TRACE_CHAINS, TRACE_DRAWS, Density, Outcome

LABEL = "random-walk Metropolis"
EQUATION = r"y=x+\sqrt{2cT}\,\epsilon,\quad\text{accepted with probability}\quad\min(1,(p(y)/p(x))^{1/T})"
REFERENCE = "Metropolis et al. (1953), Equation of state calculations by fast computing machines"
NEEDS = {"source.log_prob"}
GRADIENTS = 1
EXACT = True


@dataclass(frozen=True, eq=False)
class RandomWalk:
    """Hyper-parameters: the grid axes, both (grid, 1)."""

    step_size: Tensor
    temperature: Tensor

    def run(self, density: Density, start: Tensor, budgets: Sequence[int], generators: Sequence[torch.Generator]) -> Outcome:
        """The start is an evaluation of the density, as is each step: the last of a budget is the state after so many less one."""
        t = self.temperature
        x = start[:, None].expand(len(start), len(t), *start.shape[1:]).contiguous()
        # Positions are (seed, grid, chain, d); the cells of the grid share the random numbers of their seed.
        log_p, path, shares = density.score_and_log_prob(x)[1], [x], []
        for _ in range(1, budgets[-1]):
            eps = torch.stack([torch.randn(start.shape[1:], generator=g, device=g.device) for g in generators])[:, None]
            uniform = torch.stack([torch.rand(start.shape[1], generator=g, device=g.device) for g in generators])[:, None]
            y = x + (2 * self.step_size * t)[..., None].sqrt() * eps
            log_p_y = density.score_and_log_prob(y)[1]
            share = ((log_p_y - log_p) / t).clamp(max=0).exp()
            accept = uniform < share
            x, log_p = torch.where(accept[..., None], y, x), torch.where(accept, log_p_y, log_p)
            path.append(x)
            shares.append(share)
        means = torch.stack(shares).mean(0)
        trace = torch.stack([p[:, :, :TRACE_CHAINS] for p in path[len(path) // 2 :][-TRACE_DRAWS:]], -2)
        samples = torch.stack([path[b - 1] for b in budgets])
        return Outcome(samples, tuple(b - 1 for b in budgets), tuple(budgets), trace, means.mean(-1), means.std(-1, correction=0))
