"""The one loop that runs every sampler over a grid of step sizes and temperatures, all seeds at once.

Positions are (seed, grid, chain, d); log densities and all that is one number a chain are (seed, grid, chain).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from scorebench.core.shapes import expect
from scorebench.engine.tracing import compiled
from scorebench.samplers.base import TRACE_CHAINS, TRACE_DRAWS, Density, Outcome, Runs, Sampler, Shows

Result = TypeVar("Result")

TOGETHER = 2**14
"""Chains of a seed and cell that are run together; more are run one part after the other, so that memory stays bounded."""


class _Counted:
    """Counts what a density is asked for, a gradient a row: the budget is what was spent, not what was promised."""

    def __init__(self, chains: int) -> None:
        self.rows, self.chains = 0, chains

    @property
    def gradients(self) -> int:
        """Of one chain of one seed and cell; a part of one is one."""
        return -(-self.rows // self.chains)

    def wrap(self, density: Density) -> Density:
        """The density, counted, at every noise level."""
        at = density.perturbed
        return replace(
            density,
            score=self._counting(density.score),
            score_and_log_prob=self._counting(density.score_and_log_prob),
            score_and_divergence=self._counting(density.score_and_divergence, along_axes=True),
            perturbed=lambda sigma: self.wrap(at(sigma)),
        )

    def _counting(self, function: Callable[[Tensor], Result], along_axes: bool = False) -> Callable[[Tensor], Result]:
        """A derivative of the score along an axis counts as a gradient."""

        def call(x: Tensor) -> Result:
            self.rows += x.shape[:-1].numel() * (1 + along_axes * x.shape[-1])
            return function(x)

        return call


def run(
    sampler: Sampler[Any] | Runs,
    density: Density,
    start: Tensor,
    budgets: Sequence[int],
    generators: list[torch.Generator],
    gradients_per_step: int,
    alike: int = 1,
    settled: int = 0,
    observe: Callable[[Tensor], Tensor] = lambda x: x,
) -> Outcome:
    """Run a sampler from `start` (seed, chain, d) until each budget of gradients is spent; one generator a seed.

    `alike`: how many runs with densities of the same form there are to come, this one included; whether the step is compiled follows from their work.
    `observe`: what is kept of a snapshot, from (seed, grid, chain, d) to (seed, grid, ..., number), the axis before the last in the order of the chains.
    The trace is of the second half of the steps, and of none of the first `settled`, after which the sampler is at its last noise level.
    Independent samplers (no gradients) run for the length of a trace and have one snapshot. A sampler with a `run` of its own does all this itself.
    Raises ValueError where a sampler spends other than `gradients_per_step`, but for a step's worth, that of its start.
    """
    seeds, chains, dim = start.shape
    cells = len(sampler.step_size)
    if isinstance(sampler, Runs):
        outcome = sampler.run(density, start, budgets, generators)
        expect("what the sampler shows", outcome.samples, (len(budgets), seeds, cells, chains, dim))
        expect("the acceptance", outcome.acceptance, (seeds, cells))
        return outcome._replace(samples=torch.stack(list(map(observe, outcome.samples))))
    starts, step = start.split(TOGETHER, 1), _laid_out(_step(sampler, density))
    parts = [
        _run(sampler, density, part, budgets, generators, gradients_per_step, step, alike * len(starts), settled, observe)
        for part in starts
    ]
    by_chain = torch.cat([part.acceptance for part in parts], -1)
    samples, steps, gradients, trace = torch.cat([part.samples for part in parts], -2), *parts[0][1:-1]
    return Outcome(samples, steps, gradients, trace, by_chain.mean(-1), by_chain.std(-1, correction=min(chains - 1, 1)))


class _Part(NamedTuple):
    """What an `Outcome` has, of some of the chains."""

    samples: Tensor
    steps: tuple[int, ...]
    gradients: tuple[int, ...]
    trace: Tensor
    acceptance: Tensor  # (seed, grid, chain), mean over steps


def _run(
    sampler: Sampler[Any],
    density: Density,
    start: Tensor,
    budgets: Sequence[int],
    generators: list[torch.Generator],
    gradients_per_step: int,
    uncounted: Callable[..., tuple[Any, Tensor]],
    alike: int,
    settled: int,
    observe: Callable[[Tensor], Tensor],
) -> _Part:
    seeds, chains, dim = start.shape
    cells = len(sampler.step_size)
    independent = gradients_per_step == 0
    snapshots = [TRACE_DRAWS] if independent else [b // gradients_per_step for b in budgets]
    last = snapshots[-1]
    moving = 0 if independent else max(last // 2, settled)  # steps before the trace
    thin = max((last - moving) // TRACE_DRAWS, 1)
    start_of_trace = last - thin * (min(TRACE_DRAWS, last - moving) - 1)

    counted = _Counted(seeds * cells * chains)
    visible = counted.wrap(density)
    with torch.no_grad():
        x = by_coordinate(start[:, None].expand(seeds, cells, chains, dim).contiguous())
        state, accepted = sampler.init(x, visible), x.new_zeros(seeds, cells, chains)
        kept, gradients, trace = [], [], []
        advance, first, each = _step(sampler, visible), 0, 0
        for step in range(1, last + 1):
            drawn = [one_tensor(sampler.draws(density, (chains, dim), g)) for g in generators]
            draws = _stacked(drawn)
            if step == 3:  # the state is as it will be, and a step has been counted
                kernel = compiled(uncounted, (last - step) * alike, tree_map(by_coordinate, state), accepted, draws)
                if kernel is not uncounted:
                    advance, each, state = kernel, counted.rows - first, tree_map(by_coordinate, state)
            state, accepted = advance(state, accepted, draws)
            counted.rows += each
            if step == 1:
                expect("the sampler's state", state.x, x.shape)
                first = counted.rows
            if step in snapshots:
                so_far = counted.rows
                _hold(counted.gradients, gradients_per_step, step)
                shown = sampler.output(state, visible) if isinstance(sampler, Shows) else state.x
                kept.append(observe(expect("what the sampler shows", shown, x.shape)))
                gradients.append(counted.gradients)
                counted.rows = so_far  # what it took to show an earlier snapshot is no part of a later one
            if step >= start_of_trace and (step - start_of_trace) % thin == 0:
                trace.append(state.x[:, :, :TRACE_CHAINS].clone())
    steps = tuple(0 if independent else s for s in snapshots)
    return _Part(torch.stack(kept), steps, tuple(gradients), torch.stack(trace, -2), accepted / last)


def _step(sampler: Sampler[Any], density: Density) -> Callable[..., tuple[Any, Tensor]]:
    """A step, with the sum of what was accepted."""

    def step(state: Any, accepted: Tensor, draws: Tensor) -> tuple[Any, Tensor]:
        state, (acceptance,) = sampler.step(state, density, draws)
        return state, accepted + (acceptance if isinstance(acceptance, float) else expect("the acceptance", acceptance, accepted.shape))

    return step


def _laid_out(step: Callable[..., tuple[Any, Tensor]]) -> Callable[..., tuple[Any, Tensor]]:
    """The step with its state in memory as it was given: a kernel is made for one order."""

    def laid_out(*inputs: Any) -> tuple[Any, Tensor]:
        state, accepted = step(*inputs)
        return tree_map(by_coordinate, state), accepted

    return laid_out


NARROW = 32
"""Rows of fewer numbers are not read in line one by one, at 16 numbers an instruction."""


def by_coordinate(x: Any) -> Any:
    """Narrow positions (seed, grid, chain, d) in another order in memory: all first coordinates, then all second ones; so a step reads and writes in line."""
    narrow = isinstance(x, Tensor) and x.dim() == 4 and x.shape[-1] < NARROW
    return x.movedim(-1, 0).contiguous().movedim(0, -1) if narrow else x


def _stacked(draws: list[Tensor]) -> Tensor:
    """The numbers of all seeds, (seed, chain, number), in memory as positions are."""
    if draws[0].shape[-1] < NARROW:
        return torch.stack([d.movedim(-1, 0) for d in draws], 1).movedim(0, -1)
    return torch.stack(draws)


def one_tensor(draws: Any) -> Tensor:
    """A step's randomness. Raises ValueError for what is no tensor, which could not be stacked over seeds."""
    if not isinstance(draws, Tensor):
        raise ValueError(
            f"draws gave a {type(draws).__name__}, not one tensor, (chain, numbers): of several the columns of one, by torch.cat"
        )
    return draws


def _hold(spent: int, promised: int, steps: int) -> None:
    if abs(spent - promised * steps) > promised:
        raise ValueError(f"GRADIENTS says {promised} a step and chain; spent were {spent} in {steps} steps")


def grid(cells: Iterable[tuple[float, float]]) -> tuple[Tensor, Tensor]:
    """Step sizes and temperatures of the cells, both (grid, 1), so that they broadcast with log p (seed, grid, chain)."""
    pairs = torch.tensor(list(cells), dtype=torch.float32)
    return pairs[:, :1], pairs[:, 1:]
