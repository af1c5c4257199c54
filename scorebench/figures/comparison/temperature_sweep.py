r"""The law at three temperatures: a chain at T targets p^(1/T), lower and wider as T grows.

The curves are integrals of p(x_1, x_2)^(1/T) over x_2, by the trapezoid rule; the points are histograms of chains.
"""

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from scorebench.core.errors import NotApplicable
from scorebench.core.spec import parse
from scorebench.figures.base import COLOURS, MARKERS, across_seeds, around_zero, at_chosen_steps, error_bars
from scorebench.store import artifacts
from scorebench.store.results import Results
from scorebench.suite.jobs import Sample

LABEL = "Temperature sweep"
CAPTION = (
    "MALA on exact scores at three temperatures, at its best step. Left: the first coordinate (points: histograms of all chains, means "
    "across seeds with 95 % intervals) follows p^(1/T), computed by quadrature (lines): cold chains stay at the bottom of the wells, hot "
    "ones cross. Right: the relative error of the second moment against that law, all targets: ULA's grows with its step, MALA's is zero "
    "but where chains do not cross."
)
USES = {"sampler": ("mala",), "metric": ("second_moment_bias",)}
READS = ("metrics.csv", "tables/samplers.csv", "sample/*/mala.npz", "measure/*.npz")
BINS, SHOWN = 26, ("double_well", "gaussian_mixture")


def draw(results: Results) -> Figure:
    """Densities of one target beside the moments of all."""
    rows = at_chosen_steps(results)
    rows = rows[(rows["model"] == "") & (rows["metric"] == "second_moment_bias") & rows["sampler"].isin(["ula", "mala"])]
    rows = rows[(rows["status"] == "ok") & (rows["steps"] == rows.groupby(["target", "sampler"])["steps"].transform("max"))]
    jobs = [s for s in results.plan.samples.values() if s.sampler.name == "mala" and s.exact and s.target.name in SHOWN]
    if rows.empty or not jobs:
        raise NotApplicable("the run has no MALA on the exact score of a target with wells")
    job = min(jobs, key=lambda s: SHOWN.index(s.target.name))
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.7), width_ratios=(1, 1.25))
    _densities(left, results, job, at_chosen_steps(results))
    targets = list(rows["target"].drop_duplicates())
    temperatures = sorted(rows["temperature"].unique())
    place = {
        (t, s, k): i * 3.2 + j * 0.8 + 0.24 * n
        for i, k in enumerate(targets)
        for j, t in enumerate(temperatures)
        for n, s in enumerate(("ula", "mala"))
    }
    for n, sampler in enumerate(("ula", "mala")):
        of = across_seeds(rows[rows["sampler"] == sampler], ["target", "temperature"])
        x = of.apply(lambda r, s=sampler: place[r["temperature"], s, r["target"]], axis=1)
        error_bars(right, x, of, n, sampler.upper())
    right.axhline(0, color="0.6", lw=0.8, zorder=0)
    ticks = [place[t, "ula", k] + 0.12 for k in targets for t in temperatures]
    right.set_xticks(ticks, [f"{t:g}" for _ in targets for t in temperatures], fontsize=7)
    for i, name in enumerate(targets):
        label = parse("target", name).label.replace(", ", "\n")
        right.text(i * 3.2 + 0.92, 0.99, label, ha="center", va="top", fontsize=7.5, transform=right.get_xaxis_transform())
    right.set(xlabel="temperature T", ylabel="relative bias of the second moment")
    around_zero(right, "y", 0.1)
    low, high = right.get_ylim()
    right.set_ylim(low, high * 3)
    right.legend(loc="lower left", ncols=2)
    return figure


def _densities(ax: Axes, results: Results, job: Sample, chosen: pd.DataFrame) -> None:
    arrays, meta = artifacts.read_arrays(results.folder / "sample" / f"{job.id}.npz")
    number, block = next((i, b) for i, b in enumerate(meta["blocks"]) if b["model"] == "")
    target = job.target.build()
    reach = 1.15 * float(target.reference[:, 0].abs().quantile(0.999))
    edges, grid = np.linspace(-reach, reach, BINS + 1), torch.linspace(-1.6 * reach, 1.6 * reach, 401)
    points = torch.cartesian_prod(grid, *[torch.linspace(-8, 8, 321)] * (target.dim - 1)).reshape(-1, target.dim)
    for i, t in enumerate(block["temperatures"]):
        mine = chosen[
            (chosen["target"] == str(job.target)) & (chosen["sampler"] == "mala") & (chosen["model"] == "") & (chosen["temperature"] == t)
        ]
        cell = [(c, u) for c in block["step_sizes"] for u in block["temperatures"]].index((mine["step_size"].iloc[0], t))
        x = arrays[f"{number}/samples"][-1, :, cell, :, 0]  # (seed, chain)
        heights = np.stack([np.histogram(seed, edges, density=True)[0] for seed in x])
        error = stats.t.ppf(0.975, len(heights) - 1) * heights.std(0, ddof=1) / len(heights) ** 0.5
        ax.errorbar(
            (edges[1:] + edges[:-1]) / 2, heights.mean(0), error, fmt=MARKERS[i], color=COLOURS[i], markersize=3, lw=0.9, label=f"T = {t:g}"
        )
        mass = (target.log_prob(points) / t).exp().reshape(401, -1).sum(1)
        ax.plot(grid, mass / mass.sum() / float(grid[1] - grid[0]), color=COLOURS[i], lw=1.3, ls=("-", "--", "-.")[i % 3])
    ax.set(xlim=(-reach, reach), ylim=(0, None), xlabel="$x_1$", ylabel="density", title=job.target.label)
    ax.legend()
