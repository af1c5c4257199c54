"""Contract of a loss: one value a row, the stated gradient, and a minimum where `fixed_point` says. Over the registry.

Closed forms, identities and quadrature are exact in float64. The checks that are shipped (`scorebench.testing.losses`) run over every loss with every model
that it can train; those that rest on chance (stationarity at the fixed point, for losses of any law) have a false-alarm rate of 1e-5 a loss, and with 200,000
rows see a precision that is off by 5 %, which a counter-example demonstrates.
"""

import itertools

import pytest
import torch
from conftest import contract, over
from torch.func import grad, grad_and_value, vmap

from scorebench.core import registry
from scorebench.core.errors import NotApplicable
from scorebench.core.spec import Spec, parse
from scorebench.engine.objective import objective
from scorebench.engine.tracing import operations
from scorebench.losses import sliced as sliced_module
from scorebench.models.base import Bound, score, score_and_divergence
from scorebench.targets.base import Target
from scorebench.targets.lib.mixture import mixture
from scorebench.testing.examples import cached, examples, pairs, stream
from scorebench.testing.lattice import Lattice
from scorebench.testing.losses import data, draws, gaussian, model, rows, stationary, where_stationary
from scorebench.testing.statistical import assert_mean

EXACT = ("closed_form", "explicit", "implicit", "sliced", "sliced_vr")
pytestmark = pytest.mark.usefixtures("device")


@cached
def bimodal() -> Target:
    """A mixture on the line, for quadrature."""
    return mixture(torch.tensor([0.3, 0.7]), torch.tensor([[-1.5], [1.0]]), torch.tensor([[0.3], [0.5]]))


@contract("loss")
def test_contract(check, spec):
    """The checks that are shipped; those that rest on chance have a false-alarm rate of 1e-5 for each spec."""
    check(spec)


@over("spec", "loss")
def test_five_per_cent_of_a_precision_are_seen(spec):
    """Away from the fixed point by so much the population's gradient does not vanish."""
    law = where_stationary(spec)
    for factor in (0.95, 1.05):
        with pytest.raises(AssertionError):
            stationary(spec, law, factor)


def states_a_fixed_point(spec: Spec) -> bool:
    """A loss may not know what it learns."""
    try:
        registry.module("loss", spec.name).fixed_point(gaussian(), **spec.options)
    except NotApplicable:
        return False
    return True


def test_wrong_losses_are_seen(monkeypatch):
    """The mutants: sliced with its curvature's sign flipped, without its half, with directions of the wrong length."""
    spec = parse("loss", "sliced:probe=gaussian")
    along = sliced_module.score_along
    for broken in (
        lambda m, x, v: (along(m, x, v)[0], -along(m, x, v)[1]),
        lambda m, x, v: (2**0.5 * along(m, x, v)[0], along(m, x, v)[1]),
        lambda m, x, v: (1.1 * along(m, x, v)[0], along(m, x, v)[1]),
    ):
        monkeypatch.setattr(sliced_module, "score_along", broken)
        with pytest.raises(AssertionError):
            stationary(spec, gaussian())


# Closed forms a row, written apart from the code: s = -S(x - m), S the symmetric part of M.


def closed(name: str, mean: torch.Tensor, matrix: torch.Tensor, x: torch.Tensor, e: torch.Tensor, sigma: float) -> torch.Tensor:
    symmetric = (matrix + matrix.T) / 2

    def s(y):
        return -(y - mean) @ symmetric

    if name == "explicit":
        return ((s(x) - e) ** 2).sum(1) / 2
    if name in ("implicit", "closed_form"):
        return -torch.trace(matrix) + (s(x) ** 2).sum(1) / 2
    if name == "sliced_vr":
        return -torch.einsum("ni,ij,nj->n", e, matrix, e) + (s(x) ** 2).sum(1) / 2
    if name == "sliced":
        return -torch.einsum("ni,ij,nj->n", e, matrix, e) + (s(x) * e).sum(1) ** 2 / 2
    # Vincent (2011), eq. 9, times sigma^2: the noised point is y = x + sigma e, the score of the noise (x - y)/sigma^2.
    y = x + sigma * e
    return sigma**2 * ((s(y) - (x - y) / sigma**2) ** 2).sum(1) / 2


