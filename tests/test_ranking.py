"""Who takes the least work, in words: recommendations, page, README, troubles and `verify` of the table `work`."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from scorebench import stages
from scorebench.core import schema
from scorebench.core.schema import Ended, Status
from scorebench.report import readme, render, verify
from scorebench.report.ranking import Leader, leaders, shown
from scorebench.report.recommendations import recommendations
from scorebench.report.troubles import divergences, troubles
from scorebench.stages import work as work_stage
from scorebench.store import works
from scorebench.store.results import Results
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

COMMON = {
    "target": "gaussian",
    "step_size": 0.5,
    "phase": "final",
    "chosen": True,
    "status": "ok",
    "epsilon": 0.01,
    "chains": 80,
    "budget": 500,
}


def row(method: str, work: float, word: str, ratio: tuple[float, ...] = (), panel: str = "max", **more: object) -> dict[str, object]:
    """A chosen cell with an interval of 10 % either way and no bias, unless it says otherwise."""
    ends = dict(zip(("ratio", "ratio_low", "ratio_high", "detectable"), ratio, strict=False))
    numbers = {"gradients": work, "low": 0.9 * work, "high": 1.1 * work, "plateau": 0.0, "plateau_low": 0.0, "plateau_high": 0.001}
    return COMMON | {"method": method, "sampler": method, "panel": panel, "word": word} | numbers | ends | more


def lost(method: str, low: float, ratio_low: float, plateau: float) -> dict[str, object]:
    """A chosen cell that does not arrive."""
    left = {"plateau": plateau, "plateau_low": 0.9 * plateau, "plateau_high": 1.1 * plateau}
    return row(method, np.nan, "worse", (np.nan, ratio_low), low=low, high=np.nan, status="not_reached") | left


def leader(*rows: dict[str, object]) -> Leader:
    (found,) = leaders(schema.WORK.frame(rows))
    return found


BEST = row("mala", 100.0, "better", (1.0,), sampler="mala")


def test_better_names_the_next_with_its_ratio() -> None:
    """By the ratio, of which one that does not arrive has a bound; options and step stand with the sampler."""
    tuned = row("underdamped", 50.0, "better", (1.0,), sampler="underdamped:friction=2", step_size=0.25)
    found = leader(lost("ula", 500.0, 9.0, 0.02), row("mala", 100.0, "worse", (2.0, 1.8, 2.2)), tuned)
    assert found.choice == "underdamped, BAOAB at step 0.25, friction 2" and found.work == "50 [45, 55] gradients"
    assert found.word == "better" and found.bias == "" and found.others == []
    assert found.against == "better than each of 2 rivals; the next: MALA at step 0.5, 2 [1.8, 2.2] times the work"
    assert (
        "the next: ULA at step 0.5, 1.5 or more"
        in leader(BEST, row("hmc", 200.0, "worse", (2.0, 1.8, 2.2)), lost("ula", 150.0, 1.5, 0.02)).against
    )
    assert leader(BEST, lost("ula", 500.0, 4.5, 0.02)).against == "better than its one rival: ULA at step 0.5, 4.5 or more times the work"


def test_undecided_says_with_whom_and_what_would_have_been_seen() -> None:
    """The nearest first, without those that are worse."""
    rivals = (
        row("leimkuhler_matthews", 150.0, "undecided", (1.5, 0.7, 3.2, 3.5)),
        row("ula", 110.0, "undecided", (1.1, 0.9, 1.34, 1.4)),
        row("hmc", 900.0, "worse", (9.0, 8.0, 10.0)),
    )
    found = leader(row("mala", 100.0, "undecided", (1.0,)), *rivals)
    assert found.against == "undecided with 2 of 3"
    assert found.others == [
        "ULA at step 0.5, 1.1 [0.9, 1.34] times the work (1.4 would have been seen)",
        "Leimkuhler-Matthews at step 0.5, 1.5 [0.7, 3.2] times the work (3.5 would have been seen)",
    ]
    found = leader(row("mala", 100.0, "equivalent", (1.0,)), row("ula", 101.0, "equivalent", (1.01, 0.95, 1.07, 1.1)))
    assert found.against == "equivalent to 1 of 1" and found.others == ["ULA at step 0.5, 1.01 [0.95, 1.07] times the work"]


def test_a_veto_is_told() -> None:
    """Every rival is worse by the maximum, and one of them ahead by the mean."""
    by_mean = (row("mala", 90.0, "worse", (1.5, 1.3, 1.7), panel="mean"), row("ula", 60.0, "better", (1.0,), panel="mean"))
    found = leader(row("mala", 100.0, "undecided", (1.0,)), row("ula", 200.0, "worse", (2.0, 1.8, 2.2)), *by_mean)
    assert found.word == "undecided" and found.against == "undecided: by the panel's mean ULA at step 0.5 is ahead"


def test_a_bias_is_told_with_the_best_that_has_none() -> None:
    biased = {"plateau": 0.005, "plateau_low": 0.004, "plateau_high": 0.006}
    rivals = (row("hmc", 300.0, "worse", (3.0, 2.5, 3.5)), row("leimkuhler_matthews", 200.0, "worse", (2.0, 1.8, 2.2)))
    found = leader(BEST | biased, *rivals)
    assert found.bias == "b² stays at 0.005 [0.004, 0.006]; unbiased: Leimkuhler-Matthews at step 0.5, 200 [180, 220] gradients"
    assert leader(BEST | biased, *(rival | biased for rival in rivals)).bias == "b² stays at 0.005 [0.004, 0.006]"


def test_where_none_arrives_the_nearest_is_told() -> None:
    found = leader(*(lost(name, 500.0, np.nan, plateau) | {"word": "undecided"} for name, plateau in (("ula", 0.3), ("mala", 0.02))))
    assert found.choice == "none arrives within 500 gradients" and found.work == "" and found.against == ""
    assert found.bias == "nearest: MALA at step 0.5, b² stays at 0.02 [0.018, 0.022]"


def test_controls_and_what_is_not_chosen_are_no_rivals() -> None:
    """Prior draws do not compete; a cell of the pilot and a method that failed do not count."""
    others = (
        row("prior", np.nan, "", status="not_reached", low=0.0),
        row("mala", 1.0, "", chosen=False, phase="pilot"),
        row("hmc", np.nan, "", chosen=False, status="failed", phase="pilot"),
    )
    assert leader(BEST, *others).against == "no rival"


def test_the_table_has_a_row_a_method() -> None:
    """The chosen cell; of one that has none, how it ended."""
    table = schema.WORK.frame(
        [
            row("mala", 1.0, "", chosen=False, phase="pilot"),
            BEST,
            *(row("hmc", np.nan, "", chosen=False, status="failed", reason="why", step_size=step, plateau=np.nan) for step in (0.1, 0.2)),
            lost("ula", 2000.0, 20.0, 0.3),
        ]
    )
    assert list(shown(table)["method"]) == ["mala", "hmc", "ula"]
    text = render.work(table)
    assert list(text["gradients"]) == ["100 [90, 110]", "failed: why", "more than 2,000"] and list(text["step_size"]) == ["0.5", "", "0.5"]


# Of a run.

SUITE = """
name: raced
seed: 1
metrics: [mmd]
accuracy: {pilot: 80, final: 160, epsilon: 0.5}
experiments:
  - target: gaussian
    seeds: 2
    exact: {samplers: [ula, mala], step_sizes: [0.1, 0.5], chains: 16, budgets: [20]}
    work: {samplers: [ula, mala, prior], step_sizes: [0.5, 1.0], budget: 60}
  - target: double_well:dim=2,barrier=3
    seeds: 2
    exact: {samplers: [ula, mala], step_sizes: [0.01, 0.02], chains: 16, budgets: [20]}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("ranking")
    (folder / "raced.yaml").write_text(SUITE)
    plan = Plan(load(folder / "raced.yaml"))
    for stage in ("sample", "measure", "work", "tables", "page"):
        for job in plan.jobs(stage):
            stages.run(stage, plan, job, folder)
    return Results(folder / "raced", plan)


