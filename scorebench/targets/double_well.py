r"""A double well along the first coordinate, a standard normal along the others: V(x) = b (x_1^2 - 1)^2 + sum_(j>1) x_j^2 / 2.

p = exp(-V)/Z; b is the height of the barrier in units of T = 1. Z, the moments and the distribution function of x_1 are integrals in one
dimension, by the trapezoid rule on 10,001 nodes a side in float64, from where the density is exp(-50) of its peak to where it is again: Z is exact to
rounding for a smooth density that vanishes at both ends. Draws invert the distribution function, interpolated linearly between nodes, of which there
are 350 or more to a well's width: exact to 1e-7 in probability and the rounding of x to float32. Tempered: barrier b/T, variances T, where the wells are
no narrower than 1e-6, which float32 resolves.

Perturbed: p * N(0, sigma^2 I), with 1/T = 1 and y = m + u, m >= 0 the minimum of phi(y) = V(y) + (y - x)^2 / (2 sigma^2) for x >= 0,

p_sigma(x) = exp(-phi(m)) / (Z sqrt(2 pi) sigma) int_0^inf exp(-u^2 (b (u + 2 m)^2 + c)) (1 + exp(-2 x y/sigma^2)) dy,   c = 2 b (m^2 - 1) + 1/(2 sigma^2)
grad log p_sigma(x) = - E[V'(y) tanh(x y/sigma^2) | x] = (E[y tanh(x y/sigma^2) | x] - x) / sigma^2

(p is even, so that the half line is enough, and V is of fourth order, so that the expansion about m ends). There is one hump, which 32 intervals of the
trapezoid rule cover for any x, sigma and b: exact to 1e-9, in float64. Points in single precision have the score's spline, which is within 1e-6 of it.
"""

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from scorebench.core.errors import NotApplicable
from scorebench.core.options import Barrier, Count
from scorebench.targets.base import Target, Truth, untempered
from scorebench.targets.lib.mixture import normal
from scorebench.targets.lib.rows import rowwise
from scorebench.targets.lib.spline import tabulated

LABEL = "double well, d = {dim}"
REFERENCE = "Kramers (1940); quadrature"
EXAMPLES = ("double_well", "double_well:dim=2,barrier=3")

NODES, NARROWEST = 10_001, 1e-6
INTERVALS, NEWTON, DEPTH = 32, 12, 40
"""Of the noised law: intervals, steps to the minimum, and how far below the peak the integrand is left out, in nats."""
START, DEVIATIONS = 8.0, 8.0
"""The spline holds where chains start, and the noised law to so many standard deviations of the noise."""


def double_well(*, dim: Count = 1, barrier: Barrier = 1.0) -> Target:
    """The double well; every sampler starts from N(0, I)."""
    return _at(dim, barrier, 1.0, normal(dim, 1.0))


def _at(dim: int, barrier: float, temperature: float, prior: Target | None) -> Target:
    """The law exp(-V/T)/Z with its exact constant."""
    height = barrier / temperature
    if 8 * height > NARROWEST**-2:
        raise NotApplicable(f"float32 does not resolve the wells at temperature {temperature:g}")
    reach = math.sqrt(50 / height)  # where (x^2 - 1)^2 is this squared the density is exp(-50) of its peak
    right = torch.linspace(math.sqrt(max(1 - reach, 0)), math.sqrt(1 + reach), NODES, dtype=torch.float64)
    nodes = torch.cat([-right.flip(0), right])
    density = (-height * ((nodes - 1) * (nodes + 1)).square()).exp()  # (node,)
    mass = 0.5 * (density[1:] + density[:-1]) * nodes.diff()  # of each interval
    cumulative = torch.cat([mass.new_zeros(1), mass.cumsum(0)]) / mass.sum()
    log_z_well = math.log(float(mass.sum()))
    log_z = log_z_well + 0.5 * (dim - 1) * math.log(2 * math.pi * temperature)
    variance = float(torch.trapezoid(density * nodes.square(), nodes) / mass.sum()) + (dim - 1) * temperature

    def log_prob(x: Tensor) -> Tensor:
        well, rest = x[..., 0], x[..., 1:]
        return -height * ((well - 1) * (well + 1)).square() - 0.5 * rest.square().sum(-1) / temperature - log_z

    def score(x: Tensor) -> Tensor:
        well, rest = x[..., :1], x[..., 1:]
        return torch.cat([-_slope(well, height), -rest / temperature], -1)

    def sample(n: int, generator: torch.Generator) -> Tensor:
        device = generator.device
        levels, points = cumulative.to(device), nodes.to(device)
        u = torch.rand(n, generator=generator, device=device, dtype=torch.float64)
        after = torch.searchsorted(levels, u).clamp(1, len(levels) - 1)
        before = after - 1
        share = (u - levels[before]) / (levels[after] - levels[before])
        rest = torch.randn(n, dim - 1, generator=generator, device=device) * temperature**0.5
        return torch.cat([torch.lerp(points[before], points[after], share)[:, None].float(), rest], -1)

    def perturbed(sigma: float) -> Target:
        rest_variance = temperature + sigma**2

        def noised_log_prob(x: Tensor) -> Tensor:
            well = rowwise(lambda rows: _Noised(rows, height, sigma).log_integral(), x[..., :1].double(), 2 * INTERVALS)
            constant = log_z_well + 0.5 * math.log(2 * math.pi * sigma**2) + 0.5 * (dim - 1) * math.log(2 * math.pi * rest_variance)
            return (well - 0.5 * x[..., 1:].double().square().sum(-1) / rest_variance - constant).to(x.dtype)

        def well_score(x: Tensor) -> Tensor:
            return rowwise(lambda rows: _Noised(rows, height, sigma).score(), x[:, None], 2 * INTERVALS)[:, 0]

        @cache
        def well_spline() -> Callable[[Tensor], Tensor]:
            return tabulated(well_score, max(START, float(nodes[-1]) + DEVIATIONS * sigma), min(1 / sigma, math.sqrt(8 * height)))

        def noised_score(x: Tensor) -> Tensor:
            well = x[..., 0]
            slope = well_score(well.flatten()).view(well.shape) if x.dtype == torch.float64 else well_spline()(well)
            return torch.cat([slope[..., None], -x[..., 1:] / rest_variance], -1)

        def noised_sample(n: int, generator: torch.Generator) -> Tensor:
            return sample(n, generator) + sigma * torch.randn(n, dim, generator=generator, device=generator.device)

        noised = Target(
            dim,
            noised_sample,
            prior,
            noised_log_prob,
            noised_score,
            tempered=lambda t: untempered(t, noised),
            perturbed=lambda more: perturbed(math.hypot(sigma, more)),
            truths=_truths(dim, variance + dim * sigma**2, 0.0),
        )
        return noised

    modes = torch.zeros(2, dim)
    modes[:, 0] = torch.tensor([-1.0, 1.0])
    target = Target(
        dim,
        sample,
        prior,
        log_prob,
        score,
        tempered=lambda t: target if t == 1 else _at(dim, barrier, temperature * t, prior),
        perturbed=perturbed,
        modes=modes,
        truths=_truths(dim, variance, log_z),
    )
    return target


