"""Functions of points that need many numbers a point, a block of points at a time: memory stays bounded and near the processor."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch._subclasses import FakeTensor

MOST = 2**16
"""Numbers at once: 256 kB, which the allocator keeps; twice as many are mapped and cleared anew each time, eight times slower."""


def rowwise(function: Callable[[Tensor], Tensor], x: Tensor, numbers: int) -> Tensor:
    """Apply a function of rows, (n, d) -> (n, *) with so many `numbers` a row in between, to points (*, d)."""
    (values,) = rowwise_all(lambda rows: (function(rows),), x, numbers)
    return values


def rowwise_all(function: Callable[[Tensor], tuple[Tensor, ...]], x: Tensor, numbers: int) -> tuple[Tensor, ...]:
    """The same of a function that gives several values."""
    rows = x.movedim(-1, 0).reshape(x.shape[-1], -1).T  # (n, d), in memory coordinate by coordinate
    size = len(rows) if isinstance(x, FakeTensor) else max(MOST // numbers, 1)  # what is compiled keeps few of them
    parts = [function(block) for block in rows.split(size)] if len(rows) > size else [function(rows)]
    return tuple(_joined(blocks, x.shape[:-1]) for blocks in zip(*parts, strict=True))


def _joined(blocks: Sequence[Tensor], shape: torch.Size) -> Tensor:
    """Values (n, *) of all rows as (*shape, *)."""
    columns = [block.movedim(0, -1) for block in blocks]
    values = columns[0] if len(columns) == 1 else torch.cat(columns, -1)  # (*, n)
    shaped = values.reshape((*values.shape[:-1], *shape))
    return shaped.movedim(0, -1) if values.dim() > 1 else shaped
