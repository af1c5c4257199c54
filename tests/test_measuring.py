"""What rows are measured against: the law at the chain's own temperature, its radius, the moments that it has; and what they say where it is not to be had."""

import math

import pandas as pd
import pytest
import torch

from scorebench.core.errors import NotApplicable
from scorebench.core.schema import OK, Status
from scorebench.core.spec import parse, parse_all
from scorebench.engine.attempt import deadline
from scorebench.engine.loop import TRACE_CHAINS
from scorebench.engine.measuring import FAR, Bench
from scorebench.engine.metric import Metric
from scorebench.engine.sampling import sample
from scorebench.engine.sensitivity import sensitivity
from scorebench.metrics.base import Estimate, Run
from scorebench.store.samples import SourceRun
from scorebench.suite.config import Experiment, Sampling
from scorebench.suite.jobs import jobs_of
from scorebench.targets.base import Target, untempered
from scorebench.targets.lib.mixture import mixture, normal
from scorebench.testing.examples import examples, stream

SEEDS, CHAINS = 2, 16
METRICS = [Metric(spec) for spec in parse_all("metric", ("mmd", "mean_error", "second_moment_bias", "mode_weight_error"))]


def rows(target: Target, temperature: float, samples: torch.Tensor, metrics: list[Metric] = METRICS) -> pd.DataFrame:
    """Of samples (seed, chain, d) at one temperature, as a sampler would have left them."""
    block = Sampling(samplers=("exact",), step_sizes=(1.0,), temperatures=(temperature,), chains=CHAINS, budgets=(10,))
    on = jobs_of(Experiment(target="gaussian", seeds=SEEDS, exact=(block,)))
    benches = [Bench(target, metric, 0, on, deadline(1)) for metric in metrics]
    x = samples[:, None]
    arrays = {
        "samples": x[None],
        "trace": x[:, :, :TRACE_CHAINS, None],
        "acceptance": torch.ones(SEEDS, 1),
        "acceptance_sd": torch.ones(SEEDS, 1),
    }
    run = SourceRun("", "", None, *OK, ((None, temperature),), CHAINS, (10,), (0,))
    made = [(run, {name: array.numpy() for name, array in arrays.items()})]
    return pd.concat(frame for bench in benches for frame in bench.sampler_rows("exact", made))


def draws(law: Target, *names: object) -> torch.Tensor:
    return law.sample(SEEDS * CHAINS, stream(*names)).unflatten(0, (SEEDS, CHAINS))


def two_modes(place: float) -> Target:
    return mixture(torch.ones(2), torch.tensor([[-2.0, 0.0], [2.0, 0.0]]) + place, torch.full((2, 2), 0.25), normal(2, 4.0))


@pytest.mark.parametrize("temperature", [1e-3, 1.0, 1e4, 1e8])
@pytest.mark.parametrize("place", [0.0, 1e4])
def test_exact_draws_are_measured_at_any_temperature(temperature, place):
    """A radius is that of the law at that temperature, about its mean: at T = 10,000 every exact draw lies beyond 20 radii of the law at T = 1."""
    target = mixture(torch.ones(1), torch.full((1, 2), place), torch.ones(1, 2), normal(2, 4.0))
    law = target.tempered(temperature)
    assert set(rows(target, temperature, draws(law, "tempered", temperature))["status"]) == {"ok"}
    far = draws(law, "tempered", temperature) + 2 * FAR * 5 * temperature**0.5
    assert set(rows(target, temperature, far)["status"]) == {"diverged"}


def test_a_law_that_cannot_be_drawn_says_so():
    """Rejection that accepts hardly anything ends, and its rows name the share; a law that is known at T = 1 alone says that."""
    far = torch.full((10,), 2.0)
    target = mixture(torch.ones(2), torch.stack([-far, far]), torch.ones(2, 10), normal(10, 4.0))
    cold = rows(target, 0.02, draws(target, "cold"))
    assert set(cold["status"]) == {"not_applicable"} and cold["reason"].str.contains("draws at temperature 0.02: rejection accepts").all()
    alone = rows(student(5), 2.0, draws(student(5), "alone"))
    assert set(alone["status"]) == {"not_applicable"} and set(alone["reason"]) == {"no exact law at temperature 2"}


def modes(count: int, *first: float) -> Target:
    """Far modes of width 1; the weights of the first, the others share the rest."""
    rest = (1 - sum(first)) / (count - len(first))
    weights = torch.tensor([*first] + [rest] * (count - len(first)))
    return mixture(weights, 30 * torch.eye(count), torch.ones(count, count), normal(count, 100.0))


