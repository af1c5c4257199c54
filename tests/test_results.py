"""What is made of the rows: tables that drop nothing, reading that checks, pages whose equations are equations."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import scorebench
from scorebench.core import registry, sealed
from scorebench.core.errors import InputError, NotApplicable
from scorebench.core.schema import METRICS, TABLES, ClaimResult, Quantity, Verdict
from scorebench.core.spec import parse_all
from scorebench.engine import floors
from scorebench.engine.metric import Metric
from scorebench.engine.sweep import lowest
from scorebench.figures.base import style
from scorebench.report import decomposition, render, tables
from scorebench.report.choosing import at_best_steps, floor
from scorebench.report.page import _claim, _prose, mathml
from scorebench.report.recommendations import _choice, recommendations
from scorebench.report.troubles import divergences, inapplicable, troubles
from scorebench.store import artifacts
from scorebench.store.results import Results
from scorebench.suite.config import Sensitivity
from scorebench.suite.reading import load as load_suite
from scorebench.testing.examples import stream

SEEDS = 10


def rows(values: np.ndarray, **columns: object) -> pd.DataFrame:
    """One row a seed."""
    frame = pd.DataFrame({"seed": range(len(values)), "value": values, "status": "ok", "suite": "x", "target": "gaussian"}).assign(
        **columns
    )
    return METRICS.frame(frame)


def spread(name: str, centre: float, size: float = 0.05) -> np.ndarray:
    draws = np.random.default_rng(np.random.SeedSequence(list(name.encode()))).normal(size=SEEDS)
    return centre * np.exp(size * draws)


def sources(**centres: float) -> pd.DataFrame:
    made = [
        rows(spread(loss, c), model="quadratic", loss=loss.replace("_", ":sigma=0."), train_steps=10, metric="relative_fisher_divergence")
        for loss, c in centres.items()
    ]
    return pd.concat(made)


FISHER = parse_all("metric", ["relative_fisher_divergence"])


def test_best_is_marked_where_it_is_significant() -> None:
    table = tables.losses(sources(sliced=0.1, implicit=0.2, denoising_5=0.3), FISHER, 1.25).set_index("loss")
    assert list(table["best"]) == [True, False, False] and list(table["leads"]) == [True, False, False]
    table = tables.losses(sources(sliced=0.1, implicit=0.1001, denoising_5=0.3), FISHER, 1.25)
    assert table["leads"].sum() == 1 and not table["best"].any()


def test_a_loss_that_is_given_the_truth_does_not_compete() -> None:
    table = tables.losses(sources(explicit=0.01, sliced=0.1, implicit=0.2), FISHER, 1.25).set_index("loss")
    assert table.loc["sliced", "best"] and not table.loc["explicit", "leads"]


def test_a_diverged_seed_is_counted_and_bars_from_leading() -> None:
    data = sources(sliced=0.1, implicit=0.2).reset_index(drop=True)
    lost = (data["loss"] == "sliced") & (data["seed"] == 3)
    data.loc[lost, ["value", "status"]] = [np.nan, "diverged"]
    table = tables.losses(data, FISHER, 1.25).set_index("loss")
    assert table.loc["sliced", "diverged"] == 1 and table.loc["sliced", "seeds"] == 9 and table.loc["implicit", "diverged"] == 0
    assert table.loc["implicit", "leads"] and not table.loc["sliced", "leads"]
    assert "diverged 1/10" in render.markdown(render.wide("losses", table.reset_index()))


def reported(data: pd.DataFrame, metrics: list) -> pd.DataFrame:
    return tables.samplers(at_best_steps(data, metrics), metrics, 1.25)


def sampled(better: float, first: float, second: float) -> pd.DataFrame:
    """MMD^2 of ULA at two steps: `first` and `second` at the better step on the halves of the seeds, 1 at the other."""
    halves = np.repeat([first, second], SEEDS // 2) + spread("x", 0.001)
    common = {
        "sampler": "ula",
        "temperature": 1.0,
        "steps": 100,
        "gradient_evaluations": 100,
        "metric": "mmd",
        "floor_mean": 0.0,
        "floor_sd": 0.1 / 1.645,
        "floor_q95": 0.1,
    }
    return pd.concat([rows(halves, step_size=better, **common), rows(np.ones(SEEDS), step_size=0.5, **common)])


def test_the_step_is_chosen_on_one_half_and_reported_on_the_other() -> None:
    """A step that looks good by luck on the first half is chosen, and its true value is what is reported."""
    table = reported(sampled(0.1, first=0.2, second=3.0), parse_all("metric", ["mmd"]))
    assert len(table) == 1 and table["step_size"].item() == 0.1
    assert table["mean"].item() == pytest.approx(3.0, rel=0.01) and table["seeds"].item() == SEEDS // 2


def test_a_step_that_diverged_is_not_chosen() -> None:
    data = sampled(0.1, first=0.2, second=0.2).reset_index(drop=True)
    data.loc[(data["step_size"] == 0.1) & (data["seed"] == 0), ["value", "status"]] = [np.nan, "diverged"]
    assert reported(data, parse_all("metric", ["mmd"]))["step_size"].item() == 0.5


def without_modes(data: pd.DataFrame) -> pd.DataFrame:
    """The same rows, and a metric that the target cannot have beside them."""
    lacking = data.assign(metric="mode_weight_error", value=np.nan, status="not_applicable", reason="the target has no modes")
    return pd.concat([lacking, data], ignore_index=True)


def test_the_step_is_chosen_by_a_metric_that_the_target_has() -> None:
    """A first metric that is not applicable says nothing: the next one chooses, and not the order of the steps."""
    data = sampled(0.1, first=2.0, second=2.0)  # step 0.1 stands first and is worse than 0.5
    table = reported(without_modes(data), parse_all("metric", ["mode_weight_error", "mmd"]))
    assert set(table["step_size"]) == {0.5} and set(table.loc[table["leads"], "metric"]) == {"mmd"}


@pytest.mark.parametrize(("prior", "step", "metric"), [(0.17, 0.5, "mmd"), (0.19, 0.1, "mmd:fraction=0.2")])
def test_a_metric_that_takes_the_prior_for_the_target_ranks_nothing(prior: float, step: float, metric: str) -> None:
    """The first metric prefers step 0.1, the second 0.5; the first counts only if a sampler that does nothing is four times beyond means of exact draws.

    Of five seeds 0.1/sqrt(5), .179 in all.
    """
    made = []
    for name, at_better, idle in (("mmd:fraction=0.2", 0.05, prior), ("mmd", 3.0, 5.0)):
        control = {"sampler": "prior", "temperature": 1.0, "gradient_evaluations": 0}
        control |= {"floor_mean": 0.0, "floor_sd": 0.1 / 1.645, "floor_q95": 0.1}
        made += [sampled(0.1, at_better, at_better).assign(metric=name), rows(np.full(SEEDS, idle), metric=name, **control)]
    table = reported(pd.concat(made, ignore_index=True), parse_all("metric", ["mmd:fraction=0.2", "mmd"]))
    assert set(table.loc[table["sampler"] == "ula", "step_size"]) == {step} and set(table.loc[table["leads"], "metric"]) == {metric}


@pytest.mark.parametrize(("rival", "best"), [(0.04, False), (0.05, True), (0.3, True)])
def test_two_methods_as_good_as_exact_draws_are_tied(rival: float, best: bool) -> None:
    """Both below the floor, of five seeds 0.1/sqrt(5) = .0447: a difference there, however sure, is no reason to choose."""
    mala = sampled(0.1, rival, rival).assign(sampler="mala")
    mala["value"] += np.tile(spread("mala", 0.001, 0.5), 2)
    data = pd.concat([sampled(0.1, 0.01, 0.01), mala], ignore_index=True)
    table = reported(data, parse_all("metric", ["mmd"])).set_index("sampler")
    assert table.loc["ula", "leads"] and table.loc["ula", "best"] == best


def floors_of(values: np.ndarray, seeds: int) -> float:
    """The floor of a mean over so many seeds, from values on exact draws."""
    kept = {"floor_mean": values.mean(), "floor_sd": values.std(ddof=1), "floor_q95": np.quantile(values, 0.95)}
    return floor(pd.DataFrame({"seed": range(seeds)}).assign(**kept))


@pytest.mark.parametrize("seeds", [1, 2, 5, 10, 100])
def test_a_floor_is_of_the_mean_over_the_seeds(seeds: int) -> None:
    """By the law of the mean: 5 % of a normal metric and of one seed are above, 5 to 5.8 % of an exponential and of chi-squared with one degree of freedom."""
    laws = {"normal": stats.norm(2, 3), "skewed": stats.expon(), "as skewed as these come": stats.chi2(1)}
    means = {"normal": stats.norm(2, 3 / seeds**0.5), "skewed": stats.gamma(seeds), "as skewed as these come": stats.chi2(seeds)}
    for name, law in laws.items():
        kept = {"seed": range(seeds), "floor_mean": law.mean(), "floor_sd": law.std(), "floor_q95": law.isf(0.05)}
        above = means[name].sf(floor(pd.DataFrame(kept)) * (1 if name == "normal" else seeds))
        assert above == pytest.approx(0.05, abs=1e-9 if name == "normal" or seeds == 1 else 8e-3) and above > 0.05 - 1e-9


@pytest.mark.parametrize("seeds", [5, 10])
@pytest.mark.parametrize("metric", ["mode_weight_error", "mean_error", "mmd:fraction=0.2"])
def test_of_exact_draws_one_mean_in_twenty_is_above_its_floor(metric: str, seeds: int) -> None:
    """Exact draws as the method, 16 chains a seed: between 5 and 5.8 % of means are above, to four standard errors, those of the floor of 10,000 sets included.

    These are 1.3 % at 5 seeds and 2 % at 10. Of the quantile of one set, which is another statistic's, less than 1 % of means are above.
    """
    target, measure = parse_all("target", ["gaussian_mixture:weight=0.8"])[0].build(), Metric(parse_all("metric", [metric])[0])
    sets, n, k = 40_000, 10_000, seeds
    its, fresh = (floors.values(measure, target, 16, stream(metric, use), r).cpu().numpy() for use, r in (("floor", n), ("fresh", sets)))
    means = fresh.reshape(-1, k).mean(1)
    error = (0.05 * 0.95 * k / sets + stats.norm.pdf(1.645) ** 2 * k / n) ** 0.5
    assert 0.05 - 4 * error < (means > floors_of(its, k)).mean() < 0.058 + 4 * error
    assert (means > np.quantile(its, 0.95)).mean() < 0.01


def test_the_floor_that_a_run_keeps_is_known_well_enough() -> None:
    """Of 200 sets, over 500 of them: 5 to 7 % of means are above, by the law of the mean, for chi-squared with one degree of freedom."""
    rng = np.random.default_rng(0)
    for seeds in (5, 10):
        above = [stats.chi2(seeds).sf(seeds * floors_of(rng.chisquare(1, 200), seeds)) for _ in range(500)]
        assert 0.05 < np.mean(above) < 0.07


def test_every_step_is_shown_where_nothing_can_choose() -> None:
    table = reported(sampled(0.1, 0.2, 0.2).assign(metric="ess"), parse_all("metric", ["ess"]))
    assert sorted(table["step_size"]) == [0.1, 0.5] and not table["leads"].any()


def frictions(**values: float) -> pd.DataFrame:
    """MMD^2 of `underdamped` at two frictions and ULA, each at two steps of which the first is the better."""
    names = {"low": "underdamped:friction=0.5", "high": "underdamped:friction=2", "ula": "ula"}
    return pd.concat([sampled(0.1, value, value).assign(sampler=names[name]) for name, value in values.items()], ignore_index=True)


@pytest.mark.parametrize(("low", "high", "best"), [(0.4, 0.3, "underdamped:friction=2"), (0.3, 0.4, "underdamped:friction=0.5")])
def test_a_tuned_option_is_chosen_with_the_step(low: float, high: float, best: str) -> None:
    """One cell a method, by its full spec, over both frictions and steps: the other friction is neither shown nor a rival."""
    table = reported(frictions(low=low, high=high, ula=0.5), parse_all("metric", ["mmd"]))
    assert list(table["sampler"]) == [best, "ula"] and set(table["step_size"]) == {0.1}
    assert list(table["leads"]) == [True, False] and table["apart"].notna().sum() == 2


def test_a_tuned_option_is_chosen_on_one_half_and_reported_on_the_other() -> None:
    """A friction that looks good by luck on the first half is chosen, and its true value is what is reported."""
    lucky = sampled(0.1, 0.2, 3.0).assign(sampler="underdamped:friction=2")
    table = reported(pd.concat([frictions(low=0.3), lucky]), parse_all("metric", ["mmd"]))
    assert table["sampler"].item() == "underdamped:friction=2" and table["mean"].item() == pytest.approx(3.0, rel=0.01)


def test_splittings_are_methods_and_frictions_are_not() -> None:
    """What is not tuned keeps its own row, and each splitting has its own best friction."""
    other = frictions(low=0.4, high=0.3)
    other["sampler"] = other["sampler"].str.replace(":", ":splitting=ABOBA,")
    table = reported(pd.concat([frictions(low=0.3, high=0.4), other]), parse_all("metric", ["mmd"]))
    assert list(table["sampler"]) == ["underdamped:friction=0.5", "underdamped:splitting=ABOBA,friction=2"]


def test_floors_stand_beside_what_is_better_when_lower() -> None:
    lower, signed = sampled(0.1, 0.2, 0.2), sampled(0.1, 0.2, 0.2).assign(metric="second_moment_bias")
    table = reported(pd.concat([lower, signed]), parse_all("metric", ["mmd", "second_moment_bias"]))
    shown = render.wide("samplers", table).map(str)
    assert shown["MMD² (h = 1.0 rms)"].item().endswith("] (0.0447)") and shown["second-moment bias"].item().endswith("]")


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    frame = scorebench.load(run(tmp_path))
    assert frame["train_steps"].dtype == "Int64" and frame["steps"].isna().all()


def invented(folder: Path, rows: list[dict[str, object]], **changes: object) -> Results:
    """A run of smoke that left these rows and nothing else."""
    suite = load_suite("workflows/suites/smoke.yaml")
    experiments = tuple(experiment.model_copy(update={"work": ()}) for experiment in suite.experiments)
    suite = suite.model_copy(update={"claims": (), "figures": (), "experiments": experiments} | changes)
    write(folder, METRICS.to_csv(METRICS.frame(rows)), suite=json.loads(suite.model_dump_json()))
    return Results(folder)


def write(folder: Path, metrics: bytes, **facts: object) -> None:
    (folder / "metrics.csv").write_bytes(metrics)
    artifacts.write_json(folder / "manifest.json", facts | {"sha256": {"metrics.csv": hashlib.sha256(metrics).hexdigest()}})


def test_a_target_that_failed_is_told_with_its_log(tmp_path: Path) -> None:
    results = invented(tmp_path, [{"target": "gaussian", "metric": "mmd", "status": "failed", "reason": "ValueError: broken"}])
    (line,) = troubles(results)
    assert line.startswith("gaussian") and line.endswith("logs/measure/gaussian/relative_fisher_divergence.log")


def test_a_failure_is_told_with_the_log_of_its_job(tmp_path: Path) -> None:
    """All metrics of a sampler: its sampling; one of them: the measuring; a trained source: the training; claims and figures: their process's."""
    ok, failed = {"seed": 0, "status": "ok", "value": 1.0}, {"seed": 0, "status": "failed", "reason": "ValueError: broken"}
    trained = {"target": "gaussian_mixture", "model": "mlp_energy:width=32", "loss": "denoising:sigma=0.5", "metric": "fisher_divergence"}
    rows = [
        {"target": "gaussian", "sampler": "ula", "metric": "mmd"} | failed,
        {"target": "gaussian_mixture", "sampler": "mala", "metric": "mmd"} | failed,
        {"target": "gaussian_mixture", "sampler": "mala", "metric": "ess"} | ok,
        trained | failed,
    ]
    results = invented(tmp_path, rows, claims=("step-size-bias",), figures=("bias_against_step_size", "claims_overview", "noise_levels"))
    broken = claim(verdict=Verdict.FAILED, reason="timeout").as_json() | {"id": "step-size-bias"}
    for path, plain in (
        ("claims/step-size-bias.json", broken),
        ("timings/figure/claims_overview.json", {"status": "failed", "reason": "KeyError: x"}),
        ("timings/figure/bias_against_step_size.json", {"status": "ok", "reason": ""}),
        ("timings/figure/noise_levels.json", {"status": "not_applicable", "reason": "one level"}),
    ):
        artifacts.write_json(tmp_path / path, plain)
    logs = [
        "sample/gaussian/ula",
        "measure/gaussian_mixture/relative_fisher_divergence",
        "train/gaussian_mixture/mlp_energy-width32/denoising",
    ]
    logs += ["claim/step-size-bias", "figure/claims_overview"]
    assert [line.partition("; see ")[2] for line in troubles(results)] == [str(tmp_path / f"logs/{log}.log") for log in logs]
    assert [line.partition("; see ")[2] for line in troubles(results, Path())] == [f"logs/{log}.log" for log in logs]
    assert inapplicable(results) == ["figure noise_levels: one level"]


