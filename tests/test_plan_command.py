"""`scorebench plan`: what a suite takes, before anything starts."""

import json
import re
from pathlib import Path

import pytest
from conftest import in_this_process

from scorebench import stages
from scorebench.cli import main
from scorebench.commands import plan as planning
from scorebench.suite import estimate
from scorebench.suite.estimate import STARTS, Pace, _measured, wall_seconds, work_and_span
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

EXACT = """
name: tiny
seed: 1
metrics: [acceptance]
experiments:
  - {target: gaussian, seeds: 2, exact: {samplers: [mala, exact], step_sizes: [0.1, 0.2], chains: 16, budgets: [5, 9]}}
"""
ARTICLE = Plan(load("workflows/suites/article.yaml"))


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr("sys.argv", ["scorebench", "plan", *arguments])
    monkeypatch.setattr(planning, "calibrated", lambda suite: Pace())
    try:
        main()
    except SystemExit as left:
        assert not left.code
    return capsys.readouterr().out


def test_a_suite_is_planned(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A row for each number of cores, this machine's among them: more cores take less time, and no more of anything."""
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    rows = json.loads(said(capsys, monkeypatch, "paper", "--json"))
    assert [row["cores"] for row in rows] == [1, 8, 64, 1024]
    assert rows[0]["hours"] > rows[1]["hours"] > rows[2]["hours"] > rows[3]["hours"] > 0 and rows[0]["hours"] == pytest.approx(
        rows[0]["core_hours"]
    )
    assert len({tuple(row[name] for name in ("jobs", "starts", "core_hours", "gigabytes", "peak_memory_mb")) for row in rows}) == 1
    paper = Plan(load("workflows/suites/paper.yaml"))
    assert (
        rows[0]["jobs"]
        == sum(len(paper.jobs(stage)) for stage in STAGES)
        > rows[0]["starts"]
        == sum(len(paper.batches(stage)) for stage in STAGES)
    )
    table = said(capsys, monkeypatch, "workflows/suites/smoke.yaml", "--cores", "2").splitlines()
    assert (
        table[0].split() == ["cores", "time", "core-hours", "gigabytes", "jobs", "starts", "MB", "a", "job"] and table[1].split()[0] == "2"
    )


def test_what_cannot_be_planned_is_told_in_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError):
        said(capsys, monkeypatch, "smoek", "--cores", "0", "--cores", "9" * 23)
    lines = capsys.readouterr().err.splitlines()
    assert (
        len(lines) == 3
        and lines[1].startswith(f"scorebench: --cores {'9' * 23} is not")
        and lines[0] == "scorebench: --cores 0 is not allowed (allowed: 1 to 1000000000)"
    )
    assert lines[2].startswith("scorebench: suite 'smoek' is unknown; did you mean 'smoke'? (known: ")


def test_the_rates_foretell_the_reference_run() -> None:
    """The core-seconds of its jobs, which they are fitted to, within 30 %."""
    work, _ = work_and_span(ARTICLE, Pace(start=0.0))
    assert work == pytest.approx(sum(_measured("article").values()), rel=0.3)


@pytest.mark.parametrize("suite", ["smoke", "article"])
def test_what_is_foretold_is_what_the_readme_says_of_the_run(suite: str) -> None:
    """Time and memory within 30 %, of a fit: the rates are of the article's jobs, and their form was chosen with those of smoke in sight."""
    readme = Path("README.md").read_text(encoding="utf-8")
    time, unit, cores, memory = re.search(
        rf"^\| `{suite}` \|.*? ([\d.]+) (s|min) on (\d+) cores \|.*?(\d+) MB \|$", readme, re.MULTILINE
    ).groups()
    (row,) = planning.needs(Plan(load(f"workflows/suites/{suite}.yaml")), [int(cores)], Pace())
    assert row["hours"] * 3600 == pytest.approx(float(time) * {"s": 1, "min": 60}[unit], rel=0.3)
    assert row["peak_memory_mb"] == pytest.approx(float(memory), rel=0.3)


def test_what_is_sampled_takes_as_many_bytes_as_foretold(tmp_path: Path) -> None:
    """Of a sampler with gradients and of draws: states and traces, and 2 KB beside them."""
    (tmp_path / "tiny.yaml").write_text(EXACT)
    plan = Plan(load(tmp_path / "tiny.yaml"))
    with in_this_process():
        for job in ("gaussian/mala", "gaussian/exact"):
            stages.run("sample", plan, job, tmp_path)
            written = (tmp_path / f"tiny/sample/{job}.npz").stat().st_size
            assert 0 < written - estimate._sample_bytes(plan.samples[job], 2) < 2_500


def test_the_pace_is_that_of_starts_and_jobs() -> None:
    work, span = work_and_span(ARTICLE, Pace(2.0, 1.0))
    starts = sum(STARTS[stage] * len(ARTICLE.batches(stage)) for stage in STAGES)
    assert work_and_span(ARTICLE, Pace(4.0, 2.0)) == pytest.approx((2 * work, 2 * span))
    assert work_and_span(ARTICLE, Pace(3.0, 1.0))[0] == pytest.approx(work + starts)


def test_time_is_between_the_bounds() -> None:
    """Of W on one core, of S with any number, and never below W/N."""
    assert wall_seconds(100.0, 10.0, 1) == 100.0 and wall_seconds(100.0, 10.0, 10**9) == pytest.approx(10.0)
    assert all(wall_seconds(100.0, 10.0, n) >= max(100.0 / n, 10.0) for n in range(1, 50))
