"""The net under a method's code: whenever the alarm rings, a job out of time is a status and nothing else."""

import signal
import time
from collections import Counter

import pytest

from scorebench.core.errors import NotApplicable
from scorebench.core.schema import OK, Ended, Status
from scorebench.engine import attempt as module
from scorebench.engine.attempt import attempt

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
    assert attempt(lambda: 1 / 0, later()) == (None, Ended(Status.FAILED, "ZeroDivisionError: division by zero"))
    assert "Traceback" in capfd.readouterr().err  # in the job's log

    def absent() -> None:
        raise NotApplicable("the target has no modes")

    assert attempt(absent, later()) == (None, Ended(Status.NOT_APPLICABLE, "the target has no modes"))


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
