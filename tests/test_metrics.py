"""Contract of a metric: identities, its floor on exact draws, the faults that it says it sees, its standard error. Over the registry.

Exact: naive double loops, closed forms on hand-made points, another library on fixed projections, invariance under the chains' order.
Statistical: alpha = 1e-4 a test function over all its parameters (Bonferroni), unless a test says otherwise. A standard error is called
right when the spread over 200 repeats is within [.7, 1.4] of it: a true one leaves that range with probability below 1e-6 (chi-squared,
199 degrees of freedom), one that forgets a factor of 2 is seen always, a factor of 1.5 with power .9.
"""

import math
import re

import numpy as np
import ot
import pytest
import torch
from conftest import contract, over
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scorebench.core import registry, rng
from scorebench.core.errors import NotApplicable
from scorebench.core.spec import parse
from scorebench.engine.metric import Metric
from scorebench.metrics import ess
from scorebench.metrics import within_mode_sliced_w2 as sliced
from scorebench.metrics.base import Estimate, Run, jackknife, mean_over_points
from scorebench.metrics.lib.classifier import probabilities
from scorebench.metrics.lib.faults import FAULTS, wide_modes
from scorebench.metrics.lib.trace import worst_case
from scorebench.targets.base import Target, has, nearest
from scorebench.targets.lib.mixture import mixture, normal
from scorebench.testing.examples import density_for, examples, stream
from scorebench.testing.metrics import (
    CHAINS,
    REPEATS,
    about_sampler,
    example_run,
    floor,
    has_floor,
    is_exact,
    repeats,
    share_seen,
    spreads,
    two_modes,
    values,
)
from scorebench.testing.statistical import assert_mean, z_limit

pytestmark = pytest.mark.usefixtures("device")


def call(text: str, run: Run, target: Target, reference) -> Estimate:
    spec = parse("metric", text)
    return registry.method("metric", spec.name)(run, target, reference, **spec.options)


def facts(spec, key):
    return spec.entry.facts[key]


"""What a source with noise levels is to a metric."""


# The floor, and the faults.


@contract("metric")
def test_contract(check, spec):
    """The checks that are shipped; those that rest on chance have a false-alarm rate of 1e-5 for each spec."""
    check(spec)


@pytest.mark.parametrize(
    ("spec", "fault"), [(s, f) for s in examples("metric") if has_floor(s) for f in sorted(s.entry.facts["SEES"])], ids=str
)
def test_metrics_see_what_they_say(spec, fault):
    """256 chains with the fault lie beyond the floor's 99 % quantile in 9 of 10 repeats or more."""
    assert share_seen(spec, fault) >= 0.9


def test_what_one_metric_is_blind_to():
    """Why they are reported together: a wide kernel does not see wide modes, mode shares and shapes do not see each other's fault."""
    for text, fault in (("mmd", "wide_modes"), ("mode_weight_error", "wide_modes"), ("within_mode_sliced_w2", "wrong_weights")):
        spec = parse("metric", text)
        faulty = FAULTS[fault](two_modes(), REPEATS * CHAINS, stream("blind", text)).unflatten(0, (REPEATS, CHAINS))
        found = values(spec, faulty, repeats(two_modes(), "blind y", text)).value.flatten().double()
        assert float((found > floor(spec).quantile(0.99)).double().mean()) < 0.3
    narrow = parse("metric", "mmd:fraction=0.2")
    faulty = wide_modes(two_modes(), REPEATS * CHAINS, stream("narrow")).unflatten(0, (REPEATS, CHAINS))
    found = values(narrow, faulty, repeats(two_modes(), "narrow y")).value.flatten().double()
    assert float((found > floor(narrow).quantile(0.99)).double().mean()) > 0.9


@over("spec", "metric", has_floor)
def test_standard_error_is_the_spread(spec):
    """Over the chains, the exact draws held fixed; where |share - w| is at zero the standard error is an upper bound."""
    for fault, ratio in spreads(spec).items():
        at_a_corner = spec.name == "mode_weight_error" and fault == "shifted"
        assert (0.4 if at_a_corner else 0.7) < ratio < 1.4, (fault, ratio)


def test_ten_per_cent_of_variance():
    """4,000 chains see 10 % more variance on a Gaussian by second moments, at alpha 1e-3 with power > .99 (standard error 1.6 %)."""
    target = parse("target", "gaussian").build()
    spec = parse("metric", "second_moment_bias")
    x = repeats(target, "ten", n=4_000)
    reference = x[:, :1]
    for factor, bias in ((1.0, 0.0), (1.1, 0.1)):
        found = values(spec, factor**0.5 * x, reference, target)
        assert_mean(found.value.flatten().double(), bias, 2)
        assert (float((found.value / found.standard_error > stats.norm.isf(1e-3)).double().mean()) > 0.97) == (factor > 1)


# MMD


@pytest.mark.parametrize("fraction", [1.0, 0.2])
def test_mmd_is_the_double_loop(fraction):
    x, y = (two_modes().sample(20, stream(name)).double().cpu().numpy() for name in "xy")
    h2 = fraction**2 * 2 * float(two_modes().reference.double().var(0).sum())

    def k(a, b):
        return float(np.exp(-((a - b) ** 2).sum() / (2 * h2)))

    off = [(i, j) for i in range(20) for j in range(20) if i != j]
    naive = sum(k(x[i], x[j]) + k(y[i], y[j]) for i, j in off) / (20 * 19) - 2 * sum(k(a, b) for a in x for b in y) / 400
    found = call(f"mmd:fraction={fraction}", Run(samples=torch.tensor(x)[None, None], chains=20), two_modes(), torch.tensor(y)[None])
    assert float(found.value) == pytest.approx(naive, abs=1e-6)


