"""A change of origin or of unit: what should not change does not, what has a unit scales with it. Over every target, metric, sampler, loss and model.

Laws, samples and exact draws are moved by 1e3 and 1e4 and stretched by 1e-6, 1e-3, 1e3 and 1e9 (a step as the square). To 1e-3 and what the rounding of
positions to float32 implies: moved points are multiples of 2^-9 before and after, so that a metric sees the same differences.
"""

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from conftest import over
from torch.func import grad

from scorebench.claims.lib import fokker_planck
from scorebench.claims.lib.ais import log_mean, log_weights
from scorebench.claims.lib.estimates import mean, variance
from scorebench.claims.lib.langevin import euler_kernel, gaussian_density, ou_euler_law, ou_law
from scorebench.claims.lib.spectral import potential_of, spectrum
from scorebench.core import registry
from scorebench.core.errors import NotApplicable
from scorebench.core.schema import Status
from scorebench.core.spec import Spec, parse
from scorebench.engine.attempt import deadline
from scorebench.engine.loop import grid, run
from scorebench.engine.maps import maps
from scorebench.engine.metric import Metric
from scorebench.engine.sensitivity import sensitivity
from scorebench.metrics.base import Run
from scorebench.metrics.lib.faults import FAULTS
from scorebench.models.base import Bound, score_and_divergence, score_and_log_prob
from scorebench.report.paired import standings
from scorebench.report.statistics import t_interval
from scorebench.samplers.base import Density, exact_density
from scorebench.suite.jobs import gradients
from scorebench.targets.base import NOTHING, Absent, Target, Truth, has
from scorebench.targets.lib import panel
from scorebench.targets.lib.mixture import mixture
from scorebench.testing.examples import cached, examples, fits, loss_values, stream

MOVES = [(1.0, 1e3), (1.0, 1e4), (1e-3, 0.0), (1e3, 0.0), (1e9, 0.0), (1e-6, 0.0)]
"""Scale and shift."""
POWERS = {"ksd": -3, "within_mode_sliced_w2": 1, "fisher_divergence": -2, "fisher_divergence_sampled": -2, "hyvarinen_score": -2}
"""The unit of a metric as a power of a length; the others have none."""
moves = pytest.mark.parametrize(("scale", "shift"), MOVES)


@pytest.fixture
def small_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A law and the moved one have the moments of the same draws, of few as of many; in two parts."""
    monkeypatch.setattr(panel, "DRAWS", 2 * panel.PART)


@cached
def build(spec: Spec) -> Target:
    """Of a finite set what trains, of which there are as many draws as are asked for."""
    law = spec.build()
    return replace(law, sample=law.training_sample, rows=None) if law.training_sample else law


def there(x: torch.Tensor, scale: float, shift: float) -> torch.Tensor:
    return (scale * x.double() + shift).float()


def dyadic(x: torch.Tensor, shift: float) -> torch.Tensor:
    """Where points are moved, and not elsewhere: it makes ties, which another unit breaks."""
    return (512 * x).round() / 512 if shift else x


def moved(law: Target, scale: float, shift: float, grid: float) -> Target:
    """The law of scale x + shift: what a user's own target at another place and in another unit would be."""

    def back(x: torch.Tensor) -> torch.Tensor:
        return (x.double() - shift) / scale

    def sample(n: int, generator: torch.Generator) -> torch.Tensor:
        return there(dyadic(law.sample(n, generator), grid), scale, shift)

    truths = dict(law.truths)
    if truths:
        mean, variance = law.truths["mean"], law.truths["variance"]
        truths |= {"mean": Truth(scale * mean.value.double() + shift, mean.standard_error, "moved")}
        truths |= {"variance": Truth(scale**2 * variance.value.double(), variance.standard_error, "moved")}
    if "variances" in truths:
        truths |= {"variances": Truth(scale**2 * law.truths["variances"].value.double(), variance.standard_error, "moved")}
    return Target(
        law.dim,
        sample,
        None,
        (lambda x: law.log_prob(back(x)) - law.dim * math.log(scale)) if has(law, "log_prob") else law.log_prob,
        (lambda x: law.score(back(x)) / scale) if has(law, "score") else law.score,
        training_sample=sample,
        perturbed=(lambda sigma: moved(law.perturbed(sigma / scale), scale, shift, grid)) if has(law, "perturbed") else law.perturbed,
        modes=there(dyadic(law.modes, grid), scale, shift) if has(law, "modes") else NOTHING,
        truths=truths,
    )


