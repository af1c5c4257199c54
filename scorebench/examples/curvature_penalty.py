r"""Implicit score matching with a penalty on the curvature, which smooths what is learnt from few points.

J(theta) = E_p [ sum_i d_i s_i(x) + |s(x)|^2/2 + (lambda/2) sum_i (d_i s_i(x))^2 ]        (Kingma and LeCun 2010, eq. 9, in these units)

What minimises it is not known for a general p. For p = N(0, diag v) and s = -A x it is A_ii = 1/(v_i + lambda): on a Gaussian it learns the law with
noise of variance lambda, to which it is the first correction elsewhere.
"""

from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from scorebench.core.errors import NotApplicable
from scorebench.core.options import Positive
from scorebench.models.base import Bound, score_along
from scorebench.targets.base import Target

LABEL = "implicit, λ = {penalty}"
EQUATION = r"E_p\left[\text{tr}\,\nabla s(x)+\tfrac12|s(x)|^2+\tfrac{\lambda}{2}\sum_i(\partial_i s_i(x))^2\right]"
REFERENCE = "Kingma and LeCun (2010), eq. 9"
EXAMPLES = ("curvature_penalty", "curvature_penalty:penalty=1")
NEEDS: set[str] = set()  # of the target or the model, as "target.score"; the data come anyway


# All randomness of a batch is drawn here, a row a row of x; this loss needs none.
def draws(x: Tensor, target: Target, generator: torch.Generator, *, penalty: float) -> Tensor:
    """Nothing: the loss is exact, (batch, 0)."""
    return x.new_zeros(len(x), 0)


def curvature_penalty(model: Bound, x: Tensor, draws: Tensor, *, penalty: Positive = 0.1) -> Tensor:
    """(batch, d) -> (batch,)."""

    def slope(e: Tensor) -> tuple[Tensor, Tensor]:
        s, along = score_along(model, x, e.expand_as(x))
        return s, (along * e).sum(-1)

    s, slopes = vmap(slope)(torch.eye(x.shape[-1], dtype=x.dtype, device=x.device))  # (d, batch, d), (d, batch)
    return slopes.sum(0) + 0.5 * s[0].square().sum(-1) + 0.5 * penalty * slopes.square().sum(0)


def fixed_point(target: Target, **_: Any) -> Target:
    """Not known in general."""
    raise NotApplicable("what minimises the penalised loss is not known in closed form")


# Where no fixed point is known the file says where the loss is stationary on a Gaussian, so that it can be checked.
def stationary(target: Target, *, penalty: float) -> Target:
    """Of a Gaussian target with independent coordinates: its law with noise of variance lambda."""
    return target.perturbed(penalty**0.5)