@pytest.mark.parametrize("fraction", [1.0, 0.2])
def test_mmd_is_unbiased(fraction):
    """Mean zero on exact draws; sees a bias of 1/n, that of the V-statistic (power > .99)."""
    spec = parse("metric", f"mmd:fraction={fraction}")
    found = values(spec, repeats(two_modes(), "u x", spec, n=32), repeats(two_modes(), "u y", spec, n=32)).value.flatten().double()
    assert_mean(found, 0.0, 2)
    with pytest.raises(AssertionError):
        assert_mean(found + 1 / 32, 0.0, 2)


def test_mmd_between_two_gaussians():
    """The population's value: E k = (1 + 2 v / h^2)^(-d/2) and so on, for variances v and shift m (sees 3 % of it)."""
    target = parse("target", "gaussian").build()
    h2 = 2 * float(target.reference.var(0).sum())

    def kernel(variance, shift=0.0):  # E exp(-|z|^2/(2 h^2)), z ~ N(shift, variance I) in the plane
        return h2 / (h2 + variance) * np.exp(-(shift**2) / (2 * (h2 + variance)))

    x = 1.5 * repeats(target, "g x", n=200) + torch.tensor([1.0, 0.0])
    found = values(parse("metric", "mmd"), x, repeats(target, "g y", n=200), target).value.flatten().double()
    assert_mean(found, kernel(4.5) + kernel(2.0) - 2 * kernel(3.25, 1.0), 1)


# Within-mode sliced W2


def directions(dim: int) -> np.ndarray:
    found = torch.randn(dim, sliced.DIRECTIONS, generator=rng.generator("slices", dim))
    return (found / found.norm(dim=0)).double().cpu().numpy()


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_sliced_w2_against_another_library(dim):
    """One mode, as many points as quantile levels: the distance of POT on the same projections, exactly."""
    target = parse("target", f"gaussian:dim={dim}").build()
    x, y = 1.3 * target.sample(32, stream("x", dim)) + 0.2, target.sample(32, stream("y", dim))
    found = call("within_mode_sliced_w2", Run(samples=x[None, None], chains=32), target, y[None])
    expected = ot.sliced_wasserstein_distance(x.double().cpu().numpy(), y.double().cpu().numpy(), projections=directions(dim), p=2)
    assert float(found.value) == pytest.approx(float(expected), rel=1e-5)


def test_sliced_w2_of_a_shift():
    """A shift by a is at distance sqrt(mean over directions of (v.a)^2), within every mode; exact."""
    x = two_modes().sample(256, stream("shift"))
    shift = torch.tensor([0.3, -0.4])
    centres = two_modes().modes
    inside = nearest(x, centres) == nearest(x + shift, centres)
    x = x[inside][:224]
    found = call("within_mode_sliced_w2", Run(samples=(x + shift)[None, None], chains=len(x)), two_modes(), x[None])
    expected = np.sqrt(((shift.cpu().numpy() @ directions(2)) ** 2).mean())
    assert float(found.value) == pytest.approx(expected, rel=1e-4)


def test_sliced_w2_mode_by_mode():
    """The weighted mean over modes of the one-mode distance, whatever the shares of the chains: 64 and 32 chains in modes of weight 1/2."""
    x = two_modes().sample(600, stream("m x"))
    left, right = x[x[:, 0] < 0][:32], x[x[:, 0] > 0][:64]
    y = two_modes().sample(600, stream("m y"))
    exact_left, exact_right = y[y[:, 0] < 0][:32], y[y[:, 0] > 0][:32]

    def levels(z):
        return np.sort(z.double().cpu().numpy() @ directions(2), axis=0)

    squares = [
        ((levels(left) - levels(exact_left)) ** 2).mean(),
        ((levels(right)[1::2] - levels(exact_right)) ** 2).mean(),  # of 64 the levels (j + 1/2)/32 are every second
    ]
    weights = two_modes().mode_weights.value.cpu().numpy()[::-1]  # the first mode is the right one
    found = call(
        "within_mode_sliced_w2",
        Run(samples=torch.cat([left, right])[None, None], chains=96),
        two_modes(),
        torch.cat([exact_right, exact_left])[None],
    )
    assert float(found.value) == pytest.approx(float(np.sqrt(weights @ squares)), rel=1e-5)


@pytest.mark.parametrize("empty", ["chains", "reference", "reference, last"])
def test_sliced_w2_leaves_out_an_empty_mode(empty):
    """A mode without chains, or without exact draws, has no shape to compare: the rest is compared, and nothing else is read in its place."""
    target = two_modes()
    x, y = (target.sample(400, stream("empty", s)) for s in "xy")
    side = -1 if empty == "reference, last" else 1
    first, other = x[side * x[:, 0] > 0][:64], x[side * x[:, 0] < 0][:64]
    mine, exact = y[side * y[:, 0] > 0][:64], y[side * y[:, 0] < 0][:64]
    samples = first if empty == "chains" else torch.cat([first, other])
    reference = torch.cat([mine, exact]) if empty == "chains" else mine
    both = Run(samples=samples[None, None], chains=len(samples))
    alone = Run(samples=first[None, None], chains=64)
    expected = call("within_mode_sliced_w2", alone, target, mine[None]).value
    torch.testing.assert_close(call("within_mode_sliced_w2", both, target, reference[None]).value, expected, rtol=1e-5, atol=1e-6)


# Mode weights, moments, acceptance


def test_mode_weight_error_by_hand():
    """Seven of ten points near one of four centres, and so on; TV by hand, with its linear standard error."""
    centres = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])
    target = mixture(torch.tensor([0.25] * 4), centres, torch.full((4, 2), 0.01))
    x = torch.cat([centres[:1].expand(7, 2), centres[1:2].expand(2, 2), centres[2:3]]) + 0.1
    found = call("mode_weight_error", Run(samples=x[None, None], chains=10), target, x[None])
    exact = target.mode_weights.value.cpu().numpy()
    gap = np.array([0.7, 0.2, 0.1, 0.0]) - exact
    assert float(found.value) == pytest.approx(np.abs(gap).sum() / 2, abs=1e-9)
    assert float(found.value) == pytest.approx(0.45, abs=0.01)
    influence = 0.5 * np.sign(gap)[[0] * 7 + [1] * 2 + [2]]
    assert float(found.standard_error) == pytest.approx(influence.std(ddof=1) / 10**0.5, abs=1e-9)


