r"""Squared kernel Stein discrepancy with an inverse multiquadric kernel, unbiased: it needs the target's score and no exact draws.

KSD^2 = E u(x, x'),   u(x, y) = s(x)'s(y) k + s(x)'grad_y k + s(y)'grad_x k + tr grad_x grad_y k,   k = (h^2 + |x - y|^2)^(-1/2)

(Gorham and Mackey 2017, sections 3.1 and 3.3, their c being h; U-statistic as Liu, Lee and Jordan 2016, eq. 14). It has the unit of a squared score
over a length. With q = h^2 + |x - y|^2:

u = s(x)'s(y) q^(-1/2) + (s(x) - s(y))'(x - y) q^(-3/2) + d q^(-3/2) - 3 |x - y|^2 q^(-5/2).

h is `fraction` times the root mean squared distance between exact draws, from the target's own large reference: the same for all cells, seeds and
floors, so that values compare. The usual median distance spans two far modes and smooths over their shape: of modes .7 times as wide it sees 1 in
100, a fifth of the root mean square all, and a shorter one gains nothing. Like every score it is blind to the weights of far modes, and to a far
mode that is lost, at a median bandwidth as at any other: read it beside `mode_weight_error`.
"""

import torch
from torch import Tensor

from scorebench.core.options import Positive
from scorebench.metrics.base import Estimate, Run, takes
from scorebench.metrics.lib.pairs import blockwise
from scorebench.targets.base import Target

LABEL = "KSD² (h = {fraction} rms)"
REFERENCE = "Gorham and Mackey (2017), section 3.1"
ABOUT = "sampler"
NEEDS = {"run.samples", "target.score"}
MOMENTS = 2
DIRECTION = "lower"
FLOOR = True
LOG = False
SEES = {"shifted", "wide_modes", "narrow_modes"}

MOST = 512


def ksd(run: Run, target: Target, reference: Tensor, *, fraction: Positive = 0.2) -> Estimate:
    """(seed, cell), from the first 512 chains.

    The standard error is that of the U-statistic's linear part, 2 sd(mean of u(x_i, .)) / sqrt(n) (Hoeffding 1948). On exact draws that part
    vanishes, and what is left in its estimate is sqrt(2) times the spread: too wide, never zero.
    """
    x = run.samples[..., :MOST, :].double()
    takes(2, "chains", x.shape[-2])
    n, s = x.shape[-2], target.score(x)
    u = _sums(x - target.centre.to(x), s, 2 * (fraction * target.spread) ** 2)
    return Estimate(u.mean(-1) / (n - 1), 2 * u.std(-1) / (n - 1) / n**0.5)


def _sums(x: Tensor, s: Tensor, h2: float) -> Tensor:
    """The sum of u(x_i, x_j) over j other than i, (*, n), of points and their scores (*, n, d). By products in float64, some of which cancel.

    With |x - y|^2 = q - h^2, u = q^(-1/2) (s(x)'s(y) + ((s(x) - s(y))'(x - y) + d - 3 + 3 h^2/q) / q).
    """
    d = x.shape[-1]
    squares, along = x.square().sum(-1, keepdim=True), (s * x).sum(-1, keepdim=True)
    one = torch.ones_like(along)
    # Of the columns of `left`: q takes x, |x|^2 and 1; the slopes x, s'x, 1 and s; the product of scores s.
    left = torch.cat([squares, x, one, along, s], -1)
    q, slopes = torch.cat([one, -2 * x, squares + h2], -1), torch.cat([-s, along + (d - 3), one, -x], -1)
    right = torch.cat([q, slopes, s], -1).mT

    def of(left: Tensor, right: Tensor) -> Tensor:
        to_q, to_slopes, scores = right.split((d + 2, 2 * d + 2, d), -2)
        inverse = (left[..., : d + 2] @ to_q).clamp_(min=h2).reciprocal_()
        u = (left[..., 1:] @ to_slopes).add_(inverse, alpha=3 * h2).mul_(inverse)
        return u.baddbmm_(left[..., -d:], scores).mul_(inverse.sqrt_())

    return blockwise(of, left, right, others=True)
