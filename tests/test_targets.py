"""Contract of a target: density, score, draws and relatives agree; truths are true. Over the registry.

Statistical tests: alpha = 1e-4 a test function over all its parameters (Bonferroni). With n = 20,000 draws, DKW sees a distribution
function that is off by .03 anywhere, chi-squared on 144 cells a density that is off by 10 % in root mean square; Stein's
identity, with 100,000 draws, entries off by .04 to .2, largest where modes are far and narrow (all with power .99).
"""

import dataclasses
import math

import numpy as np
import pytest
import torch
from conftest import cached, over

from scorebench.core.errors import NotApplicable
from scorebench.core.spec import Spec, parse
from scorebench.targets.base import Target, has, nearest
from scorebench.targets.lib import mixture as mixtures
from scorebench.testing.examples import examples, stream
from scorebench.testing.lattice import Lattice
from scorebench.testing.statistical import assert_cdf, assert_mean

pytestmark = pytest.mark.usefixtures("device")
TEMPERATURES = (0.5, 1.0, 2.0)
N = 20_000
ALL = len(examples("target"))


@cached
def build(spec: Spec) -> Target:
    return spec.build()


def has_density(spec: Spec) -> bool:
    return has(build(spec), "log_prob")


def is_flat(spec: Spec) -> bool:
    return has_density(spec) and build(spec).dim <= 2


def has_modes(spec: Spec) -> bool:
    return has(build(spec), "modes")


RELATIVES = {"itself": lambda t: t, "tempered": lambda t: t.tempered(2.0), "perturbed": lambda t: t.perturbed(0.7)}


def relative_of(spec: Spec, relative: str) -> Target | None:
    try:
        return RELATIVES[relative](build(spec))
    except NotApplicable:
        return None


def lattice(target: Target, temperature: float = 1.0, sigma: float = 0.0) -> Lattice:
    """p^(1/T) on a square that holds all but 1e-7 of p^(1/T) convolved with N(0, sigma^2 I)."""
    half_width = 1.4 * target.radius * math.sqrt(max(temperature, 1)) + 5 * sigma
    return Lattice(lambda x: target.log_prob(x) / temperature, target.dim, half_width, 401)


def test_nothing_slips_through_a_filter():
    """Tests below run over the targets that have a density, are flat or have modes: a member that is lost would silence them."""
    for keep, names in (
        (has_density, {"double_well", "gaussian", "gaussian_mixture", "two_moons"}),
        (is_flat, {"double_well", "gaussian", "gaussian_mixture", "two_moons"}),
        (has_modes, {"digits", "double_well", "gaussian_mixture"}),
    ):
        assert names <= {spec.name for spec in examples("target") if keep(spec)}
    with_moments = {(spec.name, relative) for spec, relative in WITH_MOMENTS}
    assert with_moments >= {(name, r) for name in ("double_well", "gaussian") for r in RELATIVES}
    assert with_moments >= {(name, r) for name in ("gaussian_mixture", "two_moons") for r in ("itself", "perturbed")}


@over("spec", "target")
def test_members(spec):
    target = build(spec)
    assert isinstance(spec.entry.facts["LABEL"], str) and isinstance(spec.entry.facts["REFERENCE"], str)
    assert target.prior is not None and target.prior.dim == target.dim
    assert has(target, "log_prob") == has(target, "score")
    assert target.tempered(1.0) is target
    for draw in (target.sample, target.training_sample or target.sample, target.prior.sample):
        x = draw(50, stream("members", spec))
        assert x.shape == (50, target.dim) and x.dtype == torch.float32 and x.isfinite().all()
        assert torch.equal(x, draw(50, stream("members", spec))) and not torch.equal(x, draw(50, stream("others", spec)))
        assert len(x.unique(dim=0)) == 50
    for truth in target.truths.values():
        assert truth.source and truth.value.shape == truth.standard_error.shape and (truth.standard_error >= 0).all()


