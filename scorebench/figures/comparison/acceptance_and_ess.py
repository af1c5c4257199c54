"""MALA's acceptance and effective sample size against the step size, exact score."""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.engine.loop import TRACE_CHAINS, TRACE_DRAWS
from scorebench.figures.base import COLOURS, across_seeds, error_bars, mark_lost, some
from scorebench.store.results import Results

LABEL = "Acceptance and effective sample size"
CAPTION = (
    "MALA on exact scores: acceptance falls with the step size. With one mode, the effective sample size of the trace (independent draws: 1,600) "
    "peaks in between; far modes hold it down at every step, since chains do not cross. Means across seeds with 95 % intervals."
)
USES = {"sampler": ("mala",), "metric": ("ess",)}
READS = ("metrics.csv",)


def draw(results: Results) -> Figure:
    """Two panels over the step size, a colour a target."""
    rows = results.metrics
    rows = rows[(rows["sampler"] == "mala") & (rows["model"] == "") & (rows["temperature"] == 1)]
    rows = some(rows[~rows["status"].str.startswith("not_applicable")], "MALA on an exact score at T = 1")
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4))
    panels = (("acceptance", "mean acceptance probability", False), ("ess", "effective sample size", True))
    for ax, (metric, label, log) in zip(axes, panels, strict=True):
        for i, (target, of) in enumerate(rows[rows["metric"] == metric].groupby("target", sort=False)):
            of = across_seeds(of, ["step_size"], log=log)
            ax.plot(of["step_size"], of["mean"], color=COLOURS[i], lw=1, ls=("-", "--", "-.", ":")[i % 4])
            error_bars(ax, of["step_size"], of, i, parse("target", str(target)).label)
            mark_lost(ax, of["step_size"], of, i, 0.0)
        ax.set(xscale="log", yscale="log" if log else "linear", xlabel="step size $c$", ylabel=label)
    axes[0].set_ylim(0, 1.02)
    independent = TRACE_CHAINS * TRACE_DRAWS
    axes[1].axhline(independent, color="0.5", lw=1, ls="--")
    axes[1].text(0.02, 1.08 * independent, "independent draws", transform=axes[1].get_yaxis_transform(), color="0.4")
    axes[1].set_ylim(top=2 * independent)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
