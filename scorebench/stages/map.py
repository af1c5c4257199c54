"""Draw the maps of one target in the plane and of its trained sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebench.core.schema import Ended
from scorebench.engine.attempt import attempt, deadline
from scorebench.engine.device import prepare
from scorebench.engine.maps import maps
from scorebench.engine.sources import Source, sources
from scorebench.engine.target import built
from scorebench.stages.record import record
from scorebench.store import artifacts, trained
from scorebench.suite.jobs import Train
from scorebench.targets.base import Target

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write the maps; without arrays where there are none, which is said."""
    limit = deadline(plan.suite.job_minutes)
    prepare(plan.suite.device)
    on = plan.targets[job]

    def drawn() -> dict[str, Any]:
        target = built(on.target)
        every = [source for train in on.sources for source in _shown(train, *trained.read(folder / f"train/{train.id}.npz"), target)]
        levels = sorted({level for train in on.sources for level in train.levels if level is not None})
        return maps(target, every, levels)

    with record(plan, folder, "map", job) as entry:
        arrays, ended = attempt(drawn, limit)
        _write(plan, job, folder, arrays or {}, ended)
        entry |= ended._asdict()


def _shown(train: Train, outcome: trained.Training, checkpoints: list[trained.Checkpoint], target: Target) -> Iterator[Source]:
    """What a map shows of a training: its end, for the first seed."""
    first = [{name: array[:, :1] for name, array in parameters.items()} for parameters in checkpoints[-1:]]
    return sources(replace(outcome, steps=outcome.steps[-1:]), first, train, target)


def lost(plan: Plan, job: str, folder: Path, ended: Ended) -> None:
    """Write no maps, and why."""
    _write(plan, job, folder, {}, ended)


def _write(plan: Plan, job: str, folder: Path, arrays: dict[str, Any], ended: Ended) -> None:
    artifacts.write_arrays(folder / f"map/{job}.npz", arrays, {"target": str(plan.targets[job].target), "status": str(ended)})
