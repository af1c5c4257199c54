"""Measure one target: its sources, and all that was sampled from them, as tidy rows."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from scorebench.core import registry, rng
from scorebench.core.spec import Spec, parse_all
from scorebench.engine.attempt import DIVERGED, OK, attempt, deadline, not_applicable, preload
from scorebench.engine.sources import Source, read
from scorebench.metrics.base import Estimate, Points, Run
from scorebench.stages.base import record
from scorebench.store import artifacts
from scorebench.suite.plan import Measure, Plan
from scorebench.targets.base import Target

COLUMNS = (
    "suite target model loss train_size train_steps sampler sigma step_size temperature steps gradient_evaluations chains seed "
    "metric value standard_error floor_mean floor_sd floor_q95 z status"
).split()
POINTS, FLOOR_REPEATS = 5_000, 200
FAR, SHARE_FAR = 20, 0.01
"""Diverged: a state that is not finite, or this share of chains beyond this many radii of the target."""


@dataclass(frozen=True, eq=False)
class Metric:
    """A metric ready to be called."""

    spec: Spec

    @property
    def needs(self) -> set[str]:
        """The members of the run and, as "target.x", of the target that it reads."""
        return self.spec.entry.facts.get("NEEDS", set())

    def evaluate(self, run: Run, target: Target, reference: Tensor | Points) -> Estimate | str:
        """Call the metric; a string says why it cannot be had."""
        return registry.method("metric", self.spec.name)(run, target, reference, **self.spec.options)

    def __call__(self, run: Run, target: Target, reference: Tensor | Points, limit: float) -> tuple[Estimate | None, str]:
        """(estimate, "ok"), or (None, why not)."""
        for need in sorted(self.needs):
            owner, _, member = need.rpartition(".")
            if getattr(target if owner == "target" else run, member) is None:
                return None, not_applicable(f"the {owner or 'source'} has no {member.replace('_', ' ')}")
        value, status = attempt(lambda: self.evaluate(run, target, reference), limit)
        return (None, not_applicable(value)) if isinstance(value, str) else (value, status)


def metrics_of(specs: tuple[str, ...], about: str) -> list[Metric]:
    """The metrics about a "source" or a "sampler"."""
    found = [Metric(s) for s in parse_all("metric", specs) if s.entry.facts.get("ABOUT", "sampler") == about]
    preload(*(m.spec for m in found))
    return found


def run(plan: Plan, job: str, out: Path, timing: Path, sources: dict[str, Path], samples: dict[str, Path]) -> None:
    """Write every row about this target; `sources` and `samples` are the training and sampling jobs' files by id."""
    suite, m = plan.suite, plan.measure(job)
    about_source, about_sampler = metrics_of(suite.metrics, "source"), metrics_of(suite.metrics, "sampler")
    with record(timing, "measure", job) as entry:
        target, status = attempt(m.target.build, deadline(suite.job_minutes))
        frames = []
        if target is not None:
            trained = [s for train in m.sources for s in read(sources[train.id], train, target)]
            bench = Bench(target, suite.seed, m, deadline(suite.job_minutes), trained, suite.snapshots)
            frames += [f for s in trained for f in bench.source_rows(s, about_source)]
            for s in m.samples:
                arrays, meta = artifacts.read_arrays(samples[s.id])
                frames += bench.sampler_rows(str(s.sampler), arrays, meta["blocks"], about_sampler)
        rows = pd.concat(frames) if frames else pd.DataFrame([{"status": status}])
        rows = rows.assign(suite=suite.name, target=str(m.target), train_size=_where(rows, "model", m.experiment.training.size))
        artifacts.write_rows(out, rows.reindex(columns=COLUMNS))
        entry["status"], entry["rows"] = status, len(rows)


def _where(rows: pd.DataFrame, column: str, value: int) -> pd.Series:
    return pd.Series(np.where(rows.get(column, pd.Series("", index=rows.index)) != "", value, np.nan), index=rows.index).astype("Int64")


