"""Names to objects: a file dropped in a kind's folder registers itself, and so does what `plugins` finds elsewhere.

A method is a file `<name>.py` in `scorebench/<folder>`, or in a folder of it but `lib`,
that defines a function or a class called like the file (case and underscores aside).
Its options are the keyword-only parameters of that function, or the fields of that class, annotated with types of `scorebench.core.options`;
its facts are the upper-case literals of the module: LABEL, REFERENCE, NEEDS, ...; EXAMPLES are the specs that the contract tests run.
Both are read from the syntax tree, so nothing is imported until it is used: a broken file stops nobody else, and planning needs no torch.
"""

import ast
import importlib
import math
import string
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from os.path import isdir, isfile
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from scorebench.core import options as option_types
from scorebench.core import plugins
from scorebench.core.errors import InputError, nearest, unknown

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "target": "targets",
    "model": "models",
    "loss": "losses",
    "sampler": "samplers",
    "metric": "metrics",
    "claim": "claims",
    "figure": "figures",
}
REQUIRED = object()
AXES = ("step_size", "temperature")
"""The two grid axes of a sampler: suites sweep them, so they are options only on the command line."""
Words = dict[str, str]
Names = set[str] | tuple[str, ...] | list[str]
ALLOWED: dict[Any, str] = {
    str: "text",
    bool: "True or False",
    int: "a whole number",
    Words: "a dictionary of texts",
    Names: "a set or tuple of texts",
    dict[str, Names]: "a dictionary whose values are tuples of texts",
    dict[str, tuple[float, ...]]: "a dictionary whose values are tuples of numbers",
    dict[str, dict[str, Any]]: "a dictionary whose values are dictionaries",
    dict[str, bool]: "a dictionary whose values are True or False",
    Literal["sampler", "source"]: "'sampler' or 'source'",
    Literal["lower", "higher", "none"]: "'lower', 'higher' or 'none'",
}
"""The types of facts, and how a message says what is allowed."""
FACTS: dict[str, dict[str, Any]] = {
    "target": {"LACKS": Names},
    "model": {"GIVES": Names, "BY_FILE": Words, "LADDER": str},
    "loss": {"LADDER": str, "LEVELS": str, "TUNES": dict[str, tuple[float, ...]], "EQUATION": str},
    "sampler": {"LADDER": str, "STEPS_A_LEVEL": str, "START": str, "ENDS": bool, "EXACT": bool, "ORDER": int, "EQUATION": str}
    | {"PEERS": dict[str, Names]},
    "metric": {"ABOUT": Literal["sampler", "source"], "DIRECTION": Literal["lower", "higher", "none"]}
    | {"FLOOR": bool, "LOG": bool, "EXACT": bool, "FIELDS": bool, "MOMENTS": int, "MOST": int, "UNDEFINED": str, "SEES": Names},
    "claim": dict.fromkeys(("SOURCE", "STATEMENT", "CORRECTION", "EXPECTED", "LEADING", "QUOTE", "TRANSLATION"), str)
    | {"CONDITIONS": dict[str, bool], "USES": dict[str, Names]},
    "figure": {"CAPTION": str, "USES": dict[str, Names], "READS": Names},
}
"""What the facts of each kind are, where a file states them; another name is the file's own constant."""
OF_ALL = {"LABEL": str, "REFERENCE": str, "EXAMPLES": Names, "NEEDS": Names, "VARIANTS": Words, "IGNORED": dict[str, dict[str, Any]]}
"""The facts of every kind."""
COMPULSORY = {"metric": ("DIRECTION", "FLOOR", "LOG")}
"""What is read of every method of a kind."""


@dataclass(frozen=True)
class Option:
    """One hyper-parameter: its annotation as written, its default (`REQUIRED` if none)."""

    annotation: str
    default: Any

    @property
    def allowed(self) -> str:
        """What a message says is allowed."""
        parts = [part.strip() for part in self.annotation.removeprefix("Literal[").removesuffix("]").replace(",", "|").split("|")]
        return " or ".join(option_types.WORDS.get(part, part) for part in parts if part != "None")

    @property
    def words(self) -> tuple[Any, ...]:
        """The values of a Literal; none of another type."""
        return get_args(_type(self.annotation)) if self.annotation.startswith("Literal") else ()

    @property
    def of_text(self) -> bool:
        """Whether its values are text, of which no number is read."""
        return self.annotation.partition("|")[0].strip() in option_types.TEXTS

    def read(self, text: str) -> object:
        """The plain value that a text in a spec stands for."""
        if text in self.words or self.annotation == "File":
            return text
        return tuple(text.split("|")) if self.of_text else _scalar(text)

    def check(self, value: object) -> object:
        """The value, converted where that is exact; raises pydantic's ValidationError otherwise."""
        if not (self.words or self.of_text):
            value = _NO_NUMBERS[value] if isinstance(value, str) and value in _NO_NUMBERS else value
        return _adapter(self.annotation).validate_python(value, strict=True)


