"""Claims about energies, scores and divergences with the experiment broken; AIS against known constants.

Every mutant moves some quantity by 10 % of it or more, which is 30 standard errors or more.
"""

import math

import pytest
import torch

from scorebench.claims.base import evaluate
from scorebench.claims.energy_and_score import boltzmann_form, fisher_divergence, fisher_formula, score_free_of_z
from scorebench.claims.lib.ais import log_z
from scorebench.claims.lib.langevin import on_line
from scorebench.models.base import Bound, score
from scorebench.targets.lib.mixture import mixture, normal
from scorebench.testing.examples import stream
from scorebench.testing.statistical import assert_mean

pytestmark = pytest.mark.usefixtures("afresh")


@pytest.fixture(autouse=True)
def smaller(monkeypatch):
    """Enough chains to keep the leading standard error below .8 %."""
    monkeypatch.setattr(boltzmann_form, "CHAINS", 6_000)
    monkeypatch.setattr(fisher_divergence, "REPEATS", 300)


def halved(of: Bound, x: torch.Tensor) -> torch.Tensor:
    return score(of, x) / 2


def flipped(of: Bound, x: torch.Tensor) -> torch.Tensor:
    return -score(of, x)


def with_constant(of: Bound, x: torch.Tensor) -> torch.Tensor:
    """A score that sees the energy's level: what a Z in it would do."""
    return score(of, x) * (1 + 1e-6 * of(x).mean())


def one_sided(log_p, x, h):
    return (log_p(x + h) - log_p(x)) / h


@pytest.mark.parametrize(("name", "broken"), [("score", halved), ("score", flipped), ("score", with_constant), ("_difference", one_sided)])
def test_broken_score_free_of_z(monkeypatch, name, broken):
    monkeypatch.setattr(score_free_of_z, name, broken)
    assert evaluate("score-free-of-z", 11).verdict == "unexplained"


def half_mean(values, units="chains"):
    from scorebench.claims.lib.estimates import mean

    return mean(values / 2, units)


def variance_for_deviation(weights: torch.Tensor, centre: torch.Tensor, variance: torch.Tensor):
    return mixture(weights, centre, variance**2)


@pytest.mark.parametrize(("name", "broken"), [("mean", half_mean), ("mixture", variance_for_deviation)])
def test_broken_fisher_formula(monkeypatch, name, broken):
    """The correction must fail, too: no verdict of the expected kind from a broken experiment."""
    monkeypatch.setattr(fisher_formula, name, broken)
    assert evaluate("fisher-formula", 11).verdict == "unexplained"


def test_fisher_formula_by_the_wrong_divergence(monkeypatch):
    """The Fisher divergence taken as KL: the correction fails."""
    monkeypatch.setattr(fisher_formula, "fisher", fisher_formula.printed_formula)
    assert evaluate("fisher-formula", 11).verdict == "unexplained"


def squared_variance(centre: float, variance: float):
    return on_line((1.0, centre, variance**2))


def under_q(p, q, x):
    return (p.score(x) - q.score(x)).norm(dim=-1)


@pytest.mark.parametrize(
    ("name", "broken"),
    [("_squared_gap", under_q), ("mean", half_mean), ("_deviation", lambda m: m[1] - m[0] ** 2), ("normal", squared_variance)],
)
def test_broken_fisher_divergence(monkeypatch, name, broken):
    """The norm for its square, half of the mean, the variance for the deviation; M10's unit variances do not see the last, N(0, 4) does."""
    monkeypatch.setattr(fisher_divergence, name, broken)
    assert evaluate("fisher-divergence", 11).verdict not in ("qualified", "reproduced")


def test_broken_boltzmann_form(monkeypatch):
    """AIS of another temperature: the energy halved."""
    monkeypatch.setattr(boltzmann_form, "log_z", lambda energy, *rest: log_z(lambda x: energy(x) / 2, *rest))
    assert evaluate("boltzmann-form", 11).verdict == "unexplained"


def test_a_tail_test_that_passes_everything(monkeypatch):
    monkeypatch.setattr(boltzmann_form, "is_integrable", lambda energy: True)
    assert evaluate("boltzmann-form", 11).verdict == "unexplained"


@pytest.mark.parametrize(("variance", "step"), [(0.5, 0.2), (4.0, 0.5)])
def test_ais_on_a_gaussian(variance, step):
    """exp(-x^2/(2 v)) in two dimensions: Z = 2 pi v. 40 runs of 2,000 chains; alpha 1e-4 over both; sees .02 in log Z."""
    g = stream("ais", variance)
    runs = [log_z(lambda x: x.square().sum(-1) / (2 * variance), normal(2, 1.5), 2_000, 20, step, g) for _ in range(40)]
    weights = torch.tensor(
        [math.exp(r.measured) for r in runs], dtype=torch.float64
    )  # the estimate of Z is unbiased, that of its logarithm is not
    assert_mean(weights, 2 * math.pi * variance, 2)
    spread = torch.tensor([r.measured for r in runs]).std()
    stated = torch.tensor([r.standard_error for r in runs]).square().mean().sqrt()
    assert 0.55 < float(spread / stated) < 1.6  # 39 degrees of freedom: false alarm 1e-5


def test_tail_test():
    assert boltzmann_form.is_integrable(boltzmann_form.two_softplus(1.0))
    assert not boltzmann_form.is_integrable(boltzmann_form.two_softplus(-1.0))
    assert not boltzmann_form.is_integrable(lambda x: x[..., 0])  # rises on one side alone
