r"""Relative Fisher divergence of a source: the error of its score in units of the score itself, to the target or to the density that its loss learns.

F_rel = E_q |s(x) - grad log q(x)|^2 / E_q |grad log q(x)|^2,   q = p, or q = the loss's fixed point              (Luo 2022, eq. 157, over that of s = 0)

5,000 exact draws of q a seed: 1 is a score that is zero everywhere; the exact one has what float32 cannot tell from 0, eps^2 = 1.4e-14, of which there is a
logarithm. To the target it mixes what the loss aims at with how well it
hits; to the fixed point it is quality alone.

It does not see the weights of far modes (Wenliang and Kanagawa 2020, section 3), whose scores are the same whatever they weigh, and little of a scale along a
wide axis, where the score is small: a precision doubled there gives .01 at condition 100. `law_error` measures these.
"""

from typing import Literal

import torch

from scorebench.core.errors import NotApplicable
from scorebench.metrics.base import Estimate, Points, Run, mean_over_points
from scorebench.targets.base import Target, has

LABEL = "relative Fisher divergence to the {to}"
REFERENCE = "Hyvärinen (2005), eq. 2, over that of a score of zero"
EXAMPLES = ("relative_fisher_divergence", "relative_fisher_divergence:to=fixed_point")
ABOUT = "source"
NEEDS = {"source.score", "target.score"}
DIRECTION = "lower"
FLOOR = False
LOG = True


def relative_fisher_divergence(run: Run, target: Target, reference: Points, *, to: Literal["target", "fixed_point"] = "target") -> Estimate:
    """(seed, 1); the standard error is that of a ratio of means."""
    against = target if to == "target" else run.learnt()
    if not has(against, "score"):
        raise NotApplicable("the loss's fixed point has no known score")
    x = reference(against)[:, None]
    s = against.score(x)
    error, size = (v.double().square().sum(-1) for v in (run.score(x) - s, s))
    ratio = error.mean(-1) / size.mean(-1)
    influence = (error - ratio[..., None] * size) / size.mean(-1, keepdim=True)
    return Estimate(ratio.clamp(min=torch.finfo(torch.float32).eps ** 2), mean_over_points(influence).standard_error)
