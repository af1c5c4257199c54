"""Exact draws with a fault, each a mistake that samplers make: what the metrics are tested on, and what a figure shows them to see.

`fault(target, n, generator) -> (n, d)`; the modes are those of the target.
"""

import torch
from torch import Tensor

from scorebench.targets.base import Target, nearest

WIDEN, NARROW, SHARE, FAR = 1.5, 0.7, 0.02, 4.0
DEGREES, COPIES = 3, 4


def wrong_weights(target: Target, n: int, generator: torch.Generator) -> Tensor:
    """Two draws in five of those in the last mode are moved to the first, shape and all: .7 and .3 for .5 and .5."""
    x = target.sample(n, generator)
    modes = target.modes.to(x)
    last = nearest(x, modes) == len(modes) - 1
    moved = last & (torch.rand(n, generator=generator, device=x.device) < 0.4)
    return torch.where(moved[:, None], x - modes[-1] + modes[0], x)


def lost_mode(target: Target, n: int, generator: torch.Generator) -> Tensor:
    """The last mode's draws are in the first."""
    x = target.sample(n, generator)
    modes = target.modes.to(x)
    last = nearest(x, modes) == len(modes) - 1
    return torch.where(last[:, None], x - modes[-1] + modes[0], x)


def shifted(target: Target, n: int, generator: torch.Generator) -> Tensor:
    """By a mode's width along the last coordinate: the root mean square of a coordinate's distance from the nearest mode."""
    x, reference = target.sample(n, generator), target.reference
    centres = target.modes.to(reference)[nearest(reference, target.modes)]
    x[:, -1] += float((reference - centres).square().mean().sqrt())
    return x


def wide_modes(target: Target, n: int, generator: torch.Generator) -> Tensor:
    """Each mode 1.5 times as wide."""
    return _stretched(target, n, generator, WIDEN)


def narrow_modes(target: Target, n: int, generator: torch.Generator) -> Tensor:
    """Each mode .7 times as wide."""
    return _stretched(target, n, generator, NARROW)


def strays(target: Target, n: int, generator: torch.Generator) -> Tensor:
    """One draw in fifty is four times as far from the mean as it should be."""
    x = target.sample(n, generator)
    far = torch.rand(n, generator=generator, device=x.device) < SHARE
    mean = target.mean.to(x)
    return torch.where(far[:, None], mean + FAR * (x - mean), x)


def heavy_tails(target: Target, n: int, generator: torch.Generator) -> Tensor:
    """Each mode's draws stretched by a random factor whose square has mean 1: a Gaussian becomes Student's t, 3 degrees of freedom, same covariance."""
    x = target.sample(n, generator)
    centres = target.modes.to(x)[nearest(x, target.modes)]
    chi_squared = torch.randn(n, DEGREES, generator=generator, device=x.device).square().sum(-1, keepdim=True)
    return centres + ((DEGREES - 2) / chi_squared).sqrt() * (x - centres)


def duplicated(target: Target, n: int, generator: torch.Generator) -> Tensor:
    """Each draw four times in a row, as after resampling: right in law, and no more than a quarter as much of it."""
    return target.sample(-(-n // COPIES), generator).repeat_interleave(COPIES, 0)[:n]


def _stretched(target: Target, n: int, generator: torch.Generator, factor: float) -> Tensor:
    x = target.sample(n, generator)
    centres = target.modes.to(x)[nearest(x, target.modes)]
    return centres + factor * (x - centres)


FAULTS = {f.__name__: f for f in (wrong_weights, lost_mode, shifted, wide_modes, narrow_modes, strays, heavy_tails, duplicated)}
