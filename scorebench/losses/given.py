r"""No loss: a model that was trained elsewhere, left as it is (`models.network`).

Its value, which trains nothing, is that of implicit score matching, by which a score can be judged whoever trained it (Hyvarinen 2005, eq. 4).
"""

import torch
from torch import Tensor

from scorebench.core.errors import NotApplicable
from scorebench.losses.base import Problem
from scorebench.losses.implicit import implicit
from scorebench.models.base import Bound, Parameters
from scorebench.targets.base import Target

LABEL = "as it was given"
EQUATION = r"\text{none}"
REFERENCE = "its own; judged by Hyvarinen (2005), eq. 4"
EXAMPLES = ()  # there is no such model without a file: tests/test_network.py
NEEDS = {"model.given"}


def draws(x: Tensor, target: Target, generator: torch.Generator) -> Tensor:
    """Nothing."""
    return x.new_zeros(len(x), 0)


def given(model: Bound, x: Tensor, draws: Tensor) -> Tensor:
    """(batch, d) -> (batch,)."""
    return implicit(model, x, draws)


def fit(problem: Problem) -> Parameters:
    """The parameters as they are, for every seed."""
    parameters = [dict(module.named_parameters()) for module in problem.modules]
    return {name: torch.stack([one[name].detach() for one in parameters]) for name in parameters[0]}


def fixed_point(target: Target) -> Target:
    """Raises NotApplicable: what it was trained for is not known here."""
    raise NotApplicable("it was trained elsewhere")
