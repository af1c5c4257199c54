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


def assert_mean(values: Tensor, expected: Any, comparisons: int, exact: float = 1e-6) -> None:
    """The mean over the first axis is `expected` within its standard error; `exact` covers rounding where there is no spread."""
    error = values.std(0) / len(values) ** 0.5
    gap = (values.mean(0) - torch.as_tensor(expected).to(values)).abs()
    assert (gap <= z_limit(comparisons * max(gap.numel(), 1)) * error + exact).all(), (gap / error, error)


def assert_cdf(uniform: np.ndarray, comparisons: int) -> None:
    """Probability integrals are uniform: Dvoretzky-Kiefer-Wolfowitz with Massart's constant, valid at every n."""
    u, n = np.sort(uniform), len(uniform)
    distance = max((np.arange(1, n + 1) / n - u).max(), (u - np.arange(n) / n).max())
    limit = math.sqrt(math.log(2 * comparisons / ALPHA) / (2 * n))
    assert distance <= limit, (distance, limit)
