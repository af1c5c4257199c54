"""Nothing of a user's machine changes a result; what has changed since is not told as new; what failed can be tried again.

In a copy of the repository, driven as a user drives it, by a suite that takes seconds. On another user's machine Snakemake is a real Python's, and its jobs
are forks (`forked_python`) of one that was started there.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from forked_python import python
from test_workflow import ROOT, Copy

import scorebench
from scorebench.core import sealed
from scorebench.core.spec import parse
from scorebench.store import artifacts
from scorebench.store.results import Results

SUITE = """
name: tiny
seed: 1
metrics: [relative_fisher_divergence, "mmd:fraction=0.2", rhat, acceptance]
claims: [wiener-increment, energy-classifier]
figures: [loss_comparison]
experiments:
  - target: gaussian
    seeds: 2
    training: {size: 500, batch: 32, steps: [50], learning_rate: 1e-2}
    sources: {quadratic: [sliced]}
    exact: {samplers: [ula], step_sizes: [0.05, 0.5], chains: 16, budgets: [20, 60]}
    trained: {samplers: [ula], step_sizes: [0.05, 0.5], chains: 16, budgets: [20, 60]}
"""
OUT = "results/tiny"


def machine(home: Path, package: Path) -> dict[str, str]:
    """Another user's: ASCII, another clock, a narrow terminal in colour, a matplotlibrc, two threads, no docstrings, warnings as errors, hashes of its own, the
    package installed elsewhere.
    """
    rc = home / ".config/matplotlib/matplotlibrc"
    rc.parent.mkdir(parents=True)
    rc.write_text("text.usetex: True\nfont.size: 20\n", encoding="utf-8")
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Tokyo", "COLUMNS": "20", "FORCE_COLOR": "1"}
    python = {
        "PYTHONPATH": str(package),
        "PYTHONOPTIMIZE": "2",
        "PYTHONWARNINGS": "error",
        "PYTHONHASHSEED": "7",
        "SOURCE_DATE_EPOCH": "315532800",
        "MPLBACKEND": "svg",
    }
    return locale | python | {"HOME": str(home), "MATPLOTLIBRC": str(rc), "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}


THERE = """
import runpy, sys
sys.executable = sys.argv.pop(1)
runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
"""


def run(copy: Copy, *arguments: str, suite: str = "tiny.yaml", **environment: str) -> subprocess.CompletedProcess[str]:
    of_jobs = {name: value for name, value in environment.items() if name not in ("PYTHONPATH", "PYTHONOPTIMIZE")}
    start = [sys.executable, "-P", "-c", THERE, python(**of_jobs)] if environment else [python(), "-m", "snakemake"]
    command = [*start, "--cores", "2", *arguments, "--configfile", suite]
    whole = {k: v for k, v in os.environ.items() if k != "PYTHONIOENCODING"} | {"PYTHONPATH": str(copy.folder)} | environment
    return subprocess.run(
        command,
        cwd=copy.folder,
        env=whole,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=600,
        umask=0o077 if environment else -1,
    )


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Copy]:
    """The suite, run here and on another user's machine, where files beside the Snakefile are called as a module of Python's which numpy imports, and as us."""
    made = []
    for whose in ("mine", "theirs"):
        copy = Copy(tmp_path_factory.mktemp({"mine": "mine", "theirs": "their löcher und räume"}[whose]))
        (copy.folder / "tiny.yaml").write_text(SUITE, encoding="utf-8")
        if whose == "theirs":
            shutil.rmtree(copy.folder / "scorebench")
            for name in ("secrets.py", "scorebench.py"):
                (copy.folder / name).write_text("raise SystemExit('not the one that is meant')\n", encoding="utf-8")
        done = run(copy, **(machine(tmp_path_factory.mktemp("home"), made[0].folder) if whose == "theirs" else {}))
        assert done.returncode == 0, done.stderr
        copy.first = done.stderr
        made.append(copy)
    return made


@pytest.fixture
def copy(copies: list[Copy]) -> Copy:
    return copies[0]


def test_another_machine_gives_the_same_files(copies: list[Copy]) -> None:
    """Byte for byte, the page and the figures, too; but for what says when and how long."""
    clocks = {"timings.csv", "manifest.json", "run.json"}
    files = [
        {
            path.relative_to(copy.folder / OUT).as_posix(): copy.digest(path)
            for path in (copy.folder / OUT).rglob("*")
            if path.is_file() and path.relative_to(copy.folder / OUT).parts[0] not in {"timings", "logs", "benchmarks", *clocks}
        }
        for copy in copies
    ]
    assert files[0] == files[1] and {"index.html", "figures/loss_comparison.pdf", "metrics.csv"} <= set(files[0])
    page = (copies[1].folder / OUT / "index.html").read_text(encoding="utf-8")
    assert "κ" in page and "Ã" not in page


def test_one_judging_seed_is_told_in_words(copies: list[Copy]) -> None:
    for copy in copies:
        assert "one seed judges: no interval, no test" in copy.first and "nan" not in copy.first
    tables = [path.read_text(encoding="utf-8") for path in (copies[0].folder / OUT / "tables").iterdir()]
    assert not any("nan" in text.replace("nanosecond", "") for text in tables)


def test_a_runs_own_record_runs_again(copy: Copy) -> None:
    done = run(copy, suite=f"{OUT}/suite.yaml")
    assert done.returncode == 0 and "nothing to do: every result is up to date" in done.stderr
    (copy.folder / OUT / "index.html").unlink()
    done = run(copy, suite=f"{OUT}/suite.yaml")
    assert done.returncode == 0 and (copy.folder / OUT / "index.html").exists(), done.stderr


def test_what_failed_is_told_and_tried_again_when_asked(copy: Copy) -> None:
    """That there is nothing to do is not all that is said; after `retry` the job is done again with what rests on it, and nothing else: the same bytes."""
    record = copy.folder / OUT / "timings/sample/gaussian/ula.json"
    _kept, before = record.read_bytes(), copy.digest(f"{OUT}/metrics.csv")
    times = record.stat()
    record.write_bytes(sealed.sealed(sealed.read(record) | {"status": "failed", "reason": "KeyError: x"}))
    os.utime(record, ns=(times.st_atime_ns, times.st_mtime_ns))
    done = run(copy)
    assert "nothing to do: 1 job failed or ran out of time; `scorebench retry results/tiny`" in done.stderr
    forgotten = copy.run("-m", "scorebench", "retry", OUT)
    assert forgotten.stdout == "removed: sample gaussian/ula\n1 to do again\n"
    left = [path.as_posix() for path in (copy.folder / OUT).rglob("*.npz")]
    assert left and all("/train/" in path or "/claims/" in path or "/map/" in path for path in left)
    done = run(copy)
    assert done.returncode == 0 and json.loads(record.read_text(encoding="utf-8"))["status"] == "ok", done.stderr
    assert copy.digest(f"{OUT}/metrics.csv") == before and "tiny: 5 jobs" in done.stderr


def test_what_a_suite_no_longer_asks_for_is_neither_there_nor_in_its_reference(copy: Copy) -> None:
    smaller = SUITE.replace("claims: [wiener-increment, energy-classifier]", "claims: [energy-classifier]").replace(
        "figures: [loss_comparison]", "figures: []"
    )
    reference = copy.folder / "results/reference/tiny"
    (copy.folder / "tiny.yaml").write_text(SUITE, encoding="utf-8")
    assert run(copy).returncode == 0
    assert copy.run("-m", "scorebench", "verify", "--write", OUT).returncode == 0
    assert (reference / "claims/wiener-increment.json").exists() and (reference / "figures/loss_comparison.png").exists()
    (copy.folder / "tiny.yaml").write_text(smaller, encoding="utf-8")
    done = run(copy)
    assert done.returncode == 0 and "1 claim: 1 " in done.stderr and not (copy.folder / OUT / "claims/wiener-increment.json").exists()
    assert "wiener" not in (copy.folder / OUT / "index.html").read_text(encoding="utf-8")
    assert copy.run("-m", "scorebench", "verify", "--write", OUT).returncode == 0
    assert {p.name for p in reference.rglob("*.json")} == {"energy-classifier.json", "manifest.json", "digests.json"} and not [
        *reference.rglob("*.png")
    ]
    shutil.rmtree(copy.folder / "results/reference")


def test_another_seed_is_not_told_with_old_numbers(copy: Copy) -> None:
    """After a part of a run there is no summary; by hand it says what it is of; there is nothing to verify."""
    (copy.folder / "tiny.yaml").write_text(SUITE.replace("seed: 1", "seed: 2"), encoding="utf-8")
    done = run(copy, "--until", "sample.gaussian.ula")
    assert done.returncode == 0 and "gaussian" not in done.stderr.lower() and "page:" not in done.stderr, done.stderr
    summary = copy.run("-m", "scorebench", "summary", OUT)
    assert summary.stdout.startswith(f"{OUT}: the tables are older than suite.yaml (seed")
    for arguments in (["verify", OUT], ["verify", "--write", OUT]):
        done = copy.run("-m", "scorebench", *arguments)
        assert done.returncode == 2 and "older than suite.yaml (seed" in done.stderr
    assert not (copy.folder / "results/reference").exists()


def test_make_refuses_a_suite_of_another_name(tmp_path: Path) -> None:
    """Its results would lie elsewhere than the page that is told."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml", ".venv/bin/python", ".venv/installed", "workflows/suites/mine.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("name: other # not mine\n", encoding="utf-8")
    done = subprocess.run(["make", "reproduce", "SUITE=mine"], cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert done.returncode == 2 and "must say 'name: mine'" in done.stderr and "page:" not in done.stdout


def test_a_device_that_is_not_there_is_told_before_any_job(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    (copy.folder / "tiny.yaml").write_text(SUITE.replace("seed: 1", "seed: 1\ndevice: cuda:99"), encoding="utf-8")
    done = run(copy)
    lines = [line for line in done.stderr.splitlines() if "profile" not in line]
    assert done.returncode != 0 and len(lines) == 1 and "device = 'cuda:99': this machine has none" in lines[0]
    assert [path.name for path in (copy.folder / "results").rglob("*")] == [".tiny.owner"]


LOSS = """'''A control: zero everywhere, so that the model stays where it was drawn.'''

from scorebench.models.base import score

LABEL, REFERENCE, NEEDS = "no training", "control", set()


def draws(x, target, generator):
    return x.new_zeros(len(x), 0)


def {name}_(model, x, draws):
    return 0.0 * score(model, x).square().sum(-1)


def fixed_point(target):
    return target
"""
ODD = ("null", "nan", "na", "inf", "none", "false", "True", "index", "con", "aux", "lambda", "e5")
LADDER = "|".join(f"{10 * 0.8377**level:.4g}" for level in range(40))


def test_odd_and_long_names_run(tmp_path: Path) -> None:
    """Losses that are called as a reader of CSV calls what is missing, and forty noise levels: every row is there, the spec in full in the file."""
    copy = Copy(tmp_path)
    for name in ODD:
        (tmp_path / f"scorebench/losses/{name}.py").write_text(LOSS.format(name=name), encoding="utf-8")
    ladder, annealed = f"denoising_ladder:sigmas={LADDER}", f"annealed:sigmas={LADDER},steps=2"
    suite = SUITE.replace("[sliced]}", f"[sliced, {', '.join(map(repr, ODD))}], noise_conditional_energy: ['{ladder}']}}")
    suite = suite.replace("trained: {samplers: [ula]", f"trained: {{samplers: [ula, '{annealed}']").replace("[20, 60]}", "[20, 80]}")
    suite = suite.replace("claims: [wiener-increment, energy-classifier]", "claims: []").replace("[loss_comparison]", "[]")
    (tmp_path / "tiny.yaml").write_text(suite.replace("steps: [50]", "steps: [5]"), encoding="utf-8")
    done = copy.run("-c", EVERY_STAGE, "tiny.yaml")
    assert done.returncode == 0, done.stderr
    rows = scorebench.load(tmp_path / OUT)
    assert set(rows["loss"]) == {"", "sliced", *ODD, ladder} and set(rows["sampler"]) == {"", "ula", annealed}
    assert (rows.loc[rows["loss"].isin(ODD) & (rows["metric"] == "relative_fisher_divergence"), "status"] == "ok").all()
    for kind, text in (("loss", ladder), ("sampler", annealed)):
        (path,) = (p for p in (tmp_path / OUT).rglob("*.npz") if p.stem == parse(kind, text).slug)
        assert len(path.name.encode()) < 130
        assert text in json.dumps(artifacts.read_arrays(path)[1])
    losses = Results(tmp_path / OUT).table("losses")
    assert set(ODD) < set(losses["loss"]) and losses["mean"].notna().any()
    for ending in ("md", "tex"):
        text = (tmp_path / OUT / f"tables/losses.{ending}").read_text(encoding="utf-8")
        assert all(f" {name} " in text for name in ODD), ending
    page = (tmp_path / OUT / "index.html").read_text(encoding="utf-8")
    assert all(f"{name} (quadratic energy)" in page for name in ODD)


EVERY_STAGE = """
import sys
from pathlib import Path
from scorebench import stages
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load
plan = Plan(load(sys.argv[1]))
for stage in STAGES:
    for job in plan.jobs(stage):
        stages.run(stage, plan, job, Path("results"))
"""


def test_without_docstrings_is_told() -> None:
    done = subprocess.run([sys.executable, "-OO", "-m", "scorebench", "list"], capture_output=True, encoding="utf-8")
    assert done.returncode == 2 and done.stderr.startswith("scorebench: Python runs without docstrings") and done.stderr.count("\n") == 1
