r"""The law at three temperatures: a chain at T targets p^(1/T), lower and wider as T grows.

The curves are integrals of p(x_1, x_2)^(1/T) over x_2 on the target's map, by the trapezoid rule; the points are histograms of chains.
"""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scorebench.core.schema import OK
from scorebench.core.spec import parse
from scorebench.figures.base import COLOURS, around_zero, at_chosen_steps, interval, last_states, lines, marginal, names, required
from scorebench.report.choosing import is_ok
from scorebench.store.results import Results

LABEL = "Temperature sweep"
CAPTION = (
    "MALA on exact scores at three temperatures, at its best step. Left: the first coordinate (points: histograms of all chains, means "
    "across seeds with 95 % intervals) follows p^(1/T), computed by quadrature (lines): cold chains stay at the bottom of the wells, hot "
    "ones cross. Right: the relative error of the second moment against that law, all targets: ULA's grows with its step, MALA's is zero "
    "but where chains do not cross."
)
USES = {"sampler": ("mala",), "metric": ("second_moment_bias",)}
READS = (
    "metrics.csv", "tables/samplers.csv",
    "map/double_well*.npz", "map/gaussian_mixture*.npz", "sample/double_well*/mala.npz", "sample/gaussian_mixture*/mala.npz",
)  # fmt: skip
BINS, SHOWN, SAMPLERS = 26, ("double_well", "gaussian_mixture"), ("ula", "mala")


def draw(results: Results) -> Figure:
    """Densities of one target beside the moments of all."""
    rows = at_chosen_steps(results)
    rows = rows[(rows["model"] == "") & (rows["metric"] == "second_moment_bias") & rows["sampler"].isin(SAMPLERS) & is_ok(rows)]
    rows = rows[rows["steps"] == rows.groupby(["target", "sampler"])["steps"].transform("max")]
    wells = rows[(rows["sampler"] == "mala") & names(rows, "target").isin(SHOWN)]
    wells = required(wells, "MALA on the exact score of a target with wells")
    wells = wells.assign(place=names(wells, "target").map(SHOWN.index)).sort_values("place", kind="stable")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.7), width_ratios=(1, 1.25))
    _densities(left, results, wells[wells["target"] == wells["target"].iloc[0]])

    targets, temperatures = list(rows["target"].unique()), sorted(rows["temperature"].unique())
    width = len(temperatures) + 1  # a gap between targets
    place = rows["target"].map(targets.index) * width + rows["temperature"].map(temperatures.index)
    look = {"hue_order": SAMPLERS, "palette": COLOURS[:2], "markers": ["o", "s"], "markersize": 5, "err_kws": {"linewidth": 1.2}}
    sns.pointplot(
        rows.assign(place=place), x="place", y="value", hue="sampler", errorbar=interval, dodge=0.3, capsize=0.2, linestyle="none",
        native_scale=True, ax=right, **look,
    )  # fmt: skip
    right.axhline(0, color="0.6", lw=0.8, zorder=0)
    ticks = [i * width + j for i in range(len(targets)) for j in range(len(temperatures))]
    right.set_xticks(ticks, [f"{t:g}" for _ in targets for t in temperatures], fontsize=7)
    for i, target in enumerate(targets):
        label = parse("target", target).label.replace(", ", "\n")
        middle = i * width + (len(temperatures) - 1) / 2
        right.text(middle, 0.99, label, ha="center", va="top", fontsize=7.5, transform=right.get_xaxis_transform())
    right.set(xlabel="temperature T", ylabel="relative bias of the second moment")
    around_zero(right, "y", 0.1)
    low, high = right.get_ylim()
    right.set_ylim(low, high * 3)
    handles, labels = right.get_legend_handles_labels()
    right.legend(handles, [label.upper() for label in labels], loc="lower left", ncols=2)
    return figure


def _densities(ax: Axes, results: Results, rows: pd.DataFrame) -> None:
    """Of one target: each seed's histogram of x_1 at each temperature, and the law."""
    target = str(rows["target"].iloc[0])
    maps = results.maps(parse("target", target))
    cells = rows.drop_duplicates("temperature").sort_values("temperature")[["step_size", "temperature"]].to_numpy()
    states = {f"T = {t:g}": last_states(results, target, "mala", step, t)[..., 0] for step, t in cells}  # (seed, chain)
    x_1, widest = marginal(maps, cells[-1, 1])
    reach = np.abs(x_1[widest > 1e-3 * widest.max()]).max()
    edges = np.linspace(-reach, reach, BINS + 1)
    frames = []
    for i, ((label, x), (_, t)) in enumerate(zip(states.items(), cells, strict=True)):
        heights = [np.histogram(seed, edges, density=True)[0] for seed in x]
        frame = pd.DataFrame(heights, columns=0.5 * (edges[1:] + edges[:-1])).melt(var_name="x", value_name="value")
        frames.append(frame.assign(temperature=label, status=str(OK.status)))
        ax.plot(*marginal(maps, t), color=COLOURS[i], lw=1.3, ls=("-", "--", "-.")[i % 3])
    lines(ax, pd.concat(frames), "x", "temperature", list(states), dashes=False, linestyle="", markersize=4.5)
    ax.set(xlim=(-reach, reach), ylim=(0, None), xlabel="$x_1$", ylabel="density", title=parse("target", target).label)
    ax.legend()
