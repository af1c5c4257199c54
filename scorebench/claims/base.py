r"""What a claim is, when a measured number agrees with a predicted one, and how a verdict follows.

A claim is a file `scorebench/claims/<part>/<id>.py` (the id is public with hyphens) that says

    LABEL, SOURCE, REFERENCE   the statement in a few words, right or wrong; where the article says it (heading and equation); where the truth of it is shown
    QUOTE, TRANSLATION         the article's own words there, and the same in English; of what is beyond the article, the words that it follows from
    STATEMENT, CORRECTION      the reading that is tested; the correction of a statement that does not hold as written, else left out
    EXPECTED                   the verdict, registered before measuring
    LEADING                    the quantity that stands for the claim in tables
    USES                       the methods that it names as text, by kind: {"model": ("autoencoder",), "loss": ("denoising",)}; else left out
    CONDITIONS                 of a qualified claim: group -> whether the statement holds there; else left out
    predict() -> list[Prediction]               closed form or quadrature, never the code under test
    measure(master) -> dict[str, Measurement]   the experiment, by the project's own targets, models, losses and samplers

    picture(master) -> dict[str, array]         where a figure shows the experiment: all that it draws beside the numbers (paths, fields, densities,
                                   predicted curves), saved to claims/<id>.npz; what is shared with `measure` is computed once (functools.cache)

and imports those by name, or says them in USES, so that a change in one of them runs the claim again.
Quotation, translation, statement and correction are text, with LaTeX between $. A quantity's group is

    as-written    a number that follows from the statement (in a qualified claim the names of its CONDITIONS stand in its place)
    corrected     a number that follows from what holds instead, or from what explains why the statement fails
    identity      shown, not counted: where both readings give the same, nothing could fail, no error could be seen, or another number says it already

**Agrees**: |measured - predicted| <= t standard_error + tolerance, t the two-sided quantile of Student's law at n - 1 degrees of freedom, n
the number of independent units. All quantities of all claims together raise a false alarm in at most ALPHA of the runs (Bonferroni, valid
under any dependence). The budget of quantities is fixed, so that a new claim moves no other claim's verdict: each has ALPHA/BUDGET = 1e-7,
t = 5.3 for many units, so that an error of 6.6 standard errors is seen in 9 of 10 runs.

**Sees an error**: of every number that agrees, 5 %. Its standard error is .8 % of it at most, and what is allowed, t standard errors and the tolerance,
5 % of it. "Of it" is of the predicted or the measured value, whichever is larger. A number of which 5 % says nothing, as of a 0, is a bound: its name ends
in "at most X", X is its tolerance, and t standard errors are X at most. A number that disagrees has seen an error.

**An inequality** that the statement implies is a number, too, with its standard error: its name ends in "at least X", X is what is predicted, without a
tolerance, and it agrees unless it is below X by more than t standard errors. It sees an error if it is not within t standard errors of X: what lies there
is on neither side.

**Verdicts**, by the first line that fits:

    underpowered  a counted quantity is not finite or has fewer units than it must, or agrees though it could not have seen an error
    unexplained   a corrected quantity disagrees: experiment, code or correction are wrong
    reproduced    every quantity of the statement agrees
    refuted       some as-written quantity disagrees, and there are corrected ones
    qualified     every quantity agrees in the groups where the statement should hold, every one disagrees in the others
    unexplained   anything else

Power comes first: an experiment that could not have seen an error counts as not done, whatever its numbers look like.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from scipy.special import stdtrit

from scorebench.core import registry
from scorebench.core.schema import ClaimResult, Quantity, Verdict

AS_WRITTEN, CORRECTED, IDENTITY = "as-written", "corrected", "identity"
ALPHA, BUDGET = 1e-4, 1_000
LEAST_UNITS, LEAST_CHAINS, LARGEST_ERROR, SEEN = 100, 1_000, 0.008, 0.05
BOUND, LEAST = "at most", "at least"


class Prediction(NamedTuple):
    """A number known before the experiment."""

    name: str
    group: str
    setting: Mapping[str, float | str]
    unit: str
    predicted: float
    tolerance: float = 0.0
    """Absolute; for what is numerical and known beforehand: the error of a quadrature, a remaining transient. Of a bound, what its name states; of an
    inequality 0."""


class Measurement(NamedTuple):
    """What the experiment gave."""

    measured: float
    standard_error: float = 0.0
    n: int | None = None
    """Independent units, never draws of one chain; None for a number without randomness, which agrees within its tolerance."""
    units: str = "chains"
    """What was counted: of chains it takes LEAST_CHAINS, of anything else LEAST_UNITS."""


class Claim(Protocol):
    """What a claim's file defines, beside its facts."""

    LEADING: str

    @staticmethod
    def predict() -> list[Prediction]:
        """Closed form or quadrature, never the code under test."""

    @staticmethod
    def measure(master: int) -> dict[str, Measurement]:
        """The experiment, from a master seed."""


def agrees(p: Prediction, m: Measurement) -> bool:
    """The agreement rule; a measurement that is not finite, or of fewer than two units, agrees with nothing."""
    if not (math.isfinite(m.measured) and math.isfinite(m.standard_error)) or (m.n is not None and m.n < 2):
        return False
    off = m.measured - p.predicted
    return (-off if LEAST in p.name else abs(off)) <= allowed(m.standard_error, m.n, p.tolerance)


