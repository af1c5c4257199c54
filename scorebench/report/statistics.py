"""The statistics of the comparison: intervals across seeds, paired tests, Holm's correction.

Seeds are the independent units: each has its own data, start and random numbers, shared by the methods that are compared.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

LEVEL = 0.95
ROUNDINGS = 8
"""Of a value and of its logarithm, in both values of each of the two differences that are furthest apart."""


class Interval(NamedTuple):
    """A mean and the ends of its confidence interval; NaN where there are fewer than two values."""

    mean: float
    low: float
    high: float


def t_interval(values: Sequence[float] | np.ndarray, log: bool = False, level: float = LEVEL) -> Interval:
    """Student's interval, mean -+ t sd/sqrt n (Student 1908), across independent seeds.

    With `log` it is that of the logarithms, mapped back: the centre is the geometric mean. Divergences are positive and their spread is in
    proportion to their size, so that they are nearer to normal there; at 5 seeds bootstrap intervals cover .83-.85 of .95. A value that is not
    finite, or not positive where logarithms are taken, makes the interval NaN: give the values that are `ok`, and count the others.
    """
    x = np.asarray(values, float)
    if log:
        x = np.log(np.where(x > 0, x, np.nan))
    if len(x) == 0 or not np.isfinite(x).all():
        return Interval(np.nan, np.nan, np.nan)
    centre = float(x.mean())
    half = float(stdtrit(len(x) - 1, (1 + level) / 2) * x.std(ddof=1) / len(x) ** 0.5) if len(x) > 1 else np.nan
    ends = (centre, centre - half, centre + half)
    return Interval(*(float(np.exp(v)) for v in ends)) if log else Interval(*ends)


def paired_p(better: np.ndarray, worse: np.ndarray, log: bool = False) -> float:
    """Two-sided p value of the paired t test across seeds; 1 where the differences are fewer than two (`leaders` makes no such test), or have no spread
    beyond the rounding of the values, which a t statistic would take for certainty.
    """
    a, b = (np.log(v) if log else v for v in (np.asarray(better, float), np.asarray(worse, float)))
    pairs = np.isfinite(a - b)
    if pairs.sum() < 2:
        return 1.0
    a, b = a[pairs], b[pairs]
    rounding = np.finfo(float).eps * max(np.abs(a).max(), np.abs(b).max(), float(log))  # a relative one is absolute in a logarithm
    d = a - b
    if np.ptp(d) <= ROUNDINGS * rounding:
        return 1.0
    return float(2 * stdtr(len(d) - 1, -abs(d.mean()) / (d.std(ddof=1) / len(d) ** 0.5)))


class Measured(NamedTuple):
    """Methods with a value a seed, of one metric."""

    values: Mapping[Any, np.ndarray]
    log: bool = False


def leaders(metrics: Mapping[Any, Measured]) -> dict[Any, tuple[Any, dict[Any, float]]]:
    """For each metric the method with the lowest mean, and for each other the p value that the two are alike; none where there is one seed.

    Paired t tests, Holm-corrected over all metrics and all pairs of methods, since a leader was picked by looking.
    """
    tests = [(m, a, b) for m, (values, _) in metrics.items() for a, b in itertools.combinations(values, 2) if len(values[a]) > 1]
    adjusted = holm([paired_p(metrics[m].values[a], metrics[m].values[b], metrics[m].log) for m, a, b in tests])
    first = {m: min(values, key=lambda method: t_interval(values[method], log).mean) for m, (values, log) in metrics.items()}
    p_values: dict[Any, dict[Any, float]] = {m: {} for m in metrics}
    for (m, a, b), p in zip(tests, adjusted, strict=True):
        if first[m] in (a, b):
            p_values[m][a if b == first[m] else b] = float(p)
    return {m: (first[m], p_values[m]) for m in metrics}


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's step-down adjusted p values (Holm 1979): family-wise error under any dependence."""
    p = np.asarray(p_values, float)
    order = p.argsort()
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
