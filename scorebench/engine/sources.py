"""Trained sources as they are read back: what samplers and metrics see of a stack of trained models."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.core.spec import Spec
from scorebench.models.base import over_stack, score, score_and_divergence, score_and_log_prob
from scorebench.samplers.base import Density
from scorebench.store import artifacts
from scorebench.suite.plan import Train
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
    """A source from stacked parameters, each (seed, ...). A noise-conditional one is its density at the lowest level, and has the others."""
    gives = model.entry.facts["GIVES"]
    energy = "log_prob" in gives
    parameters = {k: v.to(torch.get_default_device()) for k, v in parameters.items()}
    module = model.build(target.dim, rng.generator("structure"))

    def over_seeds(function: Callable[..., Any], sigma: float | None) -> Callable[[Tensor], Any]:
        level = None if sigma is None else torch.tensor(sigma)
        mapped = over_stack(function, module, energy, level)
        return lambda x: mapped(parameters, x.flatten(1, 2))  # (seed, grid, chain, d) -> (seed, grid * chain, d)

    def density(sigma: float | None) -> Density:
        field, both = over_seeds(score, sigma), over_seeds(score_and_log_prob, sigma)

        def score_and_density(x: Tensor) -> tuple[Tensor, Tensor]:
            s, log_p = both(x)
            return s.view_as(x), log_p.view(x.shape[:-1])

        noised = cache(density) if "noise_levels" in gives else None
        return Density(lambda x: field(x).view_as(x), score_and_density if energy else None, perturbed=noised, prior=target.prior)

    lowest = loss.options["sigmas"][-1] if "noise_levels" in gives else None
    with_divergence = over_seeds(score_and_divergence, lowest)
    return Source(model, loss, steps, "ok", density(lowest), lambda x: with_divergence(x)[1].view(x.shape[:-1]))
