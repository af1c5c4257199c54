"""Which metric sees which fault: exact draws of two far modes with a fault put in, and how often each metric raises the alarm."""

import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.spec import parse
from scorebench.figures.base import required
from scorebench.store.results import Results

LABEL = "Which metric sees which fault"
CAPTION = (
    "Exact draws of two far modes with a fault put in: in how many per cent of the repeats a metric is beyond what 95 % of exact draws give. "
    "Without a fault it should be 5; with 100 repeats, another run moves an entry by up to 10 (95 % interval, widest at 50). No metric sees "
    "everything: KSD and within-mode distances are blind to a lost mode, mode weights and a wide kernel to the modes' shape."
)
USES = {"target": ("gaussian_mixture",), "metric": ("mode_weight_error",)}
READS = ("tables/sensitivity.csv",)


def draw(results: Results) -> Figure:
    """A row a metric with a floor, a column a fault."""
    table = required(results.table("sensitivity"), "planted faults")
    share = table.assign(share=100 * table["share"]).pivot(index="metric", columns="fault", values="share")
    share = share.reindex(index=table["metric"].unique(), columns=table["fault"].unique())
    figure, ax = plt.subplots(figsize=(8.6, 0.36 * len(share) + 1.5))
    sns.heatmap(share, annot=True, fmt=".0f", cmap="Greys", vmin=0, vmax=120, cbar=False, ax=ax)
    ax.set_xticks(ax.get_xticks(), [fault.replace("_", "\n") for fault in share.columns], rotation=0, fontsize=8.5)
    ax.set_yticks(ax.get_yticks(), [parse("metric", metric).label for metric in share.index], rotation=0)
    ax.xaxis.tick_top()
    chains, repeats = table["chains"].iloc[0], table["repeats"].iloc[0]
    ax.set(xlabel=f"per cent of {repeats} samples of {chains} told from exact draws; 5 by chance", ylabel="")
    ax.tick_params(length=0)
    ax.axvline(1, color="white", lw=4)
    return figure
