"""The command line: lists, comparisons, and one line a mistake."""

import ast
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from forked_python import python
from scipy import stats

from scorebench import cli, stages
from scorebench.commands import compare
from scorebench.commands.show import show
from scorebench.core import registry, sealed
from scorebench.core.errors import InputError
from scorebench.core.schema import METRICS
from scorebench.engine.measuring import POINTS
from scorebench.report import readme
from scorebench.report.choosing import at_end
from scorebench.report.statistics import t_interval
from scorebench.store import artifacts, trained
from scorebench.suite.plan import Plan
from scorebench.suite.reading import checked
from scorebench.testing.statistical import ALPHA, z_limit


@pytest.mark.parametrize("kind", [*registry.FOLDERS, *registry.FOLDERS.values(), None])
def test_list(kind: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    cli.list_methods(kind, as_json=True)
    found = json.loads(capsys.readouterr().out)
    kinds = [k for k, folder in registry.FOLDERS.items() if kind in (k, folder, None)]
    assert [(e["kind"], e["name"]) for e in found] == [(k, n) for k in kinds for n in registry.names(k)]
    assert all(e["error"] is None and e["summary"] for e in found)
    cli.list_methods(kind)
    assert found[0]["name"] in capsys.readouterr().out


@pytest.mark.usefixtures("jobs_here")
def test_compare_is_the_workflows_loop_and_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    """On N(0, I) in the plane 4 x 128 chains give a second moment that is chi-squared with 1,024 degrees of freedom, times the variance.

    ULA at c = 1 forgets where it was, x' = sqrt(2) z, so that its variance is 2 exactly. MALA at c = 1 proposes from N(0, 2 I), whose density is at least
    half of the target's: 60 steps are within 2^-60 of the target. `exact` is the target. MMD is at its floor for the last two.
    """
    result = compare.samplers("gaussian", ["ula:step_size=1.0", "mala:step_size=1.0", "exact"], 1.0, 60, 128, 4)
    by = {r["sampler"]: {m["metric"]: m for m in r["metrics"]} for r in result}
    assert list(by) == ["ula:step_size=1", "mala:step_size=1", "exact"]
    low, high = stats.chi2.ppf([ALPHA / 6, 1 - ALPHA / 6], 1_024) / 1_024
    for sampler, variance in (("ula:step_size=1", 2), ("mala:step_size=1", 1), ("exact", 1)):
        assert low < (1 + by[sampler]["second_moment_bias"]["mean"]) / variance < high
    for sampler in ("mala:step_size=1", "exact"):
        assert by[sampler]["mmd"]["mean"] < by[sampler]["mmd"]["floor_q95"] < by["ula:step_size=1"]["mmd"]["mean"]
    assert by["mala:step_size=1"]["acceptance"]["low"] > 0.5 and by["exact"]["mode_weight_error"]["mean"] is None
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert compare.samplers("gaussian", ["ula:step_size=1.0"], 1.0, 60, 128, 4)[0]["metrics"] == result[0]["metrics"]  # alone as in company
    assert "second_moment_bias" not in result[0]["best"]  # signed: lower is not better
    assert "mmd" not in result[0]["best"]
    show(result, "sampler", "as set")
    shown = capsys.readouterr().out
    assert "acceptance" in shown and "as set" in shown


@pytest.mark.usefixtures("jobs_here")
def test_compare_tells_two_samplers_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """ULA at c = 1.5 has variance 4 on N(0, I), where MALA has 1: seen with 20 x 64 chains at the level of 5 %.

    Twenty seeds: more than a sort keeps in order by luck.
    """
    specs = ["ula:step_size=1.5", "mala:step_size=1"]
    for order in (specs, specs[::-1]):
        found = compare.samplers("gaussian", order, 1.0, 60, 64, 20)
        ula, mala = found if order == specs else found[::-1]
        assert "mmd" in mala["best"] and "mmd" not in ula["best"]
    show([ula, mala], "sampler", "")
    assert "★" in capsys.readouterr().out


LOSSES = ["implicit", "denoising:sigma=1"]


def test_compare_losses_is_the_workflow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same numbers, to the last bit, as a suite with the command's settings: rates, means, intervals.

    The quadratic energy has the score -A (x - m), whose Fisher divergence to N(0, I) is |I - A|^2 + |A m|^2, and of which the metric sees 5,000 points a
    seed: what the command says is that of the trained A and m. Noise of 1 makes denoising learn A = I/2, at which it is 1/2.
    """
    result = compare.losses("gaussian", "quadratic", LOSSES, 300, 2_000, 128, [0.03, 0.1], 3)
    training = {"size": 2_000, "batch": 128, "steps": (37, 75, 150, 300), "sweep": {"learning_rates": (0.03, 0.1), "seeds": 3, "steps": 75}}
    experiment = {"target": "gaussian", "seeds": 3, "training": training, "sources": {"quadratic": tuple(LOSSES)}}
    raw = {"name": "compare", "seed": compare.MASTER, "metrics": compare.METRICS_OF_LOSSES, "experiments": (experiment,)}
    plan = Plan(checked(raw, "a suite"))
    for stage in ("train", "measure"):
        for job in plan.jobs(stage):
            stages.run(stage, plan, job, tmp_path)
    rows = at_end(pd.concat(METRICS.from_csv(artifacts.read_gzip(path), path) for path in (tmp_path / "compare/measure").rglob("*.csv.gz")))
    for entry, job in zip(result, plan.trains, strict=True):
        for metric in entry["metrics"]:
            values = rows.loc[(rows["loss"] == entry["loss"]) & (rows["metric"] == metric["metric"]), "value"].dropna().to_numpy()
            interval = t_interval(values, log=registry.entry("metric", metric["metric"].partition(":")[0]).facts["LOG"])
            assert [metric[name] for name in ("mean", "low", "high")] == ([None] * 3 if not len(values) else list(interval))
        outcome, (*_, parameters) = trained.read(tmp_path / f"compare/train/{job}.npz")
        assert outcome.chosen == (entry["learning_rate"],) and outcome.steps[-1] == entry["steps"]
        values = rows.loc[(rows["loss"] == entry["loss"]) & (rows["metric"] == "relative_fisher_divergence"), "value"] * 2
        for value, m, matrix in zip(values, *(torch.as_tensor(parameters[name][0]) for name in ("mean", "matrix")), strict=True):
            a = (matrix + matrix.T) / 2
            off, shift = torch.eye(2) - a, a @ m
            error = ((2 * (off @ off).square().sum() + 4 * (off @ shift).square().sum()) / POINTS).sqrt()
            assert abs(value - off.square().sum() - shift.square().sum()) < z_limit(6) * error + 1e-6
    assert "relative_fisher_divergence" in result[0]["best"] and result[0]["standing"]["word"] == "better"
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    show(result, "loss", "as set")
    assert "learning rate" in capsys.readouterr().out


def test_compare_losses_at_one_rate_and_without_the_truth() -> None:
    """One learning rate needs no sweep; a loss that cannot be trained on a target is a status, not an end."""
    (one,) = compare.losses("gaussian", "quadratic", ["implicit"], 30, 500, 64, [0.1], 2)
    assert one["learning_rate"] == 0.1 and one["metrics"][0]["mean"] > 0
    (none,) = compare.losses("digits", "quadratic", ["explicit"], 30, 500, 64, [0.03, 0.1], 2)
    assert all(m["mean"] is None and "not_applicable" in next(iter(m["status"])) for m in none["metrics"])
    show([none], "loss", "")


def test_compare_losses_trains_nothing_on_a_law_without_a_density(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But where a metric of one's own may rank."""
    monkeypatch.setattr(compare, "metrics_about", lambda what: [*compare.METRICS_OF_LOSSES])
    angles = np.arange(60.0)
    np.save(tmp_path / "circle.npy", np.stack([np.cos(angles), np.sin(angles)], 1))
    with pytest.raises(
        InputError, match="no loss would be ranked, since the law has no density: columns '1', '2' fulfil an equation of degree two"
    ):
        compare.losses(f"table:path={tmp_path}/circle.npy", "quadratic", ["sliced"], 10, 20, 8, [0.01], 2)


def test_compare_losses_says_every_mistake() -> None:
    with pytest.raises(InputError) as caught:
        compare.losses("gausian", "mlp", ["slicd"], 0, 100, 10, [0.1], 1)
    for part in ("did you mean 'gaussian'", "model 'mlp' is unknown", "did you mean 'sliced'", "steps", "seeds"):
        assert any(part in line for line in caught.value.lines), (part, caught.value.lines)


def test_compare_says_every_mistake() -> None:
    with pytest.raises(InputError) as caught:
        compare.samplers("gausian", ["ula:step=1", "mala:step_size=-1", "ula:step_size=1,temperature=2"], float("nan"), 0, 3, 1)
    lines = caught.value.lines
    for part in ("did you mean 'gaussian'", "step_size=-1", "--temperature nan", "--steps 0", "--chains 3", "--seeds 1"):
        assert sum(part in line for line in lines) == 1, (part, lines)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("list", "samplerz"), "did you mean 'sampler'"),
        (("compare", "samplers", "--target", "gaussian", "--sampler", "ula", "--temperature", "2"), "option 'step_size' is missing"),
        (("compare", "samplers", "--target", "gaussian", "--sampler", "ula:step_size=1", "--steps", "0"), "--steps 0 is not allowed"),
        (("compare", "samplers", "--target", "gaussian", "--sampler", "exact:step_size=0.05"), "no step size (allowed: exact)"),
        (("compare", "samplers", "--target", "gaussian", "--sampler", "prior:step_size=0.1"), "no step size (allowed: prior)"),
        (
            ("compare", "samplers", "--target", "gaussian", "--sampler", "probability_flow:step_size=0.1"),
            "no step size (allowed: probability_flow)",
        ),
        (("compare", "samplers", "--target", "gaussian", "--sampler", "ula", "--steps", "9" * 20), "(allowed: 1 to 1000000000)"),
        (("compare", "samplers", "--target", "gaussian", "--sampler", "ula:step_size=1", "--chains", "9" * 20), "(allowed: 16 to 1000000)"),
        (("summary", "nowhere", "--cores", "0", "--since", "1"), "--cores 0 is not allowed (allowed: 1 or more)"),
        (("summary", "nowhere", "--since", "nan"), "--since nan is not allowed (allowed: seconds since 1970"),
        (("summary", "nowhere"), "manifest.json does not exist"),
        (("stage", "train", "--suite", "nowhere.yaml", "--job", "x"), "nowhere.yaml"),
    ],
)
def test_wrong_input_is_one_line_and_no_traceback(
    arguments: tuple[str, ...], part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of `stage` in a process of its own; elsewhere what that would run."""
    if arguments[0] == "stage":
        done = subprocess.run([python(), "-m", "scorebench", *arguments], cwd=tmp_path, capture_output=True, text=True)
        code, shown = done.returncode, done.stderr
    else:
        code, _, shown = typed(*arguments, folder=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 2 and part in shown and len(shown.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT, errno.ELOOP, errno.EPERM, errno.ENOTDIR])
def test_a_file_that_the_system_refuses_is_one_line(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number), "kept.yaml")

    monkeypatch.setattr(cli, "load", refused)
    code, _, shown = typed("validate", "--suite", "own.yaml", folder=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 2 and shown == f"scorebench: 'kept.yaml': {os.strerror(number)}\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("README.md", b"gr\xfc\xdf", "README.md: it is no UTF-8 text"),
        ("tests.xml", b"<testsuites", "tests.xml: it is no report of tests as pytest writes it: unclosed token"),
        ("tests.xml", b"<testsuites/>", "tests.xml: it is no report of tests as pytest writes it: 'tests'"),
        ("tests.xml", b'<testsuites><testsuite tests="7" time="x"/></testsuites>', "tests.xml: it is no report"),
        ("own/run.json", sealed.sealed({"wall_seconds": None, "jobs": 3}), "own/run.json: it has no number 'wall_seconds'"),
    ],
)
def test_what_the_readme_is_not_made_of_is_told(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as told:
        readme.fill(tmp_path / "README.md", {}) if name == "README.md" else readme._times(tmp_path)
    assert len(told.value.lines) == 1 and said in told.value.lines[0]


def test_any_literal_of_a_file_is_listed() -> None:
    entry = registry.Entry(
        "target", "mine", Path("mine.py"), facts={"A": {1, "a"}, "B": b"x", "C": ({1}, 2), "D": {(1, 2): 3}, "E": {"a": (1,)}}
    )
    assert json.loads(json.dumps(cli._described(entry)))["a"] == ["a", 1]


def typed(*arguments: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code and what is shown, without a process: `python -m scorebench` runs no more than `main`."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["scorebench", *arguments])
    monkeypatch.setattr(os, "environ", os.environ.copy())
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, *capsys.readouterr()


def scorebench(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    whole = os.environ | {"PYTHONPATH": str(registry.ROOT.parent)} | environment
    return subprocess.run(
        [sys.executable if environment else python(), "-m", "scorebench", *arguments],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=whole,
    )


@pytest.mark.parametrize("environment", [{}, {"COLUMNS": "40"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_a_list_in_a_pipe_is_whole(environment: dict[str, str], tmp_path: Path) -> None:
    """A line a method with its name, however wide the terminal is, and in ASCII, in which no method is broken."""
    done = scorebench("list", folder=tmp_path, **environment)
    entries = [(k, n) for k in registry.FOLDERS for n in registry.names(k)]
    assert done.returncode == 0 and [tuple(line.split()[:2]) for line in done.stdout.splitlines()[1:]] == entries
    assert all(registry.entry(k, n).error is None for k, n in entries) and "broken" not in done.stdout


def test_text_is_read_and_written_as_utf_8() -> None:
    """Every file that the package opens as text says so: none depends on the locale."""
    wanted = {"read_text", "write_text", "open", "run", "Popen"}
    for path in [*registry.ROOT.rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                text = ast.unparse(node)
                of_text = (
                    name in ("read_text", "write_text")
                    or (name in wanted and "text=True" in text)
                    or (name == "open" and "Image" not in text and "'rb'" not in text)
                )
                assert not of_text or "encoding='utf-8'" in text, f"{path}: {text}"


def test_verify_of_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ("verify", "results/nothere"),
        ("verify", "--write", "results/nothere"),
        ("readme", "results/nothere"),
        ("retry", "nothere"),
    ):
        code, out, shown = typed(*arguments, folder=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
        assert code == 2 and len(shown.splitlines()) == 1 and "nothere" in shown and out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("jobs_here")
def test_no_star_between_two_samplers_of_one_law() -> None:
    """MALA and exact draws on Gaussians of several variances at T = 2, where there is no work to measure, three seeds: below the floor there is no star
    (uncorrected: 3 in 12).
    """
    for variance in range(1, 7):
        result = compare.samplers(f"gaussian:variance={variance}", ["exact", f"mala_from_data:step_size={0.5 * variance}"], 2.0, 60, 64, 3)
        for metric in {name for entry in result for name in entry["best"]}:
            measured = [next(m for m in entry["metrics"] if m["metric"] == metric) for entry in result]
            assert any(m["mean"] > m["floor_q95"] for m in measured)


def test_no_rhat_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Where it cannot be had, that is told, and no nan stands anywhere."""
    mixture = "gaussian_mixture:components=8,radius=3,std=0.3"
    result = compare.samplers(mixture, ["ula:step_size=0.05", "mala:step_size=0.05"], 1.0, 2, 16, 2)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    show(result, "sampler", "")
    shown = capsys.readouterr().out
    assert "Mixed or not: no R-hat for ula:step_size=0.05 (not_applicable: takes at least 4 draws a chain; here 1)" in " ".join(
        shown.split()
    ) and "nan" not in shown.replace("nanosecond", "")
    assert not any("see" in status for entry in result for m in entry["metrics"] for status in m["status"])


def test_a_budget_that_ends_within_a_round_is_refused() -> None:
    with pytest.raises(
        InputError, match="--steps 99 is not allowed: sampler 'annealed:sigmas=2|1,steps=50,step_size=0.01' takes 100 gradients"
    ):
        compare.samplers("gaussian", ["annealed:sigmas=2|1,steps=50,step_size=0.01"], 1.0, 99, 16, 2)


def test_a_device_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE_OF_A_CLAIM, encoding="utf-8")
    done = scorebench("stage", "claim", "--suite", "suite.yaml", "--job", "wiener-increment", folder=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "device = 'cuda:99': this machine has none" in done.stderr
    assert not (tmp_path / "results").exists()


SUITE_OF_A_CLAIM = """
name: a
seed: 1
device: cuda:99
metrics: [mmd]
claims: [wiener-increment]
experiments: [{target: gaussian, seeds: 2}]
"""
