"""Samplers that other libraries do, behind `run`: here NUTS of blackjax.

Without the library it is a row that says so, which is tested everywhere. Its law and its counts are tested where it is installed (`pip install
'scorebench[peers]'`, 400 MB, which the tools for tests leave out); elsewhere the summary of the tests says that these were not run.

Statistical: chains from the prior, after the adaptation, have the law (alpha 1e-4 over all; 2,000 chains see a law that is a quarter too wide).
"""

import dataclasses
import importlib.util
import json
import subprocess
import sys

import pytest
import torch

from scorebench.commands import compare
from scorebench.core import registry
from scorebench.core.errors import NotApplicable
from scorebench.core.schema import OK
from scorebench.core.spec import parse
from scorebench.engine.loop import grid, run
from scorebench.engine.sources import trained
from scorebench.samplers.base import Density, Outcome, Runs, exact_density
from scorebench.targets.base import Target
from scorebench.testing.examples import cached, examples, stream
from scorebench.testing.lattice import Lattice
from scorebench.testing.statistical import assert_mean

NUTS = parse("sampler", "nuts_blackjax:warmup=60")
MISSING = [name for name in ("blackjax", "jax") if importlib.util.find_spec(name) is None]
installed = pytest.mark.skipif(bool(MISSING), reason=f"NOT RUN: {' and '.join(MISSING)} not installed: pip install 'scorebench[peers]'")


@cached
def target(text: str) -> Target:
    return parse("target", text).build()


def go(density: Density, of: Target, chains: int, budgets, cells, seeds=(0, 1), warmup: int = 60) -> Outcome:
    step_size, temperature = grid(cells)
    sampler = parse("sampler", f"nuts_blackjax:warmup={warmup}").build(step_size=step_size, temperature=temperature)
    start = torch.stack([of.prior.sample(chains, stream("start", s)) for s in seeds])
    return run(sampler, density, start, budgets, [stream("run", s) for s in seeds], 1)


def test_a_library_that_is_not_there_is_a_row(monkeypatch):
    """With what to install, before anything of it is imported, beside another sampler."""
    found = importlib.util.find_spec
    peers = {"blackjax": None, "jax": found("torch")}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *its: peers[name] if name in peers else found(name, *its))
    texts = ["nuts_blackjax:step_size=0.1", "ula:step_size=0.1"]
    nuts, ula = compare.samplers("gaussian", texts, 1.0, 20, 16, 2)
    assert {status for metric in nuts["metrics"] for status in metric["status"]} == {
        "not_applicable: takes blackjax: pip install 'scorebench[peers]'"
    }
    assert next(m for m in ula["metrics"] if m["metric"] == "mmd")["status"] == {str(OK): 2}


def test_facts():
    """It has a loop of its own, and the contract tests of samplers that are stepped leave it out."""
    facts = NUTS.entry.facts
    assert facts["EXACT"] and facts["LABEL"] and facts["REFERENCE"] and NUTS not in examples("sampler")
    assert isinstance(NUTS.build(step_size=torch.ones(1, 1), temperature=torch.ones(1, 1)), Runs)
    assert [name for name in registry.names("sampler") if "PEERS" in registry.entry("sampler", name).facts] == ["nuts_blackjax"]


@pytest.mark.parametrize("lost", [None, "samples", "acceptance"])
def test_a_loop_of_its_own_is_held_to_its_shapes(lost):
    """What a sampler's `run` leaves is the run's outcome, if it has a snapshot a budget, and a number a seed and cell."""

    class Own:
        step_size = temperature = torch.ones(2, 1)

        def run(self, density, start, budgets, generators):
            samples = torch.zeros(len(budgets), len(generators), 2, *start.shape[1:])
            made = Outcome(samples, (1, 2), (3, 5), samples[0, :, :, :8, None], torch.ones(3, 2), torch.zeros(3, 2))
            return made._replace(**{lost: getattr(made, lost)[:1]}) if lost else made

    of, generators = target("gaussian"), [stream("own", s) for s in range(3)]
    start = torch.zeros(3, 16, 2)
    if lost:
        with pytest.raises(ValueError, match="has shape"):
            run(Own(), exact_density(of), start, (3, 5), generators, 1)
    else:
        assert run(Own(), exact_density(of), start, (3, 5), generators, 1).gradients == (3, 5)


