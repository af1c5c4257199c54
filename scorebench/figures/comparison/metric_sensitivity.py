"""Which metric sees which fault: exact draws of two far modes with a fault put in, and how often each metric raises the alarm."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from scorebench.core import registry, rng
from scorebench.core.errors import NotApplicable
from scorebench.core.spec import Spec, parse_all
from scorebench.metrics.base import Estimate, Run
from scorebench.metrics.lib.faults import FAULTS
from scorebench.store.results import Results
from scorebench.targets.base import Target

LABEL = "Which metric sees which fault"
CAPTION = (
    "256 exact draws of two far modes with a fault put in: the percentage of 100 repeats in which a metric is beyond what 95 % of exact draws give. "
    "Without a fault it should be 5; a repeat of the experiment moves an entry by up to 10 (95 % interval, widest at 50). No metric sees everything: "
    "KSD and within-mode distances are blind to a lost mode, mode weights and a wide kernel to the modes' shape."
)
USES = {"target": ("gaussian_mixture",), "metric": ("mode_weight_error",)}
READS = ("tables/sensitivity.csv",)
REPEATS, CHAINS = 100, 256


def draw(results: Results) -> Figure:
    """A row a metric with a floor, a column a fault; the first target with two modes."""
    two = [m.target for m in results.plan.measures if m.target.name == "gaussian_mixture" and m.target.options["components"] == 2]
    if not two:
        raise NotApplicable("the suite has no target with two far modes")
    target, master = two[0].build(), results.plan.suite.seed
    metrics = [m for m in parse_all("metric", results.plan.suite.metrics) if m.entry.facts.get("FLOOR")]
    columns = {"no fault": target.sample} | {name: partial(fault, target) for name, fault in FAULTS.items()}

    def sets(make: Callable[[int, torch.Generator], Tensor], use: str, repeats: int = REPEATS) -> Tensor:
        return make(repeats * CHAINS, rng.generator(master, "metric_sensitivity", use)).unflatten(0, (repeats, CHAINS))

    exact, more = sets(target.sample, "exact"), sets(target.sample, "more", 3 * REPEATS)
    limits = {m: np.quantile(_values(m, sets(target.sample, "floor", 3 * REPEATS), more, target), 0.95) for m in metrics}
    alarms = np.empty((len(metrics), len(columns)))
    for j, (name, make) in enumerate(columns.items()):
        faulty = sets(make, name)
        for i, m in enumerate(metrics):
            alarms[i, j] = 100 * (_values(m, faulty, exact, target) > limits[m]).mean()
    figure, ax = plt.subplots(figsize=(7.2, 0.36 * len(metrics) + 1.5))
    ax.imshow(alarms, cmap="Greys", vmin=0, vmax=140, aspect="auto")
    for (i, j), share in np.ndenumerate(alarms):
        ax.text(j, i, f"{share:.0f}", ha="center", va="center", color="white" if share > 75 else "black")
    ax.set_xticks(range(len(columns)), [name.replace("_", "\n") for name in columns])
    ax.set_yticks(range(len(metrics)), [m.label for m in metrics])
    ax.xaxis.tick_top()
    ax.set_xlabel(f"samples of {CHAINS} told from exact draws, of {REPEATS}; 5 by chance")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.axvline(0.5, color="white", lw=4)
    return figure


def _values(metric: Spec, x: Tensor, y: Tensor, target: Target) -> np.ndarray:
    """The metric of each repeat, (repeat,); a signed one by its distance from zero."""
    found: Estimate = registry.method("metric", metric.name)(Run(samples=x[:, None]), target, y, **metric.options)
    values = found.value.flatten().double().cpu().numpy()
    return np.abs(values) if metric.entry.facts["DIRECTION"] == "none" else values
