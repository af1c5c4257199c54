"""Measurements from independent numbers: means, variances and smooth functions of means, with their standard errors."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import grad_and_value

from scorebench.claims.base import Measurement


def of_means(columns: Tensor, function: Callable[[Tensor], Tensor], units: str = "chains") -> Measurement:
    """A smooth function of means over independent units, columns (n, k), by the delta method (van der Vaart 1998, theorem 3.1).

    f(mean) has standard error sd(columns . grad f(mean))/sqrt n. Its bias, of order 1/n, is left: of order 1/sqrt n standard errors.
    """
    columns = columns.detach().cpu().double()
    centre = columns.mean(0)
    gradient, value = grad_and_value(function)(centre)
    return Measurement(float(value), float(((columns - centre) @ gradient).std()) / math.sqrt(len(columns)), len(columns), units)


def mean(x: Tensor, units: str = "chains") -> Measurement:
    """The mean of independent numbers (n,)."""
    return of_means(x[:, None], lambda m: m[0], units)


def variance(x: Tensor, units: str = "chains") -> Measurement:
    """The variance of independent numbers (n,); no law is assumed for its standard error. About the mean: squares would cancel."""
    x = x.detach().cpu().double()
    return of_means(moments(x - x.mean()), lambda m: m[1] - m[0] ** 2, units)


def relative_gap(found: Measurement, true: float) -> Measurement:
    """How far a measured number is from a known positive one, in units of that one."""
    return found._replace(measured=found.measured / true - 1, standard_error=found.standard_error / true)


def moments(x: Tensor) -> Tensor:
    """Columns x and x^2 of numbers (n,)."""
    x = x.cpu().double()
    return torch.stack([x, x.square()], -1)


def share_at_most(misses: Tensor, bound: float, units: str) -> Measurement:
    """Of independent trials the share that misses, (n,); its standard error is a share's at the bound: no less than its own while that is below, up to 1/2."""
    return Measurement(float(misses.double().mean()), math.sqrt(bound * (1 - bound) / len(misses)), len(misses), units)
