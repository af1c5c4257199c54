"""Methods from outside the package: files and installed packages bring any kind, are compared like what is built in, and fail for themselves alone."""

import json
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from conftest import forget_plugins
from forked_python import python

from scorebench import cli, stages
from scorebench.core import files, plugins, registry
from scorebench.core.errors import InputError
from scorebench.core.registry import ROOT
from scorebench.core.spec import Spec
from scorebench.store.results import Results
from scorebench.suite.fingerprint import _understood, fingerprint
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

COPIED = {
    "target": ("targets/gaussian.py", "gaussian", "my_target"),
    "model": ("models/quadratic.py", "Quadratic", "MyModel"),
    "loss": ("losses/implicit.py", "implicit", "my_loss"),
    "sampler": ("samplers/ula.py", "ULA", "MySampler"),
    "metric": ("metrics/mean_error.py", "mean_error", "my_metric"),
}
"""One of each kind as a stranger might have written it: a built-in one under another name."""
CLAIM = '''"""Two and two."""

from scorebench.claims.base import Measurement, Prediction

LABEL = "my claim"
STATEMENT = "2+2=4"
EXPECTED = "reproduced"
LEADING = "sum"


def predict():
    return [Prediction("sum", "as-written", {}, "", 4.0)]


def measure(master):
    return {"sum": Measurement(2.0 + 2.0)}
'''
FIGURE = '''"""A picture."""

from matplotlib import pyplot as plt

LABEL = "my figure"
CAPTION = "Nothing."
USES = {"target": ("my_target",)}
READS = ("metrics.csv",)


def draw(results):
    figure, ax = plt.subplots()
    ax.plot(results.metrics["value"])
    return figure
'''
SUITE = """
name: mine
seed: 1
plugins: [own/my_target.py, own/my_model.py, own/my_loss.py, own/my_sampler.py, own/my_metric.py, own/my_claim.py, own/my_figure.py]
metrics: [mean_error, my_metric, fisher_divergence]
claims: [my-claim]
figures: [my_figure]
experiments:
  - target: my_target
    seeds: 2
    training: {size: 100, batch: 16, steps: [5], learning_rate: 1e-2}
    sources: {my_model: [my_loss, implicit], quadratic: [my_loss, implicit]}
    exact: {samplers: [my_sampler, ula], step_sizes: [0.05], chains: 16, budgets: [20]}
  - target: gaussian
    seeds: 2
    exact: {samplers: [my_sampler, ula], step_sizes: [0.05], chains: 16, budgets: [20]}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    for kind, (file, old, new) in COPIED.items():
        text = (ROOT / file).read_text()
        assert text.count(old) > 0
        (folder / f"my_{kind}.py").write_text(text.replace(f"def {old}(", f"def {new}(").replace(f"class {old}", f"class {new}"))
    (folder / "my_claim.py").write_text(CLAIM)
    (folder / "my_figure.py").write_text(FIGURE)
    (tmp_path / "suite_of_mine.yaml").write_text(SUITE)
    return folder


def run(plan: Plan, results: Path) -> Results:
    for stage in STAGES:
        for job in plan.jobs(stage):
            stages.run(stage, plan, job, results)
    return Results(results / plan.suite.name, plan)


def test_kinds_are_told_by_what_a_file_defines(own: Path) -> None:
    """Of every built-in method, too."""
    for kind in registry.FOLDERS:
        assert plugins.kind_of(own / f"my_{kind}.py") == kind
        for name in registry.names(kind):
            assert plugins.kind_of(registry.entry(kind, name).path) == kind, (kind, name)
    (own / "odd.py").write_text("KIND = 'metric'\n\n\ndef draws():\n    pass\n")
    assert plugins.kind_of(own / "odd.py") == "metric"


def test_every_kind_is_compared_as_what_is_built_in(own: Path, tmp_path: Path) -> None:
    """Copies of built-in methods under other names have their numbers, to the bit (a model's first weights go by its name); they stand in the tables and
    on the page.
    """
    results = run(Plan(load(tmp_path / "suite_of_mine.yaml")), tmp_path / "results")
    rows = results.metrics
    assert (rows["status"] == "ok").all()
    for column, mine, theirs in (("sampler", "my_sampler", "ula"), ("loss", "my_loss", "implicit")):
        a, b = (rows[rows[column] == name].sort_values(["target", "model", "loss", "metric", "seed"]) for name in (mine, theirs))
        assert len(a) == len(b) > 0 and a["value"].tolist() == b["value"].tolist()
    assert set(rows["model"]) == {"", "my_model", "quadratic"}
    a, b = (rows[rows["metric"] == name].sort_values(["target", "sampler", "seed"]) for name in ("my_metric", "mean_error"))
    assert len(a) == 8 and a["value"].tolist() == b["value"].tolist()
    assert results.claim("my-claim").verdict == "reproduced"
    assert (results.folder / "figures/my_figure.png").stat().st_size > 1_000
    page = (results.folder / "index.html").read_text()
    assert "my claim" in page and "my figure" in page
    assert set(results.table("samplers")["sampler"]) == {"my_sampler", "ula"} and "my_loss" in set(results.table("losses")["loss"])


def test_an_edit_reruns_its_own_jobs(own: Path, tmp_path: Path) -> None:
    plan = Plan(load(tmp_path / "suite_of_mine.yaml"))
    jobs = [(stage, job) for stage in ("train", "sample", "measure", "claim") for job in plan.jobs(stage)]
    before = {key: fingerprint(plan, *key) for key in jobs}
    expected = {
        "my_sampler": {("sample", "my_target/my_sampler"), ("sample", "gaussian/my_sampler")},
        "my_metric": {("measure", "my_target/my_metric"), ("measure", "gaussian/my_metric")},
        "my_claim": {("claim", "my-claim")},
    }
    from scorebench.suite import fingerprint as module

    for name, changed in expected.items():
        text = (own / f"{name}.py").read_text()
        (own / f"{name}.py").write_text(text + "\n_more = 1\n")
        module._read.cache_clear()
        assert {key for key in jobs if fingerprint(plan, *key) != before[key]} == changed
        (own / f"{name}.py").write_text(text)
        module._read.cache_clear()


def test_a_broken_file_fails_for_itself_alone(own: Path, tmp_path: Path) -> None:
    (own / "my_sampler.py").write_text("def my_sampler(:\n")
    (own / "my_metric.py").write_text((own / "my_metric.py").read_text().replace('"""', '"""', 1) + "\nimport nothing_of_this_name\n")
    results = run(Plan(load(tmp_path / "suite_of_mine.yaml")), tmp_path / "results")
    rows = results.metrics
    bad = (rows["sampler"] == "my_sampler") | (rows["metric"] == "my_metric")
    assert (rows.loc[~bad, "status"] == "ok").all() and (rows.loc[bad, "status"] == "failed").all()
    assert rows.loc[rows["sampler"] == "my_sampler", "reason"].str.contains("SyntaxError").all()
    assert rows.loc[(rows["metric"] == "my_metric") & (rows["sampler"] == "ula"), "reason"].str.contains("nothing_of_this_name").all()
    assert (results.folder / "index.html").stat().st_size > 10_000


def test_refusals_are_a_line(own: Path, tmp_path: Path) -> None:
    (own / "ula.py").write_text((ROOT / "samplers/ula.py").read_text())
    (own / "my-file.py").write_text("")
    (own / "odd.py").write_text("KIND = 'samplr'\n")
    for file, said in (
        ("ula.py", "there is a sampler 'ula' already"),
        ("none.py", "there is no such file"),
        ("my-file.py", "whose NAME is a Python identifier"),
        ("odd.py", "KIND 'samplr' is unknown; did you mean 'sampler'?"),
    ):
        with pytest.raises(InputError) as caught:
            registry.add(own / file)
        assert len(caught.value.lines) == 1 and said in caught.value.lines[0]
    other = tmp_path / "my_sampler.py"
    other.write_text((own / "my_sampler.py").read_text() + "\n_more = 1\n")
    registry.add(own / "my_sampler.py")
    registry.add(own / "my_sampler.py")
    with pytest.raises(InputError, match="there is a sampler 'my_sampler' already"):
        registry.add(other)
    (tmp_path / "suite_of_mine.yaml").write_text(SUITE.replace("own/my_loss.py", "own/my_los.py"))
    with pytest.raises(InputError) as caught:
        load(tmp_path / "suite_of_mine.yaml")
    assert any(line.startswith(f"{tmp_path}/suite_of_mine.yaml: plugins: ") for line in caught.value.lines)


DEEP = {"sums": "+".join(["1"] * 20_000), "signs": "-" * 20_000 + "1", "members": "a" + ".b" * 20_000, "fewer": "-" * 1_500 + "1"}


@pytest.mark.parametrize("deep", DEEP)
def test_a_file_that_is_nested_too_deeply_is_told(own: Path, deep: str) -> None:
    """A method's file and one that a spec names: nowhere is it more than a file that cannot be read."""
    path = own / "my_sampler.py"
    path.write_text(f"{path.read_text()}\nX = {DEEP[deep]}\n{'a' + '.b' * 900} = 1\n")
    registry.add(path)
    assert plugins.kind_of(path) == ("sampler" if deep == "fewer" else None)
    assert deep == "fewer" or "nested too deeply" in str(registry.entry("sampler", "my_sampler").error)
    assert files.beside(path) == [] and len(_understood(path.read_bytes(), True).digest) == 64
    assert "X" in files.says(spec := Spec("target", "density", (("path", str(path)),))) or deep != "fewer"
    assert len(files.digest(spec)) == 64
    if deep == "fewer":
        with pytest.raises(InputError, match="nested too deeply"):
            files.identity(path)


def test_an_installed_package_brings_methods(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its entry points; nothing of it is imported before it is used."""
    package = tmp_path / "site/stranger"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ValueError('imported')\n")
    (own / "my_sampler.py").rename(package / "my_sampler.py")
    monkeypatch.syspath_prepend(str(package.parent))
    point = metadata.EntryPoint("my_sampler", "stranger.my_sampler", "scorebench.sampler")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point] if group == point.group else [])
    forget_plugins()
    assert "my_sampler" in registry.names("sampler") and registry.entry("sampler", "my_sampler").module == "stranger.my_sampler"
    (package / "__init__.py").write_text("")
    assert registry.method("sampler", "my_sampler").__name__ == "MySampler"


def test_the_command_line_takes_files(own: Path) -> None:
    def scorebench(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([python(), "-m", "scorebench", *arguments], capture_output=True, text=True)

    mine = ["--plugin", str(own / "my_sampler.py")]
    assert "my_sampler" in scorebench("list", "samplers", *mine).stdout
    both = ["--sampler", "my_sampler:step_size=0.1", "--sampler", "ula:step_size=0.1"]
    sizes = ["--chains", "16", "--steps", "10", "--seeds", "2", "--json"]
    done = scorebench("compare", "samplers", "--target", "gaussian", *both, *sizes, *mine)
    a, b = ([metric["mean"] for metric in entry["metrics"]] for entry in json.loads(done.stdout))
    assert a == b
    done = scorebench("list", "samplers", "--plugin", str(own / "none.py"))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def test_a_file_of_unknown_kind_is_listed_with_its_error(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, whatever kind is asked for."""
    (own / "broken.py").write_text("def broken(:\n")
    for kind in (None, "samplers"):
        cli.list_methods(kind, [own / "broken.py"])
        (line,) = [line for line in capsys.readouterr().out.splitlines() if "broken" in line]
        assert line.split()[:3] == ["unknown", "broken", "SyntaxError:"]
        cli.list_methods(kind, [own / "broken.py"], as_json=True)
        assert [e["name"] for e in json.loads(capsys.readouterr().out) if e["error"]] == ["broken"]


def test_a_runs_record_runs_again_without_the_files(own: Path, tmp_path: Path) -> None:
    """It carries them; results are read with them."""
    suite = tmp_path / "results/mine/suite.yaml"
    (suite.parent / "plugins").mkdir(parents=True)
    suite.write_text(SUITE)
    for file in own.glob("*.py"):
        file.rename(suite.parent / "plugins" / file.name)
    results = run(Plan(load(suite)), tmp_path / "results")
    forget_plugins()
    assert [str(spec) for spec in Results(results.folder).plan.methods if spec.name.startswith("my_s")] == ["my_sampler"]
