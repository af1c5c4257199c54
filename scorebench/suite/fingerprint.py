"""What a job's result rests on other than its input files: the settings that it reads, the code that it runs, the libraries that this imports.

A rule carries the hash as a parameter, so that its jobs run again when one of these has changed, and only then. Code is the static import closure,
inside the package, of the stage's module and of the methods that the job is told to use; siblings are in no closure. Of a file its syntax tree
counts, docstrings aside: a comment or another layout changes nothing. Where text is shown (the page shows the derivations of claims, all labels stand
in tables and figures) it counts with the settings.
"""

import ast
import hashlib
import platform
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from scorebench.core import files, plugins, registry
from scorebench.core.spec import Spec, parse
from scorebench.suite.jobs import Train
from scorebench.suite.plan import Plan

SHOWN = ("LABEL", "VARIANTS", "ABOUT", "NEEDS", "GIVES", "START", "EXACT", "GRADIENTS", "TUNES", "DIRECTION", "FLOOR", "LOG")
"""What tables and figures read of methods that they do not run: how these are called, and what decides who is compared with whom."""


class Basis(NamedTuple):
    """What a job rests on: settings, and modules whose import closure it runs."""

    settings: list[Any]
    modules: list[str]


def basis(plan: Plan, stage: str, job: str = "") -> Basis:
    """The settings and code of a job."""
    suite = plan.suite
    shared: list[Any] = [suite.seed, suite.device]
    methods: list[Spec] = []
    if stage == "train":
        train = plan.trains[job]
        settings = [*shared, train.target, train.model, train.losses, train.training, train.experiment.seeds]
        methods = [train.target, train.model, train.loss]
    elif stage == "sample":
        sample = plan.samples[job]
        alone: dict[str, Any] = {"samplers": (), "grid": {}}  # another sampler beside it, or value of an option, changes nothing
        blocks = [block.model_copy(update=alone) for block, _, _ in sample.runs]
        settings = [*shared, sample.target, sample.sampler, blocks, sample.experiment.seeds, [losses for _, _, losses in sample.runs]]
        methods = [sample.target, sample.sampler, *_trained(sample.sources)]
    elif stage == "measure":
        on, metric = plan.measures[job].on, plan.measures[job].metric
        settings = [*shared, suite.name, on.experiment.model_copy(update={"rank_by": None}), metric, suite.snapshots]
        methods = [on.target, metric, *_trained(on.sources)]
    elif stage == "work":
        work = plan.works[job]
        settings = [*shared, work.target, work.begins, suite.accuracy]
        methods = [work.target, work.method]
    elif stage == "map":
        on = plan.targets[job]
        settings = [*shared, on.target, on.experiment.seeds, [(train.model, train.losses) for train in on.sources]]
        methods = [on.target, *_trained(on.sources)]
    elif stage == "sensitivity":
        assert suite.sensitivity is not None
        settings = [*shared, suite.sensitivity, plan.sensitivities[job]]
        methods = [parse("target", suite.sensitivity.target), plan.sensitivities[job]]
    elif stage == "claim":
        settings = shared
        methods = [parse("claim", job), *_used(parse("claim", job))]
    elif stage == "figure":
        settings = [*shared, plan.claims_of_figure(job)]
        if "manifest.json" in plan.inputs(stage, job):
            settings += [suite.experiments, _shown(spec for spec in plan.methods if spec.kind not in ("claim", "figure"))]
        methods = [parse("figure", job)]
    else:
        settings = [suite.model_dump_json(), _shown(plan.methods)]
    if stage == "page":
        settings.append([(_ordered(spec.entry.facts), spec.entry.doc if spec.kind == "claim" else "") for spec in plan.methods])
    settings += filter(None, map(files.digest, methods))
    return Basis(settings, [f"scorebench.stages.{stage}", *(spec.entry.module for spec in methods)])


def _trained(sources: Iterable[Train]) -> list[Spec]:
    return [spec for train in sources for spec in (train.model, train.loss)]


