"""What size costs: time and memory of scorebench against chains, cells, dimension, seeds and cores.

Sizes take turns, round by round. Memory is that of a process of its own, above what it has left of a run before. A law t = a n^b is fitted to the largest
sizes alone: below them is the fixed cost of a step, which the table shows as the size at which it is half of the whole.
"""

import ctypes
import multiprocessing
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import torch

from benchmarks.contest import clocked, median_interval
from benchmarks.contestants.with_scorebench import PLANNED
from benchmarks.law import mlp_energy, ring
from benchmarks.table import WHY
from benchmarks.training import MASTER, NAME, RATE
from scorebench.core import rng
from scorebench.core.spec import parse
from scorebench.engine.loop import grid
from scorebench.engine.loop import run as run_loop
from scorebench.engine.training import fit
from scorebench.samplers.base import Density, exact_density
from scorebench.suite.config import Training

ROUNDS = 6


@dataclass(frozen=True, eq=False)
class Axis:
    """One size that grows, and what is measured at each."""

    name: str
    label: str
    unit: str
    series: Mapping[str, Mapping[int, Callable[[], float]]]
    """By its label, from size to a measurement."""
    slope: float = 1.0
    """Of log time against log size, were all of the time spent on what grows."""
    why: str = ""
    """Where no line is straight."""


def sampled(density: Density, dim: int, cells: int, chains: int, steps: int, alike: int = 1) -> Callable[[], float]:
    """Seconds a step of ULA, one seed; compiled where so many runs `alike` are worth it."""
    step_size, temperature = grid((0.01 * (1 + i / cells), 1.0) for i in range(cells))
    method = parse("sampler", "ula").build(step_size=step_size, temperature=temperature)

    def measure() -> float:
        generator = rng.generator("scaling")
        start = torch.randn(1, chains, dim, generator=generator, device=generator.device)
        return clocked(lambda: run_loop(method, density, start, [steps], [generator], 1, alike)) / steps

    return measure


def trained(dim: int, loss: str, seeds: int, steps: int, batch: int = 128, width: int = 64) -> Callable[[], float]:
    """Seconds a gradient step, start-up not counted."""
    target, settings = parse("target", f"gaussian:dim={dim}").build(), Training(size=1_000, batch=batch, steps=(steps,))

    def measure() -> float:
        model = parse("model", f"mlp_energy:width={width}")
        return fit(target, model, [parse("loss", loss)], [RATE], settings, (steps,), MASTER, range(seeds), NAME).seconds_per_step

    return measure


