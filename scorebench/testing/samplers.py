"""What every sampler keeps to: a pure step of the shapes that the loop asks for, gradients as counted, and the law that its file states (`laws`)."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from scorebench.core.shapes import expect
from scorebench.core.spec import Spec
from scorebench.engine.loop import Outcome, one_tensor, run
from scorebench.engine.sampling import absent
from scorebench.samplers.base import TRACE_CHAINS, TRACE_DRAWS, Density, Sampler, exact_density
from scorebench.suite.jobs import gradients, has_step, has_temperature, within
from scorebench.targets.base import has
from scorebench.testing.contract import Check, agree, finite, lists_its_options, only, own_generator, says, unchanged
from scorebench.testing.examples import is_stepped, stream
from scorebench.testing.laws import (
    STEP,
    comes_to_its_law,
    draws_the_law_that_it_states,
    ends_where_it_states,
    has_the_bias_that_it_states,
    is_the_recursion_that_it_states,
    keeps_the_law,
)
from scorebench.testing.options import LONG, obeys_its_options, of_sampler, same
from scorebench.testing.runs import SMALL, build, go, target


def declares_what_planning_reads(spec: Spec) -> None:
    """It says LABEL, REFERENCE, NEEDS, GRADIENTS and EXACT, is a frozen dataclass, and its step returns a state and an Info."""
    says(spec, LABEL=str, REFERENCE=str, NEEDS=set, GRADIENTS=(int, str), EXACT=bool)
    known = {f"source.{name}" for name in {f.name for f in dataclasses.fields(Density)} | {"log_prob"}}
    assert spec.entry.facts["NEEDS"] <= known, (
        f"NEEDS names {sorted(spec.entry.facts['NEEDS'] - known)} (known: {', '.join(sorted(known))})"
    )
    assert gradients(spec) >= 0, f"GRADIENTS = {gradients(spec)}; 0 or more was expected"
    sampler = build(spec)
    frozen = dataclasses.is_dataclass(sampler) and vars(type(sampler))["__dataclass_params__"].frozen
    assert frozen, "the class is no frozen dataclass; @dataclass(frozen=True, eq=False) was expected"
    for axis in ("step_size", "temperature"):
        assert tuple(getattr(sampler, axis).shape) == (1, 1), f"{axis} has been changed: its shape is {tuple(getattr(sampler, axis).shape)}"
    if is_stepped(spec):
        _returns_state_and_info(sampler)


def _returns_state_and_info(sampler: Sampler[Any]) -> None:
    of = target("gaussian")
    density, x = exact_density(of), of.sample(4, stream("x"))[None, None]
    state = sampler.init(x, density)
    assert hasattr(state, "x"), (
        f"init returns {_named(state)}; a state, a NamedTuple with x, the positions (seed, grid, chain, d), was expected"
    )
    after = sampler.step(state, density, one_tensor(sampler.draws(density, (4, of.dim), stream("d")))[None])
    pair = type(after) in (tuple, list) and len(after) == 2
    assert pair and hasattr(after[0], "x") and hasattr(after[1], "acceptance"), (
        f"step returns {f'({_named(after[0])}, {_named(after[1])})' if pair else _named(after)}; a new state and an Info, State(...), Info(), was expected"
    )


def _named(of: object) -> str:
    return "None" if of is None else f"a {type(of).__name__}"


@only(is_stepped)
def steps_without_side_effects(spec: Spec) -> None:
    """A step returns a new state of the same type and leaves the old one, the draws and the grid as they were; twice the same."""
    of, sampler = target("gaussian"), build(spec)
    x = of.sample(16, stream("x"))[None, None]
    with unchanged("init", x=x):
        state = sampler.init(x, exact_density(of))
    agree("the position at the start", state.x, x, 0, 0, "init starts at x")
    draws = one_tensor(sampler.draws(exact_density(of), (16, 2), stream("d")))[None]
    held = {"the old state": tuple(state), "draws": draws, "step_size": sampler.step_size, "temperature": sampler.temperature}
    with unchanged("a step", **held):
        after, info = sampler.step(state, exact_density(of), draws)
    assert type(after) is type(state), f"a step returns {type(after).__name__}; {type(state).__name__}, as init returns, was expected"
    again, _ = sampler.step(state, exact_density(of), draws)
    agree("the position after the same step again", again.x, after.x, 0, 0, "a step is a function of state and draws")
    acceptance = torch.as_tensor(info.acceptance)
    assert ((acceptance >= 0) & (acceptance <= 1)).all(), (
        f"an acceptance of {float(acceptance.max()):.3g} was reported; it is a probability"
    )


@only(is_stepped)
def draws_by_its_generator(spec: Spec) -> None:
    """Randomness comes from `draws` and its generator, and from no global one; the same stream gives the same, every chain its own."""
    of, sampler = target("gaussian_mixture"), build(spec)
    density, x = exact_density(of), of.sample(16, stream("x"))[None, None]
    with own_generator("draws"):
        draws = sampler.draws(density, (16, 2), stream("d"))
    agree(
        "a second draw of the same stream", sampler.draws(density, (16, 2), stream("d")), draws, 0, 0, "draws rest on their generator alone"
    )
    with own_generator("init"):
        state = sampler.init(x, density)
    with own_generator("a step"):
        sampler.step(state, density, draws[None])
    if draws.numel():
        rows = draws.movedim(-2, 0).flatten(1)  # a row a chain, or several
        assert len(rows) % 16 == 0, f"draws for 16 chains have shape {tuple(draws.shape)}; (16, ...) was expected, a row a chain or several"
        assert len(rows.unique(dim=0)) == len(rows), (
            "chains share their random numbers; a row of its own for each was expected, of shape (chain, ...)"
        )


@only(is_stepped)
def has_any_shape(spec: Spec) -> None:
    """It runs with one or several seeds, cells and chains, in 1, 2 and 5 dimensions, and keeps the shapes."""
    for seeds, steps, chains, dim in ((1, 1, 1, 1), (1, 1, 1, 2), (3, 2, 5, 5), (2, 3, 4, 1), (1, 5, 2, 2), (4, 1, 1, 3)):
        of, cells = target(f"gaussian:dim={dim}"), [SMALL[0] * (1 + i / 10) for i in range(steps)]
        shape = (seeds, steps, chains, dim)
        try:
            outcome = go(spec, of, chains, (4 * max(gradients(spec), 1),), cells, (1.0,), range(seeds))
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise AssertionError(f"shapes: with (seed, cell, chain, d) = {shape} it raises {type(error).__name__}: {error}") from None
        found = tuple(outcome.samples.shape[1:])
        assert found == shape, f"shapes: samples {found} came for (seed, cell, chain, d) = {shape}"
        finite(f"a position with (seed, cell, chain, d) = {shape}", outcome.samples.flatten(0, -2))


@only(is_stepped)
def keeps_seeds_cells_and_chains_apart(spec: Spec) -> None:
    """A seed and a cell alone are what they are in company; another start of one chain changes that chain alone."""
    of = target("gaussian_mixture")
    cells = list(itertools.product(SMALL, (0.7, 1.0)))
    budgets = (7 * max(gradients(spec), 1), 20 * max(gradients(spec), 1))
    whole = go(spec, of, budgets=budgets).samples  # (budget, seed, cell, chain, d)
    for seed in (0, 1):
        agree(
            f"seed {seed} alone",
            go(spec, of, budgets=budgets, seeds=(seed,)).samples[:, 0],
            whole[:, seed],
            1e-4,
            1e-5,
            "what it is beside another seed",
        )
    for cell, (c, t) in enumerate(cells):
        alone = go(spec, of, budgets=budgets, steps=(c,), temperatures=(t,)).samples[:, :, 0]
        agree(f"the cell c = {c:g}, T = {t:g} alone", alone, whole[:, :, cell], 1e-4, 1e-5, "what it is in the grid")
    assert of.prior is not None
    start = torch.stack([of.prior.sample(16, stream("mix")) for _ in range(2)])
    changed = start.clone()
    changed[1, 3] += 0.5
    budget, sampler = within(spec, (10 * max(gradients(spec), 1),)), build(spec, SMALL[:1])
    first, second = (
        run(sampler, exact_density(of), s, budget, [stream("mix", i) for i in range(2)], gradients(spec)).samples[-1]
        for s in (start, changed)
    )
    differs = (first != second).any(-1)
    differs[1, :, 3] = False
    assert not differs.any(), f"another start of one chain changed {int(differs.sum())} other chains; each was expected to move by itself"
    density, x = exact_density(of), of.sample(16, stream("x"))[None, None]
    draws = sampler.draws(density, (16, 2), stream("d"))
    if draws.numel():
        other = torch.cat([sampler.draws(density, (16, 2), stream("e"))[..., :1, :], draws[..., 1:, :]], -2)
        one, two = (sampler.step(sampler.init(x, density), density, d[None])[0].x[0, 0] for d in (draws, other))
        moved = int((one != two).any(-1).sum())
        assert moved <= 1, f"other random numbers of one chain moved {moved} chains; each was expected to move by its own"
        assert not torch.equal(first[0], first[1]), "two seeds from one start have the same chains; each has random numbers of its own"


@only(is_stepped)
def is_finite_on_every_chain(spec: Spec) -> None:
    """4,000 chains from three times the prior's spread stay finite for ten small steps."""
    of, sampler = target("gaussian_mixture"), build(spec, SMALL[:1])
    assert of.prior is not None
    x = 3 * of.prior.sample(4_000, stream("wide"))
    x[:3] = torch.tensor([[0.0, 0.0], [1.0, 0.0], [-1.0, 1e-8]])
    density, generator = exact_density(of), stream("wide steps")
    state = sampler.init(x[None, None], density)
    for _ in range(10):
        state, info = sampler.step(state, density, sampler.draws(density, (4_000, 2), generator)[None])
        finite("the position after a small step", state.x[0, 0], x)
        finite("the acceptance", torch.as_tensor(info.acceptance).flatten())


