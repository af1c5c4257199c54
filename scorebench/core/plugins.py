"""Methods from elsewhere: files that a user names, and modules that installed packages name in entry points.

A file brings one method, called like it. What kind it is follows from what it defines, or from `KIND = "sampler"`. A package says in its metadata
`[project.entry-points."scorebench.sampler"]`, `my_sampler = "my_package.my_sampler"`. Nothing is imported to find them.
"""

import ast
import importlib.util
import re
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType

from scorebench.core.errors import InputError

PACKAGE = "scorebench_plugins"
"""What files are imported as parts of."""
ALLOWED = "a Python identifier of 64 letters at most, a-z, A-Z, 0-9 and _"
SIGNS = {
    "claim": {"predict", "measure"},
    "figure": {"draw"},
    "loss": {"draws"},
    "model": {"GIVES"},
    "metric": {"ABOUT"},
    "sampler": {"GRADIENTS"},
}
"""What a file of each kind defines and those of the kinds after it do not; a target's has none of these."""
files: dict[str, Path] = {}
"""Those that were added, by their stems."""


NAMED = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""What a method may be called: no letter that looks like another, and short enough for a file's name."""


def parsed(content: bytes, name: str = "") -> ast.Module:
    """The syntax tree of a Python file. Raises SyntaxError or ValueError for what is none, or is nested too deeply."""
    try:
        return ast.parse(content, name)
    except (RecursionError, MemoryError):
        raise SyntaxError("it is nested too deeply to be read") from None


@cache
def kind_of(path: Path) -> str | None:
    """What a file defines; None if it cannot be read, when it may be of any kind."""
    try:
        tree = parsed(path.read_bytes())
    except (SyntaxError, ValueError):
        return None
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if not isinstance(target, ast.Name):
                continue
            names.add(target.id)
            if target.id == "KIND" and isinstance(node.value, ast.Constant):
                return str(node.value.value)
    return next((kind for kind, signs in SIGNS.items() if signs <= names), "target")


@cache
def installed(kind: str) -> dict[str, tuple[str, Path]]:
    """Module and file of each method of a kind that an installed package brings."""
    brought = {}
    for point in metadata.entry_points(group=f"scorebench.{kind}"):
        if not NAMED.fullmatch(point.name.replace("-", "_") if kind == "claim" else point.name):
            raise InputError(f"entry point {point.name!r} of {point.value!r}: no {kind} can be called so (allowed: {ALLOWED})")
        top, *rest = point.value.partition(":")[0].split(".")
        spec = importlib.util.find_spec(top)
        places = (
            [Path(place).joinpath(*rest).with_suffix(".py") for place in (spec.submodule_search_locations or ())] if spec and rest else []
        )
        for path in places or ([Path(spec.origin)] if spec and spec.origin else []):
            if path.is_file():
                brought[point.name] = (".".join((top, *rest)), path)
    return brought


def of_kind(kind: str) -> dict[str, tuple[str, Path]]:
    """Module and file of each method of a kind, or perhaps of it, from elsewhere."""
    added = {name_of(kind, path): (f"{PACKAGE}.{stem}", path) for stem, path in files.items() if kind_of(path) in (kind, None)}
    return installed(kind) | added


def name_of(kind: str, path: Path) -> str:
    """What a file's method is called: claims have hyphens."""
    return path.stem.replace("_", "-") if kind == "claim" else path.stem


def load(module: str, path: Path) -> ModuleType:
    """Import a file as a module of that name."""
    if module in sys.modules:
        return sys.modules[module]
    spec = importlib.util.spec_from_file_location(module, path)
    assert spec is not None and spec.loader is not None
    imported = importlib.util.module_from_spec(spec)
    sys.modules[module] = imported  # dataclasses look their module up
    try:
        spec.loader.exec_module(imported)
    except BaseException:
        del sys.modules[module]
        raise
    return imported
