"""A model fitted by a loss for every seed: by the loss's own `fit`, or by Adam, all noise levels, learning rates and seeds as one stack."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import grad_and_value, vmap

from scorebench.core import registry, rng
from scorebench.core.errors import NotApplicable
from scorebench.core.shapes import expect
from scorebench.core.spec import Spec
from scorebench.engine.tracing import WORTH_IT, operations
from scorebench.losses.base import LossFile, Problem
from scorebench.models.base import Bound, Parameters, stack
from scorebench.suite.jobs import level
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
) -> Fitted:
    """Train `model` on `target` with each of `losses` (one loss at its noise levels) at its learning rate, for every seed.

    `name` is the target's, for the random streams: a seed's data, minibatches and random numbers are the same for every loss, level, rate and
    model, so that comparisons are paired. Learning rate: cosine to zero (Loshchilov and Hutter 2017, without restarts). Adam is elementwise, so
    that each member of the stack is trained as it would be alone. A loss with a `fit` of its own has no steps and no rate: every checkpoint is the fit.
    """
    device = torch.get_default_device()
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
            return Problem(target, modules, _gives_energy(model), data, [stream("fit", s) for s in seeds], training)

        clock = time.perf_counter()
        fitted = _stacked([loss.fit(problem(), **member.options) for member in losses], initial)
        return Fitted(module, _gives_energy(model), steps, [fitted] * len(steps), (time.perf_counter() - clock) / steps[-1])

    members, each = len(losses), len(seeds)
    parameters = {k: v.repeat(members, *[1] * (v.dim() - 1)) for k, v in initial.items()}  # (member * seed, ...)
    # A member's slice is a leaf of its own, with its own learning rate, in the memory of the stack.
    leaves = [{k: v[i * each : (i + 1) * each].requires_grad_() for k, v in parameters.items()} for i in range(members)]
    levels = levels_of(losses).repeat_interleave(each)
    init_state = getattr(loss, "init_state", None)
    step_gradients: Callable[..., Any] = vmap(grad_and_value(objective(losses, model, module), has_aux=init_state is not None))
    batches, noise = [stream("batches", s) for s in seeds], [stream("noise", s) for s in seeds]
    groups = [{"params": list(leaf.values()), "lr": rate} for leaf, rate in zip(leaves, rates, strict=True)]
    optimiser = torch.optim.Adam(groups, foreach=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps[-1])
    kept = []
    state: tuple[Tensor, ...] = ()
    clock = 0.0
    for step in range(1, steps[-1] + 1):
        rows = [torch.randint(size, (training.batch,), generator=g, device=device) for g in batches]
        x = torch.stack([d[r] for d, r in zip(data, rows, strict=True)])
        draws = torch.stack([loss.draws(b, target, g, **options) for b, g in zip(x, noise, strict=True)])
        if step == 1 and init_state:
            each_seed = torch.stack([init_state(b, target, g, **options) for b, g in zip(x, noise, strict=True)])
            state = (each_seed.repeat(members, *[1] * (each_seed.dim() - 1)),)
        inputs = (parameters, x.repeat(members, 1, 1), draws.repeat(members, 1, 1), levels, *state)
        if step == 1:
            if steps[-1] >= WORTH_IT:
                step_gradients = operations(step_gradients, *inputs)
            clock = time.perf_counter()
        gradients, results = step_gradients(*inputs)
        if state:
            state = (expect("the loss's next state", results[1], state[0].shape),)
        for i, leaf in enumerate(leaves):
            for key, value in leaf.items():
                value.grad = gradients[key][i * each : (i + 1) * each]
        optimiser.step()
        schedule.step()
        if step in steps:
            kept.append({k: v.detach().clone().unflatten(0, (members, each)) for k, v in parameters.items()})
    return Fitted(module, _gives_energy(model), steps, kept, (time.perf_counter() - clock) / steps[-1])


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


def _gives_energy(model: Spec) -> bool:
    return "log_prob" in model.entry.facts["GIVES"]


def shared_options(losses: Sequence[Spec]) -> dict[str, Any]:
    """The options of one loss at its levels, without the level."""
    axis = losses[0].entry.facts.get("LEVELS")
    return {name: value for name, value in losses[0].options.items() if name != axis}


def levels_of(losses: Sequence[Spec]) -> Tensor:
    """The level of each, NaN for a loss that has none, (loss,)."""
    return torch.tensor([math.nan if (value := level(loss)) is None else value for loss in losses])


def objective(losses: Sequence[Spec], model: Spec, module: nn.Module, function: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """The mean loss of one member of the stack, or of what judges it; the noise level that the members differ in is an argument.

    Of a loss with a state, which is then the last argument, the mean and the next state.
    """
    called = function or registry.method("loss", losses[0].name)
    options, axis = shared_options(losses), losses[0].entry.facts.get("LEVELS")
    energy = _gives_energy(model)

    def mean_loss(parameters: Parameters, x: Tensor, draws: Tensor, value: Tensor, *state: Tensor) -> Any:
        at = {axis: value} if axis else {}
        result = called(Bound(module, parameters, energy), x, draws, *state, **options, **at)
        values, *following = result if state else (result,)
        mean = expect("the loss", values, x.shape[:1]).mean()
        return (mean, *following) if state else mean

    return mean_loss
