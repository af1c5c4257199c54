"""What every target keeps to: density, score, draws and relatives agree, and truths are true.

With 20,000 draws DKW sees a distribution function that is off by .03 anywhere, chi-squared on 144 cells a density that is off by 10 % in root mean square;
Stein's identity, with 100,000 draws, entries off by .04 to .2, largest where modes are far and narrow (all with power .99).
"""

import inspect
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from scorebench.core import registry
from scorebench.core.errors import NotApplicable
from scorebench.core.spec import Spec
from scorebench.targets.base import Target, has
from scorebench.testing.contract import SHARE, Check, agree, finite, lists_its_options, only, own_generator, says, unchanged
from scorebench.testing.examples import cached, stream
from scorebench.testing.lattice import Lattice
from scorebench.testing.options import obeys_its_options
from scorebench.testing.statistical import assert_mean, z_limit

N = 20_000
TEMPERATURES = (0.5, 1.0, 2.0)
MOST_NODES = 450
"""A side, of the finest square but one."""
NORMALISED = 3e-6
"""Of a total mass: the rounding of constants in float32."""


@cached
def built(spec: Spec) -> Target:
    """The target, built once."""
    target: Target = spec.build()
    return target


def has_density(spec: Spec) -> bool:
    """Whether the target knows its density and its score."""
    return has(built(spec), "log_prob") and has(built(spec), "score")


def is_flat(spec: Spec) -> bool:
    """Whether quadrature is at hand."""
    return has_density(spec) and built(spec).dim <= 2


def has_modes(spec: Spec) -> bool:
    """Whether the target has centres."""
    return has(built(spec), "modes")


def relative(make: Callable[[float], Target], at: float) -> Target | None:
    """A tempered or perturbed law, where it is known."""
    try:
        law = make(at)
        law.sample(2, stream("known"))
    except NotApplicable:
        return None
    return law


def relatives(spec: Spec) -> Iterator[tuple[str, Target]]:
    """The target, tempered and perturbed, as far as they are known."""
    of = built(spec)
    laws = {"the target": of} | {f"tempered({t:g})": relative(of.tempered, t) for t in (0.5, 2.0)}
    laws["perturbed(0.7)"] = relative(of.perturbed, 0.7)
    yield from ((name, law) for name, law in laws.items() if law is not None)


class Grid(NamedTuple):
    """A density on a square that holds it, and what its mass, mean and variance (in units of the spread) still changed by as the square grew."""

    lattice: Lattice
    change: float


def resolved(log_density: Callable[[Tensor], Tensor], law: Target, dim: int) -> Grid:
    """By the trapezoid rule, on a square from 1.4 times the largest norm of 10,000 draws on that grows until nothing changes by more than 1e-7."""
    half_width, nodes = 1.4 * float(law.reference.norm(dim=-1).max()), 401
    before = Lattice(log_density, dim, half_width, nodes)
    while True:
        half_width, nodes = 1.3 * half_width, 16 * nodes // 10 + 1  # finer, too
        grid = Lattice(log_density, dim, half_width, nodes)
        (mass, *moments), (mass_before, *moments_before) = (_moments(of, law) for of in (grid, before))
        gaps = [mass / mass_before - 1, *((a - b) / law.spread for a, b in zip(moments, moments_before, strict=True))]
        change = max(map(abs, gaps))
        if change <= 1e-7 or nodes > MOST_NODES:
            return Grid(grid, change)
        before = grid


def _moments(grid: Lattice, law: Target) -> list[float]:
    mean = grid.mean(grid.points)
    return [grid.total, *mean.tolist(), float(grid.mean((grid.points - mean).square().sum(-1))) / law.spread]


def law_of(spec: Spec, name: str) -> Target:
    """The target, a relative of it, or its prior, by its name."""
    prior = built(spec).prior
    assert prior is not None
    return {**dict(relatives(spec)), "the prior": prior}[name]


@cached
def grid_of(spec: Spec, name: str) -> Grid:
    """A law's own density by quadrature."""
    law = law_of(spec, name)
    return resolved(law.log_prob, law, law.dim)


@cached
def power(spec: Spec, temperature: float) -> Grid:
    """p^(1/T) by quadrature, which knows nothing of `tempered` but its extent."""
    if temperature == 1:
        return grid_of(spec, "the target")
    of = built(spec)
    return resolved(lambda x: of.log_prob(x) / temperature, of.tempered(temperature), of.dim)


