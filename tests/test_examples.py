"""What stands in examples/: each file passes `scorebench check`, is compared with a number, and is what `scorebench new` writes; the package installs."""

import contextlib
import io
import os
from importlib import metadata
from pathlib import Path

import pytest
from conftest import forget_plugins

from scorebench import stages
from scorebench.commands import check as checking
from scorebench.commands import new as writing
from scorebench.core import plugins, registry
from scorebench.store.results import Results
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

FOLDER = writing.EXAMPLES
FILES = [*sorted(FOLDER.glob("*.py")), *sorted(FOLDER.glob("more/*.py")), FOLDER / "package/scorebench_heun/heun.py"]
SUITE = """
name: examples
seed: 1
plugins: [{plugins}]
metrics: [energy_distance, mmd, fisher_divergence]
claims: [fisher-information]
figures: [distance_and_floor]
experiments:
  - target: banana
    seeds: 2
    training: {{size: 200, batch: 32, steps: [20], learning_rate: 1e-2}}
    sources: {{rbf_energy: [curvature_penalty]}}
    exact: {{samplers: [tamed_ula, heun, random_walk, ula], step_sizes: [0.02, 0.05], chains: 32, budgets: [10, 40]}}
    trained: {{samplers: [tamed_ula], step_sizes: [0.05], chains: 32, budgets: [40]}}
"""


def test_there_is_one_of_each_kind() -> None:
    """Which is what `scorebench new` writes; others stand in folders. And `examples` of the repository is the folder that the package carries."""
    assert sorted(filter(None, (plugins.kind_of(path) for path in FOLDER.glob("*.py")))) == sorted(registry.FOLDERS)
    assert (registry.ROOT.parent / "examples").resolve() == FOLDER.resolve()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_passes(path: Path) -> None:
    """False alarms: 1e-5 a check that rests on chance, of which there are some twenty."""
    assert [str(finding) for finding in checking.check([path], "", 0, checking.here) if not finding.passed] == []


def test_examples_are_compared_with_a_number(tmp_path: Path) -> None:
    suite = tmp_path / "suite_of_mine.yaml"
    suite.write_text(SUITE.format(plugins=", ".join(os.path.relpath(path, tmp_path) for path in FILES)))
    plan = Plan(load(suite))
    for stage in STAGES:
        for job in plan.jobs(stage):
            stages.run(stage, plan, job, tmp_path / "results")
    results = Results(tmp_path / "results/examples", plan)
    rows = results.metrics
    assert (rows["status"] == "ok").all() and rows["value"].notna().all()
    assert set(rows["sampler"]) == {"", "tamed_ula", "heun", "random_walk", "ula"} and "curvature_penalty" in set(rows["loss"])
    assert set(rows["metric"]) == {"energy_distance", "mmd", "fisher_divergence"}
    assert results.claim("fisher-information").verdict == "reproduced"
    assert (results.folder / "figures/distance_and_floor.png").stat().st_size > 1_000


def test_the_package_brings_its_sampler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its metadata, made by its own build backend without a network, says where the sampler is."""
    from setuptools import build_meta

    source = tmp_path / "package"
    for path in (FOLDER / "package").rglob("*"):
        if path.suffix in (".py", ".toml"):
            there = source / path.relative_to(FOLDER / "package")
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.chdir(source)
    with contextlib.redirect_stdout(io.StringIO()):
        build_meta.prepare_metadata_for_build_wheel(str(source))
    monkeypatch.syspath_prepend(str(source))
    (point,) = metadata.entry_points(group="scorebench.sampler")
    assert (point.name, point.value) == ("heun", "scorebench_heun.heun")
    forget_plugins()
    assert "heun" in registry.names("sampler") and registry.method("sampler", "heun").__module__ == "scorebench_heun.heun"