def measured(metric: Metric, law: Target, scale: float, shift: float, grid: float):
    """The metric of a bad run, and of a source that is N(0, 2) where the law has not been moved."""
    its, source = moved(law, scale, shift, grid), metric.facts["ABOUT"] == "source"
    g = stream("units", law.dim)
    x, y, trace = (law.sample(n, g) for n in (2 * 3 * 64, 2 * 64, 2 * 3 * 8 * 50))
    x, y, trace = (dyadic(points, grid) for points in (1.25 * x, y, trace))
    x, y, trace = x.unflatten(0, (2, 3, 64)), y.unflatten(0, (2, 64)), trace.unflatten(0, (2, 3, 8, 50))
    acceptance = torch.rand(2, 3, generator=g)
    try:
        noised = its.perturbed(0.5 * scale)
    except NotApplicable as error:
        noised = Absent(str(error))
    of = Run(
        there(x, scale, shift),
        there(trace, scale, shift),
        acceptance,
        acceptance,
        64,
        lambda x: -(x - shift) / scale / scale / 2,
        lambda x: torch.full(x.shape[:-1], -law.dim / scale**2 / 2),
        lambda: noised() if isinstance(noised, Absent) else noised,
    )
    reference = (lambda _: there(y, scale, shift)) if source else lambda: there(y, scale, shift)
    return metric(of, its, reference, deadline(1))


@cached
def unmoved(metric: Spec, target: Spec, on_grid: bool):
    return measured(Metric(metric), build(target), 1.0, 0.0, float(on_grid))


TARGETS = examples("target")
LACKING = {("source", "density"), ("target", "labelled")}
"""What is not moved here."""
METRICS = [spec for spec in examples("metric") if not LACKING & set(spec.needs)]


@pytest.mark.usefixtures("small_panel")
@pytest.mark.parametrize("metric", METRICS, ids=str)
@moves
def test_metrics(metric, scale, shift):
    """Each metric under each move, and on each target where it is applicable: the moves are dealt to these in turn, two targets each of twelve, from
    another one on for each metric. Where it is not, neither is it when moved, for the same reason.
    """
    ends = {target: unmoved(metric, target, False) for target in TARGETS}
    applicable = [target for target, (value, _) in ends.items() if value is not None]
    first = MOVES.index((scale, shift)) + METRICS.index(metric)
    dealt = [applicable[k % len(applicable)] for k in range(first, first + len(applicable), len(MOVES))]
    assert dealt
    unit = scale ** POWERS.get(metric.name, 0)
    for target in (target for target in TARGETS if target in dealt or target not in applicable):
        (here, ended), (away, also) = unmoved(metric, target, shift != 0), measured(Metric(metric), build(target), scale, shift, grid=shift)
        assert ended == also, target
        if target not in dealt:
            assert ended.status == Status.NOT_APPLICABLE, target
            continue
        assert here.value.isfinite().all(), target
        for a, b in zip(away, here, strict=True):
            torch.testing.assert_close(a.double() / unit, b.double(), rtol=1e-3, atol=1e-3 * float(here.value.abs().max()))


