"""`scorebench check`: the contract of a kind, run over a method's file; each check in a process of its own, so that nothing ends the others."""

import json
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from os.path import isfile
from pathlib import Path
from textwrap import fill
from typing import Any

import torch

from scorebench.commands.console import console_for
from scorebench.core import plugins, registry
from scorebench.core.errors import InputError, unknown
from scorebench.core.schema import OK
from scorebench.core.spec import Spec
from scorebench.engine.process import isolated
from scorebench.testing import contract
from scorebench.testing.examples import SEED, of_file

SECONDS, MEGABYTES = 120.0, 4_000.0
"""Of one check: the slowest of the shipped methods takes 4 s."""
LINE = 2_000
"""The longest reason that is told."""


@dataclass(frozen=True)
class Finding:
    """What came of one check of one spec."""

    file: str
    kind: str
    spec: str
    check: str
    """What is told when it passes."""
    passed: bool
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{'ok    ' if self.passed else 'FAILED'}  {self.spec}: {self.check if self.passed else self.reason}"


def show(finding: Finding, before: Sequence[Finding]) -> None:
    """A line, folded at the terminal's width; of a reason that was told of the same spec before, that it is the same."""
    same = next((other for other in before if not finding.passed and replace(other, check=finding.check) == finding), None)
    shown = replace(finding, reason=f"{finding.check}: as above") if same else finding
    print(fill(str(shown), console_for().width, subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False), flush=True)


def check(paths: list[Path], kind: str, seed: int, alone: "Alone | None" = None) -> Iterator[Finding]:
    """Every check of every file, as it is done, each in a process of its own (`alone`). Raises InputError for what can not be checked, before any is."""
    if kind and kind not in registry.FOLDERS:
        raise InputError(unknown("--kind", kind, registry.FOLDERS))
    if seed < 0:
        raise InputError(f"--seed {seed} is not allowed (allowed: 0 or more)")
    if not __debug__:
        raise InputError("Python runs without assert, by which checks fail (allowed: no -O and no PYTHONOPTIMIZE)")
    lines: list[str] = []
    methods = []
    for path in paths:
        try:
            methods.append((path.name, *_registered(path, kind)))
        except InputError as error:
            lines += error.lines
    if lines:
        raise InputError(*lines)
    return (finding for method in methods for finding in _findings(*method, seed, alone or isolated_work))


def _registered(path: Path, kind: str) -> tuple[str, str]:
    """Kind and name of a file's method, one of the package's own among them."""
    if isfile(path) and (own := registry.of_path(path.resolve())):
        return own
    found = plugins.kind_of(path) if isfile(path) else None
    if kind and found and found != kind:
        says = ", ".join(sorted(plugins.SIGNS.get(kind, {"none of what the others define"})))
        raise InputError(f"plugin {str(path)!r} is a {found} by what it defines (a {kind}'s file defines {says}, or says KIND = {kind!r})")
    registry.add(path)
    return found or kind or next(iter(registry.FOLDERS)), plugins.name_of(found or kind, path)


def _findings(file: str, kind: str, name: str, seed: int, alone: "Alone") -> Iterator[Finding]:
    specs: list[Spec] = []
    entry = registry.entry(kind, name)

    def read() -> str:
        """The file is read, and its EXAMPLES are specs of it."""
        if entry.error:
            return f"the file can not be read: {entry.error}"
        try:
            specs.extend(of_file(kind, name))
        except InputError as error:
            return f"{'; '.join(error.lines)} (expected: EXAMPLES, specs of it, where an option has no default)"
        of_a_file = any(option.annotation == "File" and option.default is registry.REQUIRED for option in entry.options.values())
        return "" if specs or of_a_file else "EXAMPLES is empty; expected are specs of it, or no EXAMPLES"

    reason = read()
    yield Finding(file, kind, name, "The file is read, and its EXAMPLES are specs of it", not reason, reason)
    if reason:
        return
    reason = alone(partial(_loaded, kind, name))
    yield Finding(file, kind, name, "The file is imported, and defines what is called like it", not reason, reason)
    if reason:
        return
    for spec in specs:
        for number, one in enumerate(contract.contract(kind)):
            said = alone(partial(_run, one, spec, seed))
            unseen = said.removeprefix(NOT_OF_THIS) if said.startswith(NOT_OF_THIS) else None
            if unseen is None:
                yield Finding(file, kind, str(spec), contract.told(one), not said, said)
            elif unseen:
                yield Finding(file, kind, str(spec), unseen, True)
            if said and number == 0:
                break  # what it does not say of itself the other checks would ask for


NOT_OF_THIS = "-"
"""What is said of a check that is none of this spec; with words behind it, of one that passes with these in place of its own."""


def _loaded(kind: str, name: str) -> str:
    if kind in ("claim", "figure"):
        registry.module(kind, name)
    else:
        registry.method(kind, name)
    return ""


def _run(one: contract.Check, spec: Spec, seed: int) -> str:
    SEED.set(seed)
    torch.set_num_threads(1)
    if not contract.applies(one, spec):
        return NOT_OF_THIS
    return f"{NOT_OF_THIS}{unseen}" if (unseen := one(spec)) else ""


Alone = Callable[[Callable[[], str]], str]
"""Does a work and says what the work does, "" where nothing failed, or how it ended otherwise."""


def here(work: Callable[[], str]) -> str:
    """In this process: what it raises is said in words, but what ends or stops a process does."""
    try:
        said = work()
    except BaseException as error:  # SystemExit and KeyboardInterrupt, too, are the method's
        said = _reason(error)
    return " ".join(said.split())[:LINE]


def isolated_work(work: Callable[[], str]) -> str:
    """In a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "said.json")

        def told() -> None:
            path.write_text(json.dumps(here(work)), encoding="utf-8")

        left = isolated(told, SECONDS, MEGABYTES)
        if left.ended != OK:
            how = left.ended.reason.removesuffix(" that job_memory_mb allows") or str(left.ended.status)
            return f"it did not come to its end, in {SECONDS:g} s and {MEGABYTES:g} MB: {how}"
        said: str = json.loads(path.read_text(encoding="utf-8"))
        return said


def _reason(error: BaseException) -> str:
    """A check's sentence; of anything else its kind, its message and the line of the method's file where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if Path(f.filename).resolve() in {p.resolve() for p in plugins.files.values()}]
    if isinstance(error, AssertionError) and not own:
        return str(error) or "a check failed without words"
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    try:
        message = str(error)
    except Exception:
        message = "it cannot even say what it is"
    return f"it raises {type(error).__name__}: {message}{where}"
