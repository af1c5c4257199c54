"""What every method of a kind keeps to, as checks: `scorebench check` runs them over a file, the repository's tests over the registry.

A check is a function of a spec. It returns where the method keeps to it and raises AssertionError where not, with one sentence that the method's author
can act on: what was expected, what came, by which equation. The first line of its docstring is what is told when it passes, or the sentence that it
returns, of what it could not see. Those of a kind are the tuple CHECKS of `testing.<folder>`; a new one is a function there.

A check that rests on chance has false-alarm rate ALPHA / SHARE = 1e-5 for each spec, all its comparisons together (Bonferroni): a file with up to a
hundred such checks and specs, and there are some ten a spec at most, fails in at most one of 1,000 runs if it is right. Each says the smallest error
that it sees.
"""

import dataclasses
import importlib
import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scorebench.core import registry
from scorebench.core.spec import Spec

Check = Callable[[Spec], str | None]
SHARE = 10
"""Of ALPHA a check of one spec has one in so many: what `comparisons` are multiplied by."""


def only(applies: Callable[[Spec], bool]) -> Callable[[Check], Check]:
    """Mark a check as one of some specs alone."""

    def mark(check: Check) -> Check:
        check.applies = applies  # type: ignore[attr-defined]
        return check

    return mark


def applies(check: Check, spec: Spec) -> bool:
    """Whether a check is one of this spec."""
    return bool(getattr(check, "applies", lambda _: True)(spec))


def contract(kind: str) -> tuple[Check, ...]:
    """The checks of a kind, in the order in which they are told."""
    checks: tuple[Check, ...] = importlib.import_module(f"scorebench.testing.{registry.FOLDERS[kind]}").CHECKS
    return checks


def told(check: Check) -> str:
    """What is told of a check: the first line of its docstring."""
    return (check.__doc__ or check.__name__).partition("\n")[0].removesuffix(".")


def agree(what: str, found: Tensor, expected: Tensor, rtol: float, atol: float, why: str = "") -> None:
    """Two tensors are alike, entry by entry; NaN is like nothing."""
    because = f" ({why})" if why else ""
    none = ~found.isfinite()
    assert not none.any(), (
        f"{what} is {float(found[none][0]):g} in {int(none.sum())} of {found.numel()} entries; a number was expected{because}"
    )
    assert found.shape == expected.shape, f"{what} has shape {tuple(found.shape)}; {tuple(expected.shape)} was expected{because}"
    off = ~((found - expected).abs() <= atol + rtol * expected.abs())
    if off.any():
        worst = int((found - expected).abs().nan_to_num(torch.inf).flatten().argmax())
        a, b = (float(of.flatten()[worst]) for of in (found, expected))
        raise AssertionError(f"{what} is {a:.6g} where {b:.6g} was expected, in {int(off.sum())} of {off.numel()} entries off{because}")


def finite(what: str, values: Tensor, at: Tensor | None = None) -> None:
    """Every entry is a number; `at` are the points of its first axis."""
    rows = ~values.isfinite().flatten(1).all(-1) if values.dim() > 1 else ~values.isfinite()
    if rows.any():
        first = int(rows.double().argmax())
        where = "" if at is None else f", the first at x = {[round(float(v), 4) for v in at.flatten(1)[first][:4]]}"
        raise AssertionError(f"{what} is not finite in {int(rows.sum())} of {len(rows)} rows{where}")


@contextmanager
def unchanged(what: str, **arguments: Any) -> Iterator[None]:
    """What is called inside leaves these tensors, and the tensors in them, as they are."""
    held = {name: _tensors(value) for name, value in arguments.items()}
    before = {name: [t.clone() for t in tensors] for name, tensors in held.items()}
    yield
    for name, tensors in held.items():
        for a, b in zip(tensors, before[name], strict=True):
            same = a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())
            assert same, f"{what} changes {name} in place; a new tensor was expected (x = x + ..., not x += ... or x.add_(...))"


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = tuple(value.values())
    return [t for part in value for t in _tensors(part)] if isinstance(value, tuple | list) else []


@contextmanager
def own_generator(what: str) -> Iterator[None]:
    """What is called inside draws from the generator that it is given, and from no global one."""
    states: dict[str, Callable[[], bytes]] = {
        "torch's global generator (torch.randn without generator=, or a layer that draws its own first weights)": lambda: bytes(
            torch.get_rng_state().numpy().tobytes()
        ),
        "numpy's global generator (np.random.*)": lambda: repr(np.random.get_state()).encode(),
        "Python's global generator (random.*)": lambda: repr(random.getstate()).encode(),
    }
    before = {name: state() for name, state in states.items()}
    yield
    used = [name for name, state in states.items() if state() != before[name]]
    assert not used, f"{what} used {' and '.join(used)}; its own generator was expected: identical runs would not give identical numbers"


POSITIONAL = {"target": (), "model": ("dim", "generator"), "loss": ("model", "x", "draws"), "metric": ("run", "target", "reference")}
"""What a method is called with beside its options."""
GRID = ("step_size", "temperature")


def lists_its_options(spec: Spec) -> None:
    """Every option is listed: a keyword-only parameter, or a field, of the method's own."""
    method, listed = registry.method(spec.kind, spec.name), set(spec.entry.options)
    if dataclasses.is_dataclass(method):
        hidden = [field.name for field in dataclasses.fields(method) if field.name not in {*listed, *GRID}]
        how = "a field with its annotation in the class itself, since the fields of a base class are not read"
    else:
        parameters = list(inspect.signature(method).parameters.values())
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        carried = "init_state" in spec.entry.functions  # a loss with a state is called with it, too
        beyond = positional[len(POSITIONAL[spec.kind]) + carried :]
        hidden = [p.name for p in (*beyond, *(p for p in parameters if p not in positional)) if p.name not in listed]
        how = "a keyword-only parameter (behind a *) with its annotation, of the function or __init__ itself, since a base class's is not read"
    assert not hidden, (
        f"the option{'s' if len(hidden) > 1 else ''} {', '.join(map(repr, hidden))} can not be set in a spec nor seen in a list; expected was {how}"
    )


def says(spec: Spec, **facts: type | tuple[type, ...]) -> None:
    """The file says these facts as literals, of these types, and opens with a docstring."""
    entry = spec.entry
    assert entry.error is None, f"the file can not be read: {entry.error}"
    assert entry.doc, "the file has no docstring; expected is the theory: equation, shapes, reference"
    for name, types in facts.items():
        known = types if isinstance(types, tuple) else (types,)
        words = " or ".join(t.__name__ for t in known)
        value = entry.facts.get(name)
        assert name in entry.facts, (
            f"the file does not say {name}; expected is a line {name} = ..., a literal of type {words} (see {spec.kind}s' base.py)"
        )
        assert isinstance(value, known), f"{name} = {value!r} is of type {type(value).__name__}; {words} was expected"
