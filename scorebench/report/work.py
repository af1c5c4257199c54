"""The tables of the comparison of samplers: every cell's work, with the words of the chosen ones, and their bias in equilibrium."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scorebench.core import schema
from scorebench.core.schema import Status
from scorebench.core.spec import Spec, parse
from scorebench.report import words
from scorebench.store.works import Method
from scorebench.suite.jobs import gradients

CHOICE = 1.05
"""What a ratio must exceed for a word: the pilot's choice, no part of the errors, costs less where it is known (tests/test_work_on_gaussians.py)."""
PANELS = ("max", "mean")
"""The first decides, the other can veto, as a kernel can."""


def work(by_target: Mapping[str, Sequence[Method]], margin: float) -> pd.DataFrame:
    """A row a target, sampler, cell and summary of the panel; of chosen cells with how they stand to the best on the target."""
    rows: list[dict[str, Any]] = []
    for methods in by_target.values():
        entries = {
            panel: {m.method: entry for m in methods if competes(parse("sampler", m.method)) and (entry := _entry(m, panel))}
            for panel in PANELS
        }
        standings = words.compared(PANELS, entries, margin)
        for method in methods:
            for cell in method.cells:
                standing = standings[cell["panel"]].get(method.method) if cell["chosen"] else None
                if standing and standing.word == "better" and _number(cell, "kernel_low") > cell["epsilon"]:
                    standing = standing._replace(word="undecided")
                rows.append(cell | (standing._asdict() if standing else {}))
    return schema.WORK.frame(rows)


def equilibrium(by_target: Mapping[str, Sequence[Method]]) -> pd.DataFrame:
    """A row a target, method and function."""
    return schema.EQUILIBRIUM.frame([row for methods in by_target.values() for method in methods for row in method.equilibrium])


def competes(sampler: Spec) -> bool:
    """A sampler that takes no gradients, or starts from the law, is a control."""
    return gradients(sampler) > 0 and sampler.entry.facts.get("START") != "target"


def _number(cell: Mapping[str, Any], name: str) -> float:
    """What files have no number for is not known."""
    value = cell.get(name)
    return math.nan if value is None else float(value)


def _entry(method: Method, panel: str) -> words.Entry | None:
    """The chosen cell of a method; none where it has none that ended well."""
    for cell in method.cells:
        if cell["chosen"] and cell["panel"] == panel and cell["status"] in (Status.OK, Status.NOT_REACHED):
            plateau = (_number(cell, "plateau_low"), _number(cell, "plateau_high"))
            if cell["status"] == Status.NOT_REACHED:
                return words.Entry(_number(cell, "low"), None, plateau, CHOICE)
            logs = np.asarray(method.logs[panel])
            known = plateau[1] <= cell["epsilon"] or plateau[0] >= cell["epsilon"]
            least = CHOICE * words.beyond(cell["gradients"], _number(cell, "high"), logs) if known else math.inf
            return words.Entry(cell["gradients"], logs, plateau, least)
    return None
