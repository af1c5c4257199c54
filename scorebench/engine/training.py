"""The default fit: Adam over a loss, all noise levels, learning rates and seeds as one stack; and the choice of the learning rate."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad_and_value, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from scorebench.core import registry, rng
from scorebench.core.errors import NotApplicable
from scorebench.core.spec import Spec
from scorebench.models.base import Bound, Parameters, stack
from scorebench.suite.config import Training
from scorebench.targets.base import Target


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
    that each member of the stack is trained as it would be alone.
    """
    device = torch.get_default_device()
    of_loss, options = registry.module("loss", losses[0].name), _shared(losses)
    missing = sorted(n for n in of_loss.NEEDS if n.startswith("target.") and getattr(target, n.removeprefix("target.")) is None)
    if missing:
        raise NotApplicable(f"the {missing[0].replace('.', ' has no ')}")
    registry.module("model", model.name)  # a broken file says here what is wrong with it

    def stream(use: str, seed: object) -> torch.Generator:
        return rng.generator(master, use, name, seed)

    module, initial = stack(lambda g: model.build(target.dim, g), [stream(f"init {model}", s) for s in seeds])
    members, each = len(losses), len(seeds)
    parameters = {k: v.repeat(members, *[1] * (v.dim() - 1)) for k, v in initial.items()}  # (member * seed, ...)
    # A member's slice is a leaf of its own, with its own learning rate, in the memory of the stack.
    leaves = [{k: v[i * each : (i + 1) * each].requires_grad_() for k, v in parameters.items()} for i in range(members)]
    sigma = _levels(losses).repeat_interleave(each)
    step_gradients: Callable[..., Any] = vmap(grad_and_value(_objective(losses, model, module)))
    data = torch.stack([(target.training_sample or target.sample)(training.size, stream("data", s)) for s in seeds])
    batches, noise = [stream("batches", s) for s in seeds], [stream("noise", s) for s in seeds]
    groups = [{"params": list(leaf.values()), "lr": rate} for leaf, rate in zip(leaves, rates, strict=True)]
    optimiser = torch.optim.Adam(groups, foreach=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps[-1])
    kept = []
    clock = 0.0
    for step in range(1, steps[-1] + 1):
        rows = [torch.randint(training.size, (training.batch,), generator=g, device=device) for g in batches]
        x = torch.stack([d[r] for d, r in zip(data, rows, strict=True)])
        draws = torch.stack([of_loss.draws(b, target, g, **options) for b, g in zip(x, noise, strict=True)])
        inputs = (parameters, x.repeat(members, 1, 1), draws.repeat(members, 1, 1), sigma)
        if step == 1:
            if steps[-1] >= WORTH_IT:
                step_gradients = _operations(step_gradients, *inputs)
            clock = time.perf_counter()
        gradients, _ = step_gradients(*inputs)
        for i, leaf in enumerate(leaves):
            for key, value in leaf.items():
                value.grad = gradients[key][i * each : (i + 1) * each]
        optimiser.step()
        schedule.step()
        if step in steps:
            kept.append({k: v.detach().clone().unflatten(0, (members, each)) for k, v in parameters.items()})
    return Fitted(module, _gives_energy(model), steps, kept, (time.perf_counter() - clock) / steps[-1])


WORTH_IT = 100
"""Steps: writing one down takes as long as some fifty."""


def _operations(function: Callable[..., Any], *inputs: Any) -> Callable[..., Any]:
    """The tensor operations that `function` does, written down once, without those whose result nobody reads.

    The same bits, in a tenth (small models) to two thirds of the time: the transforms (grad, jvp, vmap) are not worked out again at every step. So
    a loss and a model are pure functions of their arguments: what else they read (a counter, numpy's random numbers) would stay as it was at first.
    """
    traced = make_fx(function)(*inputs)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    return traced


VALIDATION = 2_000


def sweep(
    target: Target, model: Spec, losses: Sequence[Spec], training: Training, master: int, name: str
) -> dict[str, dict[float, list[float]]]:
    """The loss on validation data for each of `losses` and learning rates, a value a seed.

    Short runs on seeds of their own, so that what is reported later had no say in the choice; each loss is judged by itself, at 2,000 points that
    it was not trained on, with the same random numbers for every rate: what can be done where the truth is not known.
    """
    assert training.sweep is not None
    seeds = [f"sweep {i}" for i in range(training.sweep.seeds)]
    rates = training.sweep.learning_rates
    members = [loss for loss in losses for _ in rates]
    fitted = fit(target, model, members, rates * len(losses), training, (training.sweep.steps,), master, seeds, name)
    of_loss, options = registry.module("loss", losses[0].name), _shared(losses)
    points, noise = [], []
    for seed in seeds:
        generator = rng.generator(master, "validation", name, seed)
        points.append((target.training_sample or target.sample)(VALIDATION, generator))
        noise.append(of_loss.draws(points[-1], target, generator, **options))
    x, draws = (torch.stack(v).repeat(len(members), 1, 1) for v in (points, noise))
    with torch.no_grad():
        stacked = {k: v.flatten(0, 1) for k, v in fitted.parameters[-1].items()}
        values = vmap(_objective(members, model, fitted.module))(stacked, x, draws, _levels(members).repeat_interleave(len(seeds)))
    table = values.view(len(losses), len(rates), len(seeds)).tolist()
    return {str(loss): dict(zip(rates, of, strict=True)) for loss, of in zip(losses, table, strict=True)}


def _gives_energy(model: Spec) -> bool:
    return "log_prob" in model.entry.facts["GIVES"]


def _shared(losses: Sequence[Spec]) -> dict[str, Any]:
    return {k: v for k, v in losses[0].options.items() if k != "sigma"}


def _levels(losses: Sequence[Spec]) -> Tensor:
    return torch.tensor([loss.options.get("sigma", math.nan) for loss in losses])


def _objective(losses: Sequence[Spec], model: Spec, module: nn.Module) -> Callable[[Parameters, Tensor, Tensor, Tensor], Tensor]:
    """The mean loss of one member of the stack; a noise level that the members differ in is an argument."""
    function, options = registry.method("loss", losses[0].name), _shared(losses)
    levels, energy = "sigma" in losses[0].options, _gives_energy(model)

    def objective(parameters: Parameters, x: Tensor, draws: Tensor, sigma: Tensor) -> Tensor:
        level = {"sigma": sigma} if levels else {}
        return function(Bound(module, parameters, energy), x, draws, **options, **level).mean()

    return objective
