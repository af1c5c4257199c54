"""What every loss keeps to: one value a row, the gradient of that value, and no gradient where the file says that it is stationary.

Exact in float64, but for the two that say which error they see.
"""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, grad_and_value, vmap
from torch.utils._pytree import tree_leaves

from scorebench.core import registry
from scorebench.core.errors import NotApplicable
from scorebench.core.spec import Spec, parse
from scorebench.engine.objective import levels_of, objective, shared_options
from scorebench.engine.tracing import operations
from scorebench.models.base import Bound
from scorebench.suite.jobs import ladder
from scorebench.targets.base import Target, has
from scorebench.targets.lib.mixture import mixture
from scorebench.testing.contract import SHARE, Check, agree, finite, lists_its_options, only, own_generator, says, unchanged
from scorebench.testing.examples import cached, fits, loss_values, stream
from scorebench.testing.options import fitted, obeys_its_options, settled
from scorebench.testing.statistical import assert_mean, z_limit

MODELS = ("mlp_energy:width=8", "mlp_score:width=8", "noise_conditional_energy:width=8", "quadratic")
ROWS, FEW = 200_000, 10_000


@cached
def gaussian(dim: int = 2) -> Target:
    """N(0, v), v from .7 to 2.1."""
    target: Target = parse("target", f"gaussian:dim={dim},variance=0.7{',condition=3' if dim > 1 else ''}").build()
    return target


def fitting(spec: Spec) -> list[str]:
    """The models that the loss can train."""
    names = [name for name in MODELS if fits(parse("model", name), spec)]
    assert names, f"no model has what NEEDS = {spec.entry.facts.get('NEEDS')} names"
    return names


def model(name: str, dim: int, *names: object) -> Bound:
    """A model with random float64 parameters."""
    spec = parse("model", name)
    module = spec.build(dim, stream("model", name, dim, *names)).double()
    generator = stream("parameters", name, dim, *names)
    parameters = {k: v.detach() + 0.3 * torch.randn(v.shape, generator=generator, dtype=v.dtype) for k, v in module.named_parameters()}
    return Bound(module, parameters, "log_prob" in spec.entry.facts["GIVES"])


def draws(spec: Spec, x: Tensor, target: Target, *names: object) -> Tensor:
    """As training draws them: the noise level is no business of the draws."""
    drawn: Tensor = registry.module("loss", spec.name).draws(x, target, stream("draws", spec, *names), **shared_options([spec]))
    return drawn


def rows(spec: Spec, of: Bound, x: Tensor, noise: Tensor, target: Target | None = None) -> Tensor:
    """The loss; of one with a state, as it begins."""
    return loss_values(spec, of, x, noise, target or gaussian())


def data(target: Target, n: int, *names: object) -> Tensor:
    """Exact draws, float64."""
    return target.sample(n, stream("data", *names)).double()


def declares_what_training_reads(spec: Spec) -> None:
    """It says LABEL, REFERENCE and NEEDS, and defines draws and fixed_point."""
    says(spec, LABEL=str, REFERENCE=str)
    module = registry.module("loss", spec.name)
    assert isinstance(getattr(module, "NEEDS", None), set), (
        "NEEDS is no set; expected is NEEDS: set[str] = set(), or names as 'target.score'"
    )
    for name in ("draws", "fixed_point"):
        assert name in spec.entry.functions, f"the file does not define {name}, which stands beside the loss (see losses/base.py)"
    axis = spec.entry.facts.get("LEVELS")
    assert axis is None or axis in spec.entry.options, f"LEVELS = {axis!r} is no option of the loss"


def gives_one_value_a_row(spec: Spec) -> None:
    """A row's value rests on its own data and draws alone, in 1, 2 and 5 dimensions and of any number of rows."""
    for name, dim in itertools.product(fitting(spec), (1, 2, 5)):
        x, of = data(gaussian(dim), 12), model(name, dim)
        noise = draws(spec, x, gaussian(dim))
        at = f"on {name} with d = {dim}"
        assert len(noise) == 12, f"draws {at}: {len(noise)} rows came for a batch of 12"
        agree(f"a second draw of the same stream, {at},", draws(spec, x, gaussian(dim)), noise, 0, 0, "draws rest on their generator alone")
        values = rows(spec, of, x, noise)
        assert values.shape == (12,), (
            f"the loss {at}: shape {tuple(values.shape)} came for a batch of 12 rows; (12,) was expected, a value a row"
        )
        assert values.dtype == torch.float64, f"the loss {at} is of type {values.dtype} for data of type torch.float64"
        finite(f"the loss {at}", values, x)
        for part in (slice(4, 7), slice(5, 6)):
            few = rows(spec, of, x[part], noise[part])
            agree(
                f"the value of a row in a batch of {len(few)}, {at},", few, values[part], 1e-9, 1e-9, "a row's value rests on its own row"
            )