def axes() -> list[Axis]:
    """All but the cores."""
    law, _ = ring()
    network = mlp_energy()

    def steps(rows: int, work: int, most: int) -> int:
        return min(max(work // rows, 1), most)

    chains = (100, 1_000, 10_000, 100_000, 1_000_000)
    dims = (2, 8, 32, 128, 512, 1_024)
    return [
        Axis(
            "chains",
            "chains",
            "s a step",
            {
                "ring of 8": {n: sampled(law.density, 2, 1, n, steps(n, 5_000_000, 1_000)) for n in chains},
                "ring of 8, compiled": {n: sampled(law.density, 2, 1, n, steps(n, 40_000_000, 5_000), PLANNED) for n in chains},
                "MLP energy 2-128-128-1": {n: sampled(network.density, 2, 1, n, steps(n, 200_000, 100)) for n in chains},
            },
            why=WHY["chains"],
        ),
        Axis(
            "cells",
            "cells of the grid, 1,000 chains each",
            "s a step",
            {"ring of 8": {n: sampled(law.density, 2, n, 1_000, steps(1_000 * n, 5_000_000, 1_000)) for n in (1, 4, 16, 64, 256)}},
            why="cells are one batch, whose noise is drawn once",
        ),
        Axis(
            "dimension_sampling",
            "dimension, 1,000 chains",
            "s a step",
            {"Gaussian": {d: sampled(exact_density(parse("target", f"gaussian:dim={d}").build()), d, 1, 1_000, 200) for d in dims}},
            why="from 32 coordinates on rows lie in memory as they are drawn; 1,000 chains of some hundred coordinates do not fit the processor's cache",
        ),
        Axis(
            "dimension_training",
            "dimension, width 64, batch 128",
            "s a gradient step",
            {
                # From 100 steps on a step is written down once; of the exact loss at many dimensions that would take as long as all the rest.
                "exact": {d: trained(d, "implicit", 1, 100 if d < 10 else 10 if d < 100 else 1) for d in dims},
                "sliced": {d: trained(d, "sliced", 1, 100) for d in dims},
            },
            why="exact: a sweep a dimension (slope 1), in each of which the first layer grows with it (2 far beyond the width); sliced: one sweep, of which "
            "the first layer and the data grow (0, far beyond the width 1)",
        ),
        Axis(
            "seeds",
            "seeds trained at once, width 64, batch 128",
            "s a gradient step",
            {"denoising": {n: trained(2, "denoising:sigma=0.3", n, 100) for n in (1, 4, 16, 64)}},
            why="what a step costs for one seed is mostly calls, which a stack shares",
        ),
    ]


def run(cores: list[int], rounds: int = ROUNDS, tell: Callable[[str], None] = print) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a size, and a row a line. Memory first, before this process has any that it keeps."""
    tell("scaling: memory")
    every = [*axes(), *on_cores(cores)]
    memory = {
        (axis.name, label, size): peak_megabytes(measure)
        for axis in every
        if axis.name != "cores"
        for label, sizes in axis.series.items()
        for size, measure in sizes.items()
    }
    rows: list[dict[str, Any]] = []
    slopes: list[dict[str, Any]] = []
    for axis in every:
        tell(f"scaling: {axis.label}")
        for label, sizes in axis.series.items():
            taken: dict[int, list[float]] = {size: [] for size in sizes}
            for measure in sizes.values():
                measure()
            for _ in range(rounds):
                for size, measure in sizes.items():
                    taken[size].append(measure())
            times = np.array(list(taken.values()))  # (size, round)
            series: dict[str, Any] = {"axis": axis.name, "label": axis.label, "series": label, "unit": axis.unit}
            for size, (low, median, high) in zip(sizes, np.quantile(times, [0.25, 0.5, 0.75], axis=1).T, strict=True):
                peak = memory.get((axis.name, label, size), np.nan)
                rows.append(series | {"size": size, "median": median, "low": low, "high": high, "rounds": rounds, "memory_mb": peak})
            slopes.append(series | {"ideal": axis.slope, "why": axis.why} | fitted_slope(np.array(list(sizes)), times))
    return pd.DataFrame(rows), pd.DataFrame(slopes)


def fitted_slope(sizes: np.ndarray, times: np.ndarray, largest: int = 3) -> dict[str, float]:
    """The slope of log time (size, round) against log size over the largest sizes: the median over rounds with its interval.

    And `doubling`, the size at which the cost that grows equals the fixed one, were t = a + b n: below it no line is straight.
    """
    x = np.log(sizes[-largest:])
    slopes = np.polyfit(x, np.log(times[-largest:]), 1)[0] if len(x) > 1 else np.full(times.shape[1], np.nan)
    slope, low, high = median_interval(slopes)
    first, last = np.median(times[0]), np.median(times[-1])
    each = (last - first) / (sizes[-1] - sizes[0])
    fixed = first - each * sizes[0]
    doubling = fixed / each if fixed > 0 and each > 0 else 0.0
    return {"first": sizes[-largest:][0], "last": sizes[-1], "slope": slope, "slope_low": low, "slope_high": high, "doubling": doubling}


def peak_megabytes(measure: Callable[[], float]) -> float:
    """The peak of resident memory while it is done once, above what a process of its own has left of a time before; on a GPU what is allocated.

    NaN where the system is not Linux, which alone lets a process begin its peak anew.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        measure()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    if platform.system() != "Linux":
        return np.nan

    def work(sender: Any) -> None:
        measure()  # compiles
        ctypes.CDLL(None).malloc_trim(0)  # what the allocator keeps for later would hide as much
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = psutil.Process().memory_info().rss / 1024
        measure()
        status = Path("/proc/self/status").read_text(encoding="ascii")
        sender.send((float(status.partition("VmHWM:")[2].split()[0]) - before) / 1024)

    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    child = fork.Process(target=work, args=(sender,))
    child.start()
    megabytes: float = receiver.recv()
    child.join()
    return megabytes


def on_cores(cores: list[int]) -> list[Axis]:
    """So many processes at once, each with a core of its own and the same work; none where the system does not place processes, or on a GPU."""
    if torch.cuda.is_available() or not hasattr(os, "sched_setaffinity"):
        return []
    law, _ = ring()
    measure = sampled(law.density, 2, 1, 10_000, 500)
    fork = multiprocessing.get_context("fork")

    def work(core: int, barrier: Any, queue: Any) -> None:
        os.sched_setaffinity(0, [core])
        measure()
        barrier.wait()
        queue.put(measure())

    def together(count: int) -> float:
        """Of the slowest."""
        barrier, queue = fork.Barrier(count), fork.SimpleQueue()
        children = [fork.Process(target=work, args=(core, barrier, queue)) for core in cores[:count]]
        for child in children:
            child.start()
        slowest: float = max(queue.get() for _ in children)
        for child in children:
            child.join()
        return slowest

    counts = sorted({2**k for k in range(len(cores).bit_length()) if 2**k <= len(cores)} | {len(cores)})
    series = {"ring of 8, 10,000 chains": {n: lambda n=n: together(n) for n in counts}}
    return [
        Axis(
            "cores",
            "cores, a process of the same work on each",
            "s a step",
            series,
            slope=0.0,
            why="cores share the memory, and other work that the machine has",
        )
    ]
