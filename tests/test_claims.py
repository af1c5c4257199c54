"""Claims: the agreement rule and the verdicts on numbers made by hand; every registered claim's facts; two experiments, whole and broken.

Random: the experiments run with a quarter of their chains, and of what is asked of their power; every broken step moves some variance by 25 % or more. A
true experiment disagrees with probability 1e-7 a quantity (the claims' own rule), 4e-6 for all here.
"""

import json
import math
import re
import time
import xml.etree.ElementTree as ElementTree
from functools import cache

import pytest
import torch
from latex2mathml.converter import convert
from scipy import stats
from smaller_claims import shrink_with_its_power

from scorebench.claims import base
from scorebench.claims.base import AS_WRITTEN, CORRECTED, IDENTITY, Measurement, Prediction, agrees, evaluate, verdict
from scorebench.claims.discretisation import step_size_bias, wiener_increment
from scorebench.claims.lib.estimates import mean, moments, of_means, relative_gap, variance
from scorebench.claims.lib.slips import SLIPS
from scorebench.commands import repeats
from scorebench.core import registry
from scorebench.samplers.base import Info
from scorebench.samplers.ula import ULA, State
from scorebench.stages import claim as stage
from scorebench.store.results import Results
from scorebench.suite.config import Experiment, Suite
from scorebench.suite.plan import Plan, timing
from scorebench.testing.examples import stream

every_claim = pytest.mark.parametrize("name", registry.names("claim"))


# Every registered claim.

HEADINGS = (
    "Score-based Generative Models",
    "Energy-based Models",
    "Fisher Divergence",
    "Langevin Dynamics",
    "Steady State of Langevin Dynamics",
    "Sampling Using Langevin Dynamics",
)
"""Of the article."""


@every_claim
def test_facts(name):
    facts = registry.entry("claim", name).facts
    for key in ("LABEL", "SOURCE", "QUOTE", "TRANSLATION", "STATEMENT", "REFERENCE", "LEADING"):
        assert isinstance(facts.get(key), str) and facts[key], f"{key} is no literal text"
    assert any(heading in facts["SOURCE"] for heading in HEADINGS), "no place in the article"
    assert ("beyond the article" in facts["SOURCE"]) == ("/beyond/" in registry.entry("claim", name).file)
    assert re.search("[가-힣]", facts["QUOTE"]) or facts["QUOTE"].count("$") == 2, "neither words of the article nor an equation"
    assert facts["EXPECTED"] in ("reproduced", "refuted", "qualified")
    assert (facts["EXPECTED"] == "qualified") == ("CONDITIONS" in facts)
    assert facts["EXPECTED"] != "refuted" or facts["CORRECTION"]
    assert "Prediction." in registry.module("claim", name).__doc__, "the docstring derives the prediction"


@every_claim
def test_its_mathematics_becomes_mathml(name):
    """latex2mathml fails silently: what it does not know is left in the text."""
    facts = registry.entry("claim", name).facts
    for text in (facts["QUOTE"], facts["TRANSLATION"], facts["STATEMENT"], facts.get("CORRECTION", "")):
        assert_clean(text)


def assert_clean(text: str) -> None:
    words, latex = text.split("$")[::2], text.split("$")[1::2]
    assert len(words) == len(latex) + 1 and not set("".join(words)) & set("\\_^{}"), f"mathematics outside of $: {text}"
    for mathml in map(convert, latex):
        left = re.sub(r"&#x[0-9A-F]+;", "", mathml)
        assert not set(left) & set("\\&"), left
        ElementTree.fromstring(mathml)


@pytest.mark.parametrize("slip", SLIPS, ids=lambda s: s.where)
def test_slips_become_mathml(slip):
    for text in slip:
        assert_clean(text)


@pytest.mark.parametrize("text", [r"$\begin{aligned} x &= 1 \end{aligned}$", r"$\nosuchcommand x$", r"\sigma is large", "an odd $x"])
def test_unclean_mathml_is_seen(text):
    with pytest.raises(AssertionError):
        assert_clean(text)


@cache
def predicted(name: str) -> list[Prediction]:
    """What a claim predicts rests on nothing else."""
    return registry.module("claim", name).predict()


