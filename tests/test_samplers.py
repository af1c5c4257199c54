"""Contract of a sampler: its step, its law, and the loop that counts its gradients. Over the registry.

Exact: one step against an independent one with injected draws; detailed balance; snapshots and shorter runs; stationary variances from the
step's own coefficients. Statistical: exact start, some steps, same law, alpha = 1e-4 a test function over all its parameters
(Bonferroni); 20,000 chains see a distribution function off by .03 and a density off by 10 % in root mean square.
"""

import dataclasses
import math

import numpy as np
import pytest
import torch
from conftest import contract, over
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_discrete_lyapunov

from scorebench.core.errors import NotApplicable
from scorebench.core.spec import parse
from scorebench.engine import loop
from scorebench.engine.attempt import deadline
from scorebench.engine.loop import grid, run
from scorebench.engine.sampling import sample
from scorebench.samplers import hmc, mala
from scorebench.samplers import parallel_tempering as tempering
from scorebench.samplers.base import Density, Info, exact_density
from scorebench.samplers.hmc import leapfrog
from scorebench.samplers.ula import ULA, theory
from scorebench.suite.config import Experiment, Sampling
from scorebench.suite.jobs import gradients, jobs_of, to_the_end, within
from scorebench.targets.base import has
from scorebench.testing.examples import stream
from scorebench.testing.lattice import Lattice
from scorebench.testing.laws import assert_law, law_after
from scorebench.testing.runs import SMALL, UNEQUAL, build, go, target
from scorebench.testing.statistical import assert_mean

pytestmark = pytest.mark.usefixtures("device")


@contract("sampler")
def test_contract(check, spec):
    """The checks that are shipped; those that rest on chance have a false-alarm rate of 1e-5 for each spec."""
    check(spec)


def shows_its_state(spec) -> bool:
    return not spec.options.get("denoise")


@over("spec", "sampler")
def test_shapes_of_a_run(spec):
    outcome = go(spec, target("gaussian_mixture"))
    snapshots = 2 if gradients(spec) else 1
    assert outcome.samples.shape == (snapshots, 2, 4, 16, 2) and outcome.samples.isfinite().all()
    assert len(outcome.steps) == len(outcome.gradients) == snapshots
    assert outcome.acceptance.shape == outcome.acceptance_sd.shape == (2, 4)
    assert outcome.trace.shape[:3] == (2, 4, 8) and outcome.trace.shape[4] == 2
    if shows_its_state(spec):
        assert torch.equal(outcome.trace[:, :, :, -1], outcome.samples[-1][:, :, :8])  # the trace ends where the samples are


