"""What a target is: a law of which is known what its members say, exact draws, log density, score, relatives.

A target's file defines a function of keyword-only options that returns one (`TargetFactory`), and says LABEL and REFERENCE. In
IGNORED it says which option does nothing at which value of others, as {"condition": {"dim": 1}}: given there, it is refused;
in LACKS the members that it has at no options, so that a suite does not ask a sampler to read them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, NoReturn, Protocol

import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.core.errors import NotApplicable


@dataclass(frozen=True)
class Absent:
    """A function that a target or a source does not have: called, it says so. Raises NotApplicable."""

    what: str

    def __call__(self, *_: object) -> NoReturn:  # noqa: D102
        raise NotApplicable(f"there is no {self.what}")


NOTHING = torch.empty(0)
"""The tensor that a target or a run does not have."""


def has(owner: object, member: str) -> bool:
    """Whether a member is there: no `Absent`, not NOTHING, not None."""
    value = getattr(owner, member)
    return not (value is None or value is NOTHING or isinstance(value, Absent))


REFERENCE = 10_000
"""Exact draws from which a target's mean and lengths are taken, where it does not know them."""


class Truth(NamedTuple):
    """A number that a sampler should reproduce, with its own standard error and where it comes from."""

    value: Tensor
    standard_error: Tensor
    source: str


@dataclass(frozen=True, eq=False)
class Target:
    """A distribution on R^d, composed from functions so that density, score and draws agree (the contract tests check that they do).

    What is not known of it is `Absent`, or NOTHING (see `has`), and what needs it is `not_applicable`.
    """

    dim: int
    sample: Callable[[int, torch.Generator], Tensor] = Absent("exact sample")
    """Exact independent draws, (n, d)."""
    prior: "Target | None" = None
    """Where every sampler starts, the same for all; None only on a target that is itself a prior or a relative of one."""
    log_prob: Callable[[Tensor], Tensor] = Absent("log density")
    """log p, (*, d) -> (*); normalised if `normalised`."""
    score: Callable[[Tensor], Tensor] = Absent("score")
    """grad log p, (*, d) -> (*, d)."""
    score_and_log_prob: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None
    """Both at once, where that is less work than one after the other."""
    normalised: bool = True
    tempered: Callable[[float], "Target"] = Absent("exact law at another temperature")
    """The target p^(1/T) up to its constant: what a chain at temperature T is measured against. Raises NotApplicable where it is not known."""
    perturbed: Callable[[float], "Target"] = Absent("exact law with noise")
    """p convolved with N(0, sigma^2 I): what denoising learns."""
    training_sample: Callable[[int, torch.Generator], Tensor] | None = None
    """Draws for training where they differ from `sample` (a finite data set's own part)."""
    validation_sample: Callable[[int, torch.Generator], Tensor] | None = None
    """Draws that choose a learning rate, where there are some that do not train."""
    rows: int | None = None
    """How many different draws `sample` has, where it is from a finite set: none comes twice in a call, and it raises NotApplicable for more."""
    training_rows: int | None = None
    """The same of `training_sample`, which may give one again."""
    labelled: Callable[[int, torch.Generator], tuple[Tensor, Tensor]] = Absent("labelled draw")
    """Training draws with the class of each, (n, d) and (n,)."""
    modes: Tensor = NOTHING
    """Centres, (k, d): a point belongs to the nearest."""
    truths: dict[str, Truth] = field(default_factory=dict)
    """Of what is known in closed form: `mean`, (d,); `variance`, E|x - mean|^2; `log_normalizer`; of a Gaussian with independent coordinates, and of no other
    law, `variances`, (d,)."""
    moments: float = math.inf
    """The highest order m at which E|x|^m is finite: 0 for a Cauchy law, 2 for Student's t with 3 degrees of freedom."""
    singular: str = ""
    """Why the law has no density, where that is known: what estimates its score has no lower bound."""
    remarks: tuple[str, ...] = ()
    """What its user should know before the compute: a line each."""

    def at_most(self, n: int) -> int:
        """n, or as many exact draws as there are."""
        return n if self.rows is None else min(n, self.rows)

    @cached_property
    def reference(self) -> Tensor:
        """10,000 exact draws from a stream of their own, or all that there are, (n, d). Raises NotApplicable where there is no way to draw."""
        return self.sample(self.at_most(REFERENCE), rng.generator("reference", self.dim))

    @cached_property
    def visible(self) -> Tensor:
        """What lengths are taken from: `reference`, or where there is none that of where chains start, (n, d)."""
        return self.reference if has(self, "sample") or self.prior is None else self.prior.reference

    @cached_property
    def centre(self) -> Tensor:
        """The mean where it is known, that of `visible` elsewhere, (d,), float64."""
        return self.truths["mean"].value.double() if "mean" in self.truths else self.visible.double().mean(0)

    @cached_property
    def mean(self) -> Tensor:
        """The mean where the target knows it, that of `reference` elsewhere, (d,), float64."""
        return self.truths["mean"].value.double() if "mean" in self.truths else self.reference.double().mean(0)

    @cached_property
    def variance(self) -> float:
        """E|x - mean|^2 where the target knows it, that of `reference` elsewhere."""
        return float(self.truths["variance"].value) if "variance" in self.truths else float(self.reference.double().var(0).sum())

    @cached_property
    def spread(self) -> float:
        """The root of E|x - mean|^2 as `visible` has it: a length to measure others by."""
        return float(self.visible.double().var(0).sum().sqrt())

    @cached_property
    def radius(self) -> float:
        """The largest distance between `visible` and its centre: a chain beyond 20 times this has diverged."""
        return float(self.distance(self.visible).max())

    def distance(self, x: Tensor) -> Tensor:
        """From the centre, (*, d) -> (*)."""
        # As a loop lays chains out, a coordinate at a time, torch's norm takes fifty times as long.
        return (x - self.centre.to(x)).square().sum(-1).sqrt()

    @cached_property
    def mode_weights(self) -> Truth:
        """The share of each mode's nearest-centre cell, from 100,000 exact draws or all that there are, (k,). Raises NotApplicable where there are no modes."""
        if not has(self, "modes"):
            raise NotApplicable("there are no modes")
        n = self.at_most(100_000)
        draws = self.sample(n, rng.generator("mode_weights", self.dim))
        share = torch.bincount(nearest(draws, self.modes), minlength=len(self.modes)).double() / n
        return Truth(share, (share * (1 - share) / n).sqrt(), f"{n} exact draws")


