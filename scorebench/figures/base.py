"""What figures share: one look, and means across seeds with their intervals.

A figure is a file that says LABEL (its title), CAPTION (what to see), USES (methods by kind that some experiment of the suite must have together, ""
being any; the claims whose numbers it shows) and READS (patterns of the result files that it opens beside those of its claims), and defines

    draw(results) -> Figure        raises NotApplicable where a run holds nothing to draw

It draws and computes nothing: what an experiment gave stands in metrics and tables, on the maps of a target, in the samples, and in the pictures that
claims save. Colours are seaborn's colour-blind palette; markers and line styles tell the same in grey.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from scorebench.core.errors import InputError, NotApplicable
from scorebench.core.spec import parse
from scorebench.report import statistics
from scorebench.report.choosing import is_ok, judging
from scorebench.store.results import Results

COLOURS = sns.color_palette("colorblind")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@contextmanager
def style() -> Iterator[None]:
    """The look of every figure; fonts are embedded as text, so that labels can be searched and edited."""
    look = sns.axes_style("ticks") | sns.plotting_context("paper", font_scale=1.1)
    look |= {"axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42, "svg.fonttype": "none", "legend.frameon": False}
    with mpl.rc_context(look | {"figure.constrained_layout.use": True, "axes.titlesize": "medium"}):
        yield


def some(rows: pd.DataFrame, what: str) -> pd.DataFrame:
    """The rows, if there are any."""
    if rows.empty:
        raise NotApplicable(f"the run has no {what}")
    return rows


def numbers(results: Results, claim: str) -> pd.DataFrame:
    """What a claim predicted and measured, a row a quantity, by its name."""
    try:
        quantities = results.claim(claim).quantities
    except InputError as error:
        raise NotApplicable(str(error)) from None
    return some(pd.DataFrame(map(vars, quantities)), f"numbers of the claim {claim!r}").set_index("name")


def measured(ax: Axes, x: Sequence[float], of: pd.DataFrame, index: int, label: str | None = None) -> None:
    """Measured numbers with two standard errors either way, in the colour and marker of a number, edged in white to stand out from a curve."""
    ax.errorbar(
        x, of["measured"], 2 * of["standard_error"], fmt=MARKERS[index % 8], color=COLOURS[index % 10], label=label, capsize=3, markersize=6, lw=1.4,
        mec="white", mew=0.6, zorder=5,
    )  # fmt: skip


def told(of: pd.DataFrame, name: str, digits: int = 3) -> str:
    """A number as measured, with its standard error, and as predicted."""
    value, error, expected = (float(of[column][name]) for column in ("measured", "standard_error", "predicted"))
    return f"{value:.{digits}f}{f' ± {error:.{digits}f}' if error else ''}, predicted {expected:.{digits}f}"


def across_seeds(rows: pd.DataFrame, keys: list[str], log: bool = False) -> pd.DataFrame:
    """Mean and 95 % t interval of `value` across the seeds that are ok, for each key; `lost` counts the others, which diverged or failed."""
    means = []
    for key, group in rows.groupby(keys, dropna=False):
        ok = group.loc[is_ok(group), "value"].to_numpy(float)
        interval = statistics.t_interval(ok, log=log)
        means.append({**dict(zip(keys, key, strict=True)), **interval._asdict(), "lost": len(group) - len(ok), "seeds": len(group)})
    return pd.DataFrame(means, columns=[*keys, "mean", "low", "high", "lost", "seeds"])


def error_bars(ax: Axes, x: pd.Series, of: pd.DataFrame, index: int, label: str | None) -> None:
    """Means with their intervals, in the colour and marker of a number."""
    spread = np.abs(of[["low", "high"]].to_numpy().T - of["mean"].to_numpy())
    ax.errorbar(x, of["mean"], spread, fmt=MARKERS[index % 8], color=COLOURS[index % 10], label=label, capsize=2, markersize=5, lw=1.2)


def mark_lost(ax: Axes, x: pd.Series, of: pd.DataFrame, index: int, at: float) -> None:
    """A cross at the height `at` of the axes wherever seeds are lost, with how many of how many."""
    for c, k, n in zip(x, of["lost"], of["seeds"], strict=True):
        if k:
            where = ax.get_xaxis_transform()
            ax.plot(c, at, "x", color=COLOURS[index % 10], markersize=7, mew=2, clip_on=False, transform=where)
            ax.annotate(
                f"{k}/{n}\nlost", (c, at), xycoords=where, xytext=(7, 0), textcoords="offset points", va="center", color=COLOURS[index % 10]
            )


def at_chosen_steps(results: Results) -> pd.DataFrame:
    """The rows of every sampler at the step size that the samplers' table reports, all snapshots, on the seeds that had no say in the choice."""
    keys = ["target", "model", "loss", "sampler", "temperature", "step_size"]
    chosen = results.table("samplers")[keys].drop_duplicates()
    rows = results.metrics
    return rows[(rows["sampler"] != "") & judging(rows)].merge(chosen, on=keys)


def seconds_a_gradient(results: Results) -> dict[tuple[str, str, str], float]:
    """From timings.csv: (stage, job, loss) to seconds for one gradient of one chain, or one training step of one model."""
    timings = results.timings.dropna(subset="seconds_per_gradient")
    return dict(zip(timings[["stage", "job", "loss"]].itertuples(index=False, name=None), timings["seconds_per_gradient"], strict=True))


def band(ax: Axes, x: pd.Series, of: pd.DataFrame, index: int, label: str | None) -> None:
    """Means with their intervals joined by a line, in the colour, marker and line style of a number."""
    error_bars(ax, x, of, index, label)
    ax.plot(x, of["mean"], color=COLOURS[index % 10], lw=1, ls=("-", "--", "-.", ":")[index % 4])


def source_label(model: str, loss: str) -> str:
    """A trained source's name: its loss, and whether it is a field without an energy."""
    has_energy = "log_prob" in parse("model", model).entry.facts["GIVES"]
    return parse("loss", loss).label + ("" if has_energy else " (field)")


def sampler_label(sampler: str) -> str:
    """A sampler's name, with what sets two of its kind apart."""
    spec = parse("sampler", sampler)
    return spec.label + (", denoised" if spec.options.get("denoise") else "")


def panels(count: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A grid of equal panels, row by row, without the empty ones."""
    columns = min(count, columns)
    lines = -(-count // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(width * columns, height * lines), squeeze=False)
    for ax in axes.flat[count:]:
        ax.remove()
    return figure, list(axes.flat[:count])


def around_zero(ax: Axes, which: Literal["x", "y"], floor: float) -> None:
    """An axis for values that may be negative: linear up to the floor, logarithmic beyond, a tick at zero and at the decades outside the floor."""
    getattr(ax, f"set_{which}scale")("symlog", linthresh=floor)
    axis = getattr(ax, f"{which}axis")
    first = int(np.ceil(np.log10(1.5 * floor)))
    decades = [10.0**k for k in range(first, first + 6)]
    axis.set_major_locator(FixedLocator([*(-d for d in decades), 0.0, *decades]))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.set_minor_locator(NullLocator())


def decades(axis: Axis) -> None:
    """Ticks of a logarithmic axis at 1, 2 and 5 where it is short, without labels on top of each other."""
    low, high = axis.get_view_interval()
    if high / low < 20:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.set_minor_formatter(NullFormatter())