def test_mode_weight_error_floor_is_binomial():
    """E |B/n - w| of a binomial B, closed form, is the mean on exact draws (sees 10 % of it)."""
    w = float(two_modes().mode_weights.value[0])
    k = np.arange(CHAINS + 1)
    expected = float(stats.binom.pmf(k, CHAINS, 0.5) @ np.abs(k / CHAINS - w))
    assert_mean(floor(parse("metric", "mode_weight_error")), expected, 1)


def test_second_moment_bias_by_hand():
    """Closed form about the target's mean where the target knows it, and unlike the plain second moment where that mean is not zero."""
    target = mixture(torch.tensor([0.8, 0.2]), torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.full((2, 2), 0.5))
    mean, truth = torch.tensor([1.4, 0.0]), 1.0 + 0.8 * 0.16 + 0.2 * 2.56
    x = target.sample(50, stream("moment"))
    squares = (x - mean).square().sum(-1)
    found = call("second_moment_bias", Run(samples=x[None, None], chains=50), target, x[None])
    assert float(found.value) == pytest.approx(float(squares.mean()) / truth - 1, abs=1e-5)
    assert float(found.standard_error) == pytest.approx(float(squares.std()) / truth / 50**0.5, rel=1e-5)
    law = two_modes().tempered(2.0)  # no closed form: 10,000 draws
    found = call("second_moment_bias", Run(samples=law.reference[None, None], chains=10_000), law, x[None])
    assert float(found.value) == pytest.approx(0, abs=2e-4)


@pytest.mark.parametrize("size", [0.7, 1.3])
def test_second_moment_at_the_worst_axis(size):
    """A variance of the narrow axis that is wrong by 30 % is that; of all axes together 1 in 100 of it. 20,000 draws and 10,000 of the law know it to 2 %."""
    target = parse("target", "gaussian:condition=100").build()
    x = target.sample(20_000, stream("narrow axis"))
    narrow = int(x.var(0).argmin())
    x[:, narrow] *= size**0.5
    found = {text: call(f"second_moment_bias{text}", Run(samples=x[None, None]), target, None) for text in ("", ":worst_axis=true")}
    assert float(found[":worst_axis=true"].value) == pytest.approx(size - 1, abs=4 * 0.02 * size)
    assert float(found[":worst_axis=true"].standard_error) == pytest.approx(size * (2 / 20_000) ** 0.5, rel=0.1)
    assert abs(float(found[""].value)) < 0.003 + 4 * float(found[""].standard_error)


def test_acceptance_is_a_mean_over_chains():
    run, reference = example_run("acceptance")
    found = call("acceptance", run, two_modes(), reference)
    assert torch.equal(found.value, run.acceptance)
    torch.testing.assert_close(found.standard_error, run.acceptance_sd / 8)


# Metrics of a source


def gaussian_score(variance: float):
    return lambda x: -x / variance


def points(law: Target) -> torch.Tensor:
    return law.sample(30_000, stream("points")).unflatten(0, (3, 10_000))


@pytest.mark.parametrize("variance", [0.5, 1.5])
def test_fisher_divergence_between_gaussians(variance):
    """d v (1/v - 1/v_model)^2, within the stated standard error (alpha 1e-4); exactly zero for the score itself."""
    target = parse("target", "gaussian:dim=3,variance=0.8").build()
    found = call("fisher_divergence", Run(score=gaussian_score(variance)), target, points)
    expected = 3 * 0.8 * (1 / 0.8 - 1 / variance) ** 2
    assert ((found.value - expected).abs() < z_limit(6) * found.standard_error).all()
    assert (found.standard_error < 0.03 * expected).all()
    itself = call("fisher_divergence", Run(score=target.score), target, points)
    assert (itself.value == 0).all() and (itself.standard_error == 0).all()


def test_fisher_divergence_to_the_fixed_point():
    """To the noised density, under the noised density: zero for its score, which is far from the target's."""
    target, sigma = parse("target", "gaussian").build(), 0.7
    run = Run(score=target.perturbed(sigma).score, learnt=lambda: target.perturbed(sigma))
    assert (call("fisher_divergence:to=fixed_point", run, target, points).value == 0).all()
    assert (call("fisher_divergence", run, target, points).value > 0.1).all()
    exact = Run(score=target.score, learnt=lambda: target.perturbed(sigma))
    v = 1 + sigma**2
    found = call("fisher_divergence:to=fixed_point", exact, target, points)
    assert ((found.value - 2 * v * (1 - 1 / v) ** 2).abs() < z_limit(3) * found.standard_error).all()
    for text, law in (("fisher_divergence:to=fixed_point", target), ("fisher_divergence", parse("target", "digits").build())):
        with pytest.raises(NotApplicable):
            call(text, Run(score=target.score), law, points)


@pytest.mark.parametrize("variance", [0.5, 1.0, 1.5])
def test_hyvarinen_score_is_fisher_less_a_constant(variance):
    """-2 d/v_model + d v/v_model^2 in closed form, which is the Fisher divergence less d/v; alpha 1e-4 over seeds and models."""
    v, d = 0.8, 3
    target = parse("target", "gaussian:dim=3,variance=0.8").build()
    run = Run(score=gaussian_score(variance), divergence=lambda x: torch.full(x.shape[:-1], -d / variance))
    found = call("hyvarinen_score", run, target, points)
    expected = -2 * d / variance + d * v / variance**2
    assert expected == pytest.approx(d * v * (1 / v - 1 / variance) ** 2 - d / v)
    assert ((found.value - expected).abs() < z_limit(9) * found.standard_error).all()
    n = registry.module("metric", "hyvarinen_score").POINTS
    wanted = (2 * d) ** 0.5 * v / variance**2 / n**0.5  # |x|^2 is v times a chi-squared variable
    torch.testing.assert_close(found.standard_error, torch.full((3, 1), wanted).double(), rtol=0.3, atol=0)


