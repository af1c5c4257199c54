"""Intervals and Holm's correction against scipy, printed examples and simulation."""

import numpy as np
import pytest
from scipy import stats

from scorebench.report.statistics import holm, t_interval

SIMULATIONS = 40_000


def test_interval_is_students() -> None:
    x = np.array([1.3, 0.7, 2.2, 1.9, 1.1])
    low, high = stats.t.interval(0.95, 4, x.mean(), stats.sem(x))
    assert t_interval(x) == pytest.approx((x.mean(), low, high), rel=1e-12)
    assert t_interval(np.exp(x), log=True) == pytest.approx((np.exp(x.mean()), np.exp(low), np.exp(high)), rel=1e-12)


@pytest.mark.parametrize(
    ("values", "log"), [([], False), ([1.0, np.nan], False), ([1.0, np.inf], False), ([1.0, -1.0], True), ([0.0, 1.0], True)]
)
def test_no_interval_is_made_up(values: list[float], log: bool) -> None:
    assert np.isnan(t_interval(values, log)).all()


def test_one_value_has_no_interval() -> None:
    mean, low, high = t_interval([2.0])
    assert mean == 2.0 and np.isnan(low) and np.isnan(high)


def coverage(interval, log: bool, n: int = 5) -> float:
    """How often an interval from n (log)normal values holds the truth, 0 (1 on the log scale)."""
    x = np.random.default_rng(np.random.SeedSequence([n, log])).normal(size=(SIMULATIONS, n))
    found = (interval(row) for row in (np.exp(x) if log else x))
    return float(np.mean([low <= (1.0 if log else 0.0) <= high for _, low, high in found]))


@pytest.mark.parametrize("log", [False, True])
def test_coverage(log: bool) -> None:
    """Two tests at alpha 1e-4 together (z = 4.06 each): standard error .0011, so a coverage off by .0057 is seen in 9 of 10 runs."""
    error = (0.95 * 0.05 / SIMULATIONS) ** 0.5
    assert abs(coverage(lambda x: t_interval(x, log), log) - 0.95) < 4.06 * error


def test_coverage_sees_a_normal_quantile() -> None:
    """A mutant: 1.96 in place of Student's 2.78 covers .88 at 5 seeds."""

    def normal(x: np.ndarray) -> tuple[float, float, float]:
        half = 1.96 * x.std(ddof=1) / len(x) ** 0.5
        return x.mean(), x.mean() - half, x.mean() + half

    assert abs(coverage(normal, False) - 0.95) > 0.05


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert len(holm([])) == 0


def test_holm_keeps_the_family_wise_error() -> None:
    """10 true null hypotheses: the chance of any rejection is at most .05; alpha 1e-4 (z = 3.72), an error rate of .063 is seen in 9 of 10 runs."""
    p = np.random.default_rng(np.random.SeedSequence(10)).uniform(size=(10_000, 10))
    assert np.mean([holm(row).min() < 0.05 for row in p]) < 0.05 + 3.72 * (0.05 * 0.95 / 10_000) ** 0.5
    assert np.mean(p.min(1) < 0.05) > 0.3  # uncorrected, the rate is .4
