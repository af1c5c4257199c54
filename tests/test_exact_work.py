"""How near a chain is to its law after k gradients, exactly: on Gaussians by each scheme's recursion, of MALA by quadrature, of two modes by the spectral gap.

Exact: recursions against the parts multiplied by hand and against the sampler's own step; curves against moments summed step by step; plateaus against
`theory`. Statistical: runs of the loop against what was computed before, alpha = 1e-4 a test function over all its parameters (Bonferroni). Where the
studentised mean of a square is taken, the skewness of chi-square makes the true rate at most three times the nominal at this many chains.
"""

import dataclasses
import itertools
import math
from functools import cache

import numpy as np
import pytest
import torch
from exact_work import Best, best, exact_work, work
from scipy import stats
from scipy.sparse.linalg import eigs

from scorebench.claims.lib.langevin import euler_kernel
from scorebench.claims.lib.spectral import potential_of, spectrum
from scorebench.core import registry
from scorebench.core.errors import NotApplicable
from scorebench.core.spec import parse
from scorebench.engine.gap import slowest
from scorebench.engine.gaussian import Curve, Gaussian, curve, gaussian
from scorebench.engine.loop import run
from scorebench.samplers.base import Density, Recursion, exact_density
from scorebench.testing.contract import applies
from scorebench.testing.examples import stream
from scorebench.testing.laws import double, is_the_recursion_that_it_states
from scorebench.testing.runs import build
from scorebench.testing.statistical import z_limit

SPLITTINGS = ("BAOAB", "ABOBA", "OBABO", "OABAO")
SPECS = ["ula", "leimkuhler_matthews", *(f"underdamped:splitting={s},friction={g}" for s in SPLITTINGS for g in (0.5, 3.0))]
CARRIED = {"ula": (), "leimkuhler_matthews": ("noise",), "underdamped": ("v",)}
CELLS = list(itertools.product((0.01, 0.4), (0.5, 1.0), (0.3, 2.0)))
"""Step size, temperature and variance."""


def stated(text: str, c: float, t: float, v: float) -> Recursion:
    spec = parse("sampler", text)
    return registry.module("sampler", spec.name).recursion(c, t, v, **spec.options)


def by_hand(text: str, c: float, t: float, v: float) -> tuple[np.ndarray, np.ndarray]:
    """z' = A z + B eps, each scheme's own lines, eliminated by hand."""
    options, h = parse("sampler", text).options, math.sqrt(2 * c)
    if text == "ula":
        return np.array([[1 - c / v]]), np.array([[math.sqrt(2 * c * t)]])
    if text == "leimkuhler_matthews":
        s = math.sqrt(2 * c * t) / 2
        return np.array([[1 - c / v, s], [0, 0]]), np.array([[s], [1]])
    kick = -h / (2 * v)  # half a B
    one, half = (math.exp(-options["friction"] * time) for time in (h, h / 2))
    full, part = (math.sqrt(t * (1 - a * a)) for a in (one, half))
    if options["splitting"] == "BAOAB":  # w = v + kick x, y = x + h w/2, u = one w + full eps, x' = y + h u/2, v' = u + kick x'
        x, y = np.array([1 + h * kick * (1 + one) / 2, h * (1 + one) / 2]), np.array([one * kick, one])
        return np.array([x, y + kick * x]), np.array([[h * full / 2], [full * (1 + kick * h / 2)]])
    if options["splitting"] == "ABOBA":  # y = x + h v/2, u = one (v + kick y) + full eps + kick y, x' = y + h u/2
        u = np.array([kick * (1 + one), one + kick * (1 + one) * h / 2])
        return np.array([np.array([1, h / 2]) + h / 2 * u, u]), np.array([[h * full / 2], [full]])
    if options["splitting"] == "OBABO":  # u = half v + part eps, x' = x + h (u + kick x), v' = half (u + kick (x + x')) + part eps'
        x = np.array([1 + h * kick, h * half])
        y = half * (np.array([kick, half]) + kick * x)
        return np.array([x, y]), np.array([[h * part, 0], [half * part * (1 + kick * h), part]])
    # OABAO: u = half v + part eps, y = x + h u/2, w = u + 2 kick y, x' = y + h w/2, v' = half w + part eps'
    y, u = np.array([1, h * half / 2]), np.array([0, half])
    w = u + 2 * kick * y
    noise = np.array([h * part / 2 + h / 2 * part * (1 + kick * h), half * part * (1 + kick * h)])
    return np.array([y + h / 2 * w, half * w]), np.array([[noise[0], 0], [noise[1], part]])


