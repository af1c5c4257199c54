r"""Squared kernel Stein discrepancy with an inverse multiquadric kernel, unbiased: it needs the target's score and no exact draws.

KSD^2 = E u(x, x'),   u(x, y) = s(x)'s(y) k + s(x)'grad_y k + s(y)'grad_x k + tr grad_x grad_y k,   k = (h^2 + |x - y|^2)^(-1/2)

(Gorham and Mackey 2017, section 2.2; U-statistic as Liu, Lee and Jordan 2016, eq. 14). With q = h^2 + |x - y|^2:

u = s(x)'s(y) q^(-1/2) + (s(x) - s(y))'(x - y) q^(-3/2) + d q^(-3/2) - 3 |x - y|^2 q^(-5/2).

h is `fraction` times the root mean squared distance between exact draws, as for `mmd`. Like every score it is blind to the weights of far modes,
and to a far mode that is lost: read it beside `mode_weight_error`.
"""

from torch import Tensor

from scorebench.metrics.base import Estimate, Run
from scorebench.options import Positive
from scorebench.targets.base import Target

LABEL = "KSD² (h = {fraction} rms)"
REFERENCE = "Gorham and Mackey (2017), section 2.2"
ABOUT = "sampler"
NEEDS = {"samples", "target.score"}
DIRECTION = "lower"
FLOOR = True
LOG = False
SEES = {"shifted", "wide_modes", "narrow_modes"}

MOST = 512


def ksd(run: Run, target: Target, reference: Tensor, *, fraction: Positive = 0.2) -> Estimate:
    """(seed, cell), from the first 512 chains; the standard error is that of the U-statistic's linear part."""
    x = run.samples[..., :MOST, :]
    n, d = x.shape[-2:]
    s = target.score(x)
    h2 = fraction**2 * 2 * float(target.reference.var(0).sum())
    centred = x - x.mean(-2, keepdim=True)  # distances by a product lose digits far from the origin
    norms = centred.square().sum(-1)
    r2 = (norms[..., :, None] + norms[..., None, :] - 2 * centred @ centred.mT).clamp(min=0)
    q = h2 + r2
    along = (s * centred).sum(-1)
    slopes = along[..., :, None] + along[..., None, :] - s @ centred.mT - centred @ s.mT  # (s(x) - s(y))'(x - y)
    u = (s @ s.mT + (slopes + d) / q - 3 * r2 / q.square()) / q.sqrt()
    within = (u.sum(-1) - u.diagonal(dim1=-2, dim2=-1)) / (n - 1)  # (seed, cell, n)
    return Estimate(within.mean(-1), 2 * within.std(-1) / n**0.5)
