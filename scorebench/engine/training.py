r"""A model fitted by a loss for every seed: by the loss's own `fit`, or by Adam, all noise levels, learning rates and seeds as one stack.

The learning rate is constant, and what is kept is the average of all parameters so far, each weighted by its step to the power gamma (Polyak and Juditsky
1992; Karras et al. 2024, eq. 2):

    mean_t = beta_t mean_(t-1) + (1 - beta_t) theta_t,   beta_t = (1 - 1/t)^(gamma + 1)

so that after any number of steps it is as one that was trained for so many, and training may go on. It ends at the first of the steps where it is
known that more of them are not worth it (`judge`).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.func import grad_and_value, vmap

from scorebench.core import registry, rng
from scorebench.core.errors import NotApplicable
from scorebench.core.shapes import expect
from scorebench.core.spec import Spec
from scorebench.engine.judging import judge
from scorebench.engine.objective import gives_energy, levels_of, objective, shared_options
from scorebench.engine.tracing import WORTH_IT, compiled, operations
from scorebench.losses.base import LossFile, Problem
from scorebench.models.base import Parameters, stack
from scorebench.suite.jobs import without_level
from scorebench.targets.base import Target, has

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.config import Training


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained stack: parameters[i] are those after steps[i] gradient steps, each tensor (level, seed, ...)."""

    module: nn.Module
    gives_energy: bool
    steps: tuple[int, ...]
    parameters: list[Parameters]
    seconds_per_step: float
    """Of the whole stack, start-up not counted."""


def fit(
    target: Target,
    model: Spec,
    losses: Sequence[Spec],
    rates: Sequence[float],
    training: Training,
    steps: tuple[int, ...],
    master: int,
    seeds: Sequence[object],
    name: str,
    tell: Callable[[str], None] = lambda text: None,
) -> Fitted:
    """Train `model` on `target` with each of `losses` (one loss at its noise levels) at its learning rate, for every seed.

    `name` is the target's, for the random streams: a seed's data, minibatches and random numbers are the same for every loss, level, rate and
    model, so that comparisons are paired. Adam is elementwise, so that each member of the stack is trained as it would be alone; a stack ends when all of
    its levels do. A loss with a `fit` of its own has no steps and no rate: it has one checkpoint, the last.
    """
    loss: LossFile = registry.module("loss", losses[0].name)
    options = shared_options(losses)
    if missing := [member for owner, member in losses[0].needs if owner == "target" and not has(target, member)]:
        raise NotApplicable(f"the target has no {missing[0]}")
    registry.module("model", model.name)  # a broken file says here what is wrong with it

    def stream(use: str, seed: object) -> torch.Generator:
        return rng.generator(master, use, name, seed)

    draw, size = target.training_sample or target.sample, min(training.size, target.training_rows or training.size)
    data = torch.stack([expect("the training sample", draw(size, stream("data", s)), (size, target.dim)) for s in seeds])
    module, initial = stack(lambda g: model.build(target.dim, g), [stream(f"init {model}", s) for s in seeds])
    if hasattr(loss, "fit"):

        def problem() -> Problem:
            modules = [model.build(target.dim, stream(f"init {model}", s)) for s in seeds]
            return Problem(target, modules, gives_energy(model), data, [stream("fit", s) for s in seeds], training)

        clock = time.perf_counter()
        fitted = _stacked([loss.fit(problem(), **member.options) for member in losses], initial)
        return Fitted(module, gives_energy(model), steps[-1:], [fitted], (time.perf_counter() - clock) / steps[-1])

    members, each = len(losses), len(seeds)
    stacked = {name: _repeated(value, members) for name, value in initial.items()}  # (member * seed, ...)
    start, levels = _flat(stacked), levels_of(losses).repeat_interleave(each)
    rate = torch.cat([torch.tensor(rates).repeat_interleave(each * value[0].numel()) for value in stacked.values()])
    gradient = vmap(grad_and_value(objective(losses, model, module), has_aux=hasattr(loss, "init_state")))
    judged = judge(target, losses, model, module, master, seeds, name) if len(steps) > 1 else None

    def step(carried: tuple[Tensor, ...], x: Tensor, draws: Tensor, now: Tensor) -> tuple[Tensor, ...]:
        """Adam's, of the parameters, the moments of the gradient, the average of the parameters and what the loss carries."""
        parameters, first, second, average, *state = carried
        gradients, results = gradient(_apart(parameters, stacked), _repeated(x, members), _repeated(draws, members), levels, *state)
        slope = _flat(gradients)
        first, second = first.lerp(slope, 1 - BETAS[0]), second.lerp(slope.square(), 1 - BETAS[1])
        parameters = parameters - rate * now[0] * first / ((second / now[1]).sqrt() + EPSILON)
        average = average.lerp(parameters, now[2])
        return parameters, first, second, average, *(expect("the loss's next state", results[1], was.shape) for was in state)

    batches, noise = [stream("batches", s) for s in seeds], [stream("noise", s) for s in seeds]
    drawn = minibatches(data, training.batch, batches, lambda x, i: loss.draws(x, target, noise[i], **options))
    schedule = _schedule(steps[-1]).to(start)
    carried: tuple[Tensor, ...] = (start, torch.zeros_like(start), torch.zeros_like(start), start.clone())
    kept: list[Parameters] = []
    values: list[Tensor] = []
    clock = judging = 0.0
    number = 0
    for number, (x, draws) in enumerate(itertools.islice(drawn, steps[-1]), 1):
        if number == 1:
            if hasattr(loss, "init_state"):
                states = [loss.init_state(b, target, g, **options) for b, g in zip(x, noise, strict=True)]
                carried += (_repeated(torch.stack(states), members),)
            if steps[-1] >= WORTH_IT:
                step = operations(step, carried, x, draws, schedule[0])
                step = compiled(step, steps[-1], carried, x, draws, schedule[0])
            clock = time.perf_counter()
        carried = step(carried, x, draws, schedule[number - 1])
        if number in steps:
            kept.append({name: value.clone().unflatten(0, (members, each)) for name, value in _apart(carried[3], stacked).items()})
            if judged is None:
                continue
            before = time.perf_counter()
            values.append(judged.values(kept[-1]))
            judging += time.perf_counter() - before
            if len(values) > 1:
                gaining = judged.goes_on(*values[-2:])
                tell(f"{without_level(losses[0])}: {number:,} steps, {int(gaining.sum())} of {members} may still gain")
                if not gaining.any():
                    break
    return Fitted(module, gives_energy(model), steps[: len(kept)], kept, (time.perf_counter() - clock - judging) / number)