def is_finite_on_every_row(spec: Spec) -> None:
    """The value is a number at each of 4,000 points, near and far, in both precisions."""
    for name in fitting(spec):
        x, of = data(gaussian(), 4_000, "finite"), model(name, 2)
        x[:8] = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, -3.0], [10.0, 10.0], [-10.0, 10.0], [1.0, 1.0], [-1.0, -1.0], [0.0, 1e-8]])
        noise = draws(spec, x, gaussian())
        finite(f"the loss on {name}", rows(spec, of, x, noise), x)
        single = Bound(of.module.float(), {k: v.float() for k, v in of.parameters.items()}, of.gives_energy)
        finite(f"the loss on {name} in float32", rows(spec, single, x.float(), noise.float()), x)
        of.module.double()


def draws_by_its_generator(spec: Spec) -> None:
    """Randomness comes from `draws` and its generator, none from a global one, and the loss is a function of its arguments."""
    of, x = model(fitting(spec)[0], 2), data(gaussian(), 12)
    with own_generator("draws"):
        noise = draws(spec, x, gaussian())
    with own_generator("the loss"):
        values = rows(spec, of, x, noise)
    agree("the loss called again with the same arguments", rows(spec, of, x, noise), values, 0, 0, "a training step is written down once")


def changes_nothing_in_place(spec: Spec) -> None:
    """Data, draws and parameters are left as they are."""
    of, x = model(fitting(spec)[0], 2), data(gaussian(), 12)
    with unchanged("draws", x=x):
        noise = draws(spec, x, gaussian())
    with unchanged("the loss", x=x, draws=noise, parameters=of.parameters):
        rows(spec, of, x, noise)


def needs_what_it_says(spec: Spec) -> None:
    """Of a target it reads what NEEDS names, and no more."""
    named = {member for owner, member in spec.needs if owner == "target"}
    least = Target(2, gaussian().sample, **{member: getattr(gaussian(), member) for member in named})
    of, x = model(fitting(spec)[0], 2), data(gaussian(), 12)
    try:
        rows(spec, of, x, draws(spec, x, least))
    except NotApplicable as error:
        raise AssertionError(f"it reads of the target what NEEDS = {sorted(spec.entry.facts['NEEDS'])} does not name: {error}") from None


def is_objective(spec: Spec) -> bool:
    """Whether its gradient is that of its value; else it is judged by another (`validation`)."""
    return "validation" not in spec.entry.functions


@only(is_objective)
def has_the_gradient_of_its_value(spec: Spec) -> None:
    """What Adam is given is the gradient of what is reported: central differences along a random direction."""
    for name in fitting(spec):
        x, of = data(gaussian(), 16), model(name, 2)
        noise = draws(spec, x, gaussian())
        direction = {k: torch.randn(v.shape, generator=stream(k), dtype=v.dtype) for k, v in of.parameters.items()}

        def mean(parameters: dict[str, Tensor], of: Bound = of, x: Tensor = x, noise: Tensor = noise) -> Tensor:
            return rows(spec, Bound(of.module, parameters, of.gives_energy), x, noise).mean()

        ends = [mean({k: v + t * direction[k] for k, v in of.parameters.items()}) for t in (1e-4, -1e-4)]
        slope = torch.stack([(g * direction[k]).sum() for k, g in grad(mean)(of.parameters).items()]).sum()
        why = "is something detached? a loss whose value is no objective defines validation (losses/base.py)"
        agree(f"the gradient on {name} along a direction", slope, (ends[0] - ends[1]) / 2e-4, 2e-5, 1e-6, why)


