"""What samplers and metrics see of a source, an exact target or a trained model."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor
from torch.func import jvp

from scorebench.targets.base import Absent, Target, has


@dataclass(frozen=True, eq=False)
class Density:
    """What is known of a source. What it lacks is `Absent`.

    Every function takes positions (seed, ..., d), for example (seed, grid, chain, d).
    """

    score: Callable[[Tensor], Tensor] = Absent("score")
    score_and_log_prob: Callable[[Tensor], tuple[Tensor, Tensor]] = Absent("log density")
    score_and_divergence: Callable[[Tensor], tuple[Tensor, Tensor]] = Absent("divergence")
    """The score and tr grad s, (seed, ...)."""
    tempered: Callable[[float], Target] = Absent("exact draws")
    """Exact relatives; only an exact target has them, and only the control `exact` asks."""
    perturbed: "Callable[[float], Density]" = Absent("noise levels")
    """The source at a noise level, p * N(0, sigma^2 I)."""
    levels: tuple[float, ...] = ()
    """The noise levels that a trained source was trained at, from the largest to the smallest; none where it has all, or no others."""
    prior: Callable[[int, torch.Generator], Tensor] = Absent("prior")
    """Draws of where every sampler starts, (n, d)."""


def exact_density(target: Target) -> Density:
    """The density of an exact target."""
    density = Density(target.score)
    if has(target, "sample") and target.rows is None:
        density = replace(density, tempered=target.tempered)
    elif training := target.training_sample:  # of a finite set a draw of those that judge would be compared with itself
        density = replace(density, tempered=lambda temperature: replace(target.tempered(temperature), sample=training))
    if has(target, "score"):
        density = replace(density, score_and_divergence=lambda x: _with_divergence(target.score, x))
    if has(target, "score") and has(target, "log_prob"):
        both = target.score_and_log_prob or (lambda x: (target.score(x), target.log_prob(x)))
        density = replace(density, score_and_log_prob=both)
    if has(target, "perturbed"):
        density = replace(density, perturbed=cache(lambda sigma: exact_density(target.perturbed(sigma))))
    return replace(density, prior=target.prior.sample) if target.prior else density


def _with_divergence(score: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """A field at x (*, d) and its divergence (*), by a forward sweep a dimension."""
    units = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    divergence = x.new_zeros(x.shape[:-1])
    for k, unit in enumerate(units):
        _, along = jvp(score, (x,), (unit.expand_as(x).contiguous(),))  # type: ignore[misc]
        divergence = divergence + along[..., k]
    return score(x), divergence
