"""Contract of a target: density, score, draws and relatives agree; truths are true. Over the registry.

Statistical tests: alpha = 1e-4 a test function over all its parameters (Bonferroni). With n = 20,000 draws, DKW sees a distribution
function that is off by .03 anywhere, chi-squared on 144 cells a density that is off by 10 % in root mean square; Stein's
identity, with 100,000 draws, entries off by .04 to .2, largest where modes are far and narrow (all with power .99).
"""

import contextlib
import dataclasses
import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from conftest import contract, over
from hypothesis import given, settings
from hypothesis import strategies as st

from scorebench.core.errors import InputError, NotApplicable
from scorebench.core.spec import parse
from scorebench.samplers.base import exact_density
from scorebench.targets import two_moons
from scorebench.targets.base import Target, has, nearest
from scorebench.targets.lib import mixture as mixtures
from scorebench.targets.lib.mixture import log_maximum, mixture
from scorebench.testing.examples import cached, examples, stream
from scorebench.testing.lattice import Lattice
from scorebench.testing.statistical import assert_cdf, assert_mean, z_limit
from scorebench.testing.targets import N, built, has_density, has_modes, is_flat, relatives

pytestmark = pytest.mark.usefixtures("device")
ALL = len(examples("target"))


def extent(target: Target) -> float:
    """The largest norm of 10,000 draws."""
    return float(target.reference.norm(dim=-1).max())


def lattice(target: Target, temperature: float = 1.0, sigma: float = 0.0) -> Lattice:
    """p^(1/T) on a square that holds all but 1e-7 of p^(1/T) convolved with N(0, sigma^2 I)."""
    half_width = 1.4 * extent(target) * math.sqrt(max(temperature, 1)) + 5 * sigma
    return Lattice(lambda x: target.log_prob(x) / temperature, target.dim, half_width, 401)


def test_nothing_slips_through_a_filter():
    """Tests below run over the targets that have a density, are flat or have modes: a member that is lost would silence them."""
    for keep, names in (
        (has_density, {"double_well", "gaussian", "gaussian_mixture", "logistic_regression", "two_moons"}),
        (is_flat, {"double_well", "gaussian", "gaussian_mixture", "two_moons"}),
        (has_modes, {"digits", "double_well", "gaussian_mixture"}),
    ):
        assert names <= {spec.name for spec in examples("target") if keep(spec)}
    for names, known in (
        ({"double_well", "gaussian"}, {"the target", "tempered(0.5)", "tempered(2)", "perturbed(0.7)"}),
        ({"gaussian_mixture", "two_moons"}, {"the target", "perturbed(0.7)"}),
    ):
        for spec in examples("target"):
            assert spec.name not in names or known <= {name for name, law in relatives(spec) if "mean" in law.truths}


@contract("target")
def test_contract(check, spec):
    """The checks that are shipped; those that rest on chance have a false-alarm rate of 1e-5 for each spec."""
    check(spec)


@pytest.mark.parametrize("temperature", [0.5, 0.8, 2.0, 4.0])
def test_tempered_draws_of_unequal_modes(temperature):
    """Weights and variances that differ, along the axes too: there the constants of N^(1/T) do not cancel. p^(1/T) by quadrature."""
    means, variances = torch.tensor([[-1.0, 0.5], [1.0, 0.0], [0.5, -1.0]]), torch.tensor([[0.01, 0.02], [0.5, 0.5], [0.3, 0.05]])
    target = mixtures.mixture(torch.tensor([0.5, 0.2, 0.3]), means, variances)
    lattice(target, temperature).assert_draws(target.tempered(temperature).sample(N, stream("unequal", temperature)), 4)


def test_wrong_draws_are_seen():
    """The mutants: a spread 3 % too large, a weight off by .04, T = 2 drawn as if its envelope were the law, T read as its square root."""
    target = parse("target", "gaussian_mixture:components=3,radius=1,weight=0.6").build()
    x = target.sample(N, stream("mutant"))
    with pytest.raises(AssertionError):
        lattice(target).assert_draws(1.03 * x, ALL)
    with pytest.raises(AssertionError):
        lattice(target).assert_draws(
            parse("target", "gaussian_mixture:components=3,radius=1,weight=0.64").build().sample(N, stream("m")), ALL
        )
    with pytest.raises(AssertionError):
        lattice(target, 2.0).assert_draws(target.tempered(math.sqrt(2)).sample(N, stream("m")), ALL)
    envelope = mixtures.mixture(torch.tensor([0.6, 0.2, 0.2]).sqrt(), target.modes, torch.full((3, 2), 0.5))
    with pytest.raises(AssertionError):
        lattice(target, 2.0).assert_draws(envelope.sample(N, stream("m")), ALL)


