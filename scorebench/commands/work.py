"""Samplers by their work to accuracy, by hand: the protocol of the workflow's table `work` (`engine.search`) and its words (`report.words`), at T = 1.

A sampler with its step size is one cell, of which there is a final run. One without is tuned by the workflow's search, from steps that are STEPS times the
law's variance of one coordinate, and from half, once and twice the default of each number that it tunes and that its spec does not say. Each contestant has a
process of its own; what takes no gradients, or starts from the law, is a control and has no work.

Two runs of one law differ by more than the error of a crossing where a step was searched for, since they choose another, and where the plateau comes near
epsilon, since the curve is flat there: a word then takes a ratio beyond the margin. Where the plateau's interval has epsilon in it, it is not known whether
there is a work, and there is no word.
"""

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scorebench.core.errors import InputError
from scorebench.core.schema import OK, Ended, Status
from scorebench.core.spec import Spec, parse_all
from scorebench.engine.arrival import SUMMARIES, Arrival
from scorebench.engine.attempt import attempt, deadline, preload
from scorebench.engine.bench import Bench, Cell
from scorebench.engine.device import prepare
from scorebench.engine.process import isolated
from scorebench.engine.search import search
from scorebench.engine.target import built
from scorebench.report import words
from scorebench.report.work import competes
from scorebench.store import artifacts
from scorebench.suite.config import BLOCKS, Accuracy
from scorebench.suite.jobs import Begin, Work, has_step, over

STEPS = 2.0 ** np.arange(-6, 2)
"""Where the search begins; it goes on beyond an edge by itself."""
SMALLER = (1.0, 2.0**-8, 2.0**-16)
"""Where no step of a grid is stable, it begins again with steps so many times as large."""
PILOT = 1_280
"""Chains of each cell of a search."""
NEAR = 0.7
"""A plateau above this share of epsilon is near."""
MEGABYTES = 4_000.0

Row = dict[str, Any]
"""What is known of a contestant's work, as JSON has it."""


class Contestant(NamedTuple):
    """A sampler as given."""

    spec: Spec
    said: frozenset[str]
    """The options that its text names, those at their defaults, too."""

    @property
    def tuned(self) -> bool:
        """Whether its step is searched for."""
        return has_step(self.spec) and "step_size" not in self.said

    @property
    def competes(self) -> bool:
        """Else it is a control."""
        return competes(self.spec)


def contestants(texts: Sequence[str]) -> list[Contestant]:
    """Raises InputError with a line a mistake."""
    said = [frozenset(item.partition("=")[0].strip() for item in text.partition(":")[2].split(",")) for text in texts]
    return [Contestant(*pair) for pair in zip(parse_all("sampler", texts, grid=True), said, strict=True)]


class Measured(NamedTuple):
    """A contestant's work: the logarithms of it without each block, by summary of the panel, and the row."""

    logs: Mapping[str, np.ndarray]
    row: Row


def whole_blocks(chains: int) -> int:
    """As many chains, or the next number of which a work can be measured."""
    return max(math.ceil(chains / BLOCKS), 2) * BLOCKS


def works(
    target: Spec, its: Sequence[Contestant], budget: int, chains: int, master: int, minutes: float, tell: Callable[[str, bool], None]
) -> list[Row]:
    """A row a contestant, with the word that it is entitled to against all others.

    Raises InputError for one without a step size where there is no work to tune it by.
    """
    accuracy = Accuracy(pilot=PILOT, final=chains)
    found: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, one in enumerate(its):
            if not one.competes:
                found.append(_none(one, Ended(Status.NOT_APPLICABLE, "a control")))
                continue
            path = Path(folder, f"{number}.npz")
            head = f"{number + 1} of {len(its)}: {one.spec}"
            tell(head + (", whose step is searched for" if one.tuned else ""), True)

            def write(one: Contestant = one, path: Path = path, head: str = head) -> None:
                limit = deadline(minutes)
                artifacts.write_arrays(
                    path, *measured(target, one, budget, accuracy, master, limit, lambda text: tell(f"{head}: {text}", False))
                )

            left = isolated(write, 60 * minutes, MEGABYTES)
            found.append(Measured(*artifacts.read_arrays(path)) if left.ended == OK else _none(one, left.ended))
    standings = words.compared(SUMMARIES, entries(found), accuracy.margin)[SUMMARIES[0]]
    return [_finite(_first(its.row) | (standings[str(n)]._asdict() if str(n) in standings else {})) for n, its in enumerate(found)]


def _none(one: Contestant, ended: Ended, **more: bool) -> Measured:
    return Measured({}, {"cell": str(one.spec), **ended._asdict(), **more})


class _Told(Bench):
    """A bench that says what it is at."""

    tell: Callable[[str], None]

    def cells(self, sampler: Spec, steps: Sequence[float | None], budget: int, chains: int, phase: str) -> list[Cell]:
        self.tell(f"{phase}, {sampler}, {', '.join(f'{step:g}' for step in steps if step is not None)}")
        return super().cells(sampler, steps, budget, chains, phase)

    def more(self, cell: Cell) -> Cell:
        self.tell(f"{2 * cell.chains:,} chains, {cell.sampler}")
        return super().more(cell)


