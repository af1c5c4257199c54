r"""Explicit score matching: half the Fisher divergence itself, which needs the true score; the yardstick for the others.

J(theta) = E_p [ |s_theta(x) - grad log p(x)|^2 / 2 ]                                    (Hyvarinen 2005, eq. 2)
"""

import torch
from torch import Tensor

from scorebench.models.base import Bound, score
from scorebench.targets.base import Target

LABEL = "explicit"
EQUATION = r"\tfrac12\,E_p\,|s(x)-\nabla\log p(x)|^2"
REFERENCE = "Hyvärinen (2005), eq. 2"
NEEDS = {"target.score"}


def draws(x: Tensor, target: Target, generator: torch.Generator) -> Tensor:
    """The true score at the data, (batch, d)."""
    return target.score(x)


def explicit(model: Bound, x: Tensor, draws: Tensor) -> Tensor:
    """(batch, d) -> (batch,)."""
    return 0.5 * (score(model, x) - draws).square().sum(-1)


def fixed_point(target: Target) -> Target:
    """The density that the loss learns."""
    return target
