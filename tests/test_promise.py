"""The promise: the same run twice gives the same bytes; a method more or less in a suite changes no other job; company changes roundings.

On one machine and toolchain. Bitwise: a call and its repeat, a job of a suite with fewer methods. To 1e-6 a step: a seed or a cell of the grid by
itself and in company, since a matrix product rounds by the shape of the batch around it. That is of the size of the numbers, the largest in the
tensor, and each step may add as much: n steps are compared to n times 1e-6. Over the registry: what is added keeps the promise or fails here.

Rounding can turn a decision of a sampler that rejects, when the uniform number falls within 1e-6 of the acceptance: of some 10,000 decisions a
sampler less than .1 are expected, and two are let pass (a false alarm below 1e-3, and none where the streams are these).
"""

import itertools

import pytest
import torch
from conftest import over

from scorebench.core import registry
from scorebench.core.schema import Status
from scorebench.core.spec import Spec, parse
from scorebench.engine.attempt import deadline
from scorebench.engine.loop import Outcome, grid, run
from scorebench.engine.sampling import sample
from scorebench.engine.sources import trained
from scorebench.engine.sweep import train as train_job
from scorebench.engine.training import Fitted, fit
from scorebench.models.base import stack
from scorebench.samplers.base import Density, exact_density
from scorebench.suite.config import Training
from scorebench.suite.jobs import gradients
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load
from scorebench.targets.base import Target
from scorebench.testing.examples import cached, examples, fits, pairs, stream

STEP_SIZES, TEMPERATURES, SEEDS = (1e-3, 4e-3, 1.6e-2), (0.7, 1.0), (0, 1, 2)
CELLS = tuple(itertools.product(STEP_SIZES, TEMPERATURES))
BUDGETS = (1, 3)
"""In steps."""
A_STEP = 1e-6
TARGETS = [("gaussian:dim=1", 37), ("gaussian_mixture:components=8,radius=3,std=0.3", 16), ("gaussian:dim=5", 37)]
"""With numbers of chains that a processor's vectors divide, and do not."""


@cached
def build(text: str) -> Target:
    return parse("target", text).build()


def density(model: Spec | None, target: Target, seeds: tuple[int, ...]) -> Density:
    """The exact score, or models of random parameters, one a seed."""
    if model is None:
        return exact_density(target)
    _, parameters = stack(lambda g: model.build(target.dim, g), [stream("promise", s) for s in seeds])
    loss = next(spec for spec in examples("loss") if fits(model, spec))
    return trained(model, loss, 1, parameters, target).density


def go(sampler: Spec, model: Spec | None, target: Target, cells, seeds: tuple[int, ...], chains: int) -> Outcome:
    step_size, temperature = grid(cells)
    start = torch.stack([target.prior.sample(chains, stream("start", s)) for s in seeds])
    generators = [stream("run", s) for s in seeds]
    method = sampler.build(step_size=step_size, temperature=temperature)
    budgets = [budget * max(gradients(sampler), 1) for budget in BUDGETS]
    return run(method, density(model, target, seeds), start, budgets, generators, gradients(sampler))


def sources(spec: Spec) -> list[Spec | None]:
    """What the sampler can run on: the exact score, and each kind of model that has what it needs."""
    models = [parse("model", n) for n in registry.names("model")]
    needs = {need.removeprefix("source.").replace("perturbed", "noise_levels") for need in spec.entry.facts["NEEDS"]}
    return [None] + [m for m in models if needs <= m.entry.facts["GIVES"]]


def test_every_sampler_of_scores_runs_on_a_model():
    assert all(len(sources(spec)) > 1 for spec in examples("sampler") if gradients(spec))


