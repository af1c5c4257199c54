"""What the stages share: statuses, a clock that leaves imports out, and the record of what a job cost."""

import contextlib
import platform
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scorebench.core import registry
from scorebench.core.errors import NotApplicable
from scorebench.core.spec import Spec
from scorebench.store import artifacts

OK, DIVERGED, TIMEOUT = "ok", "diverged", "timeout"


@contextlib.contextmanager
def record(path: Path, stage: str, job: str) -> Iterator[dict[str, Any]]:
    """Time a job's compute, imports excluded, and write it with the peak memory as JSON; the body may add to the record."""
    entry: dict[str, Any] = {"stage": stage, "job": job}
    started, clock = time.time(), time.perf_counter()
    yield entry
    entry["seconds"] = time.perf_counter() - clock
    entry["started"], entry["ended"] = started, time.time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    entry["peak_memory_mb"] = peak / (1024 if platform.system() == "Linux" else 1024**2)
    artifacts.write_json(path, entry)


class OutOfTime(Exception):
    """The job's time is up."""


def attempt(function: Callable[[], Any], deadline: float) -> tuple[Any, str]:
    """Call a method's code: (result, "ok"), or (None, status) if it raised or ran past the deadline (`time.monotonic`).

    A failure becomes rows with a status, not a dead workflow; its traceback goes to the job's log.
    """

    def out_of_time(*_: object) -> None:
        raise OutOfTime

    previous = signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_REAL, max(deadline - time.monotonic(), 1e-3))
    try:
        return function(), OK
    except OutOfTime:
        return None, TIMEOUT
    except NotApplicable as error:
        return None, not_applicable(str(error))
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        reason = " ".join(str(error).split())[:160]
        return None, f"failed: {type(error).__name__}: {reason}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def preload(*specs: Spec) -> None:
    """Import methods before the clock starts; one that fails to import fails again, with a status, where it is used."""
    for spec in specs:
        with contextlib.suppress(Exception):
            registry.module(spec.kind, spec.name)


def deadline(minutes: float) -> float:
    """When a job that starts now must end."""
    return time.monotonic() + 60 * minutes


def not_applicable(reason: str) -> str:
    """The status of a row that cannot be had."""
    return f"not_applicable: {reason}"
