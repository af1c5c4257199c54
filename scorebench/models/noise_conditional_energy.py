r"""One energy for every noise level: a multilayer perceptron in x and log sigma beside a quadratic that has the right tails.

E(x, sigma) = |x|^2/(2 (1 + sigma^2)) + f(x/sqrt(1 + sigma^2), log sigma),   f as in `mlp_energy`

With much noise p * N(0, sigma^2 I) is close to N(0, sigma^2 I), which the quadratic gives; the input keeps its size across levels.
"""

import torch
from torch import Tensor, nn

from scorebench.core.options import Count
from scorebench.models.mlp_energy import MLPEnergy

LABEL = "noise-conditional MLP energy"
REFERENCE = "energy form of Song and Ermon (2019), section 4.1; scaled as Karras et al. (2022), section 5"
GIVES = {"score", "log_prob", "noise_levels"}


class NoiseConditionalEnergy(nn.Module):
    """E: (*, d), sigma (*) -> (*)."""

    def __init__(self, dim: int, generator: torch.Generator, *, width: Count = 64, depth: Count = 2) -> None:
        super().__init__()
        self.residual = MLPEnergy(dim + 1, generator, width=width, depth=depth)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:  # noqa: D102
        variance = (1 + sigma.square())[..., None]
        level = sigma.log().expand(x.shape[:-1])[..., None]
        energy = 0.5 * x.square().sum(-1) / variance[..., 0]
        return energy + self.residual(torch.cat([x / variance.sqrt(), level], -1))