def by_step(text: str, c: float, t: float, v: float) -> tuple[np.ndarray, np.ndarray]:
    """The same read off the sampler's own step in float64, from unit states and by unit numbers."""
    spec = parse("sampler", text)
    density, sampler, carried = Density(lambda x: -x / v), double(spec, [(c, t)]), CARRIED[spec.name]
    numbers, size = sampler.draws(density, (1, 1), stream("shape")).shape[-1], 1 + len(carried)
    columns = []
    for unit in torch.eye(size + numbers, dtype=torch.float64):
        x, *others = unit[:size].view(-1, 1, 1, 1, 1)
        state = sampler.init(x, density)._replace(**dict(zip(carried, others, strict=True)))
        after, _ = sampler.step(state, density, unit[size:].view(1, 1, numbers))
        columns.append([float(after.x), *(float(getattr(after, name)) for name in carried)])
    matrix = np.array(columns).T
    return matrix[:, :size], matrix[:, size:]


@pytest.mark.parametrize("text", SPECS)
@pytest.mark.parametrize("independent", [by_hand, by_step])
def test_a_recursion_is_the_step(text, independent):
    """A and B B' of each scheme, to 1e-12."""
    for cell in CELLS:
        a, b = independent(text, *cell)
        recursion = stated(text, *cell)
        np.testing.assert_allclose(recursion.matrix, a, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(recursion.noise, b @ b.T, rtol=1e-12, atol=1e-12)


def test_every_recursion_is_tested():
    """Those above by hand; any other, of the package or a stranger's, is held to its step by the contract."""
    assert all(applies(is_the_recursion_that_it_states, parse("sampler", text)) for text in SPECS)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda r: r._replace(matrix=r.matrix * (1 + 1e-5)),
        lambda r: r._replace(noise=r.noise * (1 + 1e-5)),
        lambda r: r._replace(extra=1 - r.extra),
    ],
    ids=["A", "Q", "extra"],
)
@pytest.mark.parametrize("text", SPECS)
def test_the_contract_finds_a_wrong_recursion(text, wrong, monkeypatch):
    spec = parse("sampler", text)
    is_the_recursion_that_it_states(spec)
    module = registry.module("sampler", spec.name)
    right = module.recursion
    monkeypatch.setattr(module, "recursion", lambda *args, **options: wrong(right(*args, **options)))
    with pytest.raises(AssertionError, match="recursion"):
        is_the_recursion_that_it_states(spec)


# Curves: from the recursion, and from runs.


@pytest.mark.parametrize("text", SPECS)
def test_a_curve_is_the_moments_step_by_step(text):
    """Mean and covariance of z propagated one step after another, on unequal coordinates off the origin, against the curve; to 1e-10 of the largest."""
    law = Gaussian(np.array([0.5, -1.0, 0.0]), np.array([0.5, 2.0, 0.5]))
    start = Gaussian(np.array([-1.0, 2.0, 0.3]), np.array([4.0, 0.1, 1.0]))
    found = curve(parse("sampler", text), 0.2, law, start, 40)
    recursions = [stated(text, 0.2, 1.0, v) for v in law.variances]
    extra = recursions[0].extra
    assert extra == int("splitting=BAOAB" in text or "splitting=OBABO" in text or text.startswith("underdamped:friction"))
    assert list(found.gradients) == list(range(extra, 41))
    size = len(recursions[0].matrix)
    means = [np.eye(size)[0] * (m - mu) for m, mu in zip(start.mean, law.mean, strict=True)]
    covariances = [np.outer(np.eye(size)[0], np.eye(size)[0]) * s for s in start.variances]
    for bias in found.bias:
        m, s = np.array([z[0] for z in means]), np.array([z[0, 0] for z in covariances])
        squares = (s + (m + law.mean) ** 2 - law.variances - law.mean**2) ** 2 / (2 * law.variances**2 + 4 * law.mean**2 * law.variances)
        log_p = ((s + m**2) / law.variances).sum() - 3
        np.testing.assert_allclose(bias, [*m**2 / law.variances, *squares, log_p**2 / 6], rtol=1e-9, atol=1e-12)
        means = [r.matrix @ z for r, z in zip(recursions, means, strict=True)]
        covariances = [r.matrix @ z @ r.matrix.T + r.noise for r, z in zip(recursions, covariances, strict=True)]


