"""A process of its own for a job: what exits, crashes, hangs in compiled code or eats memory ends that process and no other."""

import contextlib
import ctypes
import multiprocessing
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import NamedTuple

import psutil

from scorebench.core.errors import InputError, of_surroundings, surroundings
from scorebench.core.schema import OK, Ended, Status, raised

GRACE, SHARE = 1.0, 0.05
"""Beyond its time a job has so many seconds, and this share of its time, to write what it has."""
POLL = 0.05
"""Seconds between two looks at a job's memory."""
DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


class Left(NamedTuple):
    """What is known of a process that has ended."""

    ended: Ended
    seconds: float
    peak_memory_mb: float


def bound(run: int) -> None:
    """Let this process, and what it starts, end with the run that started it, however that ends: Snakemake's process number `run`.

    It has a process group, so that a signal to the run's group does not come to it before it has ended its own children. Where the system cannot tell it
    of its parent's end, `isolated` looks.
    """
    with contextlib.suppress(PermissionError):
        os.setpgid(0, 0)
    _told_of_parents_end(signal.SIGTERM)
    if os.getppid() != run and not _lives(run):  # it had ended before it could be told of
        _leave()


def _told_of_parents_end(number: signal.Signals) -> None:
    if platform.system() == "Linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, number)


def _lives(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def isolated(work: Callable[[], None], seconds: float, megabytes: float) -> Left:
    """Fork, do the work in the child, and say how that ended; the child is killed beyond its time or its resident memory.

    What is imported before is shared, and costs the child nothing; nothing that the child changes reaches this process. Raises InputError where the work
    does.
    """
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    child = fork.Process(target=_work, args=(work, sender, os.getpid()))
    started, peak, parent = time.monotonic(), 0.0, os.getppid()
    previous = signal.signal(signal.SIGTERM, _leave)
    ended: Ended | None = None
    try:
        child.start()
        sender.close()
        assert child.pid is not None
        while child.is_alive() and ended is None:
            child.join(POLL)
            if os.getppid() != parent:
                _leave()
            peak = max(peak, used := _resident(child.pid))
            if used > megabytes:
                ended = Ended(Status.FAILED, f"used {used:.0f} MB, more than the {megabytes:g} MB that job_memory_mb allows")
            elif time.monotonic() - started > seconds * (1 + SHARE) + GRACE:
                ended = Ended(Status.TIMEOUT)
    finally:
        if child.pid is not None:  # it was started
            _kill(child.pid)
            child.join()
        signal.signal(signal.SIGTERM, previous)
    return Left(ended or _said(receiver, child.exitcode or 0), time.monotonic() - started, peak)


def _leave(*_: object) -> None:
    sys.exit(128 + signal.SIGTERM)


def _work(work: Callable[[], None], sender: Connection, parent: int) -> None:
    """In the child: it has a process group, so that what it starts dies with it, and prints to the log alone."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _told_of_parents_end(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    with contextlib.suppress(OSError, ValueError):
        os.dup2(sys.stderr.fileno(), 1)
    said: Ended | InputError = OK
    try:
        work()
    except InputError as error:
        said = error
    except BaseException as error:
        with contextlib.suppress(OSError):
            traceback.print_exc()
        said = surroundings(error) if of_surroundings(error) else raised(error)
    sender.send(said)
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)  # no exit handler, and no thread that the work has left behind, holds it up


def _said(receiver: Connection, code: int) -> Ended:
    """What the child sent at its end; else how it ended."""
    try:
        said = receiver.recv() if receiver.poll() else None
    except EOFError:
        said = None
    if said is None:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
        return Ended(Status.FAILED, f"the process {how}")
    if isinstance(said, InputError):
        raise said
    return said


def _kill(process: int) -> None:
    """A child with all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)


def _resident(process: int) -> float:
    """Megabytes; 0 of a process that is gone."""
    try:
        return psutil.Process(process).memory_info().rss / 2**20
    except psutil.Error:
        return 0.0