def test_a_cell_without_a_value_says_what_it_takes(capsys):
    """A seed with two chains a mode has no shape to compare: its row alone is not applicable. The floor is that of the exact draws that have one."""
    law = modes(8, 0.7)
    places = torch.stack([torch.arange(CHAINS) // 2, torch.arange(CHAINS) // 8])
    x = law.modes[places] + torch.randn(SEEDS, CHAINS, 8, generator=stream("shape"))
    found = rows(law, 1.0, x, [Metric(spec) for spec in parse_all("metric", ("within_mode_sliced_w2", "rhat"))])
    taken = "takes a mode with at least 4 chains and 4 exact draws", "takes at least 4 draws a chain; here 1"
    assert found["status"].tolist() == ["not_applicable", "ok", "not_applicable", "not_applicable"]
    assert found["reason"].tolist() == [taken[0], "", taken[1], taken[1]]
    within = found[found["metric"] == "within_mode_sliced_w2"]
    assert within["floor_q95"].notna().all() and within["z"].isna().tolist() == [True, False] and not capsys.readouterr().err


@pytest.mark.parametrize(
    ("metric", "value", "status"), [("rhat", math.nan, "not_applicable"), ("rhat", math.inf, "failed"), ("mmd", math.nan, "failed")]
)
def test_a_value_that_is_not_finite_failed_but_where_the_metric_says(metric, value, status, monkeypatch, capsys):
    """NaN of a metric that says of what it is UNDEFINED; all else is the metric's failure, in the log."""
    law, whole = two_modes(0), torch.full((SEEDS, 1), value)
    monkeypatch.setattr(Metric, "evaluate", lambda *_: Estimate(whole, whole))
    found = rows(law, 1.0, draws(law, "whole"), [Metric(parse("metric", metric))])
    assert set(found["status"]) == {status} and ("is not finite" in capsys.readouterr().err) == (status == "failed")


def test_a_ladder_that_the_budget_does_not_reach_the_end_of_is_not_applicable():
    """What a chain is at a level on the way is no sample of the target."""
    for budget, status in ((5, "not_applicable"), (6, "ok")):
        block = Sampling(samplers=("annealed:sigmas=2|1|0.5,steps=2",), step_sizes=(0.1,), chains=CHAINS, budgets=(3, budget))
        (job,) = jobs_of(Experiment(target="gaussian", seeds=SEEDS, exact=(block,))).samples
        ((run, arrays),), _ = sample(job, 0, deadline(1), {})
        assert run.status == status and bool(arrays) == (status == "ok")
        assert run.reason == ("" if arrays else "its 3 noise levels take 6 gradients, of which the budget is 5")


def test_no_floor_says_what_it_takes():
    """Sixteen exact draws of forty modes never put four in one, twice: no row has an empty floor, no limit is NaN."""
    law = modes(40)
    within = Metric(parse("metric", "within_mode_sliced_w2"))
    x = law.modes[0] + torch.randn(SEEDS, CHAINS, 40, generator=stream("one mode"))
    found = rows(law, 1.0, x, [within])
    assert set(found["status"]) == {"not_applicable"} and set(found["reason"]) == {within.facts["UNDEFINED"]}
    with pytest.raises(NotApplicable, match="within_mode_sliced_w2 takes a mode with .*, which 16 exact draws may lack"):
        sensitivity(law, within, CHAINS, 20, 0)


def student(df: int, dim: int = 2) -> Target:
    """Independent coordinates, each Student's t, as a user would add it: with the highest moment that it has."""

    def sample(n: int, generator: torch.Generator) -> torch.Tensor:
        z, chi = torch.randn(n, dim, generator=generator), torch.randn(n, dim, df, generator=generator).square().sum(-1)
        return z / (chi / df).sqrt()

    constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    target = Target(
        dim,
        sample,
        normal(dim, 4.0),
        lambda x: (constant - (df + 1) / 2 * (x.square() / df).log1p()).sum(-1),
        lambda x: -(df + 1) * x / (df + x.square()),
        tempered=lambda t: untempered(t, target),
        moments=df - 1,
        training_sample=sample,
        labelled=lambda n, generator: (x := sample(n, generator), (x[:, 0] > 0).long()),
    )
    return target


LEAST = {
    "mean_error": 2,
    "second_moment_bias": 4,
    "panel_bias": 4,
    "mmd": 2,
    "ksd": 2,
    "within_mode_sliced_w2": 2,
    "training_distance": 2,
    "classifier_confidence": 2,
    "class_error": 2,
}
"""The moment that a metric takes: the variance for a mean's standard error, a bandwidth and W2, the fourth for a variance's standard error."""


@pytest.mark.parametrize("df", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("metric", [s for s in examples("metric") if s.entry.facts["ABOUT"] == "sampler"], ids=str)
def test_moments_that_do_not_exist(metric, df):
    """A metric whose moments the law lacks is not applicable; the others are what they were, C2ST, shares of modes and traces among them."""
    law, least = student(df), LEAST.get(metric.name, 0)
    x = law.sample(3 * 64, stream("student", df)).view(1, 3, 64, 2)
    trace = law.sample(3 * 8 * 50, stream("trace", df)).view(1, 3, 8, 50, 2)
    run = Run(x, trace, torch.rand(1, 3, generator=stream("a")), torch.ones(1, 3), 64, score=lambda x: -x)
    _, ended = Metric(metric)(run, law, lambda: x[:, 0], deadline(1))
    if metric.name == "mode_weight_error":
        assert ended.reason == "the target has no modes"
    elif df - 1 < least:
        assert ended.status == Status.NOT_APPLICABLE and ended.reason == f"the target has no moment of order {least}"
    else:
        assert ended == OK


def test_a_law_has_all_moments_unless_it_says_otherwise():
    assert two_modes(0).moments == math.inf and student(1).moments == 0
    with pytest.raises(NotApplicable):
        student(3).tempered(2.0)


def test_the_alarm_of_what_is_better_when_higher_is_a_low_value():
    """A lost mode halves the recall: all of 20 repeats are seen. (As if lower were better, none would be.) Of exact draws 5 % raise it: 7 of 20 or more with
    probability 3e-5.
    """
    law = parse("target", "gaussian_mixture").build()
    alarms = {row["fault"]: row["alarms"] for row in sensitivity(law, Metric(parse("metric", "recall")), 64, 20, 0)}
    assert alarms["lost_mode"] == 20 and alarms["no_fault"] < 7
