"""Which sampler takes the least work on a target, in words: by how much, with what right, and which bias its step leaves.

By the panel's maximum, from the table `work`, where the words stand (`report.words`). A plateau whose interval begins above zero is a bias: then the best of
the methods without one stands beside it.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from scorebench.core.schema import Status
from scorebench.core.spec import parse, written
from scorebench.report.work import PANELS, competes


class Leader(NamedTuple):
    """The answer of one target."""

    target: str
    choice: str
    """A sampler at its cell; where none arrives, that."""
    work: str
    bias: str
    """What the step leaves, and who leaves nothing; where none arrives, who came nearest. "" where there is nothing to say."""
    word: str
    against: str
    """How it stands to its rivals, the next one by name where it is better."""
    others: list[str]
    """Those that are not worse."""

    @property
    def label(self) -> str:
        """The target's name."""
        return parse("target", self.target).label


def cell(row: pd.Series) -> str:
    """A sampler at its step and tuned options."""
    sampler = parse("sampler", row["sampler"])
    at = [f"step {row['step_size']:g}"] if pd.notna(row["step_size"]) else []
    at += [f"{name.replace('_', ' ')} {written(value)}" for name, value in sampler.tuned.items()]
    return " at ".join(filter(None, [sampler.label, ", ".join(at)]))


def three(x: float) -> str:
    """A number to three digits, or whole."""
    return f"{x:,.0f}" if 999.5 <= abs(x) < 1e7 else f"{x:.3g}"


def with_ends(value: float, low: float, high: float) -> str:
    """A number with its interval; with its lower end alone where there is no more."""
    if math.isnan(value):
        return "" if math.isnan(low) else f"{three(low)} or more"
    return three(value) if math.isnan(low) else f"{three(value)} [{three(low)}, {three(high)}]"


def shown(table: pd.DataFrame, panel: str = PANELS[0]) -> pd.DataFrame:
    """A row a method by one summary of the panel: its chosen cell; where it has none, the first of its cells, which says how it ended."""
    rows = table[table["panel"] == panel]
    return rows.sort_values("chosen", ascending=False, kind="stable").drop_duplicates(["target", "method"]).sort_index()


def late(table: pd.DataFrame) -> set[tuple[str, str]]:
    """Target and method of who does not arrive within the budget: the worst mean of the panel is to."""
    rows = shown(table)
    return set(rows.loc[rows["gradients"].isna(), ["target", "method"]].itertuples(index=False, name=None))


def of_rivals(rows: pd.DataFrame) -> pd.DataFrame:
    """Those that compete: no controls."""
    return rows[rows["method"].map(lambda method: competes(parse("sampler", method))).astype(bool)]


def leaders(table: pd.DataFrame) -> Iterator[Leader]:
    """One a target on which a method that competes was measured at its chosen cell."""
    rows, means = (of_rivals(rows[rows["chosen"] & rows["plateau"].notna()]) for rows in (shown(table, panel) for panel in PANELS))
    for target, here in rows.groupby("target", sort=False):
        first = here[(here["ratio"] == 1) & here["ratio_low"].isna()]
        yield _none(here) if first.empty else _leader(first.iloc[0], here.drop(first.index[0]), means[means["target"] == target])


def _none(here: pd.DataFrame) -> Leader:
    near = here.sort_values("plateau").iloc[0]
    bias = f"nearest: {cell(near)}, {_plateau(near)}"
    return Leader(near["target"], f"none arrives within {here['budget'].max():,} gradients", "", bias, near["word"], "", [])


def _leader(first: pd.Series, rivals: pd.DataFrame, means: pd.DataFrame) -> Leader:
    bias = ""
    if first["plateau_low"] > 0:
        bias = _plateau(first)
        without = rivals[(rivals["status"] == Status.OK) & (rivals["plateau_low"] <= 0)]
        if len(without):
            other = without.sort_values("gradients").iloc[0]
            bias += f"; unbiased: {cell(other)}, {_work(other)}"
    against, others = _against(first, rivals, means)
    return Leader(first["target"], cell(first), _work(first), bias, first["word"], against, others)


def _against(first: pd.Series, rivals: pd.DataFrame, means: pd.DataFrame) -> tuple[str, list[str]]:
    if rivals.empty:
        return "no rival", []
    rivals = rivals.loc[rivals["ratio"].fillna(rivals["ratio_low"]).sort_values().index]
    level = rivals[rivals["word"] != "worse"]
    if first["word"] == "better":
        following = rivals.iloc[0]
        each = "its one rival" if len(rivals) == 1 else f"each of {len(rivals)} rivals; the next"
        return f"better than {each}: {cell(following)}, {_times(following)}", []
    if level.empty and first["kernel_low"] > first["epsilon"]:
        return f"undecided: by a kernel its b² is {with_ends(first['kernel'], first['kernel_low'], first['kernel_high'])}", []
    if level.empty:  # better by the maximum, but for the veto
        ahead = means[(means["ratio"] == 1) & means["ratio_low"].isna()].iloc[0]
        return f"undecided: by the panel's mean {cell(ahead)} is ahead", []
    others = [f"{cell(row)}, {_times(row)}{_seen(row)}" for _, row in level.iterrows()]
    to = "equivalent to" if first["word"] == "equivalent" else "undecided with"
    return f"{to} {len(level)} of {len(rivals)}", others


def _work(row: pd.Series) -> str:
    return f"{with_ends(row['gradients'], row['low'], row['high'])} gradients"


def _plateau(row: pd.Series) -> str:
    return f"b² stays at {with_ends(row['plateau'], row['plateau_low'], row['plateau_high'])}"


def _times(row: pd.Series) -> str:
    return f"{with_ends(row['ratio'], row['ratio_low'], row['ratio_high'])} times the work"


def _seen(row: pd.Series) -> str:
    """Of a rival that is undecided, the ratio that would have been told from one."""
    return f" ({row['detectable']:.3g} would have been seen)" if row["word"] == "undecided" and pd.notna(row["detectable"]) else ""