def quantity(name: str, group: str, agrees: bool) -> Quantity:
    return Quantity(name, group, {}, "", 1.0, 1.0, 0.1, 1_000, 0.0, agrees)


def claim(quantities: tuple[Quantity, ...] = (), verdict: Verdict = Verdict.REFUTED, reason: str = "") -> ClaimResult:
    texts = {"label": "", "source": "", "statement": "x", "correction": "", "reference": "", "expected": "refuted", "leading": "1"}
    return ClaimResult("sigma-one", **texts, conditions={}, seed=1, verdict=verdict, reason=reason, quantities=quantities)


def test_a_claim_counts_what_its_verdict_counts() -> None:
    """An identity is not; the evidence is a number that the statement gets wrong, not the leading one that is right."""
    groups = (("corrected", True), ("as-written", True), ("as-written", False), ("identity", True))
    quantities = tuple(quantity(str(i), group, agrees) for i, (group, agrees) in enumerate(groups))
    shown = _claim(claim(quantities), {"sigma-one": "seen"})
    assert (shown["as_written"], shown["corrected"]) == ("1 of 2", "1 of 1")
    assert shown["evidence"].name == "2" and shown["file"] == registry.entry("claim", "sigma-one").file and shown["figure"] == "seen"
    right = _claim(claim(quantities[:2]), {})
    assert right["telling"].name == "1" and right["evidence"] is None and "Langevin" in right["derivation"]
    assert _claim(claim(), {})["telling"] is None


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (("a mean", 0.5, 0.49871, 0.0012345), ("a mean", "0.5", "0.4987 ± 0.0012")),
        (("a flow", 1.0, 22006.5, 0.0), ("a flow", "1", "22,006")),
        (("a share, at most 0.05", 0.0, 0.02, 0.004), ("a share, at most 0.05", "≤ 0.05", "0.02 ± 0.004")),
        (("a rise, at least 0", 0.0, -0.5, 0.1), ("a rise, at least 0", "≥ 0", "-0.5 ± 0.1")),
        (("whether it is at least 0.35 (1: yes)", 1.0, 0.0, 0.0), ("whether it is at least 0.35", "yes", "no")),
        ((np.nan, np.nan, np.nan, np.nan), ("", "", "")),
        (("", np.nan, np.nan, np.nan), ("", "", "")),
    ],
)
def test_a_number_of_a_claim_is_told(number: tuple[str, float, float, float], told: tuple[str, str, str]) -> None:
    """A bound and an inequality by the border that the name ends in, a question by yes and no; without a number, nothing."""
    assert render.Told.of(*number) == told


