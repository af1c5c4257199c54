"""Fingerprints: what a job rests on changes its own, and nothing else does. All exact.

Everything is edited in a copy of the package, which the registry reads in the package's place.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from forked_python import python
from package_copy import forget, package_copy

from scorebench.core import registry
from scorebench.stages import STAGES
from scorebench.suite import fingerprint as fingerprints
from scorebench.suite.fingerprint import closure, fingerprint
from scorebench.suite.jobs import COMPUTING
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

ARTICLE = Path("workflows/suites/article.yaml").absolute()
SUITE = """
name: registry
seed: 1
metrics: [mmd, fisher_divergence]
experiments:
  - target: gaussian
    seeds: 2
    sources: {quadratic: [explicit]}
    exact: {samplers: [ula, mala], step_sizes: [0.1], chains: 16}
  - target: gaussian_mixture
    seeds: 2
    sources: {mlp_energy: ["denoising:sigma=0.1", "denoising:sigma=0.2", sliced]}
    exact: {samplers: [ula, exact], step_sizes: [0.1], chains: 16}
    trained: {samplers: [ula], step_sizes: [0.1], chains: 16}
"""

METHODS = [(kind, name) for kind in registry.FOLDERS for name in registry.names(kind)]
Jobs = set[tuple[str, str]]
Edit = Callable[[str], str]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from package_copy(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suite") / "suite.yaml"
    path.write_text(SUITE)
    return path


def all_of(path: Path) -> dict[tuple[str, str], str]:
    """The fingerprint of every job, as a new process would compute it."""
    forget()
    plan = Plan(load(path))
    return {(stage, job): fingerprint(plan, stage, job) for stage in STAGES for job in plan.jobs(stage)}


@pytest.fixture(scope="module")
def before(package: Path, suite: Path) -> dict[Path, dict[tuple[str, str], str]]:
    return {path: all_of(path) for path in (suite, ARTICLE)}


@pytest.fixture
def changed(package: Path, before: dict[Path, dict[tuple[str, str], str]]) -> Callable[..., Jobs]:
    """The jobs of a suite whose fingerprints an edit of files changes; the files are put back."""

    def jobs(path: Path, edit: Edit, *files: str) -> Jobs:
        texts = {package / file: (package / file).read_text() for file in files}
        edited = {file: edit(text) for file, text in texts.items()}
        assert not [file for file, text in texts.items() if edited[file] == text]
        try:
            for file, text in edited.items():
                file.write_text(text)
            after = all_of(path)
        finally:
            for file, text in texts.items():
                file.write_text(text)
        return {job for job, was in before[path].items() if after[job] != was}

    return jobs


def of_stages(path: Path, *stages: str) -> Jobs:
    plan = Plan(load(path))
    return {(stage, job) for stage in stages for job in plan.jobs(stage)}


def code(text: str) -> str:
    """An edit of code that is no fact of a method."""
    return text + "\n_edited = 1\n"


def layout(text: str) -> str:
    """The same program without comments, otherwise laid out, with a comment."""
    return "# laid out\n\n" + ast.unparse(ast.parse(text)) + "\n"


def docstrings(text: str) -> str:
    """The same program, each of whose docstrings, those of attributes too, has one more word."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value.value += " Again."
    return ast.unparse(tree) + "\n"


def files_of(package: Path, *folders: str) -> list[str]:
    return [
        file for path in package.rglob("*.py") if path.stat().st_size and (file := path.relative_to(package).as_posix()).startswith(folders)
    ]


def test_comments_layout_and_docstrings_change_nothing(package: Path, changed: Callable[..., Jobs]) -> None:
    """But for docstrings of methods, which the page shows: a claim's is its derivation there."""
    methods = {registry.entry(kind, name).path.relative_to(package).as_posix() for kind, name in METHODS}
    shown = {(package / file).read_text(encoding="utf-8") for file in methods}
    assert changed(ARTICLE, lambda text: layout(text if text in shown else docstrings(text)), *files_of(package, "")) == set()
    assert changed(ARTICLE, docstrings, *methods) == {("page", "")}


