"""Run one sampler on one target: the exact score and every trained source, over the whole grid, all seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scorebench.core.schema import OK, Ended, Status
from scorebench.engine.attempt import deadline, preload
from scorebench.engine.device import prepare
from scorebench.engine.sampling import sample, without_samples
from scorebench.engine.tracing import kernels
from scorebench.stages.record import record
from scorebench.store import samples, trained

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write samples, trace and acceptance of every source."""
    limit = deadline(plan.suite.job_minutes)
    prepare(plan.suite.device)
    its = plan.samples[job]
    preload(its.target, its.sampler)
    with record(plan, folder, "sample", job) as entry:
        trainings = {train.id: trained.read(folder / f"train/{train.id}.npz") for train in its.sources}
        runs, costs = sample(its, plan.suite.seed, limit, trainings)
        _write(plan, job, folder, runs)
        entry["kernels"] = kernels()
        entry["sources"] = [cost._asdict() for cost in costs]
        failures = [run.ended for run, _ in runs if run.status in (Status.FAILED, Status.TIMEOUT)]
        entry |= (failures or [OK])[0]._asdict()


def lost(plan: Plan, job: str, folder: Path, ended: Ended) -> None:
    """Write how it ended for every source, and no samples."""
    _write(plan, job, folder, [(run, {}) for run in without_samples(plan.samples[job], ended)])


def _write(plan: Plan, job: str, folder: Path, runs: list[tuple[samples.SourceRun, samples.Arrays]]) -> None:
    its = plan.samples[job]
    samples.write(folder / f"sample/{job}.npz", str(its.target), str(its.sampler), runs)
