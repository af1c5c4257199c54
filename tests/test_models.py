"""Contract of a model: score, curvature and divergence against their definitions, parameters from the generator. Over the registry.

Identities and convergence orders, without randomness, but for the spread of a layer's first weights (alpha 1e-4).
"""

import ast
import dataclasses

import pytest
import torch
from conftest import contract, over

from scorebench.core import registry
from scorebench.core.spec import Spec, parse
from scorebench.models import base
from scorebench.models.base import score, score_and_divergence
from scorebench.testing.examples import examples, stream
from scorebench.testing.models import bound, difference, gives_energy, level, points
from scorebench.testing.statistical import assert_mean

pytestmark = pytest.mark.usefixtures("device")
DIMS = pytest.mark.parametrize("dim", [1, 2, 5])


@contract("model")
def test_contract(check, spec):
    """The checks that are shipped; those that rest on chance have a false-alarm rate of 1e-5 for each spec."""
    check(spec)


@over("spec", "model", gives_energy)
def test_a_flipped_sign_is_seen(spec, monkeypatch):
    """The mutant: the score as plus the gradient."""
    monkeypatch.setattr(base, "grad", lambda f: lambda x: -torch.func.grad(f)(x))
    model, x = bound(spec, 2), points(2)
    assert (difference(model, x, 1e-2) - base.score(model, x)).norm() > 0.1


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


def test_much_noise_is_a_gaussian():
    """At sigma = 1,000 the noise-conditional energy is that of N(0, sigma^2 I) but for a residual whose slope falls as 1/sigma."""
    model, x = bound(parse("model", "noise_conditional_energy"), 2).at(torch.tensor(1e3).double()), 1e3 * points(2)
    expected = -x / (1 + 1e6)
    assert (score(model, x) - expected).norm(dim=-1).max() < 20 / 1e3
    assert torch.allclose(score(model.at(torch.tensor(1e6).double()), x), torch.zeros_like(x), atol=1e-4)


def test_the_preconditioned_denoiser_is_that_of_karras():
    """x + sigma^2 s(x, sigma) = c_skip x + c_out F(c_in x, c_noise), written out by hand at three levels; untrained, the mean given N(0, v I)."""
    spec, v = parse("model", "preconditioned_denoiser:width=8,depth=2,data_std=0.5"), 0.25
    model, x = bound(spec, 3), points(3, 9)
    p = model.parameters
    sigma = torch.tensor([0.05, 0.5, 4.0], dtype=torch.float64).repeat(3)
    skip, out, scale = v / (sigma**2 + v), sigma * v**0.5 / (sigma**2 + v) ** 0.5, (sigma**2 + v) ** -0.5
    h = torch.cat([scale[:, None] * x, sigma.log()[:, None] / 4], -1) @ p["first.weight"].T + p["first.bias"]
    for layer in ("hidden.0", "hidden.1"):
        a = h @ p[f"{layer}.weight"].T + p[f"{layer}.bias"]
        h = h + a * a.sigmoid()
    expected = skip[:, None] * x + out[:, None] * (h @ p["out.weight"].T + p["out.bias"])
    torch.testing.assert_close(x + sigma[:, None] ** 2 * score(model.at(sigma), x), expected, rtol=1e-10, atol=1e-10)
    untrained = spec.build(3, stream("untrained")).double()
    mean = x + sigma[:, None] ** 2 * score(base.Bound(untrained, dict(untrained.named_parameters()), False, sigma), x)
    torch.testing.assert_close(mean, skip[:, None] * x, rtol=1e-10, atol=1e-10)


def test_every_model_is_here():
    assert {"autoencoder", "mlp_energy", "mlp_score", "noise_conditional_energy", "preconditioned_denoiser", "quadratic"} <= set(
        registry.names("model")
    )