# Traces


def trace_run(trace: np.ndarray) -> Run:
    return Run(trace=torch.as_tensor(trace)[None, None, ..., None])


def independent(*names: object, chains: int = 8, length: int = 200) -> np.ndarray:
    return torch.randn(chains, length, generator=stream(*names), dtype=torch.float64).cpu().numpy()


def test_ess_of_independent_draws():
    """1,600 of 1,600, with the spread of its estimate (5 % a repeat)."""
    found = [float(call("ess", trace_run(independent("ess", i)), two_modes(), None).value) for i in range(20)]
    assert 1_400 < np.mean(found) < 1_750


@pytest.mark.parametrize("correlation", [0.5, 0.9])
def test_ess_of_an_autoregression(correlation):
    """n (1 - phi)/(1 + phi), within 15 %; a lag counted twice or a factor 2 is seen."""
    found, n = [], 8 * 2_000
    for i in range(10):
        noise = independent("ar", correlation, i, length=2_000)
        x = np.empty_like(noise)
        x[:, 0] = noise[:, 0]
        for t in range(1, 2_000):
            x[:, t] = correlation * x[:, t - 1] + (1 - correlation**2) ** 0.5 * noise[:, t]
        found.append(float(call("ess", trace_run(x), two_modes(), None).value))
    assert np.mean(found) == pytest.approx(n * (1 - correlation) / (1 + correlation), rel=0.15)


def test_rhat():
    """1 for independent draws; large for chains in two modes, or half-way through a drift; blind where all sit in one wrong mode."""
    x = independent("rhat")
    assert float(call("rhat", trace_run(x), two_modes(), None).value) == pytest.approx(1, abs=0.02)
    assert float(call("rhat", trace_run(x + 4 * (np.arange(8) % 2)[:, None]), two_modes(), None).value) > 1.5
    assert float(call("rhat", trace_run(x + np.linspace(0, 4, 200)), two_modes(), None).value) > 1.3
    assert float(call("rhat", trace_run(x + 100), two_modes(), None).value) == pytest.approx(1, abs=0.02)


def test_the_worst_coordinate_counts():
    """One bad coordinate of three, wherever it is, rules."""
    good = torch.as_tensor(np.stack([independent("worst", i) for i in range(3)], -1))
    for k in range(3):
        bad = good.clone()
        bad[:, :, k] += 4 * (torch.arange(8) % 2)[:, None]
        run = Run(trace=bad[None, None])
        assert float(call("rhat", run, two_modes(), None).value) > 1.5
        assert call("ess", run, two_modes(), None).value.isnan().all()


def test_standard_error_of_a_trace():
    """Of a mean over chains: the standard error of the means of its four blocks of chains, at the worst coordinate; exact."""
    x = np.stack([independent("trace", i) + 5 * (i == 1) for i in range(3)], -1)  # the second coordinate is the worst
    found = worst_case(lambda t: t.mean((-2, -1)), torch.as_tensor(x)[None, None], np.max, 1)
    means = x[..., 1].mean(1)
    assert float(found.value) == pytest.approx(means.mean())
    assert float(found.standard_error) == pytest.approx(stats.sem(means.reshape(2, 4).mean(0)))  # every fourth chain is a block


def test_standard_error_of_ess_is_the_spread():
    """Of independent draws, over 100 repeats, within [.6, 1.6] of it; a factor of 2 is seen, alpha 1e-4. (Of chains that hardly mix
    it is too large: their shares of so few draws are far from linear.)
    """
    noise = np.stack([independent("ess spread", i) for i in range(100)])
    run = Run(trace=torch.as_tensor(noise)[:, None, ..., None])
    found = call("ess", run, two_modes(), None)
    ratio = float(found.value.std() / found.standard_error.square().mean().sqrt())
    assert 0.6 < ratio < 1.6, ratio


# Digits: what looks like them, covers them, and does not remember them


def test_precision_and_recall_are_the_double_loops():
    x, y = (two_modes().sample(30, stream("loops", name)).double() for name in "xy")
    x[:10] += 2.0

    def covered(points, centres):
        balls = [sorted(float((c - other).norm()) for other in centres)[3] for c in centres]  # the first is the point itself
        return sum(any(float((p - c).norm()) <= ball for c, ball in zip(centres, balls, strict=True)) for p in points) / len(points)

    run = Run(samples=x[None, None], chains=30)
    precision, recall = (float(call(name, run, two_modes(), y[None]).value) for name in ("precision", "recall"))
    assert precision == pytest.approx(covered(x, y)) and recall == pytest.approx(covered(y, x)) and precision < recall < 1


def held_out_digits() -> tuple[Target, torch.Tensor, torch.Tensor]:
    """The target; every image that is held out with the target's noise, (1000, 64), and its label."""
    from sklearn.datasets import load_digits

    data, target = load_digits(), parse("target", "digits").build()
    pixels, labels = torch.tensor(data.data, dtype=torch.float32)[HELD_OUT], torch.tensor(data.target)[HELD_OUT]
    g = stream("held out digits")
    return target, (pixels + torch.rand(1_000, 64, generator=g)) / 8.5 - 1 + 0.1 * torch.randn(1_000, 64, generator=g), labels


HELD_OUT = torch.arange(1_797) % 9 < 5