def test_the_interval_of_an_error_that_a_seed_makes_is_not_shown() -> None:
    row = dict.fromkeys(("diverged", "failed", "timeout", "not_applicable"), 0) | {
        "seeds": 12,
        "best": False,
        "mean": 49.6,
        "low": -59.5,
        "high": 158.7,
    }
    assert str(render._cell(pd.Series(row | {"metric": "law_error:of=panel"}))) == f"49.6 {render.FEW}"
    assert "[-59.5, 159]" in str(render._cell(pd.Series(row | {"metric": "hyvarinen_score"})))


def test_divergence_is_no_failure(tmp_path: Path) -> None:
    """A line says of how many values, at which steps; a failure stands apart."""
    made = ((0.1, 0, "ok"), (2.2, 0, "diverged"), (0.1, 1, "ok"))
    values = {"ok": 1.0, "diverged": np.nan}
    rows = [{"target": "gaussian", "sampler": "ula", "step_size": c, "seed": s, "status": w, "value": values[w]} for c, s, w in made]
    results = invented(tmp_path, rows)
    assert troubles(results) == []
    assert divergences(results) == ["gaussian, ula on the exact score at step 2.2: 1 diverged, of 3 values"]


def test_markdown_and_latex() -> None:
    frame = pd.DataFrame({"a_b": ["x|y", "1 & 2 → ∞"], "h²": [0.5, np.nan]})
    assert render.markdown(frame).splitlines()[2] == "| x\\|y | 0.5 |"
    text = render.latex(frame)
    assert text.isascii() and r"a\_b" in text and r"1 \& 2" in text and r"\toprule" in text


