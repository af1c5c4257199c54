"""One grammar, `name:key=value,key=value`, names a configured method everywhere: suites, command line, columns, file names."""

import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from pydantic import ValidationError

from scorebench.core import registry
from scorebench.core.errors import InputError, nearest, unknown
from scorebench.core.registry import AXES

LONGEST, MANY = 80, 1_000
_NUMBER = r"-?[0-9.]+(?:e[+-][0-9]+)?"
_OPTION = rf"[a-z_]+=(?:true|false|{_NUMBER}(?:\|{_NUMBER})*)"
_PLAIN = re.compile(rf"[a-z0-9_]+(?::{_OPTION}(?:,{_OPTION})*)?")
"""Specs of which no two read the same without their punctuation: lower case, and numbers after letters."""

OWNERS = ("target", "source", "run", "model")
"""Whose members a method's NEEDS may name."""


@dataclass(frozen=True)
class Spec:
    """A method and its options, those at their defaults left out: equal configurations are equal specs."""

    kind: str
    name: str
    given: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return self.name + (":" if self.given else "") + ",".join(f"{k}={written(v)}" for k, v in self.given)

    @property
    def slug(self) -> str:
        """The spec as part of a file name, no two alike where upper and lower case are one: with a hash where it is long, or not plain."""
        text = str(self)
        slug = re.sub(r"[^a-z0-9_.+-]", "_", text.lower().replace(":", "-").replace(",", "-").replace("=", ""))
        if len(slug) <= LONGEST and _PLAIN.fullmatch(text):
            return slug
        return f"{slug[:LONGEST]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def entry(self) -> registry.Entry:
        """What is known of the method without importing it."""
        return registry.entry(self.kind, self.name)

    @property
    def options(self) -> dict[str, Any]:
        """Every option, defaults filled in."""
        return {k: o.default for k, o in self.entry.options.items() if o.default is not registry.REQUIRED} | dict(self.given)

    @property
    def needs(self) -> list[tuple[str, str]]:
        """What the method reads of others, owner and member, from its NEEDS. Raises InputError for an owner that there is not."""
        needs = []
        for need in sorted(self.entry.facts.get("NEEDS", ())):
            owner, _, member = need.partition(".")
            if owner not in OWNERS or not member:
                raise InputError(f"{self.kind} {self.name!r}: NEEDS names {need!r} (allowed: {', '.join(f'{o}.<member>' for o in OWNERS)})")
            needs.append((owner, member))
        return needs

    @property
    def label(self) -> str:
        """The method's name for figures and tables: its LABEL with its options, and its variants."""
        return ", ".join([str(self.entry.facts.get("LABEL", self)).format(**self.options), *self.variants])

    @property
    def variants(self) -> list[str]:
        """What tells it from others of its LABEL: what VARIANTS says of an option that is true, and other options that are given and not in LABEL.

        But for what is tuned, lists, and options of a target, whose titles are short: the page has its spec beside.
        """
        facts, options = self.entry.facts, self.options
        told = {option: text.format(**options) for option, text in facts.get("VARIANTS", {}).items() if options.get(option)}
        if self.kind == "target" or "LABEL" not in facts:
            return list(told.values())
        shown = {field for _, field, _, _ in Formatter().parse(facts["LABEL"])} | set(told) | set(self.tuned)
        others = [f"{k.replace('_', ' ')} {written(v)}" for k, v in self.given if k not in shown and not isinstance(v, tuple)]
        return [*told.values(), *others]

    @property
    def tuned(self) -> dict[str, Any]:
        """The values of the options that are tuned as a step size is (TUNES)."""
        return {name: value for name, value in self.options.items() if name in self.entry.facts.get("TUNES", ())}

    @property
    def method(self) -> "Spec":
        """What is compared with others, at its best: the spec without what it tunes, however its values came in."""
        return self.without(*self.tuned)

    def without(self, *keys: str) -> "Spec":
        """The spec with some options left out."""
        return Spec(self.kind, self.name, tuple((k, v) for k, v in self.given if k not in keys))

    def having(self, key: str, value: object) -> "Spec":
        """The spec with another value of an option."""
        option = self.entry.options.get(key)
        return (
            self.without(key)
            if option and value == option.default
            else Spec(self.kind, self.name, (*self.without(key).given, (key, value)))
        )

    def build(self, *args: object, **kwargs: object) -> Any:
        """Import the method and call it with the spec's options: a target, a sampler, a model."""
        return registry.method(self.kind, self.name)(*args, **self.options, **kwargs)


def labels(specs: Iterable[Spec]) -> dict[Spec, str]:
    """The label of each, with the spec itself where others have the same."""
    its = {spec: spec.label for spec in specs}
    counts = Counter(its.values())
    return {spec: f"{label} ({spec})" if counts[label] > 1 else label for spec, label in its.items()}


def written(value: object) -> str:
    """An option's value as it stands in a spec."""
    if isinstance(value, tuple):
        return "|".join(map(written, value))
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    # Of a float, the shortest text that reads back the same: two specs that differ are two files.
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def read(option: registry.Option, text: str) -> object:
    """An option's value from how it stands in a spec. Raises pydantic's ValidationError for one that is not allowed."""
    return option.check(option.read(text))


