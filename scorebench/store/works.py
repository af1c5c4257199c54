"""What a job that finds a method's work leaves: every cell with how it went, the bias in equilibrium, and the curves of the chosen cell."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scorebench.store import artifacts


class Method(NamedTuple):
    """A method on a target."""

    target: str
    method: str
    start: str
    """Where its chains start; "" where nothing ran."""
    cells: list[dict[str, Any]]
    """Rows of the table `work`, without what a comparison adds."""
    equilibrium: list[dict[str, Any]]
    """Rows of the table `equilibrium`."""
    logs: dict[str, np.ndarray]
    """Of the chosen cell by each summary the logarithm of its work without each block, (block,)."""
    curves: dict[str, np.ndarray]
    """Of the chosen cell: `gradients` (record,), each summary's b^2 and its standard error (2, record); on a Gaussian `exact <summary>` at each gradient."""


def write(path: Path, method: Method) -> None:
    """Write it in one move."""
    arrays = {f"logs/{name}": array for name, array in method.logs.items()} | {f"curves/{n}": array for n, array in method.curves.items()}
    artifacts.write_arrays(path, arrays, {name: getattr(method, name) for name in ("target", "method", "start", "cells", "equilibrium")})


def read(path: Path) -> Method:
    """Read what `write` wrote. Raises InputError if a byte of it has changed."""
    arrays, meta = artifacts.read_arrays(path)
    logs, curves = (
        {name.partition("/")[2]: array for name, array in arrays.items() if name.startswith(f"{kind}/")} for kind in ("logs", "curves")
    )
    return Method(**meta, logs=logs, curves=curves)


def read_all(paths: Sequence[Path]) -> Mapping[str, list[Method]]:
    """By target, in the order of the paths."""
    by_target: dict[str, list[Method]] = {}
    for path in paths:
        method = read(path)
        by_target.setdefault(method.target, []).append(method)
    return by_target
