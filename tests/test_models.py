"""Contract of a model: score, curvature and divergence against their definitions, parameters from the generator. Over the registry.

Identities and convergence orders, without randomness, but for the spread of a layer's first weights (alpha 1e-4).
"""

import ast
import dataclasses

import pytest
import torch
from conftest import over
from torch.func import jacrev, vmap

from scorebench.core import registry
from scorebench.core.spec import Spec, parse
from scorebench.models import base
from scorebench.models.base import Bound, over_stack, score, score_along, score_and_divergence, score_and_log_prob, stack
from scorebench.testing.examples import examples, stream
from scorebench.testing.statistical import assert_mean

pytestmark = pytest.mark.usefixtures("device")
DIMS = pytest.mark.parametrize("dim", [1, 2, 5])


def bound(spec, dim: int, *names: object) -> Bound:
    """A model in float64 with parameters moved off their start, so that none is zero by chance of initialisation."""
    module = spec.build(dim, stream("init", spec, dim, *names)).double()
    generator = stream("move", spec, dim, *names)
    parameters = {k: v.detach() + 0.2 * torch.randn(v.shape, generator=generator, dtype=v.dtype) for k, v in module.named_parameters()}
    return Bound(module, parameters, energy(spec), level(spec))


def level(spec) -> torch.Tensor | None:
    """A noise level for a model that has them."""
    return torch.tensor(0.4) if "noise_levels" in spec.entry.facts["GIVES"] else None


def points(dim: int, n: int = 7) -> torch.Tensor:
    return 1.5 * torch.randn(n, dim, generator=stream("points", dim), dtype=torch.float64)


def energy(spec) -> bool:
    return "log_prob" in spec.entry.facts["GIVES"]


def difference(model: Bound, x: torch.Tensor, h: float) -> torch.Tensor:
    """-grad E by central differences."""
    steps = h * torch.eye(x.shape[-1], dtype=x.dtype)
    return torch.stack([-(model(x + e) - model(x - e)) / (2 * h) for e in steps], -1)


