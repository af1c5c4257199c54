r"""A denoising autoencoder as a score: s(x) = (r(x) - x)/sigma^2, r a multilayer perceptron.

The denoising loss at the same sigma is then its reconstruction error, |r(x + sigma eps) - x|^2/(2 sigma^2), and s learns the score of the noised
density: r(x) = x + sigma^2 s(x), the posterior mean (Vincent 2011, section 4; Alain and Bengio 2014, theorem 1).
"""

import torch
from torch import Tensor

from scorebench.core.options import Count, Positive
from scorebench.models.mlp_score import MLPScore

LABEL = "denoising autoencoder"
REFERENCE = "Vincent (2011), section 4; Alain and Bengio (2014), theorem 1"
EXAMPLES = ("autoencoder", "autoencoder:width=16,sigma=1")
GIVES = {"score"}


class Autoencoder(MLPScore):
    """s: (*, d) -> (*, d)."""

    def __init__(self, dim: int, generator: torch.Generator, *, width: Count = 64, depth: Count = 2, sigma: Positive = 0.5) -> None:
        super().__init__(dim, generator, width=width, depth=depth)
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return (super().forward(x) - x) / self.sigma**2
