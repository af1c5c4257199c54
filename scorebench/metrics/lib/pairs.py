"""Sums over pairs of points, a block of pairs at a time: in the cache, where whole matrices of pairs are written to memory and read again."""

from collections.abc import Callable

import torch
from torch import Tensor

BLOCK = 2**16
"""Pairs at once: 512 kB in float64."""


def blockwise(function: Callable[[Tensor, Tensor], Tensor], left: Tensor, right: Tensor, others: bool = False) -> Tensor:
    """Sums (*, n) over the second point of numbers of pairs, (cell, n, k), (cell, l, m) -> (cell, n, m), left and right having leading axes (*).

    With `others` those over all but the point itself, the points being the same.
    """
    n, m = left.shape[-2], right.shape[-1]
    cells, rows = max(BLOCK // (n * m), 1), max(BLOCK // m, 1)
    sums = []
    for of, to in zip(left.flatten(0, -3).split(cells), right.flatten(0, -3).split(cells), strict=True):
        parts = []
        for number, block in enumerate(of.split(rows, -2)):
            values = function(block, to)
            if others:
                values.diagonal(number * rows, -2, -1).zero_()
            parts.append(values.sum(-1))
        sums.append(torch.cat(parts, -1))
    return torch.cat(sums).view(left.shape[:-1])
