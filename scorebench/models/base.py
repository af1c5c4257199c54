"""What is trained, and THE score: the one place where an energy becomes a score, s = -grad E.

A model is an `nn.Module` whose forward gives, row by row, an energy (*, d) -> (*) or a field (*, d) -> (*, d). Its file says which by
GIVES: an energy gives {"score", "log_prob"}, p proportional to exp(-E); a field gives {"score"}. One that gives "noise_levels", too, has a
forward (x, sigma), sigma broadcasting with (*), for the noised density p * N(0, sigma^2 I). One that gives "closed_form" is linear in one of its
parameters (`Linear`). Everything below takes a `Bound` model, a module with its parameters, so that it can be differentiated in them and mapped over
stacks of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, grad_and_value, stack_module_state, vjp, vmap

from scorebench.core.shapes import expect

Parameters = dict[str, Tensor]


class Model(Protocol):
    """What a model's file defines: a class of modules, its weights drawn from the generator alone."""

    def __call__(self, dim: int, generator: torch.Generator, **options: Any) -> nn.Module:
        """The module for x in R^dim."""


class Linear(Protocol):
    """A module whose energy or field is linear in one of its parameters once the others are placed."""

    linear: str
    """Its name."""

    def place(self, x: Tensor, generator: torch.Generator) -> None:
        """Set the other parameters by training points x (n, d)."""

    def gram(self) -> Tensor:
        """The squared norm of the linear part, a quadratic form in that parameter, flat: (k, k), positive semidefinite."""


@dataclass(frozen=True, eq=False)
class Bound:
    """A module bound to parameters and, if it has noise levels, to one of them."""

    module: nn.Module
    parameters: Parameters
    gives_energy: bool
    sigma: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """The energy (*) or the field (*, d) at x (*, d)."""
        value = functional_call(self.module, self.parameters, (x,) if self.sigma is None else (x, self.sigma))
        return expect("the model's output", value, x.shape[:-1] if self.gives_energy else x.shape)

    def at(self, sigma: Tensor) -> "Bound":
        """The model at a noise level, or at one a row, (*)."""
        return replace(self, sigma=sigma)


def score(model: Bound, x: Tensor) -> Tensor:
    """s(x) = -grad E(x), or the field itself, (*, d) -> (*, d)."""
    return -grad(lambda y: model(y).sum())(x) if model.gives_energy else model(x)


def score_and_log_prob(model: Bound, x: Tensor) -> tuple[Tensor, Tensor]:
    """The score (*, d) and the unnormalised log density -E(x) (*), in one pass. Energies only."""

    def total(y: Tensor) -> tuple[Tensor, Tensor]:
        energies = model(y)
        return energies.sum(), energies

    gradient, (_, energies) = grad_and_value(total, has_aux=True)(x)
    return -gradient, -energies


def score_along(model: Bound, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """The score s(x) and the gradient of its component along v, v' grad s(x), both (*, d), in one pass.

    Backward, of an energy twice: forward differentiation does the same products, but under `vmap` it multiplies the weights' absent derivatives, too, as zeros.
    """
    s, pullback = vjp(partial(score, model), x)  # type: ignore[misc]
    return s, pullback(v)[0]


def score_and_divergence(model: Bound, x: Tensor) -> tuple[Tensor, Tensor]:
    """The score (*, d) and its divergence tr grad s(x) (*), exact: one backward sweep a dimension."""
    s, pullback = vjp(partial(score, model), x)  # type: ignore[misc]
    basis = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    # Eight dimensions at a time: of 5,000 points of digits all 64 at once take 2.2 GB, eight .6 GB and less time.
    slopes = vmap(lambda e: (pullback(e.expand_as(x))[0] * e).sum(-1), chunk_size=8)(basis)
    return s, slopes.sum(0)


def stack(build: Callable[[torch.Generator], nn.Module], generators: list[torch.Generator]) -> tuple[nn.Module, Parameters]:
    """One module for its structure, and the parameters of one module a generator, stacked on a leading axis."""
    modules = [build(g) for g in generators]
    parameters, _ = stack_module_state(modules)
    return modules[0], {name: tensor.detach() for name, tensor in parameters.items()}


def dense(inputs: int, outputs: int, generator: torch.Generator, gain: float = 1.0) -> nn.Linear:
    """A layer with weights of variance gain^2/inputs and zero bias, drawn from the generator alone."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs, device=generator.device)
    nn.init.normal_(layer.weight, std=gain / inputs**0.5, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def over_stack(function: Callable[..., Any], module: nn.Module, gives_energy: bool, sigma: Tensor | None = None) -> Callable[..., Any]:
    """`function(model, *args)` mapped over the leading axis of stacked parameters and of every argument."""
    return vmap(lambda parameters, *args: function(Bound(module, parameters, gives_energy, sigma), *args), randomness="error")