@over("spec", "loss", lambda s: s.name in (*EXACT, "denoising"))
def test_closed_form_on_a_quadratic_energy(spec):
    """Value a row, and its gradient in the parameters, with injected draws; exact."""
    of, x = model("quadratic", 3), 2 * torch.randn(40, 3, generator=stream("x"), dtype=torch.float64)
    e = torch.randn(40, 3, generator=stream("e"), dtype=torch.float64)
    sigma = spec.options.get("sigma", 0.0)
    expected = closed(spec.name, of.parameters["mean"], of.parameters["matrix"], x, e, sigma)
    torch.testing.assert_close(rows(spec, of, x, e), expected, rtol=1e-11, atol=1e-11)
    wanted = grad(lambda p: closed(spec.name, p["mean"], p["matrix"], x, e, sigma).sum())(of.parameters)
    found = grad(lambda p: rows(spec, Bound(of.module, p, True), x, e).sum())(of.parameters)
    for key in wanted:
        torch.testing.assert_close(found[key], wanted[key], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ["mlp_energy:width=8", "mlp_score:width=8"])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_sliced_averages_to_implicit(name, dim):
    """The mean over all 2^d Rademacher directions is the exact trace; exact."""
    of, x = model(name, dim), torch.randn(20, dim, generator=stream("x"), dtype=torch.float64)
    probes = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=dim)), dtype=torch.float64)
    for loss in ("sliced", "sliced_vr"):
        average = torch.stack([rows(parse("loss", loss), of, x, v.expand_as(x)) for v in probes]).mean(0)
        torch.testing.assert_close(average, rows(parse("loss", "implicit"), of, x, x[:, :0]), rtol=1e-10, atol=1e-10)


def test_variance_reduction():
    """Gaussian directions on a quadratic energy: the square along v has variance |s|^4/2 a row, which is gone; exact moments by 200,000 draws."""
    of, x = model("quadratic", 2), torch.tensor([[1.0, -2.0]], dtype=torch.float64).repeat(200_000, 1)
    v = torch.randn(x.shape, generator=stream("vr"), dtype=torch.float64)
    plain, reduced = (rows(parse("loss", f"{n}:probe=gaussian"), of, x, v) for n in ("sliced", "sliced_vr"))
    s, matrix = score(of, x[:1])[0], of.parameters["matrix"]
    symmetric = (matrix + matrix.T) / 2
    # var(v'Av) = 2 tr A^2 for symmetric A; here A = -S, and A = -S + s s'/2 with the square along v.
    for values, a in ((reduced, -symmetric), (plain, -symmetric + torch.outer(s, s) / 2)):
        centred = values - values.mean()
        assert_mean(centred.square(), 2 * (a @ a).trace(), 2)


def test_ladder_is_denoising_at_each_level():
    """The loss of many levels is, row by row, that of its level; every level is drawn as often (alpha 1e-4, sees 2 % of 30,000)."""
    spec = parse("loss", "denoising_ladder:sigmas=2|1|0.5")
    of, x = model("noise_conditional_energy:width=8", 2), data(gaussian(), 30_000, "ladder")
    noise = draws(spec, x, gaussian())
    values = rows(spec, of, x, noise)
    for sigma in (2.0, 1.0, 0.5):
        at = noise[:, -1] == sigma
        single = parse("loss", f"denoising:sigma={sigma}")
        torch.testing.assert_close(values[at], rows(single, of.at(torch.tensor(sigma)), x[at], noise[at, :-1]), rtol=1e-6, atol=1e-6)
        assert_mean(at.double(), 1 / 3, 3)


@pytest.mark.parametrize("probe", ["rademacher", "gaussian", "sphere"])
def test_directions_have_unit_second_moment(probe):
    """E v = 0, E v v' = I: 100,000 draws, alpha 1e-4 over three probes, sees .02."""
    x = torch.zeros(100_000, 3, dtype=torch.float64)
    v = sliced_module.draws(x, gaussian(), stream("probe", probe), probe=probe)
    assert v.dtype == torch.float64
    if probe == "rademacher":
        assert set(v.unique().tolist()) == {-1.0, 1.0}
    if probe == "sphere":
        torch.testing.assert_close(v.norm(dim=-1), torch.full((100_000,), 3**0.5, dtype=torch.float64))
    moments = torch.cat([v, (v[:, :, None] * v[:, None, :]).flatten(1)], -1)
    assert_mean(moments, torch.cat([torch.zeros(3), torch.eye(3).flatten()]), 3)


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_noise_of_denoising_is_standard(sigma):
    """Sees a mean or a variance off by .02; alpha 1e-4."""
    e = draws(parse("loss", f"denoising:sigma={sigma}"), torch.zeros(100_000, 2, dtype=torch.float64), gaussian())
    assert_mean(torch.cat([e, e.square(), e[:, :1] * e[:, 1:]], -1), [0.0, 0.0, 1.0, 1.0, 0.0], 2)


# Identities of the population, by quadrature on the line: the losses differ by constants of the target.


def energies() -> list[Bound]:
    return [model("mlp_energy:width=8", 1, i) for i in range(4)]


