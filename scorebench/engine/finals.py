"""The final runs of a method: which cells have one, with how many chains, and which of them is its best.

A cell is told to stay below epsilon where nothing later, a swing or the plateau, may be above (`arrival`). What is chosen is the one with the least work of
those: near a step at which a later swing comes to lie at epsilon work jumps, and of two runs one would count it. Random numbers are those of no other run.
Where the interval of the chosen one's work is too wide, or where none is told, the best has more chains, or what has the fewest of those between which the
choice is not clear; where it still is not told then, its row says so.
What came below too late in a run as long as its pilot's work asked for has a longer one; what has less work than the best and is not told, more chains.

The choice is made again without each block, so that the work's error has the choice's among final runs. It has not that of the pilot's, which came to these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from scorebench.core.jackknife import standard_error
from scorebench.core.schema import Status
from scorebench.engine.arrival import LAST
from scorebench.engine.bench import FINAL, Bench, Cell
from scorebench.suite.jobs import gradients, to_the_end

ENOUGH, MOST, RUNS = 0.1, 2.0, 4
"""A final run goes on, with twice as many chains each time, where its work's interval is wider than this to a side. What comes after the first final run takes
at most so many times the gradients of what came before, or those of so many runs of the whole budget; what diverged first is not counted."""
SAFE = 0.9
"""Of epsilon, what a plateau with its standard error must be below: nearer than that a step is as likely to be too long."""
HALF, SHORTER = 1.1**0.5, 1.1**-2
"""The last step to be tried, in units of the best, where the next longer of the ladder is too long; and where all were, in units of the shortest."""
TWICE = 2
"""After so many final runs that are not told, it goes on from what is surest."""
RIVAL = 4
"""Of one that is not told and has less work than the best, final runs go on to so many times the chains, or to as many as the best has."""
FINALS = 8
"""A final run whose work is more than the next best cell seemed to need is followed by one of that, so many in all."""
LONGER, SHORTEST, ROOM = 4, 48, 0.4
"""The budget of a final run: so many times the work that the pilot found, and so many steps at least; twice the budget where that work is more than so much of
it, as the next run's may be more than a half."""


def final_runs(bench: Bench, ladder: Sequence[Cell], budget: int, chains: int) -> tuple[list[Cell], Cell | None]:
    """Final runs of cells of a ladder, which is ordered by what is hoped of them, and the best, with the work's errors as the choice leaves them."""
    epsilon = bench.accuracy.epsilon
    finals: list[Cell] = []
    tried: list[Cell] = []
    before, after = bench.spent, 0

    def affordable(cost: int) -> bool:
        return not finals or after + cost <= max(MOST * before, RUNS * chains * budget)

    def again(cell: Cell, cost: int, run: Callable[[], Cell]) -> None:
        nonlocal after, finals
        after += cost
        new = run()
        finals = [new if other is cell else other for other in finals]

    def longer(cell: Cell) -> Cell:
        return bench.cells(cell.sampler, [cell.step_size], enough(cell, budget), cell.chains, FINAL)[0]

    while not finals or finals[-1].ended.status not in (Status.FAILED, Status.TIMEOUT):
        at = min(finals, key=_order, default=None)
        cell = _next(ladder, tried, finals, epsilon) if len(finals) < FINALS else None
        rival = at and _rival(finals, at, RIVAL * chains)
        few = _unclear(finals, at, epsilon) if at and at.arrivals else None
        late = next((cell for cell in finals if _below(cell) and _late(cell, budget)), None)
        if late and affordable(cost := late.chains * enough(late, budget)):
            again(late, cost, partial(longer, late))
        elif cell and affordable(cost := chains * enough(cell, budget)):
            first = not any(cell.arrivals for cell in finals)
            tried.append(cell)
            finals += bench.cells(cell.sampler, [cell.step_size], enough(cell, budget), chains, FINAL)
            after += 0 if first else cost
        elif at and _late(at, budget) and affordable(cost := at.chains * enough(at, budget)):
            again(at, cost, partial(longer, at))
        elif rival and affordable(cost := rival.chains * rival.budget):
            again(rival, cost, partial(bench.more, rival))
        elif at and _short(at, epsilon) and affordable(cost := at.chains * at.budget):
            again(at, cost, partial(bench.more, at))
        elif few and affordable(cost := few.chains * few.budget):
            again(few, cost, partial(bench.more, few))
        else:
            break
    at = min(finals, key=_order, default=None)
    if at is None or not at.arrivals:
        return finals, at
    chosen = _chosen_again(finals, at)
    return [chosen if cell is at else cell for cell in finals], chosen


