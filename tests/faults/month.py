"""A month of use: one directory, a suite and a plugin that are edited between runs. `python tests/faults/month.py [--edits 50] [--suite smoke] [--seed 1]`

Predicted, of every run by the one command after a random edit: it comes to its end; nobody unlocks or removes anything by hand. metrics.csv has the rows of
today's plan and no others, failed where the plugin is broken and nowhere else; under results/ and .snakemake lie the files that the plan names and no others;
no process is left. An edit of a comment or of the layout does nothing. Whenever the suite and the plugin are again what they were, all files are again the
same bytes, and take as much of the disk; and at every tenth edit, and after the last, they are those of a run in an empty directory, byte by byte. (Python
starts by forks, `forked_python`, which tests/test_user.py holds against real starts.)
"""

import argparse
import copy
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from rig import Rig, judged, rig

sys.path.insert(0, str(Path(__file__).parents[1]))

from forked_python import python

from scorebench.store.again import RETRIED

PLUGIN = '''"""ULA whose drift is multiplied by a number. {remark}"""

from dataclasses import dataclass

from torch import Tensor

from scorebench.core.options import Positive
from scorebench.samplers.base import Density, Info
from scorebench.samplers.ula import ULA, State

LABEL = "leaning ULA"
REFERENCE = "none"
NEEDS = {{"source.score"}}
GRADIENTS = 1
EXACT = False


@dataclass(frozen=True, eq=False)
class Leaning(ULA):
    {option}: Positive = 1.0

    def step(self, state: State, density: Density, draws: Tensor) -> tuple[State, Info]:
        {broken}c, t = {number} * self.{option} * self.step_size[..., None], self.temperature[..., None]
        return State(state.x + c * density.score(state.x) + (2 * c * t).sqrt() * draws[:, None]), Info()
'''
BROKEN = {"raises": "raise RuntimeError('broken')\n        ", "no syntax": "return (\n        "}
ASKED = """
import json, sys
from pathlib import Path
from scorebench.store.leftovers import named
from scorebench.suite.jobs import STAGES, timing
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

plan = Plan(load(sys.argv[1]))
made = [f for stage in STAGES for job in plan.jobs(stage) for f in (*plan.outputs(stage, job), timing(stage, job))]
rows = []
for its in plan.measures.values():
    metric, target = str(its.metric), str(its.on.target)
    if its.metric.entry.facts.get("ABOUT", "sampler") == "source":
        rows += [(target, str(train.model), str(loss), "", metric, seed)
                 for train in its.on.sources for loss in train.losses for seed in range(its.on.experiment.seeds)]
    else:
        rows += [(target, str(train.model) if train else "", loss, str(sample.sampler), metric, seed)
                 for sample in its.on.samples for _, train, losses in sample.runs for loss in ([str(loss) for loss in losses] if train else [""])
                 for seed in range(its.on.experiment.seeds)]
print(json.dumps({"files": sorted(named(plan, Path(sys.argv[2]))), "made": sorted(plan.paths(made)), "rows": sorted(set(rows))}))
"""
"""What a plan names: the files under results/, those that Snakemake knows, and the rows. A process of its own asks, since what a suite registers stays."""
TABLE = "a,b\n" + "".join(f"{(7 * k) % 101 / 50},{(13 * k) % 89 / 30}\n" for k in range(300))