def test_implicit_is_explicit_less_a_constant():
    """J_explicit - J_implicit = E |grad log p|^2 / 2 for every model (Hyvarinen 2005, theorem 1)."""
    target = bimodal()
    grid = Lattice(target.log_prob, 1, 8.0, 2_001)
    truth = target.score(grid.points)
    constant = 0.5 * grid.mean(truth.square().sum(-1))
    for of in energies():
        explicit = grid.mean(rows(parse("loss", "explicit"), of, grid.points, truth))
        implicit = grid.mean(rows(parse("loss", "implicit"), of, grid.points, grid.points[:, :0]))
        assert float(explicit - implicit) == pytest.approx(float(constant), rel=1e-6)
        s, divergence = score_and_divergence(of, grid.points)  # a wrong factor is seen
        assert abs(float(explicit - grid.mean(divergence + s.square().sum(-1)) - constant)) > 1e-2


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_denoising_is_explicit_on_the_noised_density(sigma):
    """J_denoising/sigma^2 - J_explicit(p * N(0, sigma^2)) is the same for all models (Vincent 2011, section 4.2); to p it is not."""
    target, noised = bimodal(), bimodal().perturbed(sigma)
    grid, smooth = Lattice(target.log_prob, 1, 7.0, 401), Lattice(noised.log_prob, 1, 12.0, 2_001)
    noise = Lattice(lambda e: -e.square().sum(-1) / 2, 1, 7.0, 201)
    x, e = grid.points.repeat_interleave(201, 0), noise.points.repeat(401, 1)
    mass = torch.outer(grid.mass, noise.mass).flatten()
    gaps, wrong = [], []
    for of in energies():
        denoising = (mass * rows(parse("loss", f"denoising:sigma={sigma}"), of, x, e)).sum() / sigma**2
        gaps.append(denoising - smooth.mean(0.5 * (score(of, smooth.points) - noised.score(smooth.points)).square().sum(-1)))
        wrong.append(denoising - grid.mean(0.5 * (score(of, grid.points) - target.score(grid.points)).square().sum(-1)))
    assert float(torch.stack(gaps).std()) < 1e-6
    assert float(torch.stack(wrong).std()) > 1e-2


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_denoising_learns_the_noised_precision(sigma):
    """On N(0, v) the gradient is zero at precision 1/(v + sigma^2), by quadrature to 1e-9, and not at 1/v."""
    spec, v = parse("loss", f"denoising:sigma={sigma}"), 0.5
    module = parse("model", "quadratic").build(1, stream("structure")).double()
    normal = Lattice(lambda e: -e.square().sum(-1) / 2, 1, 9.0, 201)
    x, e = v**0.5 * normal.points.repeat_interleave(201, 0), normal.points.repeat(201, 1)
    mass = torch.outer(normal.mass, normal.mass).flatten()

    def slope(precision: float) -> float:
        def mean(matrix):
            parameters = {"mean": torch.zeros(1, dtype=torch.float64), "matrix": matrix}
            return (mass * rows(spec, Bound(module, parameters, True), x, e)).sum()

        return float(grad(mean)(torch.tensor([[precision]], dtype=torch.float64)))

    assert abs(slope(1 / (v + sigma**2))) < 1e-9
    assert slope(1 / v) > 1e-2  # the minimum lies below


@over("spec", "loss", lambda s: s.name in EXACT)
def test_fixed_point_of_an_exact_loss_is_the_target(spec):
    digits = parse("target", "digits").build()
    assert registry.module("loss", spec.name).fixed_point(digits, **spec.options) is digits


@over("spec", "loss", lambda s: s.name in ("denoising", "denoising_ladder"))
def test_fixed_point_of_denoising_is_the_noised_target(spec):
    """At the lowest level of many; unknown where the noised density is."""
    fixed_point = registry.module("loss", spec.name).fixed_point
    with pytest.raises(NotApplicable):
        fixed_point(parse("target", "digits").build(), **spec.options)
    x = torch.randn(5, 2, generator=stream("x"), dtype=torch.float64)
    sigma = spec.options["sigma"] if spec.name == "denoising" else spec.options["sigmas"][-1]
    assert torch.equal(fixed_point(gaussian(), **spec.options).score(x), gaussian().perturbed(sigma).score(x))


def test_shipped_losses_state_a_fixed_point():
    """Where the noised density is known; the tests of stationarity run over those that do."""
    assert {"denoising", "denoising_ladder", *EXACT} <= {spec.name for spec in examples("loss") if states_a_fixed_point(spec)}


# Gradients by plain autograd: reverse mode alone, the Jacobian row by row, one member at a time.


