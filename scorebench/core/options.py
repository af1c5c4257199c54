"""The types that a method's options may have.

An option is a keyword-only parameter (a field, for a sampler) annotated with one of these names. The annotation is read from the
source without importing it (see `registry`), so that a suite is checked in full before torch is loaded.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

__all__ = ["WORDS", "Barrier", "Blur", "Count", "Falling", "Literal", "NonNegative", "Positive", "Real", "Scale", "Share"]

WORDS = {
    "bool": "true or false",
    "Real": "a number",
    "Positive": "a number above 0",
    "NonNegative": "a number, 0 or more",
    "Scale": "a number from 1e-18 to 1e18",
    "Barrier": "a number from 1e-6 to 1e6",
    "Blur": "a number from 0.01 to 1e6",
    "Share": "a number between 0 and 1",
    "Count": "a whole number, 1 or more",
    "Falling": "two or more numbers above 0 that fall, as 4|2|1|0.5",
}
"""What a message says is allowed."""

Real = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Scale = Annotated[float, Field(ge=1e-18, le=1e18)]
"""A length or a variance whose square is a number of float32."""
Barrier = Annotated[float, Field(ge=1e-6, le=1e6)]
"""The height of a barrier in units of T: float32 resolves the wells."""
Blur = Annotated[float, Field(ge=0.01, le=1e6)]
"""The width of what is spread over a shape of size 1: a few hundred nodes resolve it."""
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


def _falls(ladder: tuple[float, ...]) -> tuple[float, ...]:
    if any(low >= high for high, low in zip(ladder, ladder[1:], strict=False)):
        raise ValueError("noise levels must fall strictly, from the largest to the smallest")
    return ladder


Falling = Annotated[tuple[Positive, ...], Field(min_length=2), AfterValidator(_falls)]
"""Noise levels, written `sigmas=4|2|1|0.5` in a spec."""