def parameters(spec: Spec) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of the mixture that a target is, with variances of its own."""
    seen = []
    module = spec.entry.module
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{module}.mixture", lambda *its, **_: seen.append(its[:3]))
        spec.build()
    return seen[0]


MIXTURES = [s for s in examples("target") if s.name in ("gaussian", "gaussian_mixture", "two_moons")]


@pytest.mark.parametrize("spec", MIXTURES, ids=str)
@pytest.mark.parametrize(("scale", "shift"), [*MOVES, (1.0, -2e4), (2.5e-4, 0.5)])
def test_mixtures(spec, scale, shift):
    """Log density and score in float32 where float64 has them, near the mass and from 30 widths away, at the same rounded points."""
    weights, means, variances = parameters(spec)
    law = mixture(weights, scale * means + shift, scale**2 * variances)
    near = law.sample(2_000, stream("near", spec))
    middle = law.mean.float()
    x = torch.cat([near, middle + 3 * (near - middle), middle + 10 * (near - middle)])
    for function, unit in ((law.log_prob, 1.0), (law.score, scale * float(variances.min().sqrt()))):
        rounded, exact = (values.reshape(len(x), -1) * unit for values in (function(x).double(), function(x.double())))
        off = (rounded - exact).norm(dim=-1) / (1 + exact.norm(dim=-1))
        assert float(off[: len(near)].max()) < 1e-5 and float(off.max()) < 1e-4
    away, here = law.log_prob(near.double()), mixture(weights, means, variances).log_prob((near.double() - shift) / scale)
    if shift == 0:  # else the means have been rounded
        torch.testing.assert_close(away + means.shape[1] * math.log(scale), here, rtol=1e-3, atol=1e-3)


LENGTHS = {"sigma": 1, "sigmas": 1, "friction": -1, "step_size": 2}
"""The unit of an option as a power of a length; the others have none."""


def options(spec: Spec, scale: float) -> dict[str, Any]:
    """A method's options where a length is `scale` times as long."""
    factors = {name: scale ** LENGTHS.get(name, 0) for name in spec.options}
    return {
        name: tuple(factors[name] * v for v in value) if isinstance(value, tuple) else factors[name] * value if name in LENGTHS else value
        for name, value in spec.options.items()
    }


@over("spec", "sampler")
@moves
def test_samplers(spec, scale, shift):
    """The same draws make the same chains, down a ladder, too; each of 20 steps may add a rounding of the position.

    Between the modes the force grows by 60 a length. There a step of ULA at c = .05 stretches a rounding by 1 + 60 c = 4, one with a velocity by
    exp(sqrt(120 c)) = 11, which at c = .01 is 3.
    """
    weights, means, variances = parameters(parse("target", "gaussian_mixture"))
    step = 0.01 if spec.name in ("annealed", "underdamped", "hmc") else 0.05
    ladder = {"steps": 3} if spec.name == "annealed" else {}

    def chains(scale: float, shift: float):
        prior = mixture(torch.ones(1), torch.full((1, 2), shift), torch.full((1, 2), 4 * scale**2), modes=False)
        law = mixture(weights, scale * means + shift, scale**2 * variances, prior)
        start = there(dyadic(2 * torch.randn(2, 64, 2, generator=stream("start")), 1), scale, shift)
        cells = dict(zip(("step_size", "temperature"), grid([(step * scale**2, 1.0)]), strict=True))
        method = registry.method("sampler", spec.name)(**cells, **(options(spec, scale) | ladder))
        return run(method, exact_density(law), start, (20,), [stream("units", s) for s in range(2)], gradients(spec))

    away, here = chains(scale, shift), chains(1.0, 0.0)
    rounding = 1e-5 if shift == 0 else 20 * 2**-23 * shift
    off = ((away.samples.double() - shift) / scale - here.samples).abs().amax(-1) > rounding
    assert int(off.sum()) <= 2 * bool((here.acceptance < 1).any())  # an acceptance that a rounding turns
    torch.testing.assert_close(away.acceptance, here.acceptance, rtol=0, atol=1e-3)


