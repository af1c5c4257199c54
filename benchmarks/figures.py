"""The figures of a run: who is how fast, and what size costs."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.contest import OURS
from benchmarks.table import COLUMNS
from scorebench.figures.base import COLOURS, MARKERS, decades, style

FAMILIES = ("torchebm", "ebmkit", "JAX", "blackjax", "by hand")
"""A colour and a marker each, by how a contestant's name starts; scorebench's are the first."""


def speed(rows: pd.DataFrame) -> plt.Figure:
    """Time over scorebench's, a line a work: left of 1 is faster than scorebench."""
    shown = [name for column, names in COLUMNS.items() if column != OURS for name in names]
    rows = rows[rows["status"].eq("ok") & rows["contestant"].isin(shown)]
    works = list(dict.fromkeys(rows["work"]))
    with style():
        figure, ax = plt.subplots(figsize=(8, 0.55 * len(works) + 1.6))
        for i, name in enumerate(FAMILIES, start=1):
            its = rows[rows["contestant"].str.startswith(name)]
            if its.empty:
                continue
            y = [len(works) - works.index(w) + 0.1 * (3 - i) for w in its["work"]]
            bars = np.abs(its[["ratio_low", "ratio_high"]].to_numpy(float) - its[["ratio"]].to_numpy(float)).T
            look = {"color": COLOURS[i], "fmt": MARKERS[i], "mec": "white", "mew": 0.5, "markersize": 7}
            ax.errorbar(its["ratio"], y, xerr=bars, label=name, capsize=2, lw=1.2, **look)
        ax.axvline(1, color=COLOURS[0], lw=1.5)
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel("time over scorebench's (below 1: faster)")
        labels = rows.drop_duplicates("work")["label"]
        ax.set_yticks([len(works) - i for i in range(len(works))], [_broken(label) for label in labels], fontsize="small")
        figure.suptitle("The same work by others: medians of paired rounds with 95 % intervals", fontsize="medium")
        figure.legend(loc="outside lower center", ncols=len(FAMILIES))
    return figure


def _broken(label: str) -> str:
    """In two lines where it is long."""
    if len(label) < 45:
        return label
    comma = label.rfind(", ", 0, 42)
    return f"{label[: comma + 1]}\n{label[comma + 2 :]}"


def scaling(rows: pd.DataFrame, slopes: pd.DataFrame) -> plt.Figure:
    """One axis: time and memory against size, with the line that all would lie on were the cost of what grows the only one."""
    has_memory = bool(rows["memory_mb"].notna().any())
    with style():
        figure, axes = plt.subplots(1, 1 + has_memory, figsize=(4.6 * (1 + has_memory), 3.8), squeeze=False)
        for i, (name, its) in enumerate(rows.groupby("series", sort=False)):
            law = slopes[slopes["series"] == name].iloc[0]
            look = {"color": COLOURS[i], "marker": MARKERS[i], "mec": "white", "mew": 0.5, "markersize": 7, "lw": 1.2}
            bars = np.abs(its[["low", "high"]].to_numpy(float) - its[["median"]].to_numpy(float)).T
            label = f"{name}: slope {law['slope']:.2f} [{law['slope_low']:.2f}, {law['slope_high']:.2f}]"
            axes[0, 0].errorbar(its["size"], its["median"], yerr=bars, capsize=2, label=label, **look)
            _line(axes[0, 0], its, law["ideal"])
            if has_memory:
                axes[0, 1].plot(its["size"], its["memory_mb"].clip(lower=0.1), **look)
        for ax, what in zip(axes[0], (rows["unit"].iloc[0], "peak memory above the start, MB"), strict=False):
            ax.set(xscale="log", yscale="log", xlabel=rows["label"].iloc[0], ylabel=what)
            ax.set_xticks(sorted(set(rows["size"])), [f"{n:,}" for n in sorted(set(rows["size"]))], fontsize="small")
            ax.minorticks_off()
            decades(ax.yaxis)
        if has_memory:
            axes[0, 1].set_ylim(bottom=0.08)
        figure.legend(loc="outside lower center", ncols=1)
    return figure


def _line(ax: Axes, rows: pd.DataFrame, slope: float) -> None:
    size, time = rows["size"].to_numpy(float), rows["median"].to_numpy(float)
    ax.plot(size, time[-1] * (size / size[-1]) ** slope, color="0.6", ls="--", lw=1, zorder=0)


def draw(folder: Path) -> None:
    """All that the folder has the numbers of, into its figures/."""
    target = folder / "figures"
    target.mkdir(exist_ok=True)
    figures = {}
    if (folder / "speed.csv").exists():
        figures["speed"] = speed(pd.read_csv(folder / "speed.csv"))
    if (folder / "scaling.csv").exists():
        rows, slopes = pd.read_csv(folder / "scaling.csv"), pd.read_csv(folder / "slopes.csv")
        for axis, its in rows.groupby("axis", sort=False):
            figures[f"scaling_{axis}"] = scaling(its, slopes[slopes["axis"] == axis])
    for name, figure in figures.items():
        figure.savefig(target / f"{name}.png", dpi=150)
        plt.close(figure)
