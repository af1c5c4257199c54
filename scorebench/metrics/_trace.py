"""What the trace diagnostics share: the scalar functions of the state that they watch."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from scorebench import rng
from scorebench.metrics.base import Estimate


def worst_case(statistic: Callable[[np.ndarray], np.ndarray], trace: Tensor, worst: Callable[..., np.ndarray], per_chain: bool) -> Estimate:
    """A diagnostic (*, chain, draw) -> (*) at its worst over scalar functions, with a delete-one-chain jackknife standard error.

    The functions are the coordinates in up to 4 dimensions and 4 fixed random projections beyond. A diagnostic that grows with
    the number of chains (`per_chain`) is scaled to the full number before the jackknife.
    """
    dim, chains = trace.shape[-1], trace.shape[-3]
    if dim > 4:
        trace = trace @ torch.randn(dim, 4, generator=rng.generator("projections", dim)).to(trace)
    scalars = trace.movedim(-1, 0).double().cpu().numpy()  # (function, seed, cell, chain, draw)
    with np.errstate(invalid="ignore", divide="ignore"):  # a cell that diverged has a constant trace here and NaN in its row
        value = worst(statistic(scalars), axis=0)
        without = np.stack([worst(statistic(np.delete(scalars, c, axis=-2)), axis=0) for c in range(chains)])
    without = without * (chains / (chains - 1) if per_chain else 1)
    error = np.sqrt((chains - 1) / chains * ((without - without.mean(0)) ** 2).sum(0))
    return Estimate(torch.as_tensor(value), torch.as_tensor(error))
