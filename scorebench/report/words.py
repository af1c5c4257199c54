r"""Who needs the least work, by how much, and which word is entitled.

On a target the methods' works stand in pairs, block by block of the same chains' starts and random numbers, so that the logarithm of a ratio has the error of
`core.jackknife`. The intervals of all ratios of two methods hold together at 95 % (max-t over all pairs, since the best is found by looking).

    better      of the best: every interval of its ratios excludes 1
    worse       of another: its ratio to the best excludes 1
    equivalent  the ratio lies within the margin, and the plateaus do not differ by more than chance
    undecided   else

Where the error is not all that may be wrong with the best's work, the interval has to exclude more than 1 (`Entry.least`); what is not known of a
rival's, a later swing or whether it arrives at all, can only make that longer.
A method that did not arrive enters with at least the budget: it has the lower end of an interval, and none above. `detectable` is the smallest ratio that would
have been told from 1 in 9 of 10 runs. Beside the panel's maximum its mean vetoes: who is best by one is not better than who is significantly
better by the other.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scorebench.core.jackknife import influences, joint_quantile, standard_error, t_quantile

LEVEL, SEEN = 0.95, 0.9


class Entry(NamedTuple):
    """A method's work on a target by one summary."""

    gradients: float
    """Where it did not arrive, what it is at least."""
    logs: np.ndarray | None
    """Logarithms without each block, (block,); none where it did not arrive."""
    plateau: tuple[float, float] = (0.0, 0.0)
    """Its interval."""
    least: float = 1.0
    """What the interval of a rival's ratio to it must exclude, up to this, to be worse; infinite where it is not known whether it arrives at all."""


class Standing(NamedTuple):
    """How a method stands to the best."""

    word: str
    ratio: float = math.nan
    ratio_low: float = math.nan
    ratio_high: float = math.nan
    detectable: float = math.nan


def beyond(gradients: float, high: float, logs: np.ndarray) -> float:
    """By what factor the upper end of a work's interval lies beyond that of its logarithm's errors: by a later swing that is not told from epsilon, say."""
    if not gradients > 0 or not math.isfinite(high) or not np.isfinite(logs).all():
        return 1.0
    half = t_quantile(len(logs), (1 + LEVEL) / 2) * float(standard_error(logs))
    return max(high / (gradients * math.exp(half)), 1.0)


def standings(entries: Mapping[str, Entry], margin: float) -> dict[str, Standing]:
    """By method, of two methods or more that have a work; the best first."""
    arrived = {name: entry for name, entry in entries.items() if entry.logs is not None and np.isfinite(entry.logs).all()}
    if not arrived:
        return {name: Standing("undecided") for name in entries}
    best = min(arrived, key=lambda name: (arrived[name].least == math.inf, arrived[name].gradients))
    pairs = list(itertools.combinations(arrived, 2))
    influence = {name: influences(np.asarray(entry.logs)) for name, entry in arrived.items()}
    blocks = len(influence[best])
    alone = t_quantile(blocks, (1 + LEVEL) / 2)
    limit = max(joint_quantile(np.stack([influence[a] - influence[b] for a, b in pairs], 1), LEVEL), alone) if pairs else alone
    rivals = {
        name: _against(entries[name], entries[best], influence.get(name), influence[best], limit, margin)
        for name in entries
        if name != best
    }
    return {best: _best(rivals)} | rivals


def _against(entry: Entry, best: Entry, own: np.ndarray | None, its: np.ndarray, limit: float, margin: float) -> Standing:
    ratio = entry.gradients / best.gradients
    error = float(np.sqrt(((own if own is not None else 0.0) - its) @ ((own if own is not None else 0.0) - its)))
    low, high = ratio * math.exp(-limit * error), ratio * math.exp(limit * error)
    least = best.least
    detectable = least * math.exp((limit + t_quantile(len(its), SEEN)) * error) if math.isfinite(least) else math.nan
    if own is None:
        return Standing("worse" if low > least else "undecided", math.nan, low, math.nan, detectable)
    apart = entry.plateau[0] > best.plateau[1] or best.plateau[0] > entry.plateau[1]
    alike = high < margin and low > 1 / margin and not apart and math.isfinite(entry.least)
    word = "worse" if low > least else "equivalent" if alike else "undecided"
    return Standing(word, ratio, low, high, detectable)


def _best(rivals: Mapping[str, Standing]) -> Standing:
    words = {standing.word for standing in rivals.values()}
    word = "" if not words else "better" if words == {"worse"} else "undecided" if "undecided" in words else "equivalent"
    return Standing(word, 1.0)


def vetoed(first: Mapping[str, Standing], other: Mapping[str, Standing]) -> dict[str, Standing]:
    """The standings by the first summary: who is better is undecided where by the other summary it is significantly worse than its best."""
    return {
        name: standing._replace(word="undecided")
        if standing.word == "better" and name in other and other[name].word == "worse"
        else standing
        for name, standing in first.items()
    }


def compared(names: Sequence[str], entries: Mapping[str, Mapping[str, Entry]], margin: float) -> dict[str, dict[str, Standing]]:
    """By summary: the first decides, each of the others can veto it."""
    standing = {name: standings(entries[name], margin) for name in names}
    for other in names[1:]:
        standing[names[0]] = vetoed(standing[names[0]], standing[other])
    return standing
