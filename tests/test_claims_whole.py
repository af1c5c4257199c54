"""Every claim, run as the stage runs it but no larger than its power asks for, comes to its registered verdict; figures are drawn from the files.

A true experiment disagrees with probability 1e-7 a quantity (the claims' own rule), 1e-4 at most for all here.
"""

from pathlib import Path

import pytest
from matplotlib import pyplot as plt
from smaller_claims import shrink_with_its_power

from scorebench.core import registry
from scorebench.figures.base import style
from scorebench.stages import claim as stage
from scorebench.store.results import Results
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

PLAN = Plan(load("workflows/suites/article.yaml").model_copy(update={"seed": 11}))
FIGURES = [name for name in registry.names("figure") if set(registry.entry("figure", name).facts.get("USES", ())) == {"claim"}]


TOGETHER = {name: PLAN.claims_of_figure(name) for name in FIGURES if "" not in registry.entry("figure", name).facts["USES"]["claim"]}
"""The claims of each figure that is drawn from claims alone; a figure of all of them stands in the tests of figures."""
OTHERS = [claim for claim in registry.names("claim") if not any(claim in claims for claims in TOGETHER.values())]


def assert_whole(monkeypatch: pytest.MonkeyPatch, claim: str, folder: Path) -> None:
    shrink_with_its_power(monkeypatch, claim)
    stage.run(PLAN, claim, folder)
    result = Results(folder, PLAN).claim(claim)
    assert result.verdict == result.expected, (result.reason, [q for q in result.quantities if not q.agrees])


@pytest.mark.parametrize("claim", OTHERS)
def test_whole(monkeypatch, tmp_path, claim):
    assert_whole(monkeypatch, claim, tmp_path)


@pytest.mark.parametrize("name", TOGETHER)
def test_whole_and_drawn(monkeypatch, tmp_path, name):
    for claim in TOGETHER[name]:
        assert_whole(monkeypatch, claim, tmp_path)
    assert_drawn(name, Results(tmp_path, PLAN))


def assert_drawn(name: str, results: Results) -> None:
    """Each panel holds something."""
    with style():
        figure = registry.module("figure", name).draw(results)
        assert all(ax.has_data() for ax in figure.axes)
        figure.savefig(results.folder / "figure.png", dpi=40)
    plt.close("all")
