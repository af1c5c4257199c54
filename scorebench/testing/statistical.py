"""Limits of statistical tests.

Every statistical test compares with a limit that true code passes with probability 1 - ALPHA for the whole family of comparisons in one test
function, all its parameters together (Bonferroni).
"""

import math
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

ALPHA = 1e-4


def z_limit(comparisons: int, alpha: float = ALPHA) -> float:
    """The largest |z| of that many standard normals, but for probability alpha."""
    return float(stats.norm.isf(alpha / 2 / comparisons))


def assert_mean(values: Tensor, expected: Any, comparisons: int, exact: float = 1e-6, what: str = "the mean", why: str = "") -> None:
    """The mean over the first axis is `expected` within its standard error; `exact` covers rounding where there is no spread."""
    mean, error = values.mean(0), values.std(0) / len(values) ** 0.5
    wanted = torch.as_tensor(expected).to(values).expand_as(mean)
    allowed = z_limit(comparisons * max(mean.numel(), 1)) * error + exact
    gap = (mean - wanted).abs()
    worst = int((gap / allowed).nan_to_num(torch.inf).argmax())
    found, its, needed, most = (float(of.flatten()[worst]) for of in (mean, error, wanted, allowed))
    which = f" (entry {worst} of {mean.numel()})" if mean.numel() > 1 else ""
    assert abs(found - needed) <= most, f"{what}{which} is {found:.4g} +- {its:.2g}; {needed:.4g} was expected{f' ({why})' if why else ''}"


def assert_cdf(uniform: np.ndarray, comparisons: int, what: str = "the distribution function") -> None:
    """Probability integrals are uniform: Dvoretzky-Kiefer-Wolfowitz with Massart's constant, valid at every n."""
    u, n = np.sort(uniform), len(uniform)
    distance = max((np.arange(1, n + 1) / n - u).max(), (u - np.arange(n) / n).max())
    limit = math.sqrt(math.log(2 * comparisons / ALPHA) / (2 * n))
    assert distance <= limit, (
        f"{what} is off by {distance:.3f}; by chance it is off by {limit:.3f} at most (Dvoretzky-Kiefer-Wolfowitz, {n} draws)"
    )