class Use:
    """A suite and a plugin as they are today."""

    def __init__(self, text: str) -> None:
        self.suite: dict[str, Any] = yaml.safe_load(text)
        self.suite["plugins"] = ["leaning.py"]
        metrics = self.suite["metrics"]
        metrics += [name for name in ("relative_fisher_divergence", "second_moment_bias") if name not in metrics]  # of the figures
        self.first["exact"]["samplers"].append("leaning:pull=1.5")
        self.plugin = {"option": "pull", "number": "1.0", "remark": "", "broken": ""}
        self.remark = ""

    @property
    def first(self) -> dict[str, Any]:
        """The experiment on a Gaussian."""
        return next(experiment for experiment in self.suite["experiments"] if experiment["target"] == "gaussian")

    @property
    def state(self) -> str:
        """All that results rest on."""
        return json.dumps([self.suite, self.plugin | {"remark": ""}])

    def write(self, run: Rig) -> None:
        suites = run.folder / "workflows/suites"
        broken = BROKEN.get(self.plugin["broken"], "")
        (suites / "leaning.py").write_text(PLUGIN.format_map(self.plugin | {"broken": broken}))
        (suites / "own.csv").write_text(TABLE)
        text = yaml.safe_dump(self.suite, sort_keys=False, default_flow_style=bool(len(self.remark) % 2))
        (suites / f"{run.suite}.yaml").write_text(f"# {self.remark}\n{text}")


def toggled(values: list[Any], pool: list[Any], chance: random.Random, least: int = 1) -> str:
    """One of a pool less, or more, somewhere."""
    item = chance.choice([item for item in pool if item not in values or len(values) > least])
    if item in values:
        values.remove(item)
        return f"without {item}"
    values.insert(chance.randrange(len(values) + 1), item)
    return f"with {item}"


def metric(use: Use, chance: random.Random) -> str:
    pool = ["mmd", "rhat", "ess", "acceptance", "mean_error", "ksd", "hyvarinen_score", "mmd:fraction=0.2"]
    return toggled(use.suite["metrics"], pool, chance)


def loss(use: Use, chance: random.Random) -> str:
    return toggled(use.first["sources"]["quadratic"], ["sliced", "implicit", "explicit", "denoising:sigma=0.25"], chance)


def sampler(use: Use, chance: random.Random) -> str:
    return toggled(use.first["exact"]["samplers"], ["mala", "leimkuhler_matthews", "exact", "prior"], chance)


def step_size(use: Use, chance: random.Random) -> str:
    return toggled(use.first["exact"]["step_sizes"], [0.05, 0.1, 0.2, 0.4, 0.5], chance, 2)


def figure(use: Use, chance: random.Random) -> str:
    return toggled(use.suite["figures"], ["claims_overview", "loss_comparison", "bias_against_step_size"], chance)


def claim(use: Use, chance: random.Random) -> str:
    return toggled(use.suite["claims"], ["wiener-increment", "step-size-bias", "score-free-of-z"], chance)


def target(use: Use, chance: random.Random) -> str:
    """A table's, which is a file, too."""
    other = copy.deepcopy(use.first) | {"target": "table:path=own.csv"}
    for key in ("exact", "work"):
        other.pop(key, None)
    others = [experiment for experiment in use.suite["experiments"] if experiment["target"].startswith("table")]
    if others:
        use.suite["experiments"].remove(others[0])
        return "without a table"
    use.suite["experiments"].append(other)
    return "with a table"


def seeds(use: Use, chance: random.Random) -> str:
    use.first["seeds"] = 5 - use.first["seeds"]
    return f"{use.first['seeds']} seeds"


def master(use: Use, chance: random.Random) -> str:
    use.suite["seed"] = 3 - use.suite["seed"]
    return f"master seed {use.suite['seed']}"


def order(use: Use, chance: random.Random) -> str:
    """Of everything that has one."""
    lists = [use.suite[key] for key in ("experiments", "metrics", "claims", "figures")] + [use.first["exact"]["samplers"]]
    for its in lists:
        chance.shuffle(its)
    return "another order"


def comment(use: Use, chance: random.Random) -> str:
    use.remark += "."
    use.plugin["remark"] += "."
    return "comments and layout"


def number(use: Use, chance: random.Random) -> str:
    use.plugin["number"] = chance.choice([text for text in ("1.0", "1.1", "1.2") if text != use.plugin["number"]])
    return f"the plugin's number is {use.plugin['number']}"


