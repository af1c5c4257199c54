"""`scorebench compare samplers` by work: what theory says of a ratio, how often one law is called two, what it shows, and what it does without a work."""

import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from scorebench import cli
from scorebench.commands import compare, console, work
from scorebench.commands.show import show, verdict
from scorebench.core import registry
from scorebench.core.errors import InputError
from scorebench.core.schema import Status
from scorebench.core.spec import Spec, parse
from scorebench.engine.arrival import SUMMARIES
from scorebench.report import words
from scorebench.suite.config import Accuracy

pytestmark = pytest.mark.usefixtures("jobs_here")

SHORT, LONG = "mala:step_size=0.02", "mala:step_size=1"
EPSILON = Accuracy().epsilon


def exact_work(c: float) -> float:
    """Gradients that MALA takes on N(0, 1) from N(-1, 4), by powers of its kernel on a lattice.

    p(x -> y) = q(y|x) min(1, p(y) q(x|y)/(p(x) q(y|x))), q = N((1 - c) x, 2 c), what is left stays. The largest of b^2 over x, x^2 and log p, whose
    variances are 1, 2 and 1/2, falls through epsilon between two steps, by log-linear interpolation; the start takes a gradient, too. On half as many points
    the works differ by 1e-6.
    """
    x = np.linspace(-9, 9, 801)
    back = (x[None] - (1 - c) * x[:, None]) ** 2 / (4 * c)  # -log q(y|x)
    kernel = np.exp(-back + np.minimum((x[:, None] ** 2 - x[None] ** 2) / 2 + back - back.T, 0)) * (x[1] - x[0]) / np.sqrt(4 * np.pi * c)
    kernel[np.diag_indices(len(x))] += 1 - kernel.sum(1)
    law = np.exp(-((x + 1) ** 2) / 8)
    law /= law.sum()
    curve: list[float] = []
    while not curve or curve[-1] > EPSILON:
        curve.append(float(max((law @ x) ** 2, (law @ x**2 - 1) ** 2 / 2)))
        law = law @ kernel
    before, after = np.log(np.array(curve[-2:]) / EPSILON)
    return len(curve) - 1 + before / (before - after)


def test_two_steps_of_mala_differ_by_what_theory_says() -> None:
    """On N(0, 1) the work is 2.58 gradients at c = 1 and 114.05 at c = .02: 44.3 times as many (a fifty-fold step, less what is rejected, by whole steps).

    At 4.5 standard errors there is a false alarm in some 3 runs of 100,000 (t, 39 degrees of freedom), and an error of the ratio of a third is seen in 9 of 10.
    """
    assert exact_work(1.0) == pytest.approx(2.5762, abs=1e-3) and exact_work(0.02) == pytest.approx(114.05, abs=0.05)
    long, short = compare.samplers("gaussian:dim=1", [LONG, SHORT], 1.0, 400, 10_240, 2)
    for row, exact in ((long["work"], exact_work(1.0)), (short["work"], exact_work(0.02))):
        error = np.log(row["high"] / row["gradients"]) / stats.t(39).ppf(0.975)
        assert 0 < error < 0.08 and abs(np.log(row["gradients"] / exact)) < 4.5 * error, row
    row = short["work"]
    assert (long["work"]["word"], row["word"]) == ("better", "worse") and 30 < row["ratio_low"] < row["ratio_high"] < 65
    error = np.log(row["ratio_high"] / row["ratio"]) / stats.t(39).ppf(0.975)
    assert abs(np.log(row["ratio"] / (exact_work(0.02) / exact_work(1.0)))) < 4.5 * error < 0.33
    assert verdict([long, short]).startswith(f"Take {LONG}: it takes ") and SHORT in verdict([long, short])


TWIN = '''
r"""ULA with random numbers of its own, so that the law of its chains is that of `ula`: x' = x + c s(x) + sqrt(2 c T) eps."""

import torch

from scorebench.samplers.ula import ULA, theory

LABEL = "twin"
NEEDS = {"source.score"}
GRADIENTS = 1
EXACT = False
ORDER = 1


class Twin(ULA):
    def draws(self, density, shape, generator):
        seed = int(torch.randint(2**62, (), generator=generator)) ^ 0x5DEECE66D
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
'''


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    path = tmp_path / "twin.py"
    path.write_text(TWIN, encoding="utf-8")
    registry.add(path)
    return path


