"""What every model keeps to: score, curvature and divergence by their definitions, a row at a time, and first weights from the generator alone.

Identities and convergence orders in float64; nothing rests on chance.
"""

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.func import jacfwd, vmap

from scorebench.core.spec import Spec
from scorebench.models.base import Bound, over_stack, score, score_along, score_and_divergence, score_and_log_prob, stack
from scorebench.suite.jobs import gives
from scorebench.testing.contract import Check, agree, finite, lists_its_options, only, own_generator, says, unchanged
from scorebench.testing.examples import stream
from scorebench.testing.options import obeys_its_options

DIMS = (1, 2, 5)


def gives_energy(spec: Spec) -> bool:
    """Whether the model is an energy, else a field."""
    return "log_prob" in gives(spec)


def has_levels(spec: Spec) -> bool:
    """Whether the model has noise levels."""
    return "noise_levels" in gives(spec)


def level(spec: Spec) -> Tensor | None:
    """A noise level for a model that has them."""
    return torch.tensor(0.4) if has_levels(spec) else None


def bound(spec: Spec, dim: int, *names: object) -> Bound:
    """A model in float64 with parameters moved off their start, so that none is zero by chance of initialisation."""
    module = spec.build(dim, stream("init", spec, dim, *names)).double()
    generator = stream("move", spec, dim, *names)
    parameters = {k: v.detach() + 0.2 * torch.randn(v.shape, generator=generator, dtype=v.dtype) for k, v in module.named_parameters()}
    return Bound(module, parameters, gives_energy(spec), level(spec))


def points(dim: int, n: int = 7) -> Tensor:
    """Around the origin, (n, d)."""
    return 1.5 * torch.randn(n, dim, generator=stream("points", dim), dtype=torch.float64)


def difference(model: Bound, x: Tensor, h: float) -> Tensor:
    """-grad E by central differences."""
    steps = h * torch.eye(x.shape[-1], dtype=x.dtype)
    return torch.stack([-(model(x + e) - model(x - e)) / (2 * h) for e in steps], -1)


def declares_what_it_gives(spec: Spec) -> None:
    """It says LABEL, REFERENCE and GIVES: the score, and whether it is an energy, and whether it has noise levels."""
    says(spec, LABEL=str, REFERENCE=str, GIVES=set)
    its = spec.entry.facts["GIVES"]
    assert "score" in its, f"GIVES = {its} does not name the score, which every model gives"


def gives_row_by_row(spec: Spec) -> None:
    """An energy is (*), a field (*, d), row by row whatever the leading axes, in 1, 2 and 5 dimensions."""
    for dim in DIMS:
        model, x = bound(spec, dim), points(dim, 12)
        wanted = (12,) if gives_energy(spec) else (12, dim)
        value = model(x)
        assert value.shape == wanted, f"forward of x (12, {dim}) has shape {tuple(value.shape)}; {wanted} was expected by GIVES"
        s = score(model, x)
        assert s.shape == x.shape and s.dtype == torch.float64, f"the score of x (12, {dim}) float64 is {tuple(s.shape)} {s.dtype}"
        agree(f"the score in rows (3, 4, {dim})", score(model, x.view(3, 4, dim)).view(12, dim), s, 1e-10, 1e-11, "leading axes are *")
        agree(f"the output for one row of 12, d = {dim},", model(x[5:6]), value[5:6], 1e-10, 1e-11, "a row's output rests on its own row")
        agree(f"the score of one row of 12, d = {dim},", score(model, x[5:6]), s[5:6], 1e-10, 1e-11, "a row's output rests on its own row")


def is_finite_everywhere(spec: Spec) -> None:
    """Output and score are numbers at each of 4,000 points, near and far, in both precisions."""
    for dim in (1, 2):
        model, x = bound(spec, dim), 2 * points(dim, 4_000)
        x[:6] = torch.tensor([0.0, 1.0, -1.0, 1e-8, 10.0, -10.0], dtype=torch.float64)[:, None]
        finite("the score", score(model, x), x)
        single = Bound(model.module.float(), {k: v.float() for k, v in model.parameters.items()}, model.gives_energy, model.sigma)
        finite("the score in float32", score(single, x.float()), x)
        finite("the output in float32", single(x.float()), x)