CONSTANTS = {
    "engine/measuring.py": ("FAR, SHARE_FAR = 20", "FAR, SHARE_FAR = 30", {"measure", "work"}),
    "engine/sensitivity.py": ('"no_fault", 3', '"no_fault", 4', {"sensitivity"}),
    "engine/attempt.py": ("1e-6)", "1e-5)", {*COMPUTING, "figure"}),
    "report/choosing.py": ("SEEN = 4.0", "SEEN = 5.0", {"tables", "figure", "page"}),
    "report/render.py": (":.3g", ":.4g", {"tables", "page"}),
    "store/artifacts.py": ("compresslevel=1", "compresslevel=2", set(STAGES)),
}


@pytest.mark.parametrize("file", CONSTANTS)
def test_a_constant_changes_the_stages_that_run_it(changed: Callable[..., Jobs], file: str) -> None:
    """All of their jobs, and no others."""
    old, new, stages = CONSTANTS[file]
    assert changed(ARTICLE, lambda text: text.replace(old, new), file) == of_stages(ARTICLE, *stages)


def test_a_label_changes_what_shows_it_and_its_own_samples(changed: Callable[..., Jobs]) -> None:
    jobs = changed(ARTICLE, lambda text: text.replace('LABEL = "', 'LABEL = "New '), "samplers/underdamped.py")
    own = {(stage, job) for stage, job in of_stages(ARTICLE, "sample", "work") if "/underdamped" in job}
    assert own <= jobs and {stage for stage, _ in jobs - own} <= {
        "claim",
        "tables",
        "figure",
        "page",
    }  # the article's other experiments do not use it
    jobs = changed(ARTICLE, lambda text: text.replace('LABEL = "', 'LABEL = "New '), "samplers/prior.py")
    own = {(stage, job) for stage, job in of_stages(ARTICLE, "sample", "work") if job.endswith("/prior")}
    plan = Plan(load(ARTICLE))
    showing = {("figure", figure) for figure in plan.suite.figures if "manifest.json" in plan.inputs("figure", figure)}
    shown = own | showing | of_stages(ARTICLE, "tables", "page")
    assert {job for job in jobs if job[0] in ("train", "sample", "measure", "work", "tables", "figure", "page")} == shown


# What importing a module runs, as Python tells.