def test_the_classifier_knows_digits():
    """Right in .98 of 1,000 held-out images, in all but a few of those that it is sure of, some nine tenths.

    One that is right in .98 is right in fewer than .963 with probability 1e-4; one that is right in .94 passes with 1e-3.
    """
    target, x, labels = held_out_digits()
    found = probabilities(target, x)
    right, sure = found.argmax(-1) == labels, found.amax(-1) >= 0.9
    assert float(right.double().mean()) > 0.963 and float(right[sure].double().mean()) > 0.99
    assert 0.85 < float(sure.double().mean()) < 0.97


def test_a_sampler_that_remembers_or_blurs_is_seen():
    """Training images with noise of their own are nearer to the training images than held-out ones are; means of two images convince no classifier,
    but are within the manifold of the pixels: that is why both stand there.

    The halves of the held-out images are within five standard errors of 1 (alpha 1e-6 a metric).
    """
    target, x, _ = held_out_digits()
    mine, others = x[torch.randperm(1_000, generator=stream("halves"))].split(500)
    blurred = Run(samples=(0.5 * mine + 0.5 * mine.roll(1, 0))[None, None], chains=500)
    for name in ("training_distance", "classifier_confidence"):
        fair = call(name, Run(samples=mine[None, None], chains=500), target, others[None])
        # The exact draws are as many as the chains, and vary as much.
        assert abs(float(fair.value) - 1) < 5 * 2**0.5 * float(fair.standard_error), name
    copies = Run(samples=target.training_sample(500, stream("copies"))[None, None], chains=500)
    assert float(call("training_distance", copies, target, others[None]).value) < 0.7
    assert float(call("classifier_confidence", blurred, target, others[None]).value) < 0.7
    assert float(call("precision", blurred, target, others[None]).value) > 0.9


# Too little to measure


def sized(chains: int, draws: int) -> tuple[Run, torch.Tensor]:
    g = stream("sized", chains, draws)
    x, y = (two_modes().sample(2 * chains, g).view(2, 1, chains, 2) for _ in "xy")
    trace = two_modes().sample(2 * 8 * draws, g).view(2, 1, 8, draws, 2)
    return Run(x, trace, torch.ones(2, 1), torch.ones(2, 1), chains, score=lambda x: -x, learnt=two_modes), y[:, 0]


@over("spec", "metric")
def test_too_few_are_not_applicable(spec):
    """Of one chain, draw a chain or point a metric says how many it takes; of one less than these, too; of so many it has a value with a standard error, NaN
    where UNDEFINED does alone. (Of each number from 1 to 16 one or the other: the contract.)
    """

    def of(size):
        run, reference = sized(size, size)
        run = run._replace(divergence=lambda x: x.sum(-1), density=density_for(spec))
        return call(str(spec), run, two_modes(), reference if about_sampler(spec) else lambda law: reference)

    least = 1
    if not is_exact(spec):
        with pytest.raises(NotApplicable, match="^takes at least .*; here 1$") as told:
            of(1)
        least = int(re.search(r"\d+", str(told.value))[0])
        assert least <= 10
        with pytest.raises(NotApplicable, match=f"^takes at least {least} .*; here {least - 1}$"):
            of(least - 1)
    value, error = of(least)
    undefined = "UNDEFINED" in spec.entry.facts
    assert (value.isfinite() | value.isnan() & undefined).all() and not (value.isnan() & error.isfinite()).any()
    assert undefined or is_exact(spec) or error.isfinite().all()


@pytest.mark.parametrize("dim", [1, 2, 6])
@pytest.mark.parametrize("metric", ["ess", "rhat"])
def test_chains_that_do_not_move_have_no_trace_to_judge(metric, dim):
    """No variance within chains, all in one place or each in its own: undefined there alone. 1,600 and NaN, or 8 and 6e15 of rounding, it is not.

    Where one moves and the others stand, each in its place, they have not mixed: R-hat says so, and an effective size there is none.
    """
    moving = torch.randn(1, 1, 8, 200, dim, generator=stream("moving"))
    apart, together = moving[:, :, :, :1].expand_as(moving), torch.ones_like(moving)
    half_way = apart.clone()
    half_way[:, :, :, 100:] += 1  # between the halves, in none of which it moves
    coordinate = moving.clone()
    coordinate[..., -1] = apart[..., -1]
    one = apart.clone()
    one[:, :, 3] = moving[:, :, 3]
    cells = torch.cat([moving, apart, together, half_way, coordinate, one], 1)
    value, error = call(metric, Run(trace=cells), two_modes(), None)
    assert value.isnan().tolist() == [[False, True, True, True, True, metric == "ess"]]
    assert error.isnan().tolist() == [[False, True, True, True, True, True]]  # without the one that moves there is none
    assert float(value[0, 0]) == float(call(metric, Run(trace=moving), two_modes(), None).value)


def test_ess_sees_the_draws_from_ten_a_chain_on(monkeypatch):
    """Of nine, four in a half, the estimate is n log10(n) whatever they are: even of chains that stand still but for one step."""
    monkeypatch.setattr(ess, "MIXED", torch.inf)
    slow = torch.randn(1, 1, 8, 1, 1, generator=stream("slow")) + 1e-3 * torch.randn(1, 1, 8, 10, 1, generator=stream("steps"))
    assert float(call("ess", Run(trace=slow), two_modes(), None).value) < 80 / 2
    with pytest.raises(NotApplicable, match="takes at least 10 draws a chain; here 9"):
        call("ess", Run(trace=slow[..., :9, :]), two_modes(), None)


def autoregressions(correlation: float, *names: object) -> torch.Tensor:
    """200 traces of 8 chains, (repeat, 1, 8, 200, 1)."""
    noise = torch.randn(200, 200, 8, generator=stream("mixed", correlation, *names), dtype=torch.float64)
    states = [noise[0]]
    for eps in noise[1:]:
        states.append(correlation * states[-1] + (1 - correlation**2) ** 0.5 * eps)
    return torch.stack(states, -1)[:, None, ..., None]