@every_claim
def test_verdict_follows_the_numbers(name):
    """All as predicted: reproduced. Off where the statement should fail: the expected verdict. Off in the correction, too: unexplained."""
    module = registry.module("claim", name)
    conditions = getattr(module, "CONDITIONS", {})
    fails = {AS_WRITTEN} if module.EXPECTED == "refuted" else {group for group, holds in conditions.items() if not holds}
    predictions = predicted(name)
    for p in predictions:
        assert math.isfinite(p.predicted) and 0 <= p.tolerance < math.inf
        assert json.dumps(p.setting)
    assert module.LEADING in {p.name for p in predictions}

    def value(p: Prediction, off: bool) -> float:
        return p.predicted + ((-1 if off else 1) if base.LEAST in p.name else off * (1 + 2 * p.tolerance))

    def measured(off: set[str]) -> dict[str, Measurement]:
        return {p.name: Measurement(value(p, p.group in off), 1e-6 * abs(p.predicted), 10**6) for p in predictions}

    assert verdict(predictions, measured(set()), module.LEADING, conditions) == "reproduced"
    assert verdict(predictions, measured(fails), module.LEADING, conditions) == module.EXPECTED
    assert verdict(predictions, measured({CORRECTED} | fails), module.LEADING, conditions) == (
        "unexplained" if CORRECTED in {p.group for p in predictions} else module.EXPECTED
    )


def test_quantities_stay_within_the_budget():
    total = sum(len(predicted(name)) for name in registry.names("claim"))
    assert 0 < total <= base.BUDGET


# The agreement rule.


@pytest.mark.parametrize("n", [2, 100, 100_000])
def test_agreement_ends_at_the_t_quantile_plus_the_tolerance(n):
    """1e-7 a quantity, two-sided, n - 1 degrees of freedom: an independent implementation of the quantile."""
    p = Prediction("a", AS_WRITTEN, {}, "", 1.0, tolerance=0.25)
    limit = stats.t.isf(0.5e-7, n - 1) * 0.5 + 0.25
    for sign in (-1, 1):
        assert agrees(p, Measurement(1 + sign * limit * (1 - 1e-9), 0.5, n))
        assert not agrees(p, Measurement(1 + sign * limit * (1 + 1e-9), 0.5, n))


def test_agreement_without_randomness_is_the_tolerance():
    p = Prediction("a", AS_WRITTEN, {}, "", 1.0, tolerance=0.25)
    assert agrees(p, Measurement(1.25)) and not agrees(p, Measurement(1.2500001))


@pytest.mark.parametrize(
    "m", [(math.nan, 0.1, 1000), (1.0, math.nan, 1000), (1.0, math.inf, 1000), (math.inf, math.inf, 1000), (1.0, 0.1, 1)]
)
def test_no_number_agrees_with_nothing(m):
    assert not agrees(Prediction("a", AS_WRITTEN, {}, "", 1.0, 1.0), Measurement(*m))


# Verdicts on numbers made by hand: each row is group, whether it agrees, ...

INSIDE_OUTSIDE = {"small": True, "large": False}


@pytest.mark.parametrize(
    ("expected", "conditions", "rows"),
    [
        ("reproduced", {}, [(AS_WRITTEN, True), (AS_WRITTEN, True)]),
        ("reproduced", {}, [(AS_WRITTEN, True), (CORRECTED, True)]),
        ("reproduced", {}, [(AS_WRITTEN, True), (IDENTITY, False)]),
        ("refuted", {}, [(AS_WRITTEN, False), (CORRECTED, True)]),
        ("refuted", {}, [(AS_WRITTEN, False), (AS_WRITTEN, True), (CORRECTED, True), (CORRECTED, True)]),
        ("refuted", {}, [(AS_WRITTEN, False), (CORRECTED, True), (IDENTITY, True)]),
        ("unexplained", {}, [(AS_WRITTEN, False)]),  # nothing was tested in its place
        ("unexplained", {}, [(AS_WRITTEN, False), (IDENTITY, True)]),
        ("unexplained", {}, [(AS_WRITTEN, False), (CORRECTED, True), (CORRECTED, False)]),
        ("unexplained", {}, [(AS_WRITTEN, True), (CORRECTED, False)]),
        ("qualified", INSIDE_OUTSIDE, [("small", True), ("large", False)]),
        ("qualified", INSIDE_OUTSIDE, [("small", True), ("large", False), (CORRECTED, True), (IDENTITY, False)]),
        ("reproduced", INSIDE_OUTSIDE, [("small", True), ("large", True)]),  # it holds outside the condition, too
        ("unexplained", INSIDE_OUTSIDE, [("small", False), ("large", False)]),
        ("unexplained", INSIDE_OUTSIDE, [("small", False), ("large", True)]),
        ("unexplained", INSIDE_OUTSIDE, [("small", True), ("small", False), ("large", False)]),
        ("unexplained", INSIDE_OUTSIDE, [("small", True), ("large", False), ("large", True)]),
        ("unexplained", INSIDE_OUTSIDE, [("small", True), ("large", False), (CORRECTED, False)]),
    ],
)
def test_verdict(expected, conditions, rows):
    predictions = [Prediction(str(i), group, {}, "", 1.0) for i, (group, _) in enumerate(rows)]
    measurements = {str(i): Measurement(1.0 if agree else 2.0, 0.001, 1_000) for i, (_, agree) in enumerate(rows)}
    assert verdict(predictions, measurements, "0", conditions) == expected
    # Whatever the numbers say: without power the experiment counts as not done.
    if rows[0][0] != IDENTITY:
        assert verdict(predictions, measurements | {"0": measurements["0"]._replace(standard_error=1.0)}, "0", conditions) == "underpowered"


