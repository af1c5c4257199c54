"""Which jobs share a start of Python: few starts, none that takes long, and nothing beside what comes from elsewhere."""

from pathlib import Path

import pytest
from test_plugins import own  # noqa: F401

from scorebench.core.spec import Spec
from scorebench.suite.estimate import seconds
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import FIGURES_SECONDS, SECONDS, Plan
from scorebench.suite.reading import load

SUITES = [Plan(load(path)) for path in sorted(Path("workflows/suites").glob("*.yaml"))]


@pytest.fixture(params=SUITES, ids=lambda plan: plan.suite.name)
def plan(request: pytest.FixtureRequest) -> Plan:
    return request.param


def test_article_starts_python_at_most_70_times() -> None:
    (article,) = (plan for plan in SUITES if plan.suite.name == "article")
    assert sum(len(article.batches(stage)) for stage in STAGES) <= 70


def test_the_target_of_the_sensitivity_is_a_method_of_the_suite(tmp_path: Path) -> None:
    """Whatever asks which files a suite rests on asks for its methods."""
    (tmp_path / "a.yaml").write_text(
        "{name: a, seed: 1, metrics: [mmd], sensitivity: {target: two_moons}, experiments: [{target: gaussian, seeds: 2}]}"
    )
    assert Spec("target", "two_moons") in Plan(load(tmp_path / "a.yaml")).methods


def test_every_job_is_done_once(plan: Plan) -> None:
    for stage in STAGES:
        assert sorted(job for batch in plan.batches(stage) for job in batch) == sorted(plan.jobs(stage))


def test_company_is_of_one_target_and_short(plan: Plan) -> None:
    """What takes long is by itself: two on two cores take half as long, and an edit of one reruns no long other."""
    shared = [(stage, batch) for stage in STAGES for batch in plan.batches(stage) if len(batch) > 1]
    assert shared
    for stage, batch in shared:
        assert sum(seconds(plan, stage, job) for job in batch) <= (FIGURES_SECONDS if stage == "figure" else SECONDS)
        if stage in ("train", "sample", "measure"):
            assert len({job.partition("/")[0] for job in batch}) == 1
        if stage == "sample":
            assert len({bool(plan.inputs(stage, job)) for job in batch}) == 1
    assert plan.suite.name != "paper" or any(len(batch) == 1 for batch in plan.batches("train"))


def test_a_figure_of_claims_waits_for_what_shares_a_process_with_its_own(plan: Plan) -> None:
    process = {claim: batch for batch in plan.batches("claim") for claim in batch}
    for batch in plan.batches("figure"):
        assert len({frozenset(process[claim] for claim in plan.claims_of_figure(figure)) for figure in batch}) == 1
        assert len({"manifest.json" in plan.inputs("figure", figure) for figure in batch}) == 1


def test_what_comes_from_elsewhere_is_alone(own: Path, tmp_path: Path) -> None:  # noqa: F811
    """Each of its own; what is built in shares a process, that of the target of a stranger, too."""
    plan = Plan(load(tmp_path / "suite_of_mine.yaml"))
    assert plan.batches("sample") == [("my_target/ula",), ("my_target/my_sampler",), ("gaussian/ula",), ("gaussian/my_sampler",)]
    assert plan.batches("measure")[:2] == [("my_target/mean_error", "my_target/fisher_divergence"), ("my_target/my_metric",)]
    assert plan.batches("train")[0] == ("my_target/quadratic/implicit",) and len(plan.batches("train")) == 4
    assert plan.batches("map") == [("gaussian",), ("my_target",)] and plan.batches("claim") == [("my-claim",)]


def test_the_log_is_that_of_the_process() -> None:
    (smoke,) = (plan for plan in SUITES if plan.suite.name == "smoke")
    assert (
        smoke.log("measure", "gaussian/mmd")
        == smoke.log("measure", "gaussian/rhat")
        == "logs/measure/gaussian/relative_fisher_divergence.log"
    )
    assert smoke.log("tables") == "logs/tables.log"
