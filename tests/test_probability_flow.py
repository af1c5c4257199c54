"""The probability flow: its map and its likelihood on laws where both are known, its order, divergences at every level, and how a sampler that starts and ends
by itself is run. All exact but for Heun's error, whose order is held: 2.
"""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from conftest import over
from scipy import stats

from scorebench.core import rng
from scorebench.core.errors import NotApplicable
from scorebench.core.schema import OK, Status
from scorebench.core.spec import parse
from scorebench.engine.attempt import deadline
from scorebench.engine.loop import grid
from scorebench.engine.measuring import Bench
from scorebench.engine.metric import Metric
from scorebench.engine.sampling import sample
from scorebench.engine.sources import trained
from scorebench.metrics.base import Run
from scorebench.metrics.probability_flow_likelihood import log_likelihood
from scorebench.models.base import stack
from scorebench.samplers.base import Density, exact_density
from scorebench.suite.jobs import within
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load
from scorebench.targets.base import Target, has
from scorebench.targets.lib.mixture import mixture
from scorebench.testing.examples import cached, examples, fits, stream

ONE_MODE = mixture(torch.ones(1), torch.tensor([[0.5, -1.0]]), torch.tensor([[0.5, 2.0]]))
CENTRED = mixture(torch.ones(1), torch.zeros(1, 2), torch.tensor([[0.5, 2.0]]))
ON_A_LINE = mixture(torch.tensor([0.3, 0.7]), torch.tensor([[-2.1], [0.9]]), torch.tensor([[0.2], [0.5]]))
IN_THE_PLANE = mixture(torch.tensor([0.2, 0.8]), torch.tensor([[-2.0, 0.8], [0.5, -0.2]]), torch.tensor([[0.2, 0.6], [0.5, 0.1]]))


@cached
def target(text: str) -> Target:
    return parse("target", text).build()


def flowed(law: Target, x: torch.Tensor, levels: int, last: bool = False, high: float = 8.0, low: float = 0.5) -> torch.Tensor:
    """Where the sampler brings points (n, d) from the highest of so many geometric levels to the lowest, or to no noise."""
    sigmas = "|".join(map(str, np.geomspace(high, low, levels)))
    sampler = parse("sampler", f"probability_flow:sigmas={sigmas}").build(step_size=torch.ones(1, 1), temperature=torch.ones(1, 1))
    density = exact_density(law)
    state = sampler.init(x[None, None], density)
    for _ in range(levels if last else levels - 1):
        state, _ = sampler.step(state, density, torch.empty(0))
    return state.x[0, 0]


def assert_second_order(errors: list[float]) -> None:
    """Twice the levels, a quarter of the error, ever more nearly."""
    ratios = [a / b for a, b in itertools.pairwise(errors)]
    assert all(3.6 < ratio < 4.6 for ratio in ratios) and abs(ratios[-1] - 4) < abs(ratios[0] - 4), ratios


def on_the_line() -> torch.Tensor:
    return torch.linspace(-15, 15, 61, dtype=torch.float64)[:, None]


def test_the_flow_of_a_gaussian():
    """Each coordinate is scaled as its spread, sqrt((v + sigma^2)/(v + sigma_1^2)) about the mean; the last step is the mean without noise."""
    x, mean, variance = 5 * torch.randn(50, 2, generator=stream("flow"), dtype=torch.float64), ONE_MODE.mean, torch.tensor([0.5, 2.0])
    known = mean + (x - mean) * ((variance + 0.25) / (variance + 64)).double().sqrt()
    assert_second_order([float((flowed(ONE_MODE, x, n + 1) - known).abs().max()) for n in (32, 64, 128)])
    there = flowed(ONE_MODE, x, 9)
    posterior = mean + (there - mean) * (variance / (variance + 0.25)).double()
    torch.testing.assert_close(flowed(ONE_MODE, x, 9, last=True), posterior, rtol=1e-6, atol=1e-6)