@pytest.mark.parametrize(("correlation", "window"), [(0.0, 0), (0.5, 6)])
def test_ess_of_chains_that_have_mixed(correlation, window):
    """As a run leaves them: all but 2 of 200 have a value, 90 % of these within two standard errors of n (1 - phi)/(1 + phi).

    Of half-chains worth 33 draws or more R-hat is beyond 1.05 in 2 of 100,000 (chi-squared, 15 degrees of freedom, beyond 3.4 of each, in the bulk or the
    tails): three of 200 with probability 1e-8. The standard error is sqrt(2 (2 M + 1)/n), M the lag at which the correlation, 2^-M, is below the noise of
    an autocorrelation, and of independent draws that of a pair of lags: of 200 at 95 % fewer than 180 are within two with probability 4e-4. A factor of
    1.5 is seen always.
    """
    found = call("ess", Run(trace=autoregressions(correlation)), two_modes(), None).value.flatten()
    kept = found[~found.isnan()]
    off = (kept * (1 + correlation) / (1 - correlation) / 1_600).log().abs()
    assert len(kept) >= 198 and float((off < 2 * (2 * (2 * max(window, 1) + 1) / 1_600) ** 0.5).double().mean()) >= 0.9


@pytest.mark.parametrize("fault", ["four in each mode", "one in the other mode", "slow", "in one place, of two widths"])
def test_ess_of_chains_that_have_not_mixed(fault):
    """None in 200: a number there would be of a handful of chains. Chains in two modes, half-chains worth 1 draw, and such as differ in width alone."""
    x = autoregressions(0.98 if fault == "slow" else 0.5, fault)
    if fault == "in one place, of two widths":
        x[:, :, ::2] *= 3
    elif fault != "slow":
        x[:, :, :: 2 if fault == "four in each mode" else 8] += 6
    assert call("ess", Run(trace=x), two_modes(), None).value.isnan().all()


def test_sliced_w2_of_modes_that_are_hardly_visited():
    """Sixteen chains on eight modes: a value where four share a mode, NaN where no four do; its standard error is that of the same modes."""
    ring = parse("target", "gaussian_mixture:components=8,radius=3,std=0.3").build()
    reference = ring.sample(256, stream("ring")).expand(1, -1, -1)
    two_each, four_in_one = torch.arange(16) // 2, torch.tensor([0] * 4 + list(range(1, 7)) * 2)
    x = torch.stack([ring.modes[mode] for mode in (two_each, four_in_one)])[None] + 0.1 * torch.randn(1, 2, 16, 2, generator=stream("few"))
    value, error = call("within_mode_sliced_w2", Run(samples=x), ring, reference)
    assert value.isnan().tolist() == [[True, False]]
    assert 0 < float(error[0, 1]) < float(value[0, 1])


# Standard errors


def test_mean_over_points():
    x = torch.randn(3, 1, 50, generator=stream("mean"), dtype=torch.float64)
    found = mean_over_points(x)
    np.testing.assert_allclose(found.value.cpu(), x.cpu().numpy().mean(-1))
    np.testing.assert_allclose(found.standard_error.cpu(), stats.sem(x.cpu().numpy(), axis=-1))


