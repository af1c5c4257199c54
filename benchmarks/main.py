"""The command line of the benchmark, and what it writes."""

import argparse
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import pandas as pd
import torch

from benchmarks import figures, scaling, table
from benchmarks.contest import LEAST_ROUNDS, Work, compete
from benchmarks.works import many_seeds, schemes, training_step, ula_grid, ula_mlp, ula_ring
from scorebench.core.errors import InputError
from scorebench.engine.device import prepare
from scorebench.report.readme import fill
from scorebench.store.provenance import processor

ROUNDS = 9
PACKAGES = ("scorebench", "torch", "torchebm", "ebmkit", "jax", "blackjax")


def works() -> list[Work]:
    """All, in the order of the table."""
    return [ula_ring.work(), ula_grid.work(), ula_mlp.work(), *schemes.works(), *training_step.works(), *many_seeds.works()]


BENCH = Path("results/bench")


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, and say where."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast scorebench is, beside others and against size.")
    parser.add_argument("--work", nargs="+", help="of the pieces of work these alone")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often each is measured ({ROUNDS})")
    parser.add_argument(
        "--only",
        choices=("scaling", "speed", "starts", "reference"),
        help="a part of the whole; or make what was measured the committed reference",
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, help="a folder (results/bench, or that of the device in it: results/bench/cuda)")
    parser.add_argument("--first-call", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    cores = _one_core()
    try:
        prepare(options.device)
    except InputError as error:
        parser.error(str(error))
    if options.rounds < LEAST_ROUNDS:
        parser.error(f"an interval takes {LEAST_ROUNDS} rounds or more, not {options.rounds}")
    chosen = {work.name: work for work in works()}
    if unknown := set(options.work or ()) - set(chosen):
        parser.error(f"no work is called {', '.join(sorted(unknown))} (known: {', '.join(chosen)})")
    if options.first_call:
        print(_first_call(chosen[options.work[0]], options.first_call))
        return 0
    folder = options.out or BENCH / ("" if options.device == "cpu" else options.device.partition(":")[0])
    if options.only == "reference":
        reference(options.out or BENCH, Path("results/reference/bench"), Path("README.md"))
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    about = {"versions": _versions(), "cpu": f"{processor()}, {torch.backends.cpu.get_cpu_capability()}", "device": _named(options.device)}
    if options.only in (None, "scaling"):  # first, while this process is small: others are forked from it
        for name, frame in zip(("scaling", "slopes"), scaling.run(cores), strict=True):
            _write(frame.assign(**about), folder / f"{name}.csv")
    if options.only in (None, "speed"):
        for name in options.work or chosen:
            rows = compete(chosen[name], options.rounds)
            print(table.summary(rows), flush=True)
            keep(rows.assign(**about, load=_load(), cores=len(cores)), folder / "speed.csv", list(chosen))
    if options.only in (None, "starts"):
        _write(_starts(options.device).assign(**about), folder / "starts.csv")
    figures.draw(folder)
    print(f"written to {folder}")
    return 0


def keep(rows: pd.DataFrame, path: Path, order: list[str]) -> None:
    """Put a work's rows in place of those of an earlier run; the rows of other works stay, since nothing is compared across works."""
    before = pd.read_csv(path) if path.exists() else rows.iloc[:0]
    frame = pd.concat([before[~before["work"].isin(rows["work"])], rows] if len(before) else [rows])
    _write(frame.sort_values("work", key=lambda names: names.map(order.index), kind="stable"), path)


def reference(folder: Path, committed: Path, readme: Path) -> None:
    """Make a run, or the part of one that there is, the one that is committed, and write its tables into the README; what it has not stays."""
    shutil.copytree(folder, committed, dirs_exist_ok=True)
    fill(readme, {"bench": table.readme(committed)})


STARTS = (("ula_ring", ("scorebench", "by hand, plain", "JAX")), ("step_exact", ("scorebench", "by hand", "JAX")))
"""The works whose first calls are measured, and of whom: those who compile."""


def _starts(device: str) -> pd.DataFrame:
    """The first call in a process of its own: with an empty cache of compiled kernels, and again with what that left there."""
    rows = []
    for name, contestant in [(name, contestant) for name, contestants in STARTS for contestant in contestants]:
        with tempfile.TemporaryDirectory() as cache:
            for kept in ("cold", "warm"):
                command = [sys.executable, "-m", "benchmarks", "--first-call", contestant, "--work", name, "--device", device]
                environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": cache}
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
                seconds = float(done.stdout.splitlines()[-1])
                rows.append({"work": name, "contestant": contestant, "cache": kept, "seconds": seconds})
    return pd.DataFrame(rows).dropna()


def _first_call(work: Work, name: str) -> float:
    """What the first round took over the second, in seconds; NaN of who is not there."""
    try:
        contestant = work.contestants[name]()
    except ImportError:
        return math.nan
    clocks = []
    for _ in range(2):
        clock = time.perf_counter()
        work.measure(contestant)
        clocks.append(time.perf_counter() - clock)
    return clocks[0] - clocks[1]


def _one_core() -> list[int]:
    """Put this process on one core, where the system can, and say which it might have had."""
    if not hasattr(os, "sched_setaffinity"):
        return list(range(os.cpu_count() or 1))
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    return cores


def _load() -> float:
    """How many other processes ran, over the last minute; NaN where the system does not say."""
    return max(os.getloadavg()[0] - 1, 0.0) if hasattr(os, "getloadavg") else math.nan


def _named(device: str) -> str:
    """A GPU by its name, too."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device


def _versions() -> str:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            found.append(f"{package} -")
    return "; ".join([f"python {platform.python_version()}", *found])


def _write(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False, float_format="%.5g")