@pytest.mark.parametrize("step", [1e-4, 1e-8, 1e-14, 1e10])
def test_friction_over_a_short_and_a_long_time(step):
    """Noise of variance 1 - a^2, a = exp(-gamma h), whatever gamma h: 1 less a square that is nearly 1 would keep 3 digits at c = 1e-8, none at 1e-14."""
    method = registry.method("sampler", "underdamped")(*grid([(step, 1.0)]))
    rest = method.init(torch.zeros(1, 1, 1, 1), exact_density(parse("target", "gaussian:dim=1").build()))
    moved, _ = method.step(rest, Density(score=torch.zeros_like), torch.ones(1, 1, 1))
    assert float(moved.v) ** 2 == pytest.approx(-math.expm1(-2 * math.sqrt(2 * step)), rel=1e-5)


def moved_module(module: torch.nn.Module, energy: bool, scale: float, shift: float) -> torch.nn.Module:
    """Of scale x + shift, from the float32 points that float32 has of it: what a model that has learnt there is."""

    class Moved(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.here = module

        def forward(self, x, *sigma):
            value = self.here((x.double() - shift) / scale, *(s.double() / scale for s in sigma))
            return value if energy else value / scale

    return Moved()


LOSSES = {"closed_form": -2, "explicit": -2, "implicit": -2, "sliced": -2, "sliced_vr": -2}
"""The unit of a loss; those that are scaled by sigma^2 have none."""


MODELS = [parse("model", name) for name in ("mlp_energy:width=8", "mlp_score:width=8", "noise_conditional_energy:width=8", "quadratic")]


@pytest.mark.parametrize(("spec", "model"), [(s, m) for s in examples("loss") for m in MODELS if fits(m, s)], ids=str)
@moves
def test_losses(spec, model, scale, shift):
    """Values and their gradients in the parameters, the model, the data and the noise levels moved together."""
    energy, law = "log_prob" in model.entry.facts["GIVES"], build(parse("target", "gaussian_mixture"))
    module = model.build(2, stream("loss")).double()
    facts = registry.module("loss", spec.name)
    x = dyadic(law.sample(200, stream("loss", "x")), shift)

    def valued(scale: float, shift: float):
        its, here = options(spec, scale), there(x, scale, shift)
        drawn = {k: v for k, v in its.items() if k != spec.entry.facts.get("LEVELS")}
        draws = facts.draws(here, moved(law, scale, shift, 1), stream("loss", "draws"), **drawn)
        at = moved_module(module, energy, scale, shift)
        own = {name: p.detach() for name, p in at.named_parameters()}

        def mean(parameters):
            found = loss_values(spec, Bound(at, parameters, energy), here, draws, law, **its)
            return found.double().mean(), found

        gradients, found = grad(mean, has_aux=True)(own)
        unit = scale ** LOSSES.get(spec.name, 0)
        return found.double() / unit, {name: g / unit for name, g in gradients.items()}

    (away, steep), (here, slope) = valued(scale, shift), valued(1.0, 0.0)
    assert here.isfinite().all()
    rounding = 10 * 2**-23 * shift
    close = lambda a, b: torch.testing.assert_close(a, b, rtol=1e-3, atol=(1e-3 + rounding) * float(b.abs().max()))  # noqa: E731
    close(away, here)
    for name in slope:
        close(steep[name], slope[name])


def relearnt(spec: Spec, scale: float, shift: float) -> Bound:
    """A model whose parameters have learnt the data of `test_models` at another place and in another unit."""
    its = spec.build(2, stream("model", spec))
    with torch.no_grad():
        if spec.name == "quadratic":
            its.mean.mul_(scale).add_(shift)
            its.matrix.div_(scale**2)
        elif spec.name == "kernel_exponential":
            its.mean.mul_(scale).add_(shift)
            its.log_spread.add_(math.log(scale))
        else:
            first, out = its.hidden[0], its.out
            first.bias.sub_(first.weight.sum(-1) * shift / scale)
            first.weight.div_(scale)
            if spec.name == "mlp_score":
                out.weight.div_(scale)
            if spec.name == "autoencoder":
                out.weight.mul_(scale)
                out.bias.mul_(scale).add_(shift)
                its.sigma *= scale
    return Bound(its, {k: v.detach() for k, v in its.named_parameters()}, "log_prob" in spec.entry.facts["GIVES"])


@over("spec", "model", lambda spec: "noise_levels" not in spec.entry.facts["GIVES"])
@moves
def test_models(spec, scale, shift):
    """Score, divergence and log density in float32: what is learnt can be learnt anywhere.

    `noise_conditional_energy` cannot: its tails, those of N(0, 1 + sigma^2), have an origin and a unit of their own. Training is no part of this,
    since the step of Adam has no unit and a layer is drawn for data of size 1.
    """
    x = dyadic(2 * torch.randn(500, 2, generator=stream("models")), 1)

    def valued(scale: float, shift: float) -> list[torch.Tensor]:
        its, points = relearnt(spec, scale, shift), there(x, scale, shift)
        score, divergence = score_and_divergence(its, points)
        log_p = [score_and_log_prob(its, points)[1]] if its.gives_energy else []
        return [score.double() * scale, divergence.double() * scale**2, *log_p]

    # Weights times positions are added up in float32; a reconstruction less its input over sigma^2.
    rounding = 4 * 2**-23 * shift / (0.25 if spec.name == "autoencoder" else 1)
    for away, here in zip(valued(scale, shift), valued(1.0, 0.0), strict=True):
        torch.testing.assert_close(away, here, rtol=1e-3, atol=(1e-3 + rounding) * float(here.abs().max()), check_dtype=False)


@pytest.mark.parametrize(("radius", "std"), [(2.0, 5e-4), (20_000.0, 0.5), (2e9, 5e8), (2e-3, 5e-4)])
def test_acceptance_of_far_and_narrow_modes(radius, std):
    """.968 at radius 2, std .5 and a step of std^2/5: the law scales. With log p off by .4, as by squares that cancel, .77."""
    spec = parse("sampler", "mala_from_data")

    def acceptance(radius: float, std: float) -> float:
        law = parse("target", f"gaussian_mixture:radius={radius:g},std={std:g}").build()
        method = spec.build(**dict(zip(("step_size", "temperature"), grid([(std**2 / 5, 1.0)]), strict=True)))
        streams = [stream("far", s) for s in range(3)]
        start = torch.stack([law.sample(128, s) for s in streams])
        return float(run(method, exact_density(law), start, (100,), streams, 1).acceptance.mean())

    assert acceptance(2.0, 0.5) == pytest.approx(0.968, abs=0.003)
    assert acceptance(radius, std) == pytest.approx(0.968, abs=0.003)


@pytest.mark.parametrize(("place", "variance"), [(1e3, 0.09), (1e4, 1.0), (-2e4, 1e-2)])
def test_second_moment_far_from_the_origin(place, variance):
    """100,000 exact draws of N(place, variance): zero within its standard error, .003 (and the rounding of the draws)."""
    law = mixture(torch.ones(1), torch.full((1, 2), place), torch.full((1, 2), variance), modes=False)
    x = law.sample(100_000, stream("far", place))[None, None]
    for name in ("second_moment_bias", "mean_error"):
        metric = Metric(parse("metric", name))
        value, error = metric.evaluate(Run(samples=x), law, x[0])
        assert 0 < float(error) < 0.005 and abs(float(value)) < 4.5 * float(error) + 1e-3


@pytest.mark.parametrize(("metric", "power"), [("within_mode_sliced_w2", 1), ("c2st", 0)])
@pytest.mark.parametrize("std", [5e-4, 5e-2])
def test_narrow_modes_far_apart(metric, power, std):
    """The same standard normal numbers about modes 4 apart, one in ten moved half a width: the distance between the modes does not matter."""
    means = torch.tensor([[2.0, 0.0], [-2.0, 0.0]])
    z, y = (torch.randn(1, 256, 2, generator=stream("narrow", name)).clamp(-3, 3) for name in "zy")
    z = z + 0.5 * (torch.arange(256) % 10 == 0)[:, None]

    def value(std: float) -> float:
        law = mixture(torch.ones(2), means, torch.full((2, 2), std**2))
        chains, exact = (means.repeat(128, 1) + std * points for points in (z, y))
        return float(Metric(parse("metric", metric)).evaluate(Run(samples=chains[:, None], chains=256), law, exact).value) / std**power

    assert value(std) == pytest.approx(value(0.5), rel=1e-4)


@pytest.mark.parametrize("place", [1e4, 1e7])
def test_moments_of_claims(place):
    """A variance far from the origin and its standard error are those of the same numbers about it; squares that cancel lose 1e-2 of it at 1e7."""
    x = dyadic(torch.randn(5_000, generator=stream("moments"), dtype=torch.float64), 1)
    away, here = variance(x + place), variance(x)
    assert away.measured == pytest.approx(here.measured, rel=1e-9) and away.standard_error == pytest.approx(here.standard_error, rel=1e-9)
    assert mean(x + place).standard_error == pytest.approx(mean(x).standard_error, rel=1e-9)


POSITIONS = [(1.0, 1e6), (1e-9, 0.0), (1e9, 0.0)]


@pytest.mark.parametrize(("scale", "offset"), POSITIONS)
def test_statistics(scale, offset):
    """Intervals move with the values, p values do not; on a log scale a unit is a factor of the interval."""
    a, b = dyadic(torch.randn(2, 6, generator=stream("statistics"), dtype=torch.float64), 1).numpy()
    away, here = t_interval(scale * a + offset), t_interval(a)
    assert away.mean == pytest.approx(scale * here.mean + offset, rel=1e-12)
    assert away.high - away.low == pytest.approx(scale * (here.high - here.low), rel=1e-8)
    assert t_interval(scale * np.exp(a), log=True) == pytest.approx([scale * end for end in t_interval(np.exp(a), log=True)], rel=1e-9)
    every = {"a": a, "b": b, "c": a * a + 3}
    for of, moved, unit in (
        (every, {name: scale * v + offset for name, v in every.items()}, scale),
        ({k: np.exp(v) for k, v in every.items()}, {k: scale * np.exp(v) for k, v in every.items()}, 1.0),
    ):
        log = of is not every
        for (name, its), (same, other) in zip(standings(of, log, 1.25).items(), standings(moved, log, 1.25).items(), strict=True):
            assert name == same and its.word == other.word
            assert [unit * v for v in its[1:]] == pytest.approx(list(other[1:]), rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1.0, 1e6])
