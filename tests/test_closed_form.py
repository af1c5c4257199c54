"""A loss with a fit of its own, and the kernel exponential family that it fits: the minimum, its law, its units, the choice of the ridge, what fails.

Solutions are compared with closed forms written apart from the code, in float64 up to the float32 of the stored parameters. One test is statistical: the
Fisher divergence of the fit against its asymptotic law (alpha 1e-4; 200 fits see a factor of 1.5).
"""

import math
import resource
from pathlib import Path

import pytest
import torch
from torch.func import grad, jacrev, vmap

from scorebench.commands import compare
from scorebench.commands.show import show
from scorebench.core.schema import OK
from scorebench.core.spec import parse
from scorebench.engine import training
from scorebench.engine.process import isolated
from scorebench.engine.sweep import lowest, train
from scorebench.losses import closed_form
from scorebench.losses.base import Problem
from scorebench.losses.implicit import implicit
from scorebench.models.base import Bound, score
from scorebench.report import tables
from scorebench.store import trained
from scorebench.suite.config import Training
from scorebench.suite.plan import Plan
from scorebench.suite.reading import checked
from scorebench.testing.examples import stream
from scorebench.testing.lattice import Lattice
from scorebench.testing.statistical import assert_mean


def fitted(model: str, x: torch.Tensor, ridge: float, place=None) -> dict[str, torch.Tensor]:
    """One fit a seed of x (seed, n, d); `place` for the model's own."""
    modules = [parse("model", model).build(x.shape[-1], stream("build")) for _ in x]
    for module in modules if place else ():
        place(module)
        module.place = lambda x, generator: None
    generators = [stream("fit", s) for s in range(len(x))]
    target = parse("target", "gaussian").build()
    return closed_form.fit(Problem(target, modules, True, x, generators, Training(size=x.shape[1])), ridge=ridge)


def kernels(y: torch.Tensor, z: torch.Tensor, h: float) -> tuple[torch.Tensor, ...]:
    """k, its gradient and its Laplacian in y: (n, m), (n, m, d), (n, m)."""
    off = y[:, None] - z
    k = torch.exp(-(off**2).sum(-1) / (2 * h**2))
    return k, -off / h**2 * k[..., None], k * ((off**2).sum(-1) / h**4 - y.shape[1] / h**2)


