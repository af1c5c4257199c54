"""What a method returns has the shape that was asked for, or it is a failure with words: broadcasting would go on with something else."""

from collections.abc import Sequence
from typing import Any


def expect(what: str, value: Any, shape: Sequence[int]) -> Any:
    """The value. Raises ValueError if it is no tensor of this shape."""
    if not hasattr(value, "shape"):
        raise ValueError(f"{what} is of type {type(value).__name__}, not a tensor of shape {tuple(shape)}")
    if tuple(value.shape) != tuple(shape):
        raise ValueError(f"{what} has shape {tuple(value.shape)}, not {tuple(shape)}")
    return value
