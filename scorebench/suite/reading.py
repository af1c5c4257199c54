"""From a suite's YAML to the suite; every mistake is reported at once, before any compute."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.composer import ComposerError

from scorebench.core import files, registry, sealed
from scorebench.core.errors import InputError, nearest, unknown
from scorebench.core.options import DECIMAL, INTEGER
from scorebench.suite import mistakes, patterns
from scorebench.suite.config import Experiment, Suite

KEPT = "plugins"
"""Where a run keeps its plugins, in its folder."""
GIVEN = "given.json"
"""There, too: the digests of what the run was given, the suite, plugins and files that specs name."""
MOST, MOST_BYTES = 10_000, 1_000_000
"""Values of a suite, each alias counted with what it stands for, and what its file may hold: `paper` has 1,822 in 23,000."""
SUITES = Path("workflows/suites")
DEFAULT = "article"


class _Loader(yaml.SafeLoader):
    """YAML as a suite is read: plain text is what YAML 1.2's JSON schema says, or a string; no tags; a key given twice is a mistake."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[str] = []
        self.open: list[str] = []
        self.values = 0
        self.sizes: dict[str | None, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()
        mark: Any = event.start_mark
        if not isinstance(event, yaml.AliasEvent) and event.tag not in (None, "!"):
            raise ComposerError(None, None, f"the tag {event.tag!r} is not read", mark)
        if isinstance(event, yaml.AliasEvent) and event.anchor in self.open:
            raise ComposerError(None, None, f"*{event.anchor} stands in what it names", mark)
        before = self.values
        self.open.append(event.anchor)
        node = super().compose_node(parent, index)
        self.open.pop()
        self.values += self.sizes[event.anchor] if isinstance(event, yaml.AliasEvent) else 1
        self.sizes[event.anchor] = self.values - before
        if self.values > MOST:
            raise ComposerError(None, None, f"more than {MOST:,} values", mark)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Here and not when the mapping is made: by then `<<` has put in the keys that it brings, which may be given again.
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if not key.tag.endswith(":merge"):
                    key.tag = "tag:yaml.org,2002:str"  # a key is a name, whatever it looks like
                if key.value in seen:
                    self.repeated.append(f"line {key.start_mark.line + 1}: key {key.value!r} is given twice")
                seen.add(key.value)
        return node


_DIGITS = list("-+.0123456789")
for _tag, _text, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", INTEGER.pattern, _DIGITS),
    ("float", rf"{DECIMAL.pattern}|[-+]?\.inf|\.nan", _DIGITS),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_text})\Z"), _first)