def run(folder: Path) -> Path:
    write(folder, METRICS.to_csv(sources(sliced=0.1)))
    return folder


def test_load(tmp_path: Path) -> None:
    """The columns of metrics.csv: a status with its reason in one, text never missing."""
    frame = scorebench.load(run(tmp_path))
    assert list(frame.columns) == [column for column in METRICS.columns if column != "reason"] and len(frame) == SEEDS
    assert frame["value"].dtype == float and frame["seed"].dtype == "Int64" and (frame["sampler"] == "").all()


def test_load_refuses_what_the_run_did_not_write(tmp_path: Path) -> None:
    path = run(tmp_path) / "metrics.csv"
    content = path.read_bytes()
    for i in range(0, len(content), 97):
        path.write_bytes(content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :])
        with pytest.raises(InputError, match="damaged or edited"):
            scorebench.load(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match="does not exist"):
        scorebench.load(tmp_path)
    with pytest.raises(InputError, match=r"manifest\.json does not exist"):
        scorebench.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("facts", "read", "line"),
    [
        ({"sha256": None}, lambda folder: scorebench.load(folder), "sha256 is missing"),
        ({}, lambda folder: Results(folder).plan, "suite is missing"),
        ({"suite": {"name": "x", "colour": "red"}}, lambda folder: Results(folder).plan, "colour: key 'colour' is unknown"),
        ({"suite": {"name": "x", "colour": "red"}}, lambda folder: Results(folder).older, "colour: key 'colour' is unknown"),
    ],
    ids=range(4),
)
def test_results_of_another_version_are_told_in_a_line(facts, read, line, tmp_path: Path) -> None:
    (run(tmp_path) / "suite.yaml").write_bytes(Path("workflows/suites/smoke.yaml").read_bytes())
    manifest = sealed.read(tmp_path / "manifest.json") | {"packages": {"scorebench": "0.0.9"}, "git_commit": "abc"} | facts
    artifacts.write_json(tmp_path / "manifest.json", manifest)
    with pytest.raises(InputError, match="made by another version, scorebench 0.0.9 at commit abc, this is .*run the suite again") as told:
        read(tmp_path)
    assert len(told.value.lines) == 1 and line in told.value.lines[0]