CHAINS, SEEDS = 20_000, 2
TARGETS = {"gaussian": 0.3, "gaussian:condition=100": 1.2, "gaussian:dim=50,condition=100": 1.2}
"""With a step size each. Of 50 equal variances nothing is asked that 50 different ones do not ask, and see sooner."""
RECORDS = (1, 3, 10, 60)
RUNS = ["ula", "leimkuhler_matthews", *(f"underdamped:splitting={s},friction=0.5" for s in SPLITTINGS)]


def panel(x: np.ndarray, law: Gaussian) -> np.ndarray:
    """The functions of the panel less their means, over their standard deviations: (chain, d) -> (chain, 2 d + 1); of a law at the origin."""
    z = (x - law.mean) / np.sqrt(law.variances)
    return np.concatenate([z, (z**2 - 1) / 2**0.5, -(z**2 - 1).sum(-1, keepdims=True) / (2 * z.shape[-1]) ** 0.5], -1)


@pytest.mark.parametrize("text", RUNS)
@pytest.mark.parametrize("of", TARGETS)
def test_runs_have_the_bias_of_the_curve(text, of):
    """|mean of f| of 40,000 chains, at four records each from 1 step to 60, is the root of the curve's b^2, for every f of the panel.

    The triangle inequality makes the rate at most the nominal. An error of 7 standard errors is seen in 9 of 10 runs: .035 of b where f varies as in the
    law, which at b^2 = .01 is b^2 off by .007. A step that is off by 3 % is seen on N(0, I) in 2-D, by .5 % at kappa = 100.
    """
    spec, target = parse("sampler", text), parse("target", of).build()
    law, c = gaussian(target), float(np.float32(TARGETS[of]))
    start = Gaussian(np.full(target.dim, -3.0 * law.variances.max() ** 0.5), np.full(target.dim, 2 * law.variances.max()))
    draws = [torch.randn(CHAINS, target.dim, generator=stream("start", text, of, seed)) for seed in range(SEEDS)]
    x = torch.stack(draws) * start.variances[0] ** 0.5 + start.mean[0]
    outcome = run(build(spec, (c,)), exact_density(target), x.float(), RECORDS, [stream("run", text, of, s) for s in range(SEEDS)], 1)
    exact = curve(spec, c, law, start, outcome.gradients[-1])
    compared = len(RUNS) * len(RECORDS) * sum(2 * parse("target", name).build().dim + 1 for name in TARGETS)
    for samples, spent in zip(outcome.samples.double().numpy()[:, :, 0], outcome.gradients, strict=True):
        f = panel(samples.reshape(-1, target.dim), law)
        error = f.std(0) / len(f) ** 0.5
        at = int(np.flatnonzero(exact.gradients == spent)[0])
        off = np.abs(np.abs(f.mean(0)) - np.sqrt(exact.bias[at])) / error
        assert off.max() <= z_limit(compared), (spent, int(off.argmax()), off.max())


def test_plateaus():
    """ULA's by its `theory`; BAOAB, ABOBA and Leimkuhler and Matthews have none; the limit is where the curve ends."""
    law = Gaussian(np.zeros(2), np.array([0.5, 2.0]))
    start = Gaussian(np.ones(2), np.ones(2))
    theory = registry.module("sampler", "ula").theory
    for c in (0.01, 0.1, 0.6):
        off = np.array([theory(c, 1.0, v) for v in law.variances]) / law.variances - 1
        expected = [0, 0, *(off**2 / 2), off.sum() ** 2 / 4]
        np.testing.assert_allclose(curve(parse("sampler", "ula"), c, law, start, 1).plateau, expected, rtol=1e-9, atol=1e-25)
        for text in SPECS:
            long = curve(parse("sampler", text), c, law, start, 20_000)
            np.testing.assert_allclose(long.bias[-1], long.plateau, rtol=1e-6, atol=1e-20)
            if text == "leimkuhler_matthews" or "BAOAB" in text or "ABOBA" in text:
                assert long.plateau.max() < 1e-20
            elif text != "ula":
                assert 1e-12 < long.plateau.max()
    unstable = curve(parse("sampler", "ula"), 1.01, law, start, 20_000)
    assert np.isinf(unstable.plateau[[2, 4]]).all() and unstable.bias[-1, 0] == math.inf and work(unstable, 0.01).gradients == math.inf


