"""The record of a job: what it cost, by a clock that leaves imports out, and what it rested on in fact.

Which files of the package the process had imported at the end of the job, and which other files of it and of the suite's folder it opened: what the
job's fingerprint and its rule's inputs must name (`suite.fingerprint`, `suite.plan`).
"""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebench.core import registry, sealed
from scorebench.core.schema import OK
from scorebench.store import artifacts
from scorebench.suite.jobs import limits, timing

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan

_opened: set[str] | None = None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None and isinstance(arguments[0], str | bytes | os.PathLike) and not arguments[2] & os.O_CREAT:
        _opened.add(os.path.abspath(os.fsdecode(arguments[0])))


sys.addaudithook(_watch)


@contextlib.contextmanager
def record(plan: Plan, folder: Path, stage: str, job: str) -> Iterator[dict[str, Any]]:
    """Time a job's compute and write it, with the peak memory, its limits, what was read and the digests of what was written, as JSON.

    The body may add to the record.
    """
    global _opened
    entry: dict[str, Any] = {
        "stage": stage,
        "job": job,
        **OK._asdict(),
        "limits": limits(plan.suite),
        "rests_on": plan.rests_on.get(timing(stage, job)),
    }
    started, clock = time.time(), time.perf_counter()
    registry.entry.cache_clear()  # what is read of a method from here on is read for the job
    _opened = set()
    try:
        yield entry
        entry["reads"] = sorted(_under(folder))
        entry["code"] = sorted({*_imported(), *_under(registry.ROOT)})
        entry |= _computed_with()
    finally:
        _opened = None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if platform.system() == "Linux" else 1024**2)
    cost = {"seconds": time.perf_counter() - clock, "peak_memory_mb": peak, "started": started, "ended": time.time()}
    digests = {name: sealed.digest(folder / name) for name in plan.outputs(stage, job) if (folder / name).exists()}
    artifacts.write_json(folder / timing(stage, job), cost | entry | {"sha256": digests})


def _computed_with() -> dict[str, str]:
    """The instructions and the GPU by which torch computed, where the job loaded it: results differ with them by rounding."""
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    gpu = torch.cuda.get_device_name() if torch.cuda.is_initialized() else ""
    return {"cpu_capability": torch.backends.cpu.get_cpu_capability(), "gpu": gpu}


def _under(folder: Path) -> Iterator[str]:
    """Of the files that were opened to be read, those in a folder, relative to it; compiled ones are told by their modules."""
    for path in map(Path, _opened or ()):
        if path.is_relative_to(folder.absolute()) and path.suffix != ".pyc":
            yield path.relative_to(folder.absolute()).as_posix()


def _imported() -> Iterator[str]:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "scorebench" and getattr(module, "__file__", None):
            yield Path(str(module.__file__)).relative_to(registry.ROOT).as_posix()