_NO_NUMBERS = {"null": None, "nan": math.nan, "inf": math.inf, "-inf": -math.inf}
"""Where a number is wanted: what may be wanted instead, and what is told as such."""


def _scalar(text: str) -> object:
    if "|" in text:
        return tuple(_scalar(part) for part in text.split("|"))
    value = option_types.number(text)
    return {"true": True, "false": False}.get(text, text) if value is None else value


@cache
def _adapter(annotation: str) -> TypeAdapter[Any]:
    return TypeAdapter(_type(annotation))


_IN_TYPES = (ast.Expression, ast.Name, ast.Load, ast.Subscript, ast.Tuple, ast.Constant, ast.BinOp, ast.BitOr, ast.UnaryOp, ast.USub)


def _type(annotation: str) -> Any:
    """The type that a file's annotation names. Raises TypeError for one that would do more than name types: files are read here, not run."""
    if other := [node for node in ast.walk(ast.parse(annotation, mode="eval")) if not isinstance(node, _IN_TYPES)]:
        raise TypeError(f"{annotation!r} is no type of an option: {ast.unparse(other[0])!r} does not name one")
    return eval(annotation, vars(option_types) | {"tuple": tuple})


@dataclass(frozen=True)
class Entry:
    """What is known of a method without importing it."""

    kind: str
    name: str
    path: Path
    doc: str = ""
    options: dict[str, Option] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    functions: frozenset[str] = frozenset()
    """What the file defines at its top: a claim's `picture`, where it has one."""
    error: str | None = None
    elsewhere: str = ""
    """The module, where the file is none of this package."""

    @property
    def summary(self) -> str:
        """The first line of the file's docstring."""
        return self.doc.partition("\n")[0]

    @property
    def module(self) -> str:
        """The module to import, for example `scorebench.samplers.mala`."""
        return self.elsewhere or ".".join(("scorebench", *self.path.relative_to(ROOT).with_suffix("").parts))

    @property
    def origin(self) -> str:
        """Who brought it: this package, a file that was named, or an installed package by its entry point."""
        if not self.elsewhere:
            return "scorebench"
        return f"file {self.path}" if self.elsewhere.startswith(f"{plugins.PACKAGE}.") else f"package {self.elsewhere}"

    @property
    def file(self) -> str:
        """Where it stands in the repository, for example `scorebench/samplers/mala.py`; of a file from elsewhere its name."""
        return self.path.name if self.elsewhere else f"scorebench/{self.path.relative_to(ROOT)}"


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _paths(kind: str) -> list[tuple[str, Path]]:
    """Each method's name and file: those of the kind's folder and the folders in it; not `base`, `lib/` and what starts with an underscore."""
    files = (p for p in (ROOT / FOLDERS[kind]).rglob("*.py") if p.stem != "base" and not p.stem.startswith("_") and p.parent.name != "lib")
    elsewhere = ((name, path) for name, (_, path) in plugins.of_kind(kind).items())
    return sorted([*((plugins.name_of(kind, p), p) for p in files), *elsewhere])


def names(kind: str) -> list[str]:
    """The methods of a kind, sorted; claims have hyphens. A file from elsewhere that cannot be read is of no kind."""
    return [name for name, path in dict(_paths(kind)).items() if path not in plugins.files.values() or plugins.kind_of(path)]


def of_path(path: Path) -> tuple[str, str] | None:
    """Kind and name of the method whose file this is, where it is one's; none is read for that."""
    for kind in FOLDERS:
        paths = dict(_paths(kind))
        for name in names(kind):
            if paths[name] == path:
                return kind, name
    return None


def unread() -> list[Entry]:
    """The files from elsewhere that cannot be read, each with its error: methods of a kind that nobody knows."""
    return [replace(entry("target", stem), kind="unknown") for stem, path in sorted(plugins.files.items()) if plugins.kind_of(path) is None]


