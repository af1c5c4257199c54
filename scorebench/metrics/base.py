"""What a metric sees and what it returns.

A metric is a function (`Metric`), which raises NotApplicable where it cannot be had. Its file says

    ABOUT       "source" (a trained model, once) or "sampler" (every cell of the grid)
    NEEDS       what it reads, as "run.samples", "source.score" or "target.score"; score, divergence and density of a run are its source's
    DIRECTION   "lower", "higher" or "none": which way is better
    FLOOR       whether "the same metric between two exact draws of that size" means something
    LOG         whether it is a divergence, summarised across seeds on a log scale
    MOMENTS     the highest order of the law's moments that it takes, where it takes any: of a law without it is not applicable
    SEES        with a floor: the faults that 256 chains show it nearly always, by their names in `metrics.lib.faults`
    EXACT       of one about a source in which nothing is drawn: its standard error is NaN. It costs more, and is had at the end of a training alone
    FIELDS      of one about sources that are fields alone
    UNDEFINED   where a single cell can be without a value, which is NaN there: what it takes, the reason of its row

Leading axes of a run are (seed, cell). For a sampler `reference` holds as many exact draws as the run has chains, for each seed,
(seed, n, d); for a source it gives, for any density, 5,000 exact draws a seed.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor

from scorebench.core.errors import NotApplicable
from scorebench.targets.base import NOTHING, Absent, Target
from scorebench.targets.lib.density import Density


class Estimate(NamedTuple):
    """A value and its standard error within the seed, both (seed, cell); NaN where the metric has no standard error."""

    value: Tensor
    standard_error: Tensor


class Run(NamedTuple):
    """What there is to measure; what a run lacks is NOTHING or `Absent`."""

    samples: Tensor = NOTHING  # (seed, cell, n, d)
    trace: Tensor = NOTHING  # (seed, cell, trace chain, draw, d)
    acceptance: Tensor = NOTHING  # (seed, cell)
    acceptance_sd: Tensor = NOTHING  # (seed, cell), across chains
    chains: int = 0
    score: Callable[[Tensor], Tensor] = Absent("score")  # of the source, (seed, cell, n, d) -> same
    divergence: Callable[[Tensor], Tensor] = Absent("divergence")  # tr grad s, (seed, cell, n, d) -> (seed, cell, n)
    learnt: Callable[[], Target] = Absent("fixed point")  # the density that the source's loss learns
    density: Density = cast(Density, NOTHING)  # of the source, with all that is known of it: of a metric about a source


Points = Callable[[Target], Tensor]
"""Exact draws of a density for each seed, (seed, 5000, d)."""


class Metric(Protocol):
    """What a metric's file defines."""

    def __call__(self, run: Run, target: Target, reference: Any, **options: Any) -> Estimate:
        """`reference`: exact draws (seed, n, d) for a sampler, `Points` for a source."""


def takes(least: int, what: str, given: int) -> None:
    """Raises NotApplicable where a metric takes more than is given."""
    if given < least:
        raise NotApplicable(f"takes at least {least} {what}; here {given}")


def mean_over_points(values: Tensor) -> Estimate:
    """The mean over the last axis with its standard error, in float64."""
    takes(2, "points", values.shape[-1])
    values = values.double()
    return Estimate(values.mean(-1), values.std(-1) / values.shape[-1] ** 0.5)


VALUE_ALONE = ContextVar("VALUE_ALONE", default=False)
"""Whether nobody reads the standard error: of a jackknife it takes as many times as long as there are blocks."""


def jackknife(statistic: Callable[[Tensor], Tensor], items: Tensor, axis: int, blocks: int = 8) -> Estimate:
    """A statistic of independent items along `axis` with its block jackknife standard error (Quenouille 1949; Tukey 1958).

    Block b holds every `blocks`-th item from b on; for n items in g blocks, the variance is (g - 1)/g times the sum of squared
    deviations of the leave-one-block-out values from their mean. NaN where the value is asked for alone.
    """
    takes(blocks, "chains", items.shape[axis])
    if VALUE_ALONE.get():
        return Estimate(value := statistic(items), torch.full_like(value, torch.nan))
    index = torch.arange(items.shape[axis], device=items.device)
    left_out = torch.stack([statistic(items.index_select(axis, index[index % blocks != b])) for b in range(blocks)]).double()
    variance = (left_out - left_out.mean(0)).square().sum(0) * (blocks - 1) / blocks
    return Estimate(statistic(items), variance.sqrt())