def test_nearest_centre():
    x, centres = torch.randn(7, 9, 5, generator=stream("x")), 3 + torch.randn(4, 5, generator=stream("c"))
    assert torch.equal(nearest(x, centres), torch.cdist(x.flatten(0, 1), centres).argmin(-1).view(7, 9))


def test_reference_and_radius():
    """Common to all that asks, whatever was drawn before."""
    target = parse("target", "gaussian_mixture").build()
    assert target.reference.shape == (10_000, 2)
    assert target.radius == pytest.approx(float((target.reference.double() - target.truths["mean"].value).norm(dim=-1).max()), rel=1e-6)
    assert torch.equal(target.reference, parse("target", "gaussian_mixture").build().reference)


def test_tempering_far_below_one_ends():
    """A bound of the density that is k times too large would accept one draw in k^(1/T - 1): at T = 1/8 one in 2 million."""
    target = parse("target", "gaussian_mixture:components=8,radius=3,std=0.3").build()
    x = target.tempered(0.125).sample(N, stream("cold"))
    lattice(target, 0.125).assert_draws(x, 1)


@over("spec", "target", lambda s: has_density(s) and built(s).dim <= 2)
@pytest.mark.parametrize("tolerance", [1.0, 0.05])
def test_bound_of_the_density(spec, tolerance):
    """Above the density everywhere, else draws for T < 1 are cut; and close, else hardly one is accepted. The maximum by ascent from many draws."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixtures, "log_maximum", lambda *its: seen.append(log_maximum(*its[:-1], tolerance)) or seen[-1])
        target = spec.build()
        with contextlib.suppress(NotApplicable):
            target.tempered(0.5).sample(10, stream("bound", spec))
    for bound in seen:
        x = target.sample(500, stream("bound", spec)).double()
        for size in np.geomspace(0.1, 1e-3, 100):
            s = target.score(x)
            x = x + float(size) * s / s.norm(dim=-1, keepdim=True).clamp(min=1)
        highest = float(target.log_prob(x).max())
        assert highest <= bound + 1e-6 and bound <= highest + tolerance + 0.01


# The digits, the one target without a density: its recipe.

QUIET = "digits:noise=1e-6"


@cached
def images() -> tuple[torch.Tensor, torch.Tensor]:
    from sklearn.datasets import load_digits

    data = torch.tensor(load_digits().data)
    held_out = torch.arange(len(data)) % 9 < 5
    return data[held_out], data[~held_out]


def pixels(x: torch.Tensor) -> torch.Tensor:
    return ((x.double() + 1) * 8.5).floor()


def test_digits_come_from_two_disjoint_parts():
    """Without noise, flooring undoes the dequantisation: each draw is an image of its part, held out once in a call, training as often as any other.

    Noise of 1e-6 moves one value in 1e5 across a grey level: one image in a thousand or so is not found again.
    """
    target = parse("target", QUIET).build()
    held_out, training = ({tuple(row) for row in part.int().tolist()} for part in images())
    assert (len(images()[0]), len(images()[1])) == (1000, 797) and not held_out & training

    def known(x: torch.Tensor) -> list[tuple[int, ...]]:
        return [tuple(row) for row in pixels(x).clamp(0, 16).int().tolist()]

    mine, trained = known(target.sample(1_000, stream("held out"))), Counter(known(target.training_sample(5 * 797, stream("training"))))
    assert target.rows == 1_000 and len(set(mine) & held_out) > 990 and not set(mine) & training
    often = [trained[image] for image in training]
    assert not set(trained) & held_out and sum(times == 5 for times in often) > 780 and max(often) <= 5
    with pytest.raises(NotApplicable, match="takes 1,001 draws; there are 1,000"):
        target.sample(1_001, stream("too many"))


def test_digits_have_their_labels():
    """The nearest of the 797 training images, without noise, has the label that the draw came with."""
    from sklearn.datasets import load_digits

    x, labels = parse("target", QUIET).build().labelled(1_600, stream("labelled"))
    known = torch.tensor(load_digits().target)[torch.arange(1_797) % 9 >= 5]
    assert torch.equal(known[torch.cdist(pixels(x), images()[1]).argmin(-1)], labels) and len(labels.unique()) == 10


def test_the_control_of_the_digits_shares_no_image_with_what_it_is_compared_with():
    """Exact draws of a finite set are of its part that trains."""
    target = parse("target", QUIET).build()
    x = exact_density(target).tempered(1.0).sample(500, stream("control"))
    training, held_out = (torch.cdist(pixels(x), part).amin(-1) for part in reversed(images()))
    assert float((training == 0).double().mean()) > 0.98 and float(held_out.min()) > 0


def test_digits_dequantisation_and_noise():
    """u is uniform (DKW, sees .01 at n = 128,000) on a range [-1, 1); noise has the stated variance.

    A blank pixel has variance 1/(12 8.5^2) + noise^2; 100,000 draws see .02 of it.
    """
    x = parse("target", QUIET).build().training_sample(2_000, stream("u")).double()
    assert x.shape == (2_000, 64) and x.min() > -1 - 1e-5 and x.max() < 1 + 1e-5
    assert_cdf((((x + 1) * 8.5) % 1).flatten().cpu().numpy(), 2)
    blank = parse("target", "digits:noise=0.2").build().training_sample(100_000, stream("blank"))[:, 0].double()
    centred = blank - (0.5 / 8.5 - 1)
    assert_mean(torch.stack([centred, centred.square()], -1), [0.0, 1 / (12 * 8.5**2) + 0.04], 1)
    with pytest.raises(AssertionError):  # the variance where the standard deviation is meant
        assert_mean(centred.square(), 1 / (12 * 8.5**2) + 0.2, 1)


def test_digits_have_no_density():
    target = parse("target", "digits").build()
    assert not has(target, "log_prob") and not has(target, "score")
    for lacking in (lambda: target.tempered(0.5), lambda: target.perturbed(0.1), lambda: target.score(target.modes)):
        with pytest.raises(NotApplicable):
            lacking()
    assert target.modes.shape == (10, 64)
    assert float(target.mode_weights.value.min()) > 0.03  # ten classes, all there


def test_a_target_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        built(parse("target", "gaussian")).dim = 3
    with pytest.raises(NotApplicable, match="no modes"):
        _ = built(parse("target", "gaussian")).mode_weights
    assert np.isfinite(built(parse("target", "gaussian")).radius)


# The two targets by quadrature.


@pytest.mark.parametrize(("barrier", "temperature"), [(1.0, 0.25), (1.0, 1.0), (1.0, 4.0), (3.0, 1.0)])
def test_double_well_normaliser(barrier, temperature):
    """Log of the integral of exp(-V/T), V written out again, by adaptive quadrature in one dimension times the Gaussian's closed form."""
    from scipy.integrate import quad

    well, _ = quad(lambda x: math.exp(-barrier * (x * x - 1) ** 2 / temperature), -8, 8, points=(-1, 0, 1), epsabs=0, epsrel=1e-11)
    for dim in (1, 3):
        law = parse("target", f"double_well:dim={dim},barrier={barrier:g}").build().tempered(temperature)
        expected = math.log(well) + 0.5 * (dim - 1) * math.log(2 * math.pi * temperature)
        assert float(law.truths["log_normalizer"].value) == pytest.approx(expected, abs=1e-9)