def option(use: Use, chance: random.Random) -> str:
    before = use.plugin["option"]
    use.plugin["option"] = "lean" if before == "pull" else "pull"
    samplers = use.first["exact"]["samplers"]
    samplers[:] = [text.replace(f"{before}=", f"{use.plugin['option']}=") for text in samplers]
    return f"the plugin's option is called {use.plugin['option']}"


def broken(use: Use, chance: random.Random) -> str:
    use.plugin["broken"] = "" if use.plugin["broken"] else chance.choice(sorted(BROKEN))
    return f"the plugin {use.plugin['broken']}" if use.plugin["broken"] else "the plugin is mended"


EDITS: tuple[Callable[[Use, random.Random], str], ...] = (
    *(metric, loss, sampler, step_size, figure, claim, target, seeds, master, order, comment, number, option, broken),
)


WRONG = (
    "orphans",
    "tracebacks",
    "told to unlock",
    "not nothing",
    "failures",
    "rows that are not of the plan",
    "rows of the plan that are not there",
)
WRONG += ("statuses that are not of today's plugin", "files that the plan does not name", "files of the plan that are not there")
WRONG += (
    "records that the plan does not name",
    "locks",
    "marks of what is unfinished",
    "Snakemake's logs, too many",
    "not the bytes that it was",
)
WRONG += ("more of the disk than it was", "files unlike those of an empty directory", "files that an empty directory has not")


def at_random(edits: int, chance: random.Random) -> list[str]:
    """So many edits: every kind once before any comes again, what is broken is mended next, and of four one is a return."""
    kinds: list[str] = []
    while len(kinds) < edits:
        for edit in chance.sample(EDITS, len(EDITS)):
            kinds += ["broken", "broken"] if edit is broken else [edit.__name__]
            kinds += ["return"] if len(kinds) > 3 and chance.random() < 0.3 else []
    return kinds[:edits]


def month(run: Rig, fresh: Rig | None, text: str, kinds: Sequence[str], chance: random.Random, every: int = 10) -> bool:
    """The suite of a text, run, and again after each of these edits."""
    counts: Counter[str] = Counter({"edits": len(kinds)})
    use, known = Use(text), dict[str, tuple[Use, dict[str, str], int]]()
    for number, kind in enumerate(["", *kinds]):
        before, done, what = use, run.records(), "as it is"
        use = copy.deepcopy(use)
        if kind == "return":
            use = copy.deepcopy(chance.choice([its for state, (its, *_) in known.items() if state != use.state]))
            what = "as it once was"
        elif kind:
            what = next(edit for edit in EDITS if edit.__name__ == kind)(use, chance)
        use.write(run)
        started, files = time.monotonic(), run.digests()
        code, said = run.run()
        counts["orphans"] += run.orphans()
        counts["tracebacks"] += "Traceback" in said
        counts["told to unlock"] += "unlock" in said
        again = sum(run.records().get(name) != at for name, at in done.items())
        print(
            f"{number:3d} {what}: {time.monotonic() - started:.0f} s, {again} of {len(done)} jobs again, {len(run.records())} in all",
            flush=True,
        )
        if number and use.state == before.state:
            counts["runs of nothing"] += 1
            counts["not nothing"] += "nothing to do" not in said or run.digests() != files
        if code:
            counts["failures"] += 1
            logs = "".join(path.read_text() for path in sorted(run.out.glob("logs/**/*.log")) if "Traceback" in path.read_text())
            print(f"--- {said}\n{logs}", flush=True)
            continue
        wrong = differing(run, use)
        counts.update(wrong)
        if wrong:
            print(f"--- {wrong}\n{said}", flush=True)
        if use.state in known:
            _, digests, disk = known[use.state]
            counts["returns"] += number > 0
            counts["not the bytes that it was"] += run.digests() != digests
            counts["more of the disk than it was"] += used(run) > 1.01 * disk
        else:
            known[use.state] = use, run.digests(), used(run)
        if fresh and number and (number % every == 0 or number == len(kinds)):
            counts["runs in an empty directory"] += 1
            fresh.empty()
            use.write(fresh)
            code, said = fresh.run()
            assert code == 0, said
            ours, theirs = run.digests(), fresh.digests()
            other = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
            counts["files unlike those of an empty directory"] += len(other)
            unlike = left(run) ^ left(fresh)
            counts["files that an empty directory has not"] += len(unlike)
            if other or unlike:
                print(f"--- unlike an empty directory: {other[:10]} {sorted(unlike)[:10]}", flush=True)
    return judged("month", counts, WRONG)