def measured(
    target: Spec,
    one: Contestant,
    budget: int,
    accuracy: Accuracy,
    master: int,
    limit: float,
    tell: Callable[[str], None] = lambda text: None,
) -> Measured:
    """Measure one contestant here, up to a `deadline`; `bench` of its row is false where the target's law has no panel."""
    prepare("cpu")
    preload(target, one.spec)
    bench, ended = attempt(lambda: _Told(built(target), target, master, accuracy, limit), limit)
    if bench is None:
        if one.tuned:
            raise InputError(
                f"sampler {str(one.spec)!r}: option 'step_size' is missing, and there is no work to tune it by: {ended.reason or ended.status}"
                f" (allowed: for example {one.spec}:step_size=0.05)"
            )
        return _none(one, ended, bench=False)
    bench.tell = tell
    cell = _searched(target, one, bench, budget) if one.tuned else _given(one, bench, budget)
    if cell is None:
        return _none(one, Ended(Status.FAILED, "no step size that was tried ended well"))
    full = cell.sampler if cell.step_size is None else cell.sampler.having("step_size", cell.step_size)
    row = {"cell": str(full), **cell.ended._asdict(), "start": bench.start.text, "epsilon": accuracy.epsilon, "margin": accuracy.margin}
    row |= {"chains": cell.chains, "budget": cell.budget, "tuned": one.tuned}
    if not cell.arrivals:
        return Measured({}, row)
    tell("in equilibrium")
    biases, _ = attempt(lambda: bench.equilibrium(cell), limit)
    row |= {"ess_per_gradient": min((bias.ess_per_gradient for bias in biases), key=lambda ess: (ess == ess, ess)) if biases else math.nan}
    arrivals = dict(zip(SUMMARIES, cell.arrivals, strict=True))
    row |= {"panels": {name: _arrived(arrival) for name, arrival in arrivals.items()}}
    return Measured({name: arrival.logs for name, arrival in arrivals.items()}, row)


def _given(one: Contestant, bench: Bench, budget: int) -> Cell:
    step = dict(one.spec.given).get("step_size")
    (cell,) = bench.cells(one.spec.without("step_size"), [step], budget, bench.accuracy.final, "final")
    return cell


def _searched(target: Spec, one: Contestant, bench: Bench, budget: int) -> Cell | None:
    grid = {
        option: tuple(dict.fromkeys(_near(value, ratio) for ratio in (0.5, 1, 2)))
        for option, value in one.spec.tuned.items()
        if option not in one.said and isinstance(value, int | float) and not isinstance(value, bool)
    }
    samplers = parse_all("sampler", over(grid, [str(one.spec)]))
    unit = bench.target.variance / bench.target.dim
    for smaller in SMALLER:
        steps = tuple(float(f"{unit * smaller * step:.3g}") for step in STEPS)
        found = search(Work(target, one.spec.method, tuple(Begin(sampler, steps, budget) for sampler in samplers)), bench)
        if found.chosen is not None or not all(cell.ended.status == Status.DIVERGED for cell in found.cells):
            break
    return found.chosen or next((cell for cell in found.cells if cell.ended != OK), None)


def _near(value: float, ratio: float) -> float:
    return max(1, round(value * ratio)) if isinstance(value, int) else value * ratio


def _arrived(arrival: Arrival) -> Row:
    low, high = arrival.interval
    row = _finite({"gradients": arrival.gradients if arrival.reached else math.nan, "low": low, "high": high})
    return row | {name: getattr(arrival, name) for name in ("plateau", "plateau_low", "plateau_high")}


def entries(found: Sequence[Measured]) -> dict[str, dict[str, words.Entry]]:
    """By summary and number of the contestant, of those that ended well."""
    by_summary: dict[str, dict[str, words.Entry]] = {name: {} for name in SUMMARIES}
    for number, (logs, row) in enumerate(found):
        for name, panel in row.get("panels", {}).items():
            reached = panel["gradients"] is not None
            plateau = (panel["plateau_low"], panel["plateau_high"])
            known = not plateau[0] < row["epsilon"] < plateau[1]
            least = math.inf if not known else row["margin"] if row["tuned"] or _near_to(row, plateau) else 1.0
            work = panel["gradients" if reached else "low"]
            least *= words.beyond(work, panel["high"] or math.inf, logs[name]) if reached else 1.0
            by_summary[name][str(number)] = words.Entry(work, logs[name] if reached else None, plateau, least)
    return by_summary


def _near_to(row: Row, plateau: tuple[float, float]) -> bool:
    return plateau[1] > NEAR * row["epsilon"] and plateau[0] < row["epsilon"] / NEAR


def _first(row: Row) -> Row:
    """The row with the panel's maximum alone."""
    if "panels" not in row:
        return row
    panel = row["panels"][SUMMARIES[0]]
    reached = {} if panel["gradients"] is not None else {"status": str(Status.NOT_REACHED)}
    return {name: value for name, value in row.items() if name != "panels"} | panel | reached


def _finite(row: Row) -> Row:
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()}
