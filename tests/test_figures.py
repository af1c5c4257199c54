"""Contract of figures, over the registry: they say what to see and what they need, and without data they say so; and, for those of the comparison,
that what they draw are the numbers of a run.
"""

import contextlib
import hashlib
import io
import shutil
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import in_this_process
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scorebench import stages
from scorebench.core import registry, schema
from scorebench.core.errors import NotApplicable
from scorebench.core.schema import Ended, Status
from scorebench.core.spec import parse
from scorebench.engine.maps import maps as maps_of
from scorebench.engine.sources import sources
from scorebench.figures.base import labels, lines, mark_lost, source_label, style
from scorebench.report.choosing import is_ok
from scorebench.report.statistics import t_interval
from scorebench.stages import figure
from scorebench.stages import map as map_stage
from scorebench.stages import sample as sample_stage
from scorebench.stages import train as train_stage
from scorebench.stages import work as work_stage
from scorebench.stages.record import record
from scorebench.store import artifacts, provenance, trained, works
from scorebench.store.maps import of_source
from scorebench.store.results import Results
from scorebench.suite.plan import Plan
from scorebench.suite.reading import as_suite, load

FIGURES = pytest.mark.parametrize("name", registry.names("figure"))
COMPARISON = [name for name in registry.names("figure") if "/comparison/" in registry.entry("figure", name).file]


@FIGURES
def test_a_figure_says_what_to_see(name: str) -> None:
    facts = registry.entry("figure", name).facts
    assert facts["LABEL"] and len(facts["CAPTION"]) > 40 and facts["CAPTION"].endswith(".")
    assert facts["USES"] and set(facts["USES"]) <= set(registry.FOLDERS)
    for kind, methods in facts["USES"].items():
        assert isinstance(methods, tuple) and set(methods) - {""} <= set(registry.names(kind))
    assert facts.get("READS") or "claim" in facts["USES"]
    assert callable(registry.module("figure", name).draw)


def test_a_figure_waits_for_what_it_reads() -> None:
    plan = Plan(load("workflows/suites/article.yaml"))
    assert plan.inputs("figure", "mixing_weights") == ["claims/mixing-weights.json", "claims/mixing-weights.npz"]
    assert set(plan.inputs("figure", "acceptance_and_ess")) == {"metrics.csv", "manifest.json"}
    assert set(plan.inputs("figure", "claims_overview")) == {file for claim in plan.suite.claims for file in plan.outputs("claim", claim)}
    assert plan.figure_of_claim["mixing-weights"] == "mixing_weights" and plan.figure_of_claim["force-sign"] == "claims_overview"
    outputs = [file for stage in ("train", "sample", "map", "tables") for job in plan.jobs(stage) for file in plan.outputs(stage, job)]
    patterns = {pattern for name in registry.names("figure") for pattern in registry.entry("figure", name).facts.get("READS", ())}
    assert all(any(fnmatchcase(file, pattern) for file in [*outputs, "work/gaussian/ula.npz"]) for pattern in patterns)


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A run whose tables have no rows."""
    folder = tmp_path_factory.mktemp("nothing")
    plan = Plan(as_suite({"name": "x", "seed": 0, "metrics": ["mmd"], "experiments": [{"target": "gaussian:dim=3", "seeds": 2}]}))
    tables = {"metrics": schema.METRICS, "timings": schema.TIMINGS} | {f"tables/{name}": table for name, table in schema.TABLES.items()}
    files = {f"{name}.csv": table.to_csv(table.frame([])) for name, table in tables.items()}
    for path, content in files.items():
        artifacts.write_bytes(folder / path, content)
    sums = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    artifacts.write_json(folder / "manifest.json", provenance.manifest(plan, folder) | {"sha256": sums})
    return Results(folder, plan)


@FIGURES
def test_a_figure_without_data_is_not_applicable(name: str, nothing: Results) -> None:
    with style(), pytest.raises(NotApplicable):
        registry.module("figure", name).draw(nothing)
    plt.close("all")


SUITE = """
name: tiny
seed: 3
metrics: [relative_fisher_divergence, "relative_fisher_divergence:to=fixed_point", "field_error:of=rotation", field_error, "mmd:fraction=0.2",
  mode_weight_error, within_mode_sliced_w2, second_moment_bias, recall, ess, acceptance]