def test_a_sampler_is_chosen_by_work_where_there_is_one(run: Results) -> None:
    """One answer a target: by work on the Gaussian, by the metric on the double well."""
    answers = {answer.spec: answer for answer in recommendations(run)}
    assert list(answers) == ["gaussian", "double_well:dim=2,barrier=3"] and len(recommendations(run)) == 2
    assert "gradients" in answers["gaussian"].evidence and "MMD" in answers["double_well:dim=2,barrier=3"].evidence
    (found,) = leaders(run.table("work"))
    assert answers["gaussian"].choice == found.choice and answers["gaussian"].best == (found.word == "better")


def test_the_page_and_the_readme_have_the_works(run: Results, tmp_path: Path) -> None:
    page = (run.folder / "index.html").read_text(encoding="utf-8")
    for title in ("Samplers by work", "In equilibrium"):
        assert f">{title}</h2>" in page and f">{title}</a>" in page
    start = run.table("work")["start"].iloc[0]
    assert start and f"gaussian, all from {start}" in page and "chosen by cost" not in page
    part = readme._work(run)
    assert part.count("\n") == 2 and "Gaussian, d = 2, κ = 1" in part


def test_what_failed_of_a_work_is_told_with_its_log(run: Results, tmp_path: Path) -> None:
    """All cells of one method failed; of another those at one step diverged, which is no failure."""
    table = run.table("work").astype({"step_size": float})
    ula = table["method"] == "ula"
    table.loc[ula & (table["step_size"] == 1.0), "status"] = "diverged"
    table.loc[table["method"] == "mala", ["status", "reason"]] = "failed", "ValueError: broken"
    results = SimpleNamespace(metrics=run.metrics.iloc[:0], table=lambda name: table, plan=run.plan, claims=[], folder=tmp_path)
    (line,) = troubles(results)
    mala = (table["method"] == "mala") & (table["panel"] == "max")
    assert line.startswith("gaussian, work of mala") and f"{mala.sum()} failed (ValueError: broken), of {mala.sum()} cells" in line
    assert line.endswith(str(tmp_path / run.plan.log("work", "gaussian/mala")))
    (line,) = divergences(results)
    assert line.startswith("gaussian, work of ula at step 1: ")