def declares_its_members(spec: Spec) -> None:
    """It says LABEL and REFERENCE, has draws and a prior of the same dimension, and is itself at T = 1."""
    factory = registry.method("target", spec.name)
    needed = [p.name for p in inspect.signature(factory).parameters.values() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    assert inspect.isfunction(factory) and not needed, (
        f"it is taken for a target, which is a function of options alone, and {factory.__name__} is {f'called with {needed}' if needed else 'a class'}; "
        "what another kind's file defines tells it (a sampler's GRADIENTS, a loss's draws, a model's GIVES, a metric's ABOUT), or KIND = 'sampler'"
    )
    says(spec, LABEL=str, REFERENCE=str)
    target = built(spec)
    assert isinstance(target, Target), f"the function returns {type(target).__name__}; a Target was expected"
    there = [member for member in spec.entry.facts.get("LACKS", ()) if has(target, member)]
    assert not there, f"LACKS names {there[0]}, which it has"
    assert target.prior is not None and target.prior.dim == target.dim, f"the prior, where samplers start, has no dimension {target.dim}"
    at_one = relative(target.tempered, 1.0)
    assert at_one is target, (
        "tempered(1) is not the target itself: chains at T = 1 are compared with it (targets.base.untempered, where no other is known)"
    )
    for name, truth in target.truths.items():
        assert truth.source and truth.value.shape == truth.standard_error.shape and bool((truth.standard_error >= 0).all()), (
            f"the truth {name!r} has no source, or its standard error another shape than its value"
        )


def draws_by_its_generator(spec: Spec) -> None:
    """Draws are (n, d), float32, finite, different, and rest on their generator alone."""
    target = built(spec)
    assert target.prior is not None
    draws = {"sample": target.sample, "training_sample": target.training_sample or target.sample, "the prior's sample": target.prior.sample}
    for name, draw in draws.items():
        with own_generator(name):
            x = draw(50, stream("members", spec))
        assert x.shape == (50, target.dim), f"{name}(50) has shape {tuple(x.shape)}; {(50, target.dim)} was expected"
        assert x.dtype == torch.float32, f"{name} is of type {x.dtype}; torch.float32 was expected"
        finite(name, x)
        agree(
            f"{name}, drawn again from the same stream,", draw(50, stream("members", spec)), x, 0, 0, "draws rest on their generator alone"
        )
        assert not torch.equal(x, draw(50, stream("others", spec))), f"{name} is the same from another stream"
        assert len(x.unique(dim=0)) == 50, f"{name}(50) repeats rows; independent draws were expected"
        assert draw(1, stream("one")).shape == (1, target.dim), f"{name}(1) has another shape than (1, {target.dim})"


@only(has_density)
def has_the_score_of_its_density(spec: Spec) -> None:
    """The score is the gradient of the log density, near the mass and far from it, for the target and its relatives; in float64 exact."""
    for name, law in relatives(spec):
        x = (2 * built(spec).sample(60, stream("score", spec))).double().reshape(3, 4, 5, law.dim).requires_grad_()
        with unchanged(f"{name}: log_prob", x=x.detach()):
            value = law.log_prob(x)
        assert value.shape == (3, 4, 5) and value.dtype == torch.float64, (
            f"{name}: log_prob of x (3, 4, 5, {law.dim}) float64 is {tuple(value.shape)} {value.dtype}; (3, 4, 5) torch.float64 was expected"
        )
        agree(f"{name}: log_prob of one point alone", law.log_prob(x[0, 1, 2]), value[0, 1, 2], 1e-12, 1e-12, "leading axes are *")
        (gradient,) = torch.autograd.grad(value.sum(), x)
        agree(f"{name}: the score", law.score(x.detach()), gradient, 1e-9, 1e-9, "grad log p, by automatic differentiation of log_prob")
        if law.score_and_log_prob:
            both = law.score_and_log_prob(x.detach())
            for what, found, expected in zip(("score", "log density"), both, (gradient, value.detach()), strict=True):
                agree(f"{name}: the {what} of both at once", found, expected, 1e-9, 1e-9, "what each is alone")


@only(has_density)
def is_finite_everywhere(spec: Spec) -> None:
    """Log density and score are numbers at 4,000 points of twice the target's size, in both precisions."""
    target = built(spec)
    x = target.mean.to(target.reference) + 2 * (target.reference[:4_000] - target.mean.to(target.reference))
    for values in (x, x.double()):
        finite("log_prob", target.log_prob(values), x)
        finite("the score", target.score(values), x)


@only(is_flat)
def integrates_to_one(spec: Spec) -> None:
    """The density's mass is 1 where it says `normalised`, and not elsewhere, by quadrature to the rounding of float32."""
    for name in (*dict(relatives(spec)), "the prior"):
        law, (grid, change) = law_of(spec, name), grid_of(spec, name)
        one = abs(grid.total - 1) <= NORMALISED + 10 * change
        assert law.normalised == one, (
            f"normaliser: exp(log_prob) of {name} has mass {grid.total:.6g} by quadrature and says normalised={law.normalised}; "
            f"{'1 was expected' if law.normalised else 'it should say so where it is 1'}"
        )


@only(has_density)
def tempers_to_the_power(spec: Spec) -> None:
    """The tempered law: log p^(1/T) = log p / T + constant, and its score is s/T, wherever `tempered` is known."""
    target, x = built(spec), 1.5 * built(spec).sample(50, stream("power", spec)).double()
    for temperature in (0.3, 0.5, 2.0, 5.0):
        law = relative(target.tempered, temperature)
        if law is None:
            continue
        offset = law.log_prob(x) - target.log_prob(x) / temperature
        why = "tempered(T) is p^(1/T) up to its constant"
        agree(
            f"log p_T - log p / T at T = {temperature:g}", offset, offset[:1].expand_as(offset), 0, 3e-5, f"{why}: the same at every point"
        )
        agree(f"the score at T = {temperature:g}", law.score(x), target.score(x) / temperature, 1e-6, 1e-6, why)
        assert has(law, "modes") == has(target, "modes"), f"tempered({temperature:g}) has other modes than the target"
        agree(f"the modes at T = {temperature:g}", law.modes, target.modes, 1e-6, 1e-6)


@only(is_flat)
def draws_its_density(spec: Spec) -> None:
    """Draws follow the density, tempered ones its power, by quadrature that knows nothing of how they are made.

    Sees a distribution function off by .03, a spread 3 % too large, a weight off by .04.
    """
    comparisons = (len(TEMPERATURES) + 1) * SHARE
    for temperature in TEMPERATURES:
        law = relative(built(spec).tempered, temperature)
        if law is not None:
            x = law.sample(N, stream("draws", spec, temperature))
            power(spec, temperature).lattice.assert_draws(x, comparisons, f"draws at T = {temperature:g}")
    noised = dict(relatives(spec)).get("perturbed(0.7)")
    if noised is not None and has(noised, "log_prob"):
        x = noised.sample(N, stream("perturbed draws", spec))
        grid_of(spec, "perturbed(0.7)").lattice.assert_draws(x, comparisons, "draws of perturbed(0.7)")


CLUSTERS, UNEVEN, POINTS, FEWEST = 8, 50.0, 20_000, 0.01
"""Of draws; how much larger a density may be at one point of a ball than at another; points of a ball; the share of the draws that it holds at least."""


class Ball(NamedTuple):
    """The share of the draws in an ellipsoid, the integral of exp(log_prob) over it, and the standard error of the logarithm of their ratio."""

    centre: Tensor
    share: float
    mass: float
    error: float

    def __str__(self) -> str:
        shown = ", ".join(f"{float(v):.2f}" for v in self.centre[:4])
        return f"x = ({shown}{', ...' if len(self.centre) > 4 else ''})"


def clusters(x: Tensor) -> list[Tensor]:
    """The points (n, d), by k-means from points that are far from each other, in units of each coordinate's spread."""
    z, chosen = (x - x.mean(0)) / x.std(0), [0]
    while len(chosen) < CLUSTERS:
        chosen.append(int(torch.cdist(z, z[chosen]).amin(-1).argmax()))
    centres = z[chosen]
    for _ in range(20):
        its = torch.cdist(z, centres).argmin(-1)
        centres = torch.stack([z[its == k].mean(0) if (its == k).any() else centres[k] for k in range(CLUSTERS)])
    return [x[its == k] for k in range(CLUSTERS)]


def ball(law: Target, members: Tensor, x: Tensor, generator: torch.Generator) -> Ball | None:
    """About the likeliest member of a cluster (n, d) of `reference`, as large as the density allows; draws x (n, d) are others. None where it holds few."""
    centre, d = members[law.log_prob(members).argmax()], law.dim
    root, failed = torch.linalg.cholesky_ex(members.T.cov().reshape(d, d))

    def lengths(of: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(root, (of - centre).T, upper=False).norm(dim=0)

    radius, first = 3.0, lengths(law.reference.double())
    while not failed and float((first <= radius).double().mean()) >= FEWEST:
        direction = torch.randn(POINTS, d, generator=generator, dtype=torch.float64)
        length = radius * torch.rand(POINTS, 1, generator=generator, dtype=torch.float64) ** (1 / d)
        points = centre + (direction / direction.norm(dim=-1, keepdim=True) * length) @ root.T
        log_p = law.log_prob(points)
        if float(log_p.max() - log_p.min()) <= math.log(UNEVEN):
            log_volume = d / 2 * math.log(math.pi) - math.lgamma(d / 2 + 1) + d * math.log(radius) + float(root.diagonal().log().sum())
            p = (log_p - log_p.max()).exp()
            share, spread = float((lengths(x) <= radius).double().mean()), float(p.std() / p.mean())
            error = math.sqrt(spread**2 / POINTS + (1 - share) / max(share * len(x), 1))
            return Ball(centre, share, math.exp(log_volume + float(log_p.max())) * float(p.mean()), error)
        radius *= 0.8
    return None


@only(lambda spec: has_density(spec) and not is_flat(spec) and has(built(spec), "sample"))
def draws_the_mass_of_its_density(spec: Spec) -> str | None:
    """Balls have the share of the draws that they have of the density's mass, in more than two dimensions, where they hold 1 in 100.

    P(B) = Z^-1 integral_B exp(log_prob), Z = 1 where it is `normalised`, for up to eight ellipsoids B about the likeliest draws of clusters, in each of which
    the density varies by a factor of 50 at most, so that 20,000 points give the integral to some per cent. Sees weights of modes, which Stein's identity does
    not: with 100,000 draws a share off by 5 % to 20 % of itself.
    """
    compared = False
    for temperature in TEMPERATURES:
        law = relative(built(spec).tempered, temperature)
        if law is None:
            continue
        x, generator = law.sample(law.at_most(100_000), stream("mass", spec, temperature)).double(), stream("balls", spec, temperature)
        enough = [members for members in clusters(law.reference.double()) if len(members) > max(FEWEST * len(law.reference), 2 * law.dim)]
        found = sorted(filter(None, (ball(law, members, x, generator) for members in enough)), key=lambda its: -its.share)
        limit = z_limit(2 * CLUSTERS * len(TEMPERATURES) * SHARE)  # twice, for what counts are from normal
        what = f"draws at T = {temperature:g}: "
        for its in found[1:]:
            largest, mass = found[0], its.mass / found[0].mass
            assert abs(math.log(max(its.share, 1e-9) / largest.share / mass)) <= limit * math.hypot(largest.error, its.error), (
                f"{what}{largest.share:.2%} of them are in a ball about {largest}, {its.share:.2%} in one about {its}, {its.share / largest.share:.3g} "
                f"times as many; {mass:.3g} times was expected, by the integrals of exp(log_prob) (are the weights of the modes those of the density?)"
            )
        if found and law.normalised:
            share, mass = found[0].share, found[0].mass
            assert abs(math.log(share / mass)) <= limit * found[0].error, (
                f"{what}{share:.2%} of them are in a ball about {found[0]}, over which exp(log_prob) has the integral {mass:.4g}; the same was expected, "
                "since it says normalised=True (or is a mode never drawn?)"
            )
        compared |= len(found) > 1 or bool(found and law.normalised)
    if compared:
        return None
    return (
        "Its draws are compared with its density by Stein's identity alone, which does not see the weights of modes: no ball in which the density is nearly "
        f"even holds 1 in 100 of them, in {built(spec).dim} dimensions"
    )


@only(lambda spec: has(built(spec), "score"))
def obeys_steins_identity(spec: Spec) -> None:
    """E s(x) = 0 and E s(x) x' = -I under the law itself, tempered and not: score and draws agree in any dimension.

    Sees a score or a temperature off by 4 % to 20 %.
    """
    for temperature in TEMPERATURES:
        law = relative(built(spec).tempered, temperature)
        if law is None:
            continue
        x = law.sample(100_000, stream("stein", spec, temperature)).double()
        s = law.score(x)
        products = torch.cat([s, (s[:, :, None] * x[:, None, :]).flatten(1)], -1)
        expected = torch.cat([torch.zeros(law.dim), -torch.eye(law.dim).flatten()])
        what = f"the mean of s(x), then of s(x) x', over draws at T = {temperature:g}"
        assert_mean(
            products,
            expected,
            len(TEMPERATURES) * SHARE,
            what=what,
            why="E s = 0, E s x' = -I (Stein): draws and score are not of one density",
        )


@only(is_flat)
def perturbs_by_convolution(spec: Spec) -> None:
    """perturbed(sigma) is the numerical integral of p(y) N(x - y; 0, sigma^2 I), and noise 3 then 4 is noise 5; where it is known."""
    target = built(spec)
    for sigma in (0.2, 1.0):
        noised = relative(target.perturbed, sigma)
        if noised is None or not has(noised, "log_prob"):
            return
        grid = grid_of(spec, "the target").lattice
        x = noised.sample(12, stream("convolution", spec, sigma)).double()
        kernel = -(torch.cdist(x, grid.points) ** 2) / (2 * sigma**2) - target.dim / 2 * math.log(2 * math.pi * sigma**2)
        agree(
            f"log_prob of perturbed({sigma:g})",
            noised.log_prob(x),
            (kernel + grid.mass.log()).logsumexp(-1),
            0,
            1e-5,
            "p * N(0, sigma^2 I)",
        )
    twice = relative(target.perturbed(3.0).perturbed, 4.0)
    if twice is not None:
        agree("perturbed(3).perturbed(4)", twice.log_prob(x), target.perturbed(5.0).log_prob(x), 0, 2e-6, "noise adds in squares")


@only(lambda spec: bool({"mean", "variance"} & set(built(spec).truths)))
def has_its_truths(spec: Spec) -> None:
    """Closed-form means and variances are those of 100,000 draws and, in the plane, of quadrature to 1e-5; of the relatives, too.

    By draws sees a mean off by 1.5 % of the spread and a variance off by 3 %.
    """
    for name, law in relatives(spec):
        if not {"mean", "variance"} <= set(law.truths):
            continue
        mean, variance = (law.truths[truth].value.double() for truth in ("mean", "variance"))
        x = law.sample(100_000, stream("truths", spec)).double()
        statistics = torch.cat([x, (x - mean).square().sum(-1, keepdim=True)], -1)
        what = f"truths of {name}: the mean, then E|x - mean|^2, of its draws"
        assert_mean(statistics, torch.cat([mean, variance[None]]), 8 * SHARE, what=what, why="as its truths say")
        if "variances" in law.truths:
            what = f"truths of {name}: each coordinate's variance, of its draws"
            assert_mean((x - mean).square(), law.truths["variances"].value, 8 * SHARE, what=what, why="as its truths say")
        if has(law, "log_prob") and law.dim <= 2 and law.normalised:
            grid, change = grid_of(spec, name)
            within = 1e-5 + 10 * change
            agree(f"truths: the mean of {name}", mean, grid.mean(grid.points), 0, within * law.spread, "by quadrature")
            agree(f"truths: the variance of {name}", variance, grid.mean((grid.points - mean).square().sum(-1)), within, 0, "by quadrature")


@only(has_modes)
def has_its_modes(spec: Spec) -> None:
    """Modes are (k, d), and their weights, in the plane, the integrals over the nearest-centre cells.

    Within five standard errors and the 2e-3 of the cells' edges.
    """
    of = built(spec)
    assert of.modes.dim() == 2 and of.modes.shape[1] == of.dim, (
        f"modes have shape {tuple(of.modes.shape)}; (k, {of.dim}) was expected, a centre a row"
    )
    finite("a mode", of.modes)
    for temperature in TEMPERATURES if is_flat(spec) else ():
        target = relative(of.tempered, temperature)
        if target is None:
            continue
        grid = power(spec, temperature).lattice
        naive = (grid.points[:, None] - target.modes.double()).square().sum(-1)
        tie = (naive - naive.amin(-1, keepdim=True)).abs() < 1e-9  # a node on an edge belongs to each side in part
        exact = grid.mean(tie / tie.sum(-1, keepdim=True))
        weights, error, _ = target.mode_weights
        agree("the standard error of a mode's weight", error, (weights * (1 - weights) / 100_000).sqrt(), 1e-6, 1e-9)
        off = (weights - exact).abs() - z_limit(SHARE * len(weights)) * error
        agree(f"the weights of the modes at T = {temperature:g}", weights.where(off > 2e-3, exact), exact, 0, 0, "by quadrature")


CHECKS: tuple[Check, ...] = (
    declares_its_members,
    lists_its_options,
    draws_by_its_generator,
    obeys_its_options,
    has_the_score_of_its_density,
    is_finite_everywhere,
    integrates_to_one,
    tempers_to_the_power,
    draws_its_density,
    draws_the_mass_of_its_density,
    obeys_steins_identity,
    perturbs_by_convolution,
    has_its_truths,
    has_its_modes,
)
