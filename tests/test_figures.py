"""Contract of figures, over the registry: they say what to see and what they need, and without data they say so."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from scorebench.claims.base import Quantity, result
from scorebench.core import registry
from scorebench.core.errors import NotApplicable
from scorebench.figures.base import style
from scorebench.stages.measure import COLUMNS
from scorebench.store import artifacts
from scorebench.store.results import Results
from scorebench.suite.config import Suite
from scorebench.suite.reading import load
from scorebench.suite.plan import Plan

TABLES = ("losses", "samplers", "decomposition", "learning_rates")
FIGURES = pytest.mark.parametrize("name", registry.names("figure"))


@FIGURES
def test_a_figure_says_what_to_see(name: str) -> None:
    facts = registry.entry("figure", name).facts
    assert facts["LABEL"] and len(facts["CAPTION"]) > 40 and facts["CAPTION"].endswith(".")
    assert facts["NEEDS"] and set(facts["NEEDS"]) <= set(registry.FOLDERS)
    for kind, methods in facts["NEEDS"].items():
        assert {methods} - {""} <= set(registry.names(kind)) if isinstance(methods, str) else set(methods) <= set(registry.names(kind))
    assert callable(registry.module("figure", name).draw)


OF_CLAIMS = [n for n in registry.names("figure") if set(registry.entry("figure", n).facts["NEEDS"]) == {"claim"}]


@pytest.mark.parametrize("name", OF_CLAIMS)
def test_a_figure_of_claims_is_drawn(name: str, tmp_path: Path) -> None:
    """From files in which every number was measured as predicted; each panel holds something."""
    plan = Plan(load("workflows/suites/article.yaml"))
    for claim in plan.claims_of_figure(name):
        numbers = [
            Quantity(p.name, p.group, p.setting, p.unit, p.predicted, p.predicted, 0.01 * abs(p.predicted), 1_000, p.tolerance, True)
            for p in registry.module("claim", claim).predict()
        ]
        artifacts.write_json(tmp_path / "claims" / f"{claim}.json", result(claim, 11, "reproduced", numbers).as_json())
    with style():
        figure = registry.module("figure", name).draw(Results(tmp_path))
        assert all(ax.has_data() for ax in figure.axes)
        figure.savefig(tmp_path / "figure.png", dpi=40)
    plt.close("all")


def test_a_figure_of_claims_waits_for_nothing_else() -> None:
    plan = Plan(load("workflows/suites/article.yaml"))
    assert plan.files_of_figure("gibbs_law") == ["claims/boltzmann-steady-state.json"]
    assert set(plan.files_of_figure("noise_levels")) == {"metrics.csv", "manifest.json"}
    assert len(plan.files_of_figure("claims_overview")) == len(plan.suite.claims) + 2
    assert plan.figure_of_claim["mixing-weights"] == "mixing_weights" and plan.figure_of_claim["force-sign"] == "claims_overview"


@FIGURES
def test_a_figure_without_data_is_not_applicable(name: str, tmp_path: Path) -> None:
    suite = {"name": "x", "seed": 0, "metrics": ["mmd"], "experiments": [{"target": "gaussian:dim=3", "seeds": 2}]}
    files = {"metrics.csv": pd.DataFrame(columns=COLUMNS), **{f"tables/{t}.csv": _empty() for t in TABLES}}
    (tmp_path / "tables").mkdir()
    sums = {}
    for path, frame in files.items():
        content = frame.to_csv(index=False).encode()
        (tmp_path / path).write_bytes(content)
        sums[path] = hashlib.sha256(content).hexdigest()
    (tmp_path / "manifest.json").write_text(
        json.dumps({"sha256": sums, "suite": json.loads(Suite.model_validate_json(json.dumps(suite)).model_dump_json())})
    )
    with style(), pytest.raises(NotApplicable):
        registry.module("figure", name).draw(Results(tmp_path))
    plt.close("all")


def _empty() -> pd.DataFrame:
    return pd.DataFrame(columns="target model loss sampler temperature step_size metric mean low high seeds status leads best".split())