@only(gives_energy)
def has_the_score_of_its_energy(spec: Spec) -> None:
    """The score is -grad E: the error of central differences falls as h^2 (or is zero, for a quadratic) down to rounding."""
    for dim in DIMS:
        model, x = bound(spec, dim), points(dim)
        coarse, fine = (float((difference(model, x, h) - score(model, x)).norm()) for h in (2e-2, 1e-2))
        assert fine < 1e-2 * (1 + float(score(model, x).norm())), f"-grad E by differences of .01 is off the score by {fine:.3g}, d = {dim}"
        assert coarse < 1e-10 or 3.7 < coarse / fine < 4.3, (
            f"the error of central differences falls by {coarse / fine:.2f} as h halves, d = {dim}; 4 was expected of a smooth energy, h^2"
        )
        agree("the score", score(model, x), -vmap(jacfwd(model))(x), 1e-10, 1e-12, "minus the gradient of the energy")
        s, log_p = score_and_log_prob(model, x)
        agree("the log density", log_p, -model(x), 0, 0, "minus the energy")
        agree("the score beside the log density", s, score(model, x), 1e-12, 1e-12)


@only(lambda spec: not gives_energy(spec))
def is_its_field(spec: Spec) -> None:
    """The score of a field is the field."""
    for dim in DIMS:
        model, x = bound(spec, dim), points(dim)
        agree("the score", score(model, x), model(x), 0, 0)


def has_its_curvature(spec: Spec) -> None:
    """The score, v' grad s and tr grad s by backward differentiation against the full Jacobian by forward; symmetric for an energy."""
    for dim in DIMS:
        model, x = bound(spec, dim), points(dim)
        v = torch.randn(x.shape, generator=stream("v"), dtype=x.dtype)
        jacobian = vmap(jacfwd(functools.partial(score, model)))(x)  # (n, d, d)
        s, along = score_along(model, x, v)
        agree("the score with a derivative", s, score(model, x), 1e-10, 1e-11)
        agree("v' grad s", along, torch.einsum("nij,ni->nj", jacobian, v), 1e-10, 1e-11, "against the Jacobian")
        s, divergence = score_and_divergence(model, x)
        agree("the score with its divergence", s, score(model, x), 1e-10, 1e-11)
        agree("tr grad s", divergence, jacobian.diagonal(dim1=1, dim2=2).sum(-1), 1e-10, 1e-11, "against the Jacobian")
        if gives_energy(spec):
            agree("the Jacobian of the score", jacobian, jacobian.mT, 1e-10, 1e-11, "of an energy it is symmetric")


@only(lambda spec: "given" not in gives(spec))
def starts_from_its_generator(spec: Spec) -> None:
    """First weights come from the generator alone: the same stream gives the same, another gives others, all finite."""

    def parameters(*names: object) -> dict[str, Tensor]:
        return dict(spec.build(3, stream(*names)).named_parameters())

    why = "scorebench.models.base.dense is a layer that draws from the generator"
    with own_generator(f"the model, as it is built ({why}),"):
        first = parameters("a")
    again, other = parameters("a"), parameters("b")
    for name, value in first.items():
        agree(f"{name}, built again from the same stream,", again[name], value, 0, 0, why)
        finite(name, value.flatten())
    assert not first or any(not torch.equal(first[k], other[k]) for k in first), (
        "another stream gives the same first weights; they were expected to be drawn from the generator"
    )


def changes_nothing_in_place(spec: Spec) -> None:
    """Points and parameters are left as they are."""
    model, x = bound(spec, 2), points(2)
    with unchanged("forward", x=x, parameters=model.parameters):
        model(x)


