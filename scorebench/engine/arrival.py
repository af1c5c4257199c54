r"""When a sampler has arrived: the curve of its squared bias against gradients, and the first point from which it stays below a threshold.

Summaries of b^2 over the panel (`panel`), from sums over blocks of chains:

    max    the largest b^2. The function is found on the even blocks and b^2 taken on the odd, the other way round, and both averaged: of many functions with no
           bias the largest estimate would be that of chance.
    mean   over the panel.

*Work* is the first number of gradients at which the summary is below epsilon and after which, up to twice as many at least, it is never significantly above
(one-sided, 5 % over all later records together, by max-t). Near it chance swings the curve to and fro across epsilon, so that the first crossing comes too
early: what counts is for how many gradients from .8 to 1.25 times the first crossing it is above. Between records log b^2 is linear in the gradients, where
an estimate b^2 with standard error e, which may be negative, stands for (b^2 + sqrt(b^4 + 4 e^2))/2, and epsilon likewise: what is not told from 0 for about
its error, or epsilon/100 where that is more. The *plateau*, the mean over the last fifth of the budget, is what no further step removes.

Errors by leaving out one block of chains (`core.jackknife`). The interval reaches to where the curve was last seen above epsilon by its standard error, though
not significantly: a swing that so many chains do not resolve; and over the place between two records that the error of the second leaves open.
"""

from dataclasses import dataclass

import numpy as np

from scorebench.core.jackknife import influences, joint_quantile, standard_error, t_quantile
from scorebench.targets.lib.panel import Panel

SUMMARIES = ("max", "mean")
SIGNIFICANT = 0.05
LEVEL = 0.95
LAST = 0.8
"""From this share of the budget on is the plateau."""
LEAST = 0.01
"""The least error that a b^2 has where its logarithm is taken, in units of epsilon."""


NEAR = 1.2
"""How fast a curve falls at the work is taken from the work over this to the work times this."""
WINDOW = (0.8, 1.25)
"""Around the first crossing, in units of it."""
AROUND = 1.15
"""A curve is averaged over records nearer than this ratio where it is asked whether it is below for sure."""
DOUBT = 2.0
"""Standard errors of a record that the interval leaves open."""


@dataclass(frozen=True)
class Arrival:
    """How one summary of a cell went."""

    reached: bool
    gradients: float
    """Work where it is reached; else a lower bound of it."""
    logs: np.ndarray
    """Logarithm of the work without each block, (block,); not finite where it is not reached."""
    open: tuple[float, float]
    """What the interval covers in any case: see above."""
    plateau: float
    plateau_low: float
    plateau_high: float
    later: tuple[float, float] = (np.inf, np.inf)
    """Of what comes later, a swing or the plateau, the largest, less a standard error, and its upper end, in epsilon; infinite where it is not reached."""

    @property
    def told(self) -> bool:
        """Whether it is reached and nothing later may be above epsilon."""
        return self.later[1] < 1

    @property
    def half_width(self) -> float:
        """By what factor, less 1, the interval goes beyond the work, to the side where it is more; infinite where there is no interval."""
        low, high = self.interval
        if not low > 0 or not np.isfinite(high):
            return 0.0 if self.reached and self.gradients == 0 else np.inf
        return max(high / self.gradients, self.gradients / low) - 1

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the work, by its logarithm; the bound and infinity where it is not reached."""
        if not self.reached:
            return self.gradients, np.inf
        if self.gradients == 0:
            return 0.0, 0.0
        if not np.isfinite(self.logs).all():
            return np.nan, np.inf
        half = t_quantile(len(self.logs), (1 + LEVEL) / 2) * float(standard_error(self.logs))
        return min(self.gradients * np.exp(-half), self.open[0]), max(self.gradients * np.exp(half), self.open[1])


def curves(sums: np.ndarray, each: int, panel: Panel) -> np.ndarray:
    """Both summaries of b^2, (summary, 1 + block, record), from sums of f and f^2 over the chains of a block, (record, block, 2, function).

    A block has `each` chains, and there is an even number of blocks. The first of the second axis is of all, the others are without one.
    """
    blocks = sums.shape[1]
    half = np.arange(blocks) % 2
    left = np.arange(-1, blocks)[:, None] != np.arange(blocks)  # (1 + block, block), which are not left out
    every = _squared_bias(sums, left, each, panel)
    even, odd = (_squared_bias(sums, left & (half == h), each, panel) for h in (0, 1))
    largest = [np.take_along_axis(a, b.argmax(-1)[..., None], -1)[..., 0] for a, b in ((even, odd), (odd, even))]
    return np.stack([(largest[0] + largest[1]) / 2, every.mean(-1)])


def _squared_bias(sums: np.ndarray, kept: np.ndarray, each: int, panel: Panel) -> np.ndarray:
    """b^2 from the blocks that are kept, (1 + block, block) -> (1 + block, record, function)."""
    totals = np.tensordot(kept.astype(float), sums, (1, 1))  # (1 + block, record, 2, function)
    number = each * kept.sum(1)[:, None, None]
    mean, square = totals[:, :, 0] / number, totals[:, :, 1] / number
    chance = np.clip(square - mean**2, 0, None) / (number - 1)
    return ((mean - panel.means) ** 2 - chance - panel.errors) / panel.variances


def arrival(gradients: np.ndarray, curve: np.ndarray, epsilon: float, first: int = 0) -> Arrival:
    """From gradients at the records (record,) and one summary's curve (1 + block, record); of a schedule, records before its end do not count (`first`)."""
    gradients, curve = gradients[first:], curve[:, first:]
    whole, replicates = curve[0], curve[1:]
    low, high = _plateau(curve[:, gradients >= LAST * gradients[-1]])
    plateau = float(whole[gradients >= LAST * gradients[-1]].mean())
    below: list[int] = np.flatnonzero((whole < epsilon) & np.append(True, whole[:-1] >= epsilon)).tolist()
    error = standard_error(replicates)
    influence = influences(replicates)
    never = np.full(len(replicates), np.inf)
    for record in below:
        once = crossing(gradients, whole, record, epsilon, error)
        if len(gradients) > 1 and 2 * once > gradients[-1] and once > 0:
            return Arrival(False, once, never, (once, np.inf), plateau, low, high)
        later = whole[record:] - epsilon
        if (later > 0).any():
            limit = joint_quantile(influence[:, record:], 1 - SIGNIFICANT, one_sided=True, draws=2_000)
            if (later > limit * error[record:]).any():
                continue
        peak = _later(gradients[record:], curve[:, record:] / epsilon)
        if record == 0:
            logs = np.full(len(replicates), np.log(once) if once else -np.inf)
            return Arrival(True, once, logs, (once, once), plateau, low, high, peak)
        logs = _logs(curve, error, epsilon)
        work = _above(gradients, logs[0], once)
        least, most = (crossing(gradients, whole + sign * DOUBT * error, record, epsilon) for sign in (-1, 1))
        above = np.flatnonzero(whole > epsilon + error)
        seen = [place for place in below if len(above) and place > above[-1]][:1] or [record]
        last = crossing(gradients, whole, seen[0], epsilon, error)
        return Arrival(True, work, _without(gradients, logs, work), (least, max(most, last)), plateau, low, high, peak)
    return Arrival(False, float(gradients[-1]), never, (np.nan, np.inf), plateau, low, high)