def _shown(methods: Iterable[Spec]) -> list[Any]:
    """Methods with what is said of them where they are shown."""
    return [(spec, [(name, _ordered(spec.entry.facts.get(name))) for name in SHOWN]) for spec in methods]


def _used(spec: Spec) -> list[Spec]:
    """The methods that a claim names without importing them."""
    return [Spec(kind, name) for kind, names in spec.entry.facts.get("USES", {}).items() for name in names]


def _ordered(value: Any) -> Any:
    """A literal whose sets are sorted: as text they have another order in every process."""
    if isinstance(value, dict):
        return {key: _ordered(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    return sorted(map(repr, value)) if isinstance(value, set) else value


def fingerprint(plan: Plan, stage: str, job: str = "") -> str:
    """A hash of the settings, the code and the libraries of a job."""
    settings, modules = basis(plan, stage, job)
    files = sorted(closure(modules), key=lambda path: path.parts)
    libraries = sorted({library for path in files for library in _read(path).libraries})
    versions = [platform.python_version(), *(f"{library} {_version(library)}" for library in libraries)]
    code = [(_read(path).name, _read(path).digest) for path in files]
    return hashlib.sha256(repr((settings, code, versions)).encode()).hexdigest()[:16]


def closure(modules: Iterable[str]) -> set[Path]:
    """The package's files that importing these modules runs, and what lies beside them under their names (templates)."""
    return {path for module in modules for path in _closure(module)}


@cache
def _closure(module: str) -> frozenset[Path]:
    seen: set[Path] = set()
    waiting = [*_files(module)]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(file for imported in _read(path).imports for file in _files(imported))
    return frozenset(seen)


@cache
def _files(module: str) -> tuple[Path, ...]:
    """A module's file and its like-named companions, and the `__init__` of every package above it but the root's, which only says what lies elsewhere."""
    if module.partition(".")[0] != registry.ROOT.name:
        return tuple(path for kind in registry.FOLDERS for name, path in plugins.of_kind(kind).values() if name == module)
    path = registry.ROOT.joinpath(*module.split(".")[1:])
    above = [parent / "__init__.py" for parent in (path, *path.parents) if registry.ROOT in parent.parents]
    own = [] if path == registry.ROOT else path.parent.glob(f"{path.name}.*")
    return tuple(sorted({file for file in (*above, *own) if file.is_file()}))


class _Understood(NamedTuple):
    digest: str
    imports: tuple[str, ...]
    libraries: tuple[str, ...]


class _Read(NamedTuple):
    name: str
    digest: str
    imports: tuple[str, ...]
    libraries: tuple[str, ...]


@cache
def _read(path: Path) -> _Read:
    """Where a file stands in the package, what counts of it, the package's modules that it may import, and the other top-level modules."""
    name = str(path.relative_to(registry.ROOT) if registry.ROOT in path.parents else path.name)
    return _Read(name, *_understood(path.read_bytes(), path.suffix == ".py"))


@cache
def _understood(content: bytes, is_python: bool) -> _Understood:
    try:
        tree = plugins.parsed(content) if is_python else None
        nodes = list(_run(tree)) if tree else []
        shown = ast.dump(_without_docstrings(tree)).encode() if tree else content
    except (SyntaxError, ValueError, RecursionError):
        nodes, shown = [], content
    modules: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    own = tuple(sorted(name for name in modules if name.partition(".")[0] == "scorebench"))
    others = tuple(sorted({name.partition(".")[0] for name in modules} - {"scorebench"}))
    return _Understood(hashlib.sha256(shown).hexdigest(), own, others)


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that may run, but for expressions, which import nothing: what stands there for the type checker alone does not."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.expr) and not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from _run(child)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_text(statement)]
    return tree


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)


@cache
def _version(module: str) -> str:
    """The version of the distribution that brings a top-level module; "" for Python's own."""
    return ", ".join(metadata.version(name) for name in sorted(set(_distributions().get(module, ()))))


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())
