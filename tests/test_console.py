"""What the command line prints: at 80 columns all that a pipe has, names that tell rows apart, and why there is no number."""

import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from scorebench import cli
from scorebench.commands import compare, console, plan, score, show
from scorebench.core import registry
from scorebench.core.schema import METRICS, Status
from scorebench.core.spec import Spec, labels, parse
from scorebench.suite.estimate import Pace

LONG = ("annealed:sigmas=4|3|2|1.5|1|0.75|0.5|0.25|0.125|0.0625,steps=50", "hmc:leapfrog_steps=10", "parallel_tempering:betas=1|0.5|0.25")
SIGMAS = tuple(f"denoising:sigma={sigma}" for sigma in (0.3, 0.05, 0.1))
TABLE = "table:path=a/very/long/path/that/no/column/holds/[old].csv"


def of(name: str, kind: str, **more: object) -> compare.Entry:
    metric = {
        "metric": "mmd",
        "label": "a metric [of many words] that goes on",
        "mean": 0.123,
        "low": 0.01,
        "high": 1.23,
        "status": {"ok": 2},
    }
    return {kind: name, "best": [], "seconds_per_gradient": 1e-3, "metrics": [metric | {"floor_q95": 0.1}]} | more


def of_loss(name: str, leads: bool = False) -> compare.Entry:
    its = dict.fromkeys(("apart", "apart_low", "apart_high", "gain", "gain_low", "gain_high", "detectable"))
    its |= {"label": "a divergence", "log": True, "word": "" if leads else "worse", "leads": leads, "apart": 2.5}
    its |= {"mean": 0.123, "low": 0.01, "high": 1.23}
    return of(name, "loss", standing=its, learning_rate=0.01, steps=1_000, seconds=1.0)


def of_sampler(name: str) -> compare.Entry:
    work = {"cell": name, "status": Status.OK, "reason": "", "budget": 1_000, "word": "undecided", "start": "N(-1, 4)", "chains": 80}
    work |= {
        "epsilon": 0.01,
        "margin": 1.25,
        "gradients": 123.0,
        "low": 100.0,
        "high": 150.0,
        "ratio": 1.5,
        "ratio_low": 1.1,
        "ratio_high": 2.1,
    }
    return of(
        name,
        "sampler",
        work=work | {"plateau": 0.001, "plateau_low": 0.0, "plateau_high": 0.002, "ess_per_gradient": 0.1, "detectable": 1.4},
    )


def scored(text: str) -> score.Scored:
    return {"metric": text, "label": f"{text} [of it]", "value": 0.1, "low": 0.0, "high": 0.2, "floor_q95": 0.1, "p": 0.01} | {
        "sets": 1,
        "draws": 500,
        "status": "ok",
    }


WRITTEN: dict[str, Callable[[], None]] = {
    "losses": lambda: show.show([of_loss(name, name == SIGMAS[0]) for name in SIGMAS], "loss", TABLE),
    "samplers": lambda: show.show([of_sampler(name) for name in LONG[:2]], "sampler", TABLE),
    "score": lambda: score.show([TABLE], [scored(name) for name in LONG], TABLE),
    "plan": lambda: plan.show(
        "suite",
        [
            {"cores": n, "hours": 123.4, "core_hours": 1e9, "gigabytes": 1e9, "jobs": 10**9, "starts": 10**9, "peak_memory_mb": 1e9}
            for n in (1, 10**9)
        ],
        Pace(1.0, 1.0, 1.0),
    ),
    "list": lambda: cli.list_methods(),
}


