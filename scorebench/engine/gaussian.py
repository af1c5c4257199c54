r"""How near a chain is to a Gaussian after k gradients, exactly, for a sampler that is linear there (`recursion`, see samplers/base.py).

Coordinates are independent. Of one, with target N(mu, v), z_k = A z_(k-1) + xi_k, xi ~ N(0, Q), z_0 = (x_0 - mu, 0, ...), x_0 ~ N(mu + m_0, s_0), and r_k the
first row of A^k:

    m_k = r_k[0] m_0,    s_k = r_k[0]^2 s_0 + sum_(j<k) r_j Q r_j'

are mean, less mu, and variance of x after k steps. With D = E_k f - E_p f the squared bias in units of the law's own variance, b^2 = D^2 / Var_p f
(Hoffman and Sountsov 2022), is, of the panel's functions,

    x_j      m_j^2 / v_j
    x_j^2    (s_j + m_j^2 + 2 mu_j m_j - v_j)^2 / (2 v_j^2 + 4 mu_j^2 v_j)
    log p    (sum_j [(s_j + m_j^2)/v_j - 1])^2 / (2 d)                                          since Var_p log p = d/2

The plateau is the same at m = 0 and s = S_00, S = A S A' + Q.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from scorebench.core import registry
from scorebench.core.errors import NotApplicable
from scorebench.core.spec import Spec
from scorebench.samplers.base import Recursion
from scorebench.suite.jobs import gradients
from scorebench.targets.base import Target


class Gaussian(NamedTuple):
    """N(mean, diag variances): a target, or where chains start."""

    mean: np.ndarray  # (d,)
    variances: np.ndarray  # (d,)


def gaussian(target: Target) -> Gaussian:
    """What a target, or its prior, is by its truths. Raises NotApplicable where it is no Gaussian with independent coordinates."""
    if "variances" not in target.truths:
        raise NotApplicable("the law is no Gaussian with independent coordinates, as far as its truths say")
    return Gaussian(*(target.truths[name].value.double().numpy(force=True) for name in ("mean", "variances")))


class Curve(NamedTuple):
    """b^2 along a run: of x_1, ..., x_d, then x_1^2, ..., x_d^2, then log p."""

    gradients: np.ndarray  # (record,): after 0, 1, 2, ... steps, as `Outcome.gradients` has it
    bias: np.ndarray  # (record, 2 d + 1)
    plateau: np.ndarray  # (2 d + 1,): its limit; infinite where the step is not stable


def curve(sampler: Spec, step_size: float, law: Gaussian, start: Gaussian, budget: int) -> Curve:
    """Every step within a budget of gradients, at T = 1. Raises NotApplicable for a sampler whose file has no `recursion`.

    Every gradient counts, those of the start and of the first step too: k steps of BAOAB are k + 1, since each ends with the score that the next begins
    with, and after one gradient its chains are where they were.
    """
    variances, index = np.unique(law.variances, return_inverse=True)
    recursions = [_recursion(sampler, step_size, variance) for variance in variances]
    matrix, noise = (np.stack([r[part] for r in recursions]) for part in (0, 1))  # (distinct variance, n, n)
    each, extra = gradients(sampler), recursions[0].extra
    steps = max((budget - extra) // each, 0)
    offset, limit = law.mean, np.array([_stationary(r) for r in recursions])[index]
    with np.errstate(over="ignore", invalid="ignore"):  # a step that is not stable
        rows = _rows(matrix, steps)  # (record, distinct variance, n)
        added = np.cumsum(((rows @ noise)[..., 0, :] * rows[..., 0, :]).sum(-1), 0)
        by_noise = np.concatenate([np.zeros_like(added[:1]), added[:-1]])[:, index]
        left = rows[:, :, 0, 0][:, index]
        bias = _bias(left * (start.mean - offset), left**2 * start.variances + by_noise, law)
        plateau = _bias(np.zeros_like(offset), limit, law)
    if np.isinf(limit).any():  # there a difference of infinities is none; of a stable step a NaN is a recursion's mistake, and stays
        bias = np.where(np.isnan(bias), np.inf, bias)
    return Curve(extra + each * np.arange(steps + 1), bias, plateau)


def _recursion(sampler: Spec, step_size: float, variance: float) -> Recursion:
    if "recursion" not in sampler.entry.functions:
        raise NotApplicable(f"sampler {sampler.name!r} states no recursion on a Gaussian")
    recursion: Recursion = registry.module("sampler", sampler.name).recursion(step_size, 1.0, float(variance), **sampler.options)
    return recursion


def _rows(matrix: np.ndarray, steps: int) -> np.ndarray:
    """The first rows of A^0, ..., A^steps, of each A (m, n, n): (steps + 1, m, 1, n). As many are added at once as there are."""
    rows, power = np.broadcast_to(np.eye(1, matrix.shape[-1]), (1, len(matrix), 1, matrix.shape[-1])), matrix
    while len(rows) <= steps:
        rows, power = np.concatenate([rows, rows @ power]), power @ power
    return rows[: steps + 1]


def _stationary(recursion: Recursion) -> float:
    """The variance of x in the end; infinite where there is none."""
    if np.abs(np.linalg.eigvals(recursion.matrix)).max() >= 1:
        return math.inf
    return float(solve_discrete_lyapunov(recursion.matrix, recursion.noise)[0, 0])


def _bias(mean: np.ndarray, variance: np.ndarray, law: Gaussian) -> np.ndarray:
    """b^2 of the panel where x has these means, less the law's, and variances, (*, d) -> (*, 2 d + 1)."""
    mu, v = law
    square = variance + mean**2 - v
    of_squares = (square + 2 * mu * mean) ** 2 / (2 * v**2 + 4 * mu**2 * v)
    of_log_p = (square / v).sum(-1, keepdims=True) ** 2 / (2 * len(v))
    return np.concatenate([mean**2 / v, of_squares, of_log_p], -1)