def add(path: Path) -> None:
    """Register a method's file from elsewhere. Raises InputError if it is none, or if a method of its kind and name exists."""
    where = f"plugin {str(path)!r}"
    if not isfile(path):  # of a name that no system has it is False, where Path's raises
        raise InputError(f"{where}: {'is a folder' if isdir(path) else 'there is no such file'}{_near(path)} (allowed: a file NAME.py)")
    path = path.resolve()
    if not (path.suffix == ".py" and plugins.NAMED.fullmatch(path.stem)):
        raise InputError(f"{where}: no method can be called so (allowed: a file NAME.py whose NAME is {plugins.ALLOWED})")
    same = plugins.files.get(path.stem)
    if same and isfile(same) and same.read_bytes() == path.read_bytes():
        return  # again, or the copy that a run has kept
    kind = plugins.kind_of(path)
    if kind and kind not in FOLDERS:
        raise InputError(unknown(f"{where}: KIND", kind, FOLDERS))
    for known in [kind] if kind else FOLDERS:
        if plugins.name_of(known, path) in names(known):
            raise InputError(
                f"{where}: there is a {known} {plugins.name_of(known, path)!r} already (call the file, and what it defines, otherwise)"
            )
    plugins.files[path.stem] = path
    entry.cache_clear()


def _near(path: Path) -> str:
    return nearest(path.name, [other.name for other in path.parent.glob("*.py")]) if isdir(path.parent) else ""


@cache
def entry(kind: str, name: str) -> Entry:
    """The method's options and facts, read statically. Raises InputError for an unknown name."""
    paths = _paths(kind)
    path = dict(paths).get(name)
    if path is None:
        raise InputError(unknown(kind, name, names(kind)))
    # Where upper and lower case are one, two files of this name would be one, and so would their results.
    if len(twins := [str(p.relative_to(ROOT) if ROOT in p.parents else p) for other, p in paths if other.lower() == name.lower()]) > 1:
        return Entry(kind, name, path, error=f"its name is that of {len(twins)} files: {', '.join(twins)}")
    elsewhere = plugins.of_kind(kind).get(name, ("",))[0]
    try:
        tree = plugins.parsed(path.read_bytes(), path.name)
        definition = _definition(tree, name)
        options, facts = _options(definition) if definition else {}, _facts(tree)
        _check_types(kind, facts)
        if kind not in ("claim", "figure"):
            for fact, text in (("LABEL", facts.get("LABEL", "")), *(("VARIANTS", text) for text in facts.get("VARIANTS", {}).values())):
                _check_label(fact, text, options)
            for fact in ("IGNORED", *("TUNES",) * (kind == "loss")):
                _check_names(fact, set(facts.get(fact, ())), options)
            _check_names("IGNORED", {other for at in facts.get("IGNORED", {}).values() for other in at}, options)
        if "USES" in facts and kind in ("claim", "figure"):
            _check_names("USES", set(facts["USES"]), FOLDERS)
        if kind == "sampler":
            _check_gradients(facts.get("GRADIENTS"), options)
            if "STEPS_A_LEVEL" in facts:
                _check_names("STEPS_A_LEVEL", {facts["STEPS_A_LEVEL"]}, [n for n, o in options.items() if o.annotation == "Count"])
            _check_names("TUNES", facts.get("TUNES", ()), options)
            _check_names("AXES", facts.get("AXES", ()), AXES)
        return Entry(
            kind,
            name,
            path,
            doc=ast.get_docstring(tree) or "",
            options=options,
            facts=facts,
            functions=frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef)),
            elsewhere=elsewhere,
        )
    except (SyntaxError, ValueError, TypeError, NameError, RecursionError) as error:
        return Entry(kind, name, path, error=f"{type(error).__name__}: {error}", elsewhere=elsewhere)


def _definition(tree: ast.Module, name: str) -> ast.FunctionDef | ast.ClassDef | None:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and _plain(node.name) == _plain(name):
            return node
    return None


