"""Functions of points that need many numbers a point, a block of points at a time: memory stays bounded and near the processor."""

from collections.abc import Callable

import torch
from torch import Tensor

MOST = 2**16
"""Numbers at once: 256 kB, which the allocator keeps; twice as many are mapped and cleared anew each time, eight times slower."""


def rowwise(function: Callable[[Tensor], Tensor], x: Tensor, numbers: int) -> Tensor:
    """Apply a function of rows, (n, d) -> (n, *) with so many `numbers` a row in between, to points (*, d)."""
    rows = x.reshape(-1, x.shape[-1])
    size = max(MOST // numbers, 1)
    parts = [function(block) for block in rows.split(size)] if len(rows) > size else [function(rows)]
    values = parts[0] if len(parts) == 1 else torch.cat(parts)
    return values.reshape((*x.shape[:-1], *values.shape[1:]))
