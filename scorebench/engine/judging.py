"""How good a stack of models is while it is trained: what chooses a learning rate, and what says whether more steps are worth it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import vmap

from scorebench.core import registry, rng
from scorebench.core.errors import NotApplicable
from scorebench.core.spec import Spec
from scorebench.engine.objective import levels_of, objective, shared_options
from scorebench.engine.sources import trained
from scorebench.losses.base import LossFile
from scorebench.models.base import Parameters
from scorebench.targets.base import Target, has

POINTS, Z = 5_000, 1.96
"""Points of a seed, and standard errors either way of a 95 % interval."""


class Judge(NamedTuple):
    """What says whether a training goes on."""

    values: Callable[[Parameters], Tensor]
    """Of a stack (level, seed, ...), lower for a better model, (level, unit), of independent units."""
    worth: float
    """A gain that is not to be missed."""

    def goes_on(self, before: Tensor, after: Tensor) -> Tensor:
        """Whether the last stretch gained more than chance, or may have gained what is worth it, (level, unit) -> (level); not of what has diverged."""
        gain, error = difference(before, after)
        return after.isfinite().all(-1) & (gains(before, after) | ~(gain + error <= self.worth))


def judge(target: Target, losses: Sequence[Spec], model: Spec, module: nn.Module, master: int, seeds: Sequence[object], name: str) -> Judge:
    """By the `log_divergence`, where that is known: its units are the seeds, and a factor of 1.25 is worth going on. Else by `validation`, whose units are
    points and whose zero is arbitrary: training ends where the loss has become worse.
    """
    known = log_divergence(target, losses, model, master, seeds, name)
    if known:
        return Judge(known, math.log(1.25))
    valued = validation(target, losses, model, module, master, seeds, name)
    return Judge(lambda parameters: valued(parameters).flatten(1), 0.0)


def log_divergence(
    target: Target, losses: Sequence[Spec], model: Spec, master: int, seeds: Sequence[object], name: str
) -> Callable[[Parameters], Tensor] | None:
    """What gives the logarithm of the relative Fisher divergence of a stack to what each loss learns, (level, seed); None where some score is not known."""
    loss: LossFile = registry.module("loss", losses[0].name)
    try:
        laws = [loss.fixed_point(target, **member.options) for member in losses]
    except NotApplicable:
        return None
    if not all(has(law, "score") and has(law, "sample") for law in laws):
        return None
    points = [
        torch.stack([law.sample(law.at_most(POINTS), rng.generator(master, "judge", name, s)) for s in seeds])[:, None] for law in laws
    ]

    def of_stack(parameters: Parameters) -> Tensor:
        logs = []
        for number, (member, law, x) in enumerate(zip(losses, laws, points, strict=True)):
            source = trained(model, member, 0, {key: value[number] for key, value in parameters.items()}, target)
            s = law.score(x)
            errors, sizes = ((v.double().square().sum(-1).mean(-1)) for v in (source.density.score(x) - s, s))
            logs.append((errors / sizes).log()[:, 0])
        return torch.stack(logs)

    return of_stack


def validation(
    target: Target, losses: Sequence[Spec], model: Spec, module: nn.Module, master: int, seeds: Sequence[object], name: str
) -> Callable[[Parameters], Tensor]:
    """What gives the values of a stack (level, seed, ...) at points that it was not trained on, (level, seed, point).

    Each loss by itself, or by its `validation`, at the same points with the same random numbers for every level: what can be done where the truth is not
    known.
    """
    loss: LossFile = registry.module("loss", losses[0].name)
    valued = objective(losses, model, module, getattr(loss, "validation", None), each=True)
    points, noise = [], []
    for seed in seeds:
        generator = rng.generator(master, "validation", name, seed)
        points.append((target.validation_sample or target.training_sample or target.sample)(POINTS, generator))
        noise.append(loss.draws(points[-1], target, generator, **shared_options(losses)))
    x, draws = torch.stack(points), torch.stack(noise)
    over_seeds = vmap(valued, in_dims=(0, 0, 0, None))

    def of_stack(parameters: Parameters) -> Tensor:
        with torch.no_grad():
            each = [over_seeds({k: v[i] for k, v in parameters.items()}, x, draws, at) for i, at in enumerate(levels_of(losses))]
        return torch.stack(each)

    return of_stack


def difference(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """By how much numbers are lower after than before, and Z standard errors of that, which of one unit is not known, (*, unit) -> (*)."""
    differences = (before - after).double()
    units = differences.shape[-1]
    error = differences.std(-1) if units > 1 else torch.full_like(differences[..., 0], torch.inf)
    return differences.mean(-1), Z * error / units**0.5


def gains(before: Tensor, after: Tensor) -> Tensor:
    """Whether numbers are lower after than before beyond chance, (*, unit) -> (*); from what is not finite to what is, they are."""
    gain, error = difference(before, after)
    return after.isfinite().all(-1) & (~before.isfinite().all(-1) | (gain > error))