def noised_well(x: float, barrier: float, sigma: float) -> tuple[float, float]:
    """Log of int exp(-V(y)) N(x; y, sigma^2) dy and its slope, by the trapezoid rule on 400,001 nodes about every hump of the integrand."""
    polynomial = np.polynomial.Polynomial([-x / sigma**2, 1 / sigma**2 - 4 * barrier, 0, 4 * barrier])
    humps = [float(r.real) for r in polynomial.roots() if abs(r.imag) < 1e-6 * (1 + abs(r))]
    near = sigma < 0.3 / math.sqrt(8 * barrier)  # there is one hump, no wider than the noise
    reach = 15 * sigma if near else 4 + 2 * max(map(abs, humps)) + 4 / barrier**0.25
    low, high = min(humps) - reach, max(humps) + reach
    y = np.linspace(low, high, 400_001)
    exponent = -barrier * ((y - 1) * (y + 1)) ** 2 - 0.5 * ((x - y) / sigma) ** 2
    weights = np.exp(exponent - exponent.max())
    # Of the two forms the one whose terms do not cancel.
    terms = -4 * barrier * y * (y - 1) * (y + 1) if 8 * barrier * sigma**2 < 1 else (y - x) / sigma**2
    slope = weights @ terms / weights.sum()
    log_mass = exponent.max() + math.log(weights.sum() * (high - low) / 400_000)
    return log_mass - math.log(sigma) - 0.5 * math.log(2 * math.pi), slope


