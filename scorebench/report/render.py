"""How tables are shown: a row a method, a column a metric; cells, Markdown, LaTeX."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from scorebench.claims.base import BOUND, LEAST
from scorebench.core.schema import Ended, Status
from scorebench.core.spec import labels, parse
from scorebench.report import ranking
from scorebench.report.choosing import lower_is_better
from scorebench.report.decomposition import KEYS as DECOMPOSED
from scorebench.report.decomposition import PARTS, by_first_metric
from scorebench.report.ranking import three, with_ends
from scorebench.report.tables import OTHERS

KEYS = {"losses": ["target", "model", "loss"], "samplers": ["target", "model", "loss", "sampler", "temperature", "step_size"]}


@dataclass(frozen=True)
class Cell:
    """A mean with its interval, the floor of such a mean where lower is better, a note, how many of the seeds ended otherwise, and whether it is the best."""

    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan
    floor: float = math.nan
    seeds: int = 0
    note: str = ""
    others: Mapping[str, int] = field(default_factory=dict)
    best: bool = False

    @property
    def _never(self) -> bool:
        return not self.seeds and Status.NOT_APPLICABLE in self.others

    @property
    def value(self) -> str:
        """The mean; a dash where there can be none on any seed."""
        if self._never:
            return "-"
        return "" if math.isnan(self.mean) else three(self.mean)

    @property
    def rest(self) -> list[str]:
        """The interval with the floor in parentheses, then what went wrong."""
        if self._never:
            return []
        interval = "" if math.isnan(self.low) else f"[{three(self.low)}, {three(self.high)}]"
        floor = f"({three(self.floor)})" if self.value and not math.isnan(self.floor) else ""
        every = self.seeds + sum(self.others.values())
        return [
            *filter(None, [" ".join(filter(None, [interval, floor])), self.note]),
            *(f"{status.replace('_', ' ')} {n}/{every}" for status, n in self.others.items()),
        ]

    def __str__(self) -> str:
        number, *lost = [" ".join(filter(None, [self.value, *self.rest[:1]])), *self.rest[1:]] if self.value else ["", *self.rest]
        return "; ".join(filter(None, [number + (" *" if self.best else ""), *lost]))


def _cell(row: pd.Series) -> Cell:
    floor = row.get("floor_q95", math.nan) if lower_is_better(parse("metric", row["metric"])) else math.nan
    others = {str(status): int(row[status]) for status in OTHERS if row[status]}
    few = row["low"] < 0 and bool(parse("metric", row["metric"]).entry.facts.get("EXACT"))  # of an error, which cannot be negative
    low, high = (math.nan, math.nan) if few else (row["low"], row["high"])
    return Cell(row["mean"], low, high, floor, int(row["seeds"]), FEW if few else "", others, bool(row["best"]))


FEW = "(no interval: few seeds make the mean)"


def wide(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """The table of losses or samplers, a row a method; cells are `Cell`s, those of the keys text."""
    cells = table.assign(cell=pd.Series([_cell(row) for _, row in table.iterrows()], table.index, object))
    return _pivot(cells, KEYS[name], "metric", {metric: label.replace("_", " ") for metric, label in _labels(table["metric"]).items()})


def _labels(metrics: pd.Series) -> dict[str, str]:
    """A label a metric, no two alike: of those that are, the spec stands behind."""
    specs = {metric: parse("metric", metric) for metric in dict.fromkeys(metrics)}
    told = labels(specs.values())
    return {metric: told[spec] for metric, spec in specs.items()}


def decomposition(table: pd.DataFrame) -> pd.DataFrame:
    """A row a source and sampler, a column a part, by the first metric on each target."""
    first = by_first_metric(table)
    cells = first.assign(cell=_cells(first, "mean", "low", "high"))
    return _pivot(cells, [*DECOMPOSED, "metric"], "part", PARTS)


def _cells(table: pd.DataFrame, *columns: str) -> pd.Series:
    return pd.Series([Cell(*numbers) for numbers in table[list(columns)].to_numpy(float)], table.index, object)


def _pivot(cells: pd.DataFrame, keys: list[str], column: str, heads: Mapping[str, str]) -> pd.DataFrame:
    """Rows in the order in which they first come, columns in that of `heads`."""
    rows: dict[tuple[Any, ...], dict[str, Cell]] = {}
    for key, head, cell in zip(cells[keys].map(text).itertuples(index=False, name=None), cells[column], cells["cell"], strict=True):
        rows.setdefault(key, {})[heads[head]] = cell
    shown = [[*key, *(by_head.get(head, Cell()) for head in heads.values())] for key, by_head in rows.items()]
    return pd.DataFrame(shown, columns=[*keys, *heads.values()], dtype=object)


def claims(table: pd.DataFrame) -> pd.DataFrame:
    """The table of claims as a reader wants it."""
    shown = table[["label", "verdict"]].rename(columns={"label": "the statement"})
    for head, group in (("as written", "stated"), ("corrected", "corrected")):
        shown[head] = [f"{agree} of {n}" if n else "" for agree, n in zip(table[f"{group}_agree"], table[group], strict=True)]
    told = [Told.of(*numbers) for numbers in zip(*(table[name] for name in TOLD), strict=True)]
    return shown.assign(
        **{"a number that tells": [t.name for t in told], "it says": [t.says for t in told], "measured": [t.measured for t in told]}
    )


TOLD = ("number", "predicted", "measured", "standard_error")


class Told(NamedTuple):
    """A claim's number as text: its name, what the statement says of it, and what was measured."""

    name: str
    says: str
    measured: str

    @classmethod
    def of(cls, name: str, predicted: float, measured: float, standard_error: float) -> "Told":
        """Of a bound or an inequality, whose name ends in it, the statement says that; of a question, which has 1 for yes, yes or no."""
        if not isinstance(name, str) or not name:  # nothing was measured
            return cls("", "", "")
        if QUESTION in name:
            return cls(name.replace(QUESTION, ""), *("yes" if x else "no" for x in (predicted, measured)))
        border = re.search(rf"\b({BOUND}|{LEAST}) (\S+)$", name)
        says = f"{'≤' if border[1] == BOUND else '≥'} {border[2]}" if border else number(predicted)
        return cls(name, says, number(measured) + (f" ± {standard_error:.2g}" if standard_error else ""))


