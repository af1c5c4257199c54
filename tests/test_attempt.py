"""The net under a method's code: whenever the alarm rings, a job out of time is a status and nothing else."""

import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from scorebench import stages
from scorebench.core.errors import InputError, NotApplicable
from scorebench.core.schema import OK, Ended, Status, Verdict
from scorebench.engine import attempt as module
from scorebench.engine.attempt import attempt
from scorebench.store.again import lost
from scorebench.store.results import Results
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

LATE = (None, Ended(Status.TIMEOUT))


def ring() -> None:
    signal.raise_signal(signal.SIGALRM)


def later() -> float:
    return time.monotonic() + 60


def test_what_a_call_can_end_as(capfd: pytest.CaptureFixture[str]) -> None:
    assert attempt(lambda: 3, later()) == (3, OK)
    assert attempt(ring, later()) == LATE
    assert attempt(lambda: time.sleep(5), time.monotonic() - 1) == LATE
    assert capfd.readouterr().err == ""
    assert attempt(lambda: sys.exit(3), later()) == (None, Ended(Status.FAILED, "SystemExit: 3"))
    assert attempt(lambda: 1 / 0, later()) == (None, Ended(Status.FAILED, "ZeroDivisionError: division by zero"))
    assert "Traceback" in capfd.readouterr().err  # in the job's log

    def absent() -> None:
        raise NotApplicable("the target has no modes")

    assert attempt(absent, later()) == (None, Ended(Status.NOT_APPLICABLE, "the target has no modes"))


def test_an_input_that_is_gone_is_no_row(tmp_path: Path) -> None:
    """No method is at fault: the job fails, so that it is done again, and leaves nothing that would be taken for a result."""
    block = "{samplers: [ula], step_sizes: [0.1], chains: 16, budgets: [5]}"
    training = "{size: 100, batch: 16, steps: [5], learning_rate: 1e-2}"
    (tmp_path / "gone.yaml").write_text(
        "name: gone\nseed: 1\nmetrics: [acceptance]\nexperiments:\n"
        f"  - {{target: gaussian, seeds: 2, training: {training}, sources: {{quadratic: [implicit]}}, trained: {block}}}\n"
    )
    plan = Plan(load(tmp_path / "gone.yaml"))
    for stage, its in (("sample", "train/gaussian/quadratic/implicit.npz"), ("measure", "sample/gaussian/ula.npz")):
        for job in plan.jobs(stage):
            with pytest.raises(InputError, match=f"{its} does not exist; run the suite again"):
                stages.run(stage, plan, job, tmp_path)
    assert not any(path.is_file() for path in (tmp_path / "gone").rglob("*"))


def test_a_method_cannot_swallow_the_alarm() -> None:
    def stubborn() -> str:
        try:
            ring()
        except Exception:
            pass
        return "went on"

    assert attempt(stubborn, later()) == LATE


class Unlucky(Exception):
    """The alarm rings while what was raised is put into words."""

    def __str__(self) -> str:
        ring()
        return ""


def test_the_alarm_in_the_handling_of_a_failure() -> None:
    def fails() -> None:
        raise Unlucky

    assert attempt(fails, later()) == LATE


def test_the_alarm_when_all_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """It rings while it is being put off, in `finally`: the result stands."""
    setitimer = signal.setitimer

    def rings(which: int, seconds: float) -> None:
        if seconds == 0:
            ring()
        setitimer(which, seconds)

    monkeypatch.setattr(module.signal, "setitimer", rings)
    before = signal.getsignal(signal.SIGALRM)
    assert attempt(lambda: 3, later()) == (3, OK)
    assert attempt(ring, later()) == LATE
    assert signal.getsignal(signal.SIGALRM) == before


def test_three_thousand_races() -> None:
    """Calls that end about when the alarm rings, a thousandth of a second after they began."""
    started = time.perf_counter()
    sum(range(10_000))
    size = int(10_000 * 1e-3 / (time.perf_counter() - started))
    ends = Counter(attempt(lambda: sum(range(size)), time.monotonic() - 1)[1].status for _ in range(3_000))
    assert set(ends) <= {Status.OK, Status.TIMEOUT} and sum(ends.values()) == 3_000


HURRIED = """
name: hurried
seed: 1
job_minutes: 0.0005
metrics: [fisher_divergence, "mmd:fraction=0.2", rhat, acceptance]
claims: [wiener-increment]
experiments:
  - target: gaussian
    seeds: 2
    training: {size: 500, batch: 32, steps: [5000], learning_rate: 1e-2}
    sources: {quadratic: [sliced]}
    exact: {samplers: [ula, mala], step_sizes: [0.05, 0.5], chains: 4096, budgets: [20, 5000]}
    trained: {samplers: [ula], step_sizes: [0.05, 0.5], chains: 16, budgets: [20, 60]}
"""


def test_a_suite_without_time(tmp_path: Path) -> None:
    """Three hundredths of a second a job: every row and the claim say `timeout`, the tables and the page are made."""
    (tmp_path / "suite.yaml").write_text(HURRIED, encoding="utf-8")
    plan = Plan(load(tmp_path / "suite.yaml"))
    for stage in STAGES:
        for job in plan.jobs(stage):
            stages.run(stage, plan, job, tmp_path)
    results = Results(tmp_path / "hurried", plan)
    assert set(results.metrics["status"]) <= {"timeout", "ok"} and (results.metrics["status"] == "timeout").mean() > 0.5
    (claim,) = results.claims
    assert claim.verdict == Verdict.FAILED and claim.reason == "timeout"
    assert ("train", "gaussian/quadratic/sliced") in lost(plan, tmp_path / "hurried")
    assert "timeout" in (tmp_path / "hurried/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("why", ["no score\rat all", "no score\n  at all", "no\u2028score at all "])
def test_a_reason_is_one_line(why: str) -> None:
    """Of a method's own words: they stand in a line of a table."""

    def function() -> None:
        raise NotApplicable(why)

    assert attempt(function, later()) == (None, Ended(Status.NOT_APPLICABLE, "no score at all"))
