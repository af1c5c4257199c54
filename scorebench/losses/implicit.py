r"""Implicit score matching, with the exact trace: the Fisher divergence less a constant, without the true score.

J(theta) = E_p [ tr grad s_theta(x) + |s_theta(x)|^2 / 2 ]                               (Hyvarinen 2005, theorem 1)

It equals the explicit loss less E_p |grad log p|^2 / 2, by parts, where p s_theta vanishes at infinity.
"""

import torch
from torch import Tensor

from scorebench.models.base import Bound, score_and_divergence
from scorebench.targets.base import Target

LABEL = "implicit (exact trace)"
EQUATION = r"E_p\left[\text{tr}\,\nabla s(x)+\tfrac12|s(x)|^2\right]"
REFERENCE = "Hyvärinen (2005), theorem 1"
NEEDS: set[str] = set()


def draws(x: Tensor, target: Target, generator: torch.Generator) -> Tensor:
    """Nothing: the loss is exact."""
    return x.new_zeros(len(x), 0)


def implicit(model: Bound, x: Tensor, draws: Tensor) -> Tensor:
    """(batch, d) -> (batch,)."""
    s, divergence = score_and_divergence(model, x)
    return divergence + 0.5 * s.square().sum(-1)


def fixed_point(target: Target) -> Target:
    """The density that the loss learns."""
    return target