BETAS, EPSILON = (0.9, 0.999), 1e-8
"""Of Adam (Kingma and Ba 2015, algorithm 1)."""
GAMMA = 6.94
"""Of the average, whose weights are as wide as a tenth of the steps (Karras et al. 2024, table 1); half and twice gave the same within seeds."""
DRAWN = 2**14
"""Numbers of a seed's minibatches that are drawn at a time: as many batches as hold them, at least one. Neither other seeds nor the steps change it,
so that a seed by itself, and fewer steps, draw the same.
"""


def _schedule(steps: int) -> Tensor:
    """Of each step 1/(1 - beta_1^t) and 1 - beta_2^t, which correct the moments, and the step's weight in the average, (step, 3)."""
    t = torch.arange(1, steps + 1, dtype=torch.float64)
    return torch.stack([1 / (1 - BETAS[0] ** t), 1 - BETAS[1] ** t, 1 - (1 - 1 / t) ** (GAMMA + 1)], -1)


def minibatches(
    data: Tensor, batch: int, generators: Sequence[torch.Generator], draw: Callable[[Tensor, int], Tensor]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Minibatches of `data` (seed, n, d), with replacement, and what the loss draws for them: for each step (seed, batch, d) and (seed, batch, *)."""
    seeds, size, dim = data.shape
    ahead = max(DRAWN // (batch * dim), 1)
    while True:
        rows = [torch.randint(size, (ahead * batch,), generator=g, device=data.device) for g in generators]
        x = [d[r] for d, r in zip(data, rows, strict=True)]
        draws = [draw(b, i) for i, b in enumerate(x)]
        yield from zip(*(torch.stack(each, 1).unflatten(0, (ahead, batch)).transpose(1, 2) for each in (x, draws)), strict=True)


def _repeated(value: Tensor, times: int) -> Tensor:
    """The leading axis so many times over."""
    return value.repeat(times, *[1] * (value.dim() - 1))


def _flat(stacked: Parameters) -> Tensor:
    """All numbers of the stack as one axis, one name after the other: each keeps its place in memory as a stack of its own."""
    return torch.cat([value.flatten() for value in stacked.values()])


def _apart(flat: Tensor, like: Parameters) -> Parameters:
    """The parameters again."""
    parts = flat.split([value.numel() for value in like.values()])
    return {name: part.view(value.shape) for (name, value), part in zip(like.items(), parts, strict=True)}


def _stacked(fits: Sequence[Parameters], initial: Parameters) -> Parameters:
    """What each member's own fit returned, as one stack, (level, seed, ...). Raises ValueError for what are not the model's parameters."""
    for parameters in fits:
        if parameters.keys() != initial.keys():
            raise ValueError(
                f"the fit returned {', '.join(sorted(parameters)) or 'nothing'}, not the parameters {', '.join(sorted(initial))}"
            )
        for name, value in parameters.items():
            expect(f"the fit's {name}", value, initial[name].shape)
    return {name: torch.stack([parameters[name].detach().to(value) for parameters in fits]) for name, value in initial.items()}