def test_the_flow_on_a_line_keeps_the_distribution_function():
    """Paths do not cross: F_sigma(x_sigma) stays what it is at the start, for a mixture of two."""

    def cdf(sigma: float, x: torch.Tensor) -> np.ndarray:
        parts = zip((0.3, 0.7), (-2.1, 0.9), (0.2, 0.5), strict=True)
        return sum(w * stats.norm.cdf(x.cpu().numpy(), m, (v + sigma**2) ** 0.5) for w, m, v in parts)

    x = on_the_line()
    assert_second_order([float(np.abs(cdf(0.5, flowed(ON_A_LINE, x, n + 1)) - cdf(8.0, x)).max()) for n in (32, 64, 128)])


LAWS = {"one mode": CENTRED, "on a line": ON_A_LINE, "in the plane": IN_THE_PLANE}


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_the_likelihood_is_the_log_density(law):
    """Of p * N(0, sigma_L^2 I) at each point, up to Heun's error: of the second order, and without its leading term (Richardson) less than a tenth.

    At the other end N(0, sigma_1^2 I) stands for a law of mean zero and variances below 2.5: off by less than 2.5 x 16/sigma_1^2 = 4e-7 within four spreads.
    """
    x, known = law.sample(20, stream("likelihood")).double()[None], law.perturbed(0.4).log_prob

    def found(steps: int) -> torch.Tensor:
        return log_likelihood(exact_density(law), x, np.geomspace(0.4, 1e4, steps + 1).tolist())

    values = {steps: found(steps) for steps in (64, 128, 256)}
    errors = {steps: float((value - known(x)).abs().max()) for steps, value in values.items()}
    assert_second_order(list(errors.values()))
    limit = values[256] + (values[256] - values[128]) / 3
    assert float((limit - known(x)).abs().max()) < 0.1 * errors[256]


def test_the_metric_is_the_mean_over_draws():
    """Nats a dimension, over 500 draws a seed, from the lowest of the source's levels to the highest."""
    law = IN_THE_PLANE
    density = dataclasses.replace(exact_density(law), levels=(1e3, 3.0, 0.4))
    draws = law.sample(1200, stream("metric")).view(2, 600, 2)
    metric = Metric(parse("metric", "probability_flow_likelihood:steps=256"))
    estimate = metric.evaluate(Run(density=density), law, lambda of: draws)
    values = -law.perturbed(0.4).log_prob(draws[:, :500]) / 2
    torch.testing.assert_close(estimate.value[:, 0], values.double().mean(-1), rtol=0, atol=2e-3)
    torch.testing.assert_close(estimate.standard_error[:, 0], values.double().std(-1) / 500**0.5, rtol=1e-2, atol=0)
    with pytest.raises(NotApplicable, match="the source has no noise levels"):
        metric.evaluate(Run(density=Density()), law, lambda of: draws)


# Divergences.


def assert_divergence(density: Density, x: torch.Tensor, accuracy: float) -> None:
    """The score is that of `score`, the divergence the trace of its central differences, at points (seed, cell, chain, d)."""
    score, divergence = density.score_and_divergence(x)
    torch.testing.assert_close(score, density.score(x), rtol=accuracy, atol=accuracy)
    assert divergence.shape == x.shape[:-1]
    h = accuracy**0.5 / 3
    steps = h * torch.eye(x.shape[-1], dtype=x.dtype)
    slopes = [(density.score(x + step) - density.score(x - step))[..., k] / (2 * h) for k, step in enumerate(steps)]
    size = float(divergence.abs().max())
    torch.testing.assert_close(divergence, torch.stack(slopes).sum(0), rtol=0, atol=10 * accuracy * size)


@over(
    "spec", "target", lambda spec: has(parse("target", str(spec)).build(), "score") and has(parse("target", str(spec)).build(), "perturbed")
)
def test_divergence_of_exact_scores(spec):
    """Of every target with a score, as it is and with noise; float64."""
    density = exact_density(target(str(spec)))
    x = target(str(spec)).sample(12, stream("divergence")).double().view(2, 1, 6, -1)
    for at in (density, density.perturbed(0.6)):
        assert_divergence(at, x, 1e-6)


