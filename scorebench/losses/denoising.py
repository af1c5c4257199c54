r"""Denoising score matching at one noise level: regression on the score of the noise.

J(theta) = E_p E_eps [ |s_theta(x + sigma eps) + eps/sigma|^2 / 2 ],   eps ~ N(0, I)     (Vincent 2011, eqs. 9-11)

It learns the score of the noised density p * N(0, sigma^2 I), not of p (Vincent 2011, section 4.2). The value has variance of order
1/sigma^2; scaling by sigma^2 (Song and Ermon 2019, eq. 6) keeps the gradient's size across levels and moves no minimiser.
"""

import torch
from torch import Tensor

from scorebench.core.options import Positive
from scorebench.models.base import Bound, score
from scorebench.targets.base import Target

LABEL = "denoising, σ = {sigma}"
EQUATION = r"\tfrac12\,E_p E_\epsilon\,|\sigma\, s(x+\sigma\epsilon)+\epsilon|^2"
REFERENCE = "Vincent (2011), eqs. 9-11"
EXAMPLES = ("denoising:sigma=0.3", "denoising:sigma=1")
NEEDS: set[str] = set()
LEVELS = "sigma"


def draws(x: Tensor, target: Target, generator: torch.Generator) -> Tensor:
    """The noise eps, (batch, d)."""
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)


def denoising(model: Bound, x: Tensor, draws: Tensor, *, sigma: Positive) -> Tensor:
    """(batch, d) -> (batch,), times sigma^2."""
    return 0.5 * (sigma * score(model, x + sigma * draws) + draws).square().sum(-1)


def fixed_point(target: Target, *, sigma: float) -> Target:
    """The density that the loss learns."""
    return target.perturbed(sigma)
