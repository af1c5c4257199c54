"""The stages that the workflow's rules call. Each reads files and writes files, and knows no other stage."""

import importlib
from pathlib import Path

from scorebench.core.errors import InputError, unknown
from scorebench.engine.attempt import OK
from scorebench.stages.base import record
from scorebench.suite.plan import Plan

STAGES = ("train", "sample", "measure", "claim", "tables", "figure", "page")


def run(stage: str, plan: Plan, job: str, results: Path) -> None:
    """Run one job of a stage; its files are where the workflow expects them under `results`/<suite>."""
    if stage not in STAGES:
        raise InputError(unknown("stage", stage, STAGES))
    jobs = plan.jobs(stage)
    if job not in jobs:
        raise InputError(unknown(f"stage {stage}: job", job, jobs))
    folder = results / plan.suite.name
    timing = folder / "timings" / stage / f"{job or stage}.json"
    if stage in ("train", "sample", "measure", "claim"):
        import torch

        torch.set_default_device(plan.suite.device)
        torch.set_num_threads(1)
    module = importlib.import_module(f"scorebench.stages.{stage}")
    trained = {t: folder / "train" / f"{t}.npz" for t in plan.trains}
    sampled = {s: folder / "sample" / f"{s}.npz" for s in plan.samples}
    if stage == "train":
        module.run(plan, job, trained[job], timing)
    elif stage == "sample":
        module.run(plan, job, sampled[job], timing, trained)
    elif stage == "measure":
        module.run(plan, job, folder / "measure" / f"{job}.csv.gz", timing, trained, sampled)
    elif stage == "claim":
        module.run(plan, job, folder / "claims" / f"{job}.json", timing)
    else:
        with record(timing, stage, job) as entry:
            entry["status"] = module.run(*([plan, job, folder] if stage == "figure" else [plan, folder])) or OK