def test_differences_without_spread_wherever_they_are(offset, log):
    """What is the same on every seed but for rounding is not told apart."""
    a = np.array([0.0, 0.3, 0.7, 1.9, 3.1]) + (offset or 1e-9)
    assert standings({"a": a, "b": a + np.spacing(a)}, log, 1.25)["b"].word != "worse"


def test_moments_of_importance_weights():
    """Log weights far from zero: the highest is taken out."""
    logs = torch.randn(2_000, generator=stream("weights"), dtype=torch.float64)
    away, here = log_mean(logs + 1e6), log_mean(logs)
    assert away.measured == pytest.approx(1e6 + here.measured, rel=1e-12)
    assert away.standard_error == pytest.approx(here.standard_error, rel=1e-8)


@moves
def test_annealed_importance_sampling(scale, shift):
    """Log weights of 200 chains through 20 levels gain d log(scale), up to the rounding of the first draws."""

    def weights(scale: float, shift: float) -> torch.Tensor:
        start = moved(build(parse("target", "gaussian")), scale, shift, 1)
        mixed = moved(build(parse("target", "gaussian_mixture")), scale, shift, 1)
        return log_weights(lambda x: -mixed.log_prob(x), start, 200, 20, 0.05 * scale**2, stream("ais"))

    away, here = weights(scale, shift), weights(1.0, 0.0)
    assert here.std() > 0.5
    torch.testing.assert_close(away, here, rtol=1e-5, atol=1e-5 + 20 * 2**-23 * shift)