# Work.


def drawn(*values: float, plateau: float = 0.0) -> Curve:
    return Curve(np.arange(len(values)), np.array(values)[:, None], np.array([plateau]))


def test_work_is_where_it_stays_below():
    """Interpolated in the logarithm; the last crossing counts; what is not below in half of the curve is not known, and above the plateau never.

    A b^2 near epsilon/100 counts for a little more than it is (`arrival`), which moves a crossing by some hundredths of a step.
    """
    assert work(drawn(1.0, 1e-4, 1e-6), 1e-2).gradients == pytest.approx(0.5, abs=0.03)
    assert work(drawn(1.0, 1e-3, 1.0, 1e-4, *[1e-6] * 9), 1e-2).gradients == pytest.approx(2.5, abs=0.03)
    assert work(drawn(0.1, 0.1, 1e-3), 1e-2) == pytest.approx((math.nan, 0), nan_ok=True)
    assert work(drawn(0.1, 1e-3, 1e-3), 1e-2).gradients == pytest.approx(0.5, abs=0.03)
    assert work(drawn(1.0, 1e-3, 1e-3, plateau=0.02), 1e-2) == (math.inf, 0.02)
    assert work(drawn(1e-3, 1e-3, 1e-3), 1e-2).gradients == 0
    late = drawn(1.0, 1e-4, 1e-6)._replace(gradients=np.array([1, 2, 3]))
    assert math.isnan(work(late, 1e-2).gradients)
    two = Curve(np.arange(4), np.array([[1.0, 1e-4]] + [[1e-4, 1e-4]] * 3), np.zeros(2))
    assert work(two, 1e-2).gradients == pytest.approx(0.5, abs=0.03)
    assert work(two, 1e-2, np.mean).gradients == pytest.approx(math.log(0.50005 / 1e-2) / math.log(0.50005 / 1e-4), abs=0.03)


def test_the_work_of_ula_in_one_dimension():
    """From N(m, v), v its own stationary variance, b^2 of x alone falls: k = ln(m^2/epsilon)/(-2 ln(1 - c)), up to the bend between two records."""
    c = 0.05
    v = registry.module("sampler", "ula").theory(c, 1.0, 1.0)
    law, start = Gaussian(np.zeros(1), np.ones(1)), Gaussian(np.full(1, 30.0), np.full(1, v))
    found = exact_work(parse("sampler", "ula"), c, law, start, 1e-2, lambda b, axis=None: b[..., 0])
    assert found.gradients == pytest.approx(math.log(900 / 1e-2) / (-2 * math.log(1 - c)), rel=1e-6)


@pytest.mark.parametrize("text", ["ula", "underdamped:splitting=OBABO,friction=2", "leimkuhler_matthews"])
def test_the_best_step_is_the_best(text):
    """No step of a finer grid is better by more than a part in a thousand; on kappa = 100, where each is far from the edges."""
    law, start = Gaussian(np.zeros(2), np.array([1.0, 100.0])), Gaussian(np.full(2, -7.1), np.full(2, 201.64))
    spec = parse("sampler", text)
    found = best(spec, law, start, 0.01, (0.005, 1.99))
    assert isinstance(found, Best) and found.work == exact_work(spec, found.step_size, law, start, 0.01)
    tried = np.geomspace(0.05, 1.989, 200)  # within 1 % of the best, which is flat there
    assert found.work.gradients <= 1.001 * min(exact_work(spec, c, law, start, 0.01).gradients for c in tried)


