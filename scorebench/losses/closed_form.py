r"""Implicit score matching solved, not descended, for a model whose score is linear in its weights w, with a ridge.

J(w) + lambda c |f_w|^2/2,   J the implicit loss over the training points,   s(x) = s_0(x) + S(x) w,   tr grad s(x) = t_0(x) + t(x)'w
w = -(E S'S + lambda c G)^+ E (t + S's_0),   |f_w|^2 = w'Gw                (Sriperumbudur et al. 2017, theorem 5; Sutherland et al. 2018, theorem 1)

It is solved in float64, in an orthonormal basis of the functions f_w, without those that float32, in which the model is used, cannot tell from zero
(eigenvalues of G below 1.2e-7 of the largest). c, the trace of E S'S in that basis, gives lambda no unit: for a Gaussian kernel of width l it is
d/l^2 with all of the Hilbert space, E sum_i |d_i k(x, .)|^2. What of the model is not linear (centres, mean, spread) is placed by the data before.
"""

import torch
from torch import Tensor, nn
from torch.func import grad, jacrev, vmap

from scorebench.core.options import Positive
from scorebench.losses.base import Problem
from scorebench.losses.implicit import implicit
from scorebench.models.base import Bound, Parameters, score, score_and_divergence
from scorebench.targets.base import Target

LABEL = "implicit, closed form"
VARIANTS = {"ridge": "λ = {ridge:g}"}
EQUATION = r"E_p\left[\text{tr}\,\nabla s(x)+\tfrac12|s(x)|^2\right]+\tfrac{\lambda c}{2}|f|^2"
REFERENCE = "Sriperumbudur et al. (2017), theorem 5; Sutherland et al. (2018), theorem 1"
EXAMPLES = ("closed_form:ridge=0.001",)
NEEDS = {"model.closed_form"}
TUNES = {"ridge": (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)}
ROWS = 500
"""Taken at a time: S has a number for each of them, each coordinate and each weight."""


def draws(x: Tensor, target: Target, generator: torch.Generator, *, ridge: float | None) -> Tensor:
    """Nothing: the loss is exact."""
    return x.new_zeros(len(x), 0)


def closed_form(model: Bound, x: Tensor, draws: Tensor, *, ridge: Positive | None = None) -> Tensor:
    """(batch, d) -> (batch,), without the ridge: by this the ridge is chosen."""
    return implicit(model, x, draws)


def fit(problem: Problem, *, ridge: float) -> Parameters:
    """The minimiser for every seed."""
    solved = [
        _solved(module, problem.gives_energy, x, generator, ridge)
        for module, x, generator in zip(problem.modules, problem.data, problem.generators, strict=True)
    ]
    return {name: torch.stack([one[name] for one in solved]) for name in solved[0]}


def _solved(module: nn.Module, gives_energy: bool, x: Tensor, generator: torch.Generator, ridge: float) -> Parameters:
    module.place(x, generator)  # type: ignore[operator]
    module.double()
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    name = str(module.linear)
    nought = torch.zeros_like(parameters[name])

    def at(w: Tensor) -> Bound:
        return Bound(module, parameters | {name: w}, gives_energy)

    curvature, slope = nought.new_zeros(nought.numel(), nought.numel()), nought.new_zeros(nought.numel())
    for rows in x.double().split(ROWS):
        s = score(at(nought), rows)
        features = vmap(lambda row: jacrev(lambda w: score(at(w), row))(nought))(rows).flatten(2)  # S, (rows, d, weights)
        divergence = grad(lambda w, rows=rows: score_and_divergence(at(w), rows)[1].sum())(nought).flatten()
        curvature += torch.einsum("ndi,ndj->ij", features, features) / len(x)
        slope += (divergence + torch.einsum("ndi,nd->i", features, s)) / len(x)
    eigenvalues, vectors = torch.linalg.eigh(module.gram().detach())  # type: ignore[operator]
    told = eigenvalues > torch.finfo(torch.float32).eps * eigenvalues[-1]
    basis = vectors[:, told] / eigenvalues[told].sqrt()  # columns of |f| = 1
    curvature = basis.T @ curvature @ basis
    penalised = curvature + ridge * curvature.trace() * torch.eye(len(curvature)).to(curvature)
    weights = basis @ torch.linalg.solve(penalised, -basis.T @ slope)
    return {key: value.float() for key, value in (parameters | {name: weights.view_as(nought)}).items()}


def fixed_point(target: Target, *, ridge: float | None) -> Target:
    """The density that the loss learns, but for what the ridge holds back."""
    return target