@settings(max_examples=40, deadline=None, derandomize=True)
@given(barrier=st.floats(-6, 6).map(lambda e: 10**e), sigma=st.floats(-18, 18).map(lambda e: 10**e))
def test_the_noised_well(barrier, sigma):
    """The convolution to 1e-9 at any barrier and noise, where the law is and far from it; of noise below 1e-10, which the nodes of the reference do not
    resolve, the law itself.
    """
    law = parse("target", f"double_well:dim=1,barrier={barrier!r}").build()
    noised = law.perturbed(sigma)
    x = torch.cat(
        [noised.sample(6, stream("noised", sigma)).double(), torch.tensor([[0.0], [1.0], [-1.0], [0.02], [3.0], [-30.0]]).double()]
    )
    log_z = float(law.truths["log_normalizer"].value)
    if sigma < 1e-10:
        log_p, s = law.log_prob(x), law.score(x)[:, 0]
    else:
        log_p, s = torch.tensor([noised_well(float(v), barrier, sigma) for v in x[:, 0]]).double().unbind(-1)
        log_p = log_p - log_z
    torch.testing.assert_close(noised.log_prob(x), log_p, rtol=1e-9, atol=1e-7)
    torch.testing.assert_close(noised.score(x)[:, 0], s, rtol=1e-7, atol=1e-7 * min(1 / sigma, (8 * barrier) ** 0.5))


def test_the_noised_well_in_single_precision():
    """The spline of the score to 1e-6 of the quadrature and of 1/width together: within the law, where chains start, and beyond the last node. Of the
    highest barrier at the least noise, which no spline holds, it is the quadrature.
    """
    for barrier, sigma in itertools.product((0.3, 3.0, 30.0, 1e4), (0.03, 0.1, 0.2, 0.5, 2.0)):
        noised = parse("target", f"double_well:barrier={barrier}").build().perturbed(sigma)
        x = torch.cat([noised.sample(2_000, stream("single", sigma)), torch.linspace(-60, 60, 6_001)[:, None]])
        exact = noised.score(x.double())
        off = (noised.score(x).double() - exact).abs() / (exact.abs() + min(1 / sigma, (8 * barrier) ** 0.5))
        assert float(off.max()) < 1e-6, (barrier, sigma)


def test_little_noise_is_no_noise():
    """As sigma goes to 0 the noised score is the target's, the gap falling as sigma^2, and both Fisher divergences are alike."""
    for text in ("double_well", "double_well:dim=2,barrier=3"):
        law = parse("target", text).build()
        x = law.sample(2_000, stream("little")).double()
        gap = [float((law.perturbed(s).score(x) - law.score(x)).square().sum(-1).mean().sqrt()) for s in (1e-2, 1e-3, 1e-4)]
        assert gap[0] < 0.1
        assert gap[1] == pytest.approx(gap[0] / 100, rel=0.05) and gap[2] == pytest.approx(gap[1] / 100, rel=0.05)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(barrier=st.floats(-6, 6).map(lambda e: 10**e), temperature=st.sampled_from([0.25, 1.0, 30.0]))
