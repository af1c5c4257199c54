"""Collect a run: every row in one file, what each job cost, what the run rests on, and the tables with their intervals."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from scorebench.core import schema, sealed
from scorebench.core.spec import parse_all
from scorebench.report import render, tables, work
from scorebench.report.choosing import at_best_steps, at_end
from scorebench.report.decomposition import decompose
from scorebench.report.ranking import late
from scorebench.stages.record import record
from scorebench.store import artifacts, provenance, trained, works

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan


def run(plan: Plan, job: str, folder: Path) -> None:
    """Write metrics.csv, timings.csv, tables/ and manifest.json."""
    with record(plan, folder, "tables", job):
        rows = _collected(plan, folder, "measure", schema.METRICS)
        tested = {f"claims/{claim}.json": (folder / f"claims/{claim}.json").read_bytes() for claim in plan.suite.claims}
        claims = [schema.claim_result(sealed.read(folder / name), name) for name in tested]
        trainings = [(train, trained.read(folder / f"train/{train.id}.npz")[0]) for train in plan.trains.values() if not train.size]
        metrics = parse_all("metric", plan.suite.metrics)
        rank_by = {str(on.target): on.experiment.rank_by for on in plan.targets.values()}
        chosen = at_best_steps(rows, metrics, rank_by)
        by_target = works.read_all([folder / f"work/{id}.npz" for id in plan.works])
        raced = work.work(by_target, plan.suite.accuracy.margin)
        made = {
            "losses": tables.losses(rows, metrics, plan.suite.accuracy.margin),
            "samplers": tables.samplers(chosen, metrics, plan.suite.accuracy.margin, rank_by, late(raced)),
            "work": raced,
            "equilibrium": work.equilibrium(by_target),
            "decomposition": decompose(pd.concat([chosen, at_end(rows[rows["sampler"] == ""])]), metrics),
            "learning_rates": tables.learning_rates(trainings),
            "tuned": tables.tuned(trainings),
            "sensitivity": _collected(plan, folder, "sensitivity", schema.SENSITIVITY),
            "claims": tables.claims(claims, plan),
        }
        files = {"metrics.csv": schema.METRICS.to_csv(rows)}
        for name, table in made.items():
            shown = render.SHOWN[name](table)
            files[f"tables/{name}.csv"] = schema.TABLES[name].to_csv(table)
            files[f"tables/{name}.md"] = render.markdown(shown).encode()
            files[f"tables/{name}.tex"] = render.latex(shown).encode()
        files["timings.csv"] = schema.TIMINGS.to_csv(provenance.timings(folder, plan))
        for name, content in files.items():
            artifacts.write_bytes(folder / name, content)
        checksums = {name: hashlib.sha256(content).hexdigest() for name, content in (files | tested).items()}
        artifacts.write_json(folder / "manifest.json", provenance.manifest(plan, folder) | {"sha256": checksums})


def _collected(plan: Plan, folder: Path, stage: str, table: schema.Table) -> pd.DataFrame:
    """The rows of every job of a stage."""
    paths = [folder / stage / f"{job}.csv.gz" for job in plan.jobs(stage)]
    return table.from_parts({path: artifacts.read_gzip(path) for path in paths})
