"""A quadratic energy, E(x) = (x - m)' A (x - m)/2 with A symmetric: score matching has a closed form here, A = covariance^-1.

A is any symmetric matrix, not only a positive one: score matching needs no normalisable model, and a loss that lands outside shows it.
"""

import torch
from torch import Tensor, nn

LABEL = "quadratic energy"
REFERENCE = "Hyvarinen (2005), section 3.1"
GIVES = {"score", "log_prob", "closed_form"}


class Quadratic(nn.Module):
    """E: (*, d) -> (*)."""

    linear = "matrix"

    def __init__(self, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        device = generator.device
        self.mean = nn.Parameter(torch.zeros(dim, device=device))
        # A = (M + M')/2; starting away from the truth, so that what is measured was learnt.
        self.matrix = nn.Parameter(0.5 * torch.eye(dim, device=device) + 0.1 * torch.randn(dim, dim, generator=generator, device=device))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        centred = x - self.mean
        return 0.5 * ((centred @ self.matrix) * centred).sum(-1)

    def place(self, x: Tensor, generator: torch.Generator) -> None:
        """The mean of the training points x (n, d), at which the implicit loss is least for every A."""
        with torch.no_grad():
            self.mean.copy_(x.double().mean(0))

    def gram(self) -> Tensor:
        """The squares of A's entries, (d^2, d^2)."""
        return torch.eye(self.matrix.numel(), dtype=self.matrix.dtype, device=self.matrix.device)
