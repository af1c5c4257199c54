r"""The error of a trained field, taken apart: what a gradient could have avoided, and whether it does harm.

With e = s - grad log p and phi the potential whose gradient is nearest to e in L^2(p) (`lib.plane`), r = e - grad phi has div(p r) = 0: it turns, and

    dx = (grad log p + r) dt + sqrt(2) dW

leaves p as it is (Ma, Chen and Fox 2015, section 2), while with e but for r the law is p e^phi. So

    gradient   E_p |grad phi|^2 / E_p |grad log p|^2, the part of the relative Fisher divergence that an energy could have, too
    rotation   E_p |r|^2 / E_p |grad log p|^2, the part that it could not
    law        total variation between p and the law of Langevin dynamics with the field
    effect     total variation between that law and p e^phi: what the rotation does, of second order in the error, since p e^phi r is divergence-free no more

By quadrature in the plane; nothing is drawn. An energy's error has no rotation.
"""

from typing import Literal

import torch

from scorebench.core.errors import NotApplicable
from scorebench.metrics.base import Estimate, Points, Run
from scorebench.metrics.law_error import law
from scorebench.metrics.lib import plane
from scorebench.targets.base import Absent, Target

LABEL = "{of} of the field's error"
REFERENCE = "after Ma, Chen and Fox (2015), section 2; Helmholtz decomposition in L²(p)"
EXAMPLES = ("field_error:of=gradient", "field_error:of=rotation", "field_error", "field_error:of=effect")
ABOUT = "source"
NEEDS = {"source.density", "target.sample", "target.log_prob", "target.score"}
DIRECTION = "lower"
FLOOR = False
LOG = True
EXACT = True
FIELDS = True


def field_error(run: Run, target: Target, reference: Points, *, of: Literal["gradient", "rotation", "law", "effect"] = "law") -> Estimate:
    """(seed, 1); no standard error within a seed."""
    if target.dim != 2:
        raise NotApplicable(f"by quadrature, in 2 dimensions; here {target.dim}")
    if not isinstance(run.density.score_and_log_prob, Absent):
        raise NotApplicable("an energy's error is a gradient")
    grid, seeds = plane.grid(target.reference), len(reference(target))
    p = plane.mass(target.log_prob(grid.nodes))
    if of == "law":
        value = _variation(law(run, grid, p, seeds), p)
        return Estimate(value, torch.full_like(value, torch.nan))
    x = grid.middles
    s = target.score(x)
    error, size = plane.along(grid, plane.of_source(run.density.score, x, seeds) - s), plane.along(grid, s)
    weights = plane.mass(target.log_prob(x)).cpu().numpy()
    phi = plane.potential(grid, weights, error)
    if of == "effect":
        value = _variation(law(run, grid, p, seeds), plane.mass(torch.from_numpy(phi).to(p.device) + target.log_prob(grid.nodes)))
    else:
        slope = plane.slope(grid, phi)
        part = slope if of == "gradient" else error - slope
        value = torch.from_numpy((weights * part**2).sum(1, keepdims=True) / (weights * size**2).sum()).to(p.device)
    return Estimate(value, torch.full_like(value, torch.nan))


def _variation(q: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Total variation, (seed, node) -> (seed, 1)."""
    return (q - p).abs().sum(-1, keepdim=True) / 2
