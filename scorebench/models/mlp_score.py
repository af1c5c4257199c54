"""A score field by a multilayer perceptron, s(x) in R^d, not constrained to be a gradient: it has no energy, so no log density."""

import torch
from torch import Tensor, nn

from scorebench.core.options import Count
from scorebench.models.base import dense

LABEL = "MLP score field"
REFERENCE = "Song and Ermon (2019), section 2"
GIVES = {"score"}


class MLPScore(nn.Module):
    """s: (*, d) -> (*, d)."""

    def __init__(self, dim: int, generator: torch.Generator, *, width: Count = 64, depth: Count = 2) -> None:
        super().__init__()
        sizes = [dim] + [width] * depth
        self.hidden = nn.ModuleList(dense(a, b, generator, gain=1.4) for a, b in zip(sizes, sizes[1:], strict=False))
        self.out = dense(width, dim, generator)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        for layer in self.hidden:
            x = nn.functional.softplus(layer(x))
        return self.out(x)
