"""What the trace diagnostics share: the scalar functions of the state that they watch, and R-hat."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.metrics.base import Estimate, jackknife, takes

Statistic = Callable[[np.ndarray], np.ndarray]
"""Of chains, (*, chain, draw) -> (*)."""


def worst_case(statistic: Statistic, trace: Tensor, worst: Callable[..., np.ndarray], fewest: int) -> Estimate:
    """A diagnostic at its worst over scalar functions, with a jackknife standard error over four blocks of chains.

    Of fewer than `fewest` draws a chain it is not applicable.
    """
    takes(fewest, "draws a chain", trace.shape[-2])
    value, error = jackknife(lambda chains: at_worst(statistic, chains, worst), trace.double().cpu(), axis=-3, blocks=4)
    return Estimate(value.to(trace.device), error.to(trace.device))


def at_worst(statistic: Statistic, trace: Tensor, worst: Callable[..., np.ndarray]) -> Tensor:
    """A diagnostic of (*, chain, draw, d) at its worst over scalar functions, (*).

    The functions are the coordinates in up to 4 dimensions and 4 fixed random projections beyond. Where in a coordinate no chain moves within either half
    of the trace the variance within chains is zero, and the value NaN.
    """
    chains, dim = trace.double().cpu(), trace.shape[-1]
    directions = torch.eye(dim, dtype=chains.dtype, device=chains.device)
    if dim > 4:
        generator = rng.generator("projections", dim)
        directions = torch.randn(dim, 4, generator=generator, device=generator.device).to(chains)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = torch.from_numpy(np.asarray(worst(statistic((chains @ directions).movedim(-1, 0).numpy()), axis=0)))
    return value.where(_moves(chains), torch.nan)


def split_rhat(chains: np.ndarray) -> np.ndarray:
    """Split R-hat, rank-normalised, of (*, chain, draw), (*) (Vehtari et al. 2021, section 4)."""
    from arviz_stats.base import array_stats

    return np.asarray(array_stats.rhat(chains, chain_axis=-2, draw_axis=-1))


def _moves(chains: Tensor) -> Tensor:
    """Whether in each coordinate some chain moves within a half of its trace, (*, chain, draw, d) -> (*)."""
    half = chains.shape[-2] // 2
    halves = chains[..., :half, :], chains[..., -half:, :]
    return torch.stack([(part != part[..., :1, :]).any(-2).any(-2) for part in halves]).any(0).all(-1)
