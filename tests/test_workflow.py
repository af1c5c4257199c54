"""The workflow itself: the smoke suite from nothing to the page, what reruns and what does not, failures that stop nobody else.

Everything happens in a copy of the repository, driven as a user drives it.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import scorebench

ROOT = Path(__file__).parent.parent
SMOKE = "workflows/suites/smoke.yaml"
OUT = "results/smoke"


class Copy:
    """A copy of the repository and the commands that a user types in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Snakefile", "workflows", "profiles", "scorebench", "requirements.lock", "pyproject.toml"):
            source = ROOT / name
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignore) if source.is_dir() else shutil.copy(source, folder / name)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=600)

    def snakemake(self, *arguments: str, suite: str = SMOKE) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", suite)

    def would_run(self) -> set[str]:
        done = self.snakemake("--dry-run")
        assert done.returncode == 0, done.stderr
        return set(re.findall(r"^would run (.+)$", done.stderr, re.MULTILINE))

    def stage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "scorebench", "stage", *arguments, "--suite", SMOKE)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new, 1))

    def digest(self, path: str) -> str:
        return hashlib.sha256((self.folder / path).read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which the smoke suite has run."""
    made = Copy(tmp_path_factory.mktemp("copy"))
    done = made.snakemake()
    assert done.returncode == 0, done.stderr
    made.first = done.stderr
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
    tables = [f"tables/{name}.{ext}" for name in ("losses", "samplers", "claims") for ext in ("csv", "md", "tex")]
    figures = [f"figures/bias_against_step_size.{ext}" for ext in ("png", "pdf")]
    claims = ["claims/step-size-bias.json", "claims/wiener-increment.json"]
    for path in ["manifest.json", "metrics.csv", "timings.csv", "index.html", *tables, *figures, *claims]:
        assert (copy.folder / OUT / path).stat().st_size > 0, path
    rows = scorebench.load(copy.folder / OUT)
    expected = (
        "suite target model loss train_size train_steps sampler sigma step_size temperature steps gradient_evaluations chains seed "
        "metric value standard_error floor_mean floor_sd floor_q95 z status"
    )
    assert " ".join(rows.columns) == expected
    assert rows["status"].str.fullmatch(r"ok|diverged|timeout|failed: .+|not_applicable: .+").all()
    unstable = rows[(rows["step_size"] == 2.5) & (rows["metric"] == "mmd") & (rows["steps"] == 300)]
    assert len(unstable) == 3 and (unstable["status"] == "diverged").all()  # c > 2 on N(0, I): no stationary law
    assert rows.loc[rows["status"] == "ok", "value"].notna().all()


def test_smoke_verdicts(copy: Copy) -> None:
    found = {p.stem: json.loads(p.read_text())["verdict"] for p in (copy.folder / OUT / "claims").glob("*.json")}
    assert found == {"step-size-bias": "reproduced", "wiener-increment": "refuted"}


def test_start_and_end_of_a_run_are_told(copy: Copy) -> None:
    told = copy.first
    assert re.search(r"^smoke: 1[0-3] jobs, about \d+\.\d min on 2 cores$", told, re.MULTILINE)
    assert "results/smoke/index.html" in told and "2 modes, sampler, on the exact score: MALA at step " in told
    assert len(told.splitlines()) < 60  # no wall of log


def test_a_run_agrees_with_itself(copy: Copy) -> None:
    """Made the reference and compared with it: every cell and number is there, the same, and compared."""
    assert copy.run(sys.executable, "-m", "scorebench", "verify", "--write", OUT).returncode == 0
    done = copy.run(sys.executable, "-m", "scorebench", "verify", OUT)
    assert done.returncode == 0 and "PASS" in done.stdout and "not compared" not in done.stdout, done.stdout
    cells, same = re.search(r"of ([\d,]+) cells agree .*; ([\d,]+) are the same", done.stdout).groups()
    assert cells == same


def test_second_run_does_nothing(copy: Copy) -> None:
    assert copy.would_run() == set()
    assert "nothing to do" in copy.snakemake().stderr


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
    for path, job in (("claims/step-size-bias.json", "claim step_size_bias"), ("tables/losses.tex", "tables"), ("metrics.csv", "tables")):
        file, away = copy.folder / OUT / path, copy.folder / "away"
        file.rename(away)
        assert job in copy.would_run()
        away.rename(file)  # keeps its time
    assert copy.would_run() == set()


def test_an_edit_of_mala_reruns_mala_alone(edited: Copy) -> None:
    path = edited.folder / "scorebench/samplers/mala.py"
    path.write_text(path.read_text() + "\n# an edit\n")
    jobs = edited.would_run()
    assert "sample gaussian_mixture/mala" in jobs and "measure gaussian_mixture" in jobs and "page" in jobs
    assert not any(job.startswith(("train", "claim")) for job in jobs)
    assert {j for j in jobs if j.startswith(("sample", "measure"))} == {"sample gaussian_mixture/mala", "measure gaussian_mixture"}


def test_an_edit_of_a_setting_reruns_what_it_concerns(edited: Copy) -> None:
    edited.edit(SMOKE, "step_sizes: [0.02, 0.1, 0.3], temperatures", "step_sizes: [0.02, 0.1, 0.2], temperatures")
    jobs = {j for j in edited.would_run() if j.startswith(("train", "sample", "measure", "claim"))}
    assert jobs == {"sample gaussian_mixture/mala", "sample gaussian_mixture/exact", "measure gaussian_mixture"}


@pytest.mark.parametrize("broken", ["import nothing_of_this_name\n", "def broken(:\n"], ids=["import", "syntax"])
def test_a_broken_new_sampler_stops_no_other_job(edited: Copy, broken: str) -> None:
    waiting = edited.would_run()
    (edited.folder / "scorebench/samplers/broken.py").write_text(f'"""A file that does not import."""\n{broken}')
    assert edited.would_run() == waiting  # present, but not named: nothing changes
    edited.edit(SMOKE, "exact: {samplers: [ula]", "exact: {samplers: [ula, broken]")
    before = edited.digest(f"{OUT}/measure/gaussian_mixture.csv.gz")
    done = edited.snakemake(f"{OUT}/metrics.csv")
    assert done.returncode == 0, done.stderr
    rows = scorebench.load(edited.folder / OUT)
    failed = rows[rows["sampler"] == "broken"]
    assert len(failed) and failed["status"].str.startswith("failed: ").all()
    assert (rows.loc[rows["sampler"] == "ula", "status"] == "ok").any()
    assert "broken" in done.stderr and "logs/sample/gaussian/broken.log" in done.stderr
    assert edited.digest(f"{OUT}/measure/gaussian_mixture.csv.gz") == before


def test_a_stage_by_hand_gives_the_same_bytes(copy: Copy) -> None:
    path = f"{OUT}/sample/gaussian_mixture/mala.npz"
    before = copy.digest(path)
    done = copy.stage("sample", "--job", "gaussian_mixture/mala")
    assert done.returncode == 0 and copy.digest(path) == before
    rows = f"{OUT}/measure/gaussian_mixture.csv.gz"
    before = copy.digest(rows)
    assert copy.stage("measure", "--job", "gaussian_mixture").returncode == 0 and copy.digest(rows) == before


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
    edited.edit(SMOKE, "seed: 1\n", "seed: 1\njob_minutes: 0.005\n")
    assert edited.stage("train", "--job", "gaussian/quadratic/sliced", "--results", "late").returncode == 0
    timing = json.loads((edited.folder / "late/smoke/timings/train/gaussian/quadratic/sliced.json").read_text())
    assert timing["status"] == "timeout"
    assert edited.stage("sample", "--job", "gaussian/ula", "--results", "late").returncode == 0
    assert edited.stage("measure", "--job", "gaussian", "--results", "late").returncode == 0
    rows = pd.read_csv(edited.folder / "late/smoke/measure/gaussian.csv.gz")
    assert (rows.loc[rows["model"].notna(), "status"] == "timeout").all()


def test_wrong_stage_or_job_is_one_line(copy: Copy) -> None:
    for arguments, hint in ((("trian",), "'train'"), (("sample", "--job", "gaussian/ulla"), "'gaussian/ula'")):
        done = copy.stage(*arguments)
        assert done.returncode == 2 and hint in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_damaged_artifact_is_refused(edited: Copy) -> None:
    path = edited.folder / OUT / "sample/gaussian/ula.npz"
    content = path.read_bytes()
    path.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    done = edited.stage("measure", "--job", "gaussian")
    path.write_bytes(content)
    assert done.returncode == 2 and "is damaged" in done.stderr and "Traceback" not in done.stderr


def test_metrics_do_not_depend_on_order(copy: Copy) -> None:
    rows = pd.read_csv(copy.folder / OUT / "metrics.csv")
    key = ["target", "model", "loss", "train_steps", "sampler", "step_size", "temperature", "steps", "seed", "metric"]
    assert not rows.duplicated(key).any()
