r"""Work to accuracy: after how many gradients each cell of a sampler is as near to the law as is asked, and which cell is best.

All chains start from the target's prior, as wide as the law or wider, moved down every coordinate by s, s^2 the law's variance of one on average: off-centre,
and wrong about the weights of modes, the same for every sampler. A pilot measures every cell; it goes on beyond an edge of the grid where the best
cell lies there, and between the values of other tuned options around it. Steps around the best, and values of options, a tenth apart, are then measured with
four times as many chains, and the one with the least work whose plateau is safely below epsilon is measured again, by more chains with random
numbers of their own: that is the method's work. Where that is more than the next best seemed to need, so is the next. Random numbers are shared between
cells and samplers, so that they are compared in pairs.

In equilibrium: chains that start from exact draws, at that cell; the bias of each function over the second half of the run, and

    effective draws a gradient = Var f / (L g Var(time average of f over L steps of g gradients, across chains))

which rests on no autocorrelation; none is given where a chain is worth fewer than TEN draws: what has not mixed has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.core.errors import NotApplicable
from scorebench.core.jackknife import standard_error, t_quantile
from scorebench.core.schema import OK, Ended, Status
from scorebench.core.spec import Spec
from scorebench.engine import gaussian
from scorebench.engine.arrival import LAST, LEVEL, SUMMARIES, Arrival, arrival, curves
from scorebench.engine.attempt import attempt
from scorebench.engine.loop import TOGETHER, grid, run
from scorebench.engine.measuring import FAR, SHARE_FAR
from scorebench.engine.panel import Panel, panel
from scorebench.engine.sampling import absent, lacking
from scorebench.samplers.base import Runs, Starts, exact_density
from scorebench.store import works
from scorebench.suite.config import BLOCKS
from scorebench.suite.jobs import Work, gradients, has_step, to_the_end
from scorebench.targets.base import Target

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.config import Accuracy

RECORDS, PLATEAU = 80, 32
"""Of a curve, at most, closer where it begins; and of its last fifth."""
LADDERS, LADDER = 2, 1.1 ** np.arange(-4, 3)
"""Of so many samplers that differ in what is tuned, the best ones, steps in units of the pilot's best."""
LOWER = 3
"""So often the ladder goes on below where none of its plateaus is low enough."""
HOPELESS = 2.0
"""A sampler that does not arrive, and whose least plateau is above so many epsilons, has no ladder."""
SAFE = 0.9
"""Of epsilon, what a plateau with its standard error must be below: nearer than that a step is as likely to be too long."""
NEAR = 1.1 ** np.array([-2, -1, 1, 2])
"""Values of a tuned option around the best of the ladders, in units of it."""
FINALS = 6
"""A final run whose work is more than the next best cell seemed to need is followed by one of that, so many in all."""
BESIDE = 2.0 ** np.arange(-0.75, 0.75, 0.25)
"""Steps at a new value of a tuned option, in units of the best step at its neighbour."""
WIDER, CLOSER = 6, 1.5
"""How often the grid goes on beyond an edge; values of an option that are nearer than this ratio have none between them."""
LONGER, SHORTEST = 4, 48
"""The budget of a final run: so many times the work that the pilot found, and so many steps at least."""
TEN = 10
"""Effective draws of a chain, below which it has no effective sample size."""
EQUILIBRIUM_CHAINS, EQUILIBRIUM_STEPS = 512, 600


class Start(NamedTuple):
    """Where every sampler starts."""

    sample: Callable[[int, torch.Generator], Tensor]
    shift: float
    text: str


def start(target: Target) -> Start:
    """The prior, moved by s down every coordinate, s to two figures; where the prior is N(0, v I), N(-s, v) of each."""
    prior = target.prior
    assert prior is not None
    s = float(f"{math.sqrt(target.variance / target.dim):.2g}")
    variances = prior.truths["variances"].value if "variances" in prior.truths else torch.empty(0)
    normal = len(variances) and bool((variances == variances[0]).all()) and not prior.mean.any()
    return Start(
        lambda n, generator: prior.sample(n, generator) - s, s, f"N({-s:g}, {float(variances[0]):g})" if normal else f"prior - {s:g}"
    )


