"""What a suite takes, before anything starts: core-hours, disk, jobs, memory and, for some numbers of cores, time. What this machine is like is measured."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from scorebench.core.errors import InputError
from scorebench.core.spec import parse
from scorebench.suite import estimate
from scorebench.suite.estimate import Pace
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import Plan

PIECE_SECONDS = 0.22
"""What `_piece` took on the ordinary core of the rates."""
START = """
import os, resource, sys
import scorebench.cli, scorebench.stages.measure
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load
Plan(load(sys.argv[1]))
if os.fork() == 0:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2))
else:
    os.wait()
"""
"""What a start of Python does before its first job begins, in a process of its own; it says how many megabytes that has."""


def needs(plan: Plan, cores: Sequence[int], pace: Pace) -> list[dict[str, Any]]:
    """A row for each number of cores. Raises InputError for a target that cannot be built."""
    dims = {id: parse("target", str(on.target)).build().dim for id, on in plan.targets.items()}
    work, span = estimate.work_and_span(plan, pace)
    common = {
        "jobs": sum(len(plan.jobs(stage)) for stage in STAGES),
        "starts": sum(len(plan.batches(stage)) for stage in STAGES),
        "core_hours": work / 3600,
        "gigabytes": estimate.size(plan, dims) / 1e9,
        "peak_memory_mb": estimate.memory_mb(plan, dims, pace),
    }
    return [{"cores": number} | common | {"hours": estimate.wall_seconds(work, span, number) / 3600} for number in cores]


def calibrated(suite: Path) -> Pace:
    """Of this machine, in at most ten seconds: the least of some repeats, which other work on it makes longer."""
    limit, starts, pieces = time.monotonic() + 6.0, list[float](), list[float]()
    while not starts or time.monotonic() + starts[-1] < limit:
        begun = time.perf_counter()
        done = subprocess.run([sys.executable, "-P", "-c", START, suite], capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode:
            raise InputError(
                f"no process could be started to see how long that takes: {(done.stderr.strip() or 'it said nothing').splitlines()[-1]}"
            )
        starts.append(time.perf_counter() - begun)
    while not pieces or (len(pieces) < 5 and time.monotonic() + pieces[-1] < limit + 2.0):
        pieces.append(_timed(_piece))
    return Pace(min(starts), min(pieces) / PIECE_SECONDS, float(done.stdout))


def _timed(work: Any) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _piece() -> None:
    """Training as it mostly is: products of 64 x 64 for a few seeds and a batch, their gradient, and draws."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn((4, 64, 64), generator=generator).mul(0.1).requires_grad_()
    for _ in range(500):
        x = torch.randn((4, 128, 64), generator=generator)
        ((x @ weights).tanh() @ weights).square().mean().backward()


def show(name: str, rows: Sequence[dict[str, Any]], pace: Pace) -> None:
    """As a table, and what it rests on."""
    from scorebench.commands.console import console_for, table

    first = rows[0]
    needed = table("cores", "time", "core-hours", "gigabytes", "jobs", "starts", "MB a job", justify="right")
    for row in rows:
        common = (f"{first['core_hours']:.3g}", f"{first['gigabytes']:.2g}", f"{first['jobs']:,}", f"{first['starts']:,}")
        needed.add_row(f"{row['cores']:,}", _time(row["hours"]), *common, f"{first['peak_memory_mb']:.0f}")
    console_for().print(needed)
    print(
        f"{name}: jobs that are short share a start of Python, of {pace.start:.1f} s at most here; a job takes {pace.job:.2f} times what the rates say. "
        "A cluster's queue, and what it takes to start a job there, come on top."
    )


def _time(hours: float) -> str:
    return f"{hours * 3600:.0f} s" if hours < 0.05 else f"{hours * 60:.0f} min" if hours < 3 else f"{hours:.1f} h"
