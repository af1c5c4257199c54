"""Files that specs name: where they lie, what they hold, and the copies that a run keeps of them.

A path in a suite is from the suite's folder, on the command line from the current one. A run keeps each file under its own folder, so that its record
runs again from anywhere. A Python file is kept with what it says it reads beside itself: `reference = "draws.npy"`, `FILES = ["weights.pt"]`.
"""

import ast
import difflib
import hashlib
import shutil
from collections.abc import Iterator
from functools import cache
from os.path import expanduser, isdir, isfile
from pathlib import Path
from typing import Any

from scorebench.core import plugins
from scorebench.core.errors import InputError
from scorebench.core.spec import Spec

FOLDER = "files"
"""Of the files of a run, in its folder."""
BESIDE = ("reference", "FILES")
"""What a Python file calls the files that it reads."""
_from = Path()
_kept: Path | None = None


def look_in(folder: Path, kept: Path | None = None) -> None:
    """Paths are from this folder from now on; what lies in `kept` as a run's copy comes first."""
    global _from, _kept
    _from, _kept = folder, kept


def given(spec: Spec) -> list[str]:
    """The paths among a spec's options, as they are written."""
    options = spec.options
    return [str(options[name]) for name, option in spec.entry.options.items() if option.annotation.startswith("File") and options.get(name)]


def locate(text: str) -> Path:
    """Where the file of a path lies. Raises InputError where there is none."""
    copy = _kept / _under(text) if _kept else None
    path = copy if copy and isfile(copy) else _from / expanduser(text)
    if not isfile(path):
        what = "is a folder" if isdir(path) else "there is no such file"
        stems = {other.stem: other.name for other in path.parent.glob("*") if isfile(other)} if isdir(path.parent) else {}
        near = [stems[stem] for stem in difflib.get_close_matches(path.stem, stems, n=1)]
        raise InputError(f"{text!r}: {what}" + (f"; did you mean {near[0]!r}?" if near else "") + f" (looked for {path.absolute()})")
    return path


def copies(spec: Spec, folder: Path) -> dict[Path, Path]:
    """Where the files of a spec, with what stands beside them, lie in a folder, so that `look_in` finds them as kept there; with each the file itself."""
    its: dict[Path, Path] = {}
    for text in given(spec):
        path, copy = locate(text), folder / _under(text)
        its |= {copy.parent / file.relative_to(path.parent): file for file in (path, *beside(path))}
    return its


def keep(spec: Spec, folder: Path) -> None:
    """Copy the files of a spec there."""
    for to, file in copies(spec, folder).items():
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)


def beside(path: Path) -> list[Path]:
    """The files that a Python file says it reads, which lie in its folder or below. Raises InputError for one that does not."""
    files = [path.parent / name for name in _named(path)]
    for file in files:
        if not file.is_file() or path.parent.resolve() not in file.resolve().parents:
            raise InputError(f"{path.name}: there is no file {str(file.relative_to(path.parent))!r} in its folder, which it says it reads")
    return files


def digest(spec: Spec) -> str:
    """A hash of all that the files of a spec hold, "" where it has none; a file that is not there counts as empty."""
    return "".join(map(content, _all(spec)))


def says(spec: Spec) -> dict[str, Any]:
    """What the Python files of a spec define at their top, with the values that are written out, None for others; a file that is not there says nothing."""
    said: dict[str, Any] = {}
    for path in _all(spec):
        for node in _tree(path).body:
            value = _literal(node.value) if isinstance(node, ast.Assign | ast.AnnAssign) and node.value else None
            said |= dict.fromkeys(_defined(node), value)
    return said


def content(path: Path) -> str:
    """A hash of what a file holds now."""
    return _digest(path, path.stat().st_mtime_ns, path.stat().st_size)


def identity(path: Path) -> str:
    """A hash of a Python file but for what it says of its `reference`: what that was made of. Raises InputError for one that is nested too deeply."""
    tree = _tree(path)
    tree.body = [node for node in tree.body if _assigned(node) != "reference"]
    others = [content(other) for other in beside(path) if other.suffix != ".npy"]
    try:
        return hashlib.sha256(repr((ast.dump(tree), others)).encode()).hexdigest()
    except RecursionError:
        raise InputError(f"{path.name}: its expressions are nested too deeply to be told from another's (allowed: shorter ones)") from None


def _all(spec: Spec) -> Iterator[Path]:
    for text in given(spec):
        try:
            path = locate(text)
            yield from (path, *beside(path))
        except InputError:
            continue


@cache
def _digest(path: Path, *state: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _under(text: str) -> Path:
    return Path(hashlib.sha256(text.encode()).hexdigest()[:12], Path(text).name)


def _named(path: Path) -> list[str]:
    names: list[str] = []
    for node in _tree(path).body:
        if isinstance(node, ast.Assign) and _assigned(node) in BESIDE:
            names += [word.value for word in ast.walk(node.value) if isinstance(word, ast.Constant) and isinstance(word.value, str)]
    return names


def _tree(path: Path) -> ast.Module:
    """Of a Python file; of another, or one that is none, an empty one."""
    try:
        return plugins.parsed(path.read_bytes() if path.suffix == ".py" else b"")
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _assigned(node: ast.stmt) -> str:
    """The name that an assignment is to; "" where it is to none, or to an attribute."""
    return node.targets[0].id if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) else ""


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        return None
