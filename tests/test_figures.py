"""Contract of figures, over the registry: they say what to see and what they need, and without data they say so."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from scorebench.core import registry
from scorebench.core.errors import NotApplicable
from scorebench.figures.base import style
from scorebench.stages.measure import COLUMNS
from scorebench.store.results import Results
from scorebench.suite.config import Suite
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

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


def test_a_figure_of_claims_waits_for_nothing_else() -> None:
    plan = Plan(load("workflows/suites/article.yaml"))
    assert plan.files_of_figure("mixing_weights") == ["claims/mixing-weights.json", "claims/mixing-weights.npz"]
    assert set(plan.files_of_figure("noise_levels")) == {"metrics.csv", "manifest.json"}
    assert set(plan.files_of_figure("claims_overview")) >= {"metrics.csv", *(f"claims/{claim}.json" for claim in plan.suite.claims)}
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
