r"""Sliced Wasserstein distance within the modes: the shape of each mode, whatever the weights between them.

SW^2 = sum_k w_k mean_v W_2(v'x | x in mode k; v'y | y in mode k)^2, the square root of it                (Bonneel et al. 2015, eq. 8)

Over 32 fixed directions; W_2 in one dimension through quantiles at 32 midpoints. A mode with fewer than 4 chains, or 4 exact draws,
says nothing of its shape and is left out, the weights renormalised: `mode_weight_error` is the metric that sees lost modes. Where all
are left out there is no value.
Unstratified, the distance between the modes' weights drowns the shape: floors are ten times larger.
"""

import numpy as np
import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.metrics.base import Estimate, Run, jackknife
from scorebench.targets.base import Target, has, nearest

LABEL = "within-mode sliced W₂"
REFERENCE = "Bonneel et al. (2015), eq. 8, stratified"
ABOUT = "sampler"
NEEDS = {"run.samples", "target.sample"}
MOMENTS = 2
DIRECTION = "lower"
FLOOR = True
LOG = False
UNDEFINED = "takes a mode with at least 4 chains and 4 exact draws"
SEES = {"shifted", "wide_modes", "narrow_modes"}

DIRECTIONS, LEVELS, FEWEST = 32, 32, 4


def within_mode_sliced_w2(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell); block jackknife over the chains."""
    split = has(target, "modes")
    centres, weights = (target.modes, target.mode_weights.value) if split else (torch.zeros(1, target.dim), torch.ones(1))
    generator = rng.generator("slices", target.dim)
    directions = torch.randn(target.dim, DIRECTIONS, generator=generator, device=generator.device)
    directions /= directions.norm(dim=0)
    exact, available = _quantiles(reference[:, None], centres, directions)
    held = torch.nn.functional.one_hot(nearest(run.samples, centres), len(centres)).sum(-2)
    kept = weights.to(exact) * ((held >= FEWEST) & (available >= FEWEST))  # (seed, cell, k)

    def distance(x: Tensor) -> Tensor:
        mine, counts = _quantiles(x, centres, directions)
        squared = (mine - exact).square().mean((-2, -1))  # (seed, cell, k)
        w = kept * (counts > 0)
        return ((w * squared.where(w > 0, 0.0)).sum(-1) / w.sum(-1)).sqrt()

    return jackknife(distance, run.samples, axis=-2)


def _quantiles(x: Tensor, centres: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Quantiles of the projections about each mode's centre, (*, k, levels, directions), float64, and each mode's count, (*, k)."""
    mode = nearest(x, centres)  # (*, n)
    projected = (x.double() - centres.to(x.device).double()[mode]) @ directions.to(x.device).double()  # (*, n, directions)
    # One sort serves all modes: a shift by the mode's number, no less than any difference of projections, keeps the modes apart.
    shift = 2 * projected.abs().amax((-2, -1), keepdim=True)
    columns = (projected + mode[..., None] * shift).transpose(-2, -1).contiguous()
    ordered = torch.from_numpy(np.sort(columns.cpu().numpy(), axis=-1)).to(x.device)  # torch's sort takes ten times as long on a CPU
    counts = torch.nn.functional.one_hot(mode, len(centres)).sum(-2)  # (*, k)
    first = counts.cumsum(-1) - counts
    levels = (torch.arange(LEVELS, device=x.device) + 0.5) / LEVELS
    index = first[..., None] + (levels * counts[..., None]).long()  # (*, k, levels)
    index = index.clamp(max=x.shape[-2] - 1).flatten(-2)
    taken = ordered.gather(-1, index[..., None, :].expand(*columns.shape[:-1], index.shape[-1]))  # (*, directions, k levels)
    number = torch.arange(len(centres), device=x.device).repeat_interleave(LEVELS)
    return (taken - number * shift).unflatten(-1, (len(centres), LEVELS)).movedim(-3, -1), counts