@over("spec", "metric", about_sampler)
def test_a_value_alone_is_the_value(spec):
    """To the last bit, NaN where it is undefined; asked for again as it was, with its standard error."""
    metric, (run, reference) = Metric(spec), example_run("alone")
    value, error = metric.evaluate(run, two_modes(), reference)
    torch.testing.assert_close(metric.value(run, two_modes(), reference), value, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(metric.evaluate(run, two_modes(), reference).standard_error, error)


def test_jackknife_of_a_mean():
    """For equal blocks it is the standard error of the mean of the block means; exact."""
    x = torch.randn(2, 3, 96, generator=stream("jackknife"), dtype=torch.float64)
    found = jackknife(lambda z: z.mean(-1), x, axis=-1)
    blocks = x.unflatten(-1, (12, 8)).mean(-2).cpu().numpy()  # block b holds every eighth item
    np.testing.assert_allclose(found.value.cpu(), x.cpu().numpy().mean(-1))
    np.testing.assert_allclose(found.standard_error.cpu(), stats.sem(blocks, axis=-1))


@pytest.mark.parametrize("statistic", ["mean", "standard deviation"])
def test_jackknife_covers(statistic):
    """t intervals with 7 degrees of freedom hold the truth 95 times in 100: 4,000 repeats, sees 2 % (alpha 1e-4 over both)."""
    of = {"mean": lambda z: z.mean(-1), "standard deviation": lambda z: z.std(-1)}[statistic]
    truth = {"mean": 0.0, "standard deviation": 1.0}[statistic]
    x = torch.randn(4_000, 256, generator=stream("covers", statistic), dtype=torch.float64)
    found = jackknife(of, x, axis=-1)
    inside = ((found.value - truth).abs() < stats.t.isf(0.025, 7) * found.standard_error).double()
    assert float(inside.mean()) == pytest.approx(0.95, abs=z_limit(2) * (0.95 * 0.05 / 4_000) ** 0.5 + 0.003)
    short = (found.value - truth).abs() < stats.t.isf(0.025, 7) * found.standard_error * (7 / 8)  # (g-1)/g once too often
    assert abs(float(short.double().mean()) - 0.95) > z_limit(2) * (0.95 * 0.05 / 4_000) ** 0.5 + 0.003


def test_prior_is_a_target():
    """What `normal` makes has no modes and a closed variance."""
    assert not has(normal(3, 2.0), "modes") and float(normal(3, 2.0).truths["variance"].value) == pytest.approx(6)


# Bandwidths, floors and faults as they are written down.


@settings(max_examples=40, deadline=None, derandomize=True)
@given(fraction=st.floats(-18, 18).map(lambda e: 10**e))
def test_kernels_of_any_width(fraction):
    """MMD to 1e-5 of what its kernel varies by, in float32, and KSD to 1e-9 of its terms: no digit is lost to a constant or to a diagonal."""
    x, y = (two_modes().sample(40, stream("any width", name)) for name in "xy")
    a, b = x.double().cpu().numpy(), y.double().cpu().numpy()
    h2 = 2 * (fraction * two_modes().spread) ** 2

    def kernel(p, q):
        return np.expm1(-((p[:, None] - q) ** 2).sum(-1) / (2 * h2)) + (fraction <= 1)

    off = 1 - np.eye(40)
    kxx, kyy, kxy = kernel(a, a), kernel(b, b), kernel(a, b)
    expected = ((kxx + kyy) * off).sum() / (40 * 39) - 2 * kxy.mean()
    found = call(f"mmd:fraction={fraction!r}", Run(samples=x[None, None]), two_modes(), y[None]).value
    assert float(found) == pytest.approx(expected, abs=1e-5 * np.abs(kxy).max() + 1e-30)

    s, gaps = two_modes().score(x.double()).cpu().numpy(), a[:, None] - a
    r2 = (gaps**2).sum(-1) + np.eye(40)  # the diagonal is no part of it
    q = h2 + r2
    slopes = ((s[:, None] - s) * gaps).sum(-1)
    u = (s @ s.T / q**0.5 + (slopes + 2) / q**1.5 - 3 * r2 / q**2.5) * off
    found = call(f"ksd:fraction={fraction!r}", Run(samples=x[None, None]), two_modes(), None).value
    assert float(found) == pytest.approx(u.sum() / (40 * 39), abs=1e-9 * np.abs(u).max())


def test_floors_are_as_they_are_written_down():
    """C2ST .497 with a deviation of .028 (over 200 repeats the mean is known to .002, a deviation to 5 %), the norm of an error of the mean 1/sqrt(n)."""
    accuracy = floor(parse("metric", "c2st"))
    assert float(accuracy.mean()) == pytest.approx(0.497, abs=0.006) and float(accuracy.std()) == pytest.approx(0.028, rel=0.2)
    errors = floor(parse("metric", "mean_error"))
    assert float(errors.square().mean()) == pytest.approx(1 / CHAINS, rel=4 * (2 / REPEATS) ** 0.5)


@pytest.mark.parametrize(("metric", "ratio"), [("ksd", 2**-0.5), ("mean_error", 0.6)])
def test_standard_errors_on_exact_draws(metric, ratio):
    """Where the linear part vanishes, or the norm has its corner, the spread is that share of the standard error; 200 repeats know it to 5 %."""
    spec = parse("metric", metric)
    found = values(spec, repeats(two_modes(), "exact se", spec), repeats(two_modes(), "exact se y", spec))
    spread = float(found.value.double().std() / found.standard_error.double().square().mean().sqrt())
    assert spread == pytest.approx(ratio, rel=0.2)


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("text", ["gaussian_mixture", "gaussian_mixture:components=3,radius=9,std=0.2"])
def test_faults_are_what_they_say(fault, text):
    """Against the exact draws of the same stream, 20,000 of them, a point at a time or by shares with their own error (alpha 1e-4)."""
    target, n = parse("target", text).build(), 20_000
    x, faulty = target.sample(n, stream("fault of", fault)), FAULTS[fault](target, n, stream("fault of", fault))
    modes, limit = nearest(x, target.modes), z_limit(2 * len(FAULTS))
    centres, last = target.modes[modes], len(target.modes) - 1
    same = (faulty == x).all(-1)
    if fault in ("wrong_weights", "lost_mode"):
        assert same[modes != last].all()
        gone = faulty[modes == last] - x[modes == last]
        moved = ~same[modes == last]
        torch.testing.assert_close(gone[moved], (target.modes[0] - target.modes[last]).expand(int(moved.sum()), 2), rtol=1e-4, atol=1e-4)
        share = 0.4 if fault == "wrong_weights" else 1.0
        assert abs(float(moved.double().mean()) - share) <= limit * (share * (1 - share) / len(moved)) ** 0.5
    elif fault == "shifted":
        std = 0.5 if text == "gaussian_mixture" else 0.2
        assert torch.equal(faulty[:, 0], x[:, 0])
        torch.testing.assert_close(faulty[:, 1] - x[:, 1], torch.full((n,), std), rtol=0.03, atol=1e-5)
    elif fault in ("wide_modes", "narrow_modes"):
        torch.testing.assert_close(faulty, centres + {"wide_modes": 1.5, "narrow_modes": 0.7}[fault] * (x - centres))
    elif fault == "strays":
        mean = target.mean.float()
        torch.testing.assert_close(faulty[~same], mean + 4 * (x[~same] - mean))
        assert abs(float((~same).double().mean()) - 0.02) <= limit * (0.02 * 0.98 / n) ** 0.5
    elif fault == "heavy_tails":
        std = 0.5 if text == "gaussian_mixture" else 0.2
        of_first = ((faulty - centres)[modes == 0] / std)[:, 0].double().cpu().numpy()
        assert stats.kstest(of_first, stats.t(3, scale=3**-0.5).cdf).pvalue > 1e-4 / len(FAULTS) / 2
        assert abs(np.mean(np.abs(of_first)) / stats.t(3, scale=3**-0.5).expect(abs) - 1) < 0.05
    else:
        assert torch.equal(faulty, target.sample(n // 4, stream("fault of", fault)).repeat_interleave(4, 0))


# KSD, C2ST, the mean, and the Fisher divergence where the chains are.


def test_ksd_is_the_double_loop():
    """The Stein kernel from derivatives of the kernel by autograd, pair by pair, in float64."""
    target = two_modes()
    x = 1.2 * target.sample(12, stream("ksd")).double()
    h2 = 0.2**2 * 2 * target.spread**2

    def stein(a, b):
        def kernel(p, q):
            return (h2 + (p - q).square().sum()).rsqrt()

        sa, sb = target.score(a), target.score(b)
        da, db = torch.func.grad(kernel, (0, 1))(a, b)
        mixed = torch.func.jacrev(torch.func.grad(kernel, 0), 1)(a, b)
        return (sa @ sb) * kernel(a, b) + sa @ db + sb @ da + mixed.trace()

    u = torch.tensor([[float(stein(a, b)) for b in x] for a in x], dtype=torch.float64)
    expected = (u.sum() - u.trace()) / (12 * 11)
    found = call("ksd", Run(samples=x[None, None]), target, None)
    assert float(found.value) == pytest.approx(float(expected), rel=1e-9)


def test_ksd_is_zero_in_the_mean():
    """Unbiased: the mean over 200 sets of 64 exact draws is zero (sees .02 of its value on modes 1.5 times as wide); with the diagonal it is not."""
    spec, target = parse("metric", "ksd"), two_modes()
    x = repeats(target, "unbiased", n=64)
    values_of = values(spec, x, x[:, 0], target).value.flatten().double()
    assert_mean(values_of, 0.0, 1)
    wide = FAULTS["wide_modes"](target, 64 * REPEATS, stream("wide")).unflatten(0, (REPEATS, 64))
    with pytest.raises(AssertionError):
        assert_mean(values(spec, wide, x[:, 0], target).value.flatten().double(), 0.0, 1)


def test_c2st_is_the_leave_one_out_classifier():
    """Against scikit-learn's nearest neighbours, a point at a time."""
    from sklearn.neighbors import KNeighborsClassifier

    x, y = 1.3 * two_modes().sample(60, stream("x")), two_modes().sample(60, stream("y"))
    both, labels = torch.cat([x, y]).double().cpu().numpy(), np.arange(120) < 60
    right = 0
    for i in range(120):
        keep = np.arange(120) != i
        right += KNeighborsClassifier(15).fit(both[keep], labels[keep]).predict(both[i : i + 1])[0] == labels[i]
    found = call("c2st", Run(samples=x[None, None].double()), two_modes(), y[None].double())
    assert float(found.value) == pytest.approx(right / 120)


def test_mean_error_is_the_norm():
    """Closed form on a Gaussian: exact draws moved by a known vector."""
    target = parse("target", "gaussian:dim=3").build()
    x = target.sample(500, stream("mean")).double()
    moved = x - x.mean(0) + torch.tensor([0.3, 0.0, 0.4])
    found = call("mean_error", Run(samples=moved[None, None]), target, None)
    assert float(found.value) == pytest.approx(0.5 / 3**0.5, rel=1e-5)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(weight=st.floats(-6, -0.01).map(lambda e: 10**e), radius=st.floats(-3, 3).map(lambda e: 10**e))
def test_moments_of_unequal_modes(weight, radius):
    """The units of both moments are the law's own at any weight: of a mode of one in a million, 10,000 draws may show none."""
    target = parse("target", f"gaussian_mixture:weight={weight!r},radius={radius!r},std={radius / 100!r}").build()
    mean = torch.tensor([radius * (2 * weight - 1), 0.0], dtype=torch.float64)
    variance = 4 * weight * (1 - weight) * radius**2 + 2 * (radius / 100) ** 2
    x = target.sample(200, stream("unequal")).double()
    gap = x.mean(0) - mean
    found = {name: float(call(name, Run(samples=x[None, None]), target, None).value) for name in ("mean_error", "second_moment_bias")}
    assert found["mean_error"] == pytest.approx(float(gap.norm()) / variance**0.5, rel=1e-3)
    assert found["second_moment_bias"] == pytest.approx(float((x - mean).square().sum(-1).mean()) / variance - 1, rel=1e-3, abs=1e-5)


def test_fisher_divergence_where_the_chains_are():
    """Scores of N(0, 1) and N(0, 4) differ by 3x/4: under N(0, s^2 I) in two dimensions F = 2 (3/4)^2 s^2; chains far out see more."""
    target = parse("target", "gaussian:variance=4").build()
    for size in (1.0, 3.0):
        x = size * torch.randn(1, 1, 4_000, 2, generator=stream("chains", size))
        found = call("fisher_divergence_sampled", Run(samples=x, score=lambda x: -x), target, None)
        expected = 2 * 0.75**2 * size**2
        assert abs(float(found.value) - expected) < z_limit(2) * float(found.standard_error)
        assert float(found.standard_error) < 0.02 * expected


def test_the_panel_bias_is_that_of_its_equation():
    """On N(0, I), of x_1, x_2, their squares (of mean 1 and variance 2) and log p, written out; of draws that are too good for chance it is negative."""
    target, x = parse("target", "gaussian").build(), torch.tensor([[1.0, 2.0], [-1.0, 0.5], [0.5, -3.0]], dtype=torch.float64)
    f = torch.cat([x, x.square(), -x.square().sum(-1, keepdim=True) / 2], -1)
    means, variances = torch.tensor([0, 0, 1, 1, -1.0]), torch.tensor([1, 1, 2, 2, 1.0])
    square = float((((f.mean(0) - means).square() - f.var(0) / 3) / variances).mean())
    corners = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])  # whose means are all right: v = -(4/3 + 4/3)/4/5
    for points, value in ((x.float(), math.copysign(abs(square) ** 0.5, square)), (corners, -((2 / 15) ** 0.5))):
        found = call("panel_bias", Run(samples=points[None, None]), target, None).value
        assert float(found) == pytest.approx(value, rel=1e-6)
