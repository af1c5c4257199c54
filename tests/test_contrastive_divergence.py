"""Contrastive divergence, plain and persistent: the likelihood's gradient, the state from step to step, the choice of its learning rate.

Its stationarity at the target and the way back to it are in the contract tests of losses. One test is statistical: the gradient after many steps against
the exact one (alpha 1e-4; 50,000 chains see 2 %).
"""

import itertools

import pytest
import torch
from torch.func import grad, vmap
from torch.optim.swa_utils import AveragedModel

from scorebench.commands import compare
from scorebench.core import registry, rng
from scorebench.core.spec import Spec, parse
from scorebench.engine.judging import POINTS
from scorebench.engine.sweep import sweep
from scorebench.engine.training import DRAWN, GAMMA, fit
from scorebench.losses import contrastive_divergence as plain
from scorebench.losses import persistent_contrastive_divergence as persistent
from scorebench.losses.implicit import implicit
from scorebench.models.base import Bound
from scorebench.suite.config import Sweep, Training
from scorebench.testing.examples import stream
from scorebench.testing.statistical import assert_mean

QUADRATIC = parse("model", "quadratic")
TARGET = "gaussian:dim=2,variance=0.7,condition=3"


def test_after_many_steps_it_is_the_gradient_of_the_likelihood():
    """d/dM of E_p E + log Z for E = (x - m)'M(x - m)/2: (C - A^-1)/2, and for m: A (m - mu); 60 steps, after which what is left of the start is below 1e-4."""
    covariance, mean, m = (
        torch.tensor([[1.2, 0.3], [0.3, 0.5]]).double(),
        torch.tensor([0.4, -0.2]).double(),
        torch.tensor([0.1, 0.0]).double(),
    )
    matrix = torch.tensor([[1.0, -0.2], [-0.2, 1.5]]).double()
    x = mean + torch.randn(50_000, 2, generator=stream("x"), dtype=torch.float64) @ torch.linalg.cholesky(covariance).T
    module = QUADRATIC.build(2, stream("module")).double()
    options = {"steps": 60, "step_size": 0.2}
    draws = plain.draws(x, parse("target", TARGET).build(), stream("draws"), **options)

    def value(parameters: dict[str, torch.Tensor], x: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        return plain.contrastive_divergence(Bound(module, parameters, True), x, draws, **options).mean()

    batches = (v.unflatten(0, (100, 500)) for v in (x, draws))
    found = vmap(grad(value), (None, 0, 0))({"mean": m, "matrix": matrix}, *batches)
    off = mean - m
    expected = {"matrix": (covariance + torch.outer(off, off) - torch.linalg.inv(matrix)) / 2, "mean": -matrix @ off}
    for name, wanted in expected.items():
        assert_mean(found[name], wanted, 2)


def by_hand(loss: Spec, rate: float, seed: int, training: Training, steps: int, persists: bool) -> dict[str, torch.Tensor]:
    """Training of one seed at one rate, step by step, by torch's Adam and its average; minibatches and draws in one go, as many as `fit` draws ahead."""
    target = parse("target", TARGET).build()
    streams = {use: rng.generator(3, use, "t", seed) for use in ("init quadratic", "data", "batches", "noise")}
    module, data = QUADRATIC.build(2, streams["init quadratic"]), target.sample(training.size, streams["data"])
    optimiser = torch.optim.Adam(module.parameters(), lr=rate)
    average = AveragedModel(module, avg_fn=lambda mean, now, t: mean + (1 - (1 - 1 / (t + 1)) ** (GAMMA + 1)) * (now - mean))
    rows = DRAWN // (training.batch * 2) * training.batch
    ahead = data[torch.randint(training.size, (rows,), generator=streams["batches"])]
    batches = zip(*(v.split(training.batch) for v in (ahead, plain.draws(ahead, target, streams["noise"], **loss.options))), strict=True)
    chains = None
    for x, draws in itertools.islice(batches, steps):
        start = x if chains is None or not persists else chains
        chains = plain.chains(Bound(module, {k: v.detach() for k, v in module.named_parameters()}, True), start, draws, **loss.options)
        optimiser.zero_grad()
        (module(x) - module(chains)).mean().backward()
        optimiser.step()
        average.update_parameters(module)
    return {name: value.detach() for name, value in average.module.named_parameters()}


@pytest.mark.parametrize("name", ["contrastive_divergence", "persistent_contrastive_divergence"])
@pytest.mark.parametrize("steps", [7, 110])  # as it is, and written down
def test_every_seed_and_rate_has_chains_of_its_own(name, steps):
    """Two rates and two seeds in one stack are trained as each alone, by a loop that carries the chains, or starts them at every batch anew: to 2e-6 a step.

    The loop of the other loss is off by more.
    """
    loss, training, rates = parse("loss", f"{name}:steps=2,step_size=0.2"), Training(size=200, batch=16), [3e-2, 1e-2]
    together = fit(parse("target", TARGET).build(), QUADRATIC, [loss] * 2, rates, training, (steps,), 3, range(2), "t").parameters[-1]
    persists = name.startswith("persistent")
    for member, rate in enumerate(rates):
        for seed in range(2):
            for key, value in by_hand(loss, rate, seed, training, steps, persists).items():
                torch.testing.assert_close(together[key][member, seed], value, rtol=0, atol=2e-6 * steps)
    other = by_hand(loss, rates[0], 0, training, steps, not persists)
    assert max(float((together[key][0, 0] - other[key]).abs().max()) for key in other) > 1e-3


@pytest.mark.parametrize("name", ["contrastive_divergence", "persistent_contrastive_divergence"])
def test_the_learning_rate_is_chosen_by_the_implicit_loss(name):
    """Of the fits at every rate on the validation points, seed by seed."""
    loss, target, rates = parse("loss", f"{name}:steps=2"), parse("target", TARGET).build(), (1e-3, 3e-2)
    training = Training(size=200, batch=16, sweep=Sweep(learning_rates=rates, seeds=2, steps=20))
    (found,), _ = sweep(target, QUADRATIC, [loss], training, 3, "t")
    seeds = ["sweep 0", "sweep 1"]
    fitted = fit(target, QUADRATIC, [loss] * 2, rates, training, (20,), 3, seeds, "t")
    for member, rate in enumerate(rates):
        for number, seed in enumerate(seeds):
            x = target.sample(POINTS, rng.generator(3, "validation", "t", seed))
            its = Bound(fitted.module, {key: value[member, number] for key, value in fitted.parameters[-1].items()}, True)
            assert found[rate][number] == pytest.approx(float(implicit(its, x, x).mean()), rel=1e-5)


def test_a_state_of_another_shape_is_a_row(monkeypatch):
    its = persistent.persistent_contrastive_divergence

    def status(spec: str) -> set[str]:
        (entry,) = compare.losses(TARGET, "quadratic", [spec], 5, 200, 16, [0.01, 0.03], 2)
        return {status for metric in entry["metrics"] for status in metric["status"] if not status.startswith("not_applicable")}

    assert status("persistent_contrastive_divergence:steps=1") == {"ok"}
    with monkeypatch.context() as patch:
        patch.setattr(persistent, its.__name__, lambda model, x, draws, state, **options: (model(x), state[:3]))
        (said,) = status("persistent_contrastive_divergence")
    assert said == "failed: ValueError: the loss's next state has shape (6, 3, 2), not (6, 16, 2)"
    assert registry.method("loss", its.__name__) is its