def is_written_down_once(spec: Spec) -> None:
    """Its tensor operations, written down at the first step, are bitwise the step on other parameters, data, draws and levels."""
    for name in fitting(spec):
        of = model(name, 2)
        stateful = "init_state" in spec.entry.functions
        step = vmap(grad_and_value(objective([spec], parse("model", name), of.module), has_aux=stateful))

        def inputs(when: str, of: Bound = of, stateful: bool = stateful) -> tuple[Any, ...]:
            stacked = {
                k: torch.stack([v + 0.1 * torch.randn(v.shape, generator=stream(when, k, s), dtype=v.dtype) for s in range(3)])
                for k, v in of.parameters.items()
            }
            x = torch.stack([data(gaussian(), 8, when, s) for s in range(3)])
            noise = torch.stack([draws(spec, row, gaussian(), when, s) for s, row in enumerate(x)])
            sigma = levels_of([spec]).double() * torch.rand(3, generator=stream("level", when), dtype=torch.double)
            state = [registry.module("loss", spec.name).init_state(x, gaussian(), stream(when), **spec.options)] if stateful else []
            return stacked, x, noise, sigma, *state

        written = operations(step, *inputs("first"))
        for found, expected in zip(tree_leaves(written(*inputs("later"))), tree_leaves(step(*inputs("later"))), strict=True):
            agree(
                f"a step on {name} written down once", found, expected, 0, 0, "a loss is a pure function: no counter, no numbers of numpy"
            )


def maps_over_a_stack(spec: Spec) -> None:
    """Seeds and noise levels as one batch: `vmap` gives what a loop gives."""
    name = fitting(spec)[0]
    members = [model(name, 2, i) for i in range(3)]
    x = torch.stack([data(gaussian(), 16, i) for i in range(3)])
    noise = torch.stack([draws(spec, x[i], gaussian(), i) for i in range(3)])
    stacked = {k: torch.stack([m.parameters[k] for m in members]) for k in members[0].parameters}
    together = vmap(lambda p, x, e: rows(spec, Bound(members[0].module, p, members[0].gives_energy), x, e))(stacked, x, noise)
    agree(f"a stack of three on {name}", together, torch.stack([rows(spec, members[i], x[i], noise[i]) for i in range(3)]), 1e-10, 1e-10)


# Stationarity, for any loss: on a Gaussian target with a quadratic energy the fixed point is a point in parameter space.


class NoisedQuadratic(torch.nn.Module):
    """The quadratic energy at every noise level: the covariance of `matrix`, which is that at the lowest, grows by sigma^2."""

    mean: Tensor
    matrix: Tensor

    def __init__(self, lowest: float) -> None:
        super().__init__()
        self.lowest = lowest

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:  # noqa: D102
        more = (sigma**2 - self.lowest**2)[..., None, None] * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
        centred = x - self.mean
        precision = torch.linalg.inv(torch.linalg.inv((self.matrix + self.matrix.T) / 2) + more)
        return 0.5 * torch.einsum("...i,...ij,...j->...", centred, precision, centred)


def quadratic_at(spec: Spec, law: Target, factor: float = 1.0) -> Bound:
    """The quadratic energy whose score is that of a centred Gaussian, its precision times `factor`; at all levels for a loss that has them."""
    basis = torch.eye(law.dim, dtype=torch.float64)
    precision = -(law.score(basis) - law.score(torch.zeros_like(basis))) * factor
    module = parse("model", "quadratic").build(law.dim, stream("structure")).double()
    if levels := ladder(spec):
        noised = NoisedQuadratic(levels[-1])
        noised.mean, noised.matrix = module.mean, module.matrix
        module = noised
    return Bound(module, {"mean": torch.zeros(law.dim, dtype=torch.float64), "matrix": precision}, True)


def gradients(spec: Spec, of: Bound, x: Tensor, noise: Tensor, target: Target | None = None) -> Tensor:
    """A gradient a row, (n, parameters)."""

    def value(parameters: dict[str, Tensor], x: Tensor, noise: Tensor) -> Tensor:
        return rows(spec, Bound(of.module, parameters, of.gives_energy), x[None], noise[None], target)[0]

    per_row = vmap(grad(value), (None, 0, 0))(of.parameters, x, noise)
    return torch.cat([g.flatten(1) for g in per_row.values()], -1)


def where_stationary(spec: Spec) -> Target:
    """The law that the file states for a Gaussian target: its `fixed_point`, or `stationary` where none is known."""
    module = registry.module("loss", spec.name)
    try:
        law: Target = module.fixed_point(gaussian(), **spec.options)
    except NotApplicable as error:
        assert "stationary" in spec.entry.functions, (
            f"fixed_point knows none ({error}), and the file does not say where the loss is stationary instead; expected is a function "
            "stationary(target, **options) -> Target beside it: of a Gaussian target the Gaussian at whose energy the gradient vanishes (see losses/base.py)"
        )
        law = module.stationary(gaussian(), **spec.options)
    return law