def _options(node: ast.FunctionDef | ast.ClassDef) -> dict[str, Option]:
    if isinstance(node, ast.ClassDef):
        init = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if init is None:
            fields = [n for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
            # A sampler's step size and temperature are tensors: the two grid axes, not options.
            return {ast.unparse(n.target): _option(n.annotation, n.value) for n in fields if ast.unparse(n.annotation) != "Tensor"}
        node = init
    arguments = node.args
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {a.arg: _option(a.annotation, v) for a, v in pairs}


def _check_types(kind: str, facts: dict[str, Any]) -> None:
    """Raises ValueError for a fact that is not what the facts of its name are, and for one that is wanted."""
    for fact, known in (OF_ALL | FACTS[kind]).items():
        if fact not in facts and fact in COMPULSORY.get(kind, ()):
            raise ValueError(f"the file does not say {fact}, as a literal (allowed: {ALLOWED[known]})")
        try:
            _of_type(known).validate_python(facts[fact], strict=True) if fact in facts else None
        except ValidationError:
            raise ValueError(f"{fact} = {facts[fact]!r} is no fact of a {kind} (allowed: {ALLOWED[known]})") from None


@cache
def _of_type(known: Any) -> TypeAdapter[Any]:
    return TypeAdapter(known)


def _check_label(fact: str, text: str, options: dict[str, Option]) -> None:
    """Raises ValueError for a text that names, in braces, what is no option, or writes it as it cannot be; found here and not when a table shows it."""
    writer = string.Formatter()
    for _, name, how, conversion in writer.parse(text):
        if name is not None and name not in options:
            raise ValueError(
                f"{fact} = {text!r}: {{{name}}} is no option (allowed: {', '.join(options) or 'none'}; a brace is written twice)"
            )
        default = REQUIRED if name is None else options[name].default
        if default is not REQUIRED and (default is not None or fact == "LABEL"):  # a variant is written of what is true
            try:
                writer.format_field(writer.convert_field(default, conversion), how or "")
            except (ValueError, TypeError) as error:
                raise ValueError(f"{fact} = {text!r}: {{{name}:{how}}} does not write {default!r}: {error}") from None


def _check_gradients(per_step: Any, options: dict[str, Option]) -> None:
    """Raises ValueError for GRADIENTS that is no count and no option that holds one, or numbers to be counted."""
    counts = [name for name, option in options.items() if option.annotation in option_types.COUNTED]
    if per_step is not None and per_step not in counts and not (type(per_step) is int and per_step >= 0):
        raise ValueError(
            f"GRADIENTS = {per_step!r} is no number of gradients a step (allowed: a whole number, 0 or more, or the name of an option of type "
            f"{', '.join(option_types.COUNTED)}: {', '.join(map(repr, counts)) or 'none here'})"
        )


def _check_names(fact: str, given: Any, known: Iterable[str]) -> None:
    """Raises ValueError for a fact that is no collection of known names."""
    if not (isinstance(given, set | tuple) and set(known).issuperset(given)):
        raise ValueError(f"{fact} = {given!r} does not hold names of these (allowed: {', '.join(known) or 'none'})")


def _option(annotation: ast.expr | None, default: ast.expr | None) -> Option:
    text = ast.unparse(annotation) if annotation else "Real"
    option = Option(text, REQUIRED if default is None else ast.literal_eval(default))
    _type(text)  # a type that the options do not know is a mistake of the file, found here and not when a suite uses it
    if bad := [word for word in option.words if "," in str(word) or str(word) != str(word).strip() or len(str(word).splitlines()) != 1]:
        raise ValueError(
            f"{text}: {bad[0]!r} cannot be given in a spec (allowed: words without a comma, a line end, or spaces at their ends)"
        )
    return option


def _facts(tree: ast.Module) -> dict[str, Any]:
    facts = {}
    for node in tree.body:
        name = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(name, ast.Name) and name.id.isupper() and node.value:
            try:
                facts[name.id] = ast.literal_eval(node.value)
            except (ValueError, TypeError):
                continue  # a constant that is computed is no fact for planning
    return facts


def module(kind: str, name: str) -> Any:
    """Import the method's file. Raises InputError if its options could not be read, for they could not have been checked."""
    if error := entry(kind, name).error:
        raise InputError(f"{kind} {name!r}: {error}")
    its = entry(kind, name)
    return plugins.load(its.module, its.path) if its.module.startswith(f"{plugins.PACKAGE}.") else importlib.import_module(its.module)


def method(kind: str, name: str) -> Any:
    """The function or class called like the file."""
    imported = module(kind, name)
    for key, value in vars(imported).items():
        if _plain(key) == _plain(name) and callable(value):
            return value
    here = [key for key, value in vars(imported).items() if callable(value) and getattr(value, "__module__", "") == imported.__name__]
    called = "".join(part.capitalize() for part in name.split("_"))
    wanted = f"class {called} or def {name}" if kind in ("model", "sampler") else f"def {name}"
    raise InputError(
        f"{kind} {name!r}: {imported.__file__} defines no function or class called like the file{nearest(name, here)} (wanted: {wanted}; "
        f"defined: {', '.join(here) or 'none'})"
    )