def parse(kind: str, text: object, grid: bool = False) -> Spec:
    """Read a spec and check its name and options; `grid` admits a sampler's step size and temperature.

    Raises InputError with a line for each mistake.
    """
    if not isinstance(text, str):
        raise InputError(f"{kind} {text!r} is not a name (allowed: name or name:key=value,key=value)")
    name, colon, rest = text.partition(":")
    entry = registry.entry(kind, name)
    if entry.error:  # its options are unknown, so they are kept as they are: the jobs that import it fail, every other job goes on
        pairs = (item.partition("=") for item in rest.split(",") if item)
        return Spec(kind, name, tuple((k.strip(), v.strip()) for k, _, v in pairs))
    known = entry.options | ({k: registry.Option("Positive", registry.REQUIRED) for k in AXES} if grid else {})
    given: dict[str, Any] = {}
    lines = []
    for item in rest.split(",") if colon else ():
        key, equals, value = (part.strip() for part in item.partition("="))
        where = f"{kind} {name!r}: option"
        if not equals:
            lines.append(f"{where} {item!r} is not of the form key=value{_cut(known, given)}")
        elif key in given:
            lines.append(f"{where} {key!r} is given twice")
        elif key not in known:
            axis = difflib.get_close_matches(key.lower(), _axes(entry), n=1, cutoff=0.8)
            lines.append(
                _of_the_grid(where, key, value, axis[0], known)
                if axis and not grid
                else unknown(where, key, known) + _cut(known, given, equals)
            )
        else:
            try:
                given[key] = read(known[key], value)
            except ValidationError as error:
                given[key] = None
                reason = error.errors()[0]["msg"].removeprefix("Value error, ")
                hint = nearest(value, map(str, known[key].words))
                lines.append(f"{where} {key}={value}: {reason}{hint} (allowed: {known[key].allowed})")
    missing = [k for k, o in entry.options.items() if o.default is registry.REQUIRED and k not in given]
    lines += [f"{kind} {name!r}: option {k!r} is missing (allowed: {known[k].allowed})" for k in missing]
    lines += _idle(f"{kind} {name!r}", entry, given)
    if lines:
        raise InputError(*lines)
    return Spec(kind, name, tuple((k, given[k]) for k in known if k in given and given[k] != known[k].default))


def _axes(entry: registry.Entry) -> list[str]:
    """Those of the grid's axes that a method has: a sampler without gradients has no step."""
    its = entry.facts.get("AXES", AXES) if entry.kind == "sampler" else ()
    return [axis for axis in its if axis != "step_size" or entry.facts.get("GRADIENTS", 1) != 0]


def _of_the_grid(where: str, key: str, value: str, axis: str, known: Iterable[str]) -> str:
    """The line for what is no option but an axis of a suite's grid, `temperatures` of all blocks but `work`."""
    place = f"{axis}s: [{value.replace('|', ', ')}]" + " of exact or trained" * (axis == "temperature")
    return f"{where} {key!r} is unknown (known: {', '.join(sorted(known)) or 'none'}); in a suite put it into {place}"


def _cut(known: Mapping[str, registry.Option], given: Mapping[str, Any], equals: str = "") -> str:
    """The words that a comma ended the text before, where there is one; beside an equals sign where that is a path without an ending."""
    *_, key = ("", *given)
    if not key or not known[key].of_text or given[key] is None:
        return ""
    path = known[key].annotation.startswith("File")
    if equals and not (path and "." not in given[key].rpartition("/")[2]):
        return ""
    advice = "a path with a comma cannot be given: rename the file" if path else "names are separated by |"
    return f"; a comma ends {key}={written(given[key])} ({advice})"


def _idle(where: str, entry: registry.Entry, given: dict[str, Any]) -> list[str]:
    """A line for each option that does nothing beside the others: the file's IGNORED names it, and the values of others at which."""
    options = {k: o.default for k, o in entry.options.items()} | given
    return [
        f"{where}: option {key}={written(given[key])} does nothing at {', '.join(f'{k}={v}' for k, v in at.items())} (allowed: leave it out)"
        for key, at in entry.facts.get("IGNORED", {}).items()
        if key in given and given[key] != entry.options[key].default and all(options[k] == v for k, v in at.items())
    ]


def parse_all(kind: str, texts: Iterable[object], grid: bool = False) -> list[Spec]:
    """Read several specs; all mistakes at once, a spec named twice among them."""
    specs: dict[Spec, None] = {}
    lines: list[str] = []
    for text in texts:
        if len(lines) >= MANY:
            lines.append(f"more than {MANY:,} mistakes: what is wrong with others is told when these are right")
            break
        try:
            spec = parse(kind, text, grid)
        except InputError as error:
            lines += error.lines
            continue
        if spec in specs:
            lines.append(f"{kind} {text!r} is given twice")
        specs[spec] = None
    if lines:
        raise InputError(*lines)
    return list(specs)


__all__ = ["Spec", "labels", "parse", "parse_all", "read", "written"]