def test_draws_of_the_well_at_any_barrier(barrier, temperature):
    """1e-7 in probability: the draw at a level has that level, by quadrature between that draw and the wells' top; Z by the same quadrature."""
    from scipy.integrate import quad

    law = parse("target", f"double_well:dim=1,barrier={barrier!r}").build().tempered(temperature)
    height, width = barrier / temperature, 1 / math.sqrt(8 * barrier / temperature)
    reach = math.sqrt(60 / height)
    low, high = math.sqrt(max(1 - reach, 0)), math.sqrt(1 + reach)
    cuts = [low, *(c for c in (1 - 4 * width, 1.0, 1 + 4 * width) if low < c < high), high]

    def mass(end: float) -> float:
        ends = [*(c for c in cuts if c < end), end]
        pieces = (
            quad(lambda y: math.exp(-height * ((y - 1) * (y + 1)) ** 2), a, b, epsabs=0, epsrel=1e-12)[0]
            for a, b in itertools.pairwise(ends)
        )
        return sum(pieces)

    half = mass(high)
    assert float(law.truths["log_normalizer"].value) == pytest.approx(math.log(2 * half), abs=1e-9)
    u = torch.rand(20, generator=stream("levels"), dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "rand", lambda *_, **__: u)
        x = law.sample(20, stream("levels"))[:, 0].double()
    for level, point in zip(u.tolist(), x.tolist(), strict=True):
        reached = 0.5 + 0.5 * math.copysign(mass(max(abs(point), low)) / half, point)
        assert reached == pytest.approx(level, abs=2e-7 + 2**-24 / width)  # the rounding of x to float32, times a density below 1/width