def test_what_has_no_exact_work():
    """MALA states no recursion; of other laws than Gaussians no variances are known, of every relative of one they are."""
    gaussians = [parse("target", text).build() for text in ("gaussian:dim=3,condition=9", "gaussian_mixture:components=1")]
    one = Gaussian(np.zeros(1), np.ones(1))
    with pytest.raises(NotApplicable, match="recursion"):
        curve(parse("sampler", "mala"), 0.1, one, one, 10)
    for text in ("gaussian_mixture", "double_well", "two_moons"):
        with pytest.raises(NotApplicable, match="no Gaussian"):
            gaussian(parse("target", text).build())
    np.testing.assert_allclose(gaussian(gaussians[0]).variances, [1, 3, 9], rtol=1e-6)
    np.testing.assert_allclose(gaussian(gaussians[0].perturbed(2.0).tempered(2.0)).variances, [10, 14, 26], rtol=1e-6)
    np.testing.assert_allclose(gaussian(gaussians[1]).mean, [2, 0])
    assert gaussians[0].prior is not None
    np.testing.assert_allclose(gaussian(gaussians[0].prior).variances, 36, rtol=1e-6)


# MALA, by quadrature of its kernel on the line.


def mala_kernel(nodes: np.ndarray, c: float) -> np.ndarray:
    """What a step on N(0, 1) does to masses at equally spaced nodes, (to, from): q(y|x) min(1, p(y) q(x|y)/(p(x) q(y|x))) h, and what is refused stays.

    The acceptance is min(1, exp(c (x^2 - y^2)/4)): it has a kink at y = +-x, which are nodes, so that the trapezoid rule is off by h^2.
    """
    propose = np.exp(-((nodes[:, None] - (1 - c) * nodes) ** 2) / (4 * c)) / math.sqrt(4 * math.pi * c) * (nodes[1] - nodes[0])
    kernel = propose * np.exp(np.minimum(0, c / 4 * (nodes**2 - nodes[:, None] ** 2)))
    return kernel + np.diag(1 - kernel.sum(0))


@cache
def mala_moments(c: float, records: tuple[int, ...], count: int) -> np.ndarray:
    """E x, E x^2 and E x^4 from N(-1, 4) after so many steps, (record, 3), with so many nodes."""
    nodes = np.linspace(-20, 20, count)
    law, kernel = stats.norm.pdf(nodes, -1, 2), mala_kernel(nodes, c)
    law, found = law / law.sum(), []
    for step in range(1, records[-1] + 1):
        law = kernel @ law
        if step in records:
            found.append([law @ nodes**power for power in (1, 2, 4)])
    return np.array(found)


MALA_STEPS, MALA_RECORDS = (0.1, 1.0), (1, 4, 16, 40)


@pytest.mark.parametrize("c", MALA_STEPS)
def test_the_quadrature_of_mala_converges(c):
    """Off by h^2: with half the spacing the largest change is a quarter, a third at most; the last is below 1e-5, 1/200 of a standard error of the run.

    N(0, 1) stays, to 1e-4.
    """
    coarse, middle, fine = (mala_moments(c, MALA_RECORDS, n)[:, :2] for n in (501, 1_001, 2_001))
    first, second = np.abs(coarse - middle).max(), np.abs(middle - fine).max()
    assert second < 1e-5 and second < first / 3
    nodes = np.linspace(-20, 20, 2_001)
    rest = stats.norm.pdf(nodes)
    np.testing.assert_allclose(mala_kernel(nodes, c) @ rest, rest, atol=1e-4)


@pytest.mark.parametrize("c", MALA_STEPS)
def test_mala_has_the_bias_of_its_kernel(c):
    """b of x and of x^2, which is that of log p, after 1 to 40 steps from N(-1, 4), by 200,000 chains.

    The spread is that of the quadrature. An error of 5.8 standard errors is seen in 9 of 10 runs, .013 in b: at b^2 = .01 it is b^2 off by .003.
    """
    chains, target = 200_000, parse("target", "gaussian:dim=1").build()
    x = 2 * torch.randn(1, chains, 1, generator=stream("mala start", c)) - 1
    outcome = run(build(parse("sampler", "mala"), (c,)), exact_density(target), x, MALA_RECORDS, [stream("mala", c)], 1)
    assert outcome.gradients == tuple(k + 1 for k in MALA_RECORDS)  # that of the start is one
    compared = len(MALA_STEPS) * len(MALA_RECORDS) * 2
    for samples, (mean, square, fourth) in zip(outcome.samples[:, 0, 0, :, 0].double(), mala_moments(c, MALA_RECORDS, 2_001), strict=True):
        for found, expected, variance in (
            (samples.mean(), mean, square - mean**2),
            (samples.square().mean(), square, fourth - square**2),
        ):
            off = abs(float(found) - expected) / (variance / chains) ** 0.5
            assert off <= z_limit(compared), (c, off)