IMPORTS = """
import builtins, importlib, json, sys
modules, plain, seen = json.loads(sys.argv[1]), builtins.__import__, {}
def watched(name, globals=None, locals=None, fromlist=(), level=0):
    if (globals or {}).get("__name__", "").split(".")[0] == "scorebench" and not level:
        libraries.add(name.split(".")[0])
    return plain(name, globals, locals, fromlist, level)
builtins.__import__ = watched
for module in modules:
    for name in [name for name in sys.modules if name.split(".")[0] == "scorebench"]:
        del sys.modules[name]
    libraries = set()
    try:
        importlib.import_module(module)
    except ImportError:
        continue  # the tests of the registry say so
    own = [m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "scorebench" and m.__file__]
    seen[module] = [sorted(own), sorted(libraries - {"scorebench"})]
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, tuple[set[str], set[str]]]:
    """For every method and stage the package's files and the other modules that importing it runs, in a process of its own."""
    root = Path(registry.__file__).parents[1]
    modules = [registry.entry(kind, name).module for kind, name in METHODS] + [f"scorebench.stages.{stage}" for stage in STAGES]
    done = subprocess.run([python(), "-c", IMPORTS, json.dumps(modules)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {
        module: ({Path(file).relative_to(root).as_posix() for file in files} - {"__init__.py"}, set(libraries))
        for module, (files, libraries) in json.loads(done.stdout).items()
    }


def test_a_closure_has_all_that_importing_runs(package: Path, imported: dict[str, tuple[set[str], set[str]]]) -> None:
    for module, (files, libraries) in imported.items():
        paths = closure([module])
        assert files <= {path.relative_to(package).as_posix() for path in paths}, module
        assert libraries - sys.stdlib_module_names <= {name for path in paths for name in fingerprints._read(path).libraries}, module


def with_version(library: str, patch: pytest.MonkeyPatch) -> None:
    version = metadata.version
    patch.setattr(fingerprints.metadata, "version", lambda name: "0.0" if name == library else version(name))


def test_the_version_of_a_library_counts_where_it_is_imported(
    package: Path, before: dict[Path, dict[tuple[str, str], str]], imported: dict[str, tuple[set[str], set[str]]]
) -> None:
    """Another torch changes every computing stage, and of the figures those whose code imports it; another matplotlib the figures alone."""
    with pytest.MonkeyPatch.context() as patch:
        with_version("torch", patch)
        after = all_of(ARTICLE)
    forget()
    jobs = {job for job, was in before[ARTICLE].items() if after[job] != was}
    assert jobs >= of_stages(ARTICLE, *COMPUTING)
    figures = [name for name in registry.names("figure") if registry.entry("figure", name).module in imported]
    need = {("figure", name) for name in figures if "torch" in runs_of_figure(name, imported)}
    assert {job for job in jobs if job[1] in figures} == need and len(need) < len(figures)
    with pytest.MonkeyPatch.context() as patch:
        with_version("matplotlib", patch)
        after = all_of(ARTICLE)
    forget()
    assert {job for job, was in before[ARTICLE].items() if after[job] != was} == of_stages(ARTICLE, "figure")


def runs_of_figure(name: str, imported: dict[str, tuple[set[str], set[str]]]) -> set[str]:
    """The libraries that a figure and its stage import."""
    return imported[registry.entry("figure", name).module][1] | imported["scorebench.stages.figure"][1]


# Methods that are named as text.


def named_in(path: Path) -> set[str]:
    """The models and losses that a file names as text, if it makes specs of text; USES, which says so, is left out."""
    tree = ast.parse(path.read_text())
    if not any(isinstance(node, ast.Name) and node.id in ("parse", "parse_all", "Spec", "registry") for node in ast.walk(tree)):
        return set()
    said = [node for node in tree.body if not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "USES")]
    texts = {node.value for part in said for node in ast.walk(part) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    names = {kind: set(registry.names(kind)) for kind in ("model", "loss")}
    return {f"{registry.FOLDERS[kind]}/{name}.py" for text in texts for kind in names if (name := text.partition(":")[0]) in names[kind]}


def runs_of_claim(claim: str, package: Path, imported: dict[str, tuple[set[str], set[str]]]) -> set[str]:
    """The files of models and losses that a claim runs: those that it imports and those that it, or what it shares with other claims, names; and what these
    import.
    """
    files = imported[registry.entry("claim", claim).module][0]
    named = {file for its in files if its.startswith("claims/") for file in named_in(package / its)}
    more = {file for its in named for file in imported["scorebench." + its.removesuffix(".py").replace("/", ".")][0]}
    return files | named | more


NAMED = ["models/autoencoder.py", "losses/denoising_ladder.py", "models/noise_conditional_energy.py", "losses/denoising.py"]


@pytest.mark.parametrize("file", [*NAMED, "models/mlp_score.py", "losses/implicit.py"])
def test_a_method_changes_the_claims_and_trainings_that_run_it(
    package: Path, imported: dict[str, tuple[set[str], set[str]]], changed: Callable[..., Jobs], file: str
) -> None:
    plan = Plan(load(ARTICLE))
    claims = {("claim", claim) for claim in plan.jobs("claim") if file in runs_of_claim(claim, package, imported)}
    trains = {
        ("train", id)
        for id, train in plan.trains.items()
        if any(file in imported[spec.entry.module][0] for spec in (train.model, train.loss))
    }
    jobs = changed(ARTICLE, code, file)
    assert claims and {job for job in jobs if job[0] == "claim"} == claims
    assert {job for job in jobs if job[0] == "train"} == trains


def test_packages_and_templates_count(changed: Callable[..., Jobs]) -> None:
    """What Python runs on the way to a module, and the file of another kind that bears a module's name."""
    assert changed(ARTICLE, lambda text: text + "<!-- more -->", "report/page.html.j2") == {("page", "")}
    assert {stage for stage, _ in changed(ARTICLE, code, "engine/__init__.py")} >= {"train", "sample", "measure", "sensitivity", "claim"}
    figures = changed(ARTICLE, code, "figures/comparison/__init__.py")
    assert figures == {
        ("figure", name) for name in Plan(load(ARTICLE)).jobs("figure") if registry.entry("figure", name).path.parent.name == "comparison"
    }
    assert changed(ARTICLE, code, "stages/__init__.py") == of_stages(ARTICLE, *STAGES)


# Which jobs rest on which files, and on which settings.

THREE = ("train", "sample", "measure")


def measures(*targets: str) -> Jobs:
    return {("measure", f"{target}/{metric}") for target in targets for metric in ("mmd", "fisher_divergence")}


CHANGES = {
    "samplers/mala.py": {("sample", "gaussian/mala")},
    "samplers/exact.py": {("sample", "gaussian_mixture/exact")},
    "losses/sliced.py": {
        ("train", "gaussian_mixture/mlp_energy/sliced"),
        ("sample", "gaussian_mixture/ula"),
        *measures("gaussian_mixture"),
    },
    "losses/implicit.py": set(),
    "metrics/mmd.py": {("measure", "gaussian/mmd"), ("measure", "gaussian_mixture/mmd")},
    "metrics/rhat.py": set(),
    "models/quadratic.py": {("train", "gaussian/quadratic/explicit"), *measures("gaussian")},
    "models/mlp_energy.py": {
        ("train", "gaussian_mixture/mlp_energy/denoising"),
        ("train", "gaussian_mixture/mlp_energy/sliced"),
        ("sample", "gaussian_mixture/ula"),
        *measures("gaussian_mixture"),
    },
    "targets/digits.py": set(),
    "figures/base.py": set(),
}


@pytest.mark.parametrize("file", CHANGES)
def test_a_change_reaches_what_rests_on_it(changed: Callable[..., Jobs], suite: Path, file: str) -> None:
    """No more, no less: a job's fingerprint is that of its methods' import closure, siblings excluded."""
    assert {job for job in changed(suite, code, file) if job[0] in THREE} == CHANGES[file]


SAME = """
import json, sys
from scorebench.suite.fingerprint import fingerprint
from scorebench.suite.jobs import COMPUTING
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load
plan = Plan(load(sys.argv[1]))
print(json.dumps([fingerprint(plan, stage, job) for stage in sys.argv[2:] for job in plan.jobs(stage)]))
"""


def test_fingerprints_are_the_same_in_every_process(before: dict[Path, dict[tuple[str, str], str]]) -> None:
    """However sets of texts are ordered in it: here by chance, if PYTHONHASHSEED does not say."""
    command, seed = [sys.executable, "-c", SAME, str(ARTICLE), *STAGES], "1" if os.environ.get("PYTHONHASHSEED") == "0" else "0"
    done = subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True)
    assert json.loads(done.stdout) == list(before[ARTICLE].values())


def test_jobs_differ(before: dict[Path, dict[tuple[str, str], str]]) -> None:
    for jobs in before.values():
        assert len(set(jobs.values())) == len(jobs)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[ula, mala]", "[ula, mala, prior]", measures("gaussian")),
        ("[ula, mala],", "[ula, mala, underdamped], grid: {friction: [0.5, 2]},", measures("gaussian")),
        ("sources: {quadratic: [explicit]}", "sources: {quadratic: [explicit, implicit]}", measures("gaussian") | {("map", "gaussian")}),
        ("metrics: [mmd,", "metrics: [rhat, mmd,", set()),
        ("name: registry", "name: other", measures("gaussian", "gaussian_mixture")),
        ("name: registry", "name: registry\njob_minutes: 3", set()),
        ("seed: 1", "seed: 2", None),
    ],
)
def test_a_change_of_settings_reaches_what_reads_them(
    package: Path, tmp_path: Path, suite: Path, before: dict[Path, dict[tuple[str, str], str]], old: str, new: str, expected: Jobs | None
) -> None:
    """Another sampler or loss beside a job changes nothing of it; what is made of everything changes."""
    assert SUITE.count(old) == 1
    (tmp_path / "suite.yaml").write_text(SUITE.replace(old, new))
    after = all_of(tmp_path / "suite.yaml")
    jobs = {job for job, was in before[suite].items() if after[job] != was}
    assert jobs == (set(before[suite]) if expected is None else expected | {("tables", ""), ("page", "")})
