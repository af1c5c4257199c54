"""The workflow itself: the smoke suite from nothing to the page, what reruns and what does not, failures that stop nobody else.

Everything happens in a copy of the repository, driven as a user drives it, but that Python forks what it imports (`forked_python`; tests/test_user.py
starts it).
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from forked_python import python

import scorebench
from scorebench.core import files, registry
from scorebench.core.schema import METRICS, TABLES
from scorebench.suite.fingerprint import basis, closure
from scorebench.suite.plan import Plan, timing
from scorebench.suite.reading import load

ROOT = Path(__file__).parent.parent
SMOKE, ARTICLE = "workflows/suites/smoke.yaml", "workflows/suites/article.yaml"
OUT = "results/smoke"
PLUGIN = "snakemake_logger_plugin_scorebench"
STAGES = ("train", "sample", "measure", "work", "map", "sensitivity", "claim", "tables", "figure", "page")
BROKEN = {"no_import": "import nothing_of_this_name\n", "no_syntax": "def no_syntax(:\n"}

IN_TURN = """
import json, sys
from pathlib import Path
from scorebench import stages
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load
plan = Plan(load(sys.argv[3]))
for stage, job in json.loads(sys.argv[1]):
    stages.run(stage, plan, job, Path(sys.argv[2]))
"""


COMMAND_LINE = (
    *("__init__.py", "__main__.py", "cli.py", "core/files.py"),
    *("suite/config.py", "suite/estimate.py", "suite/mistakes.py", "suite/patterns.py", "suite/plan.py", "suite/reading.py"),
)
"""What a process runs before its stage begins: it makes the settings, which count, of the suite's text, and nothing else."""


