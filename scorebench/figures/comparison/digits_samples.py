"""Digits drawn from trained models, beside images, with how sure a classifier is of them, what they cover and whether they are remembered."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core.errors import NotApplicable
from scorebench.core.spec import Spec, parse
from scorebench.figures.base import at_chosen_steps
from scorebench.report.choosing import is_ok
from scorebench.store.results import Results

LABEL = "Digits: sampled, and images"
CAPTION = (
    "First strip: images that train, as the target draws them, with its noise. Below: final states of chains started from noise, of models trained by each "
    "loss, at the step size in the samplers' table; the last seed is shown, with the same random numbers in every strip. A single large σ learns the noised "
    "density, and its samples show the noise; many levels give digits. Above each strip, mean over the seeds that judge, with the standard error over the "
    "chains; in brackets, but for the confidence, the same between two sets of held-out images. Confidence: how many a classifier is sure of (.9), in units "
    "of how many held-out images. Class shares: total variation from those of held-out images. Distance: to the nearest image that trains, in units of that "
    "of held-out images; copies of training images, as in the first strip, have about half. Precision and recall: k = 3, pixels; noise recalls all."
)
USES = {"target": ("digits",), "model": ("",), "sampler": ("exact",)}
READS = ("metrics.csv", "tables/samplers.csv", "sample/digits*/exact.npz", "sample/digits*/ula.npz", "sample/digits*/annealed*.npz")
SAMPLERS, COLUMNS = ("ula", "annealed"), 14
NUMBERS = {
    "classifier_confidence": "confidence",
    "precision": "precision",
    "recall": "recall",
    "class_error": "class shares",
    "training_distance": "distance",
}


def draw(results: Results) -> Figure:
    """A strip a loss and sampler."""
    jobs = [s for s in results.plan.samples.values() if s.target.name == "digits"]
    exact = next((job for job in jobs if job.sampler.name == "exact"), None)
    if exact is None:
        raise NotApplicable("the run has no exact draws of the digits")
    ((run, arrays), *_) = results.samples(exact.target, exact.sampler)
    if not arrays:
        raise NotApplicable(f"there are no exact draws of the digits: {run.ended}")
    rows = at_chosen_steps(results)
    rows = rows[(rows["target"] == str(exact.target)) & (rows["temperature"] == 1) & is_ok(rows)]
    strips = [("images", _numbers(rows[rows["sampler"] == "exact"]), arrays["samples"][-1, -1, 0, :COLUMNS])]
    for job in jobs:
        if job.trained and job.sampler.name in SAMPLERS:
            strips += _strips(results, rows, job.target, job.sampler)
    if len(strips) == 1:
        raise NotApplicable("nothing was sampled from a trained model of the digits")
    figure, axes = plt.subplots(len(strips), 1, figsize=(9.5, 0.85 * len(strips)))
    for ax, (label, numbers, images) in zip(axes, strips, strict=True):
        framed = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)), constant_values=1.0)
        ax.imshow(np.concatenate(list(framed), 1), cmap="gray", vmin=-1, vmax=1, aspect="equal")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8.5)
        ax.set_title(numbers, fontsize=6.5, loc="left", pad=2)
    return figure


def _strips(results: Results, rows: pd.DataFrame, target: Spec, sampler: Spec) -> list[tuple[str, str, np.ndarray]]:
    """The images of each trained source at its chosen step, of the last seed, which had no say in it, with their numbers."""
    rows = rows[rows["sampler"] == str(sampler)]
    strips = []
    for run, arrays in results.samples(target, sampler):
        its = rows[(rows["model"] == run.model) & (rows["loss"] == run.loss)]
        if run.model and arrays and len(its):
            step = its["step_size"].iloc[0]
            label = f"{parse('loss', run.loss).label}\n{sampler.label}, c = {step:g}"
            strips.append((label, _numbers(its), arrays["samples"][-1, -1, run.cells.index((step, 1.0)), :COLUMNS]))
    return strips


def _numbers(rows: pd.DataFrame) -> str:
    """Of each metric that was measured the mean over seeds after the last step, its standard error over the chains, its floor."""
    last = rows[rows["steps"] == rows["steps"].max()]
    parts = []
    for metric, name in NUMBERS.items():
        if len(its := last[last["metric"] == metric]):
            error = float(its["standard_error"].pow(2).sum() ** 0.5) / len(its)
            floor = "" if its["floor_mean"].isna().any() else f" ({its['floor_mean'].iloc[0]:.2f})"
            parts.append(f"{name} {its['value'].mean():.2f} ± {error:.1g}{floor}")
    return ",  ".join(parts)
