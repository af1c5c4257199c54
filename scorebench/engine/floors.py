"""The floor of a metric: what it is between two sets of exact draws of the size that is compared.

Of a law that is known by finitely many draws the two sets share none, so that at most half of them are compared with chains; of fewer than 2 x 16
there is no floor. What the metric takes from the law itself, its mean or its spread, it then takes from the draws that are not in the first set.
"""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from scorebench.core.errors import NotApplicable
from scorebench.engine.metric import Metric
from scorebench.metrics.base import Run
from scorebench.targets.base import REFERENCE, Target, distinct, has

REPEATS, BATCH = 200, 25
FEWEST = 16
"""Draws of a set; as many chains as a suite has at least."""


def compared(law: Target, chains: int) -> int:
    """How many chains are compared with how many exact draws."""
    return law.at_most(chains) if not floored(law) or law.rows is None else min(chains, law.rows // 2)


def floored(law: Target) -> bool:
    """Whether there are draws enough for a floor."""
    return has(law, "sample") and (law.rows is None or law.rows >= 2 * FEWEST)


def values(metric: Metric, law: Target, n: int, generator: torch.Generator, repeats: int = REPEATS) -> Tensor:
    """The metric of so many sets of n exact draws, (repeat,), float64, less those where it is undefined. Raises NotApplicable where it is so on all."""
    value = torch.cat((_of_sets if law.rows else _of_batches)(metric, law, n, generator, repeats)).double()
    value = value[~value.isnan()]
    if not len(value):
        raise NotApplicable(metric.facts.get("UNDEFINED", "it is undefined on exact draws"))
    return value


def _of_batches(metric: Metric, law: Target, n: int, generator: torch.Generator, repeats: int) -> list[Tensor]:
    batches = []
    for _ in range(0, repeats, BATCH):
        x, y = (law.sample(BATCH * n, generator).unflatten(0, (BATCH, n)) for _ in range(2))
        batches.append(metric.value(Run(samples=x[:, None]), law, y).flatten())
    return batches


def _of_sets(metric: Metric, law: Target, n: int, generator: torch.Generator, repeats: int) -> list[Tensor]:
    sets = []
    for _ in range(repeats):
        x, others = law.sample(law.at_most(n + REFERENCE), generator).tensor_split([n])
        rest = replace(law, sample=partial(distinct, others), rows=len(others))
        sets.append(metric.value(Run(samples=x[None, None]), rest, others[None, :n]).flatten())
    return sets
