"""Every claim, run as the stage runs it, comes to its registered verdict; each figure of claims is drawn from the files that they leave.

A true experiment disagrees with probability 1e-7 a quantity (the claims' own rule), 1e-4 at most for all here.
"""

from pathlib import Path

import pytest
from matplotlib import pyplot as plt

from scorebench.core import registry
from scorebench.figures.base import style
from scorebench.stages import claim as stage
from scorebench.store.results import Results
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

PLAN = Plan(load("workflows/suites/article.yaml").model_copy(update={"seed": 11}))
FIGURES = [name for name in registry.names("figure") if set(registry.entry("figure", name).facts.get("USES", ())) == {"claim"}]
SMALLER = {"boltzmann-form": ("CHAINS", 6_000), "fisher-divergence": ("REPEATS", 300)}
"""Enough to keep the leading standard error below .8 %."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the results, which claims fill one after the other: a figure is drawn after the last of its claims."""
    return tmp_path_factory.mktemp("results")


@pytest.mark.parametrize("claim", registry.names("claim"))
def test_whole(monkeypatch, folder, claim):
    if claim in SMALLER:
        monkeypatch.setattr(registry.module("claim", claim), *SMALLER[claim])
    stage.run(PLAN, claim, folder)
    results = Results(folder, PLAN)
    result = results.claim(claim)
    assert result.verdict == result.expected, (result.reason, [q for q in result.quantities if not q.agrees])
    for name in FIGURES:
        if claim in PLAN.claims_of_figure(name) and all((folder / path).exists() for path in PLAN.inputs("figure", name)):
            assert_drawn(name, results)


def assert_drawn(name: str, results: Results) -> None:
    """Each panel holds something."""
    with style():
        figure = registry.module("figure", name).draw(results)
        assert all(ax.has_data() for ax in figure.axes)
        figure.savefig(results.folder / "figure.png", dpi=40)
    plt.close("all")
