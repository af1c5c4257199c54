"""Train one model on one target with one loss, at all its noise levels and all seeds."""

from pathlib import Path

from scorebench import artifacts
from scorebench.plan import Plan
from scorebench.stages.base import attempt, deadline, preload, record
from scorebench.training import Fitted, fit


def run(plan: Plan, job: str, out: Path, timing: Path) -> None:
    """Write the parameters of every checkpoint, each (level, seed, ...), under `out`."""
    suite, t = plan.suite, plan.trains[job]
    preload(t.target, t.model, t.loss)

    def train() -> Fitted:
        seeds = list(range(t.experiment.seeds))
        return fit(t.target.build(), t.model, t.loss, t.levels, t.experiment.training, suite.seed, seeds, str(t.target))

    with record(timing, "train", job) as entry:
        fitted, status = attempt(train, deadline(suite.job_minutes))
        arrays = {f"{i}/{k}": v for i, p in enumerate(fitted.parameters) for k, v in p.items()} if fitted else {}
        meta = {"model": str(t.model), "losses": [str(s) for s in t.losses], "steps": t.experiment.training.steps, "status": status}
        artifacts.write_arrays(out, arrays, meta)
        entry["status"] = status
        entry["gradient_steps"] = t.experiment.training.steps[-1] * t.experiment.seeds * len(t.losses)