@over("spec", "target", has_density)
def test_score_is_the_gradient_of_the_log_density(spec):
    """Exact in float64, near the mass and far from it, for the target and its relatives, whatever the leading axes."""
    for law in (build(spec), build(spec).perturbed(0.7), build(spec).tempered(0.5), build(spec).tempered(2.0)):
        x = (2 * build(spec).sample(60, stream("score", spec))).double().reshape(3, 4, 5, law.dim).requires_grad_()
        value = law.log_prob(x)
        assert value.shape == (3, 4, 5) and value.dtype == torch.float64
        (gradient,) = torch.autograd.grad(value.sum(), x)
        torch.testing.assert_close(law.score(x), gradient, rtol=1e-10, atol=1e-10)


@over("spec", "target", is_flat)
def test_density_integrates_to_one(spec):
    """By quadrature, to the rounding of float32 constants; `normalised` is claimed where it is true and not elsewhere."""
    target = build(spec)
    for law, grid in (
        (target, lattice(target)),
        (target.perturbed(0.7), lattice(target.perturbed(0.7))),
        (target.prior, lattice(target.prior)),
    ):
        assert law.normalised
        assert grid.total == pytest.approx(1, abs=3e-6)
    for temperature in (0.5, 2.0):
        law = target.tempered(temperature)
        half_width = 1.4 * target.radius * math.sqrt(max(temperature, 1))
        total = Lattice(law.log_prob, law.dim, half_width, 401).total
        assert law.normalised == (total == pytest.approx(1, abs=3e-6)), total


@over("spec", "target", has_density)
@pytest.mark.parametrize("temperature", [0.3, 0.5, 2.0, 5.0])
def test_tempered_density_is_the_power(spec, temperature):
    """log p^(1/T) = log p / T + constant, its score is s/T; exact."""
    target, x = build(spec), 1.5 * build(spec).sample(50, stream("power", spec)).double()
    law = target.tempered(temperature)
    offset = law.log_prob(x) - target.log_prob(x) / temperature
    torch.testing.assert_close(offset, offset[:1].expand_as(offset), rtol=0, atol=3e-5)
    torch.testing.assert_close(law.score(x), target.score(x) / temperature, rtol=1e-6, atol=1e-6)
    assert has(law, "modes") == has(target, "modes")
    torch.testing.assert_close(law.modes, target.modes)


@over("spec", "target", is_flat)
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_draws_follow_the_density(spec, temperature):
    """Draws of `tempered(T)` against quadrature of p^(1/T), which knows nothing of how they are made."""
    target = build(spec)
    x = target.tempered(temperature).sample(N, stream("draws", spec, temperature))
    lattice(target, temperature).assert_draws(x, ALL * len(TEMPERATURES))


@over("spec", "target", is_flat)
def test_perturbed_draws_follow_the_noised_density(spec):
    target = build(spec).perturbed(0.7)
    lattice(target).assert_draws(target.sample(N, stream("perturbed draws", spec)), ALL)


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


@over("spec", "target", has_density)
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_stein_identity(spec, temperature):
    """E s(x) = 0 and E s(x) x' = -I under the law itself: score and draws agree in any dimension."""
    law = build(spec).tempered(temperature)
    x = law.sample(100_000, stream("stein", spec, temperature)).double()
    s = law.score(x)
    products = torch.cat([s, (s[:, :, None] * x[:, None, :]).flatten(1)], -1)
    expected = torch.cat([torch.zeros(law.dim), -torch.eye(law.dim).flatten()])
    assert_mean(products, expected, ALL * len(TEMPERATURES))
    if temperature != 1:
        with pytest.raises(AssertionError):  # the score at another temperature
            assert_mean(products * temperature, expected, ALL * len(TEMPERATURES))


@over("spec", "target", is_flat)
@pytest.mark.parametrize("sigma", [0.2, 1.0])
def test_perturbed_density_is_the_convolution(spec, sigma):
    """log of the numerical integral of p(y) N(x - y; 0, sigma^2 I)."""
    target = build(spec)
    grid = lattice(target)
    x = target.perturbed(sigma).sample(30, stream("convolution", spec, sigma)).double()
    kernel = -(torch.cdist(x, grid.points) ** 2) / (2 * sigma**2) - target.dim / 2 * math.log(2 * math.pi * sigma**2)
    expected = (kernel + grid.mass.log()).logsumexp(-1)
    torch.testing.assert_close(target.perturbed(sigma).log_prob(x), expected, rtol=0, atol=1e-5)


