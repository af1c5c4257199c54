"""Which fault a metric sees: exact draws of a target with a fault put in, and how often the metric is beyond what 95 % of exact draws give."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor

from scorebench.core import rng
from scorebench.core.errors import NotApplicable
from scorebench.engine.metric import Metric
from scorebench.metrics.base import Run
from scorebench.metrics.lib.faults import FAULTS
from scorebench.targets.base import Target, has

NO_FAULT, FLOOR = "no_fault", 3
"""Exact draws as they are, which should raise the alarm in 5 of 100; the limit is found from so many times the repeats."""


def sensitivity(target: Target, metric: Metric, chains: int, repeats: int, master: int) -> list[dict[str, Any]]:
    """A row a fault, of a metric that has a floor: alarms of repeats, their share with its exact 95 % interval (Clopper and Pearson 1934).

    Raises NotApplicable for a target without modes, which the faults are about, and for a metric that exact draws of that size leave undefined.
    """
    if not has(target, "modes"):
        raise NotApplicable("the target has no modes")

    def sets(make: Callable[[int, torch.Generator], Tensor], use: str, number: int) -> Tensor:
        return make(number * chains, rng.generator(master, "metric_sensitivity", use)).unflatten(0, (number, chains))

    exact, more = sets(target.sample, "exact", repeats), sets(target.sample, "more", FLOOR * repeats)
    floor = sets(target.sample, "floor", FLOOR * repeats)
    values = _values(metric, floor, more, target)
    if np.isnan(values).any():
        raise NotApplicable(f"{metric.spec} {metric.facts.get('UNDEFINED', 'is undefined')}, which {chains} exact draws may lack")
    limit = np.quantile(values, 0.95)
    rows = []
    for fault, make in ({NO_FAULT: target.sample} | {name: partial(put, target) for name, put in FAULTS.items()}).items():
        alarms = int((_values(metric, sets(make, fault, repeats), exact, target) > limit).sum())
        low, high = _interval(alarms, repeats)
        counts = {"chains": chains, "repeats": repeats, "alarms": alarms, "share": alarms / repeats}
        rows.append({"metric": str(metric.spec), "fault": fault, **counts, "low": low, "high": high})
    return rows


@cache
def _interval(alarms: int, repeats: int) -> tuple[float, float]:
    """Of many faults all or no repeats raise the alarm: what takes longer than the repeats is worked out once."""
    interval = binomtest(alarms, repeats).proportion_ci()
    return interval.low, interval.high


def _values(metric: Metric, x: Tensor, y: Tensor, target: Target) -> np.ndarray:
    """What is larger for worse, of each repeat, (repeat,): the metric, its negative where higher is better; a signed one by its distance from zero."""
    values = metric.value(Run(samples=x[:, None]), target, y).flatten().double().cpu().numpy()
    return {"lower": values, "higher": -values, "none": np.abs(values)}[metric.facts["DIRECTION"]]
