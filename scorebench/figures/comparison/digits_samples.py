"""Digits drawn from trained energies, beside images that were held out."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.errors import NotApplicable
from scorebench.core.spec import Spec, parse
from scorebench.store.results import Results

LABEL = "Digits: sampled and held out"
CAPTION = (
    "Top row: held-out images as the target draws them, with its noise. Below: final states of chains started from noise, on energies "
    "trained by each loss, at the step size chosen on the first half of the seeds; the last seed is shown, with the same random numbers in "
    "every row. A large σ learns the noised density, and its samples show the noise."
)
USES = {"target": ("digits",), "model": ("",), "sampler": ("exact",)}
READS = ("tables/samplers.csv", "sample/digits*/exact.npz", "sample/digits*/ula.npz", "sample/digits*/annealed*.npz")
SAMPLERS, COLUMNS = ("ula", "annealed"), 14


def draw(results: Results) -> Figure:
    """A row a loss and sampler."""
    jobs = [s for s in results.plan.samples.values() if s.target.name == "digits"]
    held_out = next((job.target for job in jobs if job.sampler.name == "exact"), None)
    if held_out is None:
        raise NotApplicable("the run has no digits that were held out")
    ((run, arrays), *_) = results.samples(held_out, parse("sampler", "exact"))
    if not arrays:
        raise NotApplicable(f"there are no held-out digits: {run.ended}")
    strips = [("held out", arrays["samples"][-1, -1, 0, :COLUMNS])]
    for job in jobs:
        if job.trained and job.sampler.name in SAMPLERS:
            strips += _strips(results, job.target, job.sampler)
    if len(strips) == 1:
        raise NotApplicable("nothing was sampled from a trained energy of the digits")
    figure, axes = plt.subplots(len(strips), 1, figsize=(8, 0.6 * len(strips)))
    for ax, (label, images) in zip(axes, strips, strict=True):
        framed = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)), constant_values=1.0)
        ax.imshow(np.concatenate(list(framed), 1), cmap="gray", vmin=-1, vmax=1, aspect="equal")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8.5)
    return figure


def _strips(results: Results, target: Spec, sampler: Spec) -> list[tuple[str, np.ndarray]]:
    """The images of each trained source at its chosen step, of the last seed, which had no say in it."""
    table = results.table("samplers")
    table = table[(table["target"] == str(target)) & (table["sampler"] == str(sampler)) & (table["temperature"] == 1)]
    chosen = table.groupby(["model", "loss"])["step_size"].first()
    strips = []
    for run, arrays in results.samples(target, sampler):
        if run.model and arrays and (run.model, run.loss) in chosen:
            step = chosen[run.model, run.loss]
            label = f"{parse('loss', run.loss).label}\n{sampler.label}, c = {step:g}"
            strips.append((label, arrays["samples"][-1, -1, run.cells.index((step, 1.0)), :COLUMNS]))
    return strips
