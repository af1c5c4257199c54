"""Train one model on one target with one loss, at all its noise levels and all seeds."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebench.core.schema import Ended
from scorebench.engine.attempt import attempt, deadline, preload
from scorebench.engine.device import prepare
from scorebench.engine.sweep import train
from scorebench.engine.tracing import kernels
from scorebench.stages.record import record
from scorebench.store import trained
from scorebench.suite.jobs import Train

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write the parameters of every checkpoint, each (level, seed, ...), and the sweep of what was tuned."""
    limit = deadline(plan.suite.job_minutes)
    prepare(plan.suite.device)
    its = plan.trains[job]
    preload(its.target, its.model, its.loss)
    with record(plan, folder, "train", job) as entry:
        done, ended = attempt(lambda: train(its, plan.suite.seed, partial(print, file=sys.stderr, flush=True)), limit)
        entry["kernels"] = kernels()
        entry |= ended._asdict()
        if done is None:
            lost(plan, job, folder, ended)
        else:
            fitted = done.fitted
            each = fitted.seconds_per_step / (its.experiment.seeds * len(its.losses))
            entry["sources"] = [{"model": str(its.model), "loss": str(loss), "seconds_per_gradient": each} for loss in its.losses]
            tuned = {name: getattr(done, name) for name in ("chosen", "sweep", "divergences")}
            _write(plan, job, folder, replace(_outcome(its, ended), steps=fitted.steps, **tuned), fitted.parameters)


def lost(plan: Plan, job: str, folder: Path, ended: Ended) -> None:
    """Write how it ended, and no parameters."""
    _write(plan, job, folder, _outcome(plan.trains[job], ended), [])


def _outcome(job: Train, ended: Ended) -> trained.Training:
    return trained.Training(tuple(map(str, job.losses)), job.experiment.training.steps, *ended)


def _write(plan: Plan, job: str, folder: Path, outcome: trained.Training, parameters: Sequence[Mapping[str, Any]]) -> None:
    its = plan.trains[job]
    trained.write(folder / f"train/{job}.npz", str(its.target), str(its.model), outcome, parameters)
