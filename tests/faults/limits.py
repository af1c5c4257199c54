"""Limits hold under load. `python tests/faults/limits.py [--jobs 20] [--at-once 8] [--seed 1]`

Predicted, of jobs that hang in compiled code, eat memory, exit or crash, among as many that work, eight at once on however few cores and in random order,
each as the stages start it (`engine.process.isolated`): each ends as it must, and says so; none that hangs lives longer than its time, a twentieth of it and a
second for what it has to write, and two seconds for the load; none that eats comes to 1.5 times what it may; every other has written what it should; and no
process is left, though each that misbehaves has started another.
"""

import argparse
import ctypes
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil
from rig import judged

from scorebench.core.schema import Ended, Status
from scorebench.engine.process import GRACE, SHARE, Left, isolated

SECONDS, MEGABYTES = 10.0, 400.0
SLEEP = "98765"


def hangs() -> None:
    """A lock that is taken twice, in compiled code, where no signal is looked at."""
    lock = ctypes.create_string_buffer(256)
    for _ in range(2):
        ctypes.CDLL(None).pthread_mutex_lock(lock)


def eats() -> None:
    kept = []
    while True:
        kept.append(b"x" * 10**7)


DEEDS: dict[str, tuple[Callable[[], None], str]] = {
    "hangs": (hangs, "timeout"),
    "eats": (eats, "more than the 400 MB that job_memory_mb allows"),
    "exits": (lambda: os._exit(3), "the process exited with 3"),
    "crashes": (os.abort, "the process was killed by SIGABRT"),
}


def job(deed: str, path: Path, limit: float) -> tuple[str, Left, float]:
    """In a process as a stage has it."""

    def work() -> None:
        if deed in DEEDS:
            subprocess.Popen(["sleep", SLEEP])
            DEEDS[deed][0]()
        path.write_text(str(sum(number * number for number in range(10**6))))

    started = time.monotonic()
    left = isolated(work, limit, MEGABYTES)
    return deed, left, time.monotonic() - started


def limits(jobs: int, at_once: int, seed: int, limit: float = SECONDS) -> bool:
    counts: Counter[str] = Counter()
    deeds = [*(sorted(DEEDS)[number % len(DEEDS)] for number in range(jobs)), *["works"] * jobs]
    random.Random(seed).shuffle(deeds)
    with tempfile.TemporaryDirectory(prefix="faults") as folder, ProcessPoolExecutor(at_once) as pool:
        paths = [Path(folder, str(number)) for number in range(len(deeds))]
        for (deed, left, seconds), path in zip(pool.map(job, deeds, paths, [limit] * len(deeds)), paths, strict=True):
            counts[deed] += 1
            if deed == "works":
                counts["lost"] += left.ended != Ended(Status.OK) or path.read_text() != str((10**6 - 1) * 10**6 * (2 * 10**6 - 1) // 6)
            else:
                if DEEDS[deed][1] not in str(left.ended):
                    counts["said otherwise"] += 1
                    print(f"{deed}: {left}", flush=True)
                counts["too long"] += seconds > limit * (1 + SHARE) + GRACE + 2
                counts["too large"] += left.peak_memory_mb > 1.5 * MEGABYTES
    time.sleep(2)
    counts["processes left"] = sum(process.info["cmdline"] == ["sleep", SLEEP] for process in psutil.process_iter(["cmdline"]))
    return judged("limits", counts, ("lost", "said otherwise", "too long", "too large", "processes left"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.exit(not limits(given.jobs, given.at_once, given.seed, given.seconds))