@over("spec", "target", has_density)
def test_noise_adds_in_squares(spec):
    """Noise 3 then 4 is noise 5, exactly."""
    target, x = build(spec), build(spec).sample(50, stream("squares", spec)).double()
    torch.testing.assert_close(target.perturbed(3.0).perturbed(4.0).log_prob(x), target.perturbed(5.0).log_prob(x), rtol=0, atol=2e-6)


WITH_MOMENTS = [(s, r) for s in examples("target") for r in RELATIVES if (its := relative_of(s, r)) is not None and "mean" in its.truths]


@pytest.mark.parametrize(("spec", "relative"), WITH_MOMENTS, ids=str)
def test_draws_have_the_truths(spec, relative):
    """Closed-form truths of the target and of every relative that has them, against 100,000 draws."""
    its = relative_of(spec, relative)
    x = its.sample(100_000, stream("truths", spec)).double()
    statistics = torch.cat([x, x.square().sum(-1, keepdim=True)], -1)
    assert_mean(statistics, torch.cat([its.truths["mean"].value, its.truths["second_moment"].value[None]]), len(WITH_MOMENTS))


@over("spec", "target", is_flat)
def test_truths_are_the_integrals(spec):
    """To the rounding of float32."""
    for law in (build(spec), build(spec).perturbed(0.7)):
        grid = lattice(law)
        torch.testing.assert_close(law.truths["mean"].value.double(), grid.mean(grid.points), rtol=0, atol=1e-5)
        second = grid.mean(grid.points.square().sum(-1))
        torch.testing.assert_close(law.truths["second_moment"].value.double(), second, rtol=1e-5, atol=0)
        assert math.log(grid.total) == pytest.approx(0, abs=3e-6)


@over("spec", "target", lambda s: is_flat(s) and has_modes(s))
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_mode_weights_are_the_integrals(spec, temperature):
    """Shares of the nearest-centre cells by quadrature (its cells' edges cost 2e-3) within the stated standard errors."""
    target = build(spec).tempered(temperature)
    grid = lattice(build(spec), temperature)
    naive = (grid.points[:, None] - target.modes.double()).square().sum(-1)
    tie = naive.sort(-1).values.diff(dim=-1)[:, 0] < 1e-9  # a node on an edge belongs half to each side
    share = torch.where(tie[:, None], naive == naive.amin(-1, keepdim=True), torch.nn.functional.one_hot(naive.argmin(-1), naive.shape[1]))
    exact = grid.mean(share / share.sum(-1, keepdim=True))
    weights, error, _ = target.mode_weights
    assert float(weights.sum()) == pytest.approx(1)
    torch.testing.assert_close(error, (weights * (1 - weights) / 100_000).sqrt())
    assert ((weights - exact).abs() < 5 * error + 2e-3).all()


def test_nearest_centre():
    x, centres = torch.randn(7, 9, 5, generator=stream("x")), 3 + torch.randn(4, 5, generator=stream("c"))
    assert torch.equal(nearest(x, centres), torch.cdist(x.flatten(0, 1), centres).argmin(-1).view(7, 9))


def test_reference_and_radius():
    """Common to all that asks, whatever was drawn before."""
    target = parse("target", "gaussian_mixture").build()
    assert target.reference.shape == (10_000, 2) and target.radius == float(target.reference.norm(dim=-1).max())
    assert torch.equal(target.reference, parse("target", "gaussian_mixture").build().reference)


def test_tempering_far_below_one_ends():
    """A bound of the density that is k times too large would accept one draw in k^(1/T - 1): at T = 1/8 one in 2 million."""
    target = parse("target", "gaussian_mixture:components=8,radius=3,std=0.3").build()
    x = target.tempered(0.125).sample(N, stream("cold"))
    lattice(target, 0.125).assert_draws(x, 1)