@pytest.mark.parametrize(("step", "final"), [(0.1, 1_280), (0.17, 1_280)])
def test_two_samplers_of_one_law_are_seldom_told_apart(twin: Path, step: float, final: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty runs, each with random numbers of its own; at c = .17 the plateau, .0086, is near epsilon, where two runs differ by more than their errors say.

    With 5 % of such words in truth more than seven of forty are found once in 1,400; with 30 % in 94 of 100.
    """
    monkeypatch.setattr(work.Bench, "equilibrium", lambda bench, cell: [])
    target, told = parse("target", "gaussian"), []
    for master in range(40):
        its = work.contestants([f"{name}:step_size={step}" for name in ("ula", "twin")])
        found = [work.measured(target, one, 60, Accuracy(pilot=80, final=final), master, time.monotonic() + 60) for one in its]
        standings = words.compared(SUMMARIES, work.entries(found), 1.25)[SUMMARIES[0]]
        told.append({standing.word for standing in standings.values()} <= {"undecided", "equivalent"})
    assert told.count(False) <= 7, told.count(False)


def test_a_step_is_searched_for(twin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On N(0, I) underdamped Langevin is better than ULA, whose bias asks for a short step: of log p it is v = c/(2 - c), and v^2 is epsilon at c = .18.

    Of one law there is no better, whatever steps are chosen. An option that is said is left as it is.
    """
    searched: dict[work.Contestant, work.Measured] = {}
    search = work.measured

    def once(target: Spec, one: work.Contestant, *more: Any) -> work.Measured:
        return searched.get(one) or searched.setdefault(one, search(target, one, *more))

    monkeypatch.setattr(work, "measured", once)
    texts = ["ula", "underdamped:friction=1", "twin"]
    result = compare.samplers("gaussian", texts, 1.0, 200, 2_560, 2)
    ula, underdamped, twin_ = (entry["work"] for entry in result)
    assert [row["word"] for row in (ula, underdamped, twin_)] == ["worse", "better", "worse"]
    for row in (ula, twin_):
        assert 0.05 < dict(parse("sampler", row["cell"], grid=True).given)["step_size"] < 0.18 and row["plateau_high"] < EPSILON
    assert parse("sampler", underdamped["cell"], grid=True).options["friction"] == 1
    assert underdamped["cell"].startswith("underdamped:step_size=") and [entry["sampler"] for entry in result] == [
        "ula",
        "underdamped",
        "twin",
    ]
    of_one_law = compare.samplers("gaussian", ["ula", "twin"], 1.0, 200, 2_560, 2)
    assert {entry["work"]["word"] for entry in of_one_law} <= {"undecided", "equivalent"}


def printed(*arguments: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> tuple[list[str], list[str]]:
    """Lines of both streams."""
    monkeypatch.setattr(sys, "argv", ["scorebench", "compare", "samplers", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code in (0, None)
    out, err = capfd.readouterr()
    return out.splitlines(), err.splitlines()


def test_what_is_shown(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """In 80 columns, in a pipe as on a terminal; a line of progress a contestant; a control has no work; what does not arrive says what is left."""
    names = [LONG, "mala:step_size=1e-5", "underdamped:splitting=OBABO,friction=2.125,step_size=0.0625", "exact"]
    sizes = ["--target=gaussian", "--steps=60", "--chains=1000", "--seeds=2"]
    out, err = printed(*sizes, *(f"--sampler={name}" for name in names), monkeypatch=monkeypatch, capfd=capfd)
    assert max(map(len, out)) <= 80 and len(err) == 3, (out, err)
    assert [line.partition(": ")[0] for line in err] == ["1 of 4", "2 of 4", "3 of 4"]
    text = " ".join(" ".join(out).split())
    assert "within 0.1 standard deviations" in text and "1000 chains" in text and "acceptance" in text
    assert "not reached" in text and " or more" in text and "control" in text
    last = " ".join("\n".join(out).rpartition("\n\n")[2].split())
    assert last.startswith(f"Take {LONG}: it takes ") and last.endswith(" times as many.") and last.count(".  ") == 0


def test_json_has_the_work_and_the_metrics() -> None:
    """A row that JSON can hold, with no number where there is none. Chains are whole blocks: eighty, or the next multiple of forty."""
    assert [work.whole_blocks(chains) for chains in (16, 80, 81, 10_240)] == [80, 80, 120, 10_240]
    result = compare.samplers("gaussian", [LONG, "ula:step_size=3"], 1.0, 40, 90, 2)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    fine, lost = result
    wanted = {
        "cell",
        "status",
        "reason",
        "start",
        "epsilon",
        "margin",
        "chains",
        "budget",
        "gradients",
        "low",
        "high",
        "plateau",
        "word",
        "ratio",
    }
    assert fine["work"]["chains"] == 120 and "nothing to compare it with" in verdict([fine])
    assert wanted <= set(fine["work"]) and {"sampler", "seconds_per_gradient", "metrics", "best"} <= set(fine)
    assert lost["work"]["status"] == Status.DIVERGED and "word" not in lost["work"]


def test_progress_on_a_terminal_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewritten, never longer than 80 columns; elsewhere a line for each contestant."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, lines in ((Terminal(), 0), (io.StringIO(), 1)):
        monkeypatch.setattr(sys, "stderr", stream)
        console.progress("1 of 2: ula", True)
        console.progress("x" * 200, False)
        console.progress("", False)
        assert stream.getvalue().count("\n") == lines
        assert all(len(part) < 80 for part in stream.getvalue().split("\r\x1b[K"))


DENSITY = "dim = 1\n\n\ndef log_prob(x):\n    return -(x[:, 0] ** 2) / 2\n"


def test_without_a_work_there_are_the_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of another temperature, and of a density without draws; there, no step can be searched for, which is said."""
    path = tmp_path / "mine.py"
    path.write_text(DENSITY, encoding="utf-8")
    for target, temperature, why in (("gaussian", 2.0, "T = 1"), (f"density:path={path}", 1.0, "no exact draws")):
        result = compare.samplers(target, ["ula:step_size=0.1", "mala:step_size=0.1"], temperature, 20, 40, 2)
        assert all(entry["work"]["status"] == Status.NOT_APPLICABLE and entry["metrics"] for entry in result)
        show(result, "sampler", "as set")
        last = " ".join(capsys.readouterr().out.rpartition("\n\n")[2].split())
        assert last.startswith("Nothing follows about which to take: no work was measured") and why in last
        with pytest.raises(InputError, match="option 'step_size' is missing"):
            compare.samplers(target, ["ula"], temperature, 20, 40, 2)


def test_words_of_a_tie_take_nothing() -> None:
    """Each outcome has its sentence."""

    def entry(
        cell: str, word: str, ratio: float | None = 1.0, ends: tuple[float | None, float | None] = (None, None), **more: object
    ) -> compare.Entry:
        row = {"cell": cell, "status": "ok", "reason": "", "word": word, "ratio": ratio, "ratio_low": ends[0], "ratio_high": ends[1]}
        row |= {
            "gradients": 10.0,
            "low": 9.0,
            "high": 11.0,
            "start": "N(-1, 4)",
            "epsilon": 0.01,
            "margin": 1.25,
            "chains": 80,
            "budget": 100,
        }
        return {"sampler": cell, "work": row | {"plateau": 0.02, "detectable": 1.4} | more}

    tie = verdict([entry("a", "undecided"), entry("b", "undecided", 1.1, (0.9, 1.3)), entry("c", "worse", 3.0, (2.0, 4.0))])
    assert tie.startswith("Nothing is entitled between a and b; a ratio of 1.40 would have been seen in 9 of 10 runs") and tie.endswith(
        "best: c."
    )
    same = verdict([entry("a", "equivalent"), entry("b", "equivalent", 1.1, (0.9, 1.2))])
    assert same.startswith("Take any of a, b: equivalent, their works are within a factor of 1.25")
    none = verdict([entry("a", "undecided", None, gradients=None), entry("b", "undecided", None, gradients=None, plateau=0.5)])
    assert none.startswith("Take none: ") and "is 0.02, of a, where 0.01 is asked" in none


def test_what_a_word_takes() -> None:
    """A ratio of 1.2 with an error of .5 % is a word where neither was tuned and both plateaus are far from epsilon; else it takes 1.25, or there is none."""
    logs = np.random.Generator(np.random.PCG64(1)).normal(0, 1e-3, (2, 40)) / np.sqrt(39)

    def word(plateau: tuple[float, float], tuned: bool, works: tuple[float, float]) -> str:
        found = []
        for work_, its in zip(works, logs, strict=True):
            panel = {"gradients": work_, "low": work_, "high": work_, "plateau_low": plateau[0], "plateau_high": plateau[1]}
            row = {"epsilon": EPSILON, "margin": 1.25, "tuned": tuned, "panels": dict.fromkeys(SUMMARIES, panel)}
            found.append(work.Measured(dict.fromkeys(SUMMARIES, np.log(work_) + its), row))
        return words.compared(SUMMARIES, work.entries(found), 1.25)[SUMMARIES[0]]["1"].word

    far, near, across = (0.0, 0.005), (0.006, 0.009), (0.008, 0.012)
    assert word(far, False, (10.0, 12.0)) == "worse"
    assert [word(near, False, (10.0, 12.0)), word(far, True, (10.0, 12.0))] == ["equivalent", "equivalent"]
    assert [word(near, False, (10.0, 15.0)), word(far, True, (10.0, 15.0))] == ["worse", "worse"]
    assert word(across, False, (10.0, 1_000.0)) == "undecided"
