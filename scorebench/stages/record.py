"""The record of what a job cost, by a clock that leaves imports out."""

import contextlib
import platform
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scorebench.store import artifacts


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