@only(is_stepped)
def counts_its_gradients(spec: Spec) -> None:
    """GRADIENTS is what a step spends, each over all chains, beside those of the start."""
    of, calls = target("gaussian_mixture"), []

    def counting(function: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
        def call(x: Tensor) -> Any:
            calls.append(x.shape[:-1].numel())
            return function(x)

        return call

    def watched(density: Density) -> Density:
        noised = (lambda sigma: watched(density.perturbed(sigma))) if has(density, "perturbed") else density.perturbed
        return dataclasses.replace(
            density, score=counting(density.score), score_and_log_prob=counting(density.score_and_log_prob), perturbed=noised
        )

    density, sampler, each = watched(exact_density(of)), build(spec, SMALL, (0.7, 1.0)), gradients(spec)
    steps = within(spec, (20 * max(each, 1),))[0] // max(each, 1)
    state = sampler.init(of.sample(16, stream("counted")).expand(2, 4, 16, 2).contiguous(), density)
    calls.clear()  # those of the start
    for step in range(steps):
        state, _ = sampler.step(state, density, torch.stack([sampler.draws(density, (16, 2), stream("c", step, i)) for i in range(2)]))
    made = sum(calls) / (2 * 4 * 16)
    assert abs(made - steps * each) <= (each if steps > 1 else 0), (
        f"GRADIENTS = {each}, and {made / steps:g} evaluations of the score a step were made, in {steps} steps: budgets are spent in gradients"
    )


def obeys_its_grid(spec: Spec) -> None:
    """The step size and the temperature do something; independent draws have no step."""
    first = of_sampler(spec)
    if has_step(spec):
        assert not same(first, of_sampler(spec, step_size=0.1)), (
            "step_size is accepted and ignored: c = .05 and c = .1 do the same, to the last bit"
        )
    if has_temperature(spec) and gradients(spec):
        hot = of_sampler(spec, temperature=2.0)
        assert not same(first, hot), f"temperature is accepted and ignored: T = 1 and T = 2 do the same, to the last bit ({STEP})"


@only(lambda spec: gradients(spec) == 0 and is_stepped(spec))
def draws_afresh(spec: Spec) -> None:
    """Of a sampler without gradients each state is a new draw."""
    outcome = go(spec, target("gaussian_mixture"))
    first, second = outcome.trace[..., 0, :], outcome.trace[..., 1, :]
    assert not (first == second).any(), "GRADIENTS = 0 and a state that is that before it: independent draws were expected"


# A loop of its own: what it leaves is looked at, since its steps cannot be.


def has_its_own_loop(spec: Spec) -> bool:
    """Whether it is run in one piece."""
    return not is_stepped(spec)


@only(has_its_own_loop)
def leaves_what_a_run_leaves(spec: Spec) -> None:
    """Its `run` leaves an outcome of the asked shapes within the budgets, twice the same, from its generators alone; two seeds differ."""
    assert not absent(spec), absent(spec)
    of, budgets = target("gaussian_mixture"), (LONG - 500, LONG)
    assert of.prior is not None
    start = of.prior.sample(16, stream("own")).repeat(2, 1, 1)
    sampler = build(spec, SMALL, (0.7, 1.0))

    def once() -> Outcome:
        return run(sampler, exact_density(of), start, budgets, [stream("own run", i) for i in (0, 1)], gradients(spec))

    with unchanged("run", start=start, step_size=sampler.step_size, temperature=sampler.temperature):
        first = once()  # a library may draw when it is imported
    with own_generator("run"):
        again = once()
    for name, found, before in zip(Outcome._fields, map(torch.as_tensor, again), map(torch.as_tensor, first), strict=True):
        agree(f"{name} of the same run again", found, before, 0, 0, "a function of its generators")
    assert (
        len(first.gradients) == len(first.steps) == 2
        and 0 < first.gradients[0] <= budgets[0]
        and first.gradients[0] < first.gradients[1] <= budgets[1]
    ), (
        f"gradients at the budgets {budgets} are {first.gradients}; expected is what was spent up to each snapshot, as much as fits into its budget"
    )
    cells = len(sampler.step_size)
    chains, draws = first.trace.shape[2:4] if first.trace.dim() == 5 else (0, 0)
    expect("the trace", first.trace, (2, cells, chains, draws, 2))
    assert 0 < chains <= TRACE_CHAINS and 0 < draws <= TRACE_DRAWS, (
        f"the trace has {chains} chains and {draws} draws; up to {TRACE_CHAINS} and {TRACE_DRAWS} were expected"
    )
    assert ((first.acceptance >= 0) & (first.acceptance <= 1)).all(), "an acceptance is a probability"
    finite("a position", first.samples.flatten(0, -2))
    assert (first.samples[:, 0] != first.samples[:, 1]).any(), "two seeds have the same chains; each has a generator of its own"


@only(has_its_own_loop)
def spends_what_it_says(spec: Spec) -> None:
    """Of one chain: asked for as many gradients as a first run has made, a second one says that it has spent them; to 2 %."""
    assert not absent(spec), absent(spec)
    of, asked = target("gaussian"), []

    def watched(function: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
        def call(x: Tensor) -> Any:
            asked.append(x.shape[:-1].numel())
            return function(x)

        return call

    density = exact_density(of)
    density = dataclasses.replace(density, score=watched(density.score), score_and_log_prob=watched(density.score_and_log_prob))
    go(spec, of, 1, (LONG,), SMALL[:1], (1.0,), (0,), density)
    made = sum(asked)
    said = go(spec, of, 1, (made,), SMALL[:1], (1.0,), (0,), density).gradients[0]
    assert abs(said - made) <= 0.02 * made, (
        f"gradients: a budget of {LONG} took {made} evaluations of the score; with a budget of {made} it says {said}"
    )


CHECKS: tuple[Check, ...] = (
    declares_what_planning_reads,
    lists_its_options,
    steps_without_side_effects,
    draws_by_its_generator,
    has_any_shape,
    is_finite_on_every_chain,
    keeps_seeds_cells_and_chains_apart,
    counts_its_gradients,
    obeys_its_grid,
    obeys_its_options,
    keeps_the_law,
    has_the_bias_that_it_states,
    is_the_recursion_that_it_states,
    ends_where_it_states,
    draws_the_law_that_it_states,
    draws_afresh,
    leaves_what_a_run_leaves,
    spends_what_it_says,
    comes_to_its_law,
)