def _next(ladder: Sequence[Cell], tried: Sequence[Cell], finals: Sequence[Cell], epsilon: float) -> Cell | None:
    """What is worth a final run, after those of the cells that were tried.

    The one with the least work that is hoped to stay below epsilon; after two that are not told to, the shortest step of those that arrive, else the longest
    of those that do so too late. From one that is told to, of those with less work, half way; and at last half way to the next longer step. Where a step is
    not told to stay below no longer one is tried of its options; of any, where it is never below.
    """
    if not finals:
        return ladder[0] if ladder else None
    at = min(finals, key=_order)
    untold = [cell for cell in finals if not _told(cell)]
    left = [
        cell for cell in ladder if not any(_rules_out(other, cell) for other in untold) and not any(_same(cell, other) for other in tried)
    ]
    higher = finals[0].cost[1] - tried[0].cost[1] if finals[0].arrivals else 0.0  # cells of a ladder share their random numbers
    hopeful = [cell for cell in left if hoped(cell, epsilon, higher)]
    if not _told(at):
        last = tried[-1]
        shorter = [replace(last, step_size=times(last, [SHORTER])[0])] if last.step_size and hoped(last, epsilon) else []
        surest = sorted(left, key=lambda cell: cell.step_size or 0)
        arriving = [cell for cell in surest if cell.arrivals[0].reached or (True, cell.cost) < _order(at)]
        too_late = [cell for cell in reversed(surest) if _below(cell)]
        return next(iter([*(hopeful if len(untold) < TWICE else []), *arriving, *too_late, *shorter]), None)
    if hopeful and not untold and hopeful[0].cost < at.cost:
        return hopeful[0]
    if cheaper := sorted((cell for cell in left if cell.cost < at.cost), key=lambda cell: cell.cost):
        return cheaper[len(cheaper) // 2]
    half = replace(at, step_size=times(at, [HALF])[0])
    limited = any(cell.sampler == at.sampler and 1.02 < _over(cell, half) < HALF**2 and not hoped(cell, epsilon) for cell in ladder)
    return half if limited and not any(_same(half, other) for other in tried) else None


def _over(cell: Cell, other: Cell) -> float:
    """The ratio of two steps."""
    return cell.step_size / other.step_size if cell.step_size and other.step_size else 1.0


def _same(cell: Cell, other: Cell) -> bool:
    return (cell.sampler, cell.step_size) == (other.sampler, other.step_size)


def _rules_out(final: Cell, cell: Cell) -> bool:
    """Whether a step is as long as one that is not told to stay below, or the next below one that did not arrive, or diverged, as its neighbours may in as
    many chains; with other options, as one never below.
    """
    ratio = _over(cell, final)
    if cell.sampler != final.sampler:
        return ratio >= 1 and not _below(final)
    arrived = bool(final.arrivals) and final.arrivals[0].reached
    return ratio >= 1 or ratio > SHORTER and not arrived


def _below(cell: Cell) -> bool:
    """Whether a cell is below at the end, if not for long enough."""
    return bool(cell.arrivals) and (cell.arrivals[0].reached or cell.arrivals[0].gradients < cell.gradients[-1])


def _late(cell: Cell, budget: int) -> bool:
    """Whether a cell did not arrive in a run that was shorter than it is now worth."""
    return bool(cell.arrivals) and not cell.arrivals[0].reached and cell.budget < enough(cell, budget)


def _told(cell: Cell) -> bool:
    """Whether a cell arrives, and nothing later, a swing or the plateau, may be above epsilon."""
    return bool(cell.arrivals) and cell.arrivals[0].told


def _order(cell: Cell) -> tuple[bool, tuple[float, float]]:
    """What final runs are ordered by."""
    return not _told(cell), cell.cost


def _short(cell: Cell, epsilon: float) -> bool:
    """Whether more chains are wanted: it is not told whether it arrives, nor whether for good, or its work has too wide an interval, of more than a step."""
    if not cell.arrivals:
        return False
    first = cell.arrivals[0]
    low, high = first.interval
    wide = first.half_width > ENOUGH and high - low > gradients(cell.sampler)
    return first.plateau_low < epsilon < first.plateau_high or first.reached and (not first.told or wide)


def _rival(finals: Sequence[Cell], at: Cell, chains: int) -> Cell | None:
    """Of what arrives with less work than the best, which is told to, in fewer chains than these or than the best has, the cheapest: more chains tell."""
    cheaper = [cell for cell in finals if cell.arrivals and cell.arrivals[0].reached and cell.cost < at.cost]
    short = [cell for cell in cheaper if cell.chains < max(chains, at.chains)]
    return min(short, key=lambda cell: cell.cost, default=None) if _told(at) else None


def _by_block(finals: Sequence[Cell], at: Cell) -> tuple[list[Cell], np.ndarray]:
    """The cells that the choice is among, and which of them is the best without each block, (block,)."""
    arrived = (cell for cell in finals if cell.arrivals and _told(cell) is _told(at))
    rivals = [cell for cell in arrived if all(np.isfinite(arrival.logs).all() for arrival in cell.arrivals)]
    if not any(cell is at for cell in rivals):
        rivals = [at]
    return rivals, np.argmin([cell.arrivals[0].logs for cell in rivals], 0)


def _unclear(finals: Sequence[Cell], at: Cell, epsilon: float) -> Cell | None:
    """Where the choice makes the interval too wide, of the cells of which one is the best without some block that with the fewest chains."""
    rivals, best = _by_block(finals, at)
    few = min((rivals[k] for k in {*best.tolist()}), key=lambda cell: cell.chains)
    return few if _short(_chosen_again(finals, at), epsilon) else None


def _chosen_again(finals: Sequence[Cell], at: Cell) -> Cell:
    """The chosen cell, the logarithms of its arrivals without each block those of the cell that is the best without it."""
    rivals, best = _by_block(finals, at)
    logs = (np.take_along_axis(np.array([cell.arrivals[k].logs for cell in rivals]), best[None], 0)[0] for k in range(len(at.arrivals)))
    return replace(at, arrivals=tuple(replace(arrival, logs=its) for arrival, its in zip(at.arrivals, logs, strict=True)))


def times(at: Cell, ratios: Iterable[float]) -> list[float | None]:
    """Steps in units of a cell's, to three figures; none where the sampler has none."""
    return [float(f"{at.step_size * ratio:.3g}") for ratio in ratios] if at.step_size else [None]


def hoped(cell: Cell, epsilon: float, higher: float = 0.0) -> bool:
    """Whether a cell arrives, its plateau is safely below epsilon and nothing later is above, as far as its chains say; `higher` is what to add to it."""
    if not cell.arrivals:
        return False
    tail = cell.curve[0][:, cell.gradients >= LAST * cell.gradients[-1]].mean(1)
    return (
        cell.arrivals[0].reached and cell.arrivals[0].later[0] < 1 and tail[0] + higher + float(standard_error(tail[1:])) < SAFE * epsilon
    )


def enough(cell: Cell, budget: int) -> int:
    """Gradients for a run whose work is about that of a cell; up to twice the budget where that was below for too short a time, or nearly so."""
    first = cell.arrivals[0]
    if not _below(cell):
        return budget
    each = max(gradients(cell.sampler), 1)
    most = budget if first.reached and first.gradients < ROOM * budget else 2 * budget
    return min(most, max(math.ceil(LONGER * first.gradients), SHORTEST * each, 2 * to_the_end(cell.sampler)))
