"""Score matching and Langevin sampling, compared with error bars."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def load(path: str | Path) -> "pd.DataFrame":
    """All of a run as a tidy table, one value a row; `path` is a suite's folder, for example results/article."""
    from scorebench.store.results import load

    return load(path)
