"""Draws from a finite number of rows, and draws that another program made."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scorebench.core.errors import InputError, NotApplicable
from scorebench.store import tables

FEWEST = 32


def distinct(rows: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """N rows of (m, d), none of them twice, (n, d). Raises NotApplicable where there are fewer."""
    if n > len(rows):
        raise NotApplicable(f"takes {n:,} draws; there are {len(rows):,}")
    return rows.to(generator.device)[torch.randperm(len(rows), generator=generator, device=generator.device)[:n]]


def repeated(rows: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """N rows of (m, d), each as often as any other, or once more, (n, d)."""
    full, rest = divmod(n, len(rows))
    return torch.cat([rows.to(generator.device).repeat(full, 1), distinct(rows, rest, generator)])


def read(path: Path, dim: int) -> np.ndarray:
    """Draws in a file, (draws, d), or of chains, (chains, draws, d), float64. Raises InputError for another shape, or what is no finite number."""
    if not path.is_file():
        raise InputError(f"there is no file of draws {str(path)!r}")
    if path.suffix == ".npy" and (values := tables.array(path)).ndim == 3:
        values = np.asarray(values, np.float64)
        if not np.isfinite(values).all():
            chain, draw, column = np.argwhere(~np.isfinite(values))[0] + 1
            raise InputError(f"{path.name}, chain {chain}, draw {draw}, coordinate {column}: it is not finite (allowed: numbers)")
    else:
        values = tables.read(path).values
    if values.shape[-1] != dim:
        raise InputError(f"{path.name}: it has {values.shape[-1]} coordinates; the target has {dim} (shape: {values.shape})")
    return values


def effective_size(chains: np.ndarray) -> tuple[float, str]:
    """The least effective size of a coordinate or its square, of chains (chains, draws, d), and which: rank-normalised (Vehtari et al. 2021, 4.1)."""
    from arviz_stats.base import array_stats

    sizes = {
        f"x{k + 1}{power}": float(array_stats.ess(values[..., k], chain_axis=0, draw_axis=1))
        for power, values in (("", chains), ("^2", np.square(chains)))
        for k in range(chains.shape[-1])
    }
    worst = min(sizes, key=lambda name: sizes[name] if np.isfinite(sizes[name]) else 0.0)
    return sizes[worst] if np.isfinite(sizes[worst]) else 0.0, worst


def thinned(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Draws (draws, d) as they are, of chains as many as they are worth, evenly taken, and what to say of them. Raises InputError for too few."""
    if values.ndim == 2:
        rows, remark = values, f"{len(values):,} draws, taken as independent"
    else:
        total = values.shape[0] * values.shape[1]
        size, worst = effective_size(values) if values.shape[1] >= 10 else (0.0, "draws of a chain")
        each = int(min(size, total) / values.shape[0])
        rows = values[:, np.linspace(0, values.shape[1] - 1, each).round().astype(int)].reshape(-1, values.shape[-1])
        remark = (
            f"{total:,} draws of {values.shape[0]} chains, worth {size:,.0f} independent ones (the least: {worst}); {len(rows):,} are taken"
        )
    if len(rows) < FEWEST:
        raise InputError(f"{remark} (allowed: {FEWEST} or more)")
    return rows, remark


def taken(path: Path, dim: int) -> tuple[Tensor, str]:
    """The draws of a file as they are compared with, (n, d), and what to say of them."""
    try:
        rows, remark = thinned(read(path, dim))
    except InputError as error:
        raise InputError(*(line if path.name in line else f"{path.name}: {line}" for line in error.lines)) from None
    return torch.tensor(rows, dtype=torch.float32), f"{path.name}: {remark}"
