r"""What a Fisher divergence does not see: how wrong the weights of modes, or the scale, of a trained energy's own law are, without any sampler.

With w_i proportional to exp(-E(x_i)) on a grid of NODES x NODES points over the box of the target's exact draws, widened by a quarter of its size on every
side, and w*_i likewise of the target's log p:

    weights    sum_k |W_k - W*_k| / 2,   W_k the mass of what is nearest to mode k
    scale      the largest |v_a/v*_a - 1|, v_a the mean square along axis a of x - m(x), m(x) the nearest mode, or the target's mean where it has
               no modes

A sum over nodes closer than a third of the least standard deviation is exact to rounding for a smooth law (Trefethen and Weideman 2014, theorem 5.1).
Energies in two dimensions; of others a long run of a sampler that is exact says as much (`mala_from_data`). What mass an energy has beyond the box is
not counted.
"""

from typing import Literal

import torch
from torch import Tensor

from scorebench.core.errors import NotApplicable
from scorebench.metrics.base import Estimate, Points, Run
from scorebench.targets.base import Absent, Target, has, nearest

LABEL = "error of the trained law's {of}"
REFERENCE = "total variation; relative moment error; by quadrature"
EXAMPLES = ("law_error:of=weights", "law_error:of=scale")
ABOUT = "source"
NEEDS = {"source.density", "target.sample", "target.log_prob"}
DIRECTION = "lower"
FLOOR = False
LOG = False
EXACT = True

NODES, MARGIN = 160, 0.25


def law_error(run: Run, target: Target, reference: Points, *, of: Literal["weights", "scale"]) -> Estimate:
    """(seed, 1); no standard error within a seed: nothing is drawn."""
    if target.dim != 2:
        raise NotApplicable(f"by quadrature, in 2 dimensions; here {target.dim}")
    if isinstance(run.density.score_and_log_prob, Absent):
        raise NotApplicable("a field has no density of its own")
    if of == "weights" and not has(target, "modes"):
        raise NotApplicable("there are no modes")
    x = _grid(target.reference)
    seeds = len(reference(target))
    trained = run.density.score_and_log_prob(x.expand(seeds, 1, -1, -1))[1].double()[:, 0]  # (seed, node)
    p, q = ((v - v.max(-1, keepdim=True).values).exp() for v in (target.log_prob(x).double(), trained))
    of_law = _weights if of == "weights" else _scales
    exact, learnt = (of_law(x, v / v.sum(-1, keepdim=True), target) for v in (p, q))
    error = (learnt - exact).abs().sum(-1) / 2 if of == "weights" else (learnt / exact - 1).abs().amax(-1)
    return Estimate(error[:, None], torch.full_like(error[:, None], torch.nan))


def _grid(draws: Tensor) -> Tensor:
    """(node, 2)."""
    low, high = draws.amin(0), draws.amax(0)
    margin = MARGIN * (high - low)
    axes = [torch.linspace(float(a), float(b), NODES) for a, b in zip(low - margin, high + margin, strict=True)]
    return torch.cartesian_prod(*axes)


def _weights(x: Tensor, mass: Tensor, target: Target) -> Tensor:
    """(*, node) -> (*, mode)."""
    return mass @ torch.nn.functional.one_hot(nearest(x, target.modes), len(target.modes)).double()


def _scales(x: Tensor, mass: Tensor, target: Target) -> Tensor:
    """(*, node) -> (*, axis)."""
    centres = target.modes.to(x)[nearest(x, target.modes)] if has(target, "modes") else target.mean.to(x)
    return mass @ (x - centres).double().square()