@moves
@pytest.mark.parametrize("dim", [1, 2])
def test_fokker_planck(dim, scale, shift):
    """Masses do not change, rates are per a time, which is the square of a length; in float64 throughout."""
    law = build(parse("target", "gaussian_mixture"))

    def solved(scale: float, shift: float) -> dict[str, Any]:
        def drift(x: torch.Tensor) -> torch.Tensor:
            here = torch.cat([(x - shift) / scale, x.new_zeros(len(x), 2 - dim)], -1)
            return law.score(here)[:, :dim] / scale

        axes = [(shift - 4 * scale, shift + 4 * scale, 60 if dim == 1 else 20)] * dim
        rates = fokker_planck.generator(drift, 1.0, *axes)
        start = np.exp(-(((fokker_planck.centres(*axes).numpy() - shift) / scale - 0.5) ** 2).sum(-1))
        start /= start.sum()
        later = fokker_planck.evolve(rates, start, [0.1 * scale**2, scale**2])
        found = {"start": start, "later": later, "steady": fokker_planck.steady_state(rates)}
        found["gap"] = scale**2 * fokker_planck.spectral_gap(rates, 0.01 / scale**2)
        return found | ({"current": scale**2 * fokker_planck.current(rates, later[0])} if dim == 1 else {})

    away, here = solved(scale, shift), solved(1.0, 0.0)
    for name, value in here.items():
        assert away[name] == pytest.approx(value, rel=1e-7, abs=1e-9), name


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e9])
def test_spectrum(scale):
    """Of V(x/scale): rates per a time, densities per a length. The nodes are about 0, so that it cannot be moved."""
    potential, slope, curvature = potential_of((0.4, -1.0, 0.3), (0.6, 1.5, 0.5))
    here = spectrum(potential, slope, curvature, 1.0, 8.0, 161)
    away = spectrum(
        lambda x: potential(x / scale), lambda x: slope(x / scale) / scale, lambda x: curvature(x / scale) / scale**2, 1.0, 8 * scale, 161
    )
    assert away.rates[:5] * scale**2 == pytest.approx(here.rates[:5], rel=1e-7, abs=1e-9)
    start = gaussian_density(here.nodes, 0.3, 0.2)
    late, expected = away.laws(start / scale, [0.1 * scale**2, scale**2]), here.laws(start, [0.1, 1.0])
    assert late * scale == pytest.approx(expected, rel=1e-7, abs=1e-9)
    assert away.above(late) == pytest.approx(here.above(expected), rel=1e-7)


