r"""A kernel exponential family: a Gaussian tilted by a function from the span of m Gaussian kernels.

E(x) = |y|^2/2 - f(y),   f(y) = sum_i alpha_i exp(-|y - z_i|^2/(2 h^2)),   y = (x - mean)/spread        (Sriperumbudur et al. 2017, eq. 2)

The base density q0 is N(mean, spread^2 I), and h is `fraction` times the root mean squared distance between two of its points, sqrt(2 d), so that
neither knows an origin or a unit. In the Nystrom form the z_i are m training points, and mean and spread (the root mean variance of a coordinate)
those of the data, which leaves an energy that is linear in alpha (Sutherland et al. 2018, section 3, with the basis k(z_i, .)); a loss that is
descended moves them all.
"""

import torch
from torch import Tensor, nn

from scorebench.core.options import Count, Positive

LABEL = "kernel exponential family"
REFERENCE = (
    "Sriperumbudur et al. (2017), Density estimation in infinite dimensional exponential families; Sutherland et al. (2018), section 3"
)
EXAMPLES = ("kernel_exponential:points=20,fraction=0.5",)
GIVES = {"score", "log_prob", "closed_form"}


class KernelExponential(nn.Module):
    """E: (*, d) -> (*)."""

    linear = "weights"

    def __init__(self, dim: int, generator: torch.Generator, *, points: Count = 100, fraction: Positive = 0.25) -> None:
        super().__init__()
        device = generator.device
        self.width = fraction * (2 * dim) ** 0.5  # h
        self.weights = nn.Parameter(torch.randn(points, generator=generator, device=device) / points**0.5)
        self.centres = nn.Parameter(torch.randn(points, dim, generator=generator, device=device))  # z, in units of y
        self.mean = nn.Parameter(torch.zeros(dim, device=device))
        self.log_spread = nn.Parameter(torch.zeros((), device=device))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        y = (x - self.mean) * (-self.log_spread).exp()
        return 0.5 * y.square().sum(-1) - self._kernel(y) @ self.weights

    def place(self, x: Tensor, generator: torch.Generator) -> None:
        """Mean and spread of the training points x (n, d), and centres at as many of them. Raises ValueError where these are too few."""
        if len(x) < len(self.centres):
            raise ValueError(f"{len(self.centres)} kernels need as many training points; here {len(x)}")
        chosen = x[torch.randperm(len(x), generator=generator, device=x.device)[: len(self.centres)]].double()
        mean, spread = x.double().mean(0), x.double().var(0).mean().sqrt()
        with torch.no_grad():
            self.mean.copy_(mean)
            self.log_spread.copy_(spread.log())
            self.centres.copy_((chosen - mean) / spread)

    def gram(self) -> Tensor:
        """|f|^2 in the kernel's Hilbert space as a quadratic form in the weights, (m, m)."""
        return self._kernel(self.centres)

    def _kernel(self, y: Tensor) -> Tensor:
        """k(y, z_i), (*, d) -> (*, m); y is of size 1, so that the squares may be taken apart."""
        squares = y.square().sum(-1, keepdim=True) + self.centres.square().sum(-1)
        return ((y @ self.centres.mT - squares / 2) / self.width**2).exp()