def _stated(spec: Spec) -> str:
    return "fixed_point" if "stationary" not in spec.entry.functions else "fixed_point or stationary"


def stationary(spec: Spec, law: Target, factor: float = 1.0) -> None:
    """The population's gradient vanishes at a law, its precision times `factor`."""
    x = data(gaussian(), ROWS, "stationary", spec)
    found = gradients(spec, quadratic_at(spec, law, factor), x, draws(spec, x, gaussian()))
    precision = ", ".join(f"{float(v):.3g}" for v in -law.score(torch.eye(2, dtype=torch.float64)).diagonal())
    assert_mean(
        found,
        torch.zeros(found.shape[1]),
        SHARE,
        what=f"fixed point: on N(0, diag(0.7, 2.1)) with a quadratic energy of precision diag({precision}), where {_stated(spec)} says that the loss is "
        "stationary, its mean gradient in (mean, matrix)",
        why="E grad J = 0 at the fixed point",
    )


def is_stationary_where_it_says(spec: Spec) -> None:
    """The mean gradient vanishes at the fixed point that the file states.

    Sees a precision that is off by 5 % in the shipped losses, with 200,000 rows; in a loss with more noise an error that is larger in proportion to it.
    """
    stationary(spec, where_stationary(spec))


# On a mixture, where the Hessian of the energy is another at every point, the fixed point is one among energies with bumps.


WEIGHTS, MEANS, VARIANCES = (0.65, 0.35), ((-1.0, 0.3), (1.2, -0.4)), ((0.6, 0.4), (0.5, 0.8))
BUMPS, WIDTH = ((-1.0, 0.3), (1.2, -0.4), (0.1, 0.0), (0.3, 1.1), (-0.6, -1.2)), 0.8
"""At the modes, between them, and beside them."""


@cached
def two_modes() -> Target:
    """A mixture of two Gaussians in the plane."""
    weights, means, variances = map(torch.tensor, (WEIGHTS, MEANS, VARIANCES))
    return mixture(weights, means, variances, modes=False)


def _noised(x: Tensor, sigma: Tensor) -> Tensor:
    """Log p * N(0, sigma^2 I) of the two modes, a level a row: (*, d) and (*) -> (*)."""
    weights, means, variances = map(x.new_tensor, (WEIGHTS, MEANS, VARIANCES))
    spread = variances + sigma[..., None, None] ** 2
    squares = ((x[..., None, :] - means).square() / spread + (2 * math.pi * spread).log()).sum(-1)
    return (weights.log() - squares / 2).logsumexp(-1)


