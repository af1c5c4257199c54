"""What figures share: one look, and means across seeds with their intervals.

A figure is a file that says LABEL (its title), CAPTION (what to see), USES (methods by kind that some experiment of the suite must have together, ""
being any; the claims whose numbers it shows) and READS (patterns of the result files that it opens beside those of its claims), and defines

    draw(results) -> Figure        raises NotApplicable where a run holds nothing to draw

It draws: it runs, trains and evaluates nothing. What an experiment gave stands in metrics and tables, on the maps of a target, in the samples, and in
the pictures that claims save. Colours are seaborn's colour-blind palette; markers and line styles tell the same in grey.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

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
from scorebench.core.schema import Status
from scorebench.core.spec import parse
from scorebench.report import statistics
from scorebench.report.choosing import CELL, halves, is_ok
from scorebench.store.results import Results
from scorebench.suite.jobs import gives

COLOURS = sns.color_palette("colorblind")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@contextmanager
def style() -> Iterator[None]:
    """The look of every figure, whatever matplotlib is told elsewhere; fonts are embedded as text, so that labels can be searched and edited."""
    look = sns.axes_style("ticks") | sns.plotting_context("paper", font_scale=1.1)
    look |= {"axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42, "svg.fonttype": "none", "legend.frameon": False}
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(look | {"figure.constrained_layout.use": True, "axes.titlesize": "medium"})
        yield


def required(rows: pd.DataFrame, what: str) -> pd.DataFrame:
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
    return required(pd.DataFrame(map(vars, quantities)), f"numbers of the claim {claim!r}").set_index("name")


def measured(ax: Axes, x: Sequence[float], quantities: pd.DataFrame, index: int, label: str | None = None) -> None:
    """Measured numbers with two standard errors either way, in the colour and marker of a number, edged in white to stand out from a curve."""
    look = {"color": COLOURS[index % 10], "fmt": MARKERS[index % 8], "markersize": 6, "mec": "white", "mew": 0.6}
    ax.errorbar(x, quantities["measured"], 2 * quantities["standard_error"], label=label, capsize=3, lw=1.4, zorder=5, **look)


def as_text(quantities: pd.DataFrame, name: str, digits: int = 3) -> str:
    """A number as measured, with its standard error, and as predicted."""
    value, error, expected = (float(quantities[column][name]) for column in ("measured", "standard_error", "predicted"))
    return f"{value:.{digits}f}{f' ± {error:.{digits}f}' if error else ''}, predicted {expected:.{digits}f}"


def interval(values: pd.Series) -> tuple[float, float]:
    """The 95 % t interval across seeds, for seaborn's `errorbar`.

    Seaborn takes means on the axis's scale at the call: on an axis that is logarithmic by then the mean is geometric and the interval that of the
    logarithms (`statistics.t_interval`). So set the scale first where that is meant, as for divergences, and afterwards where it is not.
    """
    _, low, high = statistics.t_interval(values.to_numpy(float))
    return low, high


def lines(ax: Axes, rows: pd.DataFrame, x: str, hue: str, order: Sequence[str], **options: Any) -> None:
    """Means of `value` across the seeds that are ok against x with their intervals: a colour, marker and line style for each of `order`."""
    rows = rows[is_ok(rows)]
    if rows.empty:
        return
    look: dict[str, Any] = {
        "palette": [COLOURS[i % 10] for i in range(len(order))],
        "markers": [MARKERS[i % 8] for i in range(len(order))],
        "markersize": 7,
        "markeredgewidth": 0.5,
        "lw": 1.2,
    }
    bars = {"err_style": "bars", "errorbar": interval, "err_kws": {"capsize": 2, "elinewidth": 1.2}}
    sns.lineplot(rows, x=x, y="value", hue=hue, hue_order=order, style=hue, style_order=order, ax=ax, **(bars | look | options))


def legend_below(figure: Figure, axes: Sequence[Axes], columns: int, name: Callable[[str], str] = str) -> None:
    """One legend below the panels for what they share, by the names of its labels."""
    handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    for ax in axes:
        if legend := ax.get_legend():
            legend.remove()
    figure.legend(handles.values(), map(name, handles), loc="outside lower center", ncols=columns)


def mark_lost(ax: Axes, rows: pd.DataFrame, x: str, hue: str, order: Sequence[str], at: float) -> None:
    """A cross at the height `at` of the axes wherever seeds diverged or failed, with how many of how many."""
    groups: Any = rows.groupby([hue, x])
    for (name, place), here in groups:
        lost = here.loc[~is_ok(here), "status"]
        if len(lost):
            look: dict[str, Any] = {"color": COLOURS[order.index(name) % 10]}
            where = ax.get_xaxis_transform()
            ax.plot(place, at, "x", markersize=7, mew=2, clip_on=False, transform=where, **look)
            text = f"{len(lost)} of {len(here)}\n{'diverged' if (lost == Status.DIVERGED).all() else 'lost'}"
            ax.annotate(text, (place, at), xycoords=where, xytext=(7, 0), textcoords="offset points", va="center", **look)


def names(rows: pd.DataFrame, kind: str) -> pd.Series:
    """The methods' names in a column of specs, without their options; "" where there is none."""
    return rows[kind].map({text: parse(kind, text).name if text else "" for text in rows[kind].unique()})