@pytest.mark.parametrize(
    ("expected", "leading", "other"),
    [
        ("reproduced", Measurement(1.0, 0.008, 1_000), Measurement(1.0, 0.008, 1_000)),
        ("underpowered", Measurement(1.0, 0.0080001, 1_000), Measurement(1.0, 0.001, 1_000)),
        ("underpowered", Measurement(1.0, 0.001, 1_000), Measurement(1.0, 0.0080001, 1_000)),  # of every quantity
        ("underpowered", Measurement(1.0, 0.001, 999), Measurement(1.0, 0.001, 1_000)),
        ("underpowered", Measurement(1.0, 0.001, 1_000), Measurement(1.0, 0.001, 999)),
        ("reproduced", Measurement(1.0, 0.001, 100, "models"), Measurement(1.0, 0.001, 1_000)),
        ("underpowered", Measurement(1.0, 0.001, 99, "models"), Measurement(1.0, 0.001, 1_000)),
        ("underpowered", Measurement(1.0, 0.001, 1_000), Measurement(math.nan, 0.5, 1_000)),
        ("underpowered", Measurement(1.0, 0.001, 1_000), Measurement(math.inf, math.nan, 1_000)),
        ("underpowered", Measurement(math.nan, math.nan, 1_000), Measurement(1.0, 0.001, 1_000)),
        ("reproduced", Measurement(1.0), Measurement(1.0)),
        ("unexplained", Measurement(2.0, 0.1, 1_000), Measurement(1.0, 0.001, 1_000)),  # off and seen: not "not done"
        ("underpowered", Measurement(2.0, 0.5, 1_000), Measurement(1.0, 0.001, 1_000)),
        ("unexplained", Measurement(0.0, 0.1, 1_000), Measurement(1.0, 0.001, 1_000)),
    ],
)
def test_underpowered(expected, leading, other):
    predictions = [Prediction(name, AS_WRITTEN, {}, "", 1.0) for name in ("leading", "other")]
    assert verdict(predictions, {"leading": leading, "other": other}, "leading") == expected