def apart(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Distance of the last axis' numbers in units of the largest number, one a chain."""
    return (one - other).abs().amax(-1) / other.abs().max()


@over("sampler", "sampler")
@pytest.mark.parametrize(("target", "chains"), TARGETS)
def test_a_cell_and_a_seed_by_themselves(sampler, target, chains):
    """Six cells of three seeds in one run, and the first, the last and one between by themselves: positions, trace, acceptance.

    On the exact score of each target, and on each model: these are dealt to the targets in turn, from another one on for each sampler.
    """
    turned, rejects = 0, False
    exact, *models = sources(sampler)
    first = (TARGETS.index((target, chains)) + examples("sampler").index(sampler)) % len(TARGETS)
    for model in (exact, *models[first :: len(TARGETS)]):
        together = go(sampler, model, build(target), CELLS, SEEDS, chains)
        rejects |= bool((together.acceptance < 1).any())
        for seed, cell in ((0, 0), (1, 3), (2, 5)):
            single = go(sampler, model, build(target), CELLS[cell : cell + 1], (seed,), chains)
            off = apart(single.samples[:, 0, 0], together.samples[:, seed, cell]) > A_STEP * BUDGETS[-1]  # (snapshot, chain)
            off_trace = apart(single.trace[0, 0], together.trace[seed, cell]) > A_STEP * BUDGETS[-1]  # (chain, draw)
            lost = int(off.any(0).sum().maximum(off_trace.any(-1).sum()))
            turned += lost
            if not lost:
                for name in ("acceptance", "acceptance_sd"):
                    a, b = getattr(single, name)[0, 0], getattr(together, name)[seed, cell]
                    torch.testing.assert_close(a, b, rtol=0, atol=2 * A_STEP * BUDGETS[-1])
    assert turned <= 2 * rejects, turned


@over("sampler", "sampler")
def test_the_same_run_twice(sampler):
    for model in sources(sampler):
        once, again = (go(sampler, model, build("gaussian_mixture"), CELLS[:2], SEEDS[:2], 17) for _ in range(2))
        for a, b in zip(once, again, strict=True):
            assert torch.equal(torch.as_tensor(a), torch.as_tensor(b))


SUITE = """
name: promise
seed: 7
metrics: [mmd]
experiments:
  - target: gaussian_mixture
    seeds: {seeds}
    sources: {{quadratic: [{losses}]}}
    training: {{size: 300, batch: 32, steps: [3, 120], learning_rate: 0.003}}
    exact: {{samplers: [{samplers}], step_sizes: [{steps}], chains: 16, budgets: [240]}}
"""
WHOLE = {
    "seeds": 3,
    "samplers": ", ".join(dict.fromkeys(spec.name for spec in examples("sampler"))),
    "steps": "1e-3, 2e-3",
    "losses": "explicit, sliced, 'denoising:sigma=1'",
}


def plan(folder, **changed) -> Plan:
    (folder / "suite.yaml").write_text(SUITE.format(**WHOLE | changed))
    return Plan(load(folder / "suite.yaml"))


def samples(of: Plan, sampler: Spec) -> torch.Tensor:
    """What the sampling stage makes of the exact score."""
    (job,) = [job for job in of.samples.values() if job.sampler == sampler]
    ((source, arrays),), _ = sample(job, of.suite.seed, deadline(1), {})
    assert source.status == Status.OK
    return arrays["samples"]


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    return plan(tmp_path_factory.mktemp("everything"))


@pytest.fixture(scope="module")
def sampled(everything):
    """By every sampler, one after the other."""
    return {job.sampler.name: samples(everything, job.sampler) for job in everything.samples.values()}


@over("sampler", "sampler", lambda spec: not spec.given)
def test_a_sampler_more_in_a_suite(sampler, sampled, tmp_path):
    """Other jobs keep their bits whatever ran before; with a seed and a step size fewer the job itself keeps its numbers, 1e-6 a step."""
    first = sampled[sampler.name]
    assert torch.equal(samples(plan(tmp_path, samplers=sampler.name), sampler), first)
    fewer = samples(plan(tmp_path, samplers=sampler.name, seeds=2, steps="1e-3"), sampler)
    torch.testing.assert_close(fewer, first[:, :2, :1], rtol=0, atol=5 * A_STEP * float(first.abs().max()))


def test_a_loss_more_in_a_suite(everything, tmp_path):
    """Written down (120 steps) or not, another loss's job leaves a job's bits as they are."""
    fitted = {str(job.losses[0]): train_job(job, everything.suite.seed)[0] for job in everything.trains.values()}
    assert set(fitted) == {"explicit", "sliced", "denoising:sigma=1"}
    for text, whole in fitted.items():
        few = plan(tmp_path, losses=f"'{text}'")
        ((again, *_),) = (train_job(job, few.suite.seed) for job in few.trains.values())
        assert_equal(again, whole)


TRAINING = Training(size=300, batch=32, steps=(3, 12))
RATES = [1e-2, 3e-3]


ALTERNATING = [(*pair, target) for pair, target in zip(pairs(), itertools.cycle(["gaussian:dim=1", "gaussian_mixture"]), strict=False)]
"""Every model with every loss, on a line and in the plane by turns."""


def train(model: Spec, losses: list[Spec], rates: list[float], seeds: tuple[int, ...], target: str) -> Fitted:
    return fit(build(target), model, losses, rates, TRAINING, TRAINING.steps, 3, list(seeds), target)


def assert_equal(one: Fitted, other: Fitted) -> None:
    for a, b in zip(one.parameters, other.parameters, strict=True):
        assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def assert_close(single: Fitted, together: Fitted, member: int, seed: int) -> None:
    """At each checkpoint, of the size of the model's largest parameter: Adam moves a parameter by about its learning rate whatever its gradient's
    size, so that a step adds a rounding of that size at most, and n steps n of them where training does not spread small differences.
    """
    for steps, one, company in zip(single.steps, single.parameters, together.parameters, strict=True):
        size = max(float(value.abs().max()) for value in one.values())
        for key, value in one.items():
            torch.testing.assert_close(value[0, 0], company[key][member, seed], rtol=0, atol=steps * A_STEP * size)


@pytest.mark.parametrize(("model", "loss", "target"), ALTERNATING, ids=str)
def test_training_by_itself(model, loss, target):
    """Every learning rate, noise level and seed, the first and the last of them trained apart; the largest difference seen is 1e-7 of the size."""
    axis = loss.entry.facts.get("LEVELS")
    levels = [0.3, 2.0] if axis else [None]
    losses = [loss if v is None else parse("loss", f"{loss.name}:{axis}={v}") for v in levels for _ in RATES]
    rates = RATES * len(levels)
    together = train(model, losses, rates, SEEDS, target)
    assert_equal(train(model, losses, rates, SEEDS, target), together)
    for i, seed in ((0, 0), (len(losses) - 1, 2)):
        single = train(model, losses[i : i + 1], rates[i : i + 1], (seed,), target)
        assert_close(single, together, i, seed)
    if "fit" in loss.entry.functions:  # which has no steps
        assert together.steps == TRAINING.steps[-1:]
        return
    moved = [not torch.equal(a, b) for a, b in zip(*(p.values() for p in together.parameters), strict=True)]
    assert sum(moved) >= len(moved) - 1  # all was trained, but for an energy's constant


@pytest.mark.parametrize(("model", "loss"), [("mlp_energy", "sliced_vr"), ("mlp_score", "denoising:sigma=0.3"), ("quadratic", "implicit")])
def test_long_training_by_itself(model, loss):
    """400 steps, written down: within 4e-4 of the size; the largest difference seen, in 1,000 steps, is 1.2e-7."""
    model, loss, training = parse("model", model), parse("loss", loss), Training(size=300, batch=32, steps=(100, 400))
    together, single = (
        fit(build("gaussian:dim=1"), model, [loss] * len(rates), rates, training, training.steps, 3, seeds, "x")
        for rates, seeds in ((RATES, SEEDS), (RATES[1:], SEEDS[2:]))
    )
    assert_close(single, together, 1, 2)


def test_losses_see_the_same_data():
    """Comparisons are paired: with one model, one seed's start is the same for every loss and target size of stack."""
    model = parse("model", "quadratic")
    first, *others = [
        fit(build("gaussian_mixture"), model, [parse("loss", text)], [1e-12], TRAINING, (1,), 3, [0, 1], "x").parameters[0]
        for text in ("explicit", "sliced", "denoising:sigma=1")
    ]
    for other in others:
        torch.testing.assert_close(other["matrix"], first["matrix"], rtol=0, atol=1e-9)
    assert not torch.equal(first["matrix"][0, 0], first["matrix"][0, 1])