def labels(rows: pd.DataFrame) -> pd.Series:
    """The labels of samplers' methods; where a target has two of one label, their specs.

    Two that differ in noise levels alone, made for two targets, are one to the eye.
    """
    label = rows["method"].map({text: parse("sampler", text).label for text in rows["method"].unique()})
    each = rows.assign(label=label).drop_duplicates(["target", "method"])
    alike = set(each.loc[each.duplicated(["target", "label"]), "label"])
    return label.mask(label.isin(alike), rows["method"])


def at_chosen_steps(results: Results) -> pd.DataFrame:
    """The rows of every sampler at the step size that the samplers' table reports, all snapshots, on the seeds that had no say in the choice."""
    keys = [*CELL, "step_size"]
    chosen = results.table("samplers")[keys].drop_duplicates()
    rows = results.metrics[results.metrics["sampler"] != ""]
    return rows[halves(rows)[1]].merge(chosen, on=keys)


def last_states(results: Results, target: str, sampler: str, step_size: float, temperature: float) -> np.ndarray:
    """Where a sampler's chains on the exact score end, (seed, chain, d)."""
    for run, arrays in results.samples(parse("target", target), parse("sampler", sampler)):
        if run.model == "" and arrays and (step_size, temperature) in run.cells:
            return arrays["samples"][-1, :, run.cells.index((step_size, temperature))]
    raise NotApplicable(f"{sampler} has no samples from the exact score of {target} at step {step_size:g} and temperature {temperature:g}")


def marginal(maps: Mapping[str, np.ndarray], temperature: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """The density of x_1 under p^(1/T), by the trapezoid rule over x_2."""
    x, log_p = maps["axes"][0], maps["log_prob"] / temperature
    mass = np.exp(log_p - log_p.max()).sum(1)
    return x, mass / (mass.sum() * (x[1] - x[0]))


def seconds_a_gradient(results: Results) -> dict[tuple[str, str, str], float]:
    """From timings.csv: (stage, job, loss) to seconds for one gradient of one chain, or one training step of one model."""
    timings = results.timings.dropna(subset="seconds_per_gradient")
    return dict(zip(timings[["stage", "job", "loss"]].itertuples(index=False, name=None), timings["seconds_per_gradient"], strict=True))


def source_label(model: str, loss: str) -> str:
    """A trained source's name: its loss, and whether it is a field without an energy; of a model with options, these."""
    spec = parse("model", model)
    field = "" if "log_prob" in gives(spec) else " (field)"
    return ", ".join([parse("loss", loss).label + field, *spec.variants])


def panels(count: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A grid of equal panels, row by row, without the empty ones."""
    columns = min(count, columns)
    lines = -(-count // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(width * columns, height * lines), squeeze=False)
    for ax in axes.flat[count:]:
        ax.remove()
    return figure, list(axes.flat[:count])


def around_zero(ax: Axes, floor: float) -> None:
    """A horizontal axis for values that may be negative: linear up to the floor, logarithmic beyond, a tick at zero and at the decades outside the floor."""
    ax.set_xscale("symlog", linthresh=floor)
    first = int(np.ceil(np.log10(1.5 * floor)))
    decades = [10.0**k for k in range(first, first + 6)]
    ax.xaxis.set_major_locator(FixedLocator([*(-d for d in decades), 0.0, *decades]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_locator(NullLocator())


def decades(axis: Axis) -> None:
    """Ticks of a logarithmic axis at 1, 2 and 5 where it is short, without labels on top of each other."""
    low, high = axis.get_view_interval()
    if high / low < 100:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.set_minor_formatter(NullFormatter())