class TargetFactory(Protocol):
    """What a target's file defines."""

    def __call__(self, **options: Any) -> Target:
        """The target with these options."""


def nearest(x: Tensor, centres: Tensor) -> Tensor:
    """The index of the nearest centre, (*, d), (k, d) -> (*). By differences, not by products that cancel far from the origin."""
    rows = x.reshape(-1, x.shape[-1])
    return torch.cdist(rows, centres.to(x), compute_mode="donot_use_mm_for_euclid_dist").argmin(-1).view(x.shape[:-1])


def untempered(temperature: float, target: Target) -> Target:
    """The `tempered` of a target whose law is known at T = 1 alone."""
    if temperature != 1:
        raise NotApplicable(f"no exact law at temperature {temperature:g}")
    return target


def distinct(rows: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """N rows of (m, d), none of them twice, (n, d). Raises NotApplicable where there are fewer."""
    if n > len(rows):
        raise NotApplicable(f"takes {n:,} draws; there are {len(rows):,}")
    return rows.to(generator.device)[torch.randperm(len(rows), generator=generator, device=generator.device)[:n]]


def repeated(rows: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """N rows of (m, d), each as often as any other, or once more, (n, d)."""
    full, rest = divmod(n, len(rows))
    return torch.cat([rows.to(generator.device).repeat(full, 1), distinct(rows, rest, generator)])