@settings(max_examples=12, deadline=None, derandomize=True)
@given(noise=st.one_of(st.sampled_from([0.01, 0.1]), st.floats(-2, 6).map(lambda e: min(max(10**e, 0.01), 1e6))))
def test_two_moons_are_the_convolved_arcs(noise):
    """To 1 part in 1,000 of the largest density of a sum over nodes 40 to a width, at every noise that is allowed; with half of the nodes it is not."""
    n = max(1_000, math.ceil(40 * math.pi / noise))
    t = math.pi * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    arcs = torch.cat([torch.stack([t.cos(), t.sin()], -1), torch.stack([1 - t.cos(), 0.5 - t.sin()], -1)])
    law = parse("target", f"two_moons:noise={noise!r}").build()
    x = torch.cat([law.sample(150, stream("moons")).double(), arcs[:: len(arcs) // 50]])
    expected = (-torch.cdist(x, arcs).square() / (2 * noise**2)).exp().mean(-1) / (2 * math.pi * noise**2)

    def off(law: Target) -> float:
        return float((law.log_prob(x).exp() - expected).abs().max() / expected.max())

    assert off(law) < 1e-3
    if noise <= 0.1:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(two_moons, "NODES_A_WIDTH", 1.6)
            patch.setattr(two_moons, "FEWEST", 16)
            assert off(parse("target", f"two_moons:noise={noise!r}").build()) > 1e-2


@pytest.mark.parametrize("noise", ["0.0099", "2e6", "0"])
def test_noise_that_the_nodes_do_not_resolve_is_refused(noise):
    with pytest.raises(InputError, match=f"'two_moons': option noise={noise}.*a number from 0.01 to 1e6"):
        parse("target", f"two_moons:noise={noise}")


COLD = ("two_moons", "two_moons:noise=0.3", "gaussian_mixture:components=8,radius=0.5,std=0.5", "gaussian_mixture:weight=0.999")


@pytest.mark.parametrize("spec", COLD)
@pytest.mark.parametrize("temperature", [0.2, 0.05, 0.02])
def test_cold_draws_end(spec, temperature):
    """p^(1/T) by quadrature; a bound of p that adds what lies near by accepts one draw of two moons in 3 million at T = .05."""
    target = parse("target", spec).build()
    grid = Lattice(lambda x: target.log_prob(x) / temperature - 3 / temperature, 2, 1.2 * extent(target), 801)
    grid.assert_draws(target.tempered(temperature).sample(N, stream("cold", spec, temperature)), len(COLD) * 3)


def test_cold_draws_that_would_not_end_are_given_up():
    """At least T^(d/2) times the share of the highest peak is accepted: of one comparable with many, in many dimensions, too little."""
    law = mixture(torch.ones(2), torch.stack([torch.full((12,), -2.0), torch.full((12,), 2.0)]), torch.ones(2, 12))
    assert law.tempered(0.5).sample(1_000, stream("few")).shape == (1_000, 12)
    with pytest.raises(NotApplicable, match=r"draws at temperature 0.05: rejection accepts \d+ of 1\d\d,\d\d\d proposals"):
        law.tempered(0.05).sample(1_000, stream("none"))


IDLE = {
    "gaussian:dim=1,condition=9": "condition=9 does nothing at dim=1",
    "gaussian_mixture:components=1,weight=0.3": "weight=0.3 does nothing at components=1",
}


@pytest.mark.parametrize("text", IDLE)
def test_an_option_that_does_nothing_is_refused(text):
    with pytest.raises(InputError, match=f"option {IDLE[text]} .allowed: leave it out."):
        parse("target", text)
    key = text.rpartition(",")[2].partition("=")[0]
    assert parse("target", text.partition(":")[0] + f":{key}=0.5").options[key] == 0.5
    assert parse("target", "gaussian:dim=1,condition=1") == parse("target", "gaussian:dim=1")


def test_modes_that_float32_does_not_resolve_are_refused():
    assert parse("target", "gaussian_mixture:radius=20000,std=0.05").build().dim == 2
    with pytest.raises(InputError, match=r"std=0.01 is not what float32 resolves at radius=20000 .allowed: 0.02 to 2e\+10."):
        parse("target", "gaussian_mixture:radius=20000,std=0.01").build()
    with pytest.raises(InputError, match=r"std=1 is not what float32 resolves at radius=1e-07 .allowed: 1e-13 to 0.1."):
        parse("target", "gaussian_mixture:radius=1e-7,std=1").build()


SCALES = st.floats(-18, 18).map(lambda e: 10**e)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(dim=st.integers(2, 20), variance=SCALES, condition=SCALES)
def test_the_gaussian_over_its_range(dim, variance, condition):
    """The variances that the docstring names, in draws and density, with numbers of float32 at every scale that is allowed."""
    target = parse("target", f"gaussian:dim={dim},variance={variance!r},condition={condition!r}").build()
    wanted = variance * condition ** torch.linspace(0, 1, dim, dtype=torch.float64)
    x = target.sample(2_000, stream("range"))
    z = x.double() / wanted.sqrt()
    assert_mean(z.square(), 1.0, 40)
    exact = -0.5 * z.square().sum(-1) - 0.5 * (2 * math.pi * wanted).log().sum()
    torch.testing.assert_close(target.log_prob(x).double(), exact, rtol=1e-5, atol=1e-3)  # variances are float32: 1e-7 each
    torch.testing.assert_close(target.score(x).double() * wanted.sqrt(), -z, rtol=1e-5, atol=1e-12)
    assert target.prior.sample(10, stream("prior")).isfinite().all()
    assert target.variance == pytest.approx(float(wanted.sum()), rel=1e-5)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(components=st.integers(1, 64), radius=SCALES, ratio=st.floats(-6, 6), share=st.floats(1e-6, 1, exclude_max=True))
def test_the_mixture_over_its_range(components, radius, ratio, share):
    """Density and score in float32 against the sum written out in float64 at the same points, from far and narrow to near and wide modes."""
    std = min(max(radius * 10**ratio * (1 + 1e-9), 1e-18), 1e18)
    if not 1e-6 <= std / radius <= 1e6:
        return
    given = f"components={components},radius={radius!r},std={std!r}" + (f",weight={share!r}" if components > 1 else "")
    target = parse("target", f"gaussian_mixture:{given}").build()
    x = target.sample(200, stream("range"))
    first = share if components > 1 else 1.0
    weights = torch.tensor([first] + [(1 - first) / max(components - 1, 1)] * (components - 1), dtype=torch.float64)
    u = (x.double()[:, None] - target.modes.double()) / std
    joint = weights.log() - 0.5 * u.square().sum(-1) - 2 * math.log(std) - math.log(2 * math.pi)
    torch.testing.assert_close(target.log_prob(x).double(), joint.logsumexp(-1), rtol=1e-5, atol=1e-4)
    exact = -(joint.softmax(-1)[..., None] * u).sum(1)
    assert float(((target.score(x).double() * std - exact).norm(dim=-1) / (1 + exact.norm(dim=-1))).max()) < 1e-4
    assert target.prior.sample(10, stream("prior")).isfinite().all()


EDGES = [
    *(
        "gaussian:variance=1e18,condition=1e18",
        "gaussian:variance=1e-18,condition=1e-18",
        "double_well:barrier=1e6",
        "double_well:barrier=1e-6",
    ),
    *("gaussian_mixture:radius=1e18,std=1e18", "gaussian_mixture:radius=1e18,std=1e12", "gaussian_mixture:radius=1e-18,std=1e-18"),
]


FIRST = list({s.name: str(s) for s in reversed(examples("target")) if s.name != "digits"}.values())


@pytest.mark.parametrize("spec", [*FIRST, *EDGES])
@pytest.mark.parametrize("exponent", [-18, -12, -9, -6, -2, 2, 6, 12, 18])
def test_draws_at_any_temperature(spec, exponent):
    """E s(x)'(x - m) = -d under the law, in units of its own (Stein), and draws with their spread; or the law is not applicable, with its temperature.

    Of each target's first example, and at the ends of what its options may be.
    A wrong unit or power of T is off by powers of ten; 5,000 draws see 10 %.
    """
    temperature = 10.0**exponent
    try:
        law = parse("target", spec).build().tempered(temperature)
        x = law.sample(5_000, stream("any", spec, exponent))
    except NotApplicable as error:
        assert f"at temperature {temperature:g}" in str(error)
        return
    assert x.isfinite().all() and math.isfinite(law.radius) and len(x.unique(dim=0)) > 100
    product = (law.score(x).double() * (x.double() - law.mean)).sum(-1) / law.dim
    assert_mean(product, -1.0, 9 * len([*FIRST, *EDGES]), exact=2e-3)  # far and narrow modes: the rounding of x in their widths


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    count=st.integers(2, 6),
    dim=st.integers(1, 3),
    temperature=st.sampled_from([0.1, 0.3, 0.7, 1.5, 4.0, 30.0]),
    seed=st.integers(0, 1_000),
)
def test_rejection_accepts_what_it_says(count, dim, temperature, seed):
    """K^(1/T - 1) or more for T > 1; for T < 1, T^(d/2) times the share of the highest peak over e, by the curvature at the maximum; alpha 1e-4."""
    g = stream("accepts", count, dim, seed)
    weights, means = torch.rand(count, generator=g) + 0.05, 3 * torch.randn(count, dim, generator=g)
    variances = 10 ** (torch.rand(count, dim, generator=g) - 0.5)
    target, weights = mixture(weights, means, variances), weights / weights.sum()
    make = mixtures._wider if temperature > 1 else mixtures._narrower
    proposal, log_accept = make(target, weights, means, variances, temperature)
    accepted = log_accept(proposal(20_000, g)).exp().double()
    assert float(accepted.max()) <= 1 + 1e-4
    least = count ** (1 / temperature - 1)
    if temperature < 1:
        x = means.double()
        for size in np.geomspace(0.1, 1e-4, 300):
            s = target.score(x)
            x = x + float(size) * s / s.norm(dim=-1, keepdim=True).clamp(min=1)
        best = x[target.log_prob(x).argmax()]
        u = (best - means.double()).square() / variances
        share = (weights.double().log() - 0.5 * (variances.log().double() + u).sum(-1)).softmax(-1)
        curvature = (share[:, None] / variances).sum(0)
        peak = float(target.log_prob(best).exp() * (2 * math.pi / curvature).sqrt().prod())
        least = temperature ** (dim / 2) * peak / math.e
    assert float(accepted.mean() + z_limit(30) * accepted.std() / len(accepted) ** 0.5) >= 0.999 * least


def test_the_distance_is_the_norm():
    """From the centre, however the coordinates lie."""
    law = parse("target", "gaussian_mixture:weight=0.8").build()
    x = torch.randn(3, 4, 2, generator=stream("distance"), dtype=torch.float64)
    for laid in (x, x.movedim(-1, 0).contiguous().movedim(0, -1)):
        torch.testing.assert_close(law.distance(laid), torch.linalg.vector_norm(x - law.centre.double(), dim=-1))
