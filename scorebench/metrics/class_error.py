r"""How wrongly classes are split: total variation between the classes of the chains and those of exact draws, as a classifier tells them.

TV = sum_k |share_k(x) - share_k(y)| / 2,   the class of a point being what scikit-learn's kernel logistic regression takes it for

It was trained on labelled training draws. Of exact draws it is not zero: the floor is that of two sets of exact draws.
"""

import torch
from torch import Tensor

from scorebench.metrics.base import Estimate, Run, takes
from scorebench.metrics.lib.classifier import probabilities
from scorebench.metrics.lib.neighbours import MOST
from scorebench.targets.base import Target

LABEL = "class-share error"
REFERENCE = "total variation of the classes; classifier of Zhu and Hastie (2005)"
ABOUT = "sampler"
NEEDS = {"run.samples", "target.sample", "target.labelled"}
DIRECTION = "lower"
FLOOR = True
LOG = False
MOMENTS = 2  # the bandwidth is a variance
SEES = {"lost_mode", "wrong_weights"}


def class_error(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell), of the first 500 chains; the standard error is that of the linear statistic with the signs held fixed."""
    takes(2, "chains", run.samples.shape[-2])
    x, y = (_classes(target, points[..., :MOST, :]) for points in (run.samples, reference))
    gap = x.mean(-2) - y.mean(-2)[:, None]  # (seed, cell, class)
    influence = 0.5 * (x * gap.sign()[..., None, :]).sum(-1)
    return Estimate(0.5 * gap.abs().sum(-1), influence.std(-1) / x.shape[-2] ** 0.5)


def _classes(target: Target, x: Tensor) -> Tensor:
    """1 at the most probable class, 0 elsewhere, (*, class)."""
    found = probabilities(target, x)
    return torch.nn.functional.one_hot(found.argmax(-1), found.shape[-1]).double()
