"""Equal Gaussians evenly spaced on a circle: two far modes with components=2, the ring of 8 with components=8."""

import math

import torch

from scorebench.core.errors import InputError
from scorebench.core.options import Count, Scale, Share
from scorebench.targets.base import Target
from scorebench.targets.lib.mixture import mixture, normal

LABEL = "{components} modes"
REFERENCE = "two far modes as in Song and Ermon (2019), section 3.2.2; ring of 8 as in Metz et al. (2017), section 3.2"
EXAMPLES = (
    "gaussian_mixture",
    "gaussian_mixture:components=8,radius=3,std=0.3",
    "gaussian_mixture:components=3,radius=1,weight=0.6",
)
IGNORED = {"weight": {"components": 1}}
NARROWEST, WIDEST = 1e-6, 1e6
"""Of a mode, in radii."""


def gaussian_mixture(*, components: Count = 2, radius: Scale = 2.0, std: Scale = 0.5, weight: Share | None = None) -> Target:
    """sum_k w_k N(m_k, std^2 I) in the plane, m_k on a circle; `weight` is the first mode's, the others share the rest.

    Every sampler starts from N(0, radius^2 I). Raises InputError where `std` is below 1e-6 radii, or above 1e6, where float32 does not tell one mode from
    another.
    """
    if not NARROWEST <= std / radius <= WIDEST:
        raise InputError(
            f"target 'gaussian_mixture': option std={std:g} is not what float32 resolves at radius={radius:g} "
            f"(allowed: {NARROWEST * radius:g} to {WIDEST * radius:g})"
        )
    angles = 2 * math.pi * torch.arange(components) / components
    means = radius * torch.stack([angles.cos(), angles.sin()], -1)
    first = weight if weight is not None else 1 / components
    weights = torch.full((components,), (1 - first) / max(components - 1, 1))
    weights[0] = first
    return mixture(weights, means, torch.full((components, 2), std**2), normal(2, radius**2))
