"""An energy by a multilayer perceptron, E(x) = w . h_L, h_l = softplus(W_l h_(l-1) + b_l): smooth, with a curvature everywhere."""

import torch
from torch import Tensor, nn

from scorebench.core.options import Count
from scorebench.models.base import dense

LABEL = "MLP energy"
REFERENCE = "LeCun et al. (2006), A tutorial on energy-based learning"
EXAMPLES = ("mlp_energy", "mlp_energy:width=16,depth=1")
GIVES = {"score", "log_prob"}


class MLPEnergy(nn.Module):
    """E: (*, d) -> (*)."""

    def __init__(self, dim: int, generator: torch.Generator, *, width: Count = 64, depth: Count = 2) -> None:
        super().__init__()
        sizes = [dim] + [width] * depth
        self.hidden = nn.ModuleList(dense(a, b, generator, gain=1.4) for a, b in zip(sizes, sizes[1:], strict=False))
        self.out = dense(width, 1, generator)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        for layer in self.hidden:
            x = nn.functional.softplus(layer(x))
        return self.out(x).squeeze(-1)
