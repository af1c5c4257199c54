"""What every claim keeps to: it says what is claimed, and its own experiment, run as the workflow runs it, comes to the verdict that it registered."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scorebench import stages
from scorebench.claims.base import AS_WRITTEN, BOUND, CORRECTED, IDENTITY, LEAST, Measurement, Prediction, evaluate, sees_an_error
from scorebench.core import registry
from scorebench.core.schema import ClaimResult, Verdict
from scorebench.core.spec import Spec
from scorebench.store.results import Results
from scorebench.suite.plan import Plan
from scorebench.suite.reading import checked
from scorebench.testing.contract import Check, own_generator, says
from scorebench.testing.examples import SEED

VERDICTS = (Verdict.REPRODUCED, Verdict.REFUTED, Verdict.QUALIFIED)


def master() -> int:
    """The master seed of this repeat."""
    return SEED.get() + 1


def declares_what_it_claims(spec: Spec) -> None:
    """It says LABEL, STATEMENT, EXPECTED and LEADING, and defines predict and measure."""
    says(spec, LABEL=str, STATEMENT=str, EXPECTED=str, LEADING=str)
    facts = spec.entry.facts
    assert facts["EXPECTED"] in VERDICTS, (
        f"EXPECTED = {facts['EXPECTED']!r}; one of {', '.join(VERDICTS)} was expected, registered before measuring"
    )
    qualified = facts["EXPECTED"] == Verdict.QUALIFIED
    assert qualified == bool(facts.get("CONDITIONS")), (
        "CONDITIONS, group: whether the statement holds there, are those of a qualified claim"
    )
    for kind, names in facts.get("USES", {}).items():
        assert kind in registry.FOLDERS, f"USES names the kind {kind!r} (known: {', '.join(registry.FOLDERS)})"
        for name in names:
            assert name in registry.names(kind), f"USES names the {kind} {name!r}, which there is not"


def predicts_before_it_measures(spec: Spec) -> None:
    """Its predictions are finite numbers in groups that there are, of one name each, and `predict` uses no random numbers."""
    module = registry.module("claim", spec.name)
    with own_generator("predict"):
        predictions = module.predict()
    names = [p.name for p in predictions]
    groups = {*(spec.entry.facts.get("CONDITIONS") or (AS_WRITTEN,)), CORRECTED, IDENTITY}
    for p in predictions:
        assert p.predicted == p.predicted and abs(p.predicted) != float("inf"), (
            f"the prediction {p.name!r} is {p.predicted}; a number was expected"
        )
        assert p.group in groups, f"the prediction {p.name!r} is of the group {p.group!r} (known: {', '.join(sorted(groups))})"
        assert names.count(p.name) == 1, f"{p.name!r} is predicted {names.count(p.name)} times"
        assert BOUND not in p.name or p.name.endswith(f"{BOUND} {p.tolerance:g}"), (
            f"the bound {p.name!r} has the tolerance {p.tolerance:g}; '{BOUND} {p.tolerance:g}' was expected at its end"
        )
        assert LEAST not in p.name or (p.name.endswith(f"{LEAST} {p.predicted:.4g}") and p.tolerance == 0), (
            f"the inequality {p.name!r} predicts {p.predicted:.4g} within {p.tolerance:g}; '{LEAST} {p.predicted:.4g}' was expected at its "
            "end, and no tolerance"
        )
    assert [p._replace(setting=dict(p.setting)) for p in predictions] == [p._replace(setting=dict(p.setting)) for p in module.predict()], (
        "predict gives other numbers when it is called again; closed forms or quadrature were expected"
    )


@contextmanager
def _job(claim: str) -> Iterator[ClaimResult]:
    """The claim, tested by the workflow's own job in a folder that is gone afterwards."""
    suite = {
        "name": "check",
        "seed": master(),
        "metrics": ("mmd",),
        "experiments": ({"target": "gaussian", "seeds": 2},),
        "claims": (claim,),
    }
    plan = Plan(checked(suite, claim))
    with tempfile.TemporaryDirectory() as root:
        stages.run("claim", plan, claim, Path(root))
        yield Results(Path(root, "check"), plan).claim(claim)


def comes_to_its_verdict(spec: Spec) -> None:
    """The workflow's own job comes to the verdict that EXPECTED registers, whose false-alarm rate is 1e-7 a number (claims/base.py)."""
    with _job(spec.name) as tested:
        pass
    assert tested.verdict != Verdict.FAILED, f"the experiment fails: {tested.reason}"
    if tested.verdict == tested.expected:
        return
    should = {CORRECTED: True} | (tested.conditions or {AS_WRITTEN: tested.expected == Verdict.REPRODUCED})
    odd = [
        f"{q.name!r}: measured {q.measured:.6g} +- {q.standard_error:.2g}, predicted {q.predicted:.6g}"
        for q in tested.quantities
        if q.agrees != should.get(q.group, q.agrees)
    ]
    blind = [
        q.name
        for q in tested.quantities
        if q.group != IDENTITY
        and q.agrees
        and not sees_an_error(
            Prediction(q.name, q.group, q.setting, q.unit, q.predicted, q.tolerance), Measurement(q.measured, q.standard_error, q.n)
        )
    ]
    why = (
        f" (too few units, or no error would have been seen of {', '.join(map(repr, blind[:3]))})"
        if tested.verdict == Verdict.UNDERPOWERED
        else ""
    )
    others = f"; of another group than it stands in is {'; '.join(odd[:3])}" if odd else ""
    raise AssertionError(f"verdict: {tested.verdict} came{why}; EXPECTED = {tested.expected!r}{others}")


def rests_on_its_master_seed(spec: Spec) -> None:
    """The same master seed gives the same numbers in another process, another gives others where there is a standard error; no global generator is used."""
    with _job(spec.name) as there:
        pass
    with own_generator("measure"):
        here = evaluate(spec.name, master())
    numbers = ([(q.name, q.measured, q.standard_error, q.n) for q in tested.quantities] for tested in (there, here))
    assert repr(next(numbers)) == repr(next(numbers)), (
        "the same master seed gave other numbers; streams come from rng.generator(master, ...)"
    )
    for mine, other in zip(here.quantities, evaluate(spec.name, master() + 1).quantities, strict=True):
        assert mine.standard_error == 0 or mine.measured != other.measured, (
            f"{mine.name!r} is {mine.measured:.6g} from two master seeds, to the last digit, with a standard error of {mine.standard_error:.2g}"
        )


CHECKS: tuple[Check, ...] = (declares_what_it_claims, predicts_before_it_measures, comes_to_its_verdict, rests_on_its_master_seed)