class Bumped(torch.nn.Module):
    """E(x) = -log p(x) + sum_j b_j exp(-|x - z_j|^2/(2 w^2)), p a law; at a noise level that of the two modes."""

    def __init__(self, law: Target) -> None:
        super().__init__()
        self.law, self.height = law, torch.nn.Parameter(torch.zeros(len(BUMPS), dtype=torch.float64))

    def forward(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:  # noqa: D102
        log_p = self.law.log_prob(x) if sigma is None else _noised(x, sigma)
        squares = (x[..., None, :] - x.new_tensor(BUMPS)).square().sum(-1)
        return (-squares / (2 * WIDTH**2)).exp() @ self.height - log_p


@cached
def of_two_modes(spec: Spec) -> Target | None:
    """The density that the file states for two modes; None where none is known, or at noise levels another than the noised one."""
    try:
        law: Target = registry.module("loss", spec.name).fixed_point(two_modes(), **spec.options)
    except NotApplicable:
        return None
    x = two_modes().sample(50, stream("noised")).double()
    known = has(law, "log_prob") and (not ladder(spec) or torch.allclose(law.log_prob(x), _noised(x, x.new_full((50,), ladder(spec)[-1]))))
    return law if known else None


@only(lambda spec: of_two_modes(spec) is not None)
def is_stationary_on_a_mixture(spec: Spec) -> None:
    """The mean gradient vanishes, too, at the fixed point of a mixture of Gaussians, along five bumps of the energy.

    There the energy's Hessian is another at every point, which a Gaussian's is not: 200,000 rows see a trace that is taken at x + .3 eps in the place of x.
    """
    law = of_two_modes(spec)
    assert law is not None
    x = two_modes().sample(ROWS, stream("two modes", spec)).double()
    bumped = Bound(Bumped(law), {"height": torch.zeros(len(BUMPS), dtype=torch.float64)}, True)
    found = gradients(spec, bumped, x, draws(spec, x, two_modes()), two_modes())
    assert_mean(
        found,
        torch.zeros(len(BUMPS)),
        SHARE,
        what=f"fixed point: on two modes at {' and '.join(map(str, MEANS))}, with the energy of its fixed_point, the mean gradient along bumps of it at "
        f"{', '.join(map(str, BUMPS))}",
        why="E grad J = 0 at the fixed point; if on a Gaussian it is 0, whose energy has one Hessian everywhere: is each term taken at x itself?",
    )


def _away() -> Iterator[tuple[str, Tensor, Tensor]]:
    for a, b in itertools.product(range(2), repeat=2):
        shift = torch.zeros(2, 2, dtype=torch.float64)
        shift[a, b] = 0.4
        yield f"matrix[{a}, {b}] + 0.4", torch.zeros(2, dtype=torch.float64), shift
    yield "mean + 0.5", torch.full((2,), 0.5, dtype=torch.float64), torch.zeros(2, 2, dtype=torch.float64)


def leads_back_to_where_it_is_stationary(spec: Spec) -> None:
    """Away from the fixed point the gradient points away from it, so that descent leads back: a loss with its sign flipped has the same fixed point.

    <E grad J(theta + delta) - E grad J(theta), delta> > 0 in five directions, by the same draws: it is a dozen standard errors or more in the shipped losses.
    Sees a flipped sign, of the whole or of a term that outweighs the others, and a gradient that is zero everywhere.
    """
    law = where_stationary(spec)
    x = data(gaussian(), FEW, "minimum", spec)
    noise, here = draws(spec, x, gaussian()), quadratic_at(spec, law)
    before = gradients(spec, here, x, noise)
    for name, mean, matrix in _away():
        moved = {"mean": here.parameters["mean"] + mean, "matrix": here.parameters["matrix"] + matrix}
        along = (gradients(spec, Bound(here.module, moved, True), x, noise) - before) @ torch.cat([mean, matrix.flatten()])
        z = float(along.mean() / (along.std() / len(along) ** 0.5).clamp(min=1e-12))
        assert z > z_limit(5 * SHARE), (
            f"sign: at {name} from where {_stated(spec)} says that the loss is stationary, the change of its mean gradient along that step is "
            f"{float(along.mean()):.3g}, {z:.1f} standard errors; it should be above 0 by {z_limit(5 * SHARE):.1f} at least (descent leads back to a minimum)"
        )


@only(lambda spec: "fit" in spec.entry.functions)
def fits_where_it_says(spec: Spec) -> None:
    """Its own fit of a quadratic energy to 50,000 Gaussian draws is where the file says that the loss is stationary.

    Within 5 %, eight standard errors of a precision: sees one that is off by 10 %, whatever it tunes.
    """
    law = where_stationary(spec)
    module = parse("model", "quadratic").build(2, stream("fit start"))
    names = [name for name, _ in module.named_parameters()]
    expected = -law.score(torch.eye(2, dtype=torch.float64))
    for options in settled(spec):
        found = dict(
            zip(names, fitted(spec, module, gaussian(), gaussian().sample(5 * FEW, stream("fit data", spec)), options), strict=True)
        )
        matrix = found["matrix"][0].double()
        agree(
            f"the precision that fit finds at {options}",
            (matrix + matrix.T) / 2,
            expected,
            0,
            0.05 * float(expected.max()),
            "the fixed point's",
        )


CHECKS: tuple[Check, ...] = (
    declares_what_training_reads,
    lists_its_options,
    gives_one_value_a_row,
    is_finite_on_every_row,
    draws_by_its_generator,
    changes_nothing_in_place,
    needs_what_it_says,
    obeys_its_options,
    has_the_gradient_of_its_value,
    is_stationary_where_it_says,
    is_stationary_on_a_mixture,
    leads_back_to_where_it_is_stationary,
    fits_where_it_says,
    maps_over_a_stack,
    is_written_down_once,
)
