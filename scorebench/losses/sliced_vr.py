r"""Sliced score matching with variance reduction: the square of the score exactly, the trace along one random direction.

J(theta) = E_p E_v [ v' grad s_theta(x) v ] + E_p [ |s_theta(x)|^2 / 2 ],   E v v' = I        (Song et al. 2019, eq. 8)

It has the value of `sliced` and of the implicit loss in the mean, since E_v (v's)^2 = |s|^2, with the noise of one term less.
"""

from typing import Literal

import torch
from torch import Tensor

from scorebench.losses.sliced import draws as sliced_draws
from scorebench.models.base import Bound, score_along
from scorebench.targets.base import Target

LABEL = "sliced, variance reduced"
EQUATION = r"E_p E_v\left[v^\top\nabla s(x)\,v+\tfrac12|s(x)|^2\right]"
REFERENCE = "Song et al. (2019), Sliced score matching, eq. 8"
EXAMPLES = ("sliced_vr", "sliced_vr:probe=gaussian")
NEEDS: set[str] = set()


def draws(x: Tensor, target: Target, generator: torch.Generator, *, probe: str) -> Tensor:
    """The directions, (batch, d), those of `sliced`."""
    return sliced_draws(x, target, generator, probe=probe)


def sliced_vr(model: Bound, x: Tensor, draws: Tensor, *, probe: Literal["rademacher", "gaussian", "sphere"] = "rademacher") -> Tensor:
    """(batch, d) -> (batch,)."""
    s, along = score_along(model, x, draws)
    return (along * draws).sum(-1) + 0.5 * s.square().sum(-1)


def fixed_point(target: Target, *, probe: str) -> Target:
    """The density that the loss learns."""
    return target
