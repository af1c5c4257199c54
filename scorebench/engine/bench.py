r"""A cell of a sampler, which is its options and a step size, measured on a target: the curve of its squared bias, and its bias in equilibrium.

All chains start from the target's prior, as wide as the law or wider, moved down every coordinate by s, s^2 the law's variance of one on average: off-centre,
and wrong about the weights of modes, the same for every sampler. Random numbers are shared between cells and samplers, so that they are compared in pairs.

In equilibrium: chains that start from exact draws, at that cell; the bias of each function over the second half of the run, and

    effective draws a gradient = Var f / (L g Var(time average of f over L steps of g gradients, across chains))

which rests on no autocorrelation; none is given where a chain is worth fewer than TEN draws: what has not mixed has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.core.errors import NotApplicable
from scorebench.core.jackknife import t_quantile
from scorebench.core.schema import OK, Ended, Status
from scorebench.core.spec import Spec
from scorebench.engine.arrival import LAST, LEVEL, SUMMARIES, Arrival, arrival, curves
from scorebench.engine.attempt import attempt
from scorebench.engine.kernel import KernelBias, kernel_bias
from scorebench.engine.loop import TOGETHER, grid, run
from scorebench.engine.measuring import FAR, SHARE_FAR
from scorebench.engine.sampling import absent, lacking
from scorebench.samplers.base import Runs, Starts, exact_density
from scorebench.suite.config import BLOCKS
from scorebench.suite.jobs import gradients, to_the_end
from scorebench.targets.base import Target
from scorebench.targets.lib.panel import Panel, panel

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.config import Accuracy

RECORDS, PLATEAU = 80, 32
"""Of a curve, at most, closer where it begins; and of its last fifth."""
EVERY, CLOSE = 64, 1.03
"""Of a final run every step, and from there on in such proportion."""
FINAL = "final"
"""The phase whose runs more chains may be added to."""
TEN = 10
"""Effective draws of a chain, below which it has no effective sample size."""
EQUILIBRIUM_CHAINS, EQUILIBRIUM_STEPS = 512, 600
KERNEL_CHAINS = 5_120


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
    sums: np.ndarray | None = None
    """Of f and f^2 over the chains of a block, (record, block, 2, function), where more chains may be added to it."""

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
        self.spent = 0

    def cells(self, sampler: Spec, steps: Sequence[float | None], budget: int, chains: int, phase: str) -> list[Cell]:
        """One sampler at several steps, together."""
        made = [Cell(sampler, step, phase, chains, budget, OK, np.empty(0), np.empty((len(SUMMARIES), 0, 0))) for step in steps]
        self.spent += len(steps) * budget * chains
        outcome, ended = attempt(lambda: self._run(sampler, steps, budget, chains, phase), self.limit)
        if outcome is None:
            return [replace(cell, ended=ended) for cell in made]
        spent, sums, far = outcome
        return [self._arrived(cell, spent, sums[:, number], far[number]) for number, cell in enumerate(made)]

    def more(self, cell: Cell) -> Cell:
        """A final run with as many chains again, by numbers of their own, which go into the same blocks; unchanged where these do not end well."""
        assert cell.sums is not None
        outcome, _ = attempt(
            lambda: self._run(cell.sampler, [cell.step_size], cell.budget, cell.chains, cell.phase, cell.chains), self.limit
        )
        if outcome is None:
            return cell
        spent, sums, far = outcome
        return self._arrived(replace(cell, chains=2 * cell.chains), (cell.gradients + spent) / 2, cell.sums + sums[:, 0], far[0])

    def kernel(self, cell: Cell) -> KernelBias:
        """How far the law is from the target's by a kernel at the end of the cell's run, by chains of their own. Raises NotApplicable for too few draws."""
        if self.target.at_most(KERNEL_CHAINS) < KERNEL_CHAINS:
            raise NotApplicable(f"takes {KERNEL_CHAINS:,} exact draws")
        sampler, x = self._begin(cell.sampler, [cell.step_size], KERNEL_CHAINS, "kernel")
        done = run(sampler, self.density, x[None], [cell.budget], [self._stream("kernel", 0, 0)], gradients(cell.sampler))
        exact = self.target.sample(KERNEL_CHAINS, rng.generator(self.master, "work exact", self.name))
        return kernel_bias(done.samples[-1, 0, 0], exact, self.target)

    def _arrived(self, cell: Cell, spent: np.ndarray, sums: np.ndarray, far: float) -> Cell:
        if far >= SHARE_FAR:
            return replace(cell, ended=Ended(Status.DIVERGED), arrivals=())
        curve = curves(sums, cell.chains // BLOCKS, self.panel)
        first = int(np.searchsorted(spent, to_the_end(cell.sampler))) if cell.sampler.entry.facts.get("LADDER") else 0
        first = min(first, len(spent) - 1)
        arrivals = tuple(arrival(spent, summary, self.accuracy.epsilon, first) for summary in curve)
        return replace(cell, gradients=spent, curve=curve, arrivals=arrivals, sums=sums if cell.phase == FINAL else None)

    def _run(
        self, spec: Spec, steps: Sequence[float | None], budget: int, chains: int, phase: str, before: int = 0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Gradients at the records (record,), sums (record, cell, block, 2, function), and the largest share of chains that are far off, (cell,).

        `before` chains of this run have been seen already. Each part of the chains has a stream of its own, the same for every sampler, whatever its budget.
        """
        if why := absent(spec):
            raise NotApplicable(why)
        if missing := lacking(spec, self.density):
            raise NotApplicable(missing)
        each = gradients(spec)
        if to_the_end(spec) > budget:
            raise NotApplicable(f"its noise levels take {to_the_end(spec)} gradients, of which the budget is {budget}")
        sampler, x = self._begin(spec, steps, chains, phase, before)
        size = chains // BLOCKS
        observe = partial(self._observe, size)
        parts = [
            run(
                sampler,
                self.density,
                part[None],
                _records(budget, each, phase),
                [self._stream(phase, before, number)],
                each,
                observe=observe,
            )
            for number, part in enumerate(x.split(max(TOGETHER // size, 1) * size))
        ]
        sums = torch.cat([part.samples[:, 0] for part in parts], -2)  # (record, cell, block, number)
        spent = np.array(parts[0].gradients, float)
        if each:
            begin = observe(x[None, None])[0].expand(1, len(steps), -1, -1)
            sums, spent = torch.cat([begin, sums]), np.concatenate([spent[:1] - each, spent])
        far = (sums[..., -1].sum(-1) / chains).amax(0)
        pairs = sums[..., :-1].unflatten(-1, (2, -1))
        return spent, pairs.cpu().numpy(), far.cpu().numpy()

    def _begin(self, spec: Spec, steps: Sequence[float | None], chains: int, phase: str, before: int = 0) -> tuple[Any, Tensor]:
        """The sampler at all steps, and where its chains start, (chain, d)."""
        step_size, temperature = grid((1.0 if step is None else step, 1.0) for step in steps)
        sampler = spec.build(step_size=step_size, temperature=temperature)
        starts = rng.generator(self.master, f"work start {phase} {before}", self.name)
        x = self.start.sample(chains, starts)
        if isinstance(sampler, Starts):
            x = sampler.start(self.density, (chains, self.target.dim), starts)
        return sampler, x

    def _stream(self, phase: str, before: int, part: int) -> torch.Generator:
        return rng.generator(self.master, f"work sample {phase} {before} {part}", self.name)

    def _observe(self, size: int, x: Tensor) -> Tensor:
        """Sums over the chains of each block of f, of f^2, and of those far off, one that is not finite, which counts as 0, being too many of these,
        (1, cell, chain, d) -> (1, cell, block, 2 function + 1).
        """
        f, distance = self.panel.values(x), self.target.distance(x)[..., None]
        finite = (f.sum(-1, keepdim=True) + distance).isfinite()
        f = f.where(finite, 0.0)
        far = (distance > FAR * self.target.radius).double().where(finite, torch.inf)
        return torch.cat([numbers.unflatten(-2, (-1, size)).sum(-2) for numbers in (f, f.square(), far)], -1)

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


def _records(budget: int, each: int, phase: str) -> list[int]:
    """Gradients at which the curve is taken: every step first, then in proportion, and evenly along the plateau.

    Of a final run at every step for longer, and then closer: a velocity swings within a few steps, and records that are further apart miss it.
    """
    if not each:
        return [budget]
    last = budget // each
    every = min(EVERY if phase == FINAL else 1, last)
    number = math.ceil(math.log(last / every) / math.log(CLOSE)) + 1 if phase == FINAL else RECORDS
    steps = np.concatenate([np.arange(1, every), np.geomspace(every, last, number), np.linspace(max(LAST * last, 1), last, PLATEAU)])
    return [each * int(k) for k in np.unique(steps.round())]
