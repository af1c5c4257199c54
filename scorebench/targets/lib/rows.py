"""Functions of points that need many numbers a point, a block of points at a time: memory stays bounded and near the processor."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch._subclasses import FakeTensor

MOST = 2**16
"""Numbers at once: 256 kB, which the allocator keeps; twice as many are mapped and cleared anew each time, eight times slower."""


def rowwise(function: Callable[[Tensor], Tensor], x: Tensor, numbers: int) -> Tensor:
    """Apply a function of rows, (n, d) -> (n, *) with so many `numbers` a row in between, to points (*, d)."""
    rows = x.movedim(-1, 0).reshape(x.shape[-1], -1).T  # (n, d), in memory coordinate by coordinate
    size = len(rows) if isinstance(x, FakeTensor) else max(MOST // numbers, 1)  # what is compiled keeps few of them
    parts = [function(block) for block in rows.split(size)] if len(rows) > size else [function(rows)]
    columns = [part.movedim(0, -1) for part in parts]
    values = columns[0] if len(columns) == 1 else torch.cat(columns, -1)  # (*, n)
    shaped = values.reshape((*values.shape[:-1], *x.shape[:-1]))
    return shaped.movedim(0, -1) if values.dim() > 1 else shaped
