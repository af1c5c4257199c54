"""The law of a sampler: exact, or what its file states instead: the order of its bias, its stationary variance, its recursion, another law.

On a Gaussian an unadjusted scheme is linear, x_K = M x_0 + sum_k N_k eps_k, and its response to unit impulses, run through the sampler's own step in
float64, gives its law without noise. Each check that rests on chance says which error it sees.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from scorebench.core import registry
from scorebench.core.spec import Spec
from scorebench.engine.sampling import absent
from scorebench.samplers.base import Density, Extended, Recursion, Sampler, Starts, exact_density
from scorebench.suite.jobs import gradients, has_step, has_temperature, ladder, to_the_end
from scorebench.targets.base import Target
from scorebench.targets.lib.mixture import mixture, normal
from scorebench.testing.contract import SHARE, agree, finite, only
from scorebench.testing.examples import cached, is_stepped, stream
from scorebench.testing.lattice import Lattice
from scorebench.testing.options import LONG
from scorebench.testing.runs import UNEQUAL, build, go, target
from scorebench.testing.statistical import assert_mean, z_limit

N = 20_000
STEP = "x' = x + c s(x) + sqrt(2 c T) eps"


class Stepped(NamedTuple):
    """Chains after some steps, and how they came there."""

    x: Tensor  # (chain, d)
    acceptance: float
    moved: float


def law_after(spec: Spec, of: Target, temperature: float, step_size: float, steps: int = 3) -> Stepped:
    """Chains from exact draws of p^(1/T)."""
    density, sampler = exact_density(of), build(spec, (step_size,), (temperature,))

    def draw(at: float) -> Tensor:
        return of.tempered(at).sample(N, stream("exact start", spec, at))[None, None]

    state = sampler.equilibrium(draw, density) if isinstance(sampler, Extended) else sampler.init(draw(temperature), density)
    generator = stream("steps", spec, temperature, step_size)
    accepted, moved = [], []
    for _ in range(steps):
        before = state.x
        state, info = sampler.step(state, density, sampler.draws(density, (N, of.dim), generator)[None])
        accepted.append(float(torch.as_tensor(info.acceptance).mean()))
        moved.append(float((state.x != before).any(-1).double().mean()))
    return Stepped(state.x[0, 0], sum(accepted) / steps, sum(moved) / steps)


@cached
def power(temperature: float) -> Lattice:
    """p^(1/T) by quadrature."""
    of = target(UNEQUAL)
    return Lattice(lambda x: of.log_prob(x) / temperature, 2, 1.4 * of.radius * math.sqrt(max(temperature, 1)), 401)


CELLS = tuple(itertools.product((0.5, 1.0, 2.0), (0.05, 0.4)))
HOT, LARGE = CELLS[-1]
PLACES = ((-0.8, 0.9), (0.0,), (-0.7, 0.8), (0.0,), (0.0,))
"""Of the product's coordinates the modes, of weights .3 and .7 where there are two."""
PAIRS = tuple(itertools.combinations(range(len(PLACES)), 2))
MANY, SPENT = 50, 600
"""Steps there, and gradients: fewer steps where one takes more than 12, three at least."""


def product(*axes: int) -> Target:
    """Independent coordinates in R^5, of unequal variances, or some of them: their marginal law."""
    modes = list(itertools.product(*(zip(PLACES[k], (0.3, 0.7)[-len(PLACES[k]) :], strict=True) for k in axes)))
    means = torch.tensor([[place for place, _ in mode] for mode in modes])
    weights = torch.tensor([math.prod(weight for _, weight in mode) for mode in modes])
    variances = torch.tensor([0.3 + 0.1 * k for k in axes]).expand_as(means)
    return mixture(weights, means, variances, normal(len(axes), 2.0), modes=False)


