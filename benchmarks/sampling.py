"""What a sampler's contestant is, and the check that all compute the same: float64 chains that are fed with the contestant's own random numbers.

x' = x + c s(x) + sqrt(2 c) eps (ULA), MALA and BAOAB as in scorebench's samplers, written out once more.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.contest import clocked
from benchmarks.law import Law

CLOSE, SHARE = 1e-4, 0.99
"""A contestant agrees where this share of its chains ends this close to the reference. Chains with the same noise come together again within a mode, so that
rounding stays below 1e-5 for 99 % of them. A step size .1 % off moves each by some 1.6e-4 at c = .05.
"""
Step = tuple[Tensor, Tensor]
"""The normal numbers of a step (n, d), and the uniform ones (n,), in float64; of a scheme that draws none they are not read."""


class Chains(NamedTuple):
    """A contestant that samples."""

    run: Callable[[Tensor, int, int], Tensor]
    """From x (*, 2) so many steps by random numbers of a seed: where the chains end."""
    draws: Callable[[Tensor, int, int], Iterator[Step]]
    """The random numbers that this used, step by step, for points (n, 2)."""


def ula(law: Law, x: Tensor, step_size: Tensor | float, draws: Iterator[Step]) -> Tensor:
    """The reference, in float64, as are those below."""
    for eps, _ in draws:
        x = x + step_size * law.score(x) + (2 * torch.as_tensor(step_size)).sqrt() * eps
    return x


def mala(law: Law, x: Tensor, step_size: float, draws: Iterator[Step]) -> Tensor:
    """Accepted with min(1, p(y) q(x|y) / (p(x) q(y|x)))."""
    for eps, uniform in draws:
        s = law.score(x)
        y = x + step_size * s + (2 * step_size) ** 0.5 * eps
        back = x - y - step_size * law.score(y)
        log_ratio = law.log_prob(y) - law.log_prob(x) - back.square().sum(-1) / (4 * step_size) + eps.square().sum(-1) / 2
        x = torch.where((uniform.log() < log_ratio)[:, None], y, x)
    return x


def baoab(law: Law, x: Tensor, step_size: float, draws: Iterator[Step]) -> Tensor:
    """Friction 1, h = sqrt(2 c), from rest."""
    h = (2 * step_size) ** 0.5
    keep = torch.tensor(-h, dtype=x.dtype).exp()
    v = torch.zeros_like(x)
    for eps, _ in draws:
        v = v + h / 2 * law.score(x)
        x = x + h / 2 * v
        v = keep * v + (1 - keep**2).sqrt() * eps
        x = x + h / 2 * v
        v = v + h / 2 * law.score(x)
    return x


def differs(chains: Chains, reference: Callable[[Tensor, Iterator[Step]], Tensor], start: Tensor, steps: int) -> str:
    """How a contestant's chains differ from the reference's; nothing where they agree."""
    end = chains.run(start, steps, 1).double().reshape(-1, 2)
    expected = reference(start.double().reshape(-1, 2), chains.draws(start, steps, 1))
    close = ((end - expected).norm(dim=-1) < CLOSE).double().mean().item()
    return "" if close >= SHARE else f"{1 - close:.1%} of the chains end elsewhere than the reference with the same random numbers"


def clocked_chains(chains: Chains, start: Tensor, steps: int) -> float:
    """Seconds per 1,000 steps."""
    return clocked(lambda: chains.run(start, steps, 0)) / steps * 1_000