# Two modes: the weights come right as the spectral gap says.

MODES, WEIGHT = "gaussian_mixture:weight=0.8", 0.8
LINE = ((WEIGHT, 2.0, 0.25), (1 - WEIGHT, -2.0, 0.25))
START = Gaussian(np.full(2, -0.5), np.full(2, 4.0))


def euler(c: float) -> tuple[np.ndarray, np.ndarray]:
    """ULA's kernel along the line, on nodes closer than a third of its noise."""
    nodes = np.linspace(-9, 9, 2 * math.ceil(9 / min(0.02, math.sqrt(2 * c) / 3)) + 1)
    slope = potential_of(*LINE)[1]
    return nodes, euler_kernel(lambda x: -slope(x), c, nodes)


def share_right(c: float, records: tuple[int, ...]) -> np.ndarray:
    """The share of the mode at (2, 0) after so many steps of ULA from the start, multiples of the first, by powers of the kernel."""
    nodes, kernel = euler(c)
    law, many = stats.norm.pdf(nodes, START.mean[0], START.variances[0] ** 0.5), np.linalg.matrix_power(kernel, records[0])
    laws = itertools.accumulate(range(records[-1] // records[0]), lambda law, _: many @ law, initial=law / law.sum())
    shares = np.array([np.heaviside(nodes, 0.5) @ law for law in laws])
    return shares[np.array(records) // records[0]]


def share_by_gap(times: np.ndarray) -> np.ndarray:
    """The same at times t = c k, as b^2 = C exp(-2 lambda t) has it: from below, since the start gives that mode too little."""
    gap = slowest(parse("target", MODES).build(), START)
    return WEIGHT - np.sqrt(gap.bias * np.exp(-2 * gap.rate * times) * WEIGHT * (1 - WEIGHT))


def test_the_gap_is_that_of_the_schroedinger_operator():
    """Two ways to the rate."""
    found = spectrum(*potential_of(*LINE), 1.0, 6.0, 801).rates
    assert slowest(parse("target", MODES).build(), START).rate == pytest.approx(found[1] - found[0], rel=1e-4)


def test_the_gap_is_the_limit_of_small_steps():
    """The share by ULA's kernel, at three times: from c, c/2 and c/4 without their first two orders it is the gap's, to .001, a third of a standard error of
    the run below; and what is off at c/4 is less than at c/2.
    """
    times = np.array([20.0, 80.0, 160.0])
    coarse, middle, fine = (share_right(c, tuple(round(t / c) for t in times)) for c in (0.01, 0.005, 0.0025))
    once = 2 * middle - coarse, 2 * fine - middle
    np.testing.assert_allclose((4 * once[1] - once[0]) / 3, share_by_gap(times), rtol=0, atol=1e-3)
    assert (np.abs(fine - share_by_gap(times)) < np.abs(middle - share_by_gap(times))).all()


def ula_on_line(nodes: np.ndarray, c: float) -> np.ndarray:
    return euler_kernel(lambda x: -potential_of(*LINE)[1](x), c, nodes)


def mala_on_line(nodes: np.ndarray, c: float) -> np.ndarray:
    """As `mala_kernel`, on the line of the modes."""
    v, slope = (f(nodes) for f in potential_of(*LINE)[:2])
    propose = ula_on_line(nodes, c)
    back = (nodes - nodes[:, None] + c * slope[:, None]) ** 2 - (nodes[:, None] - nodes + c * slope) ** 2
    kernel = propose * np.exp(np.minimum(0, v - v[:, None] - back / (4 * c)))
    return kernel + np.diag(1 - kernel.sum(0))


def leimkuhler_matthews_on_line(nodes: np.ndarray, c: float) -> np.ndarray:
    """Of y = x - sqrt(c/2) eps, eps the last noise, which is a Markov chain: x ~ N(y, c/2), then y' = 2 x + c s(x) - y, where x grows with y + y'."""
    _, slope, curvature = potential_of(*LINE)
    x = np.linspace(-20, 20, 200_001)
    there = np.interp(nodes[:, None] + nodes, 2 * x - c * slope(x), x)
    stretch = 2 - c * np.interp(there, x, curvature(x))
    return np.exp(-((there - nodes) ** 2) / c) / math.sqrt(math.pi * c) / stretch * (nodes[1] - nodes[0])


@pytest.mark.parametrize(
    ("kernel", "rates"),
    [
        (ula_on_line, {0.02: 0.96, 0.062: 1.08, 0.2: 3.6}),
        (mala_on_line, {0.02: 0.60, 0.062: 0.277, 0.2: 0.056}),
        (leimkuhler_matthews_on_line, {0.02: 0.79, 0.1: 0.41, 0.2: 0.245, 0.3: 0.166}),
    ],
)
def test_what_larger_steps_make_of_the_gap(kernel, rates):
    """How fast each scheme's own kernel forgets, in units of the gap, to 2 %: what engine/gap.py says. But for ULA's, .051 a gradient is the most.

    Twice as many nodes change a rate by 1e-4 at most.
    """
    gap = slowest(parse("target", MODES).build(), START).rate
    for c, expected in rates.items():
        nodes = np.linspace(-8, 8, 2 * math.ceil(8 / (math.sqrt(c) / 10)) + 1)
        values = np.sort(np.abs(eigs(kernel(nodes, c), k=3, v0=np.ones(len(nodes)), return_eigenvectors=False)))
        rate = -math.log(values[-2] / values[-1]) / c / gap
        assert rate == pytest.approx(expected, rel=0.02)
        assert kernel is ula_on_line or c * rate < 0.051


def test_the_bias_at_the_start_and_its_end():
    """C from a start within the wells is what their weights say; b^2 is epsilon where `gradients` says, and nothing is left to do for a start that is right."""
    target = parse("target", MODES).build()
    for x, share in ((-2.0, 0.0), (2.0, 1.0)):
        found = slowest(target, Gaussian(np.array([x, 5.0]), np.full(2, 0.01)))
        assert found.bias == pytest.approx((share - WEIGHT) ** 2 / (WEIGHT * (1 - WEIGHT)), rel=2e-2)
    k = found.gradients(0.05, 0.01)
    assert found.bias * math.exp(-2 * found.rate * 0.05 * k) == pytest.approx(0.01)
    assert found.gradients(0.05, 10.0) == 0


def test_weights_come_right_as_the_gap_says():
    """The share of 20,000 chains of ULA after 400, 1,600 and 3,200 steps of c = .05 is that of its kernel, of which the gap's is the limit.

    An error of 5.4 standard errors, .019 of the share, is seen in 9 of 10 runs: after 3,200 steps that is 17 % of the rate.
    """
    c, records, chains, target = float(np.float32(0.05)), (400, 1_600, 3_200), 20_000, parse("target", MODES).build()
    x = 2 * torch.randn(1, chains, 2, generator=stream("weights start")) - 0.5
    outcome = run(build(parse("sampler", "ula"), (c,)), exact_density(target), x, records, [stream("weights")], 1)
    for samples, share in zip(outcome.samples[:, 0, 0], share_right(c, records), strict=True):
        found = float((samples[:, 0] > 0).double().mean())
        assert abs(found - share) <= z_limit(len(records)) * (share * (1 - share) / chains) ** 0.5, (found, share)


def test_where_the_gap_does_not_say():
    """Eight modes, none, and two of different widths, whose coordinates are not independent."""
    for text in ("gaussian_mixture:components=8", "gaussian"):
        with pytest.raises(NotApplicable, match="two modes"):
            slowest(parse("target", text).build(), START)
    two = parse("target", MODES).build()
    skew = dataclasses.replace(two, score=lambda x: two.score(x) * (1 + x[..., 1:].square()))
    with pytest.raises(NotApplicable, match="independent"):
        slowest(skew, START)