sensitivity: {target: gaussian_mixture, chains: 16, repeats: 20}
accuracy: {pilot: 80, final: 160, epsilon: 0.5}
experiments:
  - target: gaussian
    seeds: 4
    work: {samplers: [ula, mala, prior], step_sizes: [0.5, 1.0], budget: 60}
    exact: {samplers: [ula, mala], step_sizes: [0.1, 0.5, 2.5], chains: 16, budgets: [20, 60]}
  - target: gaussian_mixture
    seeds: 4
    training: {size: 500, sizes: [100], batch: 64, steps: [5, 80], sweep: {learning_rates: [1e-2, 1e-1], seeds: 2, steps: 5}}
    sources: {"mlp_energy:width=8": [explicit, sliced_vr, "denoising:sigma=0.2", "denoising:sigma=0.4"], "mlp_score:width=8": ["denoising:sigma=0.2"]}
    exact:
      - {samplers: [ula, mala], step_sizes: [0.02, 0.1], temperatures: [0.5, 1.0], chains: 16, budgets: [20, 60]}
      - {samplers: ["annealed:sigmas=2|1|0.5,steps=5", "annealed:sigmas=2|0.5,steps=5"], step_sizes: [0.02], chains: 16, budgets: [20, 60]}
    trained: {samplers: [ula, mala_from_data], step_sizes: [0.02], chains: 16, budgets: [20, 60]}
  - target: digits
    seeds: 2
    training: {size: 100, batch: 16, steps: [5]}
    sources: {"mlp_energy:width=8": ["denoising:sigma=0.4"]}
    exact: {samplers: [exact, prior], step_sizes: [0.01], chains: 16, budgets: [20]}
    trained: {samplers: [ula], step_sizes: [0.01], chains: 16, budgets: [20]}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("figures")
    (folder / "tiny.yaml").write_text(SUITE)
    plan = Plan(load(folder / "tiny.yaml"))
    with in_this_process():
        for stage in ("train", "sample", "measure", "work", "map", "sensitivity", "tables"):
            for job in plan.jobs(stage):
                stages.run(stage, plan, job, folder)
    return Results(folder / "tiny", plan)


@pytest.fixture
def axes(request: pytest.FixtureRequest, run: Results) -> Iterator[list[Axes]]:
    """The panels of the figure that the test is about."""
    with style():
        yield registry.module("figure", request.param).draw(run).axes
    plt.close("all")


def of(figure: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("axes", [figure], indirect=True, ids=str)


@pytest.mark.parametrize("name", COMPARISON)
def test_a_figure_is_drawn_from_what_it_says(run: Results, name: str) -> None:
    with style(), record(run.plan, run.folder, "figure", name) as entry:
        figure = registry.module("figure", name).draw(Results(run.folder, run.plan))
    assert isinstance(figure, Figure) and figure.axes and all(ax.has_data() for ax in figure.axes)
    plt.close(figure)
    inputs, opened = run.plan.inputs("figure", name), set(entry["reads"])
    assert opened <= set(inputs)
    for pattern in registry.entry("figure", name).facts["READS"]:
        promised = {file for file in inputs if fnmatchcase(file, pattern)}
        assert not promised or promised & opened, pattern


def test_a_map_is_of_the_first_seed_after_the_last_step(run: Results) -> None:
    """Float32 rounds what is worked out for one seed and for all in another order."""
    train = next(train for train in run.plan.trains.values() if len(train.losses) == 2)
    target = train.target.build()
    every = sources(*trained.read(run.folder / f"train/{train.id}.npz"), train, target)
    last = [source for source in every if source.steps == train.experiment.training.steps[-1]]
    maps = run.maps(train.target)
    x = torch.cartesian_prod(*torch.as_tensor(maps["axes"])).float()
    assert [source.loss for source in last] == list(train.losses)
    for source in last:
        score, log_prob = source.density.score_and_log_prob(x.expand(4, 1, -1, 2))
        for name, exact in (("score", score), ("log_prob", log_prob)):
            shown = torch.as_tensor(maps[of_source(name, str(source.model), str(source.loss))]).view_as(exact[0, 0])
            torch.testing.assert_close(shown, exact[0, 0], rtol=1e-4, atol=1e-5)
            assert not torch.allclose(shown, exact[1, 0], rtol=1e-2)


LOST: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "everything": lambda rows: rows["target"] != "",
    "one target": lambda rows: rows["target"] == "gaussian_mixture",
    "all that is sampled": lambda rows: rows["sampler"] != "",
    "all that is trained": lambda rows: rows["model"] != "",
    "one metric": lambda rows: rows["metric"].isin(["relative_fisher_divergence", "mmd:fraction=0.2", "ess"]),
    "every other row": lambda rows: rows.index % 2 == 0,
}
"""What of a run has failed."""


