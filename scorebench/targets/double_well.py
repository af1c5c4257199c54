r"""A double well along the first coordinate, a standard normal along the others: V(x) = b (x_1^2 - 1)^2 + sum_(j>1) x_j^2 / 2.

p = exp(-V)/Z; b is the height of the barrier in units of T = 1. Z, the moments and the distribution function of x_1 are integrals in one
dimension, by the trapezoid rule on 20,001 nodes in float64: exact to rounding for a smooth density that vanishes at both ends. Draws invert
the distribution function, interpolated linearly between nodes: exact to 1e-8 in probability. Tempered: barrier b/T, variances T. Perturbed:
the convolution along x_1 is a sum over nodes no further apart than .05 and sigma: a mixture of Gaussians, exact to 1e-8.
"""

import math

import torch
from torch import Tensor

from scorebench.core.options import Count, Positive
from scorebench.targets.base import Target, Truth
from scorebench.targets.lib.mixture import mixture, normal

LABEL = "double well, d = {dim}"
REFERENCE = "Kramers (1940); quadrature"
EXAMPLES = ("double_well", "double_well:dim=2,barrier=3")

NODES = 20_001


def double_well(*, dim: Count = 1, barrier: Positive = 1.0) -> Target:
    """The double well; every sampler starts from N(0, I)."""
    return _at(dim, barrier, 1.0, normal(dim, 1.0))


def _at(dim: int, barrier: float, temperature: float, prior: Target | None) -> Target:
    """The law exp(-V/T)/Z with its exact constant."""
    height = barrier / temperature
    half_width = math.sqrt(1 + math.sqrt(50 / height))  # there the density is exp(-50) of its peak
    nodes = torch.linspace(-half_width, half_width, NODES, dtype=torch.float64)
    spacing = float(nodes[1] - nodes[0])
    density = (-height * (nodes.square() - 1).square()).exp()  # (node,)
    log_z = math.log(float(density.sum()) * spacing) + 0.5 * (dim - 1) * math.log(2 * math.pi * temperature)
    mass = density / density.sum()
    middle = 0.5 * (mass[1:] + mass[:-1])
    cumulative = torch.cat([middle.new_zeros(1), middle.cumsum(0)]) / middle.sum()
    second = float(mass @ nodes.square()) + (dim - 1) * temperature

    def log_prob(x: Tensor) -> Tensor:
        well, rest = x[..., 0], x[..., 1:]
        return -height * (well.square() - 1).square() - 0.5 * rest.square().sum(-1) / temperature - log_z

    def score(x: Tensor) -> Tensor:
        well, rest = x[..., :1], x[..., 1:]
        return torch.cat([-4 * height * well * (well.square() - 1), -rest / temperature], -1)

    def sample(n: int, generator: torch.Generator) -> Tensor:
        device = generator.device
        levels, points = cumulative.to(device), nodes.to(device)
        u = torch.rand(n, generator=generator, device=device, dtype=torch.float64)
        right = torch.searchsorted(levels, u).clamp(1, NODES - 1)
        left = right - 1
        share = (u - levels[left]) / (levels[right] - levels[left])
        rest = torch.randn(n, dim - 1, generator=generator, device=device) * temperature**0.5
        return torch.cat([torch.lerp(points[left], points[right], share)[:, None].float(), rest], -1)

    def perturbed(sigma: float) -> Target:
        count = max(math.ceil(2 * half_width / min(0.05, sigma)), 2)
        centres = torch.linspace(-half_width, half_width, count + 1, dtype=torch.float64)
        weights = (-height * (centres.square() - 1).square()).exp()
        means = torch.cat([centres[:, None], centres.new_zeros(count + 1, dim - 1)], -1).float()
        variances = torch.full_like(means, sigma**2)
        variances[:, 1:] += temperature
        return mixture(weights.float(), means, variances, prior, modes=False)

    modes = torch.zeros(2, dim)
    modes[:, 0] = torch.tensor([-1.0, 1.0])
    exact = torch.zeros(())
    target = Target(
        dim,
        sample,
        prior,
        log_prob,
        score,
        tempered=lambda t: target if t == 1 else _at(dim, barrier, temperature * t, prior),
        perturbed=perturbed,
        modes=modes,
        truths={
            "mean": Truth(torch.zeros(dim), torch.zeros(dim), "symmetry"),
            "second_moment": Truth(torch.tensor(second), exact, "quadrature"),
            "log_normalizer": Truth(torch.tensor(log_z, dtype=torch.float64), exact, "quadrature, of exp(-V/T)"),
        },
    )
    return target
