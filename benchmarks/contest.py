"""One piece of work, done by several contestants in strict alternation, once all were seen to compute the same.

Every round measures each contestant once, in the same order, so that a machine that slows down slows all; what is compared is within a round.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import torch

OURS = "scorebench"
"""The contestant that ratios are to."""
COVERAGE = 0.95
"""Of intervals, at least."""
LEAST_ROUNDS = 6
"""Below it no interval between two order statistics covers the median so often."""
NUMBERS = ("median", "low", "high", "ratio", "ratio_low", "ratio_high", "rounds")
"""Of who was timed: low and high are quartiles; the ratio to `OURS` is a median of rounds, with its interval."""
DEFAULTS, SAME = ("torchebm", "ebmkit"), "same products"
"""scorebench lets torch multiply matrices by oneDNN where that is as exact (`scorebench.engine.device`). Whose name starts with one of these is measured as it
comes, at torch's default, unless its name says `SAME`.
"""


@contextmanager
def products(contestant: str) -> Iterator[None]:
    """Torch's matrix products as the contestant has them."""
    precision = torch.get_float32_matmul_precision()
    if contestant.startswith(DEFAULTS) and not contestant.endswith(SAME):
        torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)


@dataclass(frozen=True, eq=False)
class Work:
    """What is done, by whom, and how it is checked and measured."""

    name: str
    label: str
    unit: str
    """Of what is measured; less is better."""
    contestants: Mapping[str, Callable[[], Any]]
    """Makes each; raises ImportError where its library is not there."""
    differs: Callable[[Any], str]
    """How what a contestant computes differs from a reference; nothing where it does not."""
    measure: Callable[[Any], float]
    """Does the work once, and says what it took."""
    wanted: str = ""
    """What scorebench aims at, in words."""


def clocked(function: Callable[[], Any]) -> float:
    """Seconds, until the device is done."""
    _wait()
    clock = time.perf_counter()
    function()
    _wait()
    return time.perf_counter() - clock


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def compete(work: Work, rounds: int, tell: Callable[[str], None] = print) -> pd.DataFrame:
    """A row a contestant: what it took over the rounds, or why it was not timed.

    Whoever computes something else is refused. A round comes before those that count, in which everything is compiled. Raises ValueError where there are
    too few rounds for an interval.
    """
    if rounds < LEAST_ROUNDS:
        raise ValueError(f"an interval takes {LEAST_ROUNDS} rounds or more, not {rounds}")
    ready, rows = {}, []
    for name, make in work.contestants.items():
        status = "ok"
        try:
            with products(name):
                contestant = make()
                if why := work.differs(contestant):
                    status = f"refused: {why}"
                else:
                    ready[name] = contestant
        except ImportError as error:
            status = f"not installed: {(error.name or str(error)).partition('.')[0]}"
        except Exception as error:  # a step by hand, where there is no C++ compiler
            status = f"failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
        tell(f"{work.name}: {name}: {status}")
        rows.append(
            {"work": work.name, "label": work.label, "unit": work.unit, "contestant": name, "status": status, "wanted": work.wanted}
        )
    taken: dict[str, list[float]] = {name: [] for name in ready}
    for _ in range(1 + rounds):
        for name, contestant in ready.items():
            with products(name):
                taken[name].append(work.measure(contestant))
    frame = pd.DataFrame(rows, columns=[*rows[0], *NUMBERS]).astype(dict.fromkeys(NUMBERS, float))
    for i, name in enumerate(frame["contestant"]):
        if name in taken:
            times = np.array(taken[name][1:])
            frame.loc[i, ["median", "low", "high"]] = np.quantile(times, [0.5, 0.25, 0.75])
            if OURS in taken:
                frame.loc[i, ["ratio", "ratio_low", "ratio_high"]] = median_interval(times / np.array(taken[OURS][1:]))
            frame.loc[i, "rounds"] = rounds
    return frame


def median_interval(values: np.ndarray) -> tuple[float, float, float]:
    """The median, and two order statistics that hold the law's median between them with a probability of `COVERAGE` or more, whatever the law.

    The median lies below the k-th of n with probability P(Bin(n, 1/2) < k).
    """
    ordered, n = np.sort(values), len(values)
    below = np.cumsum([comb(n, j) for j in range(n)]) / 2.0**n  # below[k - 1] = P(Bin < k)
    k = int((below <= (1 - COVERAGE) / 2).sum())
    if not k:
        raise ValueError(f"{n} values are too few for an interval of {COVERAGE:.0%}")
    return float(np.median(ordered)), float(ordered[k - 1]), float(ordered[n - k])
