r"""Persistent contrastive divergence: maximum likelihood by chains that go on from step to step of training.

E(x) - E(z_k),   z_k after k steps of MALA on p_theta from where the chains were at the last gradient step, held fixed          (Tieleman 2008, section 3)

Stochastic approximation (Younes 1989): where theta moves slowly the chains have the law p_theta, so that the gradient is the likelihood's, not one that
k steps from the data bias (`contrastive_divergence`, whose step it is). There are as many chains as rows of a batch, which start at the first batch; chain i
has nothing to do with row i of later ones, and only the mean over a batch has a meaning. Once at the data's law p_theta stays there.
"""

import torch
from torch import Tensor

from scorebench.core.options import Count, Positive
from scorebench.losses.contrastive_divergence import chains
from scorebench.losses.contrastive_divergence import draws as noise
from scorebench.losses.implicit import implicit
from scorebench.models.base import Bound
from scorebench.targets.base import Target

LABEL = "persistent contrastive divergence, {steps} steps of {step_size}"
EQUATION = r"E(x)-E(z_k),\quad z_k\ \text{after}\ k\ \text{steps of MALA from}\ z_0,\ \text{the last}\ z_k"
REFERENCE = "Tieleman (2008), Training restricted Boltzmann machines using approximations to the likelihood gradient, section 3"
EXAMPLES = ("persistent_contrastive_divergence:steps=2,step_size=0.2",)
NEEDS = {"model.log_prob"}


def draws(x: Tensor, target: Target, generator: torch.Generator, *, steps: int, step_size: float) -> Tensor:
    """Those of `contrastive_divergence`, (batch, steps (d + 1))."""
    return noise(x, target, generator, steps=steps, step_size=step_size)


def init_state(x: Tensor, target: Target, generator: torch.Generator, *, steps: int, step_size: float) -> Tensor:
    """The chains at the first batch, (batch, d)."""
    return x.clone()


def persistent_contrastive_divergence(
    model: Bound, x: Tensor, draws: Tensor, state: Tensor, *, steps: Count = 10, step_size: Positive = 0.1
) -> tuple[Tensor, Tensor]:
    """(batch, d) and the chains, (batch, d) -> (batch,) and the chains, k steps on."""
    z = chains(model, state, draws, steps, step_size)
    return model(x) - model(z), z


def validation(model: Bound, x: Tensor, draws: Tensor, *, steps: int, step_size: float) -> Tensor:
    """The implicit loss, (batch, d) -> (batch,)."""
    return implicit(model, x, draws)


def fixed_point(target: Target, *, steps: int, step_size: float) -> Target:
    """The density that the loss learns."""
    return target
