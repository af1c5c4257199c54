r"""Denoising score matching at many noise levels at once, for a noise-conditional model.

J(theta) = 1/L sum_i sigma_i^2 E_p E_eps [ |s_theta(x + sigma_i eps, sigma_i) + eps/sigma_i|^2 / 2 ]       (Song and Ermon 2019, eqs. 5-6)

Every row of a batch draws its level, uniformly. The source that is sampled and measured is the model at the lowest level, sigma_L.
"""

import torch
from torch import Tensor

from scorebench.core.options import Falling
from scorebench.models.base import Bound, score
from scorebench.targets.base import Target

LABEL = "denoising, many levels"
EQUATION = r"\frac{1}{2L}\sum_{i=1}^{L}E_p E_\epsilon\,|\sigma_i\, s(x+\sigma_i\epsilon,\sigma_i)+\epsilon|^2"
REFERENCE = "Song and Ermon (2019), eqs. 5-6"
EXAMPLES = ("denoising_ladder:sigmas=2|1|0.5",)
NEEDS = {"model.noise_levels"}
LADDER = "sigmas"


def draws(x: Tensor, target: Target, generator: torch.Generator, *, sigmas: tuple[float, ...]) -> Tensor:
    """The noise eps and, in the last column, the level, (batch, d + 1)."""
    eps = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    which = torch.randint(len(sigmas), (len(x),), generator=generator, device=x.device)
    return torch.cat([eps, x.new_tensor(sigmas)[which, None]], -1)


def denoising_ladder(model: Bound, x: Tensor, draws: Tensor, *, sigmas: Falling) -> Tensor:
    """(batch, d) -> (batch,)."""
    eps, sigma = draws[..., :-1], draws[..., -1]
    noised = x + sigma[..., None] * eps
    return 0.5 * (sigma[..., None] * score(model.at(sigma), noised) + eps).square().sum(-1)


def fixed_point(target: Target, *, sigmas: tuple[float, ...]) -> Target:
    """The density that the model learns at the lowest level."""
    return target.perturbed(sigmas[-1])
