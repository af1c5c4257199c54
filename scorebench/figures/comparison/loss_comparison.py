"""Every loss on every target: relative Fisher divergence to the target, and to the density that the loss learns."""

import seaborn as sns
from matplotlib.figure import Figure
from scipy.stats import gmean

from scorebench.core.schema import Status
from scorebench.core.spec import parse
from scorebench.figures.base import COLOURS, interval, legend_below, panels, required, source_label
from scorebench.report.choosing import at_end, competes, is_ok
from scorebench.store.results import Results

LABEL = "Losses compared"
CAPTION = (
    "Relative Fisher divergence after the whole training, lower is better: to the target (circles), and to what the loss learns (squares), which leaves "
    "out the blur that denoising puts in on purpose. Means across seeds with 95 % intervals on a log scale; seeds that diverged or failed are "
    "counted in red. The explicit loss needs the true score and is the yardstick; an arrow says where it is, if far off. "
    "(field): a network of the score, without an energy."
)
USES = {"metric": ("relative_fisher_divergence",), "loss": ("",)}
READS = ("metrics.csv",)
METRICS = {"relative_fisher_divergence": "to the target", "relative_fisher_divergence:to=fixed_point": "to what the loss learns"}


def draw(results: Results) -> Figure:
    """A panel a target, a row a source."""
    rows = results.metrics
    rows = rows[rows["metric"].isin(METRICS) & (rows["loss"] != "") & (rows["status"] != Status.NOT_APPLICABLE)]
    rows = required(at_end(rows), "relative Fisher divergence of a trained source")
    rows = rows.assign(source=rows["model"] + " " + rows["loss"])
    targets = list(rows["target"].unique())
    figure, axes = panels(len(targets), 3, 4.0, 0.22 * int(rows.groupby("target")["source"].nunique().max()) + 0.9)
    for ax, target in zip(axes, targets, strict=True):
        here = rows[rows["target"] == target]
        sources = here.drop_duplicates("source").set_index("source")
        ok = here[is_ok(here)]
        means = ok.groupby(["source", "metric"])["value"].agg(gmean).unstack().reindex(sources.index, columns=list(METRICS))
        order = list(means.bfill(axis=1).iloc[:, 0].sort_values(kind="stable").index)  # by that to the target, where there is one
        rivals = means[sources["loss"].map(competes).astype(bool)]
        edge = rivals.min(axis=None) / 50
        far = means[means < edge].stack().dropna()
        ok = ok[~ok.set_index(["source", "metric"]).index.isin(far.index)]

        ax.set_xscale("log")
        look = {"palette": COLOURS[:2], "markers": ["o", "s"], "markersize": 4, "linestyle": "none", "err_kws": {"linewidth": 1.1}}
        if len(ok):
            sns.pointplot(
                ok, x="value", y="source", hue="metric", order=order, hue_order=list(METRICS), orient="y", errorbar=interval,
                dodge=0.3, capsize=0.2, ax=ax, **look,
            )  # fmt: skip
        for (source, metric), mean in far.items():  # the yardstick, so far off that the others would stand in one line
            i = list(METRICS).index(metric)
            at = (0.02, order.index(source) + 0.15 * (2 * i - 1))
            ax.annotate(f"← {mean:.0e}", at, xycoords=ax.get_yaxis_transform(), va="center", fontsize=8, color=COLOURS[i])
        lost = (~is_ok(here)).groupby([here["source"], here["metric"]]).agg(["sum", "size"]).groupby("source").max()
        for source, count, seeds in lost[lost["sum"] > 0].itertuples():
            where = ax.get_yaxis_transform()
            ax.text(1, order.index(source), f"{count}/{seeds} lost", transform=where, ha="right", va="center", color=COLOURS[3])
        names = [source_label(sources["model"][source], sources["loss"][source]) for source in order]
        ax.set_yticks(range(len(names)), names, fontsize=8)
        ax.set_ylim(len(names) - 0.4, -0.6)  # the best on top
        ax.set_xlim(left=max(ax.get_xlim()[0], edge * 0.9))
        ax.set(xlabel="relative Fisher divergence", ylabel="", title=parse("target", target).label)
        ax.grid(axis="y", color="0.93", lw=0.8)
    legend_below(figure, axes, 2, METRICS.__getitem__)
    return figure
