"""Train one model on one target with one loss, at all its noise levels and all seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebench.engine.attempt import attempt, deadline, preload
from scorebench.engine.device import prepare
from scorebench.engine.sweep import train
from scorebench.stages.record import record
from scorebench.store import trained

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write the parameters of every checkpoint, each (level, seed, ...), and the sweep of the learning rate."""
    prepare(plan.suite.device)
    its = plan.trains[job]
    training = its.experiment.training
    preload(its.target, its.model, its.loss)
    with record(folder, "train", job) as entry:
        done, ended = attempt(lambda: train(its, plan.suite.seed), deadline(plan.suite.job_minutes))
        entry |= ended._asdict()
        losses = tuple(map(str, its.losses))
        outcome = trained.Training(losses, training.steps, *ended)
        parameters: Sequence[Mapping[str, Any]] = []
        if done is not None:
            fitted, rates, values = done
            each = fitted.seconds_per_step / (its.experiment.seeds * len(losses))
            entry["sources"] = [{"model": str(its.model), "loss": loss, "seconds_per_gradient": each} for loss in losses]
            outcome, parameters = replace(outcome, rates=rates, sweep=values), fitted.parameters
        trained.write(folder / f"train/{job}.npz", str(its.target), str(its.model), outcome, parameters)
