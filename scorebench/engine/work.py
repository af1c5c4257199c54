"""The work of a method on a target, as rows and arrays: all cells of its search, the curves of the chosen one, and its bias in equilibrium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from scorebench.core.errors import NotApplicable
from scorebench.core.jackknife import standard_error, t_quantile
from scorebench.core.schema import Ended, Status
from scorebench.engine import gap, gaussian
from scorebench.engine.arrival import LEVEL, SUMMARIES
from scorebench.engine.attempt import attempt
from scorebench.engine.bench import FINAL, Bench, Cell
from scorebench.engine.kernel import KernelBias
from scorebench.engine.search import search
from scorebench.store import works
from scorebench.suite.jobs import Work, gradients, has_step, ladder

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.config import Accuracy


def method(job: Work, bench: Bench) -> works.Method:
    """All of a method as rows and arrays: its cells, and of the chosen one the curves and the bias in equilibrium."""
    found = search(job, bench)
    chosen = found.chosen
    rows = [row for cell in found.cells for row in _rows(job, cell, bench.accuracy.epsilon, bench.start.text, cell is chosen)]
    if chosen is not None and (foretold := _by_the_gap(chosen, bench)):
        rows = [row | {"reason": foretold} if row["chosen"] and row["status"] == Status.NOT_REACHED else row for row in rows]
    if chosen is None or not chosen.arrivals:
        return works.Method(str(job.target), str(job.method), bench.start.text, rows, [], {}, {})
    logs = {name: summary.logs for name, summary in zip(SUMMARIES, chosen.arrivals, strict=True)}
    curves = {name: np.stack([curve[0], standard_error(curve[1:])]) for name, curve in zip(SUMMARIES, chosen.curve, strict=True)}
    curves |= {"gradients": chosen.gradients} | _exactly(chosen, bench)
    if chosen.arrivals[0].reached and gradients(chosen.sampler):
        kernel, _ = attempt(lambda: bench.kernel(chosen), bench.limit)
        rows = [row | _by_the_kernel(kernel) if row["chosen"] and kernel else row for row in rows]
    biases, _ = attempt(lambda: bench.equilibrium(chosen), bench.limit)
    key = {"target": str(job.target), "method": str(job.method), "sampler": str(chosen.sampler), "step_size": chosen.step_size}
    equilibrium = [key | bias._asdict() for bias in biases or ()]
    return works.Method(str(job.target), str(job.method), bench.start.text, rows, equilibrium, logs, curves)


def _by_the_kernel(its: KernelBias) -> dict[str, float]:
    """What can veto: its squared bias with a 95 % interval."""
    half = t_quantile(len(its.values) - 1, (1 + LEVEL) / 2) * float(standard_error(its.values[1:]))
    return {"kernel": float(its.values[0]), "kernel_low": float(its.values[0]) - half, "kernel_high": float(its.values[0]) + half}


def _exactly(cell: Cell, bench: Bench) -> dict[str, np.ndarray]:
    """Each summary of b^2 at the records, (record,), where it follows from the sampler's recursion on a Gaussian; nothing elsewhere."""
    if cell.step_size is None:
        return {}
    try:
        law = gaussian.gaussian(bench.target)
        exact = gaussian.curve(cell.sampler, cell.step_size, law, _begin(bench), int(cell.gradients[-1]))
    except NotApplicable:
        return {}
    bias = exact.bias[np.searchsorted(exact.gradients, cell.gradients)]
    return {f"exact {name}": values for name, values in zip(SUMMARIES, (bias.max(-1), bias.mean(-1)), strict=True)}


def _by_the_gap(cell: Cell, bench: Bench) -> str:
    """What the spectral gap says of a step, of a sampler with a gradient a step and nothing else to tune, where weights of two modes come right in the end."""
    spec = cell.sampler
    if cell.step_size is None or gradients(spec) != 1 or spec.tuned or ladder(spec):
        return ""
    try:
        foretold = gap.slowest(bench.target, _begin(bench)).gradients(cell.step_size, bench.accuracy.epsilon)
    except NotApplicable:
        return ""
    return f"by its spectral gap Langevin dynamics takes {float(f'{foretold:.2g}'):,.0f} at this step"


def _begin(bench: Bench) -> gaussian.Gaussian:
    """Where chains start. Raises NotApplicable where that is no Gaussian."""
    if bench.target.prior is None:
        raise NotApplicable("it has no prior")
    wide = gaussian.gaussian(bench.target.prior)
    return wide._replace(mean=wide.mean - bench.start.shift)


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
            if cell.phase == FINAL and summary.reached and not summary.told:
                row["reason"] = "later it may be above"
        yield row