def plain_score(of: torch.nn.Module, x: torch.Tensor, energy: bool, *sigma: torch.Tensor) -> torch.Tensor:
    return -torch.autograd.grad(of(x, *sigma).sum(), x, create_graph=True)[0] if energy else of(x, *sigma)


def plain_jacobian(of: torch.nn.Module, x: torch.Tensor, energy: bool) -> torch.Tensor:
    """d s_i/d x_j, (batch, i, j)."""
    s = plain_score(of, x, energy)
    return torch.stack([torch.autograd.grad(s[:, i].sum(), x, create_graph=True)[0] for i in range(x.shape[1])], 1)


def plain_chains(of: torch.nn.Module, x: torch.Tensor, e: torch.Tensor, steps: int, step_size: float) -> torch.Tensor:
    """Where chains of MALA end."""
    for k in range(steps):
        eps, u = e.unflatten(1, (steps, -1))[:, k].split([x.shape[1], 1], 1)
        s = plain_score(of, x, True).detach()
        y = (x + step_size * s + (2 * step_size) ** 0.5 * eps).detach().requires_grad_()
        s_y = plain_score(of, y, True).detach()
        back, there = (x - y - step_size * s_y).square().sum(1), (y - x - step_size * s).square().sum(1)
        log_ratio = of(x) - of(y) - (back - there) / (4 * step_size)
        x = torch.where(u[:, 0].log() < log_ratio, y.T, x.T).T.detach().requires_grad_()
    return x


def plain_loss(spec: Spec, of: torch.nn.Module, energy: bool, x: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
    """The mean over a batch."""
    if "contrastive" in spec.name:
        return (of(x) - of(plain_chains(of, x, e, **spec.options))).mean()
    if spec.name == "denoising_ladder":
        eps, sigma = e[:, :-1], e[:, -1]
        noised = (x + sigma[:, None] * eps).detach().requires_grad_()
        return 0.5 * (sigma[:, None] * plain_score(of, noised, energy, sigma) + eps).square().sum(1).mean()
    if spec.name == "denoising":
        noised = (x + spec.options["sigma"] * e).detach().requires_grad_()
        return 0.5 * (spec.options["sigma"] * plain_score(of, noised, energy) + e).square().sum(1).mean()
    s = plain_score(of, x, energy)
    if spec.name == "explicit":
        return 0.5 * (s - e).square().sum(1).mean()
    jacobian = plain_jacobian(of, x, energy)
    if spec.name in ("implicit", "closed_form"):
        return (sum(jacobian[:, i, i] for i in range(x.shape[1])) + 0.5 * s.square().sum(1)).mean()
    curvature = torch.einsum("ni,nij,nj->n", e, jacobian, e)
    return (curvature + 0.5 * {"sliced": (s * e).sum(1).square(), "sliced_vr": s.square().sum(1)}[spec.name]).mean()


@pytest.mark.parametrize(("of", "spec"), pairs(), ids=str)
def test_gradients_are_those_of_plain_autograd(of, spec):
    """What training descends, mapped over a stack: to 1e-12 of the largest in float64 and, written down and against the same in float64, 1e-5 in float32."""
    dim = 3
    built = [of.build(dim, stream("plain", s)) for s in range(2)]
    energy = "log_prob" in of.entry.facts["GIVES"]
    x = torch.stack([gaussian(dim).sample(24, stream("plain data", s)) for s in range(2)])
    e = torch.stack([draws(spec, b, gaussian(dim), s) for s, b in enumerate(x)])
    gradient = vmap(grad_and_value(objective([spec], of, built[0]), has_aux=spec.name.startswith("persistent")))
    for dtype, tolerance, write in ((torch.float32, 1e-5, operations), (torch.float64, 1e-12, lambda function, *_: function)):
        stacked = {k: torch.stack([m.get_parameter(k).detach() for m in built]).to(dtype) for k, _ in built[0].named_parameters()}
        levels = torch.full((2,), spec.options.get("sigma", torch.nan), dtype=dtype)
        inputs = stacked, x.to(dtype), e.to(dtype), levels, *[x.to(dtype)] * spec.name.startswith("persistent")
        step = write(gradient, *inputs)
        assert (step is gradient) == (dtype is torch.float64)
        found = step(*inputs)[0]
        for s, module in enumerate(built):
            module.double().zero_grad()
            plain_loss(spec, module, energy, x[s].double().requires_grad_(), e[s].double()).backward()
            size = max(float(p.grad.abs().max()) for p in module.parameters() if p.grad is not None)
            for name, parameter in module.named_parameters():
                expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                torch.testing.assert_close(found[name][s].double(), expected, rtol=0, atol=tolerance * size)