def _truths(dim: int, variance: float, log_z: float) -> dict[str, Truth]:
    numbers = {name: torch.tensor(value, dtype=torch.float64) for name, value in (("variance", variance), ("log_normalizer", log_z))}
    mean = torch.zeros(dim)
    return {"mean": Truth(mean, mean, "symmetry")} | {k: Truth(v, torch.zeros_like(v), "quadrature") for k, v in numbers.items()}


def _slope(y: Tensor, height: float) -> Tensor:
    """V'(y) of the well, without squares that cancel at the minima."""
    return 4 * height * y * (y - 1) * (y + 1)


class _Noised:
    """The integrand of the noised law at the nodes of each point x (n, 1), float64: log weights (n, node) and the nodes y."""

    def __init__(self, x: Tensor, height: float, sigma: float) -> None:
        self.x, self.height, self.sigma = x, height, sigma
        place = x.detach().abs()
        self.m = self._minimum(place)
        stiff = 2 * height * (self.m - 1) * (self.m + 1) + 1 / (2 * sigma**2)  # c
        self.right = (DEPTH / (4 * height * self.m.square() + stiff)).sqrt().clamp(max=(DEPTH / height) ** 0.25)
        self.left = (DEPTH / (height * self.m.square() + stiff).clamp(min=1e-300)).sqrt().minimum(self.m)
        steps = torch.linspace(0, 1, INTERVALS + 1, dtype=x.dtype, device=x.device)
        u = (self.left + self.right) * steps - self.left
        self.y = self.m + u
        # m is held fixed where x is differentiated: the slope of phi at m, zero but for rounding, is what x moves.
        slope = _slope(self.m, height) + (self.m - x.abs()) / sigma**2
        half = torch.where(steps == 0, 0.5, 1.0)
        self.weights = half * (-u.square() * (height * (u + 2 * self.m).square() + stiff) - slope * u).exp()
        self.mirror = (-2 * x.abs() * self.y / sigma**2).exp()

    def _minimum(self, x: Tensor) -> Tensor:
        """The root m >= 0 of a (m^3 - m) + m - x, a = 4 b sigma^2, convex there: Newton's method falls to it from above."""
        a = 4 * self.height * self.sigma**2
        m = x.clamp(min=1).minimum(1 + (x / a) ** (1 / 3))
        for _ in range(NEWTON):
            m = m - (a * m * (m - 1) * (m + 1) + m - x) / (a * (3 * m.square() - 1) + 1).clamp(min=1e-300)
        return m.clamp(min=0)

    def log_integral(self) -> Tensor:
        """Log of int exp(-phi), (n,)."""
        total = (self.weights * (1 + self.mirror)).sum(-1) * ((self.left + self.right) / INTERVALS)[..., 0]
        peak = self.height * ((self.m - 1) * (self.m + 1)).square() + 0.5 * ((self.m - self.x.abs()) / self.sigma).square()
        return total.log() - peak[..., 0]

    def score(self) -> Tensor:
        """(n, 1), of its two forms the one whose terms do not cancel: the slope of V where the noise is narrower than the wells, and of the noise elsewhere."""
        odd, even = self.weights * (1 - self.mirror), self.weights * (1 + self.mirror)
        total = even.sum(-1, keepdim=True)
        if 8 * self.height * self.sigma**2 < 1:
            return -self.x.sign() * (odd * _slope(self.y, self.height)).sum(-1, keepdim=True) / total
        return (self.x.sign() * (odd * self.y).sum(-1, keepdim=True) / total - self.x) / self.sigma**2
