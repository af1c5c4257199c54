r"""A score field by a denoiser that is scaled so that its network sees and gives numbers of size 1 at every noise level: a residual multilayer perceptron.

s(x, sigma) = (D(x, sigma) - x)/sigma^2,   D(x, sigma) = c_skip x + c_out F(c_in x, c_noise),      (Karras et al. 2022, eq. 7; Tweedie's formula)
c_skip = v/(sigma^2 + v),  c_out = sigma sqrt(v)/sqrt(sigma^2 + v),  c_in = 1/sqrt(sigma^2 + v),  c_noise = log(sigma)/4,  v = data_std^2       (table 1)

F: h_0 = W (c_in x, c_noise) + b,  h_l = h_(l-1) + silu(W_l h_(l-1) + b_l),  F = W' h_L + b'. At first W' = 0: D is the mean of a point of N(0, v I) given
the noised one. The score is -x/(sigma^2 + v) + (c_out/sigma^2) F, the same without a difference of nearly equal numbers.
"""

import torch
from torch import Tensor, nn

from scorebench.core.options import Count, Positive
from scorebench.models.base import dense

LABEL = "preconditioned denoiser"
REFERENCE = "Karras et al. (2022), eq. 7 and table 1"
EXAMPLES = ("preconditioned_denoiser:width=16",)
GIVES = {"score", "noise_levels"}


class PreconditionedDenoiser(nn.Module):
    """s: (*, d), sigma (*) -> (*, d)."""

    def __init__(self, dim: int, generator: torch.Generator, *, width: Count = 256, depth: Count = 3, data_std: Positive = 0.7) -> None:
        super().__init__()
        self.variance = data_std**2
        self.first = dense(dim + 1, width, generator)
        self.hidden = nn.ModuleList(dense(width, width, generator) for _ in range(depth))
        self.out = dense(width, dim, generator, gain=0.0)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:  # noqa: D102
        total = (sigma.square() + self.variance)[..., None]
        noise = (sigma.log() / 4).expand(x.shape[:-1])[..., None]
        h = self.first(torch.cat([x / total.sqrt(), noise], -1))
        for layer in self.hidden:
            h = h + nn.functional.silu(layer(h))
        return -x / total + (self.variance / total).sqrt() / sigma[..., None] * self.out(h)