@pytest.mark.parametrize("what", WRITTEN)
def test_nothing_is_cut_at_80_columns(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same characters, spaces aside, as in a pipe, whose lines are as long as the text."""
    registry.add(written(tmp_path, "a_metric_with_a_name_that_is_longer_than_any_column_of_a_list"))
    printed = {}
    for width in (80, console.WIDE):
        monkeypatch.setattr(console, "WIDE", width)
        monkeypatch.setattr(show, "WIDTH", width)
        WRITTEN[what]()
        printed[width] = capsys.readouterr().out
    narrow, wide = (Counter("".join(text.split())) for text in printed.values())
    assert narrow == wide and "…" not in narrow
    assert what == "plan" or max(map(len, printed[80].splitlines())) <= 80


@pytest.mark.parametrize("count", [4, 7])
def test_many_losses_stand_in_columns_that_can_be_read(
    count: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "WIDE", 80)
    show.show([of_loss(f"denoising:sigma=0.{number}", number == 1) for number in range(1, count + 1)], "loss", "")
    tables = capsys.readouterr().out.split("\nmetric ")[1:]
    assert len(tables) == -(-count // 3) and all("0.123 [0.01, 1.23]" in table for table in tables)


METRIC = '''
"""Of one LABEL."""

from scorebench.metrics.base import Estimate

LABEL = "of one label"
ABOUT = "sampler"
NEEDS = {"run.samples"}
DIRECTION = "lower"
FLOOR = False
LOG = True
MOMENTS = 1


def NAME(run, target, reference):
    value = run.samples.mean((-1, -2))
    return Estimate(value, value.abs())
'''


def written(folder: Path, name: str) -> Path:
    path = folder / f"{name}.py"
    path.write_text(METRIC.replace("NAME", name), encoding="utf-8")
    return path


def test_methods_of_one_label_are_told_apart(tmp_path: Path) -> None:
    """Of every kind; where labels differ they are as they are."""
    for name in ("first_of_it", "second_of_it"):
        registry.add(written(tmp_path, name))
    twins = [parse("metric", name) for name in ("first_of_it", "mmd", "second_of_it")]
    assert list(labels(twins).values()) == ["of one label (first_of_it)", parse("metric", "mmd").label, "of one label (second_of_it)"]
    assert labels(twins[:2])[twins[0]] == "of one label"
    assert list(labels([Spec("loss", "sliced"), Spec("loss", "implicit")]).values()) == [
        Spec("loss", n).label for n in ("sliced", "implicit")
    ]


def rows(text: str, values: tuple[float, ...], **others: object) -> list[dict[str, object]]:
    return [{"metric": text, "value": value, "seed": seed, "status": "ok", "reason": ""} | others for seed, value in enumerate(values)]


def test_what_has_no_logarithm_is_told(tmp_path: Path) -> None:
    """A metric of LOG = True has a mean of positive values, and of zeros zero; another of any; two of one label are two rows."""
    for name in ("first_of_it", "second_of_it"):
        registry.add(written(tmp_path, name))
    told = {}
    for case, values in {"positive": (1.0, 4.0), "zero": (0.0, 0.0), "some": (1.0, -1.0), "none": (-1.0, 0.0)}.items():
        frame = METRICS.frame(list(itertools.chain(*(rows(text, values) for text in ("first_of_it", "second_of_it", "mmd")))))
        first, second, mmd = compare._summary(frame)
        assert (first["label"], second["label"]) == ("of one label (first_of_it)", "of one label (second_of_it)")
        told[case] = first["mean"], first["status"]
        assert mmd["status"] == {"ok": 2} and mmd["mean"] == sum(values) / 2
    why = "not_applicable: not positive, though LOG = True"
    assert told["positive"] == (pytest.approx(2), {"ok": 2}) and told["zero"] == (0.0, {"ok": 2})
    assert told["some"] == (None, {"ok": 1, why: 1}) and told["none"] == (None, {why: 2})


@pytest.mark.usefixtures("jobs_here")
def test_what_is_not_descended_has_no_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A network from elsewhere has been trained there; a fit by itself takes the draws, and no steps of a learning rate."""
    monkeypatch.setattr(compare, "METRICS_OF_LOSSES", ("relative_fisher_divergence",))
    path = tmp_path / "own.py"
    path.write_text("def score(x):\n    return -0.9 * x\n", encoding="utf-8")
    (entry,) = compare.losses("gaussian", f"network:path={path}", ["given"], 1_000, 100, 10, [0.01], 2)
    assert entry["steps"] == 0 and entry["seconds_per_gradient"] is None and entry["metrics"][0]["mean"] == pytest.approx(0.01)
    show.show([entry], "loss", "")
    assert "gradient steps none" in " ".join(capsys.readouterr().out.split())
    assert compare.how_trained(["given"], 1_000, 100, 10, [0.01]) == "given: trained elsewhere, and not here"
    rates = "up to 1000 steps of 10 from 100 draws or all that there are, learning rates from 0.01, 0.1 on for each"
    assert compare.how_trained(["implicit"], 1_000, 100, 10, [0.01, 0.1]) == rates
    all_three = compare.how_trained(["given", "closed_form", "implicit"], 1_000, 100, 10, [0.01])
    assert all_three.split("; ") == [
        "up to 1000 steps of 10 from 100 draws or all that there are, learning rate 0.01",
        "closed_form: fitted to 100 draws or all that there are, without steps",
        "given: trained elsewhere, and not here",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--jsn"], "No such option: --jsn (Possible options: --json) (see scorebench list --help)"),
        (["new"], "Missing argument 'kind' (see scorebench new --help)"),
        (["compare", "sampler"], "No such command 'sampler'. Did you mean 'samplers'? (see scorebench compare --help)"),
        (["plan", "paper", "--cores", "nan"], "Invalid value for '--cores': "),
        (["list", ""], "kind '' is unknown"),
        (["list", "--plugin", "folder"], "plugin 'folder': is a folder (allowed: a file NAME.py)"),
        (["claims", "wiener-increment", "--first", "-1"], "--first -1 is not allowed (allowed: 0 to "),
        (["claims", "wiener-increment", "--workers", "9" * 30], f"--workers {'9' * 30} is not allowed (allowed: 1 to 10000)"),
        (["claims", "wiener-increment", "wiener-increment"], "claim 'wiener-increment' is given twice"),
        (
            ["score", "draws.npy", "--target", "gaussian", "--temperature", "1e400"],
            "--temperature inf is not allowed (allowed: a positive number)",
        ),
        (["crate", "."], "manifest.json does not exist"),
        (["crate", "/"], "manifest.json does not exist"),
        (["crate", "folder", "--out", "folder"], "--out 'folder': is a folder (allowed: a zip file's path)"),
        (["reference", "own.py", "--out", "own.py/draws.npy"], "--out 'own.py/draws.npy': no file can be written there"),
        (["compare", "losses", "--target", "gaussian", "--loss", "sliced", "--steps", "9" * 20], "(allowed: 1 to 1000000000)"),
        (["compare", "losses", "--target", "gaussian", "--loss", "sliced", "--rate", "nan"], "--rate nan is not allowed"),
        (["compare", "losses", "--target", "gaussian", "--loss", "sliced", "--rate", ".1", "--rate", "0.1"], "--rate 0.1 is given twice"),
        (["compare", "losses", "--target", "gaussian", "--loss", "slicd"], "loss 'slicd' is unknown; did you mean 'sliced'"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_a_wrong_command_is_one_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "own.py").write_text("dim = 1\n\n\ndef log_prob(x):\n    return -(x[:, 0] ** 2) / 2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["scorebench", *arguments])
    monkeypatch.setattr(os, "environ", os.environ.copy())
    with pytest.raises(SystemExit) as left:
        cli.main()
    out, shown = capsys.readouterr()
    assert left.value.code == 2 and said in shown and len(shown.splitlines()) == 1 and out == ""


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["compare"], 2), (["--help"], 0), (["list", "--help"], 0)], ids=str)
def test_help_is_shown(arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["scorebench", *arguments])
    monkeypatch.setattr(os, "environ", os.environ.copy())
    with pytest.raises(SystemExit) as left:
        cli.main()
    out, shown = capsys.readouterr()
    assert (left.value.code or 0) == code and "Usage:" in out + shown and "see scorebench" not in shown