@pytest.fixture(scope="module", params=LOST)
def lost(request: pytest.FixtureRequest, run: Results, tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("lost") / "tiny"
    shutil.copytree(run.folder, folder)
    for path in (folder / "measure").rglob("*.csv.gz"):
        rows = pd.read_csv(io.BytesIO(artifacts.read_gzip(path)), dtype=str, keep_default_na=False)
        rows.loc[LOST[request.param](rows), ["value", "standard_error", "z", "status"]] = ("", "", "", "failed: on purpose")
        artifacts.write_gzip(path, rows.to_csv(index=False).encode())
    if request.param == "everything":
        for job in run.plan.samples.values():
            sample_stage.lost(run.plan, job.id, folder, Ended(Status.TIMEOUT))
        for job in run.plan.targets:
            map_stage.lost(run.plan, job, folder, Ended(Status.TIMEOUT))
        for job in run.plan.trains:
            train_stage.lost(run.plan, job, folder, Ended(Status.TIMEOUT))
        for job in run.plan.works:
            work_stage.lost(run.plan, job, folder, Ended(Status.TIMEOUT))
    stages.run("tables", run.plan, "", folder.parent)
    return Results(folder, run.plan)


@pytest.mark.parametrize("name", COMPARISON)
def test_a_figure_shows_what_is_left_or_says_that_nothing_is(lost: Results, name: str) -> None:
    with style(), contextlib.suppress(NotApplicable):
        figure = registry.module("figure", name).draw(Results(lost.folder, lost.plan))
        assert isinstance(figure, Figure)
        figure.savefig(io.BytesIO(), dpi=40)
    plt.close("all")


def test_a_page_is_made_of_what_is_left(lost: Results) -> None:
    for name in lost.plan.suite.figures:
        stages.run("figure", lost.plan, name, lost.folder.parent)
    stages.run("page", lost.plan, "", lost.folder.parent)
    assert (lost.folder / "index.html").stat().st_size > 10_000


def points(ax: Axes) -> list[np.ndarray]:
    """The ordinates of each line of the panel that is no mark, line across or bar."""
    return [np.asarray(line.get_ydata(), float) for line in ax.lines if len(line.get_xdata()) > 0]


def assert_drawn(ax: Axes, values: pd.Series) -> None:
    """Some line of the panel goes through the values and no others."""
    assert any(len(y) == len(values) and np.allclose(y, values, rtol=1e-9) for y in points(ax)), (values, points(ax))


def exact(run: Results, metric: str, **columns: object) -> pd.DataFrame:
    rows = run.metrics
    rows = rows[
        (rows["model"] == "") & (rows["metric"] == metric) & (rows["steps"] == rows["steps"].groupby(rows["target"]).transform("max"))
    ]
    return rows[(rows[list(columns)] == pd.Series(columns)).all(axis=1)]


@of("bias_against_step_size")
def test_points_are_means_and_crosses_count_the_lost(run: Results, axes: list[Axes]) -> None:
    rows = exact(run, "second_moment_bias", target="gaussian", temperature=1.0)
    for sampler, steps in (("ula", 2), ("mala", 3)):
        here = rows[(rows["sampler"] == sampler) & is_ok(rows)]
        means = here.groupby("step_size")["value"].mean()
        assert len(means) == steps
        assert_drawn(axes[0], means)
    low, high = t_interval(here.loc[here["step_size"] == 0.1, "value"])[1:]
    bars = [segment[:, 1] for bar in axes[0].collections for segment in bar.get_segments()]
    assert any(np.allclose(bar, (low, high)) for bar in bars)
    assert [text.get_text() for text in axes[0].texts] == ["4 of 4\ndiverged"]


@of("noise_levels")
def test_divergences_have_geometric_means(run: Results, axes: list[Axes]) -> None:
    rows = run.metrics
    rows = rows[(rows["metric"] == "relative_fisher_divergence") & rows["loss"].str.startswith("denoising") & (rows["train_steps"] == 80)]
    rows = rows[(rows["train_size"] == 500) & rows["model"].str.startswith("mlp_energy")]
    means = rows.groupby("sigma")["value"].agg(lambda values: t_interval(values, log=True).mean)
    assert_drawn(axes[0], means)


def test_a_perfect_denoiser_of_a_gaussian() -> None:
    """s_sigma - s = (1 - 1/(1 + sigma^2)) x, over the target's own draws."""
    target = parse("target", "gaussian").build()
    maps = maps_of(target, [], [0.1, 0.5])
    assert len(maps["sigma"]) and maps["blur"] == pytest.approx((1 - 1 / (1 + maps["sigma"] ** 2)) ** 2, rel=1e-4)


@of("acceptance_and_ess")
def test_acceptance_and_size_are_drawn(run: Results, axes: list[Axes]) -> None:
    """Of the size a point for each step at which the chains of all four seeds have mixed, which those between far modes never do."""
    for ax, metric, log in zip(axes, ("acceptance", "ess"), (False, True), strict=True):
        drawn = {float(y) for line in ax.lines for y in line.get_ydata()}
        for target in ("gaussian", "gaussian_mixture"):
            rows = exact(run, metric, target=target, temperature=1.0, sampler="mala").groupby("step_size")
            means = rows["value"].agg(lambda values, log=log: t_interval(values, log).mean)
            whole = rows["status"].agg(lambda status: (status == "ok").all())
            assert [any(np.isclose(mean, y, rtol=1e-4) for y in drawn) for mean in means] == list(whole)
            assert whole.all() == (metric == "acceptance") and (target != "gaussian_mixture" or metric == "acceptance" or not whole.any())


def test_a_size_that_a_seed_lacks_is_no_point(run: Results) -> None:
    """A mean over the seeds that happened to mix would favour steps at which few do."""
    rows = run.metrics.copy()
    of_mala = (rows["sampler"] == "mala") & (rows["metric"] == "ess") & (rows["target"] == "gaussian")
    rows.loc[of_mala, "value"], rows.loc[of_mala, "status"] = 100.0 + rows.loc[of_mala, "seed"].astype(float), "ok"
    for lacks, steps in ((False, [0.1, 0.5, 2.5]), (True, [0.1, 2.5])):
        if lacks:
            rows.loc[of_mala & (rows["step_size"] == 0.5) & (rows["seed"] == 0), ["value", "status"]] = [np.nan, "not_applicable"]
        with style():
            figure = registry.module("figure", "acceptance_and_ess").draw(SimpleNamespace(metrics=rows))
        drawn = [np.array(line.get_data(), float) for line in figure.axes[1].lines]
        assert any(xy.shape == (2, len(steps)) and np.allclose(xy, [steps, [101.4938] * len(steps)], rtol=1e-5) for xy in drawn)
        plt.close(figure)


@of("annealed_against_plain")
def test_the_exact_law_is_a_density(axes: list[Axes]) -> None:
    (law,) = [line for line in axes[2].lines if line.get_label() == "exact law"]
    assert np.trapezoid(law.get_ydata(), law.get_xdata()) == pytest.approx(1, abs=1e-3)
    assert len(axes[2].patches) == 4  # a histogram a sampler


@of("energy_landscapes")
def test_the_best_energy_that_was_not_given_the_score_is_drawn(run: Results, axes: list[Axes]) -> None:
    table = run.table("losses")
    table = table[table["metric"] == "relative_fisher_divergence"].sort_values("mean")
    assert table["loss"].iloc[0] == "explicit"
    assert axes[0].get_title() == "2 modes" and axes[1].get_title() == parse("loss", table["loss"].iloc[1]).label


@of("score_field")
def test_trajectories_are_those_that_were_kept(run: Results, axes: list[Axes]) -> None:
    (_, arrays), *_ = run.samples(parse("target", "gaussian_mixture"), parse("sampler", "ula"))
    traces = arrays["trace"][0, 1]  # of the first seed, at step .02 and T = 1
    drawn = [np.stack(line.get_data(), -1) for line in axes[0].lines if len(line.get_xdata()) == traces.shape[1]]
    assert len(drawn) == 4 and all(any(np.allclose(path, trace) for trace in traces) for path in drawn)


@of("digits_samples")
def test_the_first_digits_are_exact_draws_and_numbers_are_means(run: Results, axes: list[Axes]) -> None:
    (_, arrays), *_ = run.samples(parse("target", "digits"), parse("sampler", "exact"))
    assert len(axes) == 2
    rows = run.metrics[(run.metrics["target"] == "digits") & (run.metrics["sampler"] == "ula") & (run.metrics["metric"] == "recall")]
    (judges,) = rows.loc[rows["seed"] == 1, "value"]
    assert f"recall {judges:.2f} ± " in axes[1].get_title(loc="left")
    assert np.allclose(axes[0].images[0].get_array()[1:9, 1:9], arrays["samples"][-1, -1, 0, 0].reshape(8, 8))


@of("metric_sensitivity")
def test_shares_are_percentages(run: Results, axes: list[Axes]) -> None:
    assert [int(text.get_text()) for text in axes[0].texts] == [round(100 * share) for share in _by_metric(run.table("sensitivity"))]


def _by_metric(table: pd.DataFrame) -> Iterator[float]:
    for metric in table["metric"].unique():
        yield from table.loc[table["metric"] == metric, "share"]


def race(*rows: dict[str, object]) -> pd.DataFrame:
    """A table of works: chosen cells on a Gaussian, unless a row says otherwise."""
    common = {
        "target": "gaussian",
        "step_size": 0.5,
        "panel": "max",
        "phase": "final",
        "chosen": True,
        "status": "ok",
        "epsilon": 0.01,
        "chains": 80,
    }
    return schema.WORK.frame([common | {"sampler": row["method"]} | row for row in rows])


def drawn(table: pd.DataFrame) -> Figure:
    with style():
        return registry.module("figure", "which_sampler").draw(SimpleNamespace(table=lambda name: table))


def test_cells_say_the_work_the_word_and_what_is_left() -> None:
    """The best is framed; what is not reached is hatched, at least so much; what failed says so; a control is left out; a wide interval is no bold number."""
    figure = drawn(
        race(
            {"method": "mala", "gradients": 1234.0, "low": 1100.0, "high": 1400.0, "word": "better", "ratio": 1.0},
            {"method": "ula", "low": 2000.0, "plateau": 0.123, "status": "not_reached", "word": "worse", "ratio_low": 1.5},
            {"method": "hmc", "chosen": False, "status": "failed", "reason": "x", "phase": "pilot"},
            {"method": "prior", "low": 0.0, "plateau": 9.0, "status": "not_reached"},
            {"method": "leimkuhler_matthews", "gradients": 785.0, "low": 34.0, "high": 18349.0},
        )
    )
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.texts] == [
        "1,234 ★",
        "1,100 to 1,400",
        "> 2,000 ✕",
        "b² = 0.12",
        "failed",
        "",
        "~785",
        "34 to 18,349",
    ]
    assert [text.get_weight() for text in ax.texts[::2]] == ["bold", "normal", "normal", "normal"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["MALA", "ULA", "HMC", "Leimkuhler-Matthews"]
    assert [bool(patch.get_hatch()) for patch in ax.patches if patch.get_fill()] == [False, True, True, False]
    (frame,) = [patch for patch in ax.patches if not patch.get_fill()]
    assert frame.get_y() < 0 < frame.get_y() + frame.get_height()  # around the first row
    plt.close(figure)


def test_more_work_is_darker_on_a_logarithmic_scale() -> None:
    names = ("ula", "mala", "leimkuhler_matthews")
    figure = drawn(race(*({"method": name, "gradients": 10.0**k, "ratio": 10.0**k} for k, name in enumerate(names, 1))))
    light = [float(np.mean(patch.get_facecolor()[:3])) for patch in figure.axes[0].patches if patch.get_fill()]
    assert light[0] > light[1] > light[2]
    mapped = figure.axes[1].collections[-1].norm
    assert mapped(100.0) == pytest.approx(0.5, abs=0.01)
    plt.close(figure)


@of("work_curves")
def test_curves_are_those_that_were_measured(run: Results, axes: list[Axes]) -> None:
    """Clipped at the floor, and crossing the threshold where the table says; no line for the control."""
    table, found = run.table("work"), {method.method: method for method in run.works()["gaussian"]}
    chosen = table[table["chosen"] & (table["panel"] == "max")].set_index("method")
    assert {text.get_text() for text in axes[0].figure.legends[0].get_texts()} == {"ULA", "MALA"}
    for name in ("ula", "mala"):
        curves, there = found[name].curves, found[name].curves["gradients"] > 0
        assert_drawn(axes[0], np.maximum(curves["max"][0][there], 0.03 * 0.5))
        if chosen.loc[name, "status"] == "ok":
            marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes[0].lines if len(line.get_xdata()) == 1]
            assert (chosen.loc[name, "gradients"], 0.5) in marks
    assert (chosen["status"] == "ok").sum() == 2  # a threshold of half a variance is reached by both