def maps_over_a_stack(spec: Spec) -> None:
    """A stack of three is each of its members and the plain module, to 5e-6 of the largest number.

    Over ten times these inputs the largest difference of the shipped models was 9e-7.
    """
    for dim in DIMS:
        module, stacked = stack(functools.partial(spec.build, dim), [stream("stack", i) for i in range(3)])
        x = torch.randn(3, 32, dim, generator=stream("x", dim))
        functions: list[Callable[..., Any]] = [score, score_and_divergence] + [score_and_log_prob] * gives_energy(spec)
        for function, i in itertools.product(functions, range(3)):
            together = over_stack(function, module, gives_energy(spec), level(spec))(stacked, x)
            one = over_stack(function, module, gives_energy(spec), level(spec))({k: v[i : i + 1] for k, v in stacked.items()}, x[i : i + 1])
            member = Bound(spec.build(dim, stream("stack", i)), {k: v[i] for k, v in stacked.items()}, gives_energy(spec), level(spec))
            for a, b, c in zip(*map(_parts, (together, one, function(member, x[i]))), strict=True):
                size = 5e-6 * float(a[i].abs().max())
                agree("a stack of one", b[0], a[i], 0, size, "what it is in a stack of three")
                agree("the plain module", c, a[i], 0, size, "what it is in a stack of three")


def _parts(result: Any) -> Iterator[Tensor]:
    yield from (result if isinstance(result, tuple) else (result,))


@only(has_levels)
def has_a_level_a_row(spec: Spec) -> None:
    """Many noise levels in one batch give what each gives alone, and they differ."""
    for dim in DIMS:
        model, x = bound(spec, dim), points(dim, 6)
        sigmas = torch.tensor([0.1, 0.5, 3.0]).double().repeat(2)
        together = score(model.at(sigmas), x)
        for i, sigma in enumerate(sigmas):
            agree(
                "the score of a row at its level", together[i], score(model.at(sigma), x[i]), 1e-12, 1e-12, "what it is at that level alone"
            )
        assert not torch.allclose(score(model.at(sigmas[0]), x), score(model.at(sigmas[2]), x)), (
            "the scores at sigma = .1 and 3 are the same"
        )


@only(lambda spec: "closed_form" in gives(spec))
def is_linear_where_it_says(spec: Spec) -> None:
    """Once placed by its generator its output is linear in the parameter that it names, beside a constant; the Gram matrix is a squared norm."""
    for dim in DIMS:
        x, modules = points(dim, 200), [spec.build(dim, stream("linear", dim)) for _ in range(2)]
        for module in modules:
            with own_generator("place"), unchanged("place", x=x):
                module.place(x.float(), stream("place", dim))
        module, again = ({name: value.detach().double() for name, value in m.named_parameters()} for m in modules)
        for name, value in module.items():
            agree(f"{name} after the same place again", again[name], value, 0, 0, "place is a function of the points and its generator")
            finite(f"{name} after place", value.flatten())
        its, name = modules[0].double(), modules[0].linear
        assert name in module, f"linear = {name!r} is no parameter (known: {', '.join(module)})"
        one, other = (torch.randn(module[name].shape, generator=stream("linear at", dim, use), dtype=torch.float64) for use in "ab")
        at = [Bound(its, module | {name: w}, gives_energy(spec))(x) for w in (one + other, torch.zeros_like(one), one, other)]
        agree(
            f"the output at {name} = a + b, and that at 0, less those at a and at b",
            at[0] + at[1] - at[2] - at[3],
            0 * at[0],
            0,
            1e-8,
            "linear",
        )
        gram, size = its.gram().detach(), module[name].numel()
        assert gram.shape == (size, size), f"gram has shape {tuple(gram.shape)}; {(size, size)} was expected, {name} having {size} entries"
        agree("gram, transposed", gram.T, gram, 1e-10, 1e-10, "a quadratic form")
        lowest, highest = (float(v) for v in torch.linalg.eigvalsh(gram)[[0, -1]])
        assert highest > 0 and lowest >= -1e-10 * highest, (
            f"gram has eigenvalues from {lowest:.3g} to {highest:.3g}; a squared norm has none below 0"
        )


CHECKS: tuple[Check, ...] = (
    declares_what_it_gives,
    lists_its_options,
    gives_row_by_row,
    is_finite_everywhere,
    has_the_score_of_its_energy,
    is_its_field,
    has_its_curvature,
    starts_from_its_generator,
    changes_nothing_in_place,
    obeys_its_options,
    maps_over_a_stack,
    has_a_level_a_row,
    is_linear_where_it_says,
)