QUESTION = " (1: yes)"


def number(x: float) -> str:
    """A claim's number."""
    return "" if math.isnan(x) else f"{x:,.0f}" if 1e4 <= abs(x) < 1e7 else f"{x:.4g}"


def sensitivity(table: pd.DataFrame) -> pd.DataFrame:
    """A row a metric, a column a fault: the share of alarms with its interval."""
    cells = table.assign(cell=_cells(table, "share", "low", "high"))
    cells["metric"] = table["metric"].map(_labels(table["metric"]))
    return _pivot(cells, ["target", "metric"], "fault", {fault: fault.replace("_", " ") for fault in dict.fromkeys(table["fault"])})


def work(table: pd.DataFrame) -> pd.DataFrame:
    """A row a method at its chosen cell, by the panel's maximum: its work, what it stays at, and how it stands to the best; without a cell how it ended."""
    shown = ranking.shown(table)
    ends = {name: shown[list(columns)].to_numpy(float) for name, columns in _ENDS.items()}
    return pd.DataFrame(
        {
            "target": shown["target"],
            "sampler": shown["sampler"].where(shown["chosen"], shown["method"]),
            "step_size": shown["step_size"].where(shown["chosen"]).map(text),
            "gradients": [_spent(*row) for row in zip(shown["status"], shown["reason"], *ends["work"].T, strict=True)],
            "squared bias left": [with_ends(*its) for its in ends["plateau"]],
            "word": shown["word"],
            "times the best": [with_ends(*its) for its in ends["ratio"]],
            "would be seen": [text(round(ratio, 2)) for ratio in shown["detectable"]],
        }
    )


def _spent(status: str, reason: str, value: float, low: float, high: float) -> str:
    if status == Status.OK:
        spent = with_ends(value, low, high)
    elif status == Status.NOT_REACHED and low:
        spent = f"more than {low:,.0f}"
    else:
        return str(Ended(Status(status), reason)).replace(status, status.replace("_", " "), 1)
    return f"{spent}; {reason}" if reason else spent


_ENDS = {
    "work": ("gradients", "low", "high"),
    "plateau": ("plateau", "plateau_low", "plateau_high"),
    "ratio": ("ratio", "ratio_low", "ratio_high"),
}
"""A number and its interval."""


def equilibrium(table: pd.DataFrame) -> pd.DataFrame:
    """A row a method: the function with the largest bias, and the one with the fewest effective draws."""
    rows = []
    for _, group in table.groupby(["target", "method"], sort=False):
        worst = group.iloc[int(group["bias"].abs().argmax())]
        draws = group["ess_per_gradient"]
        slowest = (
            "no number: some function has not mixed"
            if draws.isna().any()
            else f"{draws.min():.3g} ({group['function'].iloc[int(draws.argmin())]})"
        )
        bias = f"{with_ends(worst['bias'], worst['low'], worst['high'])} ({worst['function']})"
        key = {"target": worst["target"], "sampler": worst["sampler"], "step_size": text(worst["step_size"])}
        rows.append(key | {"largest bias, in sd": bias, "effective draws a gradient": slowest})
    return pd.DataFrame(rows, columns=["target", "sampler", "step_size", "largest bias, in sd", "effective draws a gradient"])


SHOWN: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "losses": lambda table: wide("losses", table),
    "samplers": lambda table: wide("samplers", table),
    "work": work,
    "equilibrium": equilibrium,
    "decomposition": decomposition,
    "learning_rates": lambda table: table,
    "tuned": lambda table: table,
    "sensitivity": sensitivity,
    "claims": claims,
}
"""Each table as Markdown and LaTeX show it."""


def text(value: Any) -> str:
    """A cell as text."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.map(text).to_numpy().tolist()]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def latex(table: pd.DataFrame) -> str:
    """A LaTeX tabular for booktabs, in ASCII: a character without a command below is a question mark, since LaTeX would stop at it."""
    code = table.map(text).to_latex(index=False, escape=True)
    for character, command in {
        "σ": r"$\sigma$",
        "λ": r"$\lambda$",
        "²": "$^2$",
        "₂": "$_2$",
        "ä": r"\"a",
        "≤": r"$\le$",
        "≥": r"$\ge$",
        "±": r"$\pm$",
    }.items():
        code = code.replace(character, command)
    return code.encode("ascii", "replace").decode()
