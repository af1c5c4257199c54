"""`scorebench new`: a commented file of a kind that already passes `scorebench check`, which is the package's example of it under another name."""

import ast
import keyword
import re
from pathlib import Path

from scorebench.core import plugins, registry
from scorebench.core.errors import InputError, unknown

EXAMPLES = registry.ROOT / "examples"


def new(kind: str, name: str, folder: Path) -> Path:
    """Write NAME.py. Raises InputError for an unknown kind, a name that cannot be, and a file or a method that is there already."""
    if kind not in registry.FOLDERS:
        raise InputError(unknown("kind", kind, registry.FOLDERS))
    path = folder / f"{name}.py"
    if not plugins.NAMED.fullmatch(name) or keyword.iskeyword(name):
        raise InputError(f"name {name!r} is not allowed (allowed: {plugins.ALLOWED}, for example my_{kind})")
    if not folder.is_dir():
        raise InputError(f"--folder {str(folder)!r}: there is no such folder")
    if path.exists():
        raise InputError(f"{path}: there is such a file already (nothing is overwritten)")
    method = plugins.name_of(kind, path)
    if method.lower() in map(str.lower, registry.names(kind)):
        raise InputError(f"name {name!r}: there is a {kind} {method!r} already (choose another)")
    template = example(kind)
    if name in _names(template):
        raise InputError(f"name {name!r} is one that the file itself uses (allowed: another, for example my_{kind})")
    path.write_text(_renamed(template, method), encoding="utf-8")
    return path


def example(kind: str) -> Path:
    """The package's own example of a kind."""
    return next(path for path in sorted(EXAMPLES.glob("*.py")) if plugins.kind_of(path) == kind)


def _names(template: Path) -> set[str]:
    """Every name in a file but its own."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(template.read_bytes())):
        for key in ("id", "arg", "name", "attr"):
            value = getattr(node, key, None)
            names |= {value} if isinstance(value, str) else set()
    return names - {template.stem}


def _renamed(template: Path, method: str) -> str:
    """The file with its method called otherwise: where it is defined, in EXAMPLES and streams, and by its LABEL."""
    old, new = plugins.name_of(str(plugins.kind_of(template)), template), method
    text = template.read_text(encoding="utf-8")
    text = re.sub(rf"(?<=def ){old}(?=\()", new, text)
    text = re.sub(rf'(?<=["]){old}(?=[":])', new, text)
    camel = "".join(part[:1].upper() + part[1:] for part in new.split("_"))
    text = re.sub(rf"(?<=class ){old.replace('_', '')}(?=\(|:)", camel, text, flags=re.IGNORECASE)
    return re.sub(r'(?m)^LABEL = ".*"$', f'LABEL = "{re.sub("[_-]", " ", new)}"', text)