def allowed(standard_error: float, n: int | None, tolerance: float) -> float:
    """How far a measurement of n units, of two at least, may be from its prediction."""
    t = 0.0 if n is None else -float(stdtrit(n - 1, ALPHA / BUDGET / 2))
    return t * standard_error + tolerance


def sees_an_error(p: Prediction, m: Measurement) -> bool:
    """Whether an error of 5 %, or of twice a bound, would have made the number disagree; of an inequality that agrees, whether it is clear of its border."""
    if BOUND in p.name:
        return allowed(m.standard_error, m.n, 0.0) <= p.tolerance
    if LEAST in p.name:
        return abs(m.measured - p.predicted) >= allowed(m.standard_error, m.n, 0.0)
    size = max(abs(p.predicted), abs(m.measured))
    return m.standard_error <= LARGEST_ERROR * size and allowed(m.standard_error, m.n, p.tolerance) <= SEEN * size


def verdict(
    predictions: Iterable[Prediction], measurements: Mapping[str, Measurement], leading: str, conditions: Mapping[str, bool] | None = None
) -> Verdict:
    """The verdict, by the rules above. Raises ValueError if predictions, measurements and groups do not fit together."""
    predictions, conditions = list(predictions), conditions or {}
    _check(predictions, measurements, leading, conditions)
    counted = [(p, measurements[p.name]) for p in predictions if p.group != IDENTITY]
    if not all(_done(m) and (sees_an_error(p, m) or not agrees(p, m)) for p, m in counted):
        return Verdict.UNDERPOWERED

    answers: dict[str, set[bool]] = {}  # group -> which of "agrees" and "disagrees" occur
    for p, m in counted:
        answers.setdefault(p.group, set()).add(agrees(p, m))
    corrected = answers.pop(CORRECTED, set())
    if False in corrected:
        return Verdict.UNEXPLAINED
    if all(group == {True} for group in answers.values()):
        return Verdict.REPRODUCED
    if not conditions:
        return Verdict.REFUTED if corrected else Verdict.UNEXPLAINED
    as_stated = all(answers[group] == {holds} for group, holds in conditions.items())
    return Verdict.QUALIFIED if as_stated else Verdict.UNEXPLAINED


def _done(m: Measurement) -> bool:
    finite = math.isfinite(m.measured) and math.isfinite(m.standard_error)
    least = LEAST_CHAINS if m.units == "chains" else LEAST_UNITS
    return finite and (m.n is None or m.n >= least)


def _check(predictions: list[Prediction], measurements: Mapping[str, Measurement], leading: str, conditions: Mapping[str, bool]) -> None:
    names = [p.name for p in predictions]
    own = set(conditions) or {AS_WRITTEN}
    groups = {p.group for p in predictions}
    faults: dict[str, set[str]] = {
        "predicted twice": {n for n in names if names.count(n) > 1},
        "predicted, not measured": set(names) - set(measurements),
        "measured, not predicted": set(measurements) - set(names),
        "groups that do not exist": groups - own - {CORRECTED, IDENTITY},
        "groups without a quantity": own - groups,
        "no counted quantity of this name to lead": {leading} - {p.name for p in predictions if p.group != IDENTITY},
        "no condition that is": {str(word) for word in {True, False} - set(conditions.values()) if conditions},
        "not random, yet with a standard error": {n for n, m in measurements.items() if m.n is None and m.standard_error != 0},
    }
    if any(faults.values()):
        raise ValueError("; ".join(f"{what}: {', '.join(sorted(which))}" for what, which in faults.items() if which))


def evaluate(claim: str, master: int) -> ClaimResult:
    """Run one claim, by its public id, from a master seed; another master seed gives an independent repeat."""
    module: Claim = registry.module("claim", claim)
    predictions = module.predict()
    measurements = module.measure(master)
    word = verdict(predictions, measurements, module.LEADING, getattr(module, "CONDITIONS", None))
    rows = []
    for p in predictions:
        m = measurements[p.name]
        rows.append(Quantity(p.name, p.group, p.setting, p.unit, p.predicted, m.measured, m.standard_error, m.n, p.tolerance, agrees(p, m)))
    return result(claim, master, word, rows)


def result(claim: str, master: int, verdict: Verdict, quantities: Iterable[Quantity] = (), reason: str = "") -> ClaimResult:
    """A result with the claim's facts, which are read without importing its file: a claim that fails is still reported."""
    facts = registry.entry("claim", claim).facts
    return ClaimResult(
        id=claim,
        label=facts.get("LABEL", claim),
        source=facts.get("SOURCE", ""),
        statement=facts.get("STATEMENT", ""),
        correction=facts.get("CORRECTION", ""),
        reference=facts.get("REFERENCE", ""),
        expected=facts.get("EXPECTED", ""),
        leading=facts.get("LEADING", ""),
        conditions=facts.get("CONDITIONS", {}),
        seed=master,
        verdict=verdict,
        reason=reason,
        quantities=tuple(quantities),
        quote=facts.get("QUOTE", ""),
        translation=facts.get("TRANSLATION", ""),
    )