def test_the_exact_curve_is_drawn_where_there_is_one(run: Results, tmp_path: Path) -> None:
    """From `exact max` of the work's file, in black."""
    shutil.copytree(run.folder, tmp_path / "tiny")
    path = tmp_path.joinpath("tiny", "work", "gaussian", "ula.npz")
    method = works.read(path)
    law = np.linspace(3.0, 0.1, len(method.curves["gradients"]))
    works.write(path, method._replace(curves=method.curves | {"exact max": law}))
    with style():
        figure = registry.module("figure", "work_curves").draw(Results(tmp_path / "tiny", run.plan))
    (black,) = [line for line in figure.axes[0].lines if line.get_color() == "black"]
    assert np.allclose(black.get_ydata(), law[method.curves["gradients"] > 0])
    plt.close(figure)


@of("learning_rate_sweep")
def test_each_loss_has_one_star(axes: list[Axes]) -> None:
    texts = [text.get_text() for text in axes[0].texts]
    assert texts.count("★") == 5 and sum(text.startswith("×") for text in texts) >= 5  # two rates a source, or more where it was widened


@of("error_decomposition")
def test_parts_stand_where_the_table_says(run: Results, axes: list[Axes]) -> None:
    table = run.table("decomposition")
    table = table[table["metric"] == table["metric"].iloc[0]]
    drawn = {float(line.get_xdata()[0]) for line in axes[0].lines}
    assert set(table.loc[table["part"].isin(["loss", "total", "sampler_exact"]), "mean"]) <= drawn


