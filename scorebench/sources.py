"""Trained sources as they are read back: what samplers and metrics see of a stack of trained models."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from scorebench import artifacts, rng
from scorebench.models.base import over_stack, score, score_and_divergence, score_and_log_prob
from scorebench.plan import Train
from scorebench.samplers.base import Density
from scorebench.spec import Spec
from scorebench.targets.base import Target


@dataclass(frozen=True, eq=False)
class Source:
    """One loss (at one noise level) of a training job after some number of steps; every seed."""

    model: Spec
    loss: Spec
    steps: int
    status: str
    density: Density
    divergence: Callable[[Tensor], Tensor] | None = None


def read(path: Path, train: Train, target: Target) -> Iterator[Source]:
    """Every loss and checkpoint in a training job's file; the last checkpoint is the one that is sampled."""
    arrays, meta = artifacts.read_arrays(path)
    for i, steps in enumerate(meta["steps"]):
        for level, loss in enumerate(train.losses):
            if meta["status"] != "ok":
                yield Source(train.model, loss, steps, meta["status"], Density())
                continue
            parameters = {k.split("/", 1)[1]: torch.as_tensor(v[level]) for k, v in arrays.items() if k.startswith(f"{i}/")}
            yield trained(train.model, loss, steps, parameters, target)


def trained(model: Spec, loss: Spec, steps: int, parameters: dict[str, Tensor], target: Target) -> Source:
    """A source from stacked parameters, each (seed, ...)."""
    energy = "log_prob" in model.entry.facts["GIVES"]
    parameters = {k: v.to(torch.get_default_device()) for k, v in parameters.items()}
    module = model.build(target.dim, rng.generator("structure"))
    over_seeds = {f: over_stack(f, module, energy) for f in (score, score_and_log_prob, score_and_divergence)}

    def flat(x: Tensor) -> Tensor:  # (seed, grid, chain, d) -> (seed, grid * chain, d)
        return x.flatten(1, 2)

    def both(x: Tensor) -> tuple[Tensor, Tensor]:
        s, log_p = over_seeds[score_and_log_prob](parameters, flat(x))
        return s.view_as(x), log_p.view(x.shape[:-1])

    def divergence(x: Tensor) -> Tensor:
        return over_seeds[score_and_divergence](parameters, flat(x))[1].view(x.shape[:-1])

    density = Density(lambda x: over_seeds[score](parameters, flat(x)).view_as(x), both if energy else None, prior=target.prior)
    return Source(model, loss, steps, "ok", density, divergence)