@cached
def marginal(pair: tuple[int, int], temperature: float) -> Lattice:
    """Two coordinates of the product's p^(1/T), by quadrature."""
    of = product(*pair)
    return Lattice(lambda x: of.log_prob(x) / temperature, 2, 1.4 * of.radius * math.sqrt(max(temperature, 1)), 201)


def assert_product(x: Tensor, temperature: float, comparisons: int, how: str) -> None:
    """Draws in R^5 follow the product's p^(1/T): each pair of coordinates as draws in the plane do."""
    for pair in PAIRS:
        marginal(pair, temperature).assert_draws(x[:, pair], len(PAIRS) * comparisons, how, pair)


def temperatures(spec: Spec, given: Sequence[float]) -> list[float]:
    """Those at which the sampler is tried; of one without a temperature 1."""
    return [t for t in given if t == 1 or has_temperature(spec)] or [1.0]


def assert_law(spec: Spec, temperature: float, step_size: float, comparisons: int = len(CELLS) * SHARE) -> None:
    """Three steps from exact draws of p^(1/T) leave exact draws of it, in the plane."""
    after = law_after(spec, target(UNEQUAL), temperature, step_size)
    how = f"temperature and law: at T = {temperature:g}, c = {step_size:g}, three steps from exact draws of p^(1/T)"
    with explained(after):
        power(temperature).assert_draws(after.x, comparisons, how)


@contextmanager
def explained(after: Stepped) -> Iterator[None]:
    """What is found of the law of chains is told with what they did, and with what was claimed."""
    try:
        yield
    except AssertionError as error:
        refused = f"; a chain moved in {after.moved:.0%} of its steps and the acceptance says {after.acceptance:.0%}"
        why = "EXACT = True says that a step of any size leaves p^(1/T) invariant: proposals by sqrt(2 c T) eps, and where one is refused the state is repeated"
        raise AssertionError(f"{error}{refused if after.acceptance < 1 else ''} ({why})") from None