@over("spec", "sampler")
def test_gradients_are_counted(spec):
    """The budget is what was spent: the loop's count is the density's own, a gradient a row of chain."""
    of, rows, chains = target("gaussian_mixture"), [], 2 * 4 * 16

    def counting(function):
        def call(x):
            assert x.shape[0] == 2 and x.shape[-1] == 2
            rows.append(x[..., 0].numel())
            return function(x)

        return call

    def watched(density):
        noised = (lambda sigma: watched(density.perturbed(sigma))) if has(density, "perturbed") else density.perturbed
        score, both = counting(density.score), counting(density.score_and_log_prob)
        return dataclasses.replace(density, score=score, score_and_log_prob=both, perturbed=noised)

    outcome = go(spec, of, density=watched(exact_density(of)))
    looks = 0 if shows_its_state(spec) else 1  # a snapshot costs a gradient, which is no part of the next one's count
    assert outcome.gradients[-1] * chains == sum(rows) - looks * chains
    per_step = gradients(spec)
    starting = outcome.gradients[0] - per_step * outcome.steps[0]
    assert 0 <= starting <= per_step  # first scores, at the start
    assert [g - starting for g in outcome.gradients] == [per_step * s for s in outcome.steps]
    if per_step:
        assert outcome.steps == tuple(b // per_step for b in (7, 20))


@dataclasses.dataclass(frozen=True, eq=False)
class Replicas(ULA):
    """ULA with other points beside each chain, and a gradient more at the start."""

    points: int = 5
    calls: int = 1

    def init(self, x, density):
        density.score(x)
        return super().init(x, density)

    def step(self, state, density, draws):
        for _ in range(self.calls):
            density.score(state.x.repeat(1, 1, self.points, 1))
        return state, Info()


def test_gradients_are_rows():
    """Five points a chain in one call are five gradients, one point in five calls as well; half of the chains are half a gradient."""
    c, t = grid([(0.1, 1.0), (0.2, 1.0)])
    start, streams = torch.zeros(3, 16, 2), [stream("rows", i) for i in range(3)]
    for points, calls in ((5, 1), (1, 5)):
        outcome = run(Replicas(c, t, points, calls), exact_density(target("gaussian")), start, (7, 10, 24), streams, 5)
        assert outcome.steps == (1, 2, 4) and outcome.gradients == (6, 11, 21)


@pytest.mark.parametrize(("spent", "promised"), [(2, 1), (5, 1), (1, 2), (1, 0), (3, 2)])
def test_what_was_promised_is_held_to_what_is_spent(spent, promised):
    """GRADIENTS that says another number than the density was asked for is the run's failure, at its first snapshot."""
    c, t = grid([(0.1, 1.0)])
    with pytest.raises(ValueError, match=rf"GRADIENTS says {promised} a step and chain; spent were \d+ in \d+ steps"):
        run(Replicas(c, t, spent), exact_density(target("gaussian")), torch.zeros(1, 16, 2), (20,), [stream("held")], promised)


@over("spec", "sampler")
def test_snapshots_are_shorter_runs(spec):
    """Bitwise."""
    long, short = go(spec, target("gaussian_mixture")), go(spec, target("gaussian_mixture"), budgets=(7,))
    assert torch.equal(long.samples[0], short.samples[0])


@over("spec", "sampler")
def test_trace_is_thinned_evenly(spec):
    """At most 200 states of the second half, evenly spaced, ending with the last."""
    outcome = go(spec, target("gaussian"), budgets=(900 * max(gradients(spec), 1),), steps=SMALL[:1], temperatures=(1.0,), seeds=(0,))
    steps = to_the_end(spec) // max(gradients(spec), 1)
    assert outcome.trace.shape[3] == (steps - steps // 2 if spec.entry.facts.get("ENDS") else 200)
    if gradients(spec) == 1 and shows_its_state(spec):
        budgets = tuple(range(900 - 2 * 199, 901, 2))
        dense = go(spec, target("gaussian"), budgets=budgets, steps=SMALL[:1], temperatures=(1.0,), seeds=(0,))
        assert torch.equal(outcome.trace, dense.samples[:, :, :, :8].movedim(0, 3))


@pytest.mark.parametrize(
    ("sampler", "budget", "after"),
    [("ula", 31, 15), ("annealed:sigmas=2|1|0.5,steps=10", 30, 20), ("annealed:sigmas=2|1|0.5,steps=10", 80, 40), ("ula", 1, 0)],
)
def test_a_trace_is_of_the_stationary_part(sampler, budget, after):
    """Bitwise all states after the first half and, of a ladder, at its last level, and no other."""
    block = Sampling(samplers=(sampler,), step_sizes=(0.01,), chains=16, budgets=tuple(range(1, budget + 1)))
    (job,) = jobs_of(Experiment(target="gaussian", seeds=2, exact=(block,))).samples
    ((_, arrays),), _ = sample(job, 0, deadline(1), {})
    assert torch.equal(arrays["trace"], arrays["samples"][after:, :, :, :8].movedim(0, 3))


@over("spec", "sampler")
def test_many_chains_are_run_in_parts(spec, monkeypatch):
    """The parts have their chains' starts and, one after the other, the seed's numbers; the trace is of the first. To 1e-6."""
    if spec.entry.facts.get("PEERS"):
        return
    of, sampler, streams = target("gaussian"), build(spec, SMALL), [stream("parts", s) for s in range(2)]
    start, budgets = torch.randn(2, 24, 2, generator=stream("start")), within(spec, (20,))

    def chains(part: torch.Tensor, streams: list[torch.Generator]) -> loop.Outcome:
        return loop.run(sampler, exact_density(of), part, budgets, streams, gradients(spec))

    first, second, third = (chains(part, streams) for part in (start[:, :10], start[:, 10:20], start[:, 20:]))
    monkeypatch.setattr(loop, "TOGETHER", 10)
    whole = chains(start, [stream("parts", s) for s in range(2)])
    torch.testing.assert_close(whole.samples, torch.cat([first.samples, second.samples, third.samples], -2), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(whole.trace, first.trace, rtol=1e-6, atol=1e-6)
    mean = (10 * first.acceptance + 10 * second.acceptance + 4 * third.acceptance) / 24
    torch.testing.assert_close(whole.acceptance, mean, rtol=1e-5, atol=1e-6)
    assert (whole.steps, whole.gradients) == (first.steps, first.gradients)


def test_grid_is_the_cells_in_their_order():
    cells = [(a, b) for a in (0.2, 0.3, 0.1) for b in (2.0, 1.0)]
    c, t = grid(iter(cells))
    assert c.shape == t.shape == (6, 1)
    assert list(zip(c.flatten().tolist(), t.flatten().tolist(), strict=True)) == [(pytest.approx(a), b) for a, b in cells]


# One step with injected draws against an independent one, in numpy and float64, on a correlated Gaussian.

PRECISION = np.array([[2.0, 0.6], [0.6, 1.0]])


def correlated() -> Density:
    precision = torch.as_tensor(PRECISION)

    def score(x):
        return -x @ precision

    return Density(score, lambda x: (score(x), 0.5 * (x * score(x)).sum(-1)))


def ula_step(x: np.ndarray, eps: np.ndarray, uniform: float, c: float, t: float) -> np.ndarray:
    return x - c * (PRECISION @ x) + math.sqrt(2 * c * t) * eps


def mala_step(x: np.ndarray, eps: np.ndarray, uniform: float, c: float, t: float) -> np.ndarray:
    def log_p(z):
        return -z @ PRECISION @ z / (2 * t)

    def log_q(to, at):  # N(to; at + c s(at), 2 c T I)
        return -np.sum((to - at + c * (PRECISION @ at)) ** 2) / (2 * 2 * c * t)

    y = ula_step(x, eps, uniform, c, t)
    return y if math.log(uniform) < log_p(y) + log_q(x, y) - log_p(x) - log_q(y, x) else x


def hmc_step(x: np.ndarray, eps: np.ndarray, uniform: float, c: float, t: float, leapfrog_steps: int) -> np.ndarray:
    """Of positions alone: x_(k+1) = 2 x_k - x_(k-1) - h^2 P x_k (Stormer), the velocity at the end by the central difference."""
    h, v = math.sqrt(2 * c), math.sqrt(t) * eps
    before, now = x, x + h * v - c * (PRECISION @ x)
    for _ in range(leapfrog_steps - 1):
        before, now = now, 2 * now - before - h**2 * (PRECISION @ now)
    v_end = (2 * now - before - h**2 * (PRECISION @ now) - before) / (2 * h)
    gain = (x @ PRECISION @ x + v @ v - now @ PRECISION @ now - v_end @ v_end) / 2
    return now if math.log(uniform) < gain / t else x


STEPS = {"ula": ula_step, "mala": mala_step, "hmc": hmc_step}
CELLS = [(c, t) for c in (0.125, 0.5) for t in (0.5, 1.0, 2.0)]  # exact in float32


@over("spec", "sampler", lambda s: s.name in STEPS)
def test_one_step_by_hand(spec):
    """Every seed, cell and chain."""
    sampler = build(spec, (0.125, 0.5), (0.5, 1.0, 2.0))
    x = 1.5 * torch.randn(3, 6, 40, 2, generator=stream("x"), dtype=torch.float64)
    eps = torch.randn(3, 40, 2, generator=stream("eps"), dtype=torch.float64)
    uniform = torch.rand(3, 40, 1, generator=stream("uniform"), dtype=torch.float64)
    draws = eps if spec.name == "ula" else torch.cat([eps, uniform], -1)
    state, _ = sampler.step(sampler.init(x, correlated()), correlated(), draws)
    moved = 0
    for seed, cell, chain in np.ndindex(3, 6, 40):
        before = x[seed, cell, chain].cpu().numpy()
        wanted = STEPS[spec.name](before, eps[seed, chain].cpu().numpy(), float(uniform[seed, chain]), *CELLS[cell], **spec.options)
        np.testing.assert_allclose(state.x[seed, cell, chain].cpu().numpy(), wanted, rtol=1e-6, atol=1e-7)
        moved += not np.array_equal(wanted, before)
    assert moved == 720 if spec.name == "ula" else 150 < moved < 700  # both outcomes were seen
    if spec.name != "ula":  # what is carried belongs to where the chain is
        score, log_prob = correlated().score_and_log_prob(state.x)
        torch.testing.assert_close(state.score, score)
        torch.testing.assert_close(state.log_prob, log_prob)


def test_annealed_by_hand():
    """Two steps at each of three levels, then more at the last: c_i = c sigma_i^2/sigma_L^2 and the score of N(0, v + sigma_i^2); exact."""
    variance, c, t = 0.5, 0.0625, 2.0
    density = Density(perturbed=lambda sigma: Density(lambda x: -x / (variance + sigma**2)))
    sampler = build(parse("sampler", "annealed:sigmas=2|1|0.5,steps=2"), (c,), (t,))
    state = sampler.init(torch.randn(1, 1, 30, 2, generator=stream("x"), dtype=torch.float64), density)
    expected = state.x.clone()
    for i, sigma in enumerate((2, 2, 1, 1, 0.5, 0.5, 0.5)):
        eps = torch.randn(1, 30, 2, generator=stream("eps", i), dtype=torch.float64)
        state, _ = sampler.step(state, density, eps)
        ci = c * sigma**2 / 0.25
        expected = expected - ci * expected / (variance + sigma**2) + math.sqrt(2 * ci * t) * eps
        torch.testing.assert_close(state.x, expected, rtol=1e-7, atol=1e-7)


UNDERDAMPED = [
    (splitting, friction, t)
    for splitting, friction in (("BAOAB", 1.0), ("ABOBA", 0.5), ("OBABO", 2.0), ("OABAO", 1.0), ("BAOAB", math.inf))
    for t in (0.5, 2.0)
]


@pytest.mark.parametrize(("splitting", "friction", "temperature"), UNDERDAMPED)
def test_splitting_by_hand(splitting, friction, temperature):
    """Three steps against matrices written out part by part; BAOAB at infinite friction is Leimkuhler and Matthews's. Exact."""
    c, h = 0.125, 0.5
    sampler = build(parse("sampler", "leimkuhler_matthews"), (c,), (temperature,))
    if friction < math.inf:
        sampler = build(parse("sampler", f"underdamped:splitting={splitting},friction={friction}"), (c,), (temperature,))
    state = sampler.init(torch.randn(1, 1, 5, 2, generator=stream("x"), dtype=torch.float64), correlated())
    x, v, last = state.x[0, 0].cpu().numpy().T, np.zeros((2, 5)), 0.0
    for i in range(3):
        draws = torch.randn(1, 5, 2 * splitting.count("O"), generator=stream("eps", i), dtype=torch.float64)
        state, _ = sampler.step(state, correlated(), draws)
        noise = [eps.cpu().numpy().T for eps in draws[0].split(2, -1)]
        if friction == math.inf:
            x = x - c * PRECISION @ x + math.sqrt(2 * c * temperature) * (last + noise[0]) / 2
            last = noise[0]
        for part in splitting if friction < math.inf else "":
            t = h / splitting.count(part)
            if part == "A":
                x = x + t * v
            elif part == "B":
                v = v - t * PRECISION @ x
            else:
                v = math.exp(-friction * t) * v + math.sqrt(temperature * (1 - math.exp(-2 * friction * t))) * noise.pop(0)
        np.testing.assert_allclose(state.x[0, 0].cpu().numpy().T, x, rtol=1e-6, atol=1e-7)
    if friction < math.inf:
        np.testing.assert_allclose(state.v[0, 0].cpu().numpy().T, v, rtol=1e-6, atol=1e-7)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(halvings=st.integers(2, 16), doublings=st.integers(-4, 4))
def test_mala_detailed_balance(halvings, doublings):
    """p(x)^(1/T) q(y|x) a(x, y) = p(y)^(1/T) q(x|y) a(y, x) for every proposal, on a mixture, from small steps to steps that are hardly accepted.

    Exact in float64: step sizes are such that sqrt(2 c T) is exact in the float32 of the grid.
    """
    step_size, temperature = 2.0**-halvings, 2.0**doublings
    if (halvings + doublings) % 2 == 0:
        temperature *= 2
    density, sampler = exact_density(target(UNEQUAL)), build(parse("sampler", "mala"), (step_size,), (temperature,))
    x = target(UNEQUAL).sample(500, stream("balance")).double()[None, None]
    eps = torch.randn(1, 500, 2, generator=stream("eps"), dtype=torch.float64)

    def acceptance(at, noise):
        return sampler.step(sampler.init(at, density), density, torch.cat([noise, torch.zeros(1, 500, 1)], -1))[1].acceptance

    def drift(at):
        return at + step_size * density.score(at)

    spread = math.sqrt(2 * step_size * temperature)
    y = drift(x) + spread * eps[:, None]
    back = (x - drift(y)) / spread
    there = density.score_and_log_prob(x)[1] / temperature - eps.square().sum(-1)[:, None] / 2 + acceptance(x, eps).log()
    home = density.score_and_log_prob(y)[1] / temperature - back.square().sum(-1) / 2 + acceptance(y, back[:, 0]).log()
    torch.testing.assert_close(there, home, rtol=1e-8, atol=1e-8)


# Hamiltonian Monte Carlo: the leapfrog's own laws, which make the correction exact.


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_one_leapfrog_step_is_mala(temperature):
    """The same draws, the same chains and acceptances, to the rounding of float64, from small steps to steps that are hardly accepted."""
    hmc, langevin = (build(parse("sampler", text), (2**-9, 2**-5, 2**-1), (temperature,)) for text in ("hmc:leapfrog_steps=1", "mala"))
    density, x = exact_density(target(UNEQUAL)), target(UNEQUAL).sample(500, stream("one step")).double().expand(2, 3, 500, 2)
    here, there, refused = hmc.init(x, density), langevin.init(x, density), 0
    for i in range(4):
        draws = langevin.draws(density, (1000, 2), stream("one step", i)).double().view(2, 500, 3)
        (here, a), (there, b) = hmc.step(here, density, draws), langevin.step(there, density, draws)
        torch.testing.assert_close(here.x, there.x, rtol=1e-6, atol=1e-6)  # sqrt(2 c)^2/2 is c to the float32 of the grid
        torch.testing.assert_close(a.acceptance, b.acceptance, rtol=1e-4, atol=1e-5)
        refused += int((a.acceptance < 0.5).sum())
    assert refused > 500


def flow(steps: int = 7, h: float = 0.25):
    """The leapfrog on a mixture as a map of (x, v), (n, 4) -> (n, 4) and the log densities at its ends, in float64."""
    density = exact_density(target(UNEQUAL))

    def move(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, v = z[None, None].chunk(2, -1)
        end, after = leapfrog(mala.State(x, *density.score_and_log_prob(x)), v, density, z.new_full((1, 1, 1), h), steps)
        return torch.cat([end.x, after], -1)[0, 0], end.log_prob[0, 0]

    return move


def phase_points(n: int) -> torch.Tensor:
    return torch.cat([target(UNEQUAL).sample(n, stream("phase")), torch.randn(n, 2, generator=stream("phase", "v"))], -1).double()


def test_the_leapfrog_turns_back():
    """With its velocity reversed a trajectory leads back to where it began: exact, 200 trajectories."""
    z, mirror = phase_points(200), torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=torch.float64)
    there, _ = flow()(z)
    back, _ = flow()(there * mirror)
    torch.testing.assert_close(back * mirror, z, rtol=1e-9, atol=1e-9)
    assert (there - z).norm(dim=-1).min() > 0.05


def test_the_leapfrog_keeps_volume():
    """The determinant of its derivative is 1 at every point; exact, by reverse differentiation."""
    z = phase_points(20)
    jacobian = torch.autograd.functional.jacobian(lambda z: flow()(z)[0].sum(0), z).movedim(1, 0)  # (n, 4, 4): rows do not mix
    torch.testing.assert_close(torch.linalg.det(jacobian), torch.ones(20, dtype=torch.float64), rtol=1e-9, atol=1e-9)


def test_the_leapfrogs_energy_is_of_second_order():
    """Over a time of 1, halving h divides the energy's error by 4 + O(h^2); exact starts. A scheme of first order would by 2."""
    z = phase_points(500)

    def error(steps: int) -> float:
        end, log_prob = flow(steps, 1 / steps)(z)
        before = z[:, 2:].square().sum(-1) / 2 - target(UNEQUAL).log_prob(z[:, :2])
        return float((end[:, 2:].square().sum(-1) / 2 - log_prob - before).square().mean().sqrt())

    ratios = [error(n) / error(2 * n) for n in (32, 64)]
    assert all(abs(ratio - 4) < 0.1 for ratio in ratios) and abs(ratios[1] - 4) < 0.5 * abs(ratios[0] - 4)


@pytest.mark.parametrize(("turn", "ends"), [(math.pi, -1), (2 * math.pi, 1)])
def test_a_length_of_half_a_turn_forgets_nothing(turn, ends):
    """On N(0, v) with L theta = pi a trajectory ends at -x, with L theta = 2 pi at x, whatever its velocity, and is accepted; exact."""
    density, v = exact_density(target("gaussian:dim=2,variance=0.5")), 0.5
    x, eps = (torch.randn(1, 50, 2, generator=stream("turn", use), dtype=torch.float64) for use in ("x", "v"))
    sampler = build(parse("sampler", "hmc:leapfrog_steps=6"), (v * (1 - math.cos(turn / 6)),))
    after, info = sampler.step(sampler.init(x[None], density), density, torch.cat([eps, torch.zeros(1, 50, 1)], -1))
    torch.testing.assert_close(after.x[0], ends * x, rtol=0, atol=1e-5)
    assert float(torch.as_tensor(info.acceptance).min()) > 1 - 1e-5


# Parallel tempering.


def test_tempering_by_hand():
    """Three steps of four replicas: MALA's step of each at its own temperature, then exchanges as the ratio of the product of all laws says; exact."""
    c, t, tau = 0.125, 0.5, (1.0, 1.5, 4.0, 16.0)
    sampler = build(parse("sampler", "parallel_tempering:temperatures=1|1.5|4|16"), (c,), (t,))
    start = 1.5 * torch.randn(1, 1, 40, 2, generator=stream("x"), dtype=torch.float64)
    state, x, exchanged = sampler.init(start, correlated()), start[0, 0].cpu().numpy()[:, None].repeat(4, 1), 0  # (chain, replica, d)

    def log_law(points: np.ndarray) -> float:
        """Of all replicas of a chain."""
        return sum(-z @ PRECISION @ z / (2 * t * own) for z, own in zip(points, tau, strict=True))

    for i in range(3):
        draws = sampler.draws(correlated(), (40, 2), stream("tempering", i)).double()
        state, _ = sampler.step(state, correlated(), draws[None])
        by_hand = draws.unflatten(0, (4, 40)).cpu().numpy()  # (replica, chain, d + 2)
        for chain, points in enumerate(x):
            for k, own in enumerate(tau):
                eps, uniform = by_hand[k, chain, :2], float(by_hand[k, chain, 2])
                points[k] = mala_step(points[k], eps, uniform, c, t * own)
            for k in range(i % 2, 3, 2):
                swapped = points.copy()
                swapped[[k, k + 1]] = points[[k + 1, k]]
                if math.log(by_hand[k, chain, 3]) < log_law(swapped) - log_law(points):
                    points[:] = swapped
                    exchanged += 1
        replicas = state.replicas.x[0, 0].unflatten(0, (4, 40)).movedim(0, 1)
        np.testing.assert_allclose(replicas.cpu().numpy(), x, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(state.x[0, 0], replicas[:, 0], rtol=0, atol=0)
        score, log_prob = correlated().score_and_log_prob(state.replicas.x)
        torch.testing.assert_close(state.replicas.score, score)
        torch.testing.assert_close(state.replicas.log_prob, log_prob)
    assert 60 < exchanged < 140  # of 200


@pytest.mark.parametrize("tau", [2.0, 16.0])
def test_one_step_size_serves_all_replicas(tau):
    """On N(0, v) a move at T tau from sqrt(tau) x is sqrt(tau) times that at T from x, and as likely: exact, for steps that are hardly refused or often."""
    density = exact_density(target("gaussian:dim=2,variance=0.5"))
    x = torch.randn(1, 3, 200, 2, generator=stream("rungs"), dtype=torch.float64)
    draws = torch.randn(1, 200, 3, generator=stream("rungs", "draws"), dtype=torch.float64).sigmoid()
    cold, hot = (build(parse("sampler", "mala"), (0.05, 0.3, 0.9), (t,)) for t in (1.0, tau))
    (one, a), (other, b) = (s.step(s.init(f * x, density), density, draws) for s, f in ((cold, 1.0), (hot, tau**0.5)))
    torch.testing.assert_close(other.x / tau**0.5, one.x, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(a.acceptance, b.acceptance, rtol=1e-6, atol=1e-6)
    assert float(a.acceptance.min()) < 0.8


def test_tempering_crosses_where_mala_does_not():
    """Two modes of weights .8 and .2, all chains in the lighter one, 2,000 gradients each. Predicted before: of MALA's chains none crosses, for at a barrier
    of log p(mode)/p(saddle) = 18 - log 2 its rate is sqrt(4 x 140)/(2 pi) e^-17.3 = 1e-7 a unit of time (Kramers), of which there are 200: .05 of 2,000
    chains, more than 3 with probability 2e-7. Tempered, the barrier is 1.1 at the hottest replica and neighbours exchange more often than not, so that
    400 steps are many times what a point takes from end to end: the share is .8. 2,000 chains see it off by .035; false alarm 1e-4.
    """
    of = target("gaussian_mixture:radius=3,std=0.5,weight=0.8")
    start = (0.5 * torch.randn(1, 2_000, 2, generator=stream("crossing")) + of.modes[1]).float()
    assert bool((start[..., 0] < 0).all())
    shares = {}
    for name in ("mala", "parallel_tempering"):
        spec = parse("sampler", name)
        outcome = run(build(spec), exact_density(of), start, (2_000,), [stream("crossing", name)], gradients(spec))
        assert outcome.gradients[0] == 2_000 + gradients(spec)
        shares[name] = (outcome.samples[0, 0, 0, :, 0] > 0).double()
    assert float(shares["mala"].sum()) <= 3
    assert_mean(shares["parallel_tempering"], 0.8, 1)


def test_wrong_exchanges_are_seen(monkeypatch):
    """The mutants: exchanges that are always accepted, and those whose sign is turned."""
    spec, correct = parse("sampler", "parallel_tempering:temperatures=1|4"), tempering.metropolis
    for broken in (torch.zeros_like, torch.neg):
        with monkeypatch.context() as patch, pytest.raises(AssertionError):
            patch.setattr(tempering, "metropolis", lambda new, old, ratio, u, broken=broken: correct(new, old, broken(ratio), u))
            assert_law(spec, 1.0, 0.05)


def test_mala_refuses_the_impossible():
    """A proposal of density zero, or whose density or score is no number, leaves the chain bitwise where it was."""
    x = torch.randn(1, 1, 64, 2, generator=stream("x"))
    for outside in (-math.inf, math.nan):

        def both(y, outside=outside):
            inside = y.eq(x).all(-1)
            s = torch.where(inside[..., None], -y, outside if math.isnan(outside) else 0.0)
            return s, torch.where(inside, torch.zeros(()), torch.tensor(outside))

        density, sampler = Density(lambda y, both=both: both(y)[0], both), build(parse("sampler", "mala"))
        state = sampler.init(x, density)
        draws = sampler.draws(density, (64, 2), stream("d"))[None]
        after, info = sampler.step(state, density, draws)
        assert torch.equal(after.x, x) and (info.acceptance == 0).all()
        assert after.log_prob.isfinite().all() and after.score.isfinite().all()


# The law: exact start, some steps, same law.


def test_wrong_laws_are_seen(monkeypatch):
    """The mutants: ULA in MALA's place; q the wrong way round; T forgotten in q; q's variance doubled."""
    spec = parse("sampler", "mala")
    with pytest.raises(AssertionError):
        assert_law(parse("sampler", "ula"), 1.0, 0.4)
    log_q = mala.MALA._log_q
    for broken in (
        lambda self, eps, back: -log_q(self, eps, back),
        lambda self, eps, back: log_q(self, eps, back) * self.temperature,
        lambda self, eps, back: log_q(self, eps, back) / 2,
    ):
        with monkeypatch.context() as patch, pytest.raises(AssertionError):
            patch.setattr(mala.MALA, "_log_q", broken)
            assert_law(spec, 2.0, 0.4)


def test_wrong_trajectories_are_seen(monkeypatch):
    """HMC's mutants: no half kick at the end; velocities of variance 1 whatever T."""
    spec = parse("sampler", "hmc:leapfrog_steps=2")

    def unkicked(state, v, density, h, steps):
        end, after = leapfrog(state, v, density, h, steps)
        return end, after - h / 2 * end.score

    with monkeypatch.context() as patch, pytest.raises(AssertionError):
        patch.setattr(hmc, "leapfrog", unkicked)
        assert_law(spec, 1.0, 0.4)
    with monkeypatch.context() as patch, pytest.raises(AssertionError):
        patch.setattr(hmc, "leapfrog", lambda state, v, density, h, steps: leapfrog(state, v / 2**0.5, density, h, steps))
        assert_law(spec, 2.0, 0.4)


def test_controls_have_their_laws():
    """Independent draws of p^(1/T), and of the prior; a state does not depend on the last."""
    of = target(UNEQUAL)
    Lattice(of.prior.log_prob, 2, 6.0, 401).assert_draws(law_after(parse("sampler", "prior"), of, 1.0, 0.1, 1).x, 2)
    with pytest.raises(NotApplicable):
        build(parse("sampler", "exact"), (0.1,), (0.5,)).draws(exact_density(target("digits")), (4, 64), stream("d"))
    for name in ("exact", "prior"):
        outcome = go(parse("sampler", name), of, seeds=(0,))
        first, second = outcome.trace[0, 0, :, 0], outcome.trace[0, 0, :, 1]
        assert not (first == second).any()


# Unadjusted Langevin on a Gaussian is a linear recursion: everything is known.


def test_ula_variance_after_k_steps():
    """v' = (1 - c/v)^2 v + 2 c T, k times; 40,000 chains see 3 % at alpha 1e-4 over the cells."""
    v, chains = 0.5, 40_000
    of = parse("target", "gaussian:dim=1,variance=0.5").build()
    steps, temperatures = (0.05, 0.2, 0.7), (0.5, 1.0, 2.0)
    outcome = go(parse("sampler", "ula"), of, chains=chains, budgets=(1, 4, 12), steps=steps, temperatures=temperatures, seeds=(0,))
    for k, n in enumerate((1, 4, 12)):
        for cell, (c, t) in enumerate((c, t) for c in steps for t in temperatures):
            variance = 4 * v
            for _ in range(n):
                variance = (1 - c / v) ** 2 * variance + 2 * c * t
            squares = outcome.samples[k, 0, cell].double().square().flatten()
            assert_mean(squares, variance, 27)
            if n == 12:
                with pytest.raises(AssertionError):  # the mutant: sqrt(c T) for sqrt(2 c T)
                    assert_mean(squares, variance - c * t * sum((1 - c / v) ** (2 * i) for i in range(n)), 27)


@pytest.mark.parametrize("variance", [0.5, 1.0])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_ula_bias_is_of_first_order(variance, temperature):
    """The stationary variance from the step's own coefficients is `theory`, exactly; halving c halves its bias (ratio 2 + O(c))."""
    precision = 1 / variance
    density = Density(lambda x: -x * precision)

    def stationary(c: float) -> float:
        sampler = build(parse("sampler", "ula"), (c,), (temperature,))

        def step(x, eps):
            draws = torch.full((1, 1, 1), eps, dtype=torch.float64)
            return float(sampler.step(sampler.init(torch.full((1, 1, 1, 1), x, dtype=torch.float64), density), density, draws)[0].x)

        return step(0.0, 1.0) ** 2 / (1 - step(1.0, 0.0) ** 2)

    for c in (2**-6, 2**-4, 2**-2):
        assert stationary(c) == pytest.approx(theory(c, temperature, variance), rel=1e-6)
    biases = [stationary(c) - temperature * variance for c in (2**-5, 2**-6, 2**-7)]
    ratios = [a / b for a, b in zip(biases, biases[1:], strict=False)]
    assert all(1.98 < r < 2.1 for r in ratios) and abs(ratios[1] - 2) < 0.6 * abs(ratios[0] - 2)


SPLITTINGS = ("BAOAB", "ABOBA", "OBABO", "OABAO")


def linear(spec, c: float, t: float, variance: float) -> tuple[np.ndarray, np.ndarray]:
    """A step on N(0, variance) as z' = A z + B eps, z the position and what else is carried."""
    density = Density(lambda x: -x / variance)
    sampler = build(spec, (c,), (t,))
    carried = {"underdamped": "v", "leimkuhler_matthews": "noise"}.get(spec.name)
    draws = sampler.draws(density, (1, 1), stream("shape")).shape[-1]
    size = 1 + (carried is not None)

    def step(z: np.ndarray) -> list[float]:
        x, more, eps = (torch.tensor(part, dtype=torch.float64).view(1, 1, 1, -1) for part in (z[:1], z[1:size], z[size:]))
        state = sampler.init(x, density)
        if carried:
            state = state._replace(**{carried: more})
        after, _ = sampler.step(state, density, eps[0])
        return [float(after.x), *([float(getattr(after, carried))] if carried else [])]

    columns = np.array([step(unit) for unit in np.eye(size + draws)]).T
    return columns[:, :size], columns[:, size:]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(["ula", "leimkuhler_matthews", *SPLITTINGS]),
    variance=st.floats(-3, 3).map(lambda e: 10**e),
    temperature=st.floats(-3, 3).map(lambda e: 10**e),
    share=st.floats(0.01, 0.95),
    damping=st.floats(-1, 1).map(lambda e: 10**e),
)
def test_the_law_on_a_gaussian(name, variance, temperature, share, damping):
    """Stable for c < 2 v and not beyond; the stationary variance is T v for BAOAB, ABOBA and Leimkuhler and Matthews, T v/(1 - c/(2 v)) for ULA, off by
    order c = h^2/2 for the others: exact, from the step's own coefficients.
    """
    text = f"underdamped:splitting={name},friction={damping / variance**0.5!r}" if name in SPLITTINGS else name
    spec = parse("sampler", text)

    def bias(share: float) -> float:
        a, b = linear(spec, 2 * variance * share, temperature, variance)
        assert np.abs(np.linalg.eigvals(a)).max() < 1
        return solve_discrete_lyapunov(a, b @ b.T)[0, 0] / (temperature * variance) - 1

    if name == "ula":
        assert bias(share) == pytest.approx(1 / (1 - share) - 1, rel=1e-4)
        assert theory(2 * variance * share, temperature, variance) == pytest.approx(temperature * variance / (1 - share))
    elif name in ("OBABO", "OABAO"):
        assert bias(0.02) / bias(0.01) == pytest.approx(2, rel=0.05) and 1e-4 < abs(bias(0.02)) < 0.1
        bias(share)
    else:
        assert abs(bias(share)) < 1e-4
    beyond, _ = linear(spec, 2 * variance * 1.05, temperature, variance)
    assert np.abs(np.linalg.eigvals(beyond)).max() > 1


@pytest.mark.parametrize(("splitting", "limit"), [("OBABO", "ula"), ("BAOAB", "leimkuhler_matthews")])
def test_infinite_friction(splitting, limit):
    """OBABO is ULA with the first of its noises, BAOAB the scheme of Leimkuhler and Matthews, from the momentum that its own step would leave; exact."""
    c, t = 0.125, 2.0
    fast = build(parse("sampler", f"underdamped:splitting={splitting},friction=1e9"), (c,), (t,))
    slow = build(parse("sampler", limit), (c,), (t,))
    x = torch.randn(1, 1, 5, 2, generator=stream("x"), dtype=torch.float64)
    here, there = fast.init(x, correlated()), slow.init(x, correlated())
    here = here._replace(v=0.5 * (2 * c) ** 0.5 * correlated().score(x))
    for i in range(4):
        draws = torch.randn(1, 5, 2 * splitting.count("O"), generator=stream("eps", i), dtype=torch.float64)
        here, _ = fast.step(here, correlated(), draws)
        there, _ = slow.step(there, correlated(), draws[..., :2])
        torch.testing.assert_close(here.x, there.x, rtol=1e-7, atol=1e-7)


def test_divergence_is_data():
    """Beyond c = 2v ULA blows up: states that are far or not finite, and no exception; a step below stays. MALA refuses and stays."""
    of = target("gaussian")
    outcome = go(parse("sampler", "ula"), of, budgets=(50, 400), steps=(1.9, 2.5), temperatures=(1.0,))
    last = outcome.samples[-1]
    assert last[:, 0].isfinite().all() and last[:, 0].norm(dim=-1).max() < 20 * of.radius
    assert not (last[:, 1].norm(dim=-1) < 20 * of.radius).any()  # a NaN is no less
    stays = go(parse("sampler", "mala"), of, budgets=(50, 400), steps=(1.9, 50.0), temperatures=(1.0,))
    assert stays.samples.isfinite().all() and stays.samples.norm(dim=-1).max() < 20 * of.radius
    assert float(stays.acceptance[:, 1].max()) < 0.01


def test_energies_that_can_not_be_normalised_are_data():
    """p rising without bound, as a trained energy's may: ULA runs away to what is no number; MALA climbs, raises nothing, stays finite."""
    density = Density(lambda x: x, lambda x: (x, 0.5 * x.square().sum(-1)))
    of = target("gaussian")
    fled = go(parse("sampler", "ula"), of, budgets=(600,), steps=(0.5,), density=density)
    assert not fled.samples[-1].isfinite().any()
    climbed = go(parse("sampler", "mala"), of, budgets=(600,), steps=(0.1,), density=density)
    assert climbed.samples.isfinite().all() and climbed.acceptance.isfinite().all()
    assert float(climbed.samples[-1].norm(dim=-1).mean()) > 3 * of.radius


@over("spec", "sampler")
def test_chains_and_seeds_do_not_mix(spec):
    """Another start in one chain changes that chain alone, bitwise; seeds have their own numbers."""
    of = target("gaussian_mixture")
    start = torch.stack([of.prior.sample(16, stream("mix")) for _ in range(2)])
    changed = start.clone()
    changed[1, 3] += 0.5
    runs = [
        run(build(spec, SMALL[:1]), exact_density(of), s, (10,), [stream("mix", i) for i in range(2)], gradients(spec)).samples[-1]
        for s in (start, changed)
    ]
    differs = (runs[0] != runs[1]).any(-1)
    assert not differs[0].any() and differs[1].sum() == (1 if gradients(spec) else 0)
    assert torch.equal(runs[0][0], runs[0][1]) == (not build(spec).draws(exact_density(of), (16, 2), stream("mix")).numel())


def test_denoising_is_the_posterior_mean():
    """On N(0, v) noised by sigma: E[x0 | x] = x v/(v + sigma^2) (Tweedie); exact, at the level where the chain is."""
    density = exact_density(target("gaussian:dim=2,variance=0.5"))
    for budget, sigma in ((2, 2.0), (5, 0.5)):
        found = {}
        for denoise in ("true", "false"):
            spec = parse("sampler", f"annealed:sigmas=2|0.5,steps=2,denoise={denoise}")
            method = spec.build(step_size=torch.tensor([[0.01]]), temperature=torch.ones(1, 1))
            start = torch.randn(1, 16, 2, generator=stream("tweedie"))
            found[denoise] = run(method, density, start, (budget,), [stream("noise")], 1).samples
        torch.testing.assert_close(found["true"], found["false"] * 0.5 / (0.5 + sigma**2), rtol=1e-5, atol=1e-6)
