"""Every option of every method does something beside every other, or is refused there. Exact: the same random numbers, so that what differs is the option."""

import copy
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from conftest import values
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scorebench.core import registry
from scorebench.core.errors import InputError
from scorebench.core.spec import Spec, parse
from scorebench.engine.loop import grid, run
from scorebench.engine.metric import Metric
from scorebench.losses.base import Problem
from scorebench.metrics.base import Run
from scorebench.models.base import Bound
from scorebench.samplers.base import Density, exact_density
from scorebench.suite.config import Training
from scorebench.suite.jobs import gradients, to_the_end
from scorebench.targets.base import Target, has
from scorebench.testing.examples import cached, fits, loss_values, stream

MODERATE = st.floats(-1, 1).map(lambda e: round(10**e, 3))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "Real": MODERATE,
    "Positive": MODERATE,
    "NonNegative": MODERATE,
    "Scale": MODERATE,
    "Barrier": MODERATE,
    "Blur": MODERATE,
    "Grain": MODERATE,
    "Share": st.integers(1, 100).map(lambda n: n / 101),
    "Count": st.integers(1, 5),
    "Falling": st.lists(MODERATE, min_size=2, max_size=3, unique=True).map(lambda levels: tuple(sorted(levels, reverse=True))),
    "Columns": st.lists(st.sampled_from("abc"), min_size=1, max_size=2, unique=True).map(tuple),
    "Rising": st.lists(st.floats(0.1, 5), min_size=1, max_size=3).map(
        lambda rises: tuple(round(1 + sum(rises[:n]), 3) for n in range(len(rises) + 1))
    ),
    "None": st.none(),
}


@cached
def files(name: str) -> list[str]:
    """Two files that a target may be of."""
    folder = Path(tempfile.mkdtemp())
    for number in (1, 2):
        rows = 3 + number * torch.randn(300, 3, generator=stream("rows", number)).numpy()
        pd.DataFrame(rows, columns=list("abc")).to_csv(folder / f"table{number}.csv", index=False)
        text = f"dim = 1\ndef score(x): return -{number} * x\ndef sample(n, generator): return start(n, generator) / {number} ** .5\n"
        more = "import torch\ndef start(n, generator): return torch.randn(n, 1, generator=generator)\n"
        (folder / f"density{number}.py").write_text(text + more)
    return [str(path) for path in sorted(folder.glob(f"{name}*"))]


@cached
def mixture() -> Target:
    return parse("target", "gaussian_mixture").build()


def of_target(spec: Spec) -> list[torch.Tensor]:
    target = spec.build()
    x = target.sample(64, stream("options"))
    return [x, target.log_prob(x)] if has(target, "log_prob") else [x]


def of_model(spec: Spec) -> list[torch.Tensor]:
    x = mixture().sample(64, stream("options"))
    module = spec.build(2, stream("weights"))
    levels = (torch.ones(64),) if "noise_levels" in spec.entry.facts["GIVES"] else ()
    return [p.detach() for p in module.parameters()] + [module(x, *levels).detach()]


def of_loss(spec: Spec) -> list[torch.Tensor]:
    x = mixture().sample(64, stream("options"))
    names = ("mlp_energy", "quadratic", "noise_conditional_energy")
    module = next(model for name in names if fits(model := parse("model", name), spec)).build(2, stream("weights"))
    level = spec.entry.facts.get("LEVELS")
    draws = registry.module("loss", spec.name).draws(x, mixture(), stream("noise"), **{k: v for k, v in spec.options.items() if k != level})
    found = loss_values(spec, Bound(module, dict(module.named_parameters()), True), x, draws, mixture()).detach()
    return [draws, found, *(value for options in settled(spec) for value in fitted(spec, module, x, options))]


def settled(spec: Spec) -> list[dict[str, Any]]:
    """A loss's options with each value of what it tunes, where that is to be chosen; none of a loss without a fit of its own."""
    options = [spec.options] if "fit" in spec.entry.functions else []
    for key, tried in spec.entry.facts.get("TUNES", {}).items():
        options = [its | {key: value} for its in options for value in (tried if its[key] is None else (its[key],))]
    return options


def fitted(spec: Spec, module: torch.nn.Module, x: torch.Tensor, options: dict[str, Any]) -> list[torch.Tensor]:
    problem = Problem(mixture(), [copy.deepcopy(module)], True, x[None], [stream("fit")], Training(size=len(x)))
    return list(registry.module("loss", spec.name).fit(problem, **options).values())


def of_sampler(spec: Spec) -> list[torch.Tensor]:
    step_size, temperature = grid([(0.05, 1.0)])
    start = torch.randn(1, 16, 2, generator=stream("start"))
    budget = max(to_the_end(spec), 5)
    done = run(
        spec.build(step_size=step_size, temperature=temperature), exact_density(mixture()), start, (budget,), [stream("s")], gradients(spec)
    )
    return [done.samples, done.trace]


def of_metric(spec: Spec) -> list[torch.Tensor]:
    g = stream("options")
    x, y, trace = (mixture().sample(n, g) for n in (64, 64, 8 * 20))
    score, learnt = (lambda x: -x), lambda: mixture().perturbed(0.5)
    levelled = Density(perturbed=lambda _: Density(score_and_divergence=lambda x: (-x, -x.sum(-1))), levels=(2.0, 1.0))
    of = Run(
        1.2 * x[None, None],
        trace.view(1, 1, 8, 20, 2),
        torch.ones(1, 1),
        torch.ones(1, 1),
        64,
        score,
        lambda x: -x.sum(-1),
        learnt,
        levelled,
    )
    about = spec.entry.facts["ABOUT"]
    return [Metric(spec).evaluate(of, mixture(), y[None] if about == "sampler" else lambda law: law.sample(64, stream("p"))[None]).value]


OBSERVED = {"target": of_target, "model": of_model, "loss": of_loss, "sampler": of_sampler, "metric": of_metric}
OPTIONS = [(kind, name, key) for kind in OBSERVED for name in registry.names(kind) for key in registry.entry(kind, name).options]


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("kind", "name", "key"), OPTIONS)
def test_an_option_does_something_or_is_refused(kind, name, key):
    """At any values of the others; what is refused as doing nothing does nothing."""
    options = registry.entry(kind, name).options
    allowed = VALUES | {"File": st.sampled_from(files(name) or [""])}

    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(st.fixed_dictionaries({k: values(o, allowed) for k, o in options.items()}), values(options[key], allowed))
    def differs(given: dict[str, Any], other: Any) -> None:
        assume(given[key] != other)
        each = [given | {key: value} for value in (given[key], other)]
        specs = [Spec(kind, name, tuple((k, v) for k, v in its.items() if v != options[k].default)) for its in each]
        try:
            alike = same(*map(OBSERVED[kind], specs))
        except InputError:
            return  # a combination that is refused when it is built
        try:
            for spec in specs:
                parse(kind, str(spec))
        except InputError as error:
            assert alike == any(f"option {key}=" in line for line in error.lines), error.lines
        else:
            assert not alike, specs

    differs()
