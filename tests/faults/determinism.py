"""The same run gives the same bytes: on one core and on two, in another order of jobs, with other methods beside; and nearly the same on another processor.

Tables, metrics.csv, claims, figures and the page of the `smoke` suite by their sha256. With another loss and another sampler in the suite every row of
metrics.csv that was there is there, bit for bit. At each level of vector instructions that this processor has (ATEN_CPU_CAPABILITY) exact scores move by less
than .01 of a metric's standard error across seeds, trained sources by less than a third of its spread across seeds, in every cell.

    python tests/faults/determinism.py     # tests/test_workflow.py, test_user.py and test_promise.py see the same, job by job
"""

import copy
import hashlib
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

import scorebench
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

ROOT = Path(__file__).parents[2]
SMOKE: dict[str, Any] = yaml.safe_load((ROOT / "workflows/suites/smoke.yaml").read_text(encoding="utf-8"))
CLOCKS = {"manifest.json", "timings.csv", "run.json", "suite.yaml"}
"""What says when, how long and on what; and the suite's own text."""
FOLDERS = {"timings", "logs", "benchmarks"}
EXACT, TRAINED = 0.01, 1 / 3
KEYS = ["target", "model", "loss", "train_size", "train_steps", "sampler", "sigma", "step_size", "temperature", "steps", "metric"]


def run(folder: Path, suite: dict[str, Any], *arguments: str, **environment: str) -> Path:
    """Its results. Raises RuntimeError where Snakemake fails."""
    folder.mkdir()
    (folder / "mine.yaml").write_text(yaml.safe_dump(suite), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments, "--configfile", "mine.yaml"]
    done = subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(done.stderr[-1_000:])
    return folder / "results/smoke"


def digests(results: Path) -> dict[str, str]:
    """Of every file that a reader may look at or a job may read."""
    paths = [path.relative_to(results) for path in results.rglob("*") if path.is_file()]
    kept = [path for path in paths if path.name not in CLOCKS and path.parts[0] not in FOLDERS]
    return {path.as_posix(): hashlib.sha256((results / path).read_bytes()).hexdigest() for path in kept}


def shuffled(folder: Path) -> list[str]:
    """Arguments that have jobs done in another order: some files that are wanted before the others."""
    (folder / "suite.yaml").write_text(yaml.safe_dump(SMOKE), encoding="utf-8")
    plan, chance = Plan(load(folder / "suite.yaml")), random.Random(3)
    wanted = [
        file
        for stage in ("claim", "work", "map", "sample", "measure")
        for job in plan.jobs(stage)[-1:]
        for file in plan.outputs(stage, job)[:1]
    ]
    chance.shuffle(wanted)
    return ["--prioritize", *plan.paths(wanted[:3])]


def with_others() -> dict[str, Any]:
    """The suite with another loss and another sampler in each experiment."""
    suite = copy.deepcopy(SMOKE)
    for experiment in suite["experiments"]:
        for losses in experiment["sources"].values():
            losses.append("implicit")
        for block in ("exact", "trained"):
            experiment[block]["samplers"].append("leimkuhler_matthews")
    return suite


def moved(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """By how much means across seeds differ: of exact scores in standard errors, of others in spreads; where a cell ended otherwise, by inf."""
    pairs = before.merge(after, on=[*KEYS, "seed"], suffixes=("", "_after"))
    assert len(pairs) == len(before) == len(after)
    of_cell = pairs.groupby(KEYS, dropna=False)
    spread = of_cell["value"].std()
    off = (of_cell["value_after"].mean() - of_cell["value"].mean()).abs()
    otherwise = of_cell.apply(lambda rows: (rows["status"] != rows["status_after"]).any(), include_groups=False)
    apart = (off / spread).where(off > 1e-6 * of_cell["value"].mean().abs(), 0.0).mask(otherwise, np.inf).dropna()
    exact = apart.index.get_level_values("loss") == ""
    return apart[exact] * of_cell["seed"].nunique().max() ** 0.5, apart[~exact]


def capabilities() -> list[str]:
    """The levels that this processor has."""
    levels = ["DEFAULT", "AVX2", "AVX512"]
    return [level.lower() for level in levels[: 1 + levels.index(torch.backends.cpu.get_cpu_capability())]]


def main() -> int:
    """All of it, with counts; 1 if a file, a row or a cell differs."""
    wrong, ends = 0, list[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = digests(run(folder / "one", SMOKE, "--cores", "1"))
        for what, arguments in (
            ("one core again", ["--cores", "1"]),
            ("two cores", ["--cores", "2"]),
            ("another order", ["--cores", "2", *shuffled(folder)]),
        ):
            found = digests(run(folder / what, SMOKE, *arguments))
            different = sorted(path for path in first.keys() | found.keys() if first.get(path) != found.get(path))
            wrong += len(different)
            ends.append(f"{what}: {len(different)} of {len(first)} files differ")
            print(ends[-1], different[:5], flush=True)
        rows = scorebench.load(folder / "one/results/smoke")
        more = run(folder / "more", with_others(), "--cores", "2", "results/smoke/metrics.csv")
        text = [set((results / "metrics.csv").read_text(encoding="utf-8").splitlines()) for results in (folder / "one/results/smoke", more)]
        wrong += len(text[0] - text[1])
        ends.append(
            f"another loss and sampler: {len(text[0] - text[1])} of {len(text[0])} rows differ, beside {len(text[1] - text[0])} others"
        )
        print(ends[-1], flush=True)
        for level in capabilities():
            results = run(folder / level, SMOKE, "--cores", "2", "results/smoke/metrics.csv", ATEN_CPU_CAPABILITY=level)
            exact, trained = moved(rows, scorebench.load(results))
            bad = pd.concat([exact[exact > EXACT], trained[trained > TRAINED]])
            wrong += len(bad)
            ends.append(
                f"{level}: {len(exact)} exact cells move by {exact.max():.2g} standard errors at most, {len(trained)} trained by {trained.max():.2g} spreads"
            )
            print(ends[-1], flush=True)
            for cell, by in bad.head(8).items():
                print(f"MISSED {level} {cell}: {by:.3g}")
    print(" | ".join(ends))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
