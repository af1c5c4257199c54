"""The types that a method's options may have.

An option is a keyword-only parameter (a field, for a sampler) annotated with one of these names. The annotation is read from the
source without importing it (see `registry`), so that a suite is checked in full before torch is loaded.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

__all__ = [
    "WORDS",
    "Barrier",
    "Blur",
    "Columns",
    "Count",
    "Falling",
    "File",
    "Grain",
    "Literal",
    "NonNegative",
    "Positive",
    "Real",
    "Rising",
    "Scale",
    "Share",
    "number",
]

WORDS = {
    "bool": "true or false",
    "Real": "a number",
    "Positive": "a number above 0",
    "NonNegative": "a number, 0 or more",
    "Scale": "a number from 1e-18 to 1e18",
    "Barrier": "a number from 1e-6 to 1e6",
    "Blur": "a number from 0.01 to 1e6",
    "Grain": "a number from 1e-6 to 1e6",
    "Share": "a number between 0 and 1",
    "Count": "a whole number, 1 or more",
    "Falling": "two or more numbers above 0 that fall, as 4|2|1|0.5",
    "File": "the path of a file, from the suite's folder or from here",
    "Columns": "names of columns, as a|b|c",
    "Rising": "two or more numbers that rise from 1, as 1|2|4|8",
}
"""What a message says is allowed."""
TEXTS = ("File", "Columns")
"""Types whose values are text, whatever it looks like."""

COUNTED = ("Count", "Falling", "Rising")
"""Types whose values are a number of things, or hold one."""

SMALLEST, LARGEST = 1e-18, 1e18
"""Numbers whose squares single precision, in which all is computed, holds."""
INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
DECIMAL = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
"""How a number is written, in a suite as in a spec: in tens, without leading zeros."""


def number(text: str) -> int | float | None:
    """The number that a text is; None where it is none."""
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if DECIMAL.fullmatch(text) else None


def _single(value: float) -> float:
    if value and not SMALLEST <= abs(value) <= LARGEST:
        raise ValueError(f"must be from {SMALLEST:g} to {LARGEST:g} in size, so that single precision holds its square")
    return value


def _inside(value: float) -> float:
    if not 1e-6 <= value <= 1 - 1e-6:
        raise ValueError("must be 1e-6 or more from 0 and from 1, which single precision tells apart")
    return value


Real = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_single)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(_single)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_single)]
Share = Annotated[float, Field(gt=0, lt=1), AfterValidator(_inside)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Scale = Annotated[float, Field(ge=1e-18, le=1e18)]
"""A length or a variance whose square is a number of float32."""
Barrier = Annotated[float, Field(ge=1e-6, le=1e6)]
"""The height of a barrier in units of T: float32 resolves the wells."""
Blur = Annotated[float, Field(ge=0.01, le=1e6)]
"""The width of what is spread over a shape of size 1: a few hundred nodes resolve it."""
Grain = Annotated[float, Field(ge=1e-6, le=1e6)]
"""The width of noise on points of size 1, both of which float32 resolves."""


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("a column is named twice")
    return names


def _falls(ladder: tuple[float, ...]) -> tuple[float, ...]:
    if any(low >= high for high, low in zip(ladder, ladder[1:], strict=False)):
        raise ValueError("noise levels must fall strictly, from the largest to the smallest")
    return ladder


Falling = Annotated[tuple[Positive, ...], Field(min_length=2), AfterValidator(_falls)]
"""Noise levels, written `sigmas=4|2|1|0.5` in a spec."""

File = Annotated[str, Field(min_length=1)]
"""A file that a user names (`core.files`), whose content counts. Its path has no comma, since a spec separates options by it."""
Columns = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1), AfterValidator(_distinct)]
"""Columns of a table by their names, written `columns=a|b` in a spec."""


def _rises(ladder: tuple[float, ...]) -> tuple[float, ...]:
    if ladder[0] != 1 or any(low >= high for low, high in zip(ladder, ladder[1:], strict=False)):
        raise ValueError("must rise strictly, from 1")
    return ladder


Rising = Annotated[tuple[Positive, ...], Field(min_length=2), AfterValidator(_rises)]
"""Multiples of a temperature, written `temperatures=1|2|4|8` in a spec."""
