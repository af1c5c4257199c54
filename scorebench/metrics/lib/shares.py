"""A share of chains with its standard error."""

from torch import Tensor

from scorebench.metrics.base import Estimate


def share(which: Tensor) -> Estimate:
    """Of (*, n) those that are, (*). The standard error is binomial at (k + 1/2)/(n + 1), which is never 0: none of n may still be some of many."""
    n, count = which.shape[-1], which.double().sum(-1)
    p = (count + 0.5) / (n + 1)
    return Estimate(count / n, (p * (1 - p) / n).sqrt())