@pytest.mark.parametrize("ridge", [1e-5, 1e-2, 10.0])
def test_the_minimum_of_the_empirical_objective(ridge):
    """Sutherland et al. (2018), theorem 1, with the base density N(mean, spread^2 I): weights to 1e-5, from formulas of their own."""
    x = parse("target", "gaussian_mixture").build().sample(300, stream("x"))[None]
    own = {k: v[0].double() for k, v in fitted("kernel_exponential:points=8,fraction=0.25", x, ridge).items()}
    assert own["mean"] == pytest.approx(x[0].double().mean(0)) and float(own["log_spread"].exp() ** 2) == pytest.approx(
        float(x.var(1).mean())
    )
    y, h = (x[0].double() - own["mean"]) / own["log_spread"].exp(), 0.25 * math.sqrt(2 * 2)
    assert (torch.cdist(own["centres"], y).amin(1) < 1e-6).all()  # training points
    _, first, laplacian = kernels(y, own["centres"], h)
    gram = kernels(own["centres"], own["centres"], h)[0]
    curvature = torch.einsum("nmd,nkd->mk", first, first) / len(y)
    slope = (laplacian - torch.einsum("nmd,nd->nm", first, y)).mean(0)
    scale = torch.linalg.solve(gram, curvature).trace()
    expected = torch.linalg.solve(curvature + ridge * scale * gram, -slope)
    torch.testing.assert_close(own["weights"], expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_a_quadratic_energy_learns_the_precision():
    """Hyvarinen (2005), section 3.1: the mean, and the inverse of the covariance with 1/n; and with a ridge the solution of its linear equation."""
    x = 3 + torch.randn(1, 400, 3, generator=stream("x")) @ torch.tensor([[1.0, 0.0, 0.0], [0.5, 2.0, 0.0], [0.0, 1.0, 0.3]])
    centred = (x - x.mean(1))[0].double()
    covariance = centred.T @ centred / 400
    own = {ridge: fitted("quadratic", x, ridge)["matrix"][0].double() for ridge in (1e-12, 0.1)}
    torch.testing.assert_close(own[1e-12], torch.linalg.inv(covariance), rtol=1e-4, atol=1e-4)
    # E |A x|^2/2 - tr A + lambda c |A|^2/2 is least where (C A + A C)/2 + lambda c A = I; c, the trace of its curvature in M, A = (M + M')/2, is 2 tr C.
    a, c = own[0.1], 2 * covariance.trace()
    torch.testing.assert_close((covariance @ a + a @ covariance) / 2 + 0.1 * c * a, torch.eye(3).double(), rtol=1e-5, atol=1e-5)


def test_many_kernels_are_the_full_solution():
    """Sriperumbudur et al. (2017), theorem 5: 60 kernels an eighth of a width apart on the line, against f = -(xi + sum_a u_a k'(x_a, .))/lambda.

    What float32 cannot tell from zero is left out: less than sqrt(1.2e-7 60) of the norm in a direction, with coefficients of 4 a derivative, so that
    the scores agree to some 1 %; four kernels are off by more.
    """
    h, x = math.sqrt(2.0), torch.randn(1, 15, 1, generator=stream("x"))
    grid, points = torch.linspace(-3, 3, 41).double(), x[0, :, 0].double()

    def scores(count: int) -> tuple[torch.Tensor, float]:
        def place(module: torch.nn.Module) -> None:
            with torch.no_grad():
                module.centres.copy_(torch.linspace(-5, 5, count)[:, None])

        own = {k: v[0].double() for k, v in fitted(f"kernel_exponential:points={count},fraction=1", x, 1e-3, place).items()}
        _, first, _ = kernels(grid[:, None], own["centres"], h)
        return first[..., 0] @ own["weights"], 1e-3 / h**2

    def k(a: torch.Tensor, b: torch.Tensor, order: int) -> torch.Tensor:
        """The derivative of that order of exp(-u^2/(2 h^2)) at u = a - b."""
        function = lambda u: torch.exp(-(u**2) / (2 * h**2))  # noqa: E731
        for _ in range(order):
            function = grad(function)
        return vmap(vmap(function))(a[:, None] - b)

    many, ridge = scores(60)
    few, _ = scores(4)
    # <k'(x_a), k'(x_b)> = -k''(a - b); xi = mean_a of (d log q0)(x_a) k'(x_a, .) + k''(x_a, .), derivatives in x_a; q0 = N(0, 1).
    gram = -k(points, points, 2)
    h_b = ((-points)[:, None] * gram + -k(points, points, 3)).mean(0)
    u = torch.linalg.solve(gram + len(points) * ridge * torch.eye(len(points)).double(), -h_b)
    at = k(points, grid, 2)  # -d/dx of k'(x_a - x)
    slope_of_xi = ((-points)[:, None] * -at - k(points, grid, 3)).mean(0)
    full = -(slope_of_xi + -(u[:, None] * at).sum(0)) / ridge
    size = float(full.abs().max())
    assert float((many - full).abs().max()) < 0.01 * size < float((few - full).abs().max())


@pytest.mark.parametrize("model", ["quadratic", "kernel_exponential:points=4,fraction=1"])
def test_the_rate_of_a_model_that_is_right(model):
    """n times the Fisher divergence of the fit has the mean tr(H^-1 Sigma), H = E S'S, Sigma the covariance of the loss's gradient (an M-estimator).

    Densities on the line that the model has, their draws by inversion; 200 fits to 1,000 draws.
    """
    module = parse("model", model).build(1, stream("truth"))

    def place(other: torch.nn.Module) -> None:
        other.load_state_dict(module.state_dict())

    if "kernel" in model:
        with torch.no_grad():
            module.centres.copy_(torch.tensor([[-2.0], [-0.7], [0.6], [1.9]]))
            module.weights.copy_(torch.tensor([0.8, -0.5, 0.4, 0.3]))
    else:
        with torch.no_grad():
            module.matrix.fill_(1.7)
    name, truth = module.linear, {k: v.detach().double() for k, v in module.named_parameters()}

    def at(w: torch.Tensor) -> Bound:
        return Bound(module, truth | {name: w}, True)

    lattice = Lattice(lambda x: -at(truth[name])(x).detach(), 1, 9.0, 4_001)
    rows = lattice.points
    features = vmap(lambda row: jacrev(lambda w: score(at(w), row))(truth[name]))(rows).flatten(1)
    curvature = lattice.mean(features[:, :, None] * features[:, None])
    slopes = vmap(lambda row: grad(lambda w: implicit(at(w), row[None], row)[0])(truth[name]))(rows).flatten(1)
    assert float(lattice.mean(slopes).abs().max()) < 1e-6  # the truth is stationary
    spread = lattice.mean(slopes[:, :, None] * slopes[:, None])
    expected = torch.linalg.solve(curvature, spread).trace()
    nodes, cumulative = (torch.from_numpy(a) for a in lattice.cdf(0))
    uniform = torch.rand(200, 1_000, generator=stream("uniform"), dtype=torch.float64)
    right = torch.searchsorted(cumulative, uniform).clamp(1, len(nodes) - 1)
    share = (uniform - cumulative[right - 1]) / (cumulative[right] - cumulative[right - 1])
    x = (nodes[right - 1] + share * (nodes[right] - nodes[right - 1])).float()[..., None]
    off = (fitted(model, x, 1e-9, place)[name].double() - truth[name]).flatten(1)
    found = 1_000 * torch.einsum("si,ij,sj->s", off, curvature, off)
    assert_mean(found, expected, 2)
    with pytest.raises(AssertionError):
        assert_mean(found / 1.5, expected, 2)


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1e9, 0.0), (1.0, 1e4)])
@pytest.mark.parametrize("model", ["quadratic", "kernel_exponential:points=20"])
def test_units(model, scale, shift):
    """What is learnt has the data's place and unit, whatever the ridge: its score at the data, to 1e-3 and the rounding of moved points, 2^-10."""
    x = (512 * torch.randn(1, 500, 2, generator=stream("units"))).round() / 512

    def learnt(scale: float, shift: float) -> torch.Tensor:
        there = (scale * x.double() + shift).float()
        parameters = {name: value[0].double() for name, value in fitted(model, there, 1e-3).items()}
        return scale * score(Bound(parse("model", model).build(2, stream("structure")), parameters, True), there[0].double())

    away, here = learnt(scale, shift), learnt(1.0, 0.0)
    torch.testing.assert_close(away, here, rtol=1e-3, atol=(1e-3 + 10 * 2**-23 * shift) * float(here.abs().max()))


