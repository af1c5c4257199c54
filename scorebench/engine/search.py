"""Which cell of a method takes the least work on a target: a pilot over the grid, finer steps around its best, and final runs (`finals`).

A pilot measures every cell; it goes on beyond an edge of the grid where the best cell lies there, and between the values of other tuned options around it.
Steps around the best, and values of options, a tenth apart, are then measured with four times as many chains; of these the final runs are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from scorebench.core.schema import OK
from scorebench.core.spec import Spec
from scorebench.engine.bench import Bench, Cell
from scorebench.engine.finals import enough, final_runs, hoped, times
from scorebench.suite.jobs import Work, has_step

LADDERS, FURTHER, LADDER = 2, 4, 1.1 ** np.arange(-4, 3)
"""Of so many samplers that differ in what is tuned, the cheapest and the surest, and more where none of these stays below, steps in units of the pilot's
best."""
LOWER = 3
"""So often the ladder goes on below where none of its plateaus is low enough, as long as that makes them lower."""
HOPELESS = 2.0
"""A sampler that does not arrive, and whose least plateau is above so many epsilons, has no ladder."""
NEAR = 1.1 ** np.array([-2, -1, 1, 2])
"""Values of a tuned option around the best of the ladders, in units of it."""
BESIDE = 2.0 ** np.arange(-0.75, 0.75, 0.25)
"""Steps at a new value of a tuned option, in units of the best step at its neighbour."""
WIDER, CLOSER = 6, 1.5
"""How often the grid goes on beyond an edge; values of an option that are nearer than this ratio have none between them."""


class Found(NamedTuple):
    """All cells of a method, and the chosen one."""

    cells: list[Cell]
    chosen: Cell | None
    """With its work and the errors of that as the choice leaves them: made again without each block."""


def search(job: Work, bench: Bench) -> Found:
    """The pilot, the ladders of steps and the final run of a method."""
    epsilon, budget = bench.accuracy.epsilon, max(begin.budget for begin in job.begins)
    pilot = job.begins[0].pilot or bench.accuracy.pilot
    cells: list[Cell] = []

    def measure(sampler: Spec, steps: Iterable[float | None], budget: int, chains: int = pilot, phase: str = "pilot") -> None:
        done = {cell.step_size for cell in cells if cell.sampler == sampler and (cell.chains, cell.phase) == (chains, phase)}
        if new := [step for step in dict.fromkeys(steps) if step not in done]:
            cells.extend(bench.cells(sampler, new, budget, chains, phase))

    def finer() -> list[Cell]:
        return [cell for cell in cells if (cell.chains, cell.phase) == (4 * pilot, "pilot")]

    def best(of: Iterable[Cell]) -> Cell | None:
        return min((cell for cell in of if cell.ended == OK), key=lambda cell: cell.cost, default=None)

    for begin in job.begins:
        measure(begin.sampler, list(begin.step_sizes) if has_step(begin.sampler) else [None], begin.budget)
    for _ in range(WIDER):
        number = len(cells)
        if (at := best(cells)) is not None:
            for sampler, steps in _around(at, cells):
                measure(sampler, steps, budget)
        if len(cells) == number:
            break

    def order(cell: Cell) -> tuple[bool, tuple[float, float]]:
        return not hoped(cell, epsilon), cell.cost

    by_sampler = {cell.sampler: cell for cell in filter(None, map(best, _by_sampler(cells)))}
    surest = sorted((cell for cell in cells if cell.ended == OK), key=order)
    first = min(by_sampler.values(), key=lambda cell: cell.cost, default=None)
    for number, sampler in enumerate(dict.fromkeys(cell.sampler for cell in ([first] if first else []) + surest)):
        if number >= LADDERS and any(hoped(cell, epsilon) for cell in finer()) or number == FURTHER:
            break
        at, before = by_sampler[sampler], math.inf
        if at.step_size is None or not at.arrivals[0].reached and at.arrivals[0].plateau > HOPELESS * epsilon:
            continue
        for lower in range(LOWER):
            measure(sampler, times(at, LADDER * LADDER[0] ** lower), enough(at, budget), 4 * pilot)
            of_it = [cell for cell in finer() if cell.sampler == sampler and cell.ended == OK]
            least = min((cell.arrivals[0].plateau for cell in of_it), default=math.inf)
            if any(hoped(cell, epsilon) for cell in of_it) or of_it and least >= before:
                break
            before = least

    def ladder() -> list[Cell]:
        return sorted((cell for cell in finer() if cell.ended == OK), key=order) or sorted(by_sampler.values(), key=order)

    for at in ladder()[:1]:
        for sampler in _beside(at, cells) if at.arrivals[0].reached else ():
            measure(sampler, times(at, LADDER[3:6]), enough(at, budget), 4 * pilot)
    finals, chosen = final_runs(bench, ladder(), budget, job.begins[0].final or bench.accuracy.final)
    return Found(cells + finals, chosen)


def _beside(at: Cell, cells: Sequence[Cell]) -> Iterator[Spec]:
    """The sampler with each option that is a number and was tried at several values a tenth or two less and more, and of a whole number one at least."""
    for option, value in at.sampler.tuned.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or len({cell.sampler.options[option] for cell in cells}) == 1:
            continue
        near = [float(f"{value * ratio:.3g}") for ratio in NEAR]
        if isinstance(value, int):
            near = [min(round(new), value - 1) if new < value else max(round(new), value + 1) for new in near]
        yield from (at.sampler.having(option, new) for new in dict.fromkeys(near) if new > 0)


def _by_sampler(cells: Iterable[Cell]) -> Iterable[list[Cell]]:
    by_sampler: dict[Spec, list[Cell]] = {}
    for cell in cells:
        by_sampler.setdefault(cell.sampler, []).append(cell)
    return by_sampler.values()


def _around(at: Cell, cells: Sequence[Cell]) -> Iterator[tuple[Spec, list[float | None]]]:
    """Where the pilot goes on from its best cell: beyond an edge of the steps; beyond an edge, or between values, of each option that is a number."""
    if at.step_size is not None:
        steps = sorted(cell.step_size for cell in cells if cell.sampler == at.sampler and cell.step_size is not None)
        place = steps.index(at.step_size)
        if place == 0:
            yield at.sampler, [steps[0] ** 2 / steps[min(1, len(steps) - 1)] if len(steps) > 1 else steps[0] / 2]
        if place == len(steps) - 1:
            yield at.sampler, [steps[-1] ** 2 / steps[-2] if len(steps) > 1 else steps[-1] * 2]
    for option, value in at.sampler.tuned.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        tried = sorted({cell.sampler.options[option] for cell in cells if cell.sampler.without(option) == at.sampler.without(option)})
        place = tried.index(value)
        low = tried[place - 1] if place else value**2 / tried[min(1, len(tried) - 1)]
        high = tried[place + 1] if place + 1 < len(tried) else value**2 / tried[max(place - 1, 0)]
        wanted = [_between(value, low) if place else low, _between(value, high) if place + 1 < len(tried) else high]
        for new in wanted:
            new = max(1, round(new)) if isinstance(value, int) else float(f"{new:.3g}")
            if new not in tried and len(tried) > 1:
                yield at.sampler.having(option, new), times(at, BESIDE)


def _between(value: float, other: float) -> float:
    return value if max(value, other) / min(value, other) < CLOSER else math.sqrt(value * other)