def differing(run: Rig, use: Use) -> Counter[str]:
    """By how much what lies there is not what the plan names."""
    asked = [run.python, "-c", ASKED, f"workflows/suites/{run.suite}.yaml", f"results/{run.suite}"]
    done = subprocess.run(asked, cwd=run.folder, env=os.environ | {"PYTHONPATH": str(run.folder)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    named = {f"results/{run.suite}/{name}" for name in plan["files"] if name != RETRIED} | {f"results/.{run.suite}.owner"}
    rows, wrong = rows_of(run), Counter[str]()
    cells = {tuple(row) for row in plan["rows"]}
    wrong["rows that are not of the plan"] = len(rows.keys() - cells)
    wrong["rows of the plan that are not there"] = len(cells - rows.keys())
    failed = {cell for cell, statuses in rows.items() if any(status.startswith(("failed", "timeout")) for status in statuses)}
    leaning = {cell for cell in cells if cell[3].startswith("leaning")}
    wrong["statuses that are not of today's plugin"] = len(failed ^ (leaning if use.plugin["broken"] else set()))
    there = {path for path in left(run) if path.startswith("results/")}
    wrong["files that the plan does not name"] = len(there - named)
    wrong["files of the plan that are not there"] = len(named - there)
    wrong["records that the plan does not name"] = len(run.known() ^ set(plan["made"]))
    wrong["locks"] = sum(1 for _ in (run.folder / ".snakemake/locks").glob("*"))
    wrong["marks of what is unfinished"] = len(run.unfinished())
    wrong["Snakemake's logs, too many"] = max(sum(1 for _ in (run.folder / ".snakemake/log").glob("*")) - 21, 0)
    return +wrong


def rows_of(run: Rig) -> dict[tuple[Any, ...], set[str]]:
    """Of metrics.csv: by target, model, loss, sampler, metric and seed the statuses."""
    found: dict[tuple[Any, ...], set[str]] = {}
    rows = pd.read_csv(run.out / "metrics.csv", keep_default_na=False)
    for *cell, status in rows[["target", "model", "loss", "sampler", "metric", "seed", "status"]].itertuples(index=False):
        found.setdefault(tuple(cell), set()).add(status)
    return found


def left(run: Rig) -> set[str]:
    """Every file under results/ and .snakemake, but for Snakemake's logs, which bear the time."""
    paths = [
        path.relative_to(run.folder).as_posix()
        for name in ("results", ".snakemake")
        for path in (run.folder / name).rglob("*")
        if path.is_file()
    ]
    return {path for path in paths if not path.startswith(".snakemake/log/")}


def used(run: Rig) -> int:
    """Bytes of the disk, of the same files."""
    return sum((run.folder / path).stat().st_blocks * 512 for path in left(run))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--suite", default="smoke")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with rig(given.suite) as copied, rig(given.suite, "empty") as empty:
        copied.python = empty.python = python()
        text = (copied.folder / f"workflows/suites/{given.suite}.yaml").read_text()
        for long, short in (("size: 2000", "size: 200"), ("steps: [300]", "steps: [30]"), ("budgets: [50, 300]", "budgets: [5, 30]")):
            text = text.replace(long, short)  # of smoke: every stage, and no more of each than must be
        print(f"seed {given.seed}", flush=True)
        chance = random.Random(given.seed)
        sys.exit(not month(copied, empty, text, at_random(given.edits, chance), chance, given.every))