def load(path: str | Path) -> Suite:
    """Read and check a suite. Raises InputError with one line a mistake, each naming file, key, value and what is allowed."""
    path = Path(path)
    try:
        loader = _Loader(_content(path))
        raw, lines = _tuples(loader.get_single_data()), loader.repeated
    except OSError as error:
        near = nearest(path.name, [other.name for other in path.parent.glob("[!.]*.y*ml")]) if isinstance(error, FileNotFoundError) else ""
        raise InputError(f"{path}: {error.strerror}{near}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from None
    except ValueError as error:  # of a path that no system has
        raise InputError(f"{path}: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: not a suite: nested too deeply") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    of_a_run = path.name == "suite.yaml"
    if of_a_run and (path.parent / GIVEN).exists():
        for name, digest in sealed.read(path.parent / GIVEN).get("sha256", {}).items():
            if not (path.parent / name).is_file():
                raise InputError(f"{path.parent / name} does not exist; run the suite again from its own file, and it is copied again")
            if sealed.digest(path.parent / name) != digest:
                raise InputError(sealed.damaged(path.parent / name))
    files.look_in(path.parent, path.parent / files.FOLDER if of_a_run else None)
    if not isinstance(raw, dict):
        raise InputError(f"{path}: a suite is a mapping of keys (known: {', '.join(Suite.model_fields)})")
    return checked(raw, str(path), [*lines, *_unusable(raw.get("plugins"), path)])


def _content(path: Path) -> str:
    """What a suite's file holds. Raises InputError for what is no file, or too much."""
    size = path.stat().st_size
    if not path.is_file():
        raise InputError(f"{path}: is {'a folder' if path.is_dir() else 'no ordinary file'} (allowed: a suite's YAML file)")
    if size > MOST_BYTES:
        raise InputError(f"{path}: {size:,} bytes are no suite (allowed: {MOST_BYTES:,} at most)")
    return path.read_text(encoding="utf-8")


def asked(files: Sequence[Path], settings: Sequence[str], suites: Path = SUITES) -> Path:
    """The suite of a command of Snakemake's: its `--configfile`, or of `--config suite=` a file's path or a name in `suites`; else the default.

    Raises InputError with a line for each setting that is none, and where more than one suite is asked for.
    """
    pairs = [setting.partition("=")[::2] for setting in settings]
    lines = [unknown("--config: key", key, ["suite"]) for key, _ in pairs if key != "suite"]
    given = [*map(str, files), *(f"suite={value}" for key, value in pairs if key == "suite")]
    if len(given) > 1:
        lines.append(f"{', '.join(given)}: a suite is one file (allowed: one --configfile FILE, or --config suite=NAME)")
    if lines:
        raise InputError(*lines)
    if files:
        return Path(files[0])
    name = pairs[0][1] if pairs else DEFAULT
    known = {path.stem: path for path in sorted(suites.glob("*.yaml"))}
    if name in known:
        return known[name]
    if not Path(name).is_file():
        raise InputError(unknown("--config suite: suite", name, known) + ", or the path of a suite's YAML file")
    return Path(name)


def _unusable(plugins: Any, suite: Path) -> Iterator[str]:
    """Register a suite's plugins, a run's own record having kept those of the run; a line for each that cannot be."""
    for name in plugins if isinstance(plugins, tuple) else ():
        kept = suite.parent / KEPT / Path(str(name)).name
        try:
            registry.add(kept if suite.name == "suite.yaml" and kept.is_file() else suite.parent / str(name))
        except InputError as error:
            yield f"plugins: {error.lines[0]}"


def checked(raw: dict[str, Any], name: str, lines: Sequence[str] = ()) -> Suite:
    """A suite from plain values, lists as tuples. Raises InputError with one line a mistake, after those known already, each beginning with `name`."""
    lines = list(lines)
    raw = patterns.expanded(raw, lines)
    suite = None
    try:
        suite = Suite.model_validate(raw)
    except ValidationError as error:
        lines += mistakes.of_types(error, raw)
    lines += mistakes.of_names(raw, lines)
    lines += _together(raw, suite, lines)
    if lines or suite is None:
        raise InputError(*(f"{name}: {line}" for line in dict.fromkeys(lines)))
    return suite


def _together(raw: dict[str, Any], suite: Suite | None, lines: Sequence[str]) -> list[str]:
    """What does not go together: in each experiment with none of the mistakes that are known, and, where there are none at all, in the suite."""
    written = raw["experiments"] if isinstance(raw.get("experiments"), tuple) else ()
    right = {
        where: Experiment.model_validate(experiment)
        for where, experiment in ((f"experiments[{number}]", experiment) for number, experiment in enumerate(written))
        if not any(line.startswith(where) for line in lines)
    }
    if large := list(mistakes.too_large(right.values(), len(suite.metrics) if suite else 0)):
        return large
    found = [line for where, experiment in right.items() for line in mistakes.of_experiment(where, experiment)]
    return found + (mistakes.of_combinations(suite) if suite and not lines else [])


def as_suite(plain: dict[str, Any]) -> Suite:
    """The suite that was written to a manifest. Raises InputError with one line a key that this version does not know."""
    raw = _tuples(plain)
    try:
        return Suite.model_validate(raw)
    except ValidationError as error:
        raise InputError(*mistakes.of_types(error, raw)) from None


def with_its_own(suite: Suite, folder: Path) -> Suite:
    """The same, with the plugins and files that the run has kept in its folder."""
    files.look_in(folder, folder / files.FOLDER)
    for name in suite.plugins:
        registry.add(Path(str(folder), KEPT, Path(name).name))
    return suite


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(v) for v in value)
    return {k: _tuples(v) for k, v in value.items()} if isinstance(value, dict) else value
