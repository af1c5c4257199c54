"""Errors by leaving out one of 40 blocks, against closed forms and as intervals over repeats; and quantiles of the largest t against known ones.

Blocks are means of 512 chains: of normal numbers, or of exponential ones (skewness 2, of a block .09) whose logarithm is taken in the end.
"""

import itertools

import numpy as np
import pytest
from scipy import stats

from scorebench.core.jackknife import influences, joint_quantile, standard_error, t_quantile

BLOCKS, EACH, METHODS = 40, 512, 7
ALPHA = 1e-3
"""Of a test function."""
PAIRS = list(itertools.combinations(range(METHODS), 2))


def without(blocks: np.ndarray) -> np.ndarray:
    """Means without each block, (block, *)."""
    return (blocks.sum(0) - blocks) / (len(blocks) - 1)


def of_blocks(law: str, repeats: int, rng: np.random.Generator, shared: float = 0.0, methods: int = 1) -> np.ndarray:
    """Means of blocks of expectation 1, with this correlation between methods, (block, repeat, method)."""
    alone, common = (shape for shape in ((BLOCKS, repeats, methods), (BLOCKS, repeats, 1)))
    if law == "normal":
        return 1 + (np.sqrt(1 - shared) * rng.standard_normal(alone) + np.sqrt(shared) * rng.standard_normal(common)) / EACH**0.5
    return (rng.gamma((1 - shared) * EACH, 1, alone) + (rng.gamma(shared * EACH, 1, common) if shared else 0.0)) / EACH


def test_of_a_mean_it_is_the_standard_error() -> None:
    """s/sqrt(n), to rounding, and the products of influences are the covariances of means."""
    x = np.random.default_rng(1).gamma(2.0, size=(BLOCKS, 3))
    assert standard_error(without(x)) == pytest.approx(x.std(0, ddof=1) / BLOCKS**0.5, rel=1e-12)
    influence = influences(without(x))
    assert influence.T @ influence == pytest.approx(np.cov(x.T) / BLOCKS, rel=1e-12)
    assert influence.sum(0) == pytest.approx(0, abs=1e-12)


def test_of_a_variance_with_its_exact_form() -> None:
    """Of sum (x - mean)^2/n, with c the squares of x less its mean: se^2 = (n - 1)/n sum_i (theta_(i) - mean)^2, theta_(i) = [S - n c_i/(n - 1)]/(n - 1)."""
    x = np.random.default_rng(2).standard_normal(BLOCKS)
    n, c = BLOCKS, (x - x.mean()) ** 2
    left = np.array([np.delete(x, i).var() for i in range(n)])
    assert left == pytest.approx((c.sum() - n * c / (n - 1)) / (n - 1), rel=1e-12)
    assert standard_error(left) == pytest.approx(n / (n - 1) ** 2 * np.sqrt((n - 1) / n * ((c - c.mean()) ** 2).sum()), rel=1e-12)


def test_students_quantile() -> None:
    assert t_quantile(BLOCKS, 0.975) == pytest.approx(2.02269, abs=1e-5)  # 39 degrees of freedom, from a table
    assert t_quantile(2, 0.975) == pytest.approx(12.7062, abs=1e-4)


@pytest.mark.parametrize("law", ["normal", "exponential"])
def test_a_single_interval_covers_95_per_cent(law: str) -> None:
    """20,000 intervals of the logarithm of a mean: .95 within 3.5 standard errors of .0015 and .001, what the skewness does; .942 is seen in 9 of 10."""
    x = of_blocks(law, 20_000, np.random.default_rng(3))[..., 0]
    half = t_quantile(BLOCKS, 0.975) * standard_error(np.log(without(x)))
    covered = (np.abs(np.log(x.mean(0))) <= half).mean()
    assert abs(covered - 0.95) < stats.norm.isf(ALPHA / 4) * (0.95 * 0.05 / 20_000) ** 0.5 + 0.001, covered