class Copy:
    """A copy of the repository and the commands that a user types in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Snakefile", "workflows", "profiles", "scorebench", PLUGIN, "requirements.lock", "pyproject.toml"):
            source = ROOT / name
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignore) if source.is_dir() else shutil.copy(source, folder / name)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Of `python`, and with it of the jobs that it starts."""
        environment = os.environ | {"PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"}
        return subprocess.run([python(), *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=600)

    def snakemake(self, *arguments: str, suite: str = SMOKE) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "snakemake", "--cores", "2", *arguments, "--configfile", suite)

    def would_run(self) -> set[str]:
        done = self.snakemake("--dry-run")
        assert done.returncode == 0, done.stderr
        return set(re.findall(r"^would run (.+)$", done.stderr, re.MULTILINE))

    def stage(self, stage: str, *jobs: str, results: str = "results", suite: str = SMOKE) -> subprocess.CompletedProcess[str]:
        named = [part for job in jobs for part in ("--job", job)]
        return self.run("-m", "scorebench", "stage", stage, *named, "--suite", suite, "--results", results)

    def stages(self, jobs: list[tuple[str, str]], results: str) -> None:
        """Run jobs one after the other in one process."""
        done = self.run("-c", IN_TURN, json.dumps(jobs), results, SMOKE)
        assert done.returncode == 0, done.stderr

    def record(self, stage: str, job: str, folder: str = OUT) -> dict[str, Any]:
        return json.loads((self.folder / folder / timing(stage, job)).read_text())

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new, 1))

    def add_broken(self) -> None:
        for name, text in BROKEN.items():
            (self.folder / f"scorebench/samplers/{name}.py").write_text(f'"""A file that does not import."""\n{text}')

    def digest(self, path: str | Path) -> str:
        return hashlib.sha256((self.folder / path).read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which the smoke suite has run."""
    made = Copy(tmp_path_factory.mktemp("copy"))
    done = made.snakemake()
    assert done.returncode == 0, done.stderr
    made.first = done.stderr
    made.left = {
        path.relative_to(made.folder / OUT).as_posix(): made.digest(path) for path in (made.folder / OUT).rglob("*") if path.is_file()
    }
    return made


@pytest.fixture
def edited(copy: Copy):
    """The copy, to edit: its code and suites are put back afterwards."""
    kept = {
        p: p.read_bytes() for name in ("scorebench", "workflows") for p in (copy.folder / name).rglob("*") if p.suffix in (".py", ".yaml")
    }
    yield copy
    for path in [p for name in ("scorebench", "workflows") for p in (copy.folder / name).rglob("*") if p.suffix in (".py", ".yaml")]:
        if path not in kept:
            path.unlink()
    for path, content in kept.items():
        if path.read_bytes() != content:
            path.write_bytes(content)


def test_smoke_leaves_what_the_contract_promises(copy: Copy) -> None:
    tables = [f"tables/{name}.{ext}" for name in TABLES for ext in ("csv", "md", "tex")]
    figures = [f"figures/bias_against_step_size.{ext}" for ext in ("png", "pdf")]
    claims = ["claims/step-size-bias.json", "claims/wiener-increment.json"]
    for path in ["manifest.json", "metrics.csv", "timings.csv", "index.html", *tables, *figures, *claims]:
        assert (copy.folder / OUT / path).stat().st_size > 0, path
    rows = scorebench.load(copy.folder / OUT)
    assert list(rows.columns) == [column for column in METRICS.columns if column != "reason"]
    assert rows["status"].str.fullmatch(r"ok|diverged|timeout|failed: .+|not_applicable: .+").all()
    unstable = rows[(rows["step_size"] == 2.5) & (rows["metric"] == "mmd") & (rows["steps"] == 300)]
    assert len(unstable) == 3 and (unstable["status"] == "diverged").all()  # c > 2 on N(0, I): no stationary law
    assert rows.loc[rows["status"] == "ok", "value"].notna().all()


def test_a_run_is_a_crate(copy: Copy, tmp_path: Path) -> None:
    pytest.importorskip("rocrate")
    from faults.crate import wrong

    done = copy.run("-m", "scorebench", "crate", OUT)
    assert done.returncode == 0, done.stderr
    assert wrong(copy.folder / f"{OUT}.crate.zip", tmp_path) == []


def test_smoke_verdicts(copy: Copy) -> None:
    verdicts = {p.stem: json.loads(p.read_text())["verdict"] for p in (copy.folder / OUT / "claims").glob("*.json")}
    assert verdicts == {"step-size-bias": "reproduced", "wiener-increment": "refuted"}


def test_start_and_end_of_a_run_are_told(copy: Copy) -> None:
    plan = Plan(load(ROOT / SMOKE))
    jobs = sum(len(plan.batches(stage)) for stage in STAGES)
    assert re.search(rf"^smoke: {jobs} jobs, about \d+\.\d min on 2 ordinary cores$", copy.first, re.MULTILINE)
    assert "results/smoke/index.html" in copy.first and "2 modes, sampler, on the exact score: MALA at step " in copy.first
    assert len(copy.first.splitlines()) < 60  # no wall of log


def undeclared(plan: Plan, stage: str, job: str, record: Mapping[str, Any]) -> list[str]:
    """What a job rested on by its record (`stages.record`) though neither its fingerprint nor its rule says so: files of the package that are not in its
    closure, then result files that are neither input nor output. Where methods are only shown, their files are read for the facts that stand in the
    settings.
    """
    closures = closure(basis(plan, stage, job).modules)
    shown = {spec.entry.path for spec in plan.methods} if stage in ("tables", "figure", "page") else set()
    code = set(record["code"]) - {path.relative_to(registry.ROOT).as_posix() for path in closures | shown} - set(COMMAND_LINE)
    declared = {*plan.inputs(stage, job), *plan.outputs(stage, job), "suite.yaml"}
    return sorted(code) + sorted(file for file in set(record["reads"]) - declared if not file.startswith(f"{files.FOLDER}/"))


def test_jobs_rest_on_what_they_say(copy: Copy) -> None:
    """Every file of the package that a job imported or opened is in its fingerprint, and every result file that it opened is an input or output of it."""
    plan = Plan(load(ROOT / SMOKE))
    for stage in STAGES:
        for job in plan.jobs(stage):
            record = copy.record(stage, job)
            assert record["code"] and undeclared(plan, stage, job, record) == [], (stage, job)
    assert set(copy.record("tables", "")["reads"]) >= {f"measure/{job}.csv.gz" for job in plan.jobs("measure")}
    assert "report/page.html.j2" in copy.record("page", "")["code"]


def test_a_run_agrees_with_itself(copy: Copy) -> None:
    """Made the reference and compared with it: every cell and number is there, the same, and compared."""
    assert copy.run("-m", "scorebench", "verify", "--write", OUT).returncode == 0
    done = copy.run("-m", "scorebench", "verify", OUT)
    assert done.returncode == 0 and "PASS" in done.stdout and "not compared" not in done.stdout, done.stdout
    cells, same = re.search(r"of ([\d,]+) cells agree .*; ([\d,]+) are the same", done.stdout).groups()
    assert cells == same


def test_second_run_does_nothing(copy: Copy) -> None:
    done = copy.snakemake()
    assert done.returncode == 0 and "nothing to do" in done.stderr


def test_one_figure_by_its_path(copy: Copy) -> None:
    path = f"{OUT}/figures/bias_against_step_size.pdf"
    (copy.folder / path).unlink()
    done = copy.snakemake(path)
    assert done.returncode == 0 and (copy.folder / path).exists()
    assert re.search(r"smoke: 1 job,", done.stderr)


def test_one_figure_where_nothing_ran_before(tmp_path: Path) -> None:
    """Its claim is tested, it is drawn, and that is all: no summary of a run that was not."""
    made = Copy(tmp_path)
    made.edit(SMOKE, "claims: [step-size-bias, wiener-increment]", "claims: [drift-diffusion]")
    made.edit(SMOKE, "figures: [bias_against_step_size]", "figures: [brownian_and_drifted_paths]")
    done = made.snakemake(f"{OUT}/figures/brownian_and_drifted_paths.pdf")
    assert done.returncode == 0 and "smoke: 2 jobs," in done.stderr, done.stderr
    assert {p.name for p in (tmp_path / OUT / "figures").iterdir()} == {f"brownian_and_drifted_paths.{e}" for e in ("png", "pdf")}


def test_what_is_deleted_is_made_again(copy: Copy) -> None:
    """Also what no other job reads; without training or sampling."""
    for path, job in (("claims/step-size-bias.json", "claim step-size-bias and 1 more"), ("tables/losses.tex", "tables")):
        file, away = copy.folder / OUT / path, copy.folder / "away"
        file.rename(away)
        jobs = copy.would_run()
        away.rename(file)  # keeps its time
        assert job in jobs and not any(job.startswith(("train", "sample", "measure")) for job in jobs)


OF_MALA = {"sample gaussian_mixture/mala", "measure gaussian_mixture/relative_fisher_divergence and 11 more"}
"""The processes that sample its target by it, and that measure there."""


def test_an_edit_of_mala_reruns_mala_alone(edited: Copy) -> None:
    path = edited.folder / "scorebench/samplers/mala.py"
    path.write_text(path.read_text() + "\n_edited = 1\n")
    jobs = edited.would_run()
    assert jobs >= {*OF_MALA, "page"} and not any(job.startswith(("train", "claim")) for job in jobs)
    assert {j for j in jobs if j.startswith(("sample", "measure"))} == OF_MALA


def test_an_edit_of_a_setting_reruns_what_it_concerns(edited: Copy) -> None:
    """And a comment in the code, or a new file that nobody names and that does not import, nothing more."""
    edited.add_broken()
    edited.edit(SMOKE, "step_sizes: [0.02, 0.1, 0.3], temperatures", "step_sizes: [0.02, 0.1, 0.2], temperatures")
    for path in ("scorebench/samplers/ula.py", "scorebench/engine/training.py"):
        (edited.folder / path).write_text((edited.folder / path).read_text() + "\n# a comment\n")
    jobs = {j for j in edited.would_run() if j.startswith(("train", "sample", "measure", "claim"))}
    assert jobs == OF_MALA | {"sample gaussian_mixture/exact"}


def test_broken_new_samplers_stop_no_other_job(edited: Copy) -> None:
    edited.add_broken()
    edited.edit(SMOKE, "exact: {samplers: [ula]", f"exact: {{samplers: [ula, {', '.join(BROKEN)}]")
    before = {file: edited.digest(file) for file in (edited.folder / OUT / "measure/gaussian_mixture").iterdir()}
    done = edited.snakemake(f"{OUT}/metrics.csv")
    assert done.returncode == 0, done.stderr
    rows = scorebench.load(edited.folder / OUT)
    for name in BROKEN:
        failed = rows[rows["sampler"] == name]
        assert len(failed) and failed["status"].str.startswith("failed: ").all()
    assert done.stderr.count("see results/smoke/logs/sample/gaussian/no_import.log") == len(BROKEN)
    assert all(name in (edited.folder / OUT / "logs/sample/gaussian/no_import.log").read_text() for name in BROKEN)
    assert (rows.loc[rows["sampler"] == "ula", "status"] == "ok").any()
    assert len(before) > 5 and {file: edited.digest(file) for file in before} == before


def test_results_do_not_depend_on_order_or_company(copy: Copy) -> None:
    """All jobs in one process, the other way round: the same bytes as the workflow's, job by job and in the tables; and by hand one of them."""
    plan = Plan(load(ROOT / SMOKE))
    order = [(stage, job) for stage in ("claim", "train", "sample", "work", "measure", "tables") for job in plan.jobs(stage)[::-1]]
    assert len(plan.jobs("sample")) > 2 and len(plan.jobs("claim")) > 1 and len(plan.jobs("measure")) > 1
    copy.stages(order, "reversed")
    for file in sorted({file for stage, job in order for file in plan.outputs(stage, job)} - {"timings.csv", "manifest.json"}):
        assert copy.digest(f"reversed/smoke/{file}") == copy.left[file], file
    path = "sample/gaussian_mixture/mala.npz"
    (copy.folder / "reversed/smoke" / path).unlink()
    assert copy.stage("sample", "gaussian_mixture/mala", results="reversed").returncode == 0
    assert copy.digest(f"reversed/smoke/{path}") == copy.left[path]


def test_bad_suites_say_every_mistake_and_write_nothing(tmp_path: Path) -> None:
    clean = Copy(tmp_path)
    text = (clean.folder / SMOKE).read_text()
    for old, new in (
        ("sliced]", "slicedd]"),
        ("samplers: [ula], step_sizes: [0.05, 0.2, 0.5, 1.0, 2.5]", "samplers: [ulla], step_sizes: [0.05, -0.2]"),
        ("seeds: 3", "seedz: 3"),
    ):
        text = text.replace(old, new, 1)
    (clean.folder / "bad.yaml").write_text(text)
    done = clean.snakemake(suite="bad.yaml")
    assert done.returncode != 0 and "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("scorebench: ")]
    assert any("seedz" in line and "did you mean 'seeds'" in line for line in lines)
    assert any("-0.2" in line for line in lines)
    assert not (clean.folder / "results").exists()


def test_a_job_out_of_time_is_a_row(edited: Copy) -> None:
    edited.edit(SMOKE, "seed: 1\n", "seed: 1\njob_minutes: 0.001\n")
    edited.stages([("train", "gaussian/quadratic/sliced"), ("sample", "gaussian/ula"), ("measure", "gaussian/mmd")], "late")
    assert edited.record("train", "gaussian/quadratic/sliced", "late/smoke")["status"] == "timeout"
    rows = pd.read_csv(edited.folder / "late/smoke/measure/gaussian/mmd.csv.gz")
    assert (rows.loc[rows["model"].notna(), "status"] == "timeout").all()


def test_wrong_stage_or_job_is_one_line(copy: Copy) -> None:
    for arguments, hint in ((("trian",), "'train'"), (("sample", "gaussian/ulla"), "'gaussian/ula'")):
        done = copy.stage(*arguments)
        assert done.returncode == 2 and hint in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_damaged_artifact_is_refused(edited: Copy) -> None:
    shutil.copytree(edited.folder / OUT, edited.folder / "damaged/smoke")
    path = edited.folder / "damaged/smoke/sample/gaussian/ula.npz"
    content = path.read_bytes()
    path.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    done = edited.stage("measure", "gaussian/mmd", results="damaged")
    assert done.returncode == 2 and "is damaged" in done.stderr and "Traceback" not in done.stderr


# What a job rests on, where it does not say so.


def test_an_import_that_is_not_named_is_caught(edited: Copy) -> None:
    """By a claim that imports by a name that it makes; the claim before it in the process is none of it."""
    claim = "scorebench/claims/discretisation/wiener_increment.py"
    edited.edit(claim, "import numpy as np", "import importlib\n\nimport numpy as np")
    edited.edit(claim, "def measure(", "importlib.import_module('scorebench.claims.lib.' + 'slips')\n\n\ndef measure(")
    assert edited.stage("claim", "step-size-bias", "wiener-increment", results="other").returncode == 0
    plan, both = Plan(load(ROOT / SMOKE)), ("step-size-bias", "wiener-increment")
    first, second = (undeclared(plan, "claim", job, edited.record("claim", job, "other/smoke")) for job in both)
    assert first == [] and "claims/lib/slips.py" in second and all(file.startswith("claims/lib/") for file in second)


def test_a_file_that_is_not_named_is_caught(edited: Copy) -> None:
    """A result file that a figure opens beside those of its READS."""
    figure = "scorebench/figures/comparison/bias_against_step_size.py"
    edited.edit(figure, "    rows = results.metrics\n", "    (results.folder / 'timings.csv').read_text()\n    rows = results.metrics\n")
    shutil.copytree(edited.folder / OUT, edited.folder / "other2/smoke")
    assert edited.stage("figure", "bias_against_step_size", results="other2").returncode == 0
    record = edited.record("figure", "bias_against_step_size", "other2/smoke")
    assert record["status"] == "ok"
    assert undeclared(Plan(load(ROOT / SMOKE)), "figure", "bias_against_step_size", record) == ["timings.csv"]


CHEAPEST = 9
"""Seconds in the reference run: the claims that are run here."""


def test_claims_and_their_figures_rest_on_what_they_say(tmp_path: Path) -> None:
    """The article's cheapest claims and figure of claims."""
    plan, suite = Plan(load(ROOT / ARTICLE)), str(ROOT / ARTICLE)
    took = pd.read_csv(ROOT / "results/reference/article/timings.csv").set_index(["stage", "job"])["seconds"]
    needs = {figure: plan.claims_of_figure(figure) for figure in plan.jobs("figure")}
    cheapest = min((figure for figure in needs if needs[figure]), key=lambda figure: sum(took["claim", claim] for claim in needs[figure]))
    claims = list(dict.fromkeys([*took["claim"].nsmallest(CHEAPEST).index, *needs[cheapest]]))
    made = {file for claim in claims for file in plan.outputs("claim", claim)}
    figures = [figure for figure in needs if made.issuperset(plan.inputs("figure", figure))]
    assert cheapest in figures
    copied = Copy(tmp_path)
    for stage, jobs in (("claim", claims), ("figure", figures)):
        done = copied.stage(stage, *jobs, results="results", suite=suite)
        assert done.returncode == 0, done.stderr
        for job in jobs:
            record = copied.record(stage, job, "results/article")
            assert record["status"] == "ok" and record["code"] and undeclared(plan, stage, job, record) == [], job


# What went wrong is tried again.

SLOW = """
name: slow
seed: 1
job_minutes: 0.03
metrics: [second_moment_bias]
experiments:
  - {target: gaussian, seeds: 2, exact: {samplers: [ula, slow], step_sizes: [0.1], chains: 16, budgets: [5]}}
"""


def test_what_was_lost_is_tried_again_when_its_limits_change(edited: Copy) -> None:
    """With what shares its process, and nothing else is; once it is done with them it stays done, whatever they are then."""
    slow = (ROOT / "scorebench/samplers/ula.py").read_text().replace("class ULA", "class Slow")
    assert "    def init(self, x: Tensor, density: Density) -> State:\n" in slow
    waits = "        import pathlib, time\n\n        while not pathlib.Path('quick').exists():\n            time.sleep(0.05)\n        return State(x)"
    slow = slow.replace("        return State(x)", waits)
    (edited.folder / "scorebench/samplers/slow.py").write_text(slow)
    record = edited.folder / "results/slow" / timing("sample", "gaussian/slow")
    before = b""
    for limit, again, status in (("0.03", True, "timeout"), ("0.03", False, "timeout"), ("0.4", True, "ok"), ("0.3", False, "ok")):
        (edited.folder / "slow.yaml").write_text(SLOW.replace("job_minutes: 0.03", f"job_minutes: {limit}"))
        if limit == "0.4":
            (edited.folder / "quick").touch()
            dry = edited.snakemake("--dry-run", suite="slow.yaml")
            assert set(re.findall(r"^would run (sample .+)$", dry.stderr, re.MULTILINE)) == {"sample gaussian/ula and 1 more"}
        done = edited.snakemake(suite="slow.yaml")
        assert done.returncode == 0 and (record.read_bytes() != before) == again, done.stderr
        before = record.read_bytes()
        assert json.loads(before)["status"] == status
        assert ("scorebench retry results/slow" in done.stderr) == (status == "timeout")
    rows = scorebench.load(edited.folder / "results/slow")
    assert (rows["status"] == "ok").all()


def test_the_manifest_lets_a_stranger_do_it_again(copy: Copy) -> None:
    """Packages and lock to make the environment of, and commands that name the suite as it was run."""
    manifest = json.loads((copy.folder / OUT / "manifest.json").read_text())
    assert manifest["packages"]["torch"] == manifest["versions"]["torch"] and len(manifest["packages"]) > 50
    assert manifest["lock_sha256"] == copy.digest("requirements.lock") and manifest["machine"]["cpu_capability"]
    assert manifest["commands"][-1].endswith(f"--configfile {OUT}/suite.yaml") and (copy.folder / OUT / "suite.yaml").is_file()
    assert (manifest["git_commit"] == "") == (manifest["commands"][0].startswith("python"))  # the copy is no checkout


def test_snakemake_reports(copy: Copy) -> None:
    done = copy.snakemake("--report", "report.html")
    assert done.returncode == 0, done.stderr
    report = (copy.folder / "report.html").read_text(encoding="utf-8")
    assert len(report) > 100_000 and "sample.gaussian.ula" in report
