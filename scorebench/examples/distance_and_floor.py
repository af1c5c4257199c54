r"""How far chains are from the target as gradients are spent, beside what exact draws have: where a line meets its floor, more gradients show nothing.

Squared MMD of every sampler on the exact score at T = 1, each at its largest step that lost no chain; dashed the 95 % quantile of means of exact draws.
"""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.figures.base import COLOURS, lines, required
from scorebench.report.choosing import floor, is_ok
from scorebench.store.results import Results

LABEL = "Distance against gradients"
CAPTION = (
    "Squared MMD to the target against gradients a chain, means across seeds with 95 % intervals; below the dashed line nothing is seen."
)
USES = {"sampler": ("",), "metric": ("mmd",)}  # what a suite must have together; "" is any
READS = ("metrics.csv",)  # what it opens: its job waits for that


def draw(results: Results) -> Figure:
    """One panel for the first target; a figure draws and computes nothing."""
    rows = results.metrics
    rows = rows[(rows["metric"] == "mmd") & (rows["model"] == "") & (rows["temperature"] == 1) & rows["steps"].notna()]
    rows = required(rows[rows["target"] == rows["target"].iloc[0]] if len(rows) else rows, "MMD of chains on an exact score at T = 1")
    whole = rows.groupby(["sampler", "step_size"])["status"].transform(lambda status: (status == "ok").all())
    rows = required(rows[whole & is_ok(rows)], "sampler of which no chain was lost")
    rows = rows[rows["step_size"] == rows.groupby("sampler")["step_size"].transform("max")]

    figure, ax = plt.subplots(figsize=(6, 3.8))
    lines(ax, rows, "gradient_evaluations", "sampler", sorted(rows["sampler"].unique()))
    ax.axhline(floor(rows), color=COLOURS[7], ls="--", lw=1, label="exact draws, 95 %")
    ax.set(xscale="log", xlabel="gradients a chain", ylabel="MMD²", title=rows["target"].iloc[0])
    ax.legend()
    return figure
