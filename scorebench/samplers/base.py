"""What a sampler is; what it sees of a source is its `Density`.

Positions are (seed, grid, chain, d); log densities and all that is one number a chain are (seed, grid, chain). A sampler's file defines a frozen
dataclass of hyper-parameters (`Sampler`), and says

    GRADIENTS          gradients a step and chain, to which the loop holds it: a number (0: independent draws), or the option that says how many, as
                       "leapfrog_steps", a ladder by its length
    TUNES              the options that are tuned as the step size is: a suite's `grid` sweeps them, and the best is shown
    EXACT              whether a step of any size leaves p^(1/T) invariant; where not, the file says what holds instead, and that is tested:
    ORDER              k, where the error of the stationary law is O(c^k) in the step size c (of the underdamped schemes c = h^2/2, so that 2 in h is 1 here)
    AXES               of the grid's axes, "step_size" and "temperature", those that it has, where it has not both: without a step size its rows have
                       none, without a temperature only T = 1 is applicable
    LADDER             of one that goes down noise levels, the option that holds them; STEPS_A_LEVEL, the one that says how long it stays at each,
                       where it is more than a step; the trace begins at the last
    ENDS = True        for one that has arrived at the end of its ladder: it is run so far and no further, and its trace is one state
    NEEDS              members of the density that it calls, as "source.score"
    START = "target"   for one that starts from exact draws of the target, and not from its prior as all others do but those that say where (`Starts`)
    PEERS              of one that another library does, the extra that brings it, and what is imported: {"peers": ("blackjax", "jax")}

A sampler whose dataclass has `run` (`Runs`) in place of `draws`, `init` and `step` has a loop of its own.

Beside the class, of one that is not EXACT: `theory(step_size, temperature, variance, **options)`, its stationary variance on N(0, variance), where it is
known (with ORDER, or in its place; without a step size the variance where it ends, which is compulsory); `law(target, temperature, **options)`, the
Target that it samples with small steps, where that is not p^(1/T); and, of one that is linear on a Gaussian, `recursion(step_size, temperature, variance,
**options)`, its `Recursion` on N(0, variance): with it the law after every step is known, and so is its work (`engine/gaussian.py`).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from scorebench.targets.lib.density import Density, exact_density

__all__ = [
    "TRACE_CHAINS",
    "TRACE_DRAWS",
    "Density",
    "Extended",
    "Info",
    "Outcome",
    "Recursion",
    "Runs",
    "Sampler",
    "Shows",
    "Starts",
    "State",
    "exact_density",
]


class Info(NamedTuple):
    """What a step reports."""

    acceptance: Tensor | float = 1.0  # probability, (seed, grid, chain)


class State(Protocol):
    """What a sampler carries from step to step: a NamedTuple of tensors. With one that holds others, as a count, a step is not compiled."""

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
class Starts(Protocol):
    """A sampler that has a start of its own."""

    def start(self, density: Density, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Where the chains of one seed start, of `shape` (chain, d)."""


@runtime_checkable
class Extended(Protocol):
    """An exact sampler that carries more than a point of the law, and so leaves another law invariant: there the contract tests begin."""

    def equilibrium(self, draw: Callable[[float], Tensor], density: Density) -> Any:
        """The state, from exact draws of p^(1/T) at any T, (seed, 1, chain, d)."""


@runtime_checkable
class Shows(Protocol):
    """A sampler whose snapshots show something other than State.x."""

    def output(self, state: Any, density: Density) -> Tensor:
        """What a snapshot shows, (seed, grid, chain, d)."""


class Recursion(NamedTuple):
    """A step on N(0, variance) of one coordinate, z' = A z + xi, xi ~ N(0, Q): z is x and what is carried beside it, which is 0 at the start; float64."""

    matrix: np.ndarray  # A, (n, n)
    noise: np.ndarray  # Q, (n, n)
    extra: int = 0
    """Gradients that the start or the first step takes beside GRADIENTS a step: k steps are k GRADIENTS + extra in `Outcome.gradients`."""


class Outcome(NamedTuple):
    """What one run leaves behind."""

    samples: Tensor  # (budget, seed, grid, chain, d), each chain's state at each snapshot
    steps: tuple[int, ...]  # at each snapshot
    gradients: tuple[int, ...]  # evaluations a chain up to each snapshot
    trace: Tensor  # (seed, grid, trace chain, draw, d), thinned, of the run's second half
    acceptance: Tensor  # (seed, grid), mean over steps and chains
    acceptance_sd: Tensor  # (seed, grid), across chains of the chain's own mean


TRACE_CHAINS, TRACE_DRAWS = 8, 200
"""Of a trace, at most; the first half of the steps is warm-up (Gelman et al. 2013, section 11.4)."""


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
        `steps` and `gradients` are means over all, rounded. The trace is of the second half of the steps within the last budget, and of none that adapts.
        Raises NotApplicable where the budget is too small.
        """
