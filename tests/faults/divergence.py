"""24 cells made to diverge beside others that do not: the workflow ends well, each is a row that says so, and no rank drops a failure to come out ahead.

ULA and the scheme of Leimkuhler and Matthews multiply the distance from the mean of N(0, 1) by |1 - c| a step, 3 or more at the steps c from 4 on, at any
temperature. `lucky` draws exactly but for its last seed, which is infinite; ULA at c = 1 has twice the variance, and MALA is still where it started. So by the
seeds that are left `lucky` would be first.

    python tests/faults/divergence.py      # by Snakemake; CI runs the same jobs in its own process
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

import scorebench
from scorebench.store.results import Results

ROOT = Path(__file__).parents[2]
LUCKY = '''"""Exact draws of N(0, T) but for the last seed, which is infinite."""

from dataclasses import dataclass

from torch import Tensor

from scorebench.samplers.base import Density, Info
from scorebench.samplers.ula import ULA, State

LABEL = "lucky"
REFERENCE = "none"
NEEDS = {"source.score"}
GRADIENTS = 1
EXACT = False


@dataclass(frozen=True, eq=False)
class Lucky(ULA):
    def step(self, state: State, density: Density, draws: Tensor) -> tuple[State, Info]:
        moved, info = super().step(state, density, draws)
        x = (self.temperature[..., None].sqrt() * draws[:, None]).expand_as(moved.x).clone()
        x[-1] = float("inf")
        return State(x), info
'''
SUITE = """
name: diverging
seed: 1
plugins: [lucky.py]
metrics: [mmd, second_moment_bias]
experiments:
  - target: gaussian
    seeds: 4
    exact:
      - {samplers: [ula, leimkuhler_matthews], step_sizes: [4.0, 5.0, 6.0, 7.0], temperatures: [0.5, 1.0, 2.0], chains: 64, budgets: [200]}
      - {samplers: [ula], step_sizes: [1.0], temperatures: [1.0], chains: 64, budgets: [200]}
      - {samplers: [mala, lucky], step_sizes: [0.0001], temperatures: [1.0], chains: 64, budgets: [200]}
"""
CELLS, SEEDS, METRICS = 24, 4, 2


def written(folder: Path) -> Path:
    """The suite's file in a folder, with its plugin."""
    (folder / "lucky.py").write_text(LUCKY, encoding="utf-8")
    (folder / "diverging.yaml").write_text(SUITE, encoding="utf-8")
    return folder / "diverging.yaml"


def wrong(results: Path) -> list[str]:
    """What a run does not say as it should."""
    rows, table = scorebench.load(results), Results(results).table("samplers")
    said = []
    made = rows[rows["sampler"].isin(["ula", "leimkuhler_matthews"]) & (rows["step_size"] >= 4)]
    cells = made.groupby(["sampler", "step_size", "temperature"]).ngroups
    if (cells, len(made)) != (CELLS, CELLS * SEEDS * METRICS) or set(made["status"]) != {"diverged"} or made["value"].notna().any():
        said.append(f"{cells} cells, {len(made)} rows, {made['status'].value_counts().to_dict()}, {made['value'].notna().sum()} values")
    others = rows[~rows.index.isin(made.index) & (rows["sampler"] != "lucky")]
    if len(others) != 2 * SEEDS * METRICS or set(others["status"]) != {"ok"}:
        said.append(f"of the others: {others['status'].value_counts().to_dict()}")
    lucky = table[table["sampler"] == "lucky"]
    judging = SEEDS // 2  # the first half chooses steps
    if not ((lucky["diverged"] == 1).all() and (lucky["seeds"] == judging - 1).all()):
        said.append(f"lucky: {lucky[['metric', 'seeds', 'diverged']].to_dict('records')}")
    text = (results / "tables/samplers.md").read_text(encoding="utf-8")
    if f"diverged 1/{judging}" not in text:
        said.append("the table does not say how many seeds diverged, of how many")
    for _, by_metric in table[table["temperature"] == 1].groupby("metric"):
        first, lost = by_metric[by_metric["leads"]], by_metric[by_metric["diverged"] > 0]
        if lost["leads"].any() or lost["best"].any() or (lost["word"].fillna("") != "").any() or not (first["diverged"] == 0).all():
            said.append(f"ranked: {by_metric[['sampler', 'mean', 'diverged', 'leads', 'word']].to_dict('records')}")
    if table["leads"].sum() != 1 or not _would_be_first(table):
        said.append("nobody leads, or dropping failures would change nothing: this sees nothing")
    ula = table[(table["sampler"] == "ula") & (table["temperature"] == 1)]
    if set(ula["step_size"]) != {1.0}:
        said.append(f"ULA's step is one that diverged: {set(ula['step_size'])}")
    return said


def _would_be_first(table: pd.DataFrame) -> bool:
    """Whether the lucky seeds' mean is below the leader's in the metric that ranks."""
    (first,) = table[table["leads"]].to_dict("records")
    return bool((table.loc[(table["sampler"] == "lucky") & (table["metric"] == first["metric"]), "mean"] < first["mean"]).all())


def main() -> int:
    """By Snakemake, with counts; 1 if anything is wrong."""
    with tempfile.TemporaryDirectory() as name:
        suite = written(Path(name))
        command = ["-m", "snakemake", "--cores", "2", "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(suite)]
        done = subprocess.run([sys.executable, *command], cwd=name, capture_output=True, encoding="utf-8")
        said = wrong(Path(name, "results/diverging")) if not done.returncode else [f"exit code {done.returncode}: {done.stderr[-800:]}"]
    for line in said:
        print(f"MISSED {line}")
    print(f"divergence: {CELLS} cells made to diverge, exit code {done.returncode}; {len(said)} wrong")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