@over("spec", "model")
@DIMS
def test_shapes(spec, dim):
    """GIVES says what forward gives, row by row, whatever the leading axes."""
    facts = spec.entry.facts
    assert (
        "score" in facts["GIVES"] <= {"score", "log_prob", "noise_levels", "closed_form"}
        and isinstance(facts["LABEL"], str)
        and isinstance(facts["REFERENCE"], str)
    )
    model, x = bound(spec, dim), points(dim, 12)
    assert model(x).shape == ((12,) if energy(spec) else (12, dim))
    assert score(model, x).shape == x.shape and score(model, x).dtype == torch.float64
    torch.testing.assert_close(score(model, x.view(3, 4, dim)).view(12, dim), score(model, x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(score(model, x[5:6]), score(model, x)[5:6], rtol=1e-12, atol=1e-12)  # a row knows no other


@over("spec", "model", energy)
@DIMS
def test_score_is_minus_the_gradient(spec, dim):
    """The error of central differences falls as h^2 (or is zero, for a quadratic) down to rounding."""
    model, x = bound(spec, dim), points(dim)
    coarse, fine = ((difference(model, x, h) - score(model, x)).norm() for h in (2e-2, 1e-2))
    assert fine < 1e-3
    assert coarse < 1e-11 or 3.8 < coarse / fine < 4.2
    torch.testing.assert_close(score(model, x), -vmap(jacrev(model))(x), rtol=1e-10, atol=1e-12)
    s, log_p = score_and_log_prob(model, x)
    assert torch.equal(log_p, -model(x))
    torch.testing.assert_close(s, score(model, x), rtol=1e-12, atol=1e-12)


@over("spec", "model", lambda s: not energy(s))
@DIMS
def test_score_of_a_field_is_the_field(spec, dim):
    model, x = bound(spec, dim), points(dim)
    assert torch.equal(score(model, x), model(x))


@over("spec", "model")
@DIMS
def test_curvature_against_the_jacobian(spec, dim):
    """s, (grad s) v and tr grad s against the full Jacobian by reverse differentiation."""
    model, x = bound(spec, dim), points(dim)
    v = torch.randn(x.shape, generator=stream("v"), dtype=x.dtype)
    jacobian = vmap(jacrev(lambda y: score(model, y)))(x)  # (n, d, d)
    s, along = score_along(model, x, v)
    torch.testing.assert_close(s, score(model, x), rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(along, torch.einsum("nij,nj->ni", jacobian, v), rtol=1e-10, atol=1e-11)
    s, divergence = score_and_divergence(model, x)
    torch.testing.assert_close(s, score(model, x), rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(divergence, jacobian.diagonal(dim1=1, dim2=2).sum(-1), rtol=1e-10, atol=1e-11)
    if energy(spec):
        torch.testing.assert_close(jacobian, jacobian.mT, rtol=1e-10, atol=1e-11)


@over("spec", "model", energy)
def test_a_flipped_sign_is_seen(spec, monkeypatch):
    """The mutant: the score as plus the gradient."""
    monkeypatch.setattr(base, "grad", lambda f: lambda x: -torch.func.grad(f)(x))
    model, x = bound(spec, 2), points(2)
    assert (difference(model, x, 1e-2) - base.score(model, x)).norm() > 0.1


@over("spec", "model")
def test_parameters_come_from_the_generator(spec):
    """The same stream gives the same parameters, another gives others; all are finite."""

    def parameters(*names):
        return dict(spec.build(3, stream(*names)).named_parameters())

    first, again, other = parameters("a"), parameters("a"), parameters("b")
    assert all(torch.equal(first[k], again[k]) and first[k].isfinite().all() for k in first)
    assert any(not torch.equal(first[k], other[k]) for k in first)


def altered(spec: Spec, name: str) -> Spec:
    """The model with another value of one option."""
    annotation, value = spec.entry.options[name].annotation, spec.options[name]
    others = {"Count": lambda: value + 1, "bool": lambda: not value, "Share": lambda: value / 2}
    if annotation.startswith("Literal"):
        others[annotation] = lambda: next(choice for choice in ast.literal_eval(annotation.removeprefix("Literal")) if choice != value)
    return dataclasses.replace(spec, given=tuple((spec.options | {name: others.get(annotation, lambda: 2 * value + 1)()}).items()))


OPTIONS = [(spec, name) for spec in examples("model") for name in spec.entry.options]


@pytest.mark.parametrize(("spec", "name"), OPTIONS, ids=str)
def test_no_option_is_dead(spec, name):
    """Another value of it, from the same stream: other shapes of parameters, or another function."""
    one, other = (s.build(2, stream("option")).double() for s in (spec, altered(spec, name)))
    shapes, other_shapes = ({k: v.shape for k, v in m.named_parameters()} for m in (one, other))
    if shapes == other_shapes:
        x, sigma = points(2), level(spec)
        a, b = ((m(x) if sigma is None else m(x, sigma)).detach() for m in (one, other))
        assert float((a - b).abs().max()) > 1e-2 * float(a.abs().max())


def test_options_are_covered():
    assert {("autoencoder", "sigma"), ("mlp_energy", "depth"), ("mlp_score", "width")} <= {(spec.name, name) for spec, name in OPTIONS}


@DIMS
def test_autoencoder_reconstructs_the_same_at_every_sigma(dim):
    """s = (r(x) - x)/sigma^2 with r from the parameters alone: x + sigma^2 s is the same for every sigma, and a multilayer perceptron's output."""
    x, width = points(dim), 16
    reconstructions = []
    for sigma in (0.25, 0.5, 2.0):
        model = parse("model", f"autoencoder:width={width},sigma={sigma}").build(dim, stream("reconstruct")).double()
        reconstructions.append(x + sigma**2 * model(x))
    perceptron = parse("model", f"mlp_score:width={width}").build(dim, stream("reconstruct")).double()(x)
    for r in reconstructions:
        torch.testing.assert_close(r, perceptron, rtol=1e-12, atol=1e-12)
    assert float((perceptron - x).detach().abs().max()) > 0.1


@over("spec", "model")
@DIMS
def test_a_stack_equals_its_members(spec, dim):
    """A stack of one, and the plain module, to 5e-6 of the largest number; over ten times these inputs the largest difference was 9e-7."""
    module, stacked = stack(lambda g: spec.build(dim, g), [stream("stack", i) for i in range(3)])
    x = torch.randn(3, 32, dim, generator=stream("x", dim))
    functions = [score, score_and_divergence] + [score_and_log_prob] * energy(spec)
    for function in functions:
        together = over_stack(function, module, energy(spec), level(spec))(stacked, x)
        for i in range(3):
            one = over_stack(function, module, energy(spec), level(spec))({k: v[i : i + 1] for k, v in stacked.items()}, x[i : i + 1])
            member = Bound(spec.build(dim, stream("stack", i)), {k: v[i] for k, v in stacked.items()}, energy(spec), level(spec))
            plain = function(member, x[i])
            for a, b, c in zip(*(r if isinstance(r, tuple) else (r,) for r in (together, one, plain)), strict=True):
                size = float(a[i].abs().max())
                torch.testing.assert_close(b[0], a[i], rtol=0, atol=5e-6 * size)
                torch.testing.assert_close(c, a[i], rtol=0, atol=5e-6 * size)


@pytest.mark.parametrize("gain", [1.0, 1.4])
def test_dense_starts_as_it_says(gain):
    """Weights of variance gain^2/inputs and no bias; 40,000 weights at alpha 1e-4 over both gains see 3 % of a variance."""
    layer = base.dense(100, 400, stream("dense", gain), gain)
    assert not layer.bias.any()
    weights = layer.weight.detach().flatten().double()
    assert_mean(torch.stack([weights, weights.square()], -1), [0.0, gain**2 / 100], 2)


def test_quadratic_is_the_quadratic():
    """E = (x - m)' M (x - m)/2, s = -(M + M')(x - m)/2, tr grad s = -tr M, for a matrix that is not symmetric."""
    model, x = bound(parse("model", "quadratic"), 3), points(3)
    matrix, mean = model.parameters["matrix"], model.parameters["mean"]
    assert not torch.allclose(matrix, matrix.T)
    torch.testing.assert_close(model(x), 0.5 * torch.einsum("ni,ij,nj->n", x - mean, matrix, x - mean), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(score(model, x), -(x - mean) @ (matrix + matrix.T) / 2, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(score_and_divergence(model, x)[1], -matrix.trace().expand(len(x)), rtol=1e-12, atol=1e-12)


@over("spec", "model", lambda s: level(s) is not None)
@DIMS
def test_a_level_a_row(spec, dim):
    """Many noise levels in one batch give what each gives alone, and they differ."""
    model, x = bound(spec, dim), points(dim, 6)
    sigmas = torch.tensor([0.1, 0.5, 3.0]).double().repeat(2)
    together = score(model.at(sigmas), x)
    for i, sigma in enumerate(sigmas):
        torch.testing.assert_close(together[i], score(model.at(sigma), x[i]), rtol=1e-12, atol=1e-12)
    assert not torch.allclose(score(model.at(sigmas[0]), x), score(model.at(sigmas[2]), x))


def test_much_noise_is_a_gaussian():
    """At sigma = 1,000 the noise-conditional energy is that of N(0, sigma^2 I) but for a residual whose slope falls as 1/sigma."""
    model, x = bound(parse("model", "noise_conditional_energy"), 2).at(torch.tensor(1e3).double()), 1e3 * points(2)
    expected = -x / (1 + 1e6)
    assert (score(model, x) - expected).norm(dim=-1).max() < 20 / 1e3
    assert torch.allclose(score(model.at(torch.tensor(1e6).double()), x), torch.zeros_like(x), atol=1e-4)


def test_every_model_is_here():
    assert {"autoencoder", "mlp_energy", "mlp_score", "noise_conditional_energy", "quadratic"} <= set(registry.names("model"))
