r"""Contrastive divergence: maximum likelihood whose chains start at the data and are k steps long.

E(x) - E(x_k),   x_k after k steps of MALA on p_theta from x, held fixed                           (Hinton 2002, eq. 5)

The likelihood's gradient is E_p grad E - E_(p_theta) grad E, in the parameters; k steps from the data stand for the second mean. A step is y = x + c s(x)
+ sqrt(2 c) eps, accepted so that p_theta is left invariant exactly (Roberts and Tweedie 1996, section 1.4): where p_theta is the data's law the chains have it
from first to last, so that the target is a fixed point for every k and c, which Langevin without the decision would miss by its bias.

Its gradient is that of the value at x_k as it stands, not that of the value, which is no objective: it is near zero for every model at which k steps
move little. The learning rate is chosen by the implicit loss.
"""

from dataclasses import replace

import torch
from torch import Tensor

from scorebench.core.options import Count, Positive
from scorebench.losses.implicit import implicit
from scorebench.models.base import Bound, score_and_log_prob
from scorebench.targets.base import Target

LABEL = "contrastive divergence, {steps} steps of {step_size}"
EQUATION = r"E(x)-E(x_k),\quad x_k\ \text{after}\ k\ \text{steps of MALA from}\ x"
REFERENCE = "Hinton (2002), Training products of experts by minimizing contrastive divergence, eq. 5"
EXAMPLES = ("contrastive_divergence:steps=2,step_size=0.2",)
NEEDS = {"model.log_prob"}


def draws(x: Tensor, target: Target, generator: torch.Generator, *, steps: int, step_size: float) -> Tensor:
    """For each step eps and, after it, the uniform that decides, (batch, steps (d + 1))."""
    eps = torch.randn(len(x), steps, x.shape[1], generator=generator, device=x.device, dtype=x.dtype)
    uniform = torch.rand(len(x), steps, 1, generator=generator, device=x.device, dtype=x.dtype)
    return torch.cat([eps, uniform], -1).flatten(1)


def contrastive_divergence(model: Bound, x: Tensor, draws: Tensor, *, steps: Count = 10, step_size: Positive = 0.1) -> Tensor:
    """(batch, d) -> (batch,)."""
    return model(x) - model(chains(model, x, draws, steps, step_size))


def chains(model: Bound, x: Tensor, draws: Tensor, steps: int, step_size: float) -> Tensor:
    """Where chains from x (batch, d) are after these steps on the model, whose parameters they do not differentiate, (batch, d)."""
    still = replace(model, parameters={name: value.detach() for name, value in model.parameters.items()})
    s, log_p = score_and_log_prob(still, x)
    for its in draws.unflatten(1, (steps, -1)).unbind(1):
        y = x + step_size * s + (2 * step_size) ** 0.5 * its[:, :-1]
        s_y, log_p_y = score_and_log_prob(still, y)
        back, there = ((to - start - step_size * slope).square().sum(-1) for to, start, slope in ((x, y, s_y), (y, x, s)))
        accept = its[:, -1].log() < log_p_y - log_p - (back - there) / (4 * step_size)  # never where that is NaN
        x, s = (torch.where(accept[:, None], new, old) for new, old in ((y, x), (s_y, s)))
        log_p = torch.where(accept, log_p_y, log_p)
    return x


def validation(model: Bound, x: Tensor, draws: Tensor, *, steps: int, step_size: float) -> Tensor:
    """The implicit loss, (batch, d) -> (batch,)."""
    return implicit(model, x, draws)


def fixed_point(target: Target, *, steps: int, step_size: float) -> Target:
    """The density that the loss learns."""
    return target