def test_the_loss_figure_tells_the_lost_and_the_empty() -> None:
    data = sources(sliced=0.1, implicit=0.2).reset_index(drop=True)
    data.loc[data["loss"] == "implicit", ["value", "status"]] = [np.nan, "diverged"]
    data.loc[(data["loss"] == "sliced") & (data["seed"] < 3), ["value", "status"]] = [np.nan, "diverged"]
    draw = registry.module("figure", "loss_comparison").draw
    with style():
        figure = draw(SimpleNamespace(metrics=data))
        assert {t.get_text() for t in figure.axes[0].texts} == {"10/10 lost", "3/10 lost"}
        assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["sliced", "implicit (exact trace)"]
        with pytest.raises(NotApplicable, match="no relative Fisher divergence"):
            draw(SimpleNamespace(metrics=data.iloc[:0].astype({"metric": "str", "status": "str"})))


def test_equations_are_converted_or_refused() -> None:
    assert "<msqrt>" in mathml(r"\sqrt{2c}\,\epsilon < 1 \text{ for } x & y".replace("&", r"\text{and}"))
    for latex in (r"\begin{aligned} a &= b \end{aligned}", r"\nosuchcommand x", r"\text{a & b}", r"a \& b", r"\backslash"):
        with pytest.raises(ValueError, match="does not convert"):
            mathml(latex)


def test_prose_is_text_and_its_equations_mathematics() -> None:
    """What is no equation is escaped; a dollar without a partner is text."""
    assert _prose(r"a < b, and $\sqrt{2}$ > 1").startswith("a &lt; b, and <math") and "<msqrt>" in _prose(r"$\sqrt{2}$")
    assert _prose("5 $ & more") == "5 $ &amp; more"
    assert _prose(r"$\nosuchcommand$") == r"<code>\nosuchcommand</code>"


# Whose error it is, and which learning rate was taken.


def test_error_is_decomposed() -> None:
    """The loss's part and what the sampler adds sum to the total, paired by seed; controls and other temperatures are left out."""
    mmd = parse_all("metric", ["mmd"])
    common = {"target": "gaussian", "metric": "mmd", "temperature": 1.0, "steps": 100, "gradient_evaluations": 100, "step_size": 0.1}
    noise = np.random.default_rng(0).normal(size=SEEDS)
    made = [
        rows(0.2 + noise, **common, sampler="mala_from_data", model="quadratic", loss="sliced"),
        rows(0.5 + noise, **common, sampler="ula", model="quadratic", loss="sliced"),
        rows(0.1 + 0 * noise, **common, sampler="ula"),
        rows(9.0 + noise, **common | {"temperature": 2.0}, sampler="ula", model="quadratic", loss="sliced"),
        rows(9.0 + noise, **common, sampler="ula", model="quadratic", loss="implicit"),  # its own law was not sampled
    ]
    parts = decomposition.decompose(pd.concat(made), mmd).set_index("part")
    assert list(parts.index) == list(decomposition.PARTS) and set(parts["loss"]) == {"sliced"} and set(parts["seeds"]) == {SEEDS}
    assert parts.loc["loss", "mean"] + parts.loc["sampler", "mean"] == pytest.approx(parts.loc["total", "mean"])
    assert parts.loc["sampler", "mean"] == pytest.approx(0.3) and parts.loc["sampler_exact", "mean"] == pytest.approx(0.1)
    assert parts.loc["sampler", "high"] - parts.loc["sampler", "low"] < 1e-9 < parts.loc["total", "high"] - parts.loc["total", "low"]
    shown = render.decomposition(parts.reset_index()).map(str)
    assert shown.loc[0, "the sampler adds"].startswith("0.3 [")