@pytest.mark.parametrize(
    ("expected", "name", "predicted", "tolerance", "m"),
    [
        ("reproduced", "a", 1.0, 0.05, Measurement(1.0)),
        ("underpowered", "a", 1.0, 0.0500001, Measurement(1.0)),
        ("underpowered", "a", 1.0, 0.02, Measurement(1.0, 0.008, 1_000)),
        ("underpowered", "a", 0.0, 1e-9, Measurement(0.0)),  # 5 % of nothing
        ("reproduced", "a, at most 0.5", 0.0, 0.5, Measurement(0.4)),
        ("unexplained", "a, at most 0.5", 0.0, 0.5, Measurement(0.6)),
        ("reproduced", "a, at most 0.5", 0.0, 0.5, Measurement(0.4, 0.09, 10_000)),
        ("underpowered", "a, at most 0.5", 0.0, 0.5, Measurement(0.4, 0.1, 10_000)),
        ("reproduced", "a, at least 0.5", 0.5, 0.0, Measurement(9.0, 1.0, 10_000)),
        ("underpowered", "a, at least 0.5", 0.5, 0.0, Measurement(0.6, 0.1, 10_000)),
        ("underpowered", "a, at least 0.5", 0.5, 0.0, Measurement(0.4, 0.1, 10_000)),  # on neither side
        ("unexplained", "a, at least 0.5", 0.5, 0.0, Measurement(-0.4, 0.1, 10_000)),
        ("reproduced", "a, at least 0.5", 0.5, 0.0, Measurement(0.5)),
        ("unexplained", "a, at least 0.5", 0.5, 0.0, Measurement(0.49)),
        ("underpowered", "a, at least 0", 0.0, 0.0, Measurement(math.nan, 0.1, 10_000)),
    ],
)
def test_every_number_sees_an_error(expected, name, predicted, tolerance, m):
    """5 % of it, its tolerance included; a bound one of its own size beyond it; an inequality is clear of its border."""
    assert verdict([Prediction(name, AS_WRITTEN, {}, "", predicted, tolerance)], {name: m}, name) == expected


def test_what_is_not_counted_needs_no_power():
    predictions = [Prediction("a", AS_WRITTEN, {}, "", 1.0), Prediction("b", IDENTITY, {}, "", 1.0)]
    assert verdict(predictions, {"a": Measurement(1.0, 0.001, 1_000), "b": Measurement(math.nan, math.nan, 3)}, "a") == "reproduced"


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("predicted twice: a", {"predictions": [("a", AS_WRITTEN), ("a", AS_WRITTEN)]}),
        ("predicted, not measured: b", {"predictions": [("a", AS_WRITTEN), ("b", AS_WRITTEN)]}),
        ("measured, not predicted: b", {"measurements": {"a": Measurement(1.0), "b": Measurement(1.0)}}),
        ("groups that do not exist: as written", {"predictions": [("a", "as written")]}),
        ("groups that do not exist: as-written", {"conditions": INSIDE_OUTSIDE}),
        ("groups without a quantity: as-written", {"predictions": [("a", CORRECTED)]}),
        ("groups without a quantity: large", {"predictions": [("a", "small")], "conditions": INSIDE_OUTSIDE}),
        ("no counted quantity of this name to lead: b", {"leading": "b"}),
        ("no counted quantity of this name to lead: a", {"predictions": [("a", IDENTITY)]}),
        ("no condition that is: False", {"predictions": [("a", "small")], "conditions": {"small": True}}),
        ("not random, yet with a standard error: a", {"measurements": {"a": Measurement(1.0, 0.1)}}),
    ],
)
def test_what_does_not_fit_is_refused(message, change):
    given = {"predictions": [("a", AS_WRITTEN)], "measurements": {"a": Measurement(1.0)}, "leading": "a", "conditions": {}} | change
    given["predictions"] = [Prediction(name, group, {}, "", 1.0) for name, group in given["predictions"]]
    with pytest.raises(ValueError, match=message):
        verdict(**given)


def kl_to_half(x):
    """KL(N(mean, variance), N(0, 1/2)) as the claims compute it."""
    return of_means(moments(x), lambda m: (m[1] / 0.5 - 1 - ((m[1] - m[0] ** 2) / 0.5).log()) / 2)


def gap_of_variance(x):
    """Of the variance to that of the law, in units of it."""
    return relative_gap(variance(x), 4 / 45)


@pytest.mark.parametrize(
    ("statistic", "true"),
    [(mean, 0.0), (variance, 4 / 45), (gap_of_variance, 0.0), (kl_to_half, (8 / 45 - 1 - math.log(8 / 45)) / 2)],
    ids=["mean", "variance", "gap of the variance", "KL"],
)
def test_standard_errors_by_the_delta_method(statistic, true):
    """z of 400 repeats at n = 1,000 has variance 1, on skewed draws, u^2 - 1/3 with u uniform (variance 1/5 - 1/9 = 4/45).

    alpha = 1e-4 over the four (chi-squared, two-sided), widened by .03 for what n = 1,000 leaves of the draws' skewness. A standard error
    off by 20 % is seen: sqrt 2, a missing term of the gradient, n for n^(1/2).
    """
    repeats, n, alpha = 400, 1_000, 1e-4 / 4
    draws = torch.rand(repeats, n, generator=stream("delta method", true), dtype=torch.float64) ** 2 - 1 / 3
    found = [statistic(x) for x in draws]
    z = torch.tensor([(m.measured - true) / m.standard_error for m in found])
    low, high = (stats.chi2.ppf(q, repeats) / repeats for q in (alpha / 2, 1 - alpha / 2))
    assert low - 0.03 < float(z.square().mean()) < high + 0.03
    assert all(m.n == n for m in found)


