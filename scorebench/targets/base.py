"""What a target is: something with exact draws and, where they are known, an exact log density, score and relatives."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from scorebench.core import rng


class Truth(NamedTuple):
    """A number that a sampler should reproduce, with its own standard error and where it comes from."""

    value: Tensor
    standard_error: Tensor
    source: str


@dataclass(frozen=True, eq=False)
class Target:
    """A distribution on R^d, composed from functions so that density, score and draws agree (the contract tests check that they do).

    Absent members are None: the target then has no known log density, no exact law at that temperature, and so on, and what
    needs them is `not_applicable`.
    """

    dim: int
    sample: Callable[[int, torch.Generator], Tensor]
    """Exact independent draws, (n, d); the one function that every target has."""
    prior: "Target | None" = None
    """Where every sampler starts, the same for all; None only on a target that is itself a prior or a relative of one."""
    log_prob: Callable[[Tensor], Tensor] | None = None
    """log p, (*, d) -> (*); normalised if `normalised`."""
    score: Callable[[Tensor], Tensor] | None = None
    """grad log p, (*, d) -> (*, d)."""
    normalised: bool = True
    tempered: Callable[[float], "Target | None"] = lambda temperature: None
    """The target p^(1/T) up to its constant: what a chain at temperature T is measured against."""
    perturbed: Callable[[float], "Target | None"] = lambda sigma: None
    """p convolved with N(0, sigma^2 I): what denoising learns."""
    training_sample: Callable[[int, torch.Generator], Tensor] | None = None
    """Draws for training where they differ from `sample` (a finite data set's own part)."""
    modes: Tensor | None = None
    """Centres, (k, d): a point belongs to the nearest."""
    truths: dict[str, Truth] = field(default_factory=dict)

    @cached_property
    def reference(self) -> Tensor:
        """10,000 exact draws from a stream of their own, (10000, d)."""
        return self.sample(10_000, rng.generator("reference", self.dim))

    @cached_property
    def radius(self) -> float:
        """The largest norm among `reference`: a chain beyond 20 times this has diverged."""
        return float(self.reference.norm(dim=-1).max())

    @cached_property
    def mode_weights(self) -> Truth:
        """The share of each mode's nearest-centre cell, from 100,000 exact draws, (k,)."""
        if self.modes is None:
            raise ValueError("this target has no modes")
        n = 100_000
        draws = self.sample(n, rng.generator("mode_weights", self.dim))
        share = torch.bincount(nearest(draws, self.modes), minlength=len(self.modes)).double() / n
        return Truth(share, (share * (1 - share) / n).sqrt(), f"{n} exact draws")


def nearest(x: Tensor, centres: Tensor) -> Tensor:
    """The index of the nearest centre, (*, d), (k, d) -> (*). Squared distances without the term that all centres share."""
    return (x @ centres.T - 0.5 * centres.square().sum(-1)).argmax(-1)


def untempered(temperature: float, target: Target) -> Target | None:
    """The `tempered` of a target whose law is known at T = 1 alone."""
    return target if temperature == 1 else None
