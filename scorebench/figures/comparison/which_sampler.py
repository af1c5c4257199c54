"""Which sampler: the work of every method on every target, with the word that says how it stands to the best."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullFormatter

from scorebench.core.schema import Status
from scorebench.core.spec import parse
from scorebench.figures.base import labels, required
from scorebench.report.ranking import of_rivals, shown
from scorebench.store.results import Results

LABEL = "Which sampler"
CAPTION = (
    "Gradients a chain until the worst squared bias b² of a panel of functions is below the threshold, from one start for all, each method at its "
    "best step and options; below it the 95 % interval. The brighter the fewer; framed: the fewest on the target. ★ better than every other, "
    "≈ equivalent to the best, ? undecided, ✕ worse: by intervals of all ratios that hold together at 95 %. Hatched: not reached, with what is "
    "left of b². Blank: not run. ~: the interval spans more than a factor of 10. Controls are left out."
)
USES = {"sampler": ("",)}
READS = ("tables/work.csv",)
MARKS = {"better": "★", "equivalent": "≈", "undecided": "?", "worse": "✕"}
COLOURS = "cividis_r"
WIDE = 10
"""Ends of an interval this many times apart tell little of the number."""


def draw(results: Results) -> Figure:
    """A row a method, a column a target."""
    rows = of_rivals(shown(required(results.table("work"), "comparison of samplers by work")))
    rows = required(rows, "sampler that competes by its work")
    rows = rows.assign(label=labels(rows))
    methods, targets = list(rows["label"].unique()), list(rows["target"].unique())
    figure, ax = plt.subplots(figsize=(2.4 + 1.3 * len(targets), 0.9 + 0.62 * len(methods)))
    reached = rows.loc[rows["gradients"] > 0, "gradients"]
    norm = LogNorm(reached.min(), 1.01 * reached.max()) if len(reached) else LogNorm(1, 10)
    for _, row in rows.iterrows():
        _cell(ax, targets.index(row["target"]), methods.index(row["label"]), row, norm)
    ax.set_xticks(range(len(targets)), [parse("target", target).label.replace(", ", "\n", 1) for target in targets])
    ax.set_yticks(range(len(methods)), methods)
    ax.set(xlim=(-0.5, len(targets) - 0.5), ylim=(len(methods) - 0.5, -0.5))
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    bar = figure.colorbar(plt.cm.ScalarMappable(norm, COLOURS), ax=ax, fraction=0.03, pad=0.02, label="gradients")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    words = [f"{mark} {word}" for word, mark in MARKS.items() if word in set(rows["word"])]
    epsilon = " or ".join(f"{value:g}" for value in rows["epsilon"].unique())
    ax.set_xlabel("    ".join([f"gradients to b² < {epsilon}", *words]), labelpad=8)
    return figure


def _cell(ax: Axes, x: int, y: int, row: pd.Series, norm: LogNorm) -> None:
    """Its colour, the number with its interval, and the mark; framed where it is the fewest."""
    is_reached = row["status"] == Status.OK
    colour = plt.get_cmap(COLOURS)(norm(max(row["gradients"], norm.vmin))) if is_reached else "white"
    look: dict[str, Any] = {} if is_reached else {"hatch": "////", "edgecolor": "0.85"}
    ax.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=colour, lw=0, **look))
    if row["ratio"] == 1 and np.isnan(row["ratio_low"]):
        ax.add_patch(Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, fill=False, edgecolor="black", lw=2.2))
    above, below = _texts(row)
    luminance = (0.2126, 0.7152, 0.0722) @ np.array(to_rgb(colour)) ** 2.2
    ink = "white" if luminance < 0.22 else "black"
    sure = is_reached and not above.startswith("~")
    back: dict[str, Any] = {} if is_reached else {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1.0}}
    ax.text(x, y - 0.12, above, ha="center", va="center", color=ink, fontsize=11, weight="bold" if sure else "normal", **back)
    ax.text(x, y + 0.24, below, ha="center", va="center", color=ink, fontsize=7.5, **back)


def _texts(row: pd.Series) -> tuple[str, str]:
    mark = f" {MARKS[row['word']]}" if row["word"] in MARKS else ""
    if row["status"] == Status.OK:
        between = f"{_short(row['low'])} to {_short(row['high'])}" if np.isfinite([row["low"], row["high"]]).all() else "no interval"
        about = "~" if row["high"] > WIDE * row["low"] else ""
        return f"{about}{_short(row['gradients'])}{mark}", between
    if row["status"] == Status.NOT_REACHED:
        return f"> {_short(row['low'])}{mark}", f"b² = {row['plateau']:.2g}"
    return str(row["status"]).replace("_", " "), ""


def _short(number: float) -> str:
    """Two figures below ten, else whole."""
    return f"{number:.2g}" if number < 10 else f"{number:,.0f}"