@pytest.mark.parametrize("shared", [0.0, 0.8])
@pytest.mark.parametrize("law", ["normal", "exponential"])
def test_intervals_of_all_ratios_hold_together(law: str, shared: float) -> None:
    """The 21 of 7 methods, 1,000 times: 95 %, less .5 for errors that are not one chi's, and .6 for a quantile of 5,000 draws; 1 in 1,000; 91 % is seen.

    With Student's quantile they all hold in two thirds.
    """
    repeats = 1_000
    x = of_blocks(law, repeats, np.random.default_rng(4 + int(shared > 0)), shared, METHODS)
    a, b = np.array(PAIRS).T
    logs, left = np.log(x.mean(0)), np.log(without(x))
    influence = influences(left[..., a] - left[..., b])  # (block, repeat, pair)
    largest = (np.abs(logs[:, a] - logs[:, b]) / np.sqrt((influence**2).sum(0))).max(1)
    covered = (largest <= [joint_quantile(influence[:, k], 0.95, draws=5_000) for k in range(repeats)]).mean()
    error = stats.norm.isf(ALPHA / 4) * (0.05 * 0.95 / repeats) ** 0.5
    assert 0.939 - error < covered < 0.956 + error, covered
    assert (largest <= t_quantile(BLOCKS, 0.975)).mean() < 0.75


def test_of_later_records_together_one_in_twenty_is_above() -> None:
    """One-sided, 30 records with correlation .8 from one to the next, 2,000 times: 5 %, and 1 % for what follows.

    The quantile is of 2,000 draws, and the errors are not one chi's. A standard error is .5 %: once in 1,000 refused, and 8.5 % is seen in 9 of 10.
    """
    repeats, records, a = 2_000, 30, 0.8
    x = np.random.default_rng(6).standard_normal((records, repeats, BLOCKS))
    for record in range(1, records):
        x[record] = a * x[record - 1] + (1 - a**2) ** 0.5 * x[record]
    x = x.transpose(1, 2, 0)
    above = 0
    for one in x:
        influence = influences(without(one))
        limit = joint_quantile(influence, 0.95, one_sided=True, draws=2_000)
        above += (one.mean(0) > limit * np.sqrt((influence**2).sum(0))).any()
    allowed = 0.01 + stats.norm.isf(ALPHA / 2) * (0.05 * 0.95 / repeats) ** 0.5
    assert abs(above / repeats - 0.05) < allowed, above


def orthogonal(statistics: int, blocks: int = BLOCKS) -> np.ndarray:
    """Influences of statistics that are not correlated: orthonormal columns that sum to none, (block, statistic)."""
    x = np.random.default_rng(7).standard_normal((blocks, statistics))
    return np.linalg.qr(x - x.mean(0))[0]


def largest_t(statistics: int, df: int, level: float, one_sided: bool = False) -> float:
    """The quantile of the largest of normals that share a chi: the root of E_s P(|z| < q s)^k, by quadrature over quantiles of s."""
    s = np.sqrt(stats.chi2.ppf((np.arange(20_000) + 0.5) / 20_000, df) / df)
    low, high = 0.0, 20.0
    for _ in range(50):
        q = (low + high) / 2
        one = stats.norm.cdf(q * s) if one_sided else 2 * stats.norm.cdf(q * s) - 1
        low, high = (q, high) if (one**statistics).mean() < level else (low, q)
    return q


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("statistics", [1, 2, 5, 21])
def test_known_quantiles(statistics: int, one_sided: bool) -> None:
    """Of one, Student's; of k that are not correlated, by quadrature. With 20,000 draws to 2 %, three standard errors; Student's for 5 is off by a third."""
    found = joint_quantile(orthogonal(statistics), 0.95, one_sided)
    expected = largest_t(statistics, BLOCKS - 1, 0.95, one_sided)
    if statistics == 1:
        assert expected == pytest.approx(t_quantile(BLOCKS, 0.95 if one_sided else 0.975), rel=1e-4)
    assert found == pytest.approx(expected, rel=0.02)


def test_with_many_blocks_it_is_sidaks() -> None:
    """Of k that are not correlated the level of each is .95^(1/k)."""
    for k in (2, 10):
        assert joint_quantile(orthogonal(k, 1_000), 0.95) == pytest.approx(stats.norm.ppf((1 + 0.95 ** (1 / k)) / 2), rel=0.02)


def test_copies_count_once_and_what_has_no_error_not_at_all() -> None:
    """Neither does a scale or a sign, two-sided; where nothing has an error, Student's."""
    one = orthogonal(1)
    alone = joint_quantile(one, 0.95)
    assert joint_quantile(np.concatenate([one, 3 * one, -one, 0 * one], 1), 0.95) == pytest.approx(alone, rel=1e-12)
    assert joint_quantile(0 * one, 0.95) == t_quantile(BLOCKS, 0.975)
    assert joint_quantile(0 * one, 0.95, one_sided=True) == t_quantile(BLOCKS, 0.95)
    assert joint_quantile(one[:, :0], 0.95) == t_quantile(BLOCKS, 0.975)
