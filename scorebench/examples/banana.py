r"""A banana: a Gaussian whose second coordinate is bent along the first.

x_1 = a z_1,   x_2 = z_2 + b (x_1^2 - a^2),   z ~ N(0, I)              (Haario, Saksman and Tamminen 1999, section 4, in these units)

The map has determinant a, so that the density is known, p(x) = N(x_1; 0, a^2) N(x_2; b (x_1^2 - a^2), 1), and its power as well:
p^(1/T) is N(x_1; 0, T a^2) N(x_2; b (x_1^2 - a^2), T) up to its constant. Convolved with noise it is not known in closed form.
"""

import torch
from torch import Tensor

from scorebench.core.options import Positive, Real
from scorebench.targets.base import Target, Truth
from scorebench.targets.lib.mixture import normal

LABEL = "banana, a = {width}, b = {bend}"
REFERENCE = "Haario, Saksman and Tamminen (1999), section 4"
EXAMPLES = ("banana", "banana:width=1,bend=1")


# An option is a keyword-only parameter with a type of scorebench.core.options: it is checked before anything runs.
def banana(*, width: Positive = 2.0, bend: Real = 0.3) -> Target:
    """The banana in the plane; every sampler starts from N(0, 4 I)."""
    return _at(width, bend, 1.0, normal(2, 4.0))


def _at(width: float, bend: float, temperature: float, prior: Target | None) -> Target:
    """p^(1/T), normalised."""
    variances = torch.tensor([temperature * width**2, temperature], dtype=torch.float64)

    def straight(x: Tensor) -> Tensor:
        """Unbent, (*, 2)."""
        return torch.stack([x[..., 0], x[..., 1] - bend * (x[..., 0].square() - width**2)], -1)

    def log_prob(x: Tensor) -> Tensor:  # (*, 2) -> (*)
        v = variances.to(x)
        return -0.5 * (straight(x).square() / v + (2 * torch.pi * v).log()).sum(-1)

    def score(x: Tensor) -> Tensor:  # grad log p, (*, 2) -> (*, 2)
        along, across = (straight(x) / variances.to(x)).unbind(-1)
        return torch.stack([2 * bend * x[..., 0] * across - along, -across], -1)

    def sample(n: int, generator: torch.Generator) -> Tensor:  # (n, 2), from the generator alone
        y = torch.randn(n, 2, generator=generator, device=generator.device) * variances.sqrt().to(generator.device, torch.float32)
        return torch.stack([y[:, 0], y[:, 1] + bend * (y[:, 0].square() - width**2)], -1)

    def tempered(other: float) -> Target:
        return target if other == 1 else _at(width, bend, temperature * other, prior)

    # E x_1^2 = T a^2 and Var x_1^2 = 2 (T a^2)^2: what a sampler should reproduce, exactly.
    mean = torch.tensor([0.0, bend * (variances[0] - width**2)], dtype=torch.float64)
    variance = variances.sum() + 2 * (bend * variances[0]).square()
    closed = {"mean": mean, "variance": variance}
    target = Target(
        2,
        sample,
        prior,
        log_prob,
        score,
        tempered=tempered,
        truths={name: Truth(value, torch.zeros_like(value), "closed form") for name, value in closed.items()},
    )
    return target
