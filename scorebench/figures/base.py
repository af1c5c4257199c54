"""What figures share: one look, and means across seeds with their intervals.

A figure is a file that says LABEL (its title), CAPTION (what to see) and NEEDS (a method of each of these kinds must be in the suite, "" being
any), and defines `draw(results) -> Figure`. Colours are seaborn's colour-blind palette; markers and line styles tell the same in grey.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from scorebench import statistics

COLOURS = sns.color_palette("colorblind")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@contextmanager
def style() -> Iterator[None]:
    """The look of every figure; fonts are embedded as text, so that labels can be searched and edited."""
    look = sns.axes_style("ticks") | sns.plotting_context("paper", font_scale=1.1)
    look |= {"axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42, "svg.fonttype": "none", "legend.frameon": False}
    with mpl.rc_context(look | {"figure.constrained_layout.use": True, "axes.titlesize": "medium"}):
        yield


def across_seeds(rows: pd.DataFrame, keys: list[str], log: bool = False) -> pd.DataFrame:
    """Mean and 95 % t interval of `value` across the seeds that are ok, for each key; `diverged` counts the others."""
    found = []
    for key, of in rows.groupby(keys, dropna=False):
        ok = of.loc[of["status"] == "ok", "value"].to_numpy(float)
        interval = statistics.t_interval(ok, log=log)
        found.append(dict(zip(keys, key, strict=True)) | interval._asdict() | {"diverged": len(of) - len(ok)})
    return pd.DataFrame(found, columns=[*keys, "mean", "low", "high", "diverged"])


def error_bars(ax: Axes, x: pd.Series, of: pd.DataFrame, index: int, label: str | None) -> None:
    """Means with their intervals, in the colour and marker of a number."""
    spread = np.abs(of[["low", "high"]].to_numpy().T - of["mean"].to_numpy())
    ax.errorbar(x, of["mean"], spread, fmt=MARKERS[index % 8], color=COLOURS[index % 10], label=label, capsize=2, markersize=5, lw=1.2)