@installed
@pytest.mark.parametrize(
    ("text", "temperature"), [("gaussian:dim=2,variance=0.7,condition=3", 2.0), ("gaussian_mixture:components=3,radius=1,weight=0.6", 0.5)]
)
def test_the_law_at_a_temperature(text, temperature):
    of = target(text)
    outcome = go(exact_density(of), of, 2_000, (800,), [(0.05, temperature)], (0,))
    law = Lattice(lambda x: of.log_prob(x) / temperature, 2, 9.0, 601)
    law.assert_draws(outcome.samples[-1, 0, 0], 2)
    with pytest.raises(AssertionError):
        law.assert_draws(1.25 * outcome.samples[-1, 0, 0], 2)
    assert 0.6 < float(outcome.acceptance) < 0.95


@installed
def test_trained_energies_each_seed_its_own():
    """Chains of one seed have the covariance of its own quadratic energy, far from the other's."""
    precisions = torch.stack([torch.tensor([[1.0, 0.3], [0.3, 2.0]]), torch.tensor([[4.0, 0.0], [0.0, 0.5]])])
    means = torch.tensor([[0.0, 0.0], [1.0, -2.0]])
    of = target("gaussian")
    source = trained(parse("model", "quadratic"), parse("loss", "implicit"), 1, {"mean": means, "matrix": precisions}, of)
    x = go(source.density, of, 1_000, (800,), [(0.05, 1.0)]).samples[-1, :, 0].double()
    for seed in range(2):
        off = x[seed] - means[seed]
        assert_mean(off, [0.0, 0.0], 4)
        assert_mean((off[:, :, None] * off[:, None]).flatten(1), torch.linalg.inv(precisions[seed]).flatten(), 4)


@installed
def test_gradients_are_what_was_asked_for():
    """Of one chain: run to a budget, with the transition that goes beyond it, it has asked the density n times; to a budget of n it spends n, not more."""
    of, asked = target("gaussian"), []

    def counted(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(x.shape[:-1].numel())
        return of.score(x), of.log_prob(x)

    density = dataclasses.replace(exact_density(of), score_and_log_prob=counted)
    go(density, of, 1, (700,), [(0.05, 1.0)], (0,))
    spent = sum(asked)
    assert spent > 700
    outcome = go(density, of, 1, (700, spent - 1, spent), [(0.05, 1.0)], (0,))
    assert outcome.gradients[2] == spent and outcome.gradients[0] == outcome.gradients[1] <= 700
    assert outcome.steps[0] == outcome.steps[1] == outcome.steps[2] - 1 >= 60
    assert outcome.trace.shape[-2] == min(outcome.steps[2] - max(60, outcome.steps[2] // 2), 200) and torch.equal(
        outcome.trace[0, 0, 0, -1], outcome.samples[2, 0, 0, 0]
    )


@installed
def test_twice_and_in_company():
    """The same bits again; a seed and a cell alone as in company, but for a path that a rounding turns: of 64 chains' one is let pass."""
    of, cells = target("gaussian_mixture:components=3,radius=1,weight=0.6"), [(0.05, 1.0), (0.05, 2.0)]
    together, again = (go(exact_density(of), of, 64, (300, 600), cells) for _ in range(2))
    for a, b in zip(together, again, strict=True):
        assert torch.equal(torch.as_tensor(a), torch.as_tensor(b))
    alone = go(exact_density(of), of, 64, (300, 600), cells[1:], (1,))
    off = (alone.samples[:, 0, 0] - together.samples[:, 1, 1]).abs().amax((0, -1)) > 1e-3
    assert int(off.sum()) <= 1
    assert not torch.equal(together.samples[:, 0], together.samples[:, 1])


@installed
def test_a_budget_within_the_adaptation_is_not_applicable():
    with pytest.raises(NotApplicable, match="its adaptation takes .* gradients a chain, so that a budget of 100 leaves none for the law"):
        go(exact_density(target("gaussian")), target("gaussian"), 16, (100,), [(0.05, 1.0)])


@installed
def test_beside_the_samplers_of_this_package():
    """By the command line, in a process that has not imported the library (a job is a fork)."""
    texts = ["--sampler=nuts_blackjax:warmup=60,step_size=0.05", "--sampler=mala:step_size=0.2"]
    command = [
        sys.executable,
        "-m",
        "scorebench",
        "compare",
        "samplers",
        "--target=gaussian",
        *texts,
        "--steps=800",
        "--chains=64",
        "--seeds=2",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    for entry in json.loads(done.stdout):
        assert next(m for m in entry["metrics"] if m["metric"] == "mmd")["status"] == {str(OK): 2}