@of("training_cost")
def test_seconds_are_steps_times_what_one_takes(run: Results, axes: list[Axes]) -> None:
    rates = run.timings.loc[run.timings["stage"] == "train", "seconds_per_gradient"].dropna()
    above, below = (next(line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2) for ax in (axes[0], axes[len(axes) // 2]))
    assert any(np.allclose(below, np.asarray(above, float) * rate) for rate in rates)


def test_methods_of_one_label_are_two_on_one_target() -> None:
    """There the spec tells two lists of noise levels apart; made for two targets they are one to the eye."""
    one, other = "annealed:sigmas=2|1|0.5,steps=5", "annealed:sigmas=2|0.5,steps=5"
    rows = pd.DataFrame({"target": ["a", "a", "a", "b"], "method": ["ula", one, other, other]})
    assert list(labels(rows)) == ["ULA", one, other, other]
    assert list(labels(rows.iloc[[0, 1, 3]])) == ["ULA", "annealed Langevin", "annealed Langevin"]


@of("loss_comparison")
def test_losses_stand_in_order(run: Results, axes: list[Axes]) -> None:
    table = run.table("losses")
    table = table[(table["metric"] == "relative_fisher_divergence") & (table["target"] == "gaussian_mixture")].sort_values("mean")
    assert [label.get_text() for label in axes[0].get_yticklabels()] == list(map(source_label, table["model"], table["loss"]))


def test_lost_seeds_are_counted_and_not_averaged() -> None:
    rows = pd.DataFrame({"c": 0.1, "sampler": "ula", "value": [1.0, 2.0, 3.0, 1e9], "status": ["ok", "ok", "ok", "diverged"]})
    with style():
        _, ax = plt.subplots()
        lines(ax, rows, "c", "sampler", ["ula"])
        mark_lost(ax, rows, "c", "sampler", ["ula"], 0.0)
    assert points(ax)[0].tolist() == [2.0] and [text.get_text() for text in ax.texts] == ["1 of 4\ndiverged"]
    plt.close("all")


USERS = {"font.size": 20.0, "text.usetex": True, "savefig.bbox": "tight", "figure.dpi": 50.0, "lines.linewidth": 9.0, "pdf.compression": 0}
"""What a matplotlibrc may say."""


def test_a_users_settings_change_no_figure(run: Results) -> None:
    """The same bytes, PNG and PDF; afterwards the user's settings are as they were."""

    def drawn() -> list[bytes]:
        figure.run(run.plan, "loss_comparison", run.folder)
        return [(run.folder / f"figures/loss_comparison.{ending}").read_bytes() for ending in ("png", "pdf")]

    usual = drawn()
    with mpl.rc_context(USERS):
        assert drawn() == usual
        assert all(mpl.rcParams[name] == value for name, value in USERS.items())


def test_all_claims_are_drawn_before_there_is_a_manifest(tmp_path: Path) -> None:
    """From the reference's claims: the figure waits for no table."""
    shutil.copytree("results/reference/article/claims", tmp_path / "claims")
    with style():
        figure = registry.module("figure", "claims_overview").draw(Results(tmp_path, Plan(load("workflows/suites/article.yaml"))))
    assert len(figure.axes[0].get_yticklabels()) == 48
    plt.close(figure)
