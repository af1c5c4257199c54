r"""Relative bias of the second moment: (E|x - m|^2 estimated)/(E|x - m|^2 exact) - 1 about the target's mean m, signed.

On N(0, v I) ULA's is 1/(1 - c/(2v)) - 1. The truth is closed form where the target knows it, 10,000 exact draws elsewhere.
Its standard error takes the fourth moment.

With `worst_axis` the same of (u'(x - m(x)))^2, m(x) being the nearest mode, or the mean where there are none, and u the principal axis of x - m(x) on
which the bias is furthest from zero. A sum over axes is that of the widest: it does not see a variance that is wrong along a narrow one, nor, of far
modes, that within them.
"""

import torch
from torch import Tensor

from scorebench.metrics.base import Estimate, Run, mean_over_points
from scorebench.targets.base import Target, has, nearest

LABEL = "second-moment bias"
VARIANTS = {"worst_axis": "at its worst axis"}
REFERENCE = "relative moment error"
EXAMPLES = ("second_moment_bias", "second_moment_bias:worst_axis=true")
ABOUT = "sampler"
NEEDS = {"run.samples"}
MOMENTS = 4
DIRECTION = "none"
FLOOR = True
LOG = False
SEES = {"wide_modes", "strays"}


def second_moment_bias(run: Run, target: Target, reference: Tensor, *, worst_axis: bool = False) -> Estimate:
    """(seed, cell)."""
    if worst_axis:
        return _at_worst(run.samples.double(), target)
    x = run.samples.double() - target.mean.to(run.samples.device)
    value, error = mean_over_points(x.square().sum(-1) / target.variance)
    return Estimate(value - 1, error)


def _at_worst(x: Tensor, target: Target) -> Estimate:
    exact = _about_centres(target.reference.double().to(x.device), target)
    variances, axes = torch.linalg.eigh(exact.mT @ exact / len(exact))
    squares = (_about_centres(x, target) @ axes).square() / variances.clamp(min=torch.finfo(x.dtype).tiny)
    value, error = mean_over_points(squares.movedim(-2, -1))  # (seed, cell, axis)
    worst = (value - 1).abs().argmax(-1, keepdim=True)
    return Estimate(value.gather(-1, worst)[..., 0] - 1, error.gather(-1, worst)[..., 0])


def _about_centres(x: Tensor, target: Target) -> Tensor:
    return x - (target.modes.to(x)[nearest(x, target.modes)] if has(target, "modes") else target.mean.to(x))
