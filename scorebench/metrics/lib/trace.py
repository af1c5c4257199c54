"""What the trace diagnostics share: the scalar functions of the state that they watch."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.metrics.base import Estimate, jackknife


def worst_case(statistic: Callable[[np.ndarray], np.ndarray], trace: Tensor, worst: Callable[..., np.ndarray]) -> Estimate:
    """A diagnostic (*, chain, draw) -> (*) at its worst over scalar functions, with a jackknife standard error over four blocks of chains.

    The functions are the coordinates in up to 4 dimensions and 4 fixed random projections beyond.
    """
    trace, dim = trace.double(), trace.shape[-1]
    if dim > 4:
        generator = rng.generator("projections", dim)
        trace = trace @ torch.randn(dim, 4, generator=generator, device=generator.device).to(trace)

    def at_worst(scalars: Tensor) -> Tensor:
        with np.errstate(invalid="ignore", divide="ignore"):  # a cell that diverged has a constant trace here and NaN in its row
            return torch.as_tensor(worst(statistic(scalars.numpy()), axis=0), device=trace.device)

    return jackknife(at_worst, trace.movedim(-1, 0).cpu(), axis=-2, blocks=4)  # (function, seed, cell, chain, draw)