# The two experiments.

WHOLE = {"step-size-bias": "reproduced", "wiener-increment": "refuted"}


@pytest.fixture
def fewer_chains(monkeypatch, request):
    shrink_with_its_power(monkeypatch, request.getfixturevalue("claim") if "claim" in request.fixturenames else "wiener-increment")


@pytest.mark.parametrize(("claim", "expected"), WHOLE.items())
def test_expected_verdict(fewer_chains, claim, expected):
    found = evaluate(claim, 0)
    assert found.verdict == expected == found.expected, [q for q in found.quantities if not q.agrees]
    assert all(q.n == 25_000 for q in found.quantities)


@pytest.mark.parametrize("module", [step_size_bias, wiener_increment])
def test_streams(monkeypatch, module):
    """The same master seed gives the same bits, another gives other numbers; nothing leaks in from the global generator."""
    monkeypatch.setattr(module, "CHAINS", 100)
    once, again, other = (module.measure(master) for master in (0, 0, 1))
    assert once == again
    assert all(once[name].measured != other[name].measured for name in once)


@pytest.mark.parametrize("module", [step_size_bias, wiener_increment])
def test_rounding_is_far_below_the_standard_error(monkeypatch, module):
    """The same random numbers with positions in float64: no number moves by .01 standard errors of the full experiment."""
    chains = 10_000
    share = (chains / module.CHAINS) ** 0.5
    monkeypatch.setattr(module, "CHAINS", chains)
    single, run = module.measure(0), module.run
    monkeypatch.setattr(module, "run", lambda sampler, density, start, *rest: run(sampler, density, start.double(), *rest))
    double = module.measure(0)
    for name, m in single.items():
        assert abs(m.measured - double[name].measured) < 0.01 * m.standard_error * share, name
    assert any(single[name].measured != double[name].measured for name in single)  # so the positions were in float64


def _step(drift=lambda c: c, noise=lambda c, t: (2 * c * t).sqrt()):
    def step(self, state, density, draws):
        c, t = self.step_size[..., None], self.temperature[..., None]
        return State(state.x + drift(c) * density.score(state.x) + noise(c, t) * draws[:, None]), Info()

    return step


MUTANTS = {
    "sign of the drift": _step(drift=lambda c: -c),
    "half the drift": _step(drift=lambda c: c / 2),
    "variance for standard deviation": _step(noise=lambda c, t: 2 * c * t),
    "no 2 under the root": _step(noise=lambda c, t: (c * t).sqrt()),
    "temperature squared": _step(noise=lambda c, t: (2 * c).sqrt() * t),
    "temperature ignored": _step(noise=lambda c, t: (2 * c).sqrt()),
}


@pytest.mark.parametrize("claim", WHOLE)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_step_changes_the_verdict(monkeypatch, fewer_chains, claim, mutant):
    monkeypatch.setattr(ULA, "step", MUTANTS[mutant])
    assert evaluate(claim, 0).verdict == "unexplained"


def test_the_unbroken_copy_of_the_step_changes_nothing(monkeypatch, fewer_chains):
    """The mutants' own frame is the true step: it is what was broken that changed the verdict."""
    before = step_size_bias.measure(0)
    monkeypatch.setattr(ULA, "step", _step())
    assert step_size_bias.measure(0) == before


@pytest.mark.parametrize("claim", WHOLE)
def test_a_reused_seed_changes_the_verdict(monkeypatch, fewer_chains, claim):
    """The same random numbers at every step add up instead of forgetting each other."""
    monkeypatch.setattr(ULA, "draws", lambda self, density, shape, generator: torch.randn(shape, generator=generator.manual_seed(1)))
    assert evaluate(claim, 0).verdict == "unexplained"


