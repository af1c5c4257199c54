"""What a sampler is, and what it sees of a source.

Positions are (seed, grid, chain, d); log densities and all that is one number a chain are (seed, grid, chain). A sampler's file defines a frozen
dataclass of hyper-parameters (`Sampler`), and says

    GRADIENTS, EXACT   gradients a step (0: independent draws); whether a step of any size leaves p^(1/T) invariant
    LADDER             of one that goes down noise levels, the option that holds them; STEPS_A_LEVEL, the one that says how long it stays at each
    NEEDS              members of the density that it calls, as "source.score"
    START = "target"   for one that starts from exact draws of the target, and not from its prior as all others do
    PEERS              of one that another library does, the extra that brings it, and what is imported: {"peers": ("blackjax", "jax")}

A sampler whose dataclass has `run` (`Runs`) in place of `draws`, `init` and `step` has a loop of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from scorebench.targets.base import Absent, Target, has


@dataclass(frozen=True, eq=False)
class Density:
    """What a sampler sees of a source, an exact target or a trained model. What a source lacks is `Absent`.

    Every function takes positions (seed, grid, chain, d).
    """

    score: Callable[[Tensor], Tensor] = Absent("score")
    score_and_log_prob: Callable[[Tensor], tuple[Tensor, Tensor]] = Absent("log density")
    tempered: Callable[[float], Target] = Absent("exact draws")
    """Exact relatives; only an exact target has them, and only the control `exact` asks."""
    perturbed: "Callable[[float], Density]" = Absent("noise levels")
    """The source at a noise level, p * N(0, sigma^2 I)."""
    prior: Callable[[int, torch.Generator], Tensor] = Absent("prior")
    """Draws of where every sampler starts, (n, d)."""


def exact_density(target: Target) -> Density:
    """The density of an exact target."""
    density = Density(target.score, tempered=target.tempered)
    if has(target, "score") and has(target, "log_prob"):
        density = replace(density, score_and_log_prob=lambda x: (target.score(x), target.log_prob(x)))
    if has(target, "perturbed"):
        density = replace(density, perturbed=cache(lambda sigma: exact_density(target.perturbed(sigma))))
    return replace(density, prior=target.prior.sample) if target.prior else density


class Info(NamedTuple):
    """What a step reports."""

    acceptance: Tensor | float = 1.0  # probability, (seed, grid, chain)


class State(Protocol):
    """What a sampler carries from step to step: a NamedTuple."""

    @property
    def x(self) -> Tensor:
        """The position, (seed, grid, chain, d)."""


S = TypeVar("S", bound=State)


class Sampler(Protocol[S]):
    """A sampler with its hyper-parameters: a frozen dataclass."""

    @property
    def step_size(self) -> Tensor:
        """C of x + c s(x) + sqrt(2 c T) eps, (grid, 1)."""

    @property
    def temperature(self) -> Tensor:
        """T, (grid, 1)."""

    def draws(self, density: Density, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """The randomness of one step of one seed, for `shape` (chain, d); shared by the grid's cells."""

    def init(self, x: Tensor, density: Density) -> S:
        """The state at the start."""

    def step(self, state: S, density: Density, draws: Tensor) -> tuple[S, Info]:
        """The next state, without side effects."""


@runtime_checkable
class Shows(Protocol):
    """A sampler whose snapshots show something other than State.x."""

    def output(self, state: Any, density: Density) -> Tensor:
        """What a snapshot shows, (seed, grid, chain, d)."""


class Outcome(NamedTuple):
    """What one run leaves behind."""

    samples: Tensor  # (budget, seed, grid, chain, d), each chain's state at each snapshot
    steps: tuple[int, ...]  # at each snapshot
    gradients: tuple[int, ...]  # evaluations a chain up to each snapshot
    trace: Tensor  # (seed, grid, trace chain, draw, d), thinned
    acceptance: Tensor  # (seed, grid), mean over steps and chains
    acceptance_sd: Tensor  # (seed, grid), across chains of the chain's own mean


TRACE_CHAINS, TRACE_DRAWS = 8, 200
"""Of a trace, at most."""


@runtime_checkable
class Runs(Protocol):
    """A sampler with a loop of its own: what another library does in one piece."""

    @property
    def step_size(self) -> Tensor:
        """As a `Sampler`'s, (grid, 1); what it makes of it, its file says."""

    @property
    def temperature(self) -> Tensor:
        """T, (grid, 1)."""

    def run(self, density: Density, start: Tensor, budgets: Sequence[int], generators: Sequence[torch.Generator]) -> Outcome:
        """From `start` (seed, chain, d) in every cell until each budget of gradients a chain is spent, one generator a seed.

        A snapshot is the last state within its budget. Where chains differ in what a step takes, that is the mean over the chains of a seed and cell, and
        `steps` and `gradients` are means over all, rounded. Raises NotApplicable where the budget is too small.
        """
