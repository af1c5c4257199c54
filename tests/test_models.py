"""Contract of a model: score, curvature and divergence against their definitions, parameters from the generator. Over the registry.

All of these are identities or convergence orders; there is no randomness in a verdict.
"""

import pytest
import torch
from conftest import over
from torch.func import jacrev, vmap

from scorebench.core import registry
from scorebench.core.spec import parse
from scorebench.models import base
from scorebench.models.base import Bound, over_stack, score, score_along, score_and_divergence, score_and_log_prob, stack
from scorebench.testing.examples import stream

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
        "score" in facts["GIVES"] <= {"score", "log_prob", "noise_levels"}
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


@over("spec", "model")
def test_no_option_is_dead(spec):
    """Every count changes the shape of the parameters."""
    for name, option in spec.entry.options.items():
        if option.annotation == "Count":
            changed = parse("model", f"{spec.name}:{name}={spec.options[name] + 1}")
            base_spec = parse("model", f"{spec.name}:{name}={spec.options[name]}")
            shapes = [[v.shape for v in s.build(2, stream("s")).parameters()] for s in (base_spec, changed)]
            assert shapes[0] != shapes[1], name


@over("spec", "model")
@DIMS
def test_a_stack_equals_its_members(spec, dim):
    """Bitwise a stack of one, and to rounding the plain module."""
    module, stacked = stack(lambda g: spec.build(dim, g), [stream("stack", i) for i in range(3)])
    x = torch.randn(3, 32, dim, generator=stream("x", dim))
    functions = [score, score_and_divergence] + [score_and_log_prob] * energy(spec)
    for function in functions:
        together = over_stack(function, module, energy(spec), level(spec))(stacked, x)
        for i in range(3):
            alone = over_stack(function, module, energy(spec), level(spec))({k: v[i : i + 1] for k, v in stacked.items()}, x[i : i + 1])
            of = Bound(spec.build(dim, stream("stack", i)), {k: v[i] for k, v in stacked.items()}, energy(spec), level(spec))
            single = function(of, x[i])
            for a, b, c in zip(*(r if isinstance(r, tuple) else (r,) for r in (together, alone, single)), strict=True):
                assert torch.equal(a[i], b[0])
                torch.testing.assert_close(a[i], c, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (3, 4), (1, 1)])
def test_dense_is_the_layer(shape):
    generator = stream("dense")
    layer = base.dense(*shape, generator).double()
    layer.bias.data.normal_(generator=generator)
    x = torch.randn(2, 5, shape[0], generator=generator, dtype=torch.float64)
    torch.testing.assert_close(layer(x), x @ layer.weight.T + layer.bias, rtol=1e-13, atol=1e-13)


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
    assert {"mlp_energy", "mlp_score", "noise_conditional_energy", "quadratic"} <= set(registry.names("model"))
