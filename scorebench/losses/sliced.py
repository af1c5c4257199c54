r"""Sliced score matching: the implicit loss along one random direction a row.

J(theta) = E_p E_v [ v' grad s_theta(x) v + (v' s_theta(x))^2 / 2 ],   E v v' = I        (Song et al. 2019, eq. 7)

Unbiased for the implicit loss, since E_v v'Av = tr A and E_v (v's)^2 = |s|^2 when E v v' = I.
"""

from typing import Literal

import torch
from torch import Tensor

from scorebench.models.base import Bound, score_along
from scorebench.targets.base import Target

LABEL = "sliced"
EQUATION = r"E_p E_v\left[v^\top\nabla s(x)\,v+\tfrac12(v^\top s(x))^2\right]"
REFERENCE = "Song et al. (2019), Sliced score matching, eq. 7"
EXAMPLES = ("sliced", "sliced:probe=gaussian", "sliced:probe=sphere")
NEEDS: set[str] = set()


def draws(x: Tensor, target: Target, generator: torch.Generator, *, probe: str) -> Tensor:
    """The directions, (batch, d)."""
    if probe == "rademacher":
        return torch.randint(2, x.shape, generator=generator, device=x.device).to(x) * 2 - 1
    gaussian = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    if probe == "gaussian":
        return gaussian
    return gaussian * (x.shape[-1] ** 0.5 / gaussian.norm(dim=-1, keepdim=True))


def sliced(model: Bound, x: Tensor, draws: Tensor, *, probe: Literal["rademacher", "gaussian", "sphere"] = "rademacher") -> Tensor:
    """(batch, d) -> (batch,)."""
    s, along = score_along(model, x, draws)
    return (along * draws).sum(-1) + 0.5 * (s * draws).sum(-1).square()


def fixed_point(target: Target, *, probe: str) -> Target:
    """The density that the loss learns."""
    return target
