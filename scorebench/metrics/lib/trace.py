"""What the trace diagnostics share: the scalar functions of the state that they watch."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.metrics.base import Estimate, jackknife, takes


def worst_case(statistic: Callable[[np.ndarray], np.ndarray], trace: Tensor, worst: Callable[..., np.ndarray], fewest: int) -> Estimate:
    """A diagnostic (*, chain, draw) -> (*) at its worst over scalar functions, with a jackknife standard error over four blocks of chains.

    The functions are the coordinates in up to 4 dimensions and 4 fixed random projections beyond. Where in a coordinate no chain moves within either half
    of the trace the variance within chains is zero, and the value NaN; of fewer than `fewest` draws a chain it is not applicable.
    """
    takes(fewest, "draws a chain", trace.shape[-2])
    device, trace, dim = trace.device, trace.double().cpu(), trace.shape[-1]
    directions = torch.eye(dim, dtype=trace.dtype, device=trace.device)
    if dim > 4:
        generator = rng.generator("projections", dim)
        directions = torch.randn(dim, 4, generator=generator, device=generator.device).to(trace)

    def at_worst(chains: Tensor) -> Tensor:
        with np.errstate(invalid="ignore", divide="ignore"):
            value = torch.from_numpy(np.asarray(worst(statistic((chains @ directions).movedim(-1, 0).numpy()), axis=0)))
        return value.where(_moves(chains), torch.nan)

    value, error = jackknife(at_worst, trace, axis=-3, blocks=4)  # (seed, cell, chain, draw, d)
    return Estimate(value.to(device), error.to(device))


def _moves(chains: Tensor) -> Tensor:
    """Whether in each coordinate some chain moves within a half of its trace, (*, chain, draw, d) -> (*)."""
    half = chains.shape[-2] // 2
    halves = chains[..., :half, :], chains[..., -half:, :]
    return torch.stack([(part != part[..., :1, :]).any(-2).any(-2) for part in halves]).any(0).all(-1)
