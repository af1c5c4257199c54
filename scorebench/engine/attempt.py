"""The net under a method's code: what it raises, or the time that it takes, becomes the status of its rows."""

import contextlib
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import TypeVar

from scorebench.core import registry
from scorebench.core.errors import NotApplicable, of_surroundings, surroundings
from scorebench.core.schema import OK, Ended, Status, raised
from scorebench.core.spec import Spec

Result = TypeVar("Result")


class OutOfTime(BaseException):
    """The job's time is up. No `Exception`, which a method's own code may catch."""


def attempt(function: Callable[[], Result], deadline: float) -> tuple[Result | None, Ended]:
    """Call a method's code: its result, OK; or None and the status if it raised or ran past the deadline (`time.monotonic`).

    A failure becomes rows with a status, not a dead workflow; its traceback goes to the job's log. Raises InputError where it is
    the system's, as of a full disk. The alarm rings once: up to `ringing = False`, wherever
    it rings, it is caught below; from there on it does nothing.
    """
    if time.monotonic() >= deadline:
        return None, Ended(Status.TIMEOUT)
    ringing = True

    def out_of_time(*_: object) -> None:
        if ringing:
            raise OutOfTime

    previous = signal.signal(signal.SIGALRM, out_of_time)
    result: Result | None = None
    ended = OK
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, max(deadline - time.monotonic(), 1e-6))
            result = function()
        except (OutOfTime, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit, too
            if of_surroundings(error):
                raise surroundings(error) from None
            if not isinstance(error, NotApplicable):
                traceback.print_exc(file=sys.stderr)
            ended = raised(error)
        ringing = False
    except OutOfTime:
        result, ended = None, Ended(Status.TIMEOUT)
    finally:
        ringing = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    return result, ended


def preload(*specs: Spec) -> None:
    """Import methods before the clock starts; one that fails to import fails again, with a status, where it is used."""
    for spec in specs:
        with contextlib.suppress(Exception):
            registry.module(spec.kind, spec.name)


def deadline(minutes: float) -> float:
    """When a job that starts now must end."""
    return time.monotonic() + 60 * minutes