def test_the_loss_part_is_that_of_its_own_law_where_that_is_known() -> None:
    """By quadrature, before the control: the sampler adds the rest."""
    common = {"target": "gaussian", "temperature": 1.0, "steps": 100, "gradient_evaluations": 100, "step_size": 0.1}
    its = {"model": "quadratic", "loss": "sliced"}
    made = [
        rows(np.full(SEEDS, 0.25), target="gaussian", metric="law_error:of=panel", **its),
        rows(spread("a", 0.2), **common, **its, metric="panel_bias", sampler="mala_from_data"),
        rows(np.full(SEEDS, 0.375), **common, **its, metric="panel_bias", sampler="ula"),
    ]
    parts = decomposition.decompose(pd.concat(made), parse_all("metric", ["panel_bias"])).set_index("part")
    assert parts.loc[["loss", "sampler", "total"], "mean"].tolist() == [0.25, 0.125, 0.375] and set(parts["seeds"].dropna()) == {SEEDS, 0}


def test_the_same_method_on_the_exact_score_has_its_own_friction() -> None:
    """What stands beside a trained source's row is the sampler at its best there, by its method: another friction, not nothing."""
    common = {"target": "gaussian", "metric": "mmd", "temperature": 1.0, "steps": 100, "gradient_evaluations": 100, "step_size": 0.1}
    made = [
        rows(spread("a", 0.2), **common, sampler="mala_from_data", model="quadratic", loss="sliced"),
        rows(spread("b", 0.5), **common, sampler="underdamped:friction=2", model="quadratic", loss="sliced"),
        rows(np.full(SEEDS, 0.125), **common, sampler="underdamped:friction=0.5"),
        rows(spread("c", 0.3), **common, sampler="underdamped:splitting=ABOBA"),
    ]
    parts = decomposition.decompose(pd.concat(made), parse_all("metric", ["mmd"])).set_index("part")
    assert set(parts["sampler"]) == {"underdamped:friction=2"} and parts.loc["sampler_exact", "mean"] == pytest.approx(0.125)


def test_a_sampler_without_a_step_is_shown_as_others_are() -> None:
    """In the table, decomposed, and among the recommendations: it has one cell."""
    common = {
        "target": "gaussian",
        "metric": "mmd",
        "temperature": 1.0,
        "steps": 16,
        "gradient_evaluations": 31,
        "floor_mean": 0.0,
        "floor_q95": 0.1,
    }
    learnt = {"model": "noise_conditional_energy", "loss": "denoising_ladder:sigmas=2|1"}
    flow, mmd = {"sampler": "probability_flow"} | common, parse_all("metric", ["mmd"])
    made = [
        rows(spread("a", 0.3), **flow),
        rows(spread("b", 0.2), **flow, **learnt),
        rows(spread("c", 0.15), **common, **learnt, sampler="mala_from_data", step_size=0.1),
        *(rows(spread("d", value), **common, sampler="ula", step_size=step) for value, step in ((0.4, 0.1), (0.5, 0.2))),
    ]
    chosen = at_best_steps(pd.concat(made, ignore_index=True), mmd)
    table = tables.samplers(chosen, mmd, 1.25)
    shown = table[table["sampler"] == "probability_flow"]
    assert list(shown["leads"]) == [True, True] and shown["step_size"].isna().all() and len(table) == 4
    parts = decomposition.decompose(chosen, mmd).set_index("part")
    assert (
        set(parts["sampler"]) == {"probability_flow"} and parts["step_size"].isna().all() and list(parts.index) == list(decomposition.PARTS)
    )
    assert parts.loc["sampler_exact", "mean"] == pytest.approx(0.3, rel=0.1)
    assert _choice(shown.iloc[0]) == "probability flow"


def test_the_rate_with_the_lowest_loss_is_taken() -> None:
    """By the mean over seeds; one that is not finite on some seed is not taken while another is."""
    values = ({0.1: [1.0, 2.0], 0.2: [1.0, 1.5]}, {0.1: [3.0, 3.0], 0.2: [0.0, np.nan]}, {0.1: [np.nan, 1.0], 0.2: [np.inf, 0.0]})
    assert [lowest(by_rate) for by_rate in values] == [0.2, 0.1, 0.1]


def test_leaders_on_exact_and_trained_sources_are_apart() -> None:
    """Each has its own leader; a control that starts from data does not compete; a rival's difference stands beside it."""
    mmd = parse_all("metric", ["mmd"])
    common = {"target": "gaussian", "metric": "mmd", "temperature": 1.0, "steps": 100, "gradient_evaluations": 100, "step_size": 0.1}
    trained = {"model": "quadratic", "loss": "sliced"}
    made = [
        rows(spread("a", 0.1), **common, sampler="ula"),
        rows(spread("b", 0.3), **common, sampler="mala"),
        rows(spread("c", 0.4), **common, **trained, sampler="ula"),
        rows(spread("d", 0.5), **common, **trained, sampler="mala"),
        rows(spread("e", 0.01), **common, **trained, sampler="mala_from_data"),
        rows(spread("f", 0.02), **common, model="quadratic", loss="explicit", sampler="ula"),  # a yardstick
    ]
    chosen = at_best_steps(pd.concat(made), mmd)
    table = tables.samplers(chosen, mmd, 1.25)
    leads = table[table["leads"]]
    assert [(m == "", s) for m, s in zip(leads["model"], leads["sampler"], strict=True)] == [(True, "ula"), (False, "ula")]
    behind = table[table["word"] == "worse"]
    assert leads["best"].all() and list(behind["apart"]) == pytest.approx([0.2, 0.1], rel=0.3) and (behind["apart_low"] > 0).all()
    assert set(chosen["seed"]) == set(range(SEEDS))  # there is nothing to choose
    table = tables.samplers(
        chosen, mmd, 1.25, late={("gaussian", "ula"), ("two_moons", "mala")}
    )  # who does not arrive leads on the exact score alone
    assert list(table.loc[table["leads"], "sampler"]) == ["ula", "mala"]


