"""Run one sampler on one target: the exact score and every trained source, over the whole grid, all seeds."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from scorebench.core import rng
from scorebench.core.spec import Spec
from scorebench.engine.attempt import OK, attempt, deadline, not_applicable, preload
from scorebench.engine.loop import Outcome, grid
from scorebench.engine.loop import run as run_sampler
from scorebench.engine.sources import read
from scorebench.samplers.base import Density, exact_density
from scorebench.stages.base import record
from scorebench.store import artifacts
from scorebench.suite.config import Sampling
from scorebench.suite.plan import Plan, Sample
from scorebench.targets.base import Target

Block = dict[str, Any]
"""What a source was and how its run went: JSON beside the arrays."""


def run(plan: Plan, job: str, out: Path, timing: Path, inputs: dict[str, Path]) -> None:
    """Write samples, trace and acceptance of every source; `inputs` are the training jobs' files by id."""
    suite, s = plan.suite, plan.samples[job]
    limit = deadline(suite.job_minutes)
    preload(s.target, s.sampler)
    with record(timing, "sample", job) as entry:
        arrays, blocks, rates = sample(s, suite.seed, limit, inputs)
        artifacts.write_arrays(out, arrays, {"blocks": blocks})
        entry["sources"] = rates
        failed = sorted({b["status"] for b in blocks if b["status"] != "ok" and not b["status"].startswith("not_applicable")})
        entry["status"] = "; ".join(failed) or "ok"


def sample(s: Sample, master: int, limit: float, inputs: dict[str, Path]) -> tuple[dict[str, Any], list[Block], list[Block]]:
    """Every source in turn: the arrays, prefixed by the source's number; what each source was and how it went; what it cost."""
    target, status = attempt(s.target.build, limit)
    arrays: dict[str, Any] = {}
    blocks: list[Block] = []
    rates: list[Block] = []
    for who, sampling, density, source_status in _sources(s, target, status, inputs):
        clock = time.perf_counter()
        outcome, state = _run(s, density, sampling, target, master, limit) if source_status == OK else (None, source_status)
        seconds = time.perf_counter() - clock
        block = who | {"status": state, "step_sizes": _steps(s.sampler, sampling), "temperatures": sampling.temperatures}
        if outcome:
            block |= {"steps": outcome.steps, "gradients": outcome.gradients}
            arrays |= {f"{len(blocks)}/{k}": v for k, v in outcome._asdict().items() if isinstance(v, torch.Tensor)}
            work = max(outcome.gradients[-1], 1) * outcome.samples[0, ..., 0].numel()
            rates.append(who | {"seconds": seconds, "seconds_per_gradient": seconds / work})
        blocks.append(block | {"chains": sampling.chains, "budgets": sampling.budgets})
    return arrays, blocks, rates


def _sources(s: Sample, target: Target | None, status: str, inputs: dict[str, Path]) -> Iterator[tuple[Block, Sampling, Density, str]]:
    for block, train, losses in s.runs:
        if train is None:
            who: Block = {"model": "", "loss": "", "train_steps": None}
            yield who, block, exact_density(target) if target else Density(), status
        elif target is not None:
            for source in read(inputs[train.id], train, target):
                if source.loss in losses and source.steps == train.experiment.training.steps[-1]:
                    who = {"model": str(source.model), "loss": str(source.loss), "train_steps": source.steps}
                    yield who, block, source.density, source.status


def _steps(sampler: Spec, sampling: Sampling) -> tuple[float, ...]:
    return sampling.step_sizes if sampler.entry.facts.get("GRADIENTS") else sampling.step_sizes[:1]


def _run(s: Sample, density: Density, sampling: Sampling, target: Target | None, master: int, limit: float) -> tuple[Outcome | None, str]:
    """Run the sampler on one density over the grid; (outcome, "ok") or (None, status).

    Starts and random numbers depend on the target and the seed alone, so that sources, samplers and cells are compared in pairs.
    """
    missing = sorted(n for n in s.sampler.entry.facts.get("NEEDS", ()) if _lacks(density, n))
    if missing:
        return None, not_applicable(f"the source has no {' and no '.join(missing)}")

    def go() -> Outcome:
        assert target is not None and target.prior is not None
        steps, temperatures = grid(_steps(s.sampler, sampling), sampling.temperatures)
        method = s.sampler.build(step_size=steps, temperature=temperatures)
        streams = [[rng.generator(master, use, s.target, seed) for seed in range(s.experiment.seeds)] for use in ("start", "sample")]
        law = target if s.sampler.entry.facts.get("START") == "target" else target.prior
        start = torch.stack([law.sample(sampling.chains, g) for g in streams[0]])
        return run_sampler(method, density, start, sampling.budgets, streams[1], s.sampler.entry.facts["GRADIENTS"])

    return attempt(go, limit)


def _lacks(density: Density, need: str) -> bool:
    return getattr(density, {"log_prob": "score_and_log_prob"}.get(need, need)) is None
