"""Run one sampler on one target: the exact score and every trained source, over the whole grid, all seeds."""

import time
from pathlib import Path
from typing import Any

import torch

from scorebench import artifacts, registry, rng
from scorebench.config import Sampling
from scorebench.plan import Plan, Sample
from scorebench.samplers.base import Density, Outcome, exact_density, grid, run as run_sampler
from scorebench.sources import read
from scorebench.spec import Spec
from scorebench.stages.base import attempt, deadline, not_applicable, record
from scorebench.targets.base import Target


def run(plan: Plan, job: str, out: Path, timing: Path, inputs: dict[str, Path]) -> None:
    """Write samples, trace and acceptance of every source; `inputs` are the training jobs' files by id."""
    suite, s = plan.suite, plan.samples[job]
    limit = deadline(suite.job_minutes)
    attempt(lambda: registry.module("sampler", s.sampler.name), limit)
    with record(timing, "sample", job) as entry:
        target, status = attempt(s.target.build, limit)
        arrays: dict[str, Any] = {}
        blocks: list[dict[str, Any]] = []
        rates = []
        for who, sampling, density, source_status in _sources(s, target, status, inputs):
            clock = time.perf_counter()
            seeds = list(range(s.experiment.seeds))
            outcome, state = sample(s.sampler, density, sampling, target, str(s.target), suite.seed, seeds, limit, source_status)
            seconds = time.perf_counter() - clock
            block = who | {"status": state, "step_sizes": _steps(s.sampler, sampling), "temperatures": sampling.temperatures}
            if outcome:
                block |= {"steps": outcome.steps, "gradients": outcome.gradients}
                arrays |= {f"{len(blocks)}/{k}": v for k, v in outcome._asdict().items() if isinstance(v, torch.Tensor)}
                work = max(outcome.gradients[-1], 1) * outcome.samples[0, ..., 0].numel()
                rates.append(who | {"seconds": seconds, "seconds_per_gradient": seconds / work})
            blocks.append(block | {"chains": sampling.chains, "budgets": sampling.budgets})
        artifacts.write_arrays(out, arrays, {"blocks": blocks})
        entry["sources"] = rates
        failed = sorted({b["status"] for b in blocks if b["status"] != "ok" and not b["status"].startswith("not_applicable")})
        entry["status"] = "; ".join(failed) or "ok"


def _sources(s: Sample, target: Target | None, status: str, inputs: dict[str, Path]) -> Any:
    if s.exact:
        who = {"model": "", "loss": "", "train_steps": None}
        yield who, s.exact, exact_density(target) if target else Density(), status
    for train in s.sources if s.trained else ():
        if target is None:
            continue
        for source in read(inputs[train.id], train, target):
            if source.steps == train.experiment.training.steps[-1]:
                who = {"model": str(source.model), "loss": str(source.loss), "train_steps": source.steps}
                yield who, s.trained, source.density, source.status


def _steps(sampler: Spec, sampling: Sampling) -> tuple[float, ...]:
    return sampling.step_sizes if sampler.entry.facts.get("GRADIENTS") else sampling.step_sizes[:1]


def sample(
    sampler: Spec, density: Density, sampling: Sampling, target: Target, name: str, master: int, seeds: list[int], limit: float, status: str
) -> tuple[Outcome | None, str]:
    """Run a sampler on a density over a grid; (outcome, "ok") or (None, status).

    Starts and random numbers depend on the target and the seed alone, so that sources, samplers and cells are compared in pairs.
    """
    if status != "ok":
        return None, status
    missing = sorted(n for n in sampler.entry.facts.get("NEEDS", ()) if _lacks(density, n))
    if missing:
        return None, not_applicable(f"the source has no {' and no '.join(missing)}")

    def go() -> Outcome:
        steps, temperatures = grid(_steps(sampler, sampling), sampling.temperatures)
        method = sampler.build(step_size=steps, temperature=temperatures)
        assert target.prior is not None
        start = torch.stack([target.prior.sample(sampling.chains, rng.generator(master, "start", name, i)) for i in seeds])
        generators = [rng.generator(master, "sample", name, i) for i in seeds]
        return run_sampler(method, density, start, sampling.budgets, generators, sampler.entry.facts["GRADIENTS"])

    return attempt(go, limit)


def _lacks(density: Density, need: str) -> bool:
    return getattr(density, {"log_prob": "score_and_log_prob"}.get(need, need)) is None


__all__ = ["run", "sample"]
