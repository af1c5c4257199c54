"""One metric on one target as tidy rows: of its trained sources, or of all that was sampled from its sources."""

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from scorebench.core import registry, rng
from scorebench.core.schema import OK, Ended, Status
from scorebench.core.shapes import expect
from scorebench.engine import floors
from scorebench.engine.attempt import attempt
from scorebench.engine.metric import Metric
from scorebench.engine.sources import Source
from scorebench.losses.base import LossFile
from scorebench.metrics.base import Estimate, Run
from scorebench.store.samples import Arrays, SourceRun
from scorebench.suite.jobs import OF_SNAPSHOTS, OnTarget
from scorebench.targets.base import NOTHING, Absent, Target, has

POINTS = 5_000
FAR, SHARE_FAR = 20, 0.01
"""Diverged: a state that is not finite, or this share of chains beyond this many radii of the law that they are measured against."""

Key = dict[str, Any]
"""The columns that tell rows apart."""


class Bench:
    """A metric on a target, with what it is measured against: exact draws for each seed and the metric's floor, each made once.

    Where there is no target, no source and no run that ended well may be shown to it.
    """

    def __init__(
        self,
        target: Target | None,
        metric: Metric,
        master: int,
        on: OnTarget,
        limit: float,
        trained: Iterable[Source] = (),
        at_every_snapshot: bool = True,
    ) -> None:
        self._target, self.metric, self.master, self.limit = target, metric, master, limit
        self.name, self.seeds = str(on.target), on.experiment.seeds
        self.levels = {str(loss): level for train in on.sources for loss, level in zip(train.losses, train.levels, strict=True)}
        self.scores = {(str(s.model), str(s.loss)): s.density.score for s in trained}  # after the last step, which comes last
        self.at_every_snapshot = at_every_snapshot and OF_SNAPSHOTS.issuperset(metric.spec.needs)
        self.law, self.floor, self.exact = cache(self._law), cache(self._floor), cache(self._exact)

    @property
    def target(self) -> Target:
        """The target, where it could be built."""
        assert self._target is not None
        return self._target

    def _law(self, temperature: float) -> tuple[Target | None, Ended]:
        """What a chain at this temperature is measured against, and its radius, or why there is none."""

        def known() -> Target:
            law = self.target.tempered(temperature)
            float(law.radius)  # from exact draws, which may be out of reach
            return law

        return attempt(known, self.limit)

    def _exact(self, law: Target, n: int, use: str) -> Tensor:
        size = law.at_most(n)
        draws = [law.sample(size, rng.generator(self.master, use, self.name, seed)) for seed in range(self.seeds)]
        return torch.stack(draws)  # (seed, n, d)

    def _floor(self, law: Target, n: int) -> Key:
        """Mean, standard deviation and 95 % quantile of the metric between two exact draws of size n."""
        value = floors.values(self.metric, law, n, rng.generator(self.master, "floor", self.name, n))
        return {"floor_mean": float(value.mean()), "floor_sd": float(value.std()), "floor_q95": float(value.quantile(0.95))}

    def source_rows(self, source: Source) -> pd.DataFrame:
        """One row a seed about a trained source."""
        key = {"model": str(source.model), "loss": str(source.loss), "sigma": self.levels[str(source.loss)], "train_steps": source.steps}
        estimate, ended = None, source.ended
        if ended == OK:
            its = source.density
            run = Run(
                score=its.score,
                divergence=lambda x: its.score_and_divergence(x)[1],
                learnt=cache(lambda: self._learnt(source)),
                density=its,
            )
            estimate, ended = self._shaped(1, *self.metric(run, self.target, lambda law: self.exact(law, POINTS, "points"), self.limit))
        lost = _flat(~estimate.value.isfinite()) if estimate else np.zeros(self.seeds, bool)
        return self._frame(key, 1, estimate, ended, lost)

    def _shaped(self, cells: int, estimate: Estimate | None, ended: Ended) -> tuple[Estimate | None, Ended]:
        """The estimate, if it has a value and a standard error for every seed and cell."""
        if ended != OK:
            return None, ended
        shape = (self.seeds, cells)
        return attempt(lambda: Estimate(*(expect("what the metric returns", part, shape) for part in estimate or ())), self.limit)

    def _learnt(self, source: Source) -> Target:
        assert source.loss is not None
        loss: LossFile = registry.module("loss", source.loss.name)
        return loss.fixed_point(self.target, **source.loss.options)

    def sampler_rows(self, sampler: str, runs: Iterable[tuple[SourceRun, Arrays]]) -> Iterator[pd.DataFrame]:
        """One row a seed, cell and snapshot about everything that a sampler made from this target's sources."""
        for run, arrays in runs:
            key: Key = {"model": run.model, "loss": run.loss, "train_steps": run.train_steps, "chains": run.chains, "sampler": sampler}
            key["sigma"] = self.levels.get(run.loss)
            tensors = {name: torch.as_tensor(array, device=torch.get_default_device()) for name, array in arrays.items()}
            for temperature in dict.fromkeys(t for _, t in run.cells):
                cells = [number for number, (_, t) in enumerate(run.cells) if t == temperature]
                key |= {"temperature": temperature, "step_size": np.tile(np.array([run.cells[c][0] for c in cells], float), self.seeds)}
                if run.ended == OK:
                    yield from self._cells(key, run, tensors, cells, temperature)
                else:
                    yield self._frame(key, len(cells), None, run.ended)

    def _cells(self, key: Key, run: SourceRun, arrays: dict[str, Tensor], cells: list[int], temperature: float) -> Iterator[pd.DataFrame]:
        """The cells of one temperature, at each snapshot."""
        (law, known), score = self.law(temperature), self._score(run, temperature)
        where = law or self.target.prior or self.target  # of a law that is not known the rows say so, whatever has diverged
        for number, (steps, gradients) in enumerate(zip(run.steps, run.gradients, strict=True)):
            last = number == len(run.steps) - 1
            if not (last or self.at_every_snapshot):
                continue
            x = arrays["samples"][number][:, cells]  # (seed, cell, n, d)
            finite = x.isfinite().flatten(2).all(-1)
            far = (where.distance(x) > FAR * where.radius).double().mean(-1) >= SHARE_FAR
            seen = Run(samples=x.where(finite[..., None, None], 0.0), chains=run.chains, score=score)
            if last:
                trace, steady = arrays["trace"][:, cells], finite[..., None, None, None]
                seen = seen._replace(
                    trace=trace.where(steady & trace.isfinite(), 0.0),
                    acceptance=arrays["acceptance"][:, cells],
                    acceptance_sd=arrays["acceptance_sd"][:, cells],
                )
            here = key | {"steps": steps, "gradient_evaluations": gradients}
            yield self._measured(here, seen, law, known, temperature, finite, _flat(~finite | far))

    def _score(self, run: SourceRun, temperature: float) -> Callable[[Tensor], Tensor]:
        source = self.scores.get((run.model, run.loss))
        return (lambda x: source(x) / temperature) if source else Absent("score")

    def _measured(
        self, key: Key, run: Run, law: Target | None, known: Ended, temperature: float, finite: Tensor, diverged: np.ndarray
    ) -> pd.DataFrame:
        cells = finite.shape[1]
        if law is None:
            return self._frame(key, cells, None, known)
        n, use = floors.compared(law, run.chains), f"reference {temperature:g}"
        run = run._replace(samples=run.samples[:, :, :n])

        def reference() -> Tensor:
            return self.exact(law, n, use) if has(law, "sample") else NOTHING

        estimate, ended = self._shaped(cells, *self.metric(run, law, reference, self.limit))
        if estimate is None:
            return self._frame(key, cells, None, ended, diverged)
        if self.metric.facts["FLOOR"] and floors.floored(law):
            floor, floored = attempt(lambda: self.floor(law, n), self.limit)
            key = key | (floor or {})
            ended = ended if floor else floored
        estimate = Estimate(*(e.double().where(finite, torch.nan) for e in estimate))
        return self._frame(key, cells, estimate, ended, diverged)

    def _frame(self, key: Key, cells: int, estimate: Estimate | None, ended: Ended, diverged: np.ndarray | None = None) -> pd.DataFrame:
        """Rows (seed, cell); a value that is not finite where nothing diverged is the metric's failure, or UNDEFINED there."""
        count = self.seeds * cells
        status, reason = np.full(count, str(ended.status), object), np.full(count, ended.reason, object)
        rows = key | {"metric": str(self.metric.spec), "seed": np.repeat(np.arange(self.seeds), cells), "status": status, "reason": reason}
        if estimate:
            value = rows["value"] = _flat(estimate.value)
            rows["standard_error"] = _flat(estimate.standard_error)
            infinite = ~np.isfinite(value) if diverged is None else ~np.isfinite(value) & ~diverged
            if takes := self.metric.facts.get("UNDEFINED"):
                undefined = infinite & np.isnan(value)
                status[undefined], reason[undefined] = str(Status.NOT_APPLICABLE), takes
                infinite &= ~undefined
            if infinite.any():
                size = f", of {key['chains']} chains after {key['steps']} steps" if "chains" in key else ""
                said = f"{rows['metric']} is not finite{size}"
                status[infinite], reason[infinite] = str(Status.FAILED), said
                print(f"{self.name}, {key.get('sampler', '')} {key['model']} {key['loss']}: {said}", file=sys.stderr)
            if "floor_sd" in key:
                with np.errstate(divide="ignore", invalid="ignore"):  # a floor without a spread
                    rows["z"] = (value - key["floor_mean"]) / key["floor_sd"]
        if diverged is not None:
            status[diverged], reason[diverged] = str(Status.DIVERGED), ""
        return pd.DataFrame(rows)


def _flat(x: Tensor) -> np.ndarray:
    return x.flatten().cpu().numpy()
