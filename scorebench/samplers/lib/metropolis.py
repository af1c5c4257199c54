"""The correction of Metropolis: a proposal is the next state with probability min(1, exp(log_ratio)), else the state is repeated."""

from typing import Any, TypeVar

import torch
from torch import Tensor

from scorebench.samplers.base import Info

S = TypeVar("S", bound=tuple[Any, ...])


def metropolis(proposal: S, state: S, log_ratio: Tensor, uniform: Tensor) -> tuple[S, Info]:
    """The next state of each chain, from states whose members are (*, d) or (*), log ratios (*) and uniforms that broadcast with them."""
    # A proposal that is not finite is no state of p: its ratio is NaN, and it is refused.
    acceptance = torch.where(log_ratio == log_ratio, log_ratio.clamp(max=0).exp(), 0.0)
    accept = uniform < acceptance
    chosen = (torch.where(accept[..., None] if a.dim() > accept.dim() else accept, a, b) for a, b in zip(proposal, state, strict=True))
    return type(state)(*chosen), Info(acceptance)


def normals_and_uniforms(rows: int, normals: int, uniforms: int, generator: torch.Generator) -> Tensor:
    """So many numbers of N(0, 1) and, in the last columns, so many of U[0, 1), (row, number); in memory column by column."""
    drawn = torch.empty(normals + uniforms, rows, device=generator.device)
    drawn[:normals].normal_(generator=generator)
    drawn[normals:].uniform_(generator=generator)
    return drawn.T