@only(lambda spec: bool(spec.entry.facts["EXACT"]) and is_stepped(spec))
def keeps_the_law(spec: Spec) -> None:
    """Steps from exact draws of p^(1/T) leave exact draws of p^(1/T): three in the plane, at T = 1/2, 1 and 2, small and large, and 50 in R^5.

    On three unequal modes; 20,000 chains see a distribution function off by .03 and a density off by 10 % in root mean square. In R^5, at T = 2 (1 of one
    without a temperature), with a large step on a product of two coordinates of two modes and three Gaussian ones, the same of each pair of coordinates;
    of a step of more than 12 gradients there are 600 / GRADIENTS, three at least. What is wrong after more steps alone is not seen.
    """
    comparisons = 2 * len(CELLS) * SHARE  # a half for each place
    for temperature, step_size in CELLS:
        if temperature in temperatures(spec, (temperature,)):
            assert_law(spec, temperature, step_size, comparisons)
    (temperature,) = temperatures(spec, (HOT,))
    steps = max(min(MANY, SPENT // max(gradients(spec), 1)), 3)
    after = law_after(spec, product(*range(len(PLACES))), temperature, LARGE, steps)
    with explained(after):
        how = f"temperature and law: in R^5 at T = {temperature:g}, c = {LARGE:g}, {steps} steps from exact draws of p^(1/T)"
        assert_product(after.x, temperature, 2 * SHARE, how)


# What is not exact states what it has instead: the order of its bias, its stationary variance, another law.


STEPS_A_SIDE = (4.0, 2.0, 1.0)
"""Step sizes, in units of the smallest."""
TEMPERATURES = (0.5, 2.0)
SMALLEST, LONGEST, FORGOTTEN, BIASED = 1 / 16, 8_192, 1e-3, 2e-3
"""The smallest step in units of the smaller variance; the most steps; how much of a variance may still come when the number of steps doubles (its square is
what is left); what the extrapolated variance may be off."""


def states_its_law(spec: Spec) -> None:
    """Says that there is a statement. Raises AssertionError in words where there is none."""
    there = spec.entry.functions | set(spec.entry.facts)
    if gradients(spec) == 0:
        assert "law" in there, (
            "EXACT = False and GRADIENTS = 0, and the file does not say what is drawn; expected is a function law(target, temperature, **options) -> Target"
        )
    assert gradients(spec) == 0 or there & {"ORDER", "theory"}, (
        "EXACT = False, and the file does not say what holds instead; expected is ORDER = k (the error of the stationary law is O(c^k)), "
        "or a function theory(step_size, temperature, variance), the stationary variance on N(0, variance) (see samplers/base.py)"
    )


def law_of(spec: Spec, of: Target, temperature: float) -> Target:
    """What is sampled with small steps: p^(1/T), or what the file says in `law`."""
    module = registry.module("sampler", spec.name)
    stated: Target = module.law(of, temperature, **spec.options) if "law" in spec.entry.functions else of.tempered(temperature)
    return stated


def oval(spec: Spec, dim: int) -> Target:
    """N(0, diag(v, 2 v, 3 v)), or its first coordinates, v of the size of the last noise level where there are some: small steps are few there."""
    v = ladder(spec)[-1] ** 2 if ladder(spec) else 0.5
    variances = v * torch.arange(1, dim + 1)[None]
    return mixture(torch.ones(1), torch.zeros(1, dim), variances, normal(dim, 4 * v), modes=False)


class Response(NamedTuple):
    """x_K = offset + M x_0 + sum_k N_k eps_k for each cell, and at half of the steps."""

    offset: Tensor  # (cell, d)
    start: Tensor  # (cell, d, d)
    noise: Tensor  # (cell, steps * draws, d)
    half: Tensor  # (cell, steps * draws, d), at half of the steps


def impulses(sampler: Sampler[Any], density: Density, dim: int, steps: int, columns: int) -> Response:
    """A chain for nothing, one for each coordinate of the start, and one for each number that is drawn, all through the sampler's own steps."""
    cells, before = len(sampler.step_size), 1 + dim
    chains = before + steps * columns
    x = torch.zeros(1, cells, chains, dim, dtype=torch.float64)
    x[:, :, 1:before] = torch.eye(dim, dtype=torch.float64)
    state, half = sampler.init(x, density), x
    for k in range(steps):
        draws = torch.zeros(1, chains, columns, dtype=torch.float64)
        first = before + k * columns
        draws[0, first : first + columns] = torch.eye(columns, dtype=torch.float64)
        state, _ = sampler.step(state, density, draws)
        half = state.x if k == steps // 2 - 1 else half
    now, then = state.x[0], half[0]
    return Response(now[:, 0], now[:, 1:before] - now[:, :1], now[:, before:] - now[:, :1], then[:, before:] - then[:, :1])


def double(spec: Spec, cells: Sequence[tuple[float, float]]) -> Any:
    """The sampler over these cells, in float64."""
    c, t = torch.tensor(cells, dtype=torch.float64).split(1, -1)
    return spec.build(step_size=c, temperature=t)


def is_linear(spec: Spec, sampler: Sampler[Any], density: Density, dim: int, columns: int) -> bool:
    """Whether a few steps from and by random numbers are what their impulses say."""
    its = impulses(sampler, density, dim, 6, columns)
    x = torch.randn(1, len(sampler.step_size), 5, dim, generator=stream("linear x", spec), dtype=torch.float64)
    eps = torch.randn(6, 1, 5, columns, generator=stream("linear eps", spec), dtype=torch.float64)
    state = sampler.init(x, density)
    for draws in eps:
        state, _ = sampler.step(state, density, draws)
    by_noise = torch.einsum("cmo,nm->cno", its.noise, eps[:, 0].transpose(0, 1).flatten(1))
    predicted = its.offset[:, None] + torch.einsum("cio,cni->cno", its.start, x[0]) + by_noise
    return bool(torch.allclose(state.x[0], predicted, rtol=1e-6, atol=1e-6 * float(predicted.abs().max())))


class Stationary(NamedTuple):
    """The covariance where a chain ends on a Gaussian, with its standard error; zero where it is known without noise."""

    covariance: Tensor  # (cell, d, d)
    error: Tensor  # (cell, d, d)


def by_impulses(spec: Spec, density: Density, dim: int, cells: Sequence[tuple[float, float]], columns: int) -> Stationary:
    """Of a linear scheme, exact, once the start is forgotten."""
    sampler, steps = double(spec, cells), max(256, 2 * to_the_end(spec) // gradients(spec))
    while True:
        its = impulses(sampler, density, dim, steps, columns)
        now, then = (torch.einsum("cmo,cmp->cop", part, part) for part in (its.noise, its.half))
        finite(f"runs away: the stationary variance (is the sign of the score that of {STEP}, s = grad log p?)", now)
        growth = float(((now - then).abs() / now.abs().amax((1, 2), keepdim=True)).max())
        if growth <= FORGOTTEN and float(its.start.abs().max()) <= FORGOTTEN**0.5:
            spread = now.diagonal(dim1=1, dim2=2).sqrt()
            agree("the stationary mean on N(0, v), in standard deviations,", its.offset / spread, torch.zeros_like(spread), 0, BIASED)
            return Stationary(now, torch.zeros_like(now))
        assert steps < LONGEST, (
            f"on N(0, v), in {steps} steps of c = v/16, its law still changes by {growth:.2g} of its variance between half of the steps and all: "
            f"it runs away (is the sign of the score that of {STEP}?), or forgets its start too slowly to be checked (give EXAMPLES that are quicker)"
        )
        steps *= 2


def by_chains(spec: Spec, of: Target, cells: Sequence[tuple[float, float]], relaxation: float, chains: int) -> Stationary:
    """Of any scheme, from exact draws of what it samples and for six times as long as that takes to be forgotten."""
    covariances, errors = [], []
    for c, t in cells:
        sampler, density, generator = build(spec, (c,), (t,)), exact_density(of), stream("stationary", spec, c, t)
        state = sampler.init(law_of(spec, of, t).sample(chains, stream("stationary start", spec, c, t))[None, None], density)
        for _ in range(max(to_the_end(spec) // gradients(spec), math.ceil(6 * relaxation / c))):
            state, _ = sampler.step(state, density, sampler.draws(density, (chains, of.dim), generator)[None])
        x = state.x[0, 0].double()
        finite(f"runs away: the position at T = {t:g}, c = {c:g} on a Gaussian (is the sign of the score that of {STEP}?)", x)
        products = x[:, :, None] * x[:, None]
        covariances.append(products.mean(0))
        errors.append(products.std(0) / chains**0.5)
    return Stationary(torch.stack(covariances), torch.stack(errors))


def _extrapolated(values: Tensor, steps: Sequence[float], order: int) -> tuple[Tensor, Tensor]:
    """The value at c = 0 of b0 + b1 c^order + b2 c^(order + 1) through three steps, from values (step, ...), and the weights of the values."""
    c = torch.tensor(steps, dtype=torch.float64) / max(steps)
    weights = torch.linalg.inv(torch.stack([torch.ones_like(c), c**order, c ** (order + 1)], -1))[0]
    return torch.tensordot(weights, values, 1), weights


@only(lambda spec: not spec.entry.facts["EXACT"] and has_step(spec) and is_stepped(spec))
def has_the_bias_that_it_states(spec: Spec) -> None:
    """On a Gaussian, in the plane and in R^3, its stationary variance is that of its `theory`, or tends to T v as its ORDER says.

    Without noise for a scheme that is linear there: b0 of V(c)/(T v) = 1 + b0 + b1 c^k + b2 c^(k+1), through three step sizes, sees .2 % of the variance at
    T = 1/2 and 2: noise sqrt(c T) for sqrt(2 c T) is 50 %, T squared or forgotten 50 or 100 %, an order less some per cent. For another scheme by
    100,000 chains, which see some 12 %, in R^3 by 30,000, which see 22 %.
    """
    states_its_law(spec)
    for dim in (2, 3):
        _has_bias(spec, dim)


def _has_bias(spec: Spec, dim: int) -> None:
    of, facts, functions = oval(spec, dim), spec.entry.facts, spec.entry.functions
    basis = torch.eye(dim, dtype=torch.float64)
    density, small = exact_density(of), -1 / float(of.score(basis)[0, 0])
    steps = [size * SMALLEST * small for size in STEPS_A_SIDE]
    hot = temperatures(spec, TEMPERATURES)
    cells = list(itertools.product(steps, hot))
    drawn = double(spec, cells).draws(density, (2, dim), stream("columns"))
    linear = drawn.dim() == 2 and is_linear(spec, double(spec, cells), density, dim, drawn.shape[-1])
    laws = [law_of(spec, of, t) for _, t in cells]
    exact = torch.stack([-1 / law.score(basis).diagonal() for law in laws])  # (cell, d)
    found = (
        by_impulses(spec, density, dim, cells, drawn.shape[-1])
        if linear
        else by_chains(spec, of, cells, 2 * small, 100_000 if dim == 2 else 30_000)
    )
    if linear:
        _draws_as_its_impulses_say(spec, density, dim, cells, drawn.shape[-1])
    variance, error = (part.diagonal(dim1=-2, dim2=-1) for part in found)  # (cell, d)
    limit = z_limit(12 * len(cells) * SHARE)
    if "theory" in functions:
        theory = registry.module("sampler", spec.name).theory
        for (c, t), mine, its, law in zip(cells, variance, error, exact, strict=True):
            for v, e, whole in zip(mine.tolist(), its.tolist(), (law / t).tolist(), strict=True):
                said = theory(c, t, whole, **spec.options)
                assert abs(v - said) <= 1e-4 * said + limit * e, (
                    f"variance: on N(0, {whole:g}) at T = {t:g}, c = {c:g} the stationary variance is {v:.4g}{_within(e)}; theory says {said:.4g} ({STEP})"
                )
                nearly = theory(1e-6 * whole, t, whole, **spec.options)
                assert abs(nearly / (t * whole) - 1) < 1e-3, (
                    f"theory says {nearly:.4g} for the smallest steps on N(0, {whole:g}) at T = {t:g}; T v = {t * whole:g} was expected"
                )
    if "ORDER" not in facts:
        return
    order = facts["ORDER"]
    assert isinstance(order, int) and order >= 1, f"ORDER = {order!r}; a whole number, 1 or more, was expected"
    for i, t in enumerate(hot):
        its, wanted = variance[i :: len(hot)], exact[i]
        at_zero, weights = _extrapolated(its / wanted, steps, order)
        noise = (weights[:, None] * error[i :: len(hot)] / wanted).square().sum(0).sqrt()
        for k in range(dim):
            shown, at = (", ".join(f"{float(v):.4g}" for v in part) for part in (its[:, k], steps))
            assert abs(float(at_zero[k]) - 1) <= BIASED + limit * float(noise[k]), (
                f"temperature and noise: on N(0, {float(wanted[k] / t):.3g}) at T = {t:g} the stationary variance at c = {at} is "
                f"{shown}{_within(float(error[i, k]))}; with ORDER = {order} it tends to {float(at_zero[k] * wanted[k]):.4g} as c goes to 0, and "
                f"{float(wanted[k]):.4g} was expected ({STEP} leaves p^(1/T) invariant up to order c)"
            )
        apart = ~torch.eye(dim, dtype=torch.bool)
        across = found.covariance[i :: len(hot), apart].abs().max()
        allowed = BIASED * float(wanted.max()) + limit * float(found.error[:, apart].max())
        assert float(across) <= allowed, (
            f"noise: on a Gaussian with independent coordinates theirs have covariance {float(across):.3g} at T = {t:g}; 0 was expected: each has its own eps"
        )


@only(lambda spec: "recursion" in spec.entry.functions and is_stepped(spec))
def is_the_recursion_that_it_states(spec: Spec) -> None:
    """On a Gaussian its first six steps have the mean, the variance and the gradients of its `recursion`.

    Exact, by the step's response to unit starts and unit numbers, for a small and a large step: one part in a million is seen.
    """
    of, recursion = oval(spec, 3), registry.module("sampler", spec.name).recursion
    density, variances = exact_density(of), of.truths["variances"].value.tolist()
    cells = [(share * variances[0], t) for share, t in itertools.product((0.1, 0.8), temperatures(spec, TEMPERATURES))]
    sampler = double(spec, cells)
    columns = sampler.draws(density, (1, of.dim), stream("columns")).shape[-1]
    for steps in range(1, 7):
        its = impulses(sampler, density, of.dim, steps, columns)
        for (cell, (c, t)), (axis, v) in itertools.product(enumerate(cells), enumerate(variances)):
            found = torch.stack([its.start[cell, axis, axis], its.noise[cell, :, axis].square().sum()])
            stated = found.new_tensor(_after(recursion(c, t, v, **spec.options), steps))
            what = (
                f"recursion: x after {steps} steps of c = {c:.3g} on N(0, {v:.3g}) at T = {t:g}, its mean over its start or its variance,"
            )
            agree(what, found, stated, 1e-6, 1e-9, "z' = A z + xi, xi ~ N(0, Q), as the file's recursion says")
    each, extra = gradients(spec), recursion(*cells[0], 1.0, **spec.options).extra
    spent = go(spec, target("gaussian"), budgets=(5 * each,)).gradients[0]
    assert spent == 5 * each + extra, f"recursion: 5 steps spent {spent} gradients; 5 x {each} + {extra} was expected, extra = {extra}"


def _after(recursion: Recursion, steps: int) -> tuple[float, float]:
    """The mean of x over its start, and its variance from a start at 0."""
    row, variance = np.eye(len(recursion.matrix))[0], 0.0
    for _ in range(steps):
        row, variance = row @ recursion.matrix, variance + float(row @ recursion.noise @ row)
    return float(row[0]), variance


def _within(error: float) -> str:
    return f" +- {error:.2g}" if error else ""


def _draws_as_its_impulses_say(
    spec: Spec, density: Density, dim: int, cells: Sequence[tuple[float, float]], columns: int, steps: int = 24
) -> None:
    """Moments of chains from 0 by the sampler's own draws against those by its impulses; 20,000 chains see 6 % of a variance."""
    its, sampler, generator = impulses(double(spec, cells), density, dim, steps, columns), double(spec, cells), stream("by its draws", spec)
    state = sampler.init(torch.zeros(1, len(cells), N, dim, dtype=torch.float64), density)
    for _ in range(steps):
        state, _ = sampler.step(state, density, sampler.draws(density, (N, dim), generator)[None].double())
    a, b = torch.triu_indices(dim, dim)
    for cell, (c, t) in enumerate(cells):
        x, covariance = state.x[0, cell], its.noise[cell].T @ its.noise[cell]
        assert_mean(
            torch.cat([x, x[:, a] * x[:, b]], -1),
            torch.cat([its.offset[cell], covariance[a, b]]),
            2 * len(cells) * SHARE,
            what=f"noise: after {steps} steps from 0 at T = {t:g}, c = {c:.3g} on a Gaussian, x, then xx', by its own draws",
            why=f"what the step makes of independent numbers of mean 0 and variance 1: {STEP}",
        )


@only(lambda spec: not spec.entry.facts["EXACT"] and gradients(spec) > 0 and not has_step(spec) and is_stepped(spec))
def ends_where_it_states(spec: Spec) -> None:
    """Without a step size: on a Gaussian it ends with the variance of its `theory`, which is within 10 % of the target's; 100,000 chains see 2.5 %."""
    assert "theory" in spec.entry.functions, (
        "EXACT = False, no step size, and the file does not say what holds instead; expected is a function theory(step_size, temperature, variance, "
        "**options), the variance where it ends on N(0, variance), whatever the step (see samplers/base.py)"
    )
    of, sampler, n = target("gaussian:dim=3,variance=0.5,condition=2"), build(spec), 100_000
    density, generator = exact_density(of), stream("ends", spec)
    assert of.prior is not None
    x = sampler.start(density, (n, of.dim), generator) if isinstance(sampler, Starts) else of.prior.sample(n, generator)
    state = sampler.init(x[None, None], density)
    for _ in range(to_the_end(spec) // gradients(spec)):
        state, _ = sampler.step(state, density, sampler.draws(density, (n, of.dim), generator)[None])
    variances = of.truths["variances"].value.tolist()
    said = [registry.module("sampler", spec.name).theory(math.nan, 1.0, v, **spec.options) for v in variances]
    moments = torch.cat([state.x[0, 0], state.x[0, 0].square()], -1).double()
    what = f"variance: on N(0, diag({', '.join(f'{v:.3g}' for v in variances)})), x and then x^2 at the end"
    assert_mean(moments, torch.tensor([*[0.0] * of.dim, *said]), SHARE, what=what, why="its theory")
    for v, its in zip(variances, said, strict=True):
        assert abs(its / v - 1) < 0.1, f"theory says that it ends with variance {its:.4g} on N(0, {v:g}); within 10 % of {v:g} was expected"


@only(lambda spec: not spec.entry.facts["EXACT"] and gradients(spec) == 0 and is_stepped(spec))
def draws_the_law_that_it_states(spec: Spec) -> None:
    """Independent draws follow the law that the file states: distribution functions to .03, densities to 10 %."""
    states_its_law(spec)
    for temperature in temperatures(spec, (0.5, 1.0, 2.0)):
        law = law_of(spec, target(UNEQUAL), temperature)
        lattice = Lattice(law.log_prob, 2, 1.4 * law.radius, 401)
        lattice.assert_draws(law_after(spec, target(UNEQUAL), temperature, 0.1, 1).x, 3 * SHARE, f"the draws at T = {temperature:g}")


@only(lambda spec: not is_stepped(spec))
def comes_to_its_law(spec: Spec) -> None:
    """From the prior it comes to p^(1/T), at T = 1/2, 1 and 2, in 2,000 gradients, and in R^5 to p; or to the `law` that its file states.

    On three unequal modes, and where it is EXACT the product of `keeps_the_law`; 2,000 chains see a distribution function off by .08.
    """
    assert not absent(spec), absent(spec)
    assert spec.entry.facts["EXACT"] or "law" in spec.entry.functions, (
        "EXACT = False and a loop of its own, and the file does not say what is sampled; expected is a function law(target, temperature, **options) -> Target"
    )
    temperatures = (0.5, 1.0, 2.0)
    found = go(spec, target(UNEQUAL), 2_000, (LONG,), (0.05,), temperatures, (0,)).samples[-1, 0]
    for x, temperature in zip(found, temperatures, strict=True):
        law = law_of(spec, target(UNEQUAL), temperature)
        lattice = power(temperature) if spec.entry.facts["EXACT"] else Lattice(law.log_prob, 2, 1.4 * law.radius, 401)
        how = f"temperature and law: at T = {temperature:g}, after {LONG:,} gradients from the prior"
        lattice.assert_draws(x, 2 * len(temperatures) * SHARE, how)
    if spec.entry.facts["EXACT"]:
        x = go(spec, product(*range(len(PLACES))), 2_000, (LONG,), (0.05,), (1.0,), (0,)).samples[-1, 0, 0]
        assert_product(x, 1.0, 2 * SHARE, f"law: in R^5, after {LONG:,} gradients from the prior")