def log_bounds(spec: Spec) -> list[torch.Tensor]:
    """The bounds of log p with which draws for T < 1 are rejected; none where draws are made otherwise."""
    seen: list[torch.Tensor] = []
    original = mixtures._log_bound

    def spy(*arguments):
        seen.append(original(*arguments))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixtures, "_log_bound", spy)
        build(spec).tempered(0.5)
    return seen


@over("spec", "target", lambda s: has_density(s) and bool(log_bounds(s)))
def test_bound_of_the_density(spec):
    """The rejection bound is above the density everywhere: else draws for T < 1 are cut."""
    target, (bound,) = build(spec), log_bounds(spec)
    points = torch.cat([target.sample(20_000, stream("bound", spec)), *([target.modes] if has_modes(spec) else [])])
    assert float(target.log_prob(points).max()) <= float(bound) + 1e-6


# The digits, the one target without a density: its recipe.

QUIET = "digits:noise=1e-6"


@cached
def images() -> tuple[torch.Tensor, torch.Tensor]:
    from sklearn.datasets import load_digits

    data = torch.tensor(load_digits().data)
    held_out = torch.arange(len(data)) % 3 == 0
    return data[held_out], data[~held_out]


def pixels(x: torch.Tensor) -> torch.Tensor:
    return ((x.double() + 1) * 8.5).floor()


def test_digits_come_from_two_disjoint_parts():
    """Without noise, flooring undoes the dequantisation: each draw is an image of its part, and of no other."""
    target = parse("target", QUIET).build()
    held_out, training = ({tuple(row) for row in part.int().tolist()} for part in images())
    assert (len(images()[0]), len(images()[1])) == (599, 1198) and not held_out & training
    mine = {tuple(row) for row in pixels(target.sample(4_000, stream("held out"))).clamp(0, 16).int().tolist()}
    trained = {tuple(row) for row in pixels(target.training_sample(4_000, stream("training"))).clamp(0, 16).int().tolist()}
    # Noise of 1e-6 moves one value in 1e5 across a grey level: some rows in a hundred thousand values differ by one.
    assert len(mine - held_out) < 0.02 * len(mine) and not mine & training
    assert len(trained - training) < 0.02 * len(trained) and not trained & held_out
    assert len(mine & held_out) > 590  # 4,000 draws of 599 miss 1 in 800


def test_digits_dequantisation_and_noise():
    """u is uniform (DKW, sees .01 at n = 128,000) on a range [-1, 1); noise has the stated variance.

    A blank pixel has variance 1/(12 8.5^2) + noise^2; 100,000 draws see .02 of it.
    """
    x = parse("target", QUIET).build().sample(2_000, stream("u")).double()
    assert x.shape == (2_000, 64) and x.min() > -1 - 1e-5 and x.max() < 1 + 1e-5
    assert_cdf((((x + 1) * 8.5) % 1).flatten().cpu().numpy(), 2)
    blank = parse("target", "digits:noise=0.2").build().sample(100_000, stream("blank"))[:, 0].double()
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
        build(parse("target", "gaussian")).dim = 3
    with pytest.raises(NotApplicable, match="no modes"):
        _ = build(parse("target", "gaussian")).mode_weights
    assert np.isfinite(build(parse("target", "gaussian")).radius)


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


def test_two_moons_are_the_convolved_arcs():
    """At noise .1 the 64 nodes give the density of 2,000 to 1 part in 1,000 of its largest value; with 8 nodes an arc they would not."""
    t = math.pi * (torch.arange(1_000, dtype=torch.float64) + 0.5) / 1_000
    arcs = torch.cat([torch.stack([t.cos(), t.sin()], -1), torch.stack([1 - t.cos(), 0.5 - t.sin()], -1)])
    x = parse("target", "two_moons").build().sample(500, stream("moons")).double()
    expected = (-torch.cdist(x, arcs).square() / 0.02).exp().mean(-1) / (2 * math.pi * 0.01)
    found = parse("target", "two_moons").build().log_prob(x).exp()
    assert float((found - expected).abs().max() / expected.max()) < 1e-3
