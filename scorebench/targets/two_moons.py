r"""Two moons with a density: the uniform law on two half circles, convolved with N(0, noise^2 I).

p(x) = 1/2 sum_arcs int_0^pi N(x; a(t), noise^2 I) dt/pi,   a(t) = (cos t, sin t) and (1 - cos t, 1/2 - sin t)

The integral is taken by Gauss-Legendre quadrature, so that the target IS a mixture of Gaussians: density, score, draws and relatives agree exactly. Of n
nodes an arc the widest gap is h = pi^2/(2 n), in the middle, where a sum over Gaussians of width noise ripples by 2 exp(-2 (pi noise/h)^2) of itself: with
n = 3.2/noise, 32 at least, by 5e-4. At every noise the target differs from the convolution by less than 1 part in 1,000 of the largest density.
"""

import math

import numpy as np
import torch

from scorebench.core.options import Blur
from scorebench.targets.base import Target
from scorebench.targets.lib.mixture import mixture, normal

LABEL = "two moons"
REFERENCE = "scikit-learn's make_moons, with a density"
EXAMPLES = ("two_moons", "two_moons:noise=0.05")
FEWEST, NODES_A_WIDTH = 32, 3.2


def two_moons(*, noise: Blur = 0.1) -> Target:
    """The moons as a mixture; every sampler starts from N(0, 2 I). It has no modes: an arc is no blob around a centre."""
    count = max(FEWEST, math.ceil(NODES_A_WIDTH / noise))
    nodes, weights = (torch.tensor(rule, dtype=torch.float32) for rule in np.polynomial.legendre.leggauss(count))
    t = math.pi / 2 * (1 + nodes)
    outer = torch.stack([t.cos(), t.sin()], -1)
    inner = torch.stack([1 - t.cos(), 0.5 - t.sin()], -1)
    means = torch.cat([outer, inner])
    return mixture(weights.repeat(2), means, torch.full((2 * count, 2), noise**2), normal(2, 2.0), modes=False)