@dataclass(frozen=True)
class Cell:
    """A sampler at a step size, measured."""

    sampler: Spec
    step_size: float | None
    phase: str
    chains: int
    budget: int
    ended: Ended
    gradients: np.ndarray
    """At the records, (record,); empty where it did not end well, as the curve."""
    curve: np.ndarray  # (summary, 1 + block, record)
    arrivals: tuple[Arrival, ...] = ()

    @cached_property
    def cost(self) -> tuple[float, float]:
        """What cells are ordered by: the work by the panel's maximum; among those that do not arrive, the plateau."""
        if not self.arrivals:
            return math.inf, math.inf
        first = self.arrivals[0]
        return (first.gradients if first.reached else math.inf), first.plateau


class Bias(NamedTuple):
    """Of one function in equilibrium."""

    function: str
    bias: float
    low: float
    high: float
    ess_per_gradient: float


class Bench:
    """A target with its panel and start, on which cells are measured."""

    def __init__(self, target: Target, name: Spec, master: int, accuracy: Accuracy, limit: float) -> None:
        self.target, self.name, self.master, self.accuracy, self.limit = target, name, master, accuracy, limit
        self.panel, self.start, self.density = panel(target), start(target), exact_density(target)

    def cells(self, sampler: Spec, steps: Sequence[float | None], budget: int, chains: int, phase: str) -> list[Cell]:
        """One sampler at several steps, together."""
        made = [Cell(sampler, step, phase, chains, budget, OK, np.empty(0), np.empty((len(SUMMARIES), 0, 0))) for step in steps]
        outcome, ended = attempt(lambda: self._run(sampler, steps, budget, chains, phase), self.limit)
        if outcome is None:
            return [replace(cell, ended=ended) for cell in made]
        spent, sums, far = outcome
        return [self._arrived(cell, spent, sums[:, number], far[number]) for number, cell in enumerate(made)]

    def _arrived(self, cell: Cell, spent: np.ndarray, sums: np.ndarray, far: float) -> Cell:
        if far >= SHARE_FAR:
            return replace(cell, ended=Ended(Status.DIVERGED))
        curve = curves(sums, cell.chains // BLOCKS, self.panel)
        first = int(np.searchsorted(spent, to_the_end(cell.sampler))) if cell.sampler.entry.facts.get("LADDER") else 0
        first = min(first, len(spent) - 1)
        arrivals = tuple(arrival(spent, summary, self.accuracy.epsilon, first) for summary in curve)
        return replace(cell, gradients=spent, curve=curve, arrivals=arrivals)

    def _run(
        self, spec: Spec, steps: Sequence[float | None], budget: int, chains: int, phase: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Gradients at the records (record,), sums (record, cell, block, 2, function), and the largest share of chains that are far off, (cell,)."""
        if why := absent(spec):
            raise NotApplicable(why)
        if missing := lacking(spec, self.density):
            raise NotApplicable(missing)
        each = gradients(spec)
        if to_the_end(spec) > budget:
            raise NotApplicable(f"its noise levels take {to_the_end(spec)} gradients, of which the budget is {budget}")
        step_size, temperature = grid((1.0 if step is None else step, 1.0) for step in steps)
        sampler = spec.build(step_size=step_size, temperature=temperature)
        starts, stream = (rng.generator(self.master, f"work {use} {phase}", self.name) for use in ("start", "sample"))
        x = self.start.sample(chains, starts)
        if isinstance(sampler, Starts):
            x = sampler.start(self.density, (chains, self.target.dim), starts)
        size = chains // BLOCKS
        observe = partial(self._observe, size)
        parts = [
            run(sampler, self.density, part[None], _records(budget, each), [stream], each, observe=observe)
            for part in x.split(max(TOGETHER // size, 1) * size)
        ]
        sums = torch.cat([part.samples[:, 0] for part in parts], -2)  # (record, cell, block, number)
        spent = np.array(parts[0].gradients, float)
        if each:
            begin = observe(x[None, None])[0].expand(1, len(steps), -1, -1)
            sums, spent = torch.cat([begin, sums]), np.concatenate([spent[:1] - each, spent])
        far = (sums[..., -1].sum(-1) / chains).amax(0)
        pairs = sums[..., :-1].unflatten(-1, (2, -1))
        return spent, pairs.cpu().numpy(), far.cpu().numpy()

    def _observe(self, size: int, x: Tensor) -> Tensor:
        """Sums over the chains of each block of f, of f^2, and of those far off, one that is not finite being too many,
        (1, cell, chain, d) -> (1, cell, block, 2 function + 1).
        """
        finite = x.isfinite().all(-1, keepdim=True)
        seen = x.where(finite, 0.0)
        f = self.panel.values(seen)
        finite &= f.isfinite().all(-1, keepdim=True)
        far = (self.target.distance(seen) > FAR * self.target.radius).double()[..., None].where(finite, torch.inf)
        numbers = torch.cat([f, f.square(), far], -1)
        return numbers.unflatten(-2, (-1, size)).sum(-2)

    def equilibrium(self, cell: Cell) -> list[Bias]:
        """The bias of each function and its effective draws a gradient; none where a sampler has a loop of its own, or the law too few draws."""
        spec, each = cell.sampler, gradients(cell.sampler)
        steps = EQUILIBRIUM_STEPS
        sampler = spec.build(**dict(zip(("step_size", "temperature"), grid([(cell.step_size or 1.0, 1.0)]), strict=True)))
        if isinstance(sampler, Runs) or not each or spec.entry.facts.get("LADDER"):
            return []
        draws, stream = (rng.generator(self.master, f"equilibrium {use}", self.name) for use in ("start", "sample"))
        chains = min(EQUILIBRIUM_CHAINS, self.target.at_most(EQUILIBRIUM_CHAINS))
        averages = _Averages(self.panel, steps // 2)
        run(
            sampler,
            self.density,
            self.target.sample(chains, draws)[None],
            [each * k for k in range(1, steps + 1)],
            [stream],
            each,
            observe=averages,
        )
        mean, variance = averages.moments()  # (chain, function), (function,)
        error = mean.std(0, ddof=1) / math.sqrt(chains)
        scale = np.sqrt(self.panel.variances)
        bias = (mean.mean(0) - self.panel.means) / scale
        half = t_quantile(chains, (1 + LEVEL) / 2) * np.sqrt(error**2 + self.panel.errors) / scale
        with np.errstate(divide="ignore"):
            worth = variance / mean.var(0, ddof=1)  # effective draws of a chain
        ess = np.where(worth >= TEN, worth / (averages.count * each), np.nan)
        return [Bias(*row) for row in zip(self.panel.names, *(v.tolist() for v in (bias, bias - half, bias + half, ess)), strict=True)]


class _Averages:
    """Time averages of each chain, from the snapshots after some; what it keeps of one is nothing."""

    def __init__(self, panel: Panel, skip: int) -> None:
        self.panel, self.skip, self.seen, self.count = panel, skip, 0, 0
        self.sums: Any = 0.0
        self.squares: Any = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        self.seen += 1
        if self.seen > self.skip:
            f = self.panel.values(x[0, 0])
            self.count, self.sums, self.squares = self.count + 1, self.sums + f, self.squares + f.square()
        return x[:, :, :, :0]

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Each chain's averages (chain, function), and the variance over time and chains (function,)."""
        mean = self.sums / self.count
        variance = (self.squares / self.count).mean(0) - mean.mean(0).square()
        return mean.cpu().numpy(), variance.cpu().numpy()


def _records(budget: int, each: int) -> list[int]:
    """Gradients at which the curve is taken: every step first, then in proportion, and evenly along the plateau."""
    if not each:
        return [budget]
    last = budget // each
    steps = np.concatenate([np.geomspace(1, last, RECORDS), np.linspace(max(LAST * last, 1), last, PLATEAU)])
    return [each * int(k) for k in np.unique(steps.round())]


def method(job: Work, bench: Bench) -> works.Method:
    """All of a method as rows and arrays: its cells, and of the chosen one the curves and the bias in equilibrium."""
    found = search(job, bench)
    chosen = found.chosen
    rows = [row for cell in found.cells for row in _rows(job, cell, bench.accuracy.epsilon, bench.start.text, cell is chosen)]
    if chosen is None or not chosen.arrivals:
        return works.Method(str(job.target), str(job.method), bench.start.text, rows, [], {}, {})
    logs = {name: summary.logs for name, summary in zip(SUMMARIES, chosen.arrivals, strict=True)}
    curves = {name: np.stack([curve[0], standard_error(curve[1:])]) for name, curve in zip(SUMMARIES, chosen.curve, strict=True)}
    curves |= {"gradients": chosen.gradients} | _exactly(chosen, bench)
    biases, _ = attempt(lambda: bench.equilibrium(chosen), bench.limit)
    key = {"target": str(job.target), "method": str(job.method), "sampler": str(chosen.sampler), "step_size": chosen.step_size}
    equilibrium = [key | bias._asdict() for bias in biases or ()]
    return works.Method(str(job.target), str(job.method), bench.start.text, rows, equilibrium, logs, curves)


def _exactly(cell: Cell, bench: Bench) -> dict[str, np.ndarray]:
    """Each summary of b^2 at the records, (record,), where it follows from the sampler's recursion on a Gaussian; nothing elsewhere."""
    prior = bench.target.prior
    if prior is None or cell.step_size is None:
        return {}
    try:
        wide = gaussian.gaussian(prior)
        law, begin = gaussian.gaussian(bench.target), wide._replace(mean=wide.mean - bench.start.shift)
        exact = gaussian.curve(cell.sampler, cell.step_size, law, begin, int(cell.gradients[-1]))
    except NotApplicable:
        return {}
    places = np.searchsorted(exact.gradients, cell.gradients)
    bias = exact.bias[places]
    return {f"exact {name}": values for name, values in zip(SUMMARIES, (bias.max(-1), bias.mean(-1)), strict=True)}


def lost_rows(job: Work, accuracy: Accuracy, ended: Ended) -> works.Method:
    """A method of which nothing was measured."""
    nothing = (np.empty(0), np.empty((len(SUMMARIES), 0, 0)))
    cells = [
        Cell(begin.sampler, step, "pilot", begin.pilot or accuracy.pilot, begin.budget, ended, *nothing)
        for begin in job.begins
        for step in (begin.step_sizes if has_step(begin.sampler) else (None,))
    ]
    rows = [row for cell in cells for row in _rows(job, cell, accuracy.epsilon, "", False)]
    return works.Method(str(job.target), str(job.method), "", rows, [], {}, {})


def _rows(job: Work, cell: Cell, epsilon: float, start: str, chosen: bool) -> Iterator[dict[str, Any]]:
    """A row a summary."""
    key = {
        "target": str(job.target),
        "method": str(job.method),
        "sampler": str(cell.sampler),
        "step_size": cell.step_size,
        "temperature": 1.0,
    }
    key |= {"start": start, "epsilon": epsilon, "chains": cell.chains, "phase": cell.phase, "budget": cell.budget, "chosen": chosen}
    for name, summary in zip(SUMMARIES, cell.arrivals or (None,) * len(SUMMARIES), strict=True):
        row = key | {"panel": name} | cell.ended._asdict()
        if summary:
            low, high = summary.interval
            row |= {name: getattr(summary, name) for name in ("plateau", "plateau_low", "plateau_high")} | {"low": low, "high": high}
            row |= {"gradients": summary.gradients} if summary.reached else {"status": Status.NOT_REACHED, "high": None}
        yield row


class Found(NamedTuple):
    """All cells of a method, and the chosen one."""

    cells: list[Cell]
    chosen: Cell | None


def search(job: Work, bench: Bench) -> Found:
    """The pilot, the ladders of steps and the final run of a method."""
    epsilon, budget = bench.accuracy.epsilon, max(begin.budget for begin in job.begins)
    pilot, final = job.begins[0].pilot or bench.accuracy.pilot, job.begins[0].final or bench.accuracy.final
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
        before = len(cells)
        if (at := best(cells)) is not None:
            for sampler, steps in _around(at, cells):
                measure(sampler, steps, budget)
        if len(cells) == before:
            break
    by_sampler = {cell.sampler: cell for cell in sorted(filter(None, map(best, _by_sampler(cells))), key=lambda cell: cell.cost)[:LADDERS]}
    for sampler, at in by_sampler.items():
        if not at.arrivals[0].reached and at.arrivals[0].plateau > HOPELESS * epsilon:
            continue
        for lower in range(LOWER):
            if at.step_size is not None and not any(cell.sampler == sampler and _below(cell, epsilon) for cell in finer()):
                measure(sampler, _times(at, LADDER * LADDER[0] ** lower), _enough(at, budget), 4 * pilot)

    def order(cell: Cell) -> tuple[bool, tuple[float, float]]:
        return not _below(cell, epsilon), cell.cost

    def ladder() -> list[Cell]:
        return sorted((cell for cell in finer() if cell.ended == OK), key=order) or list(by_sampler.values())

    for at in ladder()[:1]:
        for sampler in _beside(at, cells) if at.arrivals[0].reached else ():
            measure(sampler, _times(at, LADDER[3:6]), _enough(at, budget), 4 * pilot)
    finals: list[Cell] = []
    queue = ladder()
    while queue and len(finals) < FINALS:
        cell, *queue = queue
        if finals and min(map(order, finals)) <= order(cell):
            break
        measure(cell.sampler, [cell.step_size], _enough(cell, budget), final, "final")
        finals.append(cells[-1])
        if finals[-1].ended.status in (Status.FAILED, Status.TIMEOUT):
            break
        if cell.step_size and _below(cell, epsilon) and not _below(finals[-1], epsilon):  # too long after all, and so are longer ones
            queue = [other for other in queue if other.sampler != cell.sampler or (other.step_size or 0) < cell.step_size]
            queue = queue or [replace(cell, step_size=_times(cell, LADDER[3:4])[0])]
    return Found(cells, min(finals, key=order, default=None))


def _times(at: Cell, ratios: np.ndarray) -> list[float | None]:
    """Steps in units of a cell's, to three figures; none where the sampler has none."""
    return [float(f"{at.step_size * ratio:.3g}") for ratio in ratios] if at.step_size else [None]


def _beside(at: Cell, cells: Sequence[Cell]) -> Iterator[Spec]:
    """The sampler with each option that is a number and was tried at several values a tenth less and more, or one."""
    for option, value in at.sampler.tuned.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or len({cell.sampler.options[option] for cell in cells}) == 1:
            continue
        near = (value - 1, value + 1) if isinstance(value, int) else [float(f"{value * ratio:.3g}") for ratio in NEAR]
        yield from (at.sampler.having(option, new) for new in near if new > 0)


def _by_sampler(cells: Iterable[Cell]) -> Iterable[list[Cell]]:
    by_sampler: dict[Spec, list[Cell]] = {}
    for cell in cells:
        by_sampler.setdefault(cell.sampler, []).append(cell)
    return by_sampler.values()


def _below(cell: Cell, epsilon: float) -> bool:
    """Whether a cell arrives, and its plateau is safely below epsilon."""
    if not cell.arrivals:
        return False
    tail = cell.curve[0][:, cell.gradients >= LAST * cell.gradients[-1]].mean(1)
    return cell.arrivals[0].reached and tail[0] + float(standard_error(tail[1:])) < SAFE * epsilon


def _enough(cell: Cell, budget: int) -> int:
    """Gradients for a run whose work is about that of a cell."""
    first = cell.arrivals[0]
    if not first.reached:
        return budget
    each = max(gradients(cell.sampler), 1)
    return min(budget, max(math.ceil(LONGER * first.gradients), SHORTEST * each, 2 * to_the_end(cell.sampler)))


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
                yield at.sampler.having(option, new), _times(at, BESIDE)


def _between(value: float, other: float) -> float:
    return value if max(value, other) / min(value, other) < CLOSER else math.sqrt(value * other)
