"""What a sampler is, and what it sees of a source.

Positions are (seed, grid, chain, d); log densities and all that is one number a chain are (seed, grid, chain). A sampler is a frozen
dataclass of hyper-parameters with

    GRADIENTS, NEEDS, EXACT        facts of its file: gradients a step (0: independent draws), members of the density that it calls,
                                   whether a step of any size leaves p^(1/T) invariant; START = "target" for one that starts from exact
                                   draws of the target, and not from its prior as all others do
    draws(density, shape, generator)   the randomness of one step of one seed, shape (chain, d); shared by the grid's cells
    init(x, density) -> State          what is carried
    step(state, density, draws) -> (State, Info)   pure
    output(state, density) -> x        where what a snapshot shows is not State.x

State and Info are NamedTuples; State.x is the position, Info.acceptance the probability of acceptance (1 where nothing is rejected).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from torch import Tensor

from scorebench.targets.base import Target


@dataclass(frozen=True, eq=False)
class Density:
    """What a sampler sees of a source, an exact target or a trained model. Members that a source lacks are None.

    Every function takes positions (seed, grid, chain, d).
    """

    score: Callable[[Tensor], Tensor] | None = None
    score_and_log_prob: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None
    tempered: Callable[[float], Target | None] | None = None
    """Exact relatives; only an exact target has them, and only the control `exact` asks."""
    perturbed: "Callable[[float], Density] | None" = None
    """The source at a noise level, p * N(0, sigma^2 I)."""
    prior: Target | None = None


def exact_density(target: Target) -> Density:
    """The density of an exact target."""
    score, log_prob = target.score, target.log_prob
    both = None if score is None or log_prob is None else lambda x: (score(x), log_prob(x))
    noised = target.perturbed(1.0) is not None
    perturbed = cache(lambda sigma: exact_density(target.perturbed(sigma))) if noised else None
    return Density(score, both, target.tempered, perturbed, target.prior)


class Info(NamedTuple):
    """What a step reports."""

    acceptance: Tensor | float = 1.0  # probability, (seed, grid, chain)