def test_what_ranks_a_target_is_what_the_suite_says() -> None:
    """Of two metrics that disagree: by the first ULA leads, by the named one MALA does, though the control is not far off by it."""
    common = {"target": "gaussian", "temperature": 1.0, "steps": 100, "gradient_evaluations": 100, "step_size": 0.1}
    made = [
        rows(spread(f"{sampler}{metric}", value), **common, sampler=sampler, metric=metric)
        for metric, values in (("mmd", (0.1, 0.3, 9.0)), ("c2st", (0.3, 0.1, 0.1)))
        for sampler, value in zip(("ula", "mala", "prior"), values, strict=True)
    ]
    metrics, data = parse_all("metric", ["mmd", "c2st"]), pd.concat(made)
    for rank_by, best in (({}, "ula"), ({"gaussian": None}, "ula"), ({"gaussian": "c2st"}, "mala")):
        table = tables.samplers(at_best_steps(data, metrics, rank_by), metrics, 1.25, rank_by)
        assert set(table.loc[table["leads"], "sampler"]) == {best}


def test_the_loss_that_leads_and_samples_worse_is_told_so_in_both_answers(tmp_path) -> None:
    """With the lower divergence and the worse samples, in the answer about the loss and in that about samples; where its samples are no worse, or its
    divergence is not told from that of the better samples, in neither.
    """
    common = {"target": "gaussian", "model": "quadratic", "status": "ok", "train_steps": 100.0}
    sampled = {
        "sampler": "ula",
        "metric": "mmd",
        "temperature": 1.0,
        "steps": 100,
        "gradient_evaluations": 100,
        "step_size": 0.1,
        "chains": 16,
    }
    for near, divergence, said in ((0.3, 0.01, True), (0.1, 0.01, False), (0.3, 0.049, False)):
        made = [
            rows(spread("f", divergence), **common, metric="relative_fisher_divergence", loss="sliced"),
            rows(spread("g", 0.05), **common, metric="relative_fisher_divergence", loss="implicit"),
            rows(spread("a", near), **common | sampled, loss="sliced"),
            rows(spread("b", 0.1), **common | sampled, loss="implicit"),
        ]
        folder = tmp_path / f"{near} {divergence}"
        folder.mkdir()
        results = tabled(folder, invented(folder, pd.concat(made).to_dict("records")), "mmd")
        answers = {answer.what: answer.evidence for answer in recommendations(results)}
        assert ("its samples are worse" in answers["loss"]) is said
        assert ("gives the worse samples" in answers["loss with its sampler"]) is said


# One seed, and what cannot be had.


def two_seeds(folder: Path, **more: object) -> Results:
    """A run with two seeds: one chooses, one judges."""
    common = {"target": "gaussian", "metric": "mmd", "temperature": 1.0, "steps": 100, "gradient_evaluations": 100, "chains": 16}
    common |= {"floor_mean": 0.0, "floor_sd": 0.1 / 1.645, "floor_q95": 0.1, "status": "ok"}
    made = [
        common | {"sampler": sampler, "seed": seed, "step_size": step, "value": value + seed}
        for sampler, value in (("ula", 0.5), ("mala", 0.7))
        for seed in (0, 1)
        for step in (0.1, 0.2)
    ]
    made += [row | {"metric": "rhat", "floor_mean": np.nan, "floor_q95": np.nan} | more for row in made] if more else []
    return tabled(folder, invented(folder, made), "mmd", "rhat")


def tabled(folder: Path, results: Results, *names: str) -> Results:
    """The run with its tables of losses and samplers written."""
    metrics = parse_all("metric", list(names))
    made = {
        "samplers": tables.samplers(at_best_steps(results.metrics, metrics), metrics, 1.25),
        "losses": tables.losses(results.metrics, FISHER, 1.25),
    }
    checksums = results.manifest["sha256"]
    for name, frame in made.items():
        content = TABLES[name].to_csv(frame)
        (folder / "tables").mkdir(exist_ok=True)
        (folder / f"tables/{name}.csv").write_bytes(content)
        checksums[f"tables/{name}.csv"] = hashlib.sha256(content).hexdigest()
    return results


def test_one_seed_has_no_interval_and_no_test(tmp_path: Path) -> None:
    results = two_seeds(tmp_path)
    (answer,) = recommendations(results)
    assert answer.evidence == "MMD² (h = 1.0 rms) 1.5 (95 % of exact draws: below 0.1), one seed"
    assert answer.standing(2) == "one seed judges: no interval, no test" and not answer.best and answer.tied == []
    shown = render.wide("samplers", results.table("samplers"))
    for text in (render.markdown(shown), render.latex(shown)):
        assert "nan" not in text.lower()


def test_tuned_options_are_told_with_the_step() -> None:
    """Whatever their value, the default too; of what is not tuned the label tells."""
    row = {"model": "", "loss": "", "sampler": "underdamped:friction=0.5", "step_size": 0.1}
    assert _choice(pd.Series(row)) == "underdamped, BAOAB at step 0.1, friction 0.5"
    assert _choice(pd.Series(row | {"sampler": "underdamped:splitting=ABOBA"})) == "underdamped, ABOBA at step 0.1, friction 1"
    assert _choice(pd.Series(row | {"sampler": "ula"})) == "ULA at step 0.1"


def test_no_rhat_is_told(tmp_path: Path) -> None:
    lacking = {"value": np.nan, "status": "not_applicable", "reason": "2 draws a chain; it takes 4"}
    (answer,) = recommendations(two_seeds(tmp_path, **lacking))
    assert answer.evidence.endswith("one seed; no R-hat: 2 draws a chain; it takes 4")