class Bench:
    """A target with what its rows are measured against: exact draws for each seed and the metrics' floors, each made once."""

    def __init__(
        self,
        target: Target,
        master: int,
        job: Measure,
        limit: float,
        trained: Iterable[Source] = (),
        snapshots: tuple[str, ...] | None = None,
    ) -> None:
        self.master, self.limit = master, limit
        self.name, self.seeds, self.sigmas = str(job.target), job.experiment.seeds, _sigmas(job)
        self.at = cache(target.tempered)
        self.target = target
        self.scores = {(str(s.model), str(s.loss)): s.density.score for s in trained}  # after the last step, which comes last
        self.snapshots = None if snapshots is None else parse_all("metric", snapshots)
        self.floor = cache(self._floor)
        self.exact = cache(self._exact)

    def _exact(self, law: Target, n: int, use: str) -> Tensor:
        draws = [law.sample(n, rng.generator(self.master, use, self.name, seed)) for seed in range(self.seeds)]
        return torch.stack(draws)  # (seed, n, d)

    def _floor(self, metric: Metric, law: Target, n: int) -> tuple[float, float, float]:
        """Mean, standard deviation and 95 % quantile of the metric between two exact draws of size n."""
        generator = rng.generator(self.master, "floor", self.name, n)
        values = []
        for _ in range(0, FLOOR_REPEATS, 25):
            x, y = (law.sample(25 * n, generator).unflatten(0, (25, n)) for _ in range(2))
            estimate = metric.evaluate(Run(samples=x[:, None]), law, y)
            assert isinstance(estimate, Estimate)
            values.append(estimate.value.flatten())
        found = torch.cat(values).double()
        return float(found.mean()), float(found.std()), float(found.quantile(0.95))

    def source_rows(self, source: Source, metrics: list[Metric]) -> Iterator[pd.DataFrame]:
        """One row a seed and metric about a trained source."""
        loss = registry.module("loss", source.loss.name) if source.status == OK else None
        learnt = loss.fixed_point(self.target, **source.loss.options) if loss else None
        who = {"model": str(source.model), "loss": str(source.loss), "sigma": self.sigmas[str(source.loss)], "train_steps": source.steps}
        run = Run(score=source.density.score, divergence=source.divergence, learnt=learnt)
        for metric in metrics:
            estimate, status = None, source.status
            if source.status == OK:
                estimate, status = metric(run, self.target, lambda law: self.exact(law, POINTS, "points"), self.limit)
            finite = _flat(estimate.value.isfinite()) if estimate else np.ones(self.seeds, bool)
            states = np.where(finite, status, DIVERGED)
            yield self._frame(who | {"metric": str(metric.spec)}, 1, estimate, states)

    def sampler_rows(
        self, sampler: str, arrays: dict[str, Any], blocks: list[dict[str, Any]], metrics: list[Metric]
    ) -> Iterator[pd.DataFrame]:
        """One row a seed, cell, snapshot and metric about everything that a sampler made from this target's sources."""
        for i, block in enumerate(blocks):
            who = {k: block[k] for k in ("model", "loss", "train_steps", "chains")}
            who |= {"sampler": sampler, "sigma": self.sigmas.get(block["loss"])}
            outcome = {
                k.split("/", 1)[1]: torch.as_tensor(v, device=torch.get_default_device())
                for k, v in arrays.items()
                if k.startswith(f"{i}/")
            }
            pairs = [(c, t) for c in block["step_sizes"] for t in block["temperatures"]]
            for t in block["temperatures"]:
                cells = [j for j, pair in enumerate(pairs) if pair[1] == t]
                here = who | {"temperature": t, "step_size": np.tile([pairs[j][0] for j in cells], self.seeds)}
                if block.get("gradients", [1])[-1] == 0:
                    here["step_size"] = np.nan
                score = self.scores.get((block["model"], block["loss"]))
                yield from self._cells(here, block, outcome, cells, t, metrics, score and _tempered(score, t))

    def _cells(
        self,
        who: dict[str, Any],
        block: dict[str, Any],
        outcome: dict[str, Tensor],
        cells: list[int],
        t: float,
        metrics: list[Metric],
        score: Callable[[Tensor], Tensor] | None,
    ) -> Iterator[pd.DataFrame]:
        law, n = self.at(t), block["chains"]
        if block["status"] != OK:
            for metric in metrics:
                states = np.full(self.seeds * len(cells), block["status"])
                yield self._frame(who | {"metric": str(metric.spec)}, len(cells), None, states)
            return
        for k, (steps, gradients) in enumerate(zip(block["steps"], block["gradients"], strict=True)):
            last = k == len(block["steps"]) - 1
            x = outcome["samples"][k][:, cells]  # (seed, cell, n, d)
            finite = x.isfinite().flatten(2).all(-1)
            far = (x.norm(dim=-1) > FAR * self.target.radius).double().mean(-1) >= SHARE_FAR
            diverged = _flat(~finite | far)
            run = Run(samples=x.where(finite[..., None, None], 0.0), chains=n, score=score)
            if last:
                trace, steady = outcome["trace"][:, cells], finite[..., None, None, None]
                run = run._replace(
                    trace=trace.where(steady & trace.isfinite(), 0.0),
                    acceptance=outcome["acceptance"][:, cells],
                    acceptance_sd=outcome["acceptance_sd"][:, cells],
                )
            here = who | {"steps": steps, "gradient_evaluations": gradients}
            for metric in metrics:
                if not last and (
                    (self.snapshots is not None and metric.spec not in self.snapshots)
                    or not metric.needs <= {"samples", "target.modes", "target.score"}
                ):
                    continue  # the trace and the acceptance are those of the whole run
                named = here | {"metric": str(metric.spec)}
                if law is None:
                    states = np.full(diverged.shape, not_applicable(f"no exact law at temperature {t:g}"))
                    yield self._frame(named, len(cells), None, states)
                    continue
                estimate, status = metric(run, law, self.exact(law, n, f"reference {t:g}"), self.limit)
                if estimate and metric.spec.entry.facts["FLOOR"]:
                    named |= dict(zip(("floor_mean", "floor_sd", "floor_q95"), self.floor(metric, law, n), strict=True))
                states = np.full(diverged.shape, status, object)
                if estimate:
                    estimate = Estimate(*(e.double().where(finite, torch.nan) for e in estimate))
                    states[~np.isfinite(_flat(estimate.value))] = "failed: the value is not finite"
                states[diverged] = DIVERGED
                yield self._frame(named, len(cells), estimate, states)

    def _frame(self, who: dict[str, Any], cells: int, estimate: Estimate | None, status: np.ndarray) -> pd.DataFrame:
        frame = pd.DataFrame({"seed": np.repeat(np.arange(self.seeds), cells), "status": status})
        if estimate:
            frame["value"], frame["standard_error"] = _flat(estimate.value), _flat(estimate.standard_error)
        frame = frame.assign(**who)
        if "floor_sd" in frame:
            frame["z"] = (frame["value"] - frame["floor_mean"]) / frame["floor_sd"]
        return frame


def _tempered(score: Callable[[Tensor], Tensor], temperature: float) -> Callable[[Tensor], Tensor]:
    return lambda x: score(x) / temperature


def _flat(x: Tensor) -> np.ndarray:
    return x.flatten().cpu().numpy()


def _sigmas(job: Measure) -> dict[str, float | None]:
    return {str(loss): level for t in job.sources for loss, level in zip(t.losses, t.levels, strict=True)}