def _later(gradients: np.ndarray, curve: np.ndarray) -> tuple[float, float]:
    """The largest value of a curve that is below 1 (1 + block, record), less a standard error, and its upper end, each after it was first below.

    Of means over the records within 15 %. That the curve is above somewhere is a union of hypotheses, which is refused where each is, at 5 % (Berger 1982).
    """
    first, end = np.searchsorted(gradients, gradients / AROUND, "left"), np.searchsorted(gradients, gradients * AROUND, "right")
    sums = np.pad(curve, ((0, 0), (1, 0))).cumsum(1)
    means = (sums[:, end] - sums[:, first]) / (end - first)
    error = standard_error(means[1:])
    ends = means[0] - error, means[0] + t_quantile(len(curve) - 1, 1 - SIGNIFICANT) * error
    least, most = (float(end[(end < 1).argmax() :].max()) if (end < 1).any() else np.inf for end in ends)
    return least, most


def crossing(gradients: np.ndarray, curve: np.ndarray, record: int, epsilon: float, error: np.ndarray | float = 0.0) -> float:
    """Where a curve falls through epsilon before a record at which it is below; `error` are the curve's standard errors."""
    if record == 0:
        return float(gradients[0])
    around = [record - 1, record]
    high, low = _logs(curve, error, epsilon)[around]
    before, after = gradients[around]
    return float(before + (after - before) * np.clip(high / (high - low), 0, 1))


def _logs(curve: np.ndarray, error: np.ndarray | float, epsilon: float) -> np.ndarray:
    """The logarithm of b^2 in units of epsilon, both as far as they are told from 0: its sign is that of b^2 - epsilon."""
    least = 2 * np.maximum(error, LEAST * epsilon)
    return np.log((curve + np.hypot(curve, least)) / (epsilon + np.hypot(epsilon, least)))


def _above(gradients: np.ndarray, logs: np.ndarray, once: float) -> float:
    """The gradients up to 1.25 times the first crossing at which log b^2 / epsilon (record,) is above 0, those up to .8 times it all counted."""
    begin, end = WINDOW[0] * once, min(WINDOW[1] * once, gradients[-1])
    nodes = np.unique(np.concatenate([[begin], gradients[(gradients > begin) & (gradients < end)], [end]]))
    values = np.interp(nodes, gradients, logs)
    above, below = (np.clip(sign * values, 0, None) for sign in (1, -1))
    up, down = above[1:] + above[:-1], below[1:] + below[:-1]
    return float(begin + (np.diff(nodes) * up / (up + down)).sum())


def _without(gradients: np.ndarray, logs: np.ndarray, work: float) -> np.ndarray:
    """The logarithm of the work without each block, (block,): by what log b^2 at the work is without it, over how fast it falls from work/NEAR to NEAR work.

    Between two records at a crossing a curve with noise falls too steeply, since where noise makes it so it crosses. Infinite where it does not fall.
    """
    ends = np.clip([work / NEAR, work * NEAR], gradients[0], gradients[-1])
    before, after = np.interp(ends, gradients, logs[0])
    if after >= before:
        return np.full(len(logs) - 1, np.inf)
    at = np.array([np.interp(work, gradients, each) for each in logs])
    return np.log(work) + (at[1:] - at[0]) * np.log(ends[1] / ends[0]) / (before - after)


def _plateau(curve: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of a mean over records (1 + block, record), by the root of b^2, whose error does not vanish with it.

    Without a bias the mean is noise squared, of which the jackknife's variance is up to twice the true one: 0 is refused beyond `half` over the root of 2.
    """
    means = curve.mean(1)
    root = np.sqrt(max(means[0], 0.0))
    error = float(standard_error(means[1:]))
    half = t_quantile(len(means) - 1, (1 + LEVEL) / 2) * error
    if root == 0 or half > np.sqrt(2) * means[0]:
        return 0.0, float(max(means[0], 0.0) + half)
    return float(max(root - half / (2 * root), 0) ** 2), float((root + half / (2 * root)) ** 2)