def test_the_reason_of_a_failure_is_told(tmp_path: Path) -> None:
    rows = [
        {"target": "gaussian", "sampler": "ula", "metric": "mmd", "seed": seed, "status": "failed", "reason": f"mmd is not finite{why}"}
        for seed, why in enumerate(("", "", ", twice"))
    ]
    (line,) = troubles(invented(tmp_path, rows))
    assert "3 failed (mmd is not finite; and 1 more), of 3 values; see " in line


def test_a_value_that_is_not_a_number_does_not_lead() -> None:
    """Of a divergence that is 0 there is no logarithm: such a method is no leader with the mean nan."""
    data = sources(sliced=0.1, implicit=0.2).reset_index(drop=True)
    data.loc[(data["loss"] == "sliced") & (data["seed"] == 0), "value"] = 0.0
    table = tables.losses(data, FISHER, 1.25).set_index("loss")
    assert table.loc["implicit", "leads"] and not table.loc["sliced", "leads"]


ODD = (
    "null",
    "nan",
    "NA",
    "None",
    "true",
    "1e5",
    "N/A",
    "-inf",
    "",
    "1",
    "inf",
    "index",
    "con",
    "=1+1",
    "'",
    '"',
    "a,b",
    " a ",
    "é",
    "x" * 300,
)


def test_odd_names_are_names(tmp_path: Path) -> None:
    """In every table, both ways, in JSON and in what is shown."""
    frame = METRICS.frame(
        [{"target": "gaussian", "loss": name, "sampler": name, "metric": "mmd", "value": 1.0, "status": "ok"} for name in ODD]
    )
    again = METRICS.from_csv(METRICS.to_csv(frame), "here")
    assert list(again["loss"]) == list(again["sampler"]) == list(ODD)
    write(tmp_path, METRICS.to_csv(frame))
    assert list(scorebench.load(tmp_path)["loss"]) == list(ODD)
    artifacts.write_json(tmp_path / "a.json", {name: name for name in ODD})
    assert sealed.read(tmp_path / "a.json") == {name: name for name in ODD}
    shown = frame[["loss"]]
    plain = [name for name in ODD if name.isprintable() and name.isascii()]
    for name in plain:
        assert f"| {name} |\n" in render.markdown(shown) and (not name or f"\n{name} " in render.latex(shown))


TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=6), min_size=5, max_size=5)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_any_text_is_read_back(rows: list[list[str]]) -> None:
    """Names and reasons, whatever a method is called or says; a carriage return, which a line does not hold, is no part of either."""
    names = ["target", "loss", "sampler", "metric", "reason"]
    common = [{"value": 1.0, "status": "failed", "seed": seed} for seed in range(len(rows))]
    frame = METRICS.frame([dict(zip(names, texts, strict=True)) | its for texts, its in zip(rows, common, strict=True)])
    assert METRICS.from_csv(METRICS.to_csv(frame), "here")[names].to_numpy().tolist() == rows


def test_a_seed_without_a_value_does_not_hide_the_others() -> None:
    """A dash where no seed has one; else the mean, and of how many seeds it is not."""
    assert str(render.Cell(others={"not_applicable": 3})) == "-"
    some = render.Cell(0.25, 0.2, 0.3, seeds=2, others={"not_applicable": 1})
    assert str(some) == "0.25 [0.2, 0.3]; not applicable 1/3"


def test_a_sensitivity_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    """A line a reason, with the metrics that it is of: a target without modes has planted faults of none."""
    results = invented(tmp_path, [], sensitivity=Sensitivity(target="two_moons"))
    jobs = results.plan.jobs("sensitivity")
    assert len(jobs) > 1
    for job in jobs:
        artifacts.write_json(
            tmp_path / f"timings/sensitivity/{job}.json", {"status": "not_applicable", "reason": "the target has no modes"}
        )
    (line,) = inapplicable(results)
    metrics = ", ".join(str(metric) for metric in results.plan.sensitivities.values())
    assert line == f"sensitivity of {metrics}: the target has no modes" and troubles(results) == []
    artifacts.write_json(tmp_path / f"timings/sensitivity/{jobs[0]}.json", {"status": "timeout", "reason": ""})
    (line,) = troubles(results)
    assert line == f"sensitivity of {results.plan.sensitivities[jobs[0]]}: timeout; see {tmp_path / 'logs/sensitivity' / jobs[0]}.log"


def test_reporting_waits_for_no_torch(tmp_path: Path) -> None:
    """Which takes a second or more to load, at the end of every run; what it computed with the jobs have said."""
    program = """
import sys
from pathlib import Path
from scorebench.stages import figure, page, tables
from scorebench.store import artifacts, provenance
from scorebench.suite.jobs import timing
from scorebench.suite.plan import Plan
from scorebench.suite.reading import checked

claims = ("step-size-bias", "force-sign", "wiener-increment")
suite = {"name": "x", "seed": 0, "metrics": ("mmd",), "experiments": ({"target": "gaussian", "seeds": 2},), "claims": claims}
plan, folder = Plan(checked(suite, "x")), Path(sys.argv[1])
for claim, capability in zip(claims, ("AVX512", "AVX2", "AVX512"), strict=True):
    artifacts.write_json(folder / timing("claim", claim), {"cpu_capability": capability, "gpu": ""})
machine = provenance.manifest(plan, folder)["machine"]
print(machine["cpu_capability"], machine["gpu"] == "", "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "AVX2, AVX512 True False"