SETTINGS = {"size": 400, "batch": 32, "steps": (3, 12)}


def plan(loss: str, **more) -> Plan:
    experiment = {
        "target": "gaussian_mixture",
        "seeds": 2,
        "training": SETTINGS | more,
        "sources": {"kernel_exponential:points=20": (loss,)},
    }
    return Plan(checked({"name": "x", "seed": 1, "metrics": ("fisher_divergence",), "experiments": (experiment,)}, "a suite"))


@pytest.mark.parametrize("more", [{}, {"sweep": {"learning_rates": (0.1, 1.0), "seeds": 2, "steps": 5}}], ids=["a rate", "a sweep"])
def test_the_ridge_is_chosen_by_validation(more):
    """Of the values that it tunes the one with the lowest implicit loss on held-out points, whatever the learning rates; the fit is that at that value."""
    (job,) = plan("closed_form", **more).trains.values()
    done = train(job, 1)
    (values,) = done.sweep
    assert set(values) >= set(closed_form.TUNES["ridge"]) and all(len(v) == (2 if more else 3) for v in values.values())
    assert done.chosen == (lowest(values),) == (min(values, key=lambda v: sum(values[v])),)
    (given,) = plan(f"closed_form:ridge={done.chosen[0]}", **more).trains.values()
    again = train(given, 1)
    assert again.chosen == again.sweep == ()
    assert done.fitted.steps == again.fitted.steps == (12,)  # the fit, whatever the steps
    assert all(torch.equal(value, done.fitted.parameters[0][name]) for name, value in again.fitted.parameters[0].items())
    outcome = trained.Training(("closed_form",), (12,), *OK, done.chosen, done.sweep)
    assert tables.learning_rates([(job, outcome)]).empty
    table = tables.tuned([(job, outcome)])
    assert set(table["option"]) == {"ridge"} and list(table.loc[table["chosen"], "value"]) == list(done.chosen)


def test_beside_a_loss_that_is_descended(capsys):
    """`compare losses` tells the ridge of the one and the learning rate of the other."""
    result = compare.losses(
        "two_moons", "kernel_exponential:points=30", ["closed_form", "denoising:sigma=0.1"], 30, 1_000, 64, [0.03, 0.1], 2
    )
    assert result[0]["learning_rate"] is None and result[0]["tuned"]["ridge"] > 0 and result[0]["steps"] == 0
    assert result[1]["learning_rate"] > 0 and "tuned" not in result[1]
    assert all(
        metric["status"] == {"ok": 2} for entry in result for metric in entry["metrics"] if metric["metric"] != "law_error:of=weights"
    )
    show(result, "loss", "")
    assert f"ridge {result[0]['tuned']['ridge']:g}" in capsys.readouterr().out


def test_a_fit_that_fails_is_a_row(monkeypatch):
    """With its reason: too few points, another shape, other names."""

    def status() -> str:
        (entry,) = compare.losses("gaussian", "kernel_exponential", ["closed_form:ridge=0.1"], 10, 50, 16, [0.1], 2)
        return next(iter(entry["metrics"][0]["status"]))

    assert status() == "failed: ValueError: 100 kernels need as many training points; here 50"
    monkeypatch.setattr(closed_form, "fit", lambda problem, ridge: {})
    assert "the fit returned nothing, not the parameters centres, log_spread, mean, weights" in status()
    shapes = {"centres": (100, 2), "log_spread": (), "mean": (2,), "weights": (100,)}
    monkeypatch.setattr(closed_form, "fit", lambda problem, ridge: {name: torch.zeros(shape) for name, shape in shapes.items()})
    assert "the fit's centres has shape (100, 2), not (2, 100, 2)" in status()


def test_the_cost_is_bounded():
    """10,000 points and 300 kernels: within 700 MB beyond what the tests' process has, and a minute, where a fit takes a second."""
    target, model, loss = (
        parse("target", "two_moons").build(),
        parse("model", "kernel_exponential:points=300"),
        parse("loss", "closed_form:ridge=1e-4"),
    )

    def work() -> None:
        torch.set_num_threads(1)
        training.fit(target, model, [loss], [1.0], Training(size=10_000), (1,), 1, range(2), "x")

    here = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    left = isolated(work, 60, here + 700)
    assert left.ended == OK, left
