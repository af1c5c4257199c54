"""Samplers at equal gradients and at equal seconds, exact score."""

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.figures.base import across_seeds, at_chosen_steps, band, seconds_a_gradient, some
from scorebench.results import Results
from scorebench.spec import parse

LABEL = "Samplers at equal gradients and at equal seconds"
CAPTION = (
    "Distance of the chains' states to the target (squared MMD, small bandwidth, unbiased: zero is perfect), exact scores, T = 1, each "
    "sampler at the step size that is best after the whole budget: against gradients a chain (top) and against the seconds they take a "
    "chain (bottom). Grey: 95 % of exact draws are below. Means with 95 % intervals across the seeds that had no say in the step."
)
NEEDS = {"sampler": "", "metric": "mmd"}
METRIC = "mmd:fraction=0.2"


def draw(results: Results) -> Figure:
    """A column a target, gradients above seconds."""
    rows = at_chosen_steps(results)
    rows = rows[(rows["model"] == "") & (rows["temperature"] == 1) & (rows["metric"] == METRIC) & (rows["gradient_evaluations"] > 0)]
    targets = list(some(rows, "sampler on an exact score with a small-bandwidth MMD")["target"].drop_duplicates())
    order = list(dict.fromkeys(_label(s) for s in rows["sampler"]))
    cost = seconds_a_gradient(results)
    figure, axes = plt.subplots(2, len(targets), figsize=(2.35 * len(targets) + 0.8, 4.9), squeeze=False, sharey="col")
    for (above, below), target in zip(axes.T, targets, strict=True):
        here = rows[rows["target"] == target]
        floor = here["floor_q95"].iloc[0]
        for sampler in here["sampler"].drop_duplicates():
            of = across_seeds(here[here["sampler"] == sampler], ["gradient_evaluations"])
            index = order.index(_label(sampler))
            band(above, of["gradient_evaluations"], of, index, _label(sampler))
            rate = cost["sample", f"{parse('target', target).slug}/{parse('sampler', sampler).slug}", ""]
            band(below, of["gradient_evaluations"].astype(float) * rate, of, index, None)
        for ax in (above, below):
            ax.axhspan(-floor, floor, color="0.9", lw=0, zorder=0)
            ax.set_yscale("symlog", linthresh=floor)
            ax.set(xscale="log")
            ax.yaxis.minorticks_off()
        above.set(title=parse("target", target).label, xlabel="gradients a chain")
        below.set_xlabel("seconds a chain")
    for ax in axes[:, 0]:
        ax.set_ylabel("MMD² (h = .2 rms)")
    handles = {label: handle for ax in axes[0] for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    return figure


def _label(sampler: str) -> str:
    spec = parse("sampler", sampler)
    return spec.label + (", denoised" if spec.options.get("denoise") else "")
