"""The command line: lists, comparisons, and one line a mistake."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scorebench import cli
from scorebench.commands import compare
from scorebench.core import registry
from scorebench.core.errors import InputError


@pytest.mark.parametrize("kind", [*registry.FOLDERS, *registry.FOLDERS.values(), ""])
def test_list(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.list_methods(kind, as_json=True)
    found = json.loads(capsys.readouterr().out)
    kinds = [k for k, folder in registry.FOLDERS.items() if kind in (k, folder, "")]
    assert [(e["kind"], e["name"]) for e in found] == [(k, n) for k in kinds for n in registry.names(k)]
    assert all(e["error"] is None and e["summary"] for e in found)
    cli.list_methods(kind)
    assert found[0]["name"] in capsys.readouterr().out


def test_compare_is_the_workflows_loop_and_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    """ULA at c = 1 on N(0, I): second-moment bias 1, from 4 x 256 chains with a standard error of .06. MALA has none; `exact` is at the floor."""
    result = compare.samplers("gaussian", ["ula:step_size=1.0", "mala:step_size=1.0", "exact"], 1.0, 60, 256, 4)
    by = {r["sampler"]: {m["metric"]: m for m in r["metrics"]} for r in result}
    assert list(by) == ["ula:step_size=1", "mala:step_size=1", "exact"]
    assert by["ula:step_size=1"]["second_moment_bias"]["mean"] == pytest.approx(1.0, abs=0.25)
    for sampler in ("mala:step_size=1", "exact"):
        assert abs(by[sampler]["second_moment_bias"]["mean"]) < 0.2
        assert by[sampler]["mmd"]["mean"] < by[sampler]["mmd"]["floor_q95"] < by["ula:step_size=1"]["mmd"]["mean"]
    assert by["mala:step_size=1"]["acceptance"]["low"] > 0.5 and by["exact"]["mode_weight_error"]["mean"] is None
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert compare.samplers("gaussian", ["ula:step_size=1.0"], 1.0, 60, 256, 4)[0]["metrics"] == result[0]["metrics"]  # alone as in company
    assert "second_moment_bias" not in result[0]["best"]  # signed: lower is not better
    assert "mmd" not in result[0]["best"] and "difference" not in result[0]["metrics"][0]
    compare.show(result, "sampler", "as set")
    shown = capsys.readouterr().out
    assert "acceptance" in shown and "as set" in shown


def test_compare_tells_two_samplers_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """ULA at c = 1.5 has variance 4 on N(0, I), where MALA has 1: seen with 20 x 64 chains at the level of 5 %, and in the difference, first less second.

    Twenty seeds: more than a sort keeps in order by luck.
    """
    specs = ["ula:step_size=1.5", "mala:step_size=1"]
    for order in (specs, specs[::-1]):
        found = compare.samplers("gaussian", order, 1.0, 60, 64, 20)
        ula, mala = found if order == specs else found[::-1]
        assert "mmd" in mala["best"] and "mmd" not in ula["best"]
        difference = {m["metric"]: m["difference"] for m in found[0]["metrics"] if "difference" in m}["second_moment_bias"]
        assert not difference["ratio"] and (difference["low"] > 2 if found[0] is ula else difference["high"] < -2)
    compare.show([ula, mala], "sampler", "")
    assert "★" in capsys.readouterr().out


def test_compare_losses_is_the_workflow(capsys: pytest.CaptureFixture[str]) -> None:
    """On a Gaussian, whose score the quadratic energy can have, 300 steps bring implicit matching under .05; noise of 1 costs denoising 2/4 of F = 2."""
    result = compare.losses("gaussian", "quadratic", ["implicit", "denoising:sigma=1"], 300, 2_000, 128, [0.03, 0.1], 3)
    by = {r["loss"]: {m["metric"]: m for m in r["metrics"]} for r in result}
    assert by["implicit"]["fisher_divergence"]["high"] < 0.05
    assert by["denoising:sigma=1"]["fisher_divergence"]["mean"] == pytest.approx(0.5, rel=0.3)
    assert "fisher_divergence" in result[0]["best"] and result[0]["learning_rate"] in (0.03, 0.1)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    compare.show(result, "loss", "as set")
    assert "learning rate" in capsys.readouterr().out


def test_compare_losses_at_one_rate_and_without_the_truth() -> None:
    """One learning rate needs no sweep; a loss that cannot be trained on a target is a status, not an end."""
    (one,) = compare.losses("gaussian", "quadratic", ["implicit"], 30, 500, 64, [0.1], 2)
    assert one["learning_rate"] == 0.1 and one["metrics"][0]["mean"] > 0
    (none,) = compare.losses("digits", "quadratic", ["explicit"], 30, 500, 64, [0.03, 0.1], 2)
    assert all(m["mean"] is None and "not_applicable" in next(iter(m["status"])) for m in none["metrics"])
    compare.show([none], "loss", "")


def test_compare_losses_says_every_mistake() -> None:
    with pytest.raises(InputError) as caught:
        compare.losses("gausian", "mlp", ["slicd"], 0, 100, 10, [0.1], 1)
    for part in ("did you mean 'gaussian'", "model 'mlp' is unknown", "did you mean 'sliced'", "steps", "seeds"):
        assert any(part in line for line in caught.value.lines), (part, caught.value.lines)


def test_compare_says_every_mistake() -> None:
    with pytest.raises(InputError) as caught:
        compare.samplers("gausian", ["ula", "mala:step_size=-1", "ula:step_size=1,temperature=2"], float("nan"), 0, 3, 1)
    lines = caught.value.lines
    for part in ("did you mean 'gaussian'", "step_size=-1", "--temperature nan", "--steps 0", "--chains 3", "--seeds 1"):
        assert sum(part in line for line in lines) == 1, (part, lines)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("list", "samplerz"), "did you mean 'sampler'"),
        (("compare", "samplers", "--target", "gaussian", "--sampler", "ula"), "step_size"),
        (("summary", "nowhere"), "manifest.json does not exist"),
        (("stage", "train", "--suite", "nowhere.yaml", "--job", "x"), "nowhere.yaml"),
    ],
)
def test_wrong_input_is_one_line_and_no_traceback(arguments: tuple[str, ...], part: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "scorebench", *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and part in done.stderr and len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
