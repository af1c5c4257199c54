"""Digits drawn from trained energies, beside images that were held out."""

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.core import rng
from scorebench.core.errors import NotApplicable
from scorebench.core.spec import parse
from scorebench.figures.base import sampler_label
from scorebench.store import artifacts
from scorebench.store.results import Results

LABEL = "Digits: sampled and held out"
CAPTION = (
    "Top row: held-out images as the target draws them, with its noise. Below: final states of chains started from noise, on energies "
    "trained by each loss, at the step size chosen on the first half of the seeds; the last seed is shown, with the same random numbers in "
    "every row. A large σ learns the noised density, and its samples show the noise."
)
USES = {"target": ("digits",), "model": ("",)}
READS = ("tables/samplers.csv", "sample/digits/*.npz")
COLUMNS = 14


def draw(results: Results) -> Figure:
    """A row a loss and sampler."""
    jobs = [s for s in results.plan.samples.values() if s.target.name == "digits" and s.trained]
    if not jobs:
        raise NotApplicable("the run has no digits sampled from trained energies")
    whole = results.table("samplers")
    held_out = jobs[0].target.build().sample(COLUMNS, rng.generator("digits_samples"))
    rows: list[tuple[str, np.ndarray]] = [("held out", held_out.numpy())]
    for job in jobs:
        chosen = whole[(whole["target"] == str(job.target)) & (whole["sampler"] == str(job.sampler))].drop_duplicates(["model", "loss"])
        arrays, meta = artifacts.read_arrays(results.folder / "sample" / f"{job.id}.npz")
        for i, block in enumerate(meta["blocks"]):
            of = chosen[(chosen["model"] == block["model"]) & (chosen["loss"] == block["loss"])]
            if of.empty or block["status"] != "ok":
                continue
            step = of["step_size"].iloc[0]
            cell = [c for c in block["step_sizes"] for _ in block["temperatures"]].index(step)
            samples = torch.as_tensor(arrays[f"{i}/samples"][-1, -1, cell, :COLUMNS])  # the last seed: it had no say in the step
            rows.append((f"{parse('loss', block['loss']).label}\n{sampler_label(str(job.sampler))}, c = {step:g}", samples.numpy()))
    if len(rows) == 1:
        raise NotApplicable("nothing was sampled from a trained energy of the digits")
    figure, axes = plt.subplots(len(rows), 1, figsize=(8, 0.6 * len(rows)))
    for ax, (label, images) in zip(axes, rows, strict=True):
        strip = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)), constant_values=1.0)
        ax.imshow(np.concatenate(list(strip), 1), cmap="gray", vmin=-1, vmax=1, aspect="equal")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8.5)
    return figure