@over("model", "model")
def test_divergence_of_trained_scores(model):
    """Of every model, at every level that it has, the lowest first; each seed has its own parameters. float32."""
    loss = next(spec for spec in examples("loss") if fits(model, spec))
    _, parameters = stack(lambda g: model.build(2, g), [stream("divergence", s) for s in range(2)])
    density = trained(model, loss, 1, parameters, target("gaussian_mixture")).density
    x = torch.randn(2, 3, 5, 2, generator=stream("divergence"))
    ladder = density.levels
    assert bool(ladder) == ("noise_levels" in model.entry.facts["GIVES"]) == has(density, "perturbed")
    for at in (density, *map(density.perturbed, ladder)):
        assert_divergence(at, x, 3e-4)
    for level in ladder[-1:]:
        assert torch.equal(density.score(x), density.perturbed(level).score(x))
    folded = x.reshape(2, 15, 2)  # any axes between seed and d
    torch.testing.assert_close(density.score_and_divergence(folded)[1], density.score_and_divergence(x)[1].reshape(2, 15))


# How a sampler is run that starts by itself, ends, and has neither step nor temperature.


@pytest.mark.parametrize(("budgets", "used"), [((3, 5), [3, 5]), ((2, 6), [2, 6]), ((2, 50), [2, 6]), ((6, 7), [6]), ((50, 100, 200), [6])])
def test_what_ends_is_run_to_its_end(budgets, used):
    """Three levels of two gradients: what is left of a budget is not spent; other samplers have a use for all of it."""
    assert within(parse("sampler", "probability_flow:sigmas=4|2|1"), budgets) == used
    assert within(parse("sampler", "annealed:sigmas=4|2|1,steps=1"), budgets) == list(budgets)


SUITE = """
name: flow
seed: 5
metrics: [mmd, ess]
experiments:
  - target: gaussian_mixture
    seeds: 3
    exact: {samplers: ["probability_flow:sigmas=8|2|0.5"], step_sizes: [0.1, 0.2], temperatures: [0.5, 1.0, 2.0], chains: 16, budgets: [2, 50]}
"""


def test_it_starts_and_ends_by_itself(tmp_path):
    """Its start is N(0, sigma_1^2 I) from the seed's own stream; one cell, five gradients, one state as a trace; at other temperatures rows that say why."""
    (tmp_path / "suite.yaml").write_text(SUITE)
    plan = Plan(load(tmp_path / "suite.yaml"))
    (job,) = plan.samples.values()
    runs, costs = sample(job, plan.suite.seed, deadline(1), {})
    (at, arrays), (beyond, nothing) = runs
    assert at.ended == OK and at.cells == ((None, 1.0),) and at.steps == (1, 3) and at.gradients == (2, 5) and len(costs) == 1
    assert beyond.cells == ((None, 0.5), (None, 2.0)) and beyond.status == Status.NOT_APPLICABLE and not nothing
    assert beyond.reason == "the sampler has no temperature: it is for T = 1 alone"
    assert arrays["trace"].shape == (3, 1, 8, 1, 2)
    sampler, density = job.sampler.build(**dict(zip(("step_size", "temperature"), grid([(1.0, 1.0)]), strict=True))), None
    density = exact_density(target("gaussian_mixture"))
    for seed in range(3):
        start = 8 * torch.randn(16, 2, generator=rng.generator(5, "start", job.target, seed))
        state, _ = sampler.step(sampler.init(start[None, None], density), density, torch.empty(0))
        torch.testing.assert_close(arrays["samples"][0, seed], state.x[0], rtol=1e-6, atol=1e-6)
    on = plan.measures["gaussian_mixture/mmd"].on
    for name, status in (("mmd", OK.status), ("ess", Status.NOT_APPLICABLE)):
        bench = Bench(target("gaussian_mixture"), Metric(parse("metric", name)), 5, on, deadline(1))
        frames = list(bench.sampler_rows(str(job.sampler), runs))
        ended = {float(rows["temperature"].iloc[0]): set(rows["status"]) for rows in frames}
        assert ended == {1.0: {status}, 0.5: {Status.NOT_APPLICABLE}, 2.0: {Status.NOT_APPLICABLE}}


def test_a_budget_that_does_not_reach_the_end_is_told(tmp_path):
    (tmp_path / "suite.yaml").write_text(SUITE.replace("[2, 50]", "[2, 5]"))
    with pytest.raises(Exception, match=r"takes 6 gradients \(allowed: 6 or more\)"):
        load(tmp_path / "suite.yaml")
