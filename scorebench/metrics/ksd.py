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
    s, centred = target.score(x), x - x.mean(-2, keepdim=True)
    h2 = 2 * (fraction * target.spread) ** 2
    within = torch.stack([_within(*pair, h2) for pair in zip(centred.flatten(0, 1), s.flatten(0, 1), strict=True)]).view(x.shape[:-1])
    return Estimate(within.mean(-1), 2 * within.std(-1) / x.shape[-2] ** 0.5)


def _within(x: Tensor, s: Tensor, h2: float) -> Tensor:
    """Mean of u(x_i, x_j) over j other than i, (n,), of points (n, d) and their scores. A cell at a time, in float64: its products cancel."""
    n, d = x.shape
    norms, along = x.square().sum(-1), (s * x).sum(-1)
    r2 = (norms[:, None] + norms - 2 * x @ x.T).clamp(min=0)
    q = h2 + r2
    slopes = along[:, None] + along - s @ x.T - x @ s.T  # (s(x) - s(y))'(x - y)
    u = (s @ s.T + (slopes + d) / q - 3 * r2 / q.square()) / q.sqrt()
    return u.fill_diagonal_(0).sum(-1) / (n - 1)  # at a small h the diagonal, d/h^3, would leave no digit of the rest
