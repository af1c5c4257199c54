"""A change of origin or of unit: what should not change does not, what has a unit scales with it. Over every target, metric and sampler of scores.

Laws, samples and exact draws are moved by 1e3 and 1e4 and stretched by 1e-6, 1e-3, 1e3 and 1e9 (a step as the square). To 1e-3 and what the rounding of
positions to float32 implies: moved points are multiples of 2^-9 before and after, so that a metric sees the same differences.
"""

import math

import pytest
import torch
from conftest import cached, over

from scorebench.claims.lib.estimates import mean, variance
from scorebench.core.errors import NotApplicable
from scorebench.core.schema import Status
from scorebench.core.spec import Spec, parse
from scorebench.engine.attempt import deadline
from scorebench.engine.loop import grid, run
from scorebench.engine.metric import Metric
from scorebench.metrics.base import Run
from scorebench.samplers.base import exact_density
from scorebench.targets.base import NOTHING, Absent, Target, Truth, has
from scorebench.targets.lib.mixture import mixture
from scorebench.testing.examples import examples, stream

MOVES = [(1.0, 1e3), (1.0, 1e4), (1e-3, 0.0), (1e3, 0.0), (1e9, 0.0), (1e-6, 0.0)]
"""Scale and shift."""
POWERS = {"ksd": -3, "within_mode_sliced_w2": 1, "fisher_divergence": -2, "fisher_divergence_sampled": -2, "hyvarinen_score": -2}
"""The unit of a metric as a power of a length; the others have none."""
moves = pytest.mark.parametrize(("scale", "shift"), MOVES)


@cached
def build(spec: Spec) -> Target:
    return spec.build()


def there(x: torch.Tensor, scale: float, shift: float) -> torch.Tensor:
    return (scale * x.double() + shift).float()


def dyadic(x: torch.Tensor, shift: float) -> torch.Tensor:
    """Where points are moved, and not elsewhere: it makes ties, which another unit breaks."""
    return (512 * x).round() / 512 if shift else x


def moved(law: Target, scale: float, shift: float, grid: float) -> Target:
    """The law of scale x + shift: what a user's own target at another place and in another unit would be."""

    def back(x: torch.Tensor) -> torch.Tensor:
        return (x.double() - shift) / scale

    truths = dict(law.truths)
    if truths:
        mean, variance = law.truths["mean"], law.truths["variance"]
        truths |= {"mean": Truth(scale * mean.value.double() + shift, mean.standard_error, "moved")}
        truths |= {"variance": Truth(scale**2 * variance.value.double(), variance.standard_error, "moved")}
    return Target(
        law.dim,
        lambda n, generator: there(dyadic(law.sample(n, generator), grid), scale, shift),
        None,
        (lambda x: law.log_prob(back(x)) - law.dim * math.log(scale)) if has(law, "log_prob") else law.log_prob,
        (lambda x: law.score(back(x)) / scale) if has(law, "score") else law.score,
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
        lambda: noised,
    )
    reference = (lambda _: there(y, scale, shift)) if source else lambda: there(y, scale, shift)
    return metric(of, its, reference, deadline(1))


@over("target", "target")
@over("metric", "metric")
@moves
def test_metrics(metric, target, scale, shift):
    (here, ended), (away, also) = (measured(Metric(metric), build(target), *move, grid=shift) for move in ((1.0, 0.0), (scale, shift)))
    assert ended == also
    if here is None:
        assert ended.status == Status.NOT_APPLICABLE
        return
    assert here.value.isfinite().all()
    unit = scale ** POWERS.get(metric.name, 0)
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


@pytest.mark.parametrize("name", ["ula", "mala", "leimkuhler_matthews"])
@moves
def test_samplers(name, scale, shift):
    """The same draws make the same chains; each of 20 steps may add a rounding of the position."""
    spec, step = parse("sampler", name), 0.05
    weights, means, variances = parameters(parse("target", "gaussian_mixture"))

    def chains(scale: float, shift: float):
        law = mixture(weights, scale * means + shift, scale**2 * variances)
        start = there(dyadic(2 * torch.randn(2, 64, 2, generator=stream("start")), 1), scale, shift)
        method = spec.build(**dict(zip(("step_size", "temperature"), grid([(step * scale**2, 1.0)]), strict=True)))
        return run(method, exact_density(law), start, (20,), [stream("units", s) for s in range(2)], 1)

    away, here = chains(scale, shift), chains(1.0, 0.0)
    rounding = 1e-5 if shift == 0 else 20 * 2**-23 * shift
    off = ((away.samples.double() - shift) / scale - here.samples).abs().amax(-1) > rounding
    assert int(off.sum()) <= (2 if name == "mala" else 0)  # an acceptance that a rounding turns
    torch.testing.assert_close(away.acceptance, here.acceptance, rtol=0, atol=1e-3)


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
