"""The default fit: Adam over a loss, all noise levels and seeds as one stack."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import grad_and_value, vmap

from scorebench import registry, rng
from scorebench.config import Training
from scorebench.errors import NotApplicable
from scorebench.models.base import Bound, Parameters, stack
from scorebench.spec import Spec
from scorebench.targets.base import Target


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained stack: parameters[i] are those after steps[i] gradient steps, each tensor (level, seed, ...)."""

    module: nn.Module
    gives_energy: bool
    steps: tuple[int, ...]
    parameters: list[Parameters]


def fit(
    target: Target, model: Spec, loss: Spec, levels: list[float | None], training: Training, master: int, seeds: list[int], name: str
) -> Fitted:
    """Train `model` on `target` with `loss` at every noise level and seed; `name` is the target's, for the random streams.

    A seed's data, minibatches and random numbers are the same for every loss, level and model, so that comparisons are paired.
    Learning rate: cosine from the suite's value to zero (Loshchilov and Hutter 2017, without restarts). Adam is elementwise, so that
    each member of the stack is trained as it would be alone.
    """
    device = torch.get_default_device()
    function, of_loss = registry.method("loss", loss.name), registry.module("loss", loss.name)
    missing = sorted(need for need in of_loss.NEEDS if getattr(target, need) is None)
    if missing:
        raise NotApplicable(f"the target has no {' and no '.join(missing)}")
    registry.module("model", model.name)  # a broken file says here what is wrong with it
    gives_energy = "log_prob" in model.entry.facts["GIVES"]
    fixed = {k: v for k, v in loss.options.items() if k != "sigma"}

    def stream(use: str, seed: int) -> torch.Generator:
        return rng.generator(master, use, name, seed)

    module, initial = stack(lambda g: model.build(target.dim, g), [stream(f"init {model}", s) for s in seeds])
    n_levels, n_seeds = len(levels), len(seeds)
    leaves = {k: v.repeat(n_levels, *[1] * (v.dim() - 1)).requires_grad_() for k, v in initial.items()}  # (level * seed, ...)
    sigma = torch.tensor([math.nan if v is None else v for v in levels]).repeat_interleave(n_seeds)

    def objective(parameters: Parameters, x: Tensor, draws: Tensor, sigma: Tensor) -> Tensor:
        level = {} if levels == [None] else {"sigma": sigma}
        return function(Bound(module, parameters, gives_energy), x, draws, **fixed, **level).mean()

    step_gradients = vmap(grad_and_value(objective))
    data = torch.stack([(target.training_sample or target.sample)(training.size, stream("data", s)) for s in seeds])
    batches, noise = [stream("batches", s) for s in seeds], [stream("noise", s) for s in seeds]
    optimiser = torch.optim.Adam(leaves.values(), lr=training.learning_rate, foreach=True)
    total = training.steps[-1]
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, total)
    kept = []
    for step in range(1, total + 1):
        rows = [torch.randint(training.size, (training.batch,), generator=g, device=device) for g in batches]
        x = torch.stack([d[r] for d, r in zip(data, rows, strict=True)])
        draws = torch.stack([of_loss.draws(b, target, g, **fixed) for b, g in zip(x, noise, strict=True)])
        gradients, _ = step_gradients(
            {k: v.detach() for k, v in leaves.items()}, x.repeat(n_levels, 1, 1), draws.repeat(n_levels, 1, 1), sigma
        )
        for key, leaf in leaves.items():
            leaf.grad = gradients[key]
        optimiser.step()
        schedule.step()
        if step in training.steps:
            kept.append({k: v.detach().clone().unflatten(0, (n_levels, n_seeds)) for k, v in leaves.items()})
    return Fitted(module, gives_energy, training.steps, kept)
