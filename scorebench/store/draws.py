"""Draws that another program made: files of them, what they are worth, and how many are taken."""

from pathlib import Path

import numpy as np

from scorebench.core.errors import InputError
from scorebench.core.options import LARGEST
from scorebench.store import tables

FEWEST, SHORTEST = 32, 10
"""Draws of a set, and of a chain for its effective size."""


def read(path: Path, dim: int) -> np.ndarray:
    """Draws in a file, (draws, d), or of chains, (chains, draws, d), float64.

    Raises InputError for another shape, for what is no finite number, and for coordinates beyond LARGEST/sqrt(d): within, a squared distance is 4 LARGEST^2
    at most, a number of single precision.
    """
    if not path.is_file():
        raise InputError(f"there is no file of draws {str(path)!r}")
    if path.suffix.lower() == ".npy" and (values := tables.array(path)).ndim == 3:
        values = np.asarray(values, np.float64)
        if not np.isfinite(values).all():
            chain, draw, column = np.argwhere(~np.isfinite(values))[0] + 1
            raise InputError(f"{path.name}, chain {chain}, draw {draw}, coordinate {column}: it is not finite (allowed: numbers)")
    else:
        values = tables.read(path).values
    if values.shape[-1] != dim:
        hint = "; is it transposed?" if values.shape[0] == dim else ""
        raise InputError(f"{path.name}: it has {values.shape[-1]} coordinates; the target has {dim} (shape: {values.shape}){hint}")
    far, allowed = np.abs(values).reshape(-1, dim).max(0, initial=0.0), LARGEST / dim**0.5
    if far.max() > allowed:
        raise InputError(f"{path.name}, coordinate {far.argmax() + 1}: it goes to {far.max():g} (allowed: up to {allowed:.3g} in size)")
    return values


def diagnosed(chains: np.ndarray) -> dict[str, tuple[float, str]]:
    """The largest split R-hat and the least effective size of a coordinate or its square, and which; of chains (chains, draws, d).

    R-hat is rank-normalised; the size is the lesser of that of ranks and that of the mean, which sees slow tails (Vehtari et al. 2021, sections 3 and
    4.1). What does not move has neither.
    """
    from arviz_stats.base import array_stats

    scalars = {
        f"x{k + 1}{power}": values[..., k] for power, values in (("", chains), ("^2", np.square(chains))) for k in range(chains.shape[-1])
    }
    r_hats, sizes = [], []
    with np.errstate(invalid="ignore", divide="ignore"):
        for name, values in scalars.items():
            r_hat, size = np.inf, 0.0
            if (values != values[:, :1]).any():
                r_hat = float(np.nan_to_num(array_stats.rhat(values, chain_axis=0, draw_axis=1), nan=np.inf))
                both = [array_stats.ess(values, chain_axis=0, draw_axis=1, method=method) for method in ("bulk", "mean")]
                size = float(np.nan_to_num(both, posinf=0.0).min())
            r_hats.append((r_hat, name))
            sizes.append((size, name))
    return {"rhat": max(r_hats), "effective": min(sizes)}


def thinned(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Draws (draws, d) as they are, of chains as many as they are worth, evenly taken, and what to say of them. Raises InputError for too few."""
    if values.ndim == 2:
        rows, remark = values, f"{len(values):,} draws, taken as independent"
    else:
        total = values.shape[0] * values.shape[1]
        size, worst = diagnosed(values)["effective"] if values.shape[1] >= SHORTEST else (0.0, f"fewer than {SHORTEST} draws a chain")
        each = int(min(size, total) / values.shape[0])
        rows = values[:, np.linspace(0, values.shape[1] - 1, each).round().astype(int)].reshape(-1, values.shape[-1])
        remark = (
            f"{total:,} draws of {values.shape[0]} chains, worth {size:,.0f} independent ones (the least: {worst}); {len(rows):,} are taken"
        )
    if len(rows) < FEWEST:
        raise InputError(f"{remark} (allowed: {FEWEST} or more)")
    return rows, remark


def taken(path: Path, dim: int) -> tuple[np.ndarray, str]:
    """The draws of a file as they are compared with, (n, d), and what to say of them."""
    try:
        rows, remark = thinned(read(path, dim))
    except InputError as error:
        raise InputError(*(line if path.name in line else f"{path.name}: {line}" for line in error.lines)) from None
    return rows, f"{path.name}: {remark}"
