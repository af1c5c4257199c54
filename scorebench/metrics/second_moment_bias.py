r"""Relative bias of the second moment about the target's mean: (E|x - m|^2 estimated)/(E|x - m|^2 exact) - 1, signed.

On N(0, v I) ULA's is 1/(1 - c/(2v)) - 1. The truth is closed form where the target knows it, 10,000 exact draws elsewhere.
"""

import torch
from torch import Tensor

from scorebench.metrics.base import Estimate, Run, mean_over_points
from scorebench.targets.base import Target

LABEL = "second-moment bias"
REFERENCE = "relative moment error"
ABOUT = "sampler"
NEEDS = {"run.samples"}
DIRECTION = "none"
FLOOR = True
LOG = False
SEES = {"wide_modes", "strays"}


def second_moment_bias(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell)."""
    truths = target.truths
    if "second_moment" in truths:
        mean = truths["mean"].value.to(run.samples)
        truth = truths["second_moment"].value.to(run.samples) - mean.square().sum()
    else:
        mean = target.reference.mean(0).to(run.samples)
        truth = torch.as_tensor(target.reference.var(0).sum()).to(run.samples)
    value, error = mean_over_points((run.samples - mean).square().sum(-1) / truth)
    return Estimate(value - 1, error)
