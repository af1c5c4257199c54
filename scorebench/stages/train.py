"""Train one model on one target with one loss, at all its noise levels and all seeds."""

from pathlib import Path
from typing import Any

from scorebench.engine.attempt import attempt, deadline, preload
from scorebench.engine.training import Fitted, fit, sweep
from scorebench.report import statistics
from scorebench.stages.base import record
from scorebench.store import artifacts
from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, out: Path, timing: Path) -> None:
    """Write the parameters of every checkpoint, each (level, seed, ...), and the sweep of the learning rate, under `out`."""
    suite, t = plan.suite, plan.trains[job]
    preload(t.target, t.model, t.loss)

    training, name = t.experiment.training, str(t.target)

    def train() -> tuple[Fitted, dict[str, dict[float, list[float]]]]:
        target = t.target.build()
        found = sweep(target, t.model, t.losses, training, suite.seed, name) if training.sweep else {}
        rates = statistics.lowest(found) if found else [training.learning_rate] * len(t.losses)
        fitted = fit(target, t.model, t.losses, rates, training, training.steps, suite.seed, range(t.experiment.seeds), name)
        each = fitted.seconds_per_step / (t.experiment.seeds * len(t.losses))
        entry["sources"] = [{"model": str(t.model), "loss": str(loss), "seconds_per_gradient": each} for loss in t.losses]
        return fitted, found

    with record(timing, "train", job) as entry:
        entry["gradient_steps"] = training.steps[-1] * t.experiment.seeds * len(t.losses)
        done, status = attempt(train, deadline(suite.job_minutes))
        fitted, found = done or (None, {})
        arrays = {f"{i}/{k}": v for i, p in enumerate(fitted.parameters) for k, v in p.items()} if fitted else {}
        meta: dict[str, Any] = {
            "model": str(t.model),
            "losses": [str(s) for s in t.losses],
            "steps": training.steps,
            "status": status,
            "sweep": found,
        }
        artifacts.write_arrays(out, arrays, meta)
        entry["status"] = status