@moves
def test_potential_of_a_mixture(scale, shift):
    parts = np.array([(0.4, -1.0, 0.3), (0.6, 1.5, 0.5)])
    away = potential_of(*map(tuple, parts * (1, scale, scale**2) + (0, shift, 0)))
    x = np.linspace(-30, 30, 61)
    for power, (a, b) in enumerate(zip(away, potential_of(*map(tuple, parts)), strict=True)):
        gain = math.log(scale) if power == 0 else 0.0
        assert a(scale * x + shift) * scale**power - gain == pytest.approx(b(x), rel=1e-6, abs=1e-6)


@moves
def test_euler_kernel(scale, shift):
    nodes = np.linspace(-5, 5, 101)
    kernels = [euler_kernel(lambda x, s=s, m=m: -(x - m) / s**2, 0.1 * s**2, s * nodes + m, 1.0) for s, m in ((scale, shift), (1.0, 0.0))]
    assert kernels[0] == pytest.approx(kernels[1], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("time", [1e-4, 1e-9, 1e-14])
def test_laws_after_a_short_time(time):
    """The variance from a point is 2 T t to first order: 1 - exp(-2t) would lose what t lacks."""
    assert ou_law(time, 3.0, 0.0, 2.0)[1] == pytest.approx(4 * time * (1 - time), rel=1e-7)
    h = Fraction(time)
    for steps in (1, 100):
        exact = (1 - (1 - h) ** (2 * steps)) * 4 / (2 - h)
        assert ou_euler_law(time, steps, 3.0, 0.0, 2.0)[1] == pytest.approx(float(exact), rel=1e-12)


@moves
def test_maps(scale, shift):
    """The law at the nodes as they are kept, and what a perfect denoiser has: both from squares of small differences."""
    law = build(parse("target", "gaussian_mixture"))
    its, levels = moved(law, scale, shift, 1), [1e-3, 0.3]
    away, here = maps(its, [], [scale * level for level in levels]), maps(moved(law, 1.0, 0.0, 1), [], levels)
    nodes = (torch.as_tensor(away["axes"]).double() - shift) / scale
    torch.testing.assert_close(nodes, torch.as_tensor(here["axes"]).double(), rtol=1e-6, atol=1e-6 + 2**-23 * shift)
    torch.testing.assert_close(nodes.diff(), here["axes"].double().diff(), rtol=1e-3, atol=0)
    points = torch.cartesian_prod(*nodes)
    exact = law.log_prob(points) - 2 * math.log(scale), law.score(points)
    torch.testing.assert_close(away["log_prob"].flatten().double(), exact[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(away["score"].flatten(0, 1).double() * scale, exact[1], rtol=1e-3, atol=1e-3)
    assert np.array(away["sigma"]) == pytest.approx(scale * here["sigma"], rel=1e-12)
    assert np.array(away["blur"]) == pytest.approx(here["blur"], rel=1e-3)


@pytest.mark.parametrize("fault", FAULTS)
@moves
def test_faults(fault, scale, shift):
    """The same mistake wherever the law is and in whatever unit."""
    law = build(parse("target", "gaussian_mixture"))
    away, here = (FAULTS[fault](moved(law, *move, 1), 500, stream("faults", fault)) for move in ((scale, shift), (1.0, 0.0)))
    torch.testing.assert_close((away.double() - shift) / scale, here.double(), rtol=1e-3, atol=1e-3 + 8 * 2**-23 * shift)


OF_DATA = {("target", "labelled"), ("target", "training_sample")}
WITH_FLOOR = [Metric(spec) for spec in examples("metric") if spec.entry.facts.get("FLOOR") and not OF_DATA & set(spec.needs)]


@cached
@cached
def sensed(scale: float, shift: float, on_grid: bool) -> list[dict[str, Any]]:
    law = moved(build(parse("target", "gaussian_mixture:weight=0.8")), scale, shift, float(on_grid))
    return [row for metric in WITH_FLOOR for row in sensitivity(law, metric, 32, 40, 1)]


@pytest.mark.usefixtures("small_panel")
@moves
def test_sensitivity(scale, shift):
    """Counts of alarms, but for one of forty that a rounding turns."""
    away, here = sensed(scale, shift, bool(shift)), sensed(1.0, 0.0, bool(shift))
    assert len(here) == len(WITH_FLOOR) * (1 + len(FAULTS)) and any(row["alarms"] > 30 for row in here)
    for a, b in zip(away, here, strict=True):
        assert abs(a["alarms"] - b["alarms"]) <= 1, (a, b)


@pytest.mark.parametrize("name", ["mmd", "mmd:fraction=0.2", "ksd", "ksd:fraction=1"])
def test_a_stray_is_no_further_than_far(name):
    """One chain of 128 at 1e6 and 1e15 times its distance from the centre: its kernels are nought, and the others lose no digit by it."""
    law, metric = build(parse("target", "gaussian_mixture")), Metric(parse("metric", name))
    x, y = (law.sample(128, stream("stray", use)) for use in "xy")

    def value(far: float) -> torch.Tensor:
        return torch.stack(metric.evaluate(Run(samples=torch.cat([x[:127], far * x[127:]])[None, None], chains=128), law, y[None]))

    torch.testing.assert_close(value(1e15), value(1e6), rtol=1e-5, atol=0)
