r"""What a Fisher divergence does not see: how wrong the weights of modes, or the scale, of a trained source's own law are, without any sampler.

The law of an energy, exp(-E)/Z, and of a field, the stationary law of Langevin dynamics with it, on a grid over the box of the target's exact draws, widened
by a quarter of its size on every side (`lib.plane`); likewise of the target's log p:

    weights    sum_k |W_k - W*_k| / 2,   W_k the mass of what is nearest to mode k
    scale      the largest |v_a/v*_a - 1|, v_a the mean square along axis a of x - m(x), m(x) the nearest mode, or the target's mean where it has
               no modes
    panel      the root of the mean over the panel of (E f - E_p f)^2/Var_p f, which `panel_bias` estimates of samples

A sum over nodes closer than a third of the least standard deviation is exact to rounding for a smooth law (Trefethen and Weideman 2014, theorem 5.1). In two
dimensions; of others a long run of a sampler that is exact says as much (`mala_from_data`). What mass a source has beyond the box is not counted.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from scorebench.core.errors import NotApplicable
from scorebench.metrics.base import Estimate, Points, Run
from scorebench.metrics.lib import plane
from scorebench.targets.base import Absent, Target, has, nearest
from scorebench.targets.lib.panel import functions

LABEL = "error of the trained law's {of}"
REFERENCE = "total variation; relative moment error; by quadrature"
EXAMPLES = ("law_error:of=weights", "law_error", "law_error:of=panel")
ABOUT = "source"
NEEDS = {"source.density", "target.sample", "target.log_prob"}
DIRECTION = "lower"
FLOOR = False
LOG = False
EXACT = True

BEYOND = 1.0
"""Sizes of the box by which it is widened for the panel of an energy, whose log p and x^2 see what noise of .8 on the double well has beyond a quarter."""


def law_error(run: Run, target: Target, reference: Points, *, of: Literal["weights", "scale", "panel"] = "scale") -> Estimate:
    """(seed, 1); no standard error within a seed: nothing is drawn."""
    if target.dim != 2:
        raise NotApplicable(f"by quadrature, in 2 dimensions; here {target.dim}")
    if of == "weights" and not has(target, "modes"):
        raise NotApplicable("there are no modes")
    energy = not isinstance(run.density.score_and_log_prob, Absent)
    grid = plane.grid(target.reference, margin=BEYOND if of == "panel" and energy else plane.MARGIN)
    p = plane.mass(target.log_prob(grid.nodes))
    q = law(run, grid, p, len(reference(target)))
    if of == "panel":
        error = _of_panel(functions(target, target.mean)[1](grid.nodes), p, q)
        return Estimate(error[:, None], torch.full_like(error[:, None], torch.nan))
    of_law = _weights if of == "weights" else _scales
    exact, learnt = (of_law(grid.nodes, v, target) for v in (p, q))
    error = (learnt - exact).abs().sum(-1) / 2 if of == "weights" else (learnt / exact - 1).abs().amax(-1)
    return Estimate(error[:, None], torch.full_like(error[:, None], torch.nan))


def law(run: Run, grid: plane.Grid, p: Tensor, seeds: int) -> Tensor:
    """The mass of a source's own law at the nodes, (seed, node); p is the target's."""
    if not isinstance(run.density.score_and_log_prob, Absent):
        return plane.mass(plane.of_source(lambda x: run.density.score_and_log_prob(x)[1], grid.nodes, seeds))
    fields = plane.along(grid, plane.of_source(run.density.score, grid.middles, seeds))
    return torch.from_numpy(np.stack([plane.stationary(grid, field, int(p.argmax())) for field in fields])).to(p.device)


def _of_panel(values: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """Of functions at the nodes (node, function), and masses p (node,) and q (seed, node)."""
    means = p @ values
    return ((q @ values - means).square() / (p @ (values - means).square())).mean(-1).sqrt()


def _weights(x: Tensor, mass: Tensor, target: Target) -> Tensor:
    """(*, node) -> (*, mode)."""
    return mass @ torch.nn.functional.one_hot(nearest(x, target.modes), len(target.modes)).double()


def _scales(x: Tensor, mass: Tensor, target: Target) -> Tensor:
    """(*, node) -> (*, axis)."""
    centres = target.modes.to(x)[nearest(x, target.modes)] if has(target, "modes") else target.mean.to(x)
    return mass @ (x - centres).double().square()