@pytest.mark.parametrize(
    ("name", "temperature"),
    [("temperature_corrected", lambda h: h), ("temperature_as_written", lambda h: 1.0), ("temperature_as_written", lambda h: h**2)],
)
def test_readings_mixed_up_change_the_verdict(monkeypatch, fewer_chains, name, temperature):
    """The corrected reading made literal; the literal one made correct; the literal one of variance h^3."""
    monkeypatch.setattr(wiener_increment, name, temperature)
    assert evaluate("wiener-increment", 0).verdict == "unexplained"


# The stage.


@pytest.fixture
def plan():
    experiment = Experiment(target="gaussian", seeds=2)
    return Plan(Suite(name="test", seed=3, experiments=(experiment,), metrics=("mmd",), claims=("wiener-increment",)))


def run_stage(plan, claim, folder):
    stage.run(plan, claim, folder)
    return Results(folder, plan).claim(claim), json.loads((folder / timing("claim", claim)).read_text())


def test_stage_writes_the_contract(monkeypatch, plan, tmp_path):
    monkeypatch.setattr(wiener_increment, "CHAINS", 200)
    found, entry = run_stage(plan, "wiener-increment", tmp_path)
    assert all(getattr(found, key) for key in "label source statement correction reference leading".split())
    assert (found.id, found.expected, found.seed) == ("wiener-increment", "refuted", plan.suite.seed)
    assert found.verdict == "underpowered" and entry["status"] == "ok" and found.reason == ""
    assert len(found.quantities) == len(wiener_increment.predict())
    for q, p in zip(found.quantities, wiener_increment.predict(), strict=True):
        assert (q.name, q.group, q.unit, q.predicted, q.tolerance, q.n) == (p.name, p.group, p.unit, p.predicted, p.tolerance, 200)
        assert isinstance(q.agrees, bool)


def test_stage_tells_a_claim_whose_code_raises(monkeypatch, plan, tmp_path, capsys):
    monkeypatch.setattr(wiener_increment, "measure", lambda master: {}[f"no experiment {master}"])
    found, entry = run_stage(plan, "wiener-increment", tmp_path)
    assert found.verdict == "failed" and found.reason == f"KeyError: 'no experiment {plan.suite.seed}'"
    assert (entry["status"], entry["reason"]) == ("failed", found.reason)
    assert found.quantities == () and found.statement == wiener_increment.STATEMENT
    assert "Traceback" in capsys.readouterr().err


def test_stage_stops_a_claim_that_takes_too_long(monkeypatch, plan, tmp_path):
    monkeypatch.setattr(wiener_increment, "measure", lambda master: time.sleep(5))
    hasty = Plan(plan.suite.model_copy(update={"job_minutes": 1e-3}))
    found, entry = run_stage(hasty, "wiener-increment", tmp_path)
    assert (found.verdict, found.reason, entry["status"]) == ("failed", "timeout", "timeout")


@pytest.mark.parametrize(
    ("text", "reason"), [("def predict(:\n", "SyntaxError"), ("LABEL = 'Broken'\nimport nothing_of_this_name\n", "nothing_of_this_name")]
)
def test_stage_tells_a_claim_that_does_not_import(monkeypatch, plan, tmp_path, text, reason):
    name = f"broken_{reason.lower()}"
    path = tmp_path / "claims" / f"{name}.py"
    path.parent.mkdir()
    path.write_text(text)
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    monkeypatch.setattr("scorebench.claims.__path__", [str(path.parent)])
    monkeypatch.setattr("scorebench.stages.record._imported", lambda: [])  # modules from elsewhere than ROOT
    found, _ = run_stage(plan, name.replace("_", "-"), tmp_path)
    assert found.verdict == "failed" and reason in found.reason
    assert found.label in ("Broken", name.replace("_", "-"))


def test_repeats_tell_a_verdict_that_does_not_hold(monkeypatch):
    """In one process each: a stable claim, and one whose code raises for a seed."""
    (stable,) = repeats.repeats(["wiener-derivative"], range(1, 3), 1)
    assert repeats.holds(stable) and repeats.lines(stable) == ["wiener-derivative: qualified 2/2 (registered: qualified)"]
    broken = [stable[0], stable[1]._replace(verdict="unexplained", disagreeing=["slope"])]
    assert not repeats.holds(broken)
    assert repeats.lines(broken)[1] == "  seed 2: unexplained; slope"
