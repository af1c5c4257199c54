"""How methods that are measured seed by seed stand to the best of them, in the words of `report.words`: the seeds are the units, each shared by all methods.

Of a divergence the ratio of geometric means is compared; of what may be negative the difference of means, for which there is no margin and so no "equivalent".
"""

import math
from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np

from scorebench.report import words

Key = TypeVar("Key", bound=Hashable)
ROUNDING = 1e-9
"""A ratio less 1, or a difference in units of the largest, that is less is none: one that is the same on every seed has no error."""


class Standing(NamedTuple):
    """To the best; `apart` is a ratio of divergences, else a difference, with an interval that holds for all pairs at once."""

    word: str
    apart: float = math.nan
    apart_low: float = math.nan
    apart_high: float = math.nan
    detectable: float = math.nan


def standings(values: Mapping[Key, np.ndarray], log: bool, margin: float) -> dict[Key, Standing]:
    """By method, the best first, of values a seed, in the same order of seeds, each finite. Without a word where there is one method or one seed."""
    seeds = len(next(iter(values.values())))
    every = np.stack(list(values.values()))
    centre, size = every.mean(), float(np.abs(every - every.mean()).max()) or 1.0
    x = {key: np.log(v) if log else (v - centre) / size for key, v in values.items()}
    if len(x) == 1 or seeds == 1:
        best = min(x, key=lambda key: float(x[key].mean()))
        return {key: Standing("") for key in (best, *(key for key in x if key != best))}
    entries = {
        str(number): words.Entry(math.exp(v.mean()), (v.sum() - v) / (seeds - 1), least=1 + ROUNDING) for number, v in enumerate(x.values())
    }
    keys = list(x)
    found = words.standings(entries, margin if log else 1.0)
    return {keys[int(name)]: _told(standing, log, size) for name, standing in found.items()}


def _told(standing: words.Standing, log: bool, size: float) -> Standing:
    ends = (standing.ratio, standing.ratio_low, standing.ratio_high, standing.detectable)
    return Standing(standing.word, *(ends if log else (size * math.log(end) if end > 0 else end for end in ends)))
