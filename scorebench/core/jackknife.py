r"""Errors by leaving a block out, and quantiles of the largest of several t statistics that share their blocks.

With G blocks and a statistic's values theta_(i) without block i (delete-one jackknife, Tukey 1958; Efron and Stein 1981),

    se^2 = (G - 1)/G sum_i (theta_(i) - mean)^2 = sum_i I_i^2,   I_i = sqrt((G - 1)/G) (mean - theta_(i))

Of statistics a, b, ... of the same blocks the covariances are sum_i I_i(a) I_i(b), so that sum_i xi_i I_i(a), xi_i ~ N(0, 1), has the joint law of their
errors; divided by an independent chi of G - 1 degrees of freedom, the largest over a, b, ... of its size in standard errors gives the quantile for which all
intervals hold at once (max-t; Hothorn, Bretz and Westfall 2008, with the jackknife's covariance).
"""

from functools import cache

import numpy as np
from scipy.special import stdtrit

DRAWS, SEED = 20_000, 1958
"""Of the largest t: its 95 % quantile has a standard error of 1 % or less."""


def influences(replicates: np.ndarray) -> np.ndarray:
    """I_i from the values without each block, (block, *)."""
    blocks = len(replicates)
    return np.sqrt((blocks - 1) / blocks) * (replicates.mean(0) - replicates)


def standard_error(replicates: np.ndarray) -> np.ndarray:
    """From the values without each block, (block, *) -> (*)."""
    return np.sqrt((influences(replicates) ** 2).sum(0))


def t_quantile(blocks: int, level: float) -> float:
    """Of Student's t with a degree of freedom less than there are blocks."""
    return float(stdtrit(blocks - 1, level))


def joint_quantile(influence: np.ndarray, level: float, one_sided: bool = False, draws: int = DRAWS) -> float:
    """The quantile of the largest t of several statistics, from I (block, statistic); those without an error are left out."""
    errors = np.sqrt((influence**2).sum(0))
    standard = influence[:, errors > 0] / errors[errors > 0]
    if not standard.size:
        return t_quantile(len(influence), level if one_sided else (1 + level) / 2)
    t = _student(draws, len(standard)) @ standard
    return float(np.quantile((t if one_sided else np.abs(t)).max(1), level))


@cache
def _student(draws: int, blocks: int) -> np.ndarray:
    """Numbers xi over the chi that goes with them, (draw, block): the same at every call."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    xi = generator.standard_normal((draws, blocks))
    return xi / np.sqrt(generator.chisquare(blocks - 1, (draws, 1)) / (blocks - 1))
