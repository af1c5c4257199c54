"""Whose run it is: one process at a time writes a suite's results, and the lock that a killed one has left is removed by the next.

The owner holds a lock of the kernel's (flock), which ends with its process, however that ends; in its file stands who it is. The file lies beside the
results' own folder, wherever links lead to it from: it is one for all who may write there. Snakemake's own lock is a file where it was started, and outlives
a kill. It is removed where its owner was of this machine and is gone; of another machine nobody here can know that, and it stays.
"""

import fcntl
import json
import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from scorebench.core.errors import InputError

PATIENCE = 4.0
"""Seconds in which an owner has said who it is, however busy the machine."""
_held: list[TextIO] = []


def own(out: str, folder: Path) -> None:
    """Own results `out` as long as this process lives, with Snakemake's `folder` (.snakemake). Raises InputError, naming the owner, where there is another."""
    results = Path(out).resolve()
    results.parent.mkdir(parents=True, exist_ok=True)
    file = open(results.with_name(f".{results.name}.owner"), "a+", encoding="utf-8", errors="replace")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with file:
            raise InputError(f"process {_owner(file).get('pid', 'unknown')} is at work on {out}: wait for its end, or end it") from None
    _held.append(file)
    locks, before, here = _locks(out, folder / "locks"), _owner(file, 0.0), platform.node()
    if locks and before.get("host", here) != here:
        raise InputError(
            f"process {before.get('pid', 'unknown')} on {before['host']} was at work on {out}, and has not said that it ended; if it has: snakemake --unlock"
        )
    if before:
        for lock in locks:
            lock.unlink(missing_ok=True)
    file.truncate(0)
    json.dump({"host": here, "pid": os.getpid()}, file)
    file.flush()


def _owner(file: TextIO, patience: float = PATIENCE) -> dict[str, Any]:
    limit = time.monotonic() + patience
    while True:
        file.seek(0)
        with suppress(ValueError, RecursionError):
            if isinstance(owner := json.loads(file.read()), dict):
                return owner
        if time.monotonic() >= limit:
            return {}
        time.sleep(0.02)


def _locks(out: str, folder: Path) -> list[Path]:
    """Snakemake's locks of these results: each lists files."""
    return [
        path
        for path in sorted(folder.glob("*.lock"))
        if any(line.startswith(f"{out}/") for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    ]