def test_a_work_that_was_lost_leaves_the_metric_to_answer(run: Results, tmp_path: Path) -> None:
    """No cell was chosen: the target is answered as one without work."""
    for job in ("gaussian/ula", "gaussian/mala", "gaussian/prior"):
        work_stage.lost(run.plan, job, tmp_path, Ended(Status.TIMEOUT))
    rows = schema.WORK.frame([cell for path in sorted(tmp_path.rglob("*.npz")) for cell in works.read(path).cells])
    tables = {"work": rows, "losses": run.table("losses"), "samplers": run.table("samplers")}
    results = SimpleNamespace(table=tables.__getitem__, plan=run.plan)
    assert [("MMD" in answer.evidence) for answer in recommendations(results)] == [True, True]


def equilibrium(bias: np.ndarray, error: float, step: float = 0.5) -> pd.DataFrame:
    half = 1.96 * error
    rows = [
        {
            "target": "gaussian",
            "method": "ula",
            "sampler": "ula",
            "step_size": step,
            "function": f"x{k}",
            "bias": b,
            "low": b - half,
            "high": b + half,
        }
        for k, b in enumerate(bias)
    ]
    return schema.EQUILIBRIUM.frame(rows)


def test_biases_in_equilibrium_are_compared() -> None:
    """Of 20 that are within chance none is off (false alarm 1e-3); one that is 7 errors of the difference off is, and no other.

    With 20 biases the limit is 4.1 errors; a shift of 7 is missed in 2e-3 of the runs.
    """
    draws = np.random.default_rng(1).normal(size=(2, 20))
    old, new = equilibrium(draws[0] * 0.01, 0.01), equilibrium(draws[1] * 0.01, 0.01)
    assert verify.biases(old, new) == (20, 20, [])
    shifted = draws[1] * 0.01
    shifted[3] = draws[0][3] * 0.01 + 7 * np.hypot(0.01, 0.01)
    agree, total, (line,) = verify.biases(old, equilibrium(shifted, 0.01))
    assert (agree, total) == (19, 20) and "ULA at step 0.5, bias of x3" in line
    assert verify.biases(old, equilibrium(shifted, 0.01, step=0.4)) == (0, 0, [])  # another cell: not compared


def test_works_are_told() -> None:
    """Of three methods one is at another cell, one does not arrive, and one overlaps without being the same."""
    old = schema.WORK.frame([BEST, row("ula", 200.0, "worse"), row("hmc", 50.0, "worse"), row("prior", 1.0, "")])
    new = schema.WORK.frame(
        [BEST | {"gradients": 105.0, "low": 95.0, "high": 115.0}, row("ula", 200.0, "worse", step_size=0.4), lost("hmc", 500.0, 2.0, 0.1)]
    )
    first, second = verify.works(old, new)
    assert (
        first.startswith("2 of 3 methods")
        and second == "1 of these arrive in both runs: 0 works are the same to six digits, the intervals of 1 overlap"
    )
    assert verify.works(old.iloc[:0], new) == []


def test_verify_fails_by_a_bias(run: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A run beside itself passes; with another bias in the reference it does not."""
    out = tmp_path / "reference/raced"
    for name, table in schema.TABLES.items():
        (out / "tables").mkdir(parents=True, exist_ok=True)
        (out / f"tables/{name}.csv").write_bytes(table.to_csv(run.table(name)))
    verify.artifacts.write_gzip(out / "cells.csv.gz", schema.CELLS.to_csv(verify.cells(run.metrics)))
    verify.seal(out)
    monkeypatch.setattr(verify, "_reference", lambda folder: out)
    assert verify.show(run.folder) and "biases in equilibrium agree" in capsys.readouterr().out
    table = run.table("equilibrium")
    table.loc[0, ["bias", "low", "high"]] += 10.0
    (out / "tables/equilibrium.csv").write_bytes(schema.EQUILIBRIUM.to_csv(table))
    verify.seal(out)
    assert not verify.show(run.folder) and "in equilibrium: " in capsys.readouterr().out
