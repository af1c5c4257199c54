"""What every metric keeps to: it reads what it names, a cell and an order of chains change nothing, exact draws are at its floor, its standard error is right.

A standard error is called right when the spread over 200 repeats is within [.7, 1.4] of it: a true one leaves that range with probability below 1e-6
(chi-squared, 199 degrees of freedom), one that forgets a factor of 2 is seen always, a factor of 1.5 with power .9.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from scorebench.core import registry
from scorebench.core.errors import NotApplicable
from scorebench.core.schema import OK, Status
from scorebench.core.spec import Spec, parse
from scorebench.engine.attempt import deadline
from scorebench.engine.metric import Metric
from scorebench.metrics.base import Estimate, Run
from scorebench.metrics.lib.faults import FAULTS
from scorebench.targets.base import Target, has, nearest
from scorebench.testing.contract import SHARE, Check, agree, finite, lists_its_options, only, own_generator, says, unchanged
from scorebench.testing.examples import cached, density_for, stream
from scorebench.testing.options import mixture, obeys_its_options
from scorebench.testing.statistical import z_limit

REPEATS, CHAINS = 200, 256


@cached
def two_modes() -> Target:
    """With draws that train, whose class is their mode and, in it, about which side of the middle, so that of some nobody is sure."""
    law = mixture()

    def labelled(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = law.sample(n, generator)
        return x, 2 * nearest(x, law.modes) + (x[:, 1] > 0.3 * torch.randn(n, generator=generator, device=x.device))

    return replace(law, training_sample=law.sample, labelled=labelled)


def call(spec: Spec, run: Run, target: Target, reference: Any) -> Estimate:
    """The metric with its options; what it gives is an `Estimate` of tensors."""
    estimate = registry.method("metric", spec.name)(run, target, reference, **spec.options)
    assert isinstance(estimate, Estimate) and all(isinstance(part, Tensor) for part in estimate), (
        f"it returns {_type(estimate)}; an Estimate(value, standard_error) of two tensors (seed, cell) was expected (metrics.base.Estimate)"
    )
    return estimate


def _type(estimate: object) -> str:
    parts = f" of {' and '.join(type(part).__name__ for part in estimate)}" if isinstance(estimate, Estimate) else ""
    return f"a {type(estimate).__name__}{parts}"


def about_sampler(spec: Spec) -> bool:
    """Whether it measures what was sampled, else a source."""
    return bool(spec.entry.facts["ABOUT"] == "sampler")


def has_floor(spec: Spec) -> bool:
    """Whether exact draws against exact draws mean something."""
    return bool(spec.entry.facts["FLOOR"])


def is_exact(spec: Spec) -> bool:
    """Whether nothing is drawn in it."""
    return bool(spec.entry.facts.get("EXACT"))


def repeats(target: Target, *names: object, n: int = CHAINS) -> Tensor:
    """Independent sets of exact draws, (repeat, n, d)."""
    return target.sample(REPEATS * n, stream(*names)).unflatten(0, (REPEATS, n))


def values(spec: Spec, samples: Tensor, reference: Tensor, target: Target | None = None) -> Estimate:
    """The metric of each repeat as a seed of its own; signed metrics as they are."""
    return call(spec, Run(samples=samples[:, None], chains=samples.shape[1], score=lambda x: -x), target or two_modes(), reference)


@cached
def floor(spec: Spec, *names: object) -> Tensor:
    """The metric between 200 pairs of sets of exact draws."""
    of = two_modes()
    return values(spec, repeats(of, *names, "floor x", spec), repeats(of, *names, "floor y", spec)).value.flatten().double()


def example_run(name: str) -> tuple[Run, Tensor]:
    """A whole run of a bad sampler, two seeds at three cells, with exact draws beside it."""
    g, seeds, cells = stream(name), 2, 3
    samples = 1.2 * two_modes().sample(seeds * cells * 64, g).unflatten(0, (seeds, cells, 64))
    trace = two_modes().sample(seeds * cells * 8 * 50, g).unflatten(0, (seeds, cells, 8, 50))
    acceptance, spread = torch.rand(seeds, cells, generator=g), torch.rand(seeds, cells, generator=g)
    return Run(samples, trace, acceptance, spread, 64, score=lambda x: -x), two_modes().sample(seeds * 64, g).unflatten(0, (seeds, 64))


def of_source(spec: Spec, seeds: int = 2, n: int = 300, *names: object) -> tuple[Run, Callable[[Target], Tensor]]:
    """A source with a wrong score, and exact draws for each seed."""
    run = Run(learnt=two_modes, score=lambda x: -x, divergence=lambda x: -x.sum(-1), density=density_for(spec))
    return run, lambda law: law.sample(seeds * n, stream("points", *names)).unflatten(0, (seeds, n))


def an_example(spec: Spec, name: str) -> tuple[Run, Any]:
    """What there is to measure."""
    run, reference = example_run(name) if about_sampler(spec) else of_source(spec)
    return run._replace(score=lambda x: -x, divergence=lambda x: -x.sum(-1), density=density_for(spec)), reference


def declares_what_tables_read(spec: Spec) -> None:
    """It says LABEL, REFERENCE, ABOUT, NEEDS, DIRECTION, FLOOR and LOG, with a floor which faults it SEES, and returns an Estimate."""
    says(spec, LABEL=str, REFERENCE=str, ABOUT=str, NEEDS=set, DIRECTION=str, FLOOR=bool, LOG=bool)
    facts = spec.entry.facts
    for name, words in (("ABOUT", ("source", "sampler")), ("DIRECTION", ("lower", "higher", "none"))):
        assert facts[name] in words, f"{name} = {facts[name]!r}; one of {', '.join(map(repr, words))} was expected"
    assert spec.needs, "NEEDS names nothing; a metric reads something of a run"
    for owner, member in spec.needs:
        known = Target.__dataclass_fields__ if owner == "target" else Run._fields
        assert owner in ("run", "source", "target") and member in known, (
            f"NEEDS names {owner}.{member}, which there is not (known: {', '.join(known)})"
        )
    if has_floor(spec):
        sees = facts.get("SEES", set())
        assert about_sampler(spec), "FLOOR = True is for what is ABOUT a sampler: exact draws against exact draws"
        assert sees and sees <= set(FAULTS), (
            f"SEES = {sorted(sees) or 'nothing'}; with a floor some faults are seen (known: {', '.join(FAULTS)})"
        )
    run, reference = an_example(spec, "declared")
    try:
        value = call(spec, run, two_modes(), reference).value
    except NotApplicable:
        return
    none = ~value.isfinite()
    assert not none.any() or "UNDEFINED" in facts, (
        f"its value is {float(value[none][0]):g} in {int(none.sum())} of {value.numel()} cells; a number was expected (NaN is of one that says UNDEFINED)"
    )


@only(lambda spec: bool(spec.entry.facts["LOG"]))
def is_positive(spec: Spec) -> None:
    """Where it says LOG its value is above 0, as logarithms are taken: of 200 sets of exact draws, or of a source with a wrong score.

    An estimate without bias of what is 0 there is below it half of the time: of 200 one is, but for 1 in 10^60.
    """
    reference: Any
    if about_sampler(spec):
        g, size = stream("positive"), 64
        x, y = (two_modes().sample(REPEATS * size, g).view(REPEATS, 1, size, 2) for _ in "xy")
        trace = two_modes().sample(REPEATS * 8 * 50, g).view(REPEATS, 1, 8, 50, 2)
        acceptance = torch.rand(REPEATS, 1, generator=g)
        run, reference = (
            an_example(spec, "positive")[0]._replace(samples=x, trace=trace, acceptance=acceptance, acceptance_sd=acceptance),
            y[:, 0],
        )
        of = "exact draws"
    else:
        (run, reference), of = of_source(spec, 2 if is_exact(spec) else REPEATS, 64, "positive"), "a wrong score"
    value = call(spec, run, two_modes(), reference).value
    low = value <= 0
    assert not low.any(), (
        f"LOG = True, and of {of} its value is {float(value[low].min()):.3g}, {int(low.sum())} of {value.numel()} times 0 or below; above 0 was expected: it "
        "is summarised on a log scale, where such a value has no place (LOG = False?)"
    )


def reads_what_it_needs(spec: Spec) -> None:
    """Without what NEEDS does not name it gives the same; without any one thing that it names it gives nothing."""
    full, reference = an_example(spec, "needs")
    named = {member for owner, member in spec.needs if owner != "target"}
    least = Run(chains=full.chains, learnt=full.learnt)._replace(**{member: getattr(full, member) for member in named})
    metric, lacking = Metric(spec), parse("target", "digits").build()
    draws = (lambda: reference) if about_sampler(spec) else reference
    (estimate, ended), (same, without) = (metric(r, two_modes(), draws, deadline(1)) for r in (full, least))
    assert ended == OK and estimate is not None, f"of a whole run it has no value: {ended}"
    instead = "gives another value" if same else f"ends with {without}"
    assert same is not None and torch.allclose(estimate.value, same.value, rtol=0, atol=0, equal_nan=True), (
        f"it reads what NEEDS = {sorted(spec.entry.facts['NEEDS'])} does not name: without the rest of a run it {instead}"
    )
    for member in sorted(named):
        lacks = full._replace(**{member: getattr(Run(), member)})
        nothing, ended = metric(lacks, two_modes(), draws, deadline(1))
        assert nothing is None and ended.status == Status.NOT_APPLICABLE, f"without the run's {member}, which it needs, it gives a value"
        assert not _same_without(lacks, metric, reference, estimate), f"NEEDS names {member}, which it does not read"
    for member in {member for owner, member in spec.needs if owner == "target"} - {"modes"}:
        if not has(lacking, member):
            assert metric(full, lacking, draws, deadline(1))[1].status == Status.NOT_APPLICABLE, (
                f"without the target's {member} it gives a value"
            )


def _same_without(run: Run, metric: Metric, reference: Any, estimate: Estimate) -> bool:
    try:
        return torch.allclose(metric.evaluate(run, two_modes(), reference).value, estimate.value, rtol=0, atol=0, equal_nan=True)
    except Exception:  # whatever it raises, it has read what is not there
        return False


def is_a_function_of_its_arguments(spec: Spec) -> None:
    """The same again, bitwise; nothing is changed in place, and no global generator is used."""
    run, reference = an_example(spec, "pure")
    first = call(spec, run, two_modes(), reference)
    held = {"run": tuple(part for part in run if isinstance(part, Tensor))} | ({"reference": reference} if about_sampler(spec) else {})
    with unchanged("the metric", **held), own_generator("the metric"):
        second = call(spec, run, two_modes(), reference)
    agree("the value of the same run again", second.value, first.value, 0, 0, "a metric is a function of its arguments")


@only(about_sampler)
def measures_each_cell_alone(spec: Spec) -> None:
    """(seed, cell) in and out; a seed and a cell alone are what they are in company."""
    run, reference = example_run("alone")
    together = call(spec, run, two_modes(), reference)
    for name, part in together._asdict().items():
        assert part.shape == (2, 3), f"its {name} has shape {tuple(part.shape)} for 2 seeds and 3 cells; (2, 3) was expected"
        finite(f"its {name}", part.flatten())
    assert (together.standard_error > 0).all(), "a standard error of 0 came; the chains vary, and so does what is made of them"
    for seed, cell in itertools.product(range(2), range(3)):
        of_cell = {
            name: getattr(run, name)[seed : seed + 1, cell : cell + 1] for name in ("samples", "trace", "acceptance", "acceptance_sd")
        }
        one = run._replace(**of_cell)
        alone = call(spec, one, two_modes(), reference[seed : seed + 1])
        which = f"of seed {seed} and cell {cell} alone"
        agree(
            f"the value {which}",
            alone.value[0, 0],
            together.value[seed, cell],
            1e-5,
            1e-6,
            "what it is in company: a cell rests on no other",
        )
        agree(
            f"the standard error {which}",
            alone.standard_error[0, 0],
            together.standard_error[seed, cell],
            1e-4,
            1e-6,
            "what it is in company",
        )


@only(about_sampler)
def ignores_the_order_of_the_chains(spec: Spec) -> None:
    """Chains are exchangeable: their order, and that of the exact draws, changes nothing but rounding."""
    run, reference = example_run("order")
    order, trace_order = torch.randperm(64, generator=stream("o")), torch.randperm(8, generator=stream("t"))
    moved = run._replace(samples=run.samples[:, :, order], trace=run.trace[:, :, trace_order])
    value = call(spec, run, two_modes(), reference).value
    for what, other, draws in (("chains", moved, reference), ("exact draws", run, reference.flip(1))):
        agree(
            f"the value with the {what} in another order",
            call(spec, other, two_modes(), draws).value,
            value,
            1e-5,
            1e-6,
            f"{what} are exchangeable",
        )


@only(lambda spec: not about_sampler(spec))
def has_one_value_a_seed(spec: Spec) -> None:
    """Of a source, a value and a standard error above 0 (NaN of what is EXACT) for each seed, (seed, 1); a seed alone is what it is in company."""
    run, reference = of_source(spec, 3, 500)
    found = call(spec, run, two_modes(), reference)
    for name, part in found._asdict().items():
        assert part.shape == (3, 1), f"its {name} has shape {tuple(part.shape)} for 3 seeds; (3, 1) was expected"
    finite("its value", found.value.flatten())
    if is_exact(spec):
        assert found.standard_error.isnan().all(), "a standard error came, though it is EXACT; NaN was expected"
    else:
        finite("its standard error", found.standard_error.flatten())
        assert (found.standard_error > 0).all(), "a standard error of 0 came; the points vary, and so does what is made of them"
    alone = call(spec, run, two_modes(), lambda law: reference(law)[1:2])
    agree("the value of a seed alone", alone.value[0], found.value[1], 1e-5, 1e-6, "what it is in company")


@only(has_floor)
def has_exact_draws_at_its_floor(spec: Spec) -> None:
    """200 fresh pairs of exact draws are at the floor: z has mean 0 and standard deviation 1, and 5 % are beyond its 95 % quantile.

    Sees a mean off by half of the floor's standard deviation.
    """
    its, fresh = floor(spec), floor(spec, "fresh")
    z = (fresh - its.mean()) / its.std()
    limit = z_limit(3 * SHARE)
    finite("the metric between exact draws", torch.cat([its, fresh]))
    why = "z = (value - the floor's mean)/(the floor's standard deviation) of other exact draws"
    assert abs(float(z.mean())) < limit * (2 / REPEATS) ** 0.5, (
        f"floor: exact draws are at z = {float(z.mean()):.2f} in the mean; 0 was expected ({why})"
    )
    assert 0.6 < float(z.std()) < 1.65, (
        f"floor: exact draws have a standard deviation of {float(z.std()):.2f} floors; 1 was expected ({why})"
    )
    alarms = float((fresh > its.quantile(0.95)).double().mean())
    most = 0.05 + limit * (0.05 * 0.95 * 2 / REPEATS) ** 0.5
    assert alarms < most, (
        f"floor: {alarms:.0%} of exact draws are beyond its 95 % quantile; 5 % were expected, and {most:.0%} at most by chance"
    )


@cached
def share_seen(spec: Spec, fault: str) -> float:
    """Of 200 repeats of 256 chains with the fault, the share beyond the floor's 99 % quantile."""
    its = floor(spec)
    faulty = FAULTS[fault](two_modes(), REPEATS * CHAINS, stream("fault", fault, spec)).unflatten(0, (REPEATS, CHAINS))
    found = values(spec, faulty, repeats(two_modes(), "fault y", spec)).value.flatten().double()
    if spec.entry.facts["DIRECTION"] == "none":
        beyond = (found - its.mean()).abs() > (its - its.mean()).abs().quantile(0.99)
    elif spec.entry.facts["DIRECTION"] == "higher":
        beyond = found < its.quantile(0.01)
    else:
        beyond = found > its.quantile(0.99)
    return float(beyond.double().mean())


@only(has_floor)
def sees_the_faults_that_it_says(spec: Spec) -> None:
    """256 chains with a fault of SEES lie beyond the floor's 99 % quantile nearly always: in half of 200 repeats at least.

    Of a metric that sees it in 9 of 10 so few are seen with probability 5e-6, for which the quantile, the third largest of 200, is beyond 3.6 standard
    deviations.
    """
    for fault in sorted(spec.entry.facts["SEES"]):
        share = share_seen(spec, fault)
        assert share >= 0.5, (
            f"SEES names {fault!r}, of which {share:.0%} of {REPEATS} repeats of {CHAINS} chains lie beyond the floor's 99 % quantile; 90 % were expected"
        )


@cached
def spreads(spec: Spec) -> dict[str, float]:
    """The spread over repeats in units of the standard error, for each of some faults; of a source with points from seed to seed."""
    if not about_sampler(spec):
        run, points = of_source(spec, REPEATS, 300, "spread")
        return {"a wrong score": _ratio(call(spec, run, two_modes(), points))}
    ratios = {}
    for fault in ("wrong_weights", "shifted"):
        faulty = FAULTS[fault](two_modes(), REPEATS * CHAINS, stream("se", fault, spec)).unflatten(0, (REPEATS, CHAINS))
        reference = repeats(two_modes(), "se y", spec)[:1].expand(REPEATS, -1, -1)  # the exact draws are held fixed
        ratios[fault] = _ratio(values(spec, faulty, reference))
    return ratios


def _ratio(found: Estimate) -> float:
    return float(found.value.double().std() / found.standard_error.double().square().mean().sqrt())


@only(lambda spec: not is_exact(spec) and (not about_sampler(spec) or ("run", "samples") in spec.needs))
def has_its_standard_error(spec: Spec) -> None:
    """The spread over 200 repeats is the standard error: no more than 1.4 of it, and .7 or more in one case at least.

    (Of a norm, or an absolute value, at its corner it is an upper bound.) Sees a factor of 2 always, 1.5 with power .9.
    """
    ratios = spreads(spec)
    for fault, ratio in ratios.items():
        assert ratio < 1.4, (
            f"standard error: over {REPEATS} repeats, {fault}, the spread of the value is {ratio:.2f} times it; 1 was expected"
        )
    highest = max(ratios.values())
    assert highest > 0.7, (
        f"standard error: over {REPEATS} repeats the spread of the value is {highest:.2f} times it at most; 1 was expected"
    )


def of_size(spec: Spec, size: int) -> tuple[Run, Tensor]:
    """A run of so many chains and draws a chain, with exact draws."""
    g = stream("sized", size, size)
    x, y = (two_modes().sample(2 * size, g).view(2, 1, size, 2) for _ in "xy")
    trace = two_modes().sample(2 * 8 * size, g).view(2, 1, 8, size, 2)
    run, _ = of_source(spec)
    return run._replace(samples=x, trace=trace, acceptance=torch.ones(2, 1), acceptance_sd=torch.ones(2, 1), chains=size), y[:, 0]


def says_what_it_takes(spec: Spec) -> None:
    """Of 1 to 16 chains, draws a chain or points it has a value with a standard error, or says what it takes; NaN only where UNDEFINED does."""
    for size in (1, 2, 3, 4, 7, 8, 9, 10, 16):
        run, reference = of_size(spec, size)
        try:
            value, error = call(spec, run, two_modes(), reference if about_sampler(spec) else lambda law, y=reference: y)
        except NotApplicable:
            assert size < 16, "it is not applicable to 16 chains, the fewest that a suite may have"
            continue
        undefined = "UNDEFINED" in spec.entry.facts
        known = value.isfinite() | (value.isnan() & undefined)
        words = f"of {size} chains comes none: a number was expected, or NotApplicable with what it takes (metrics.base.takes)"
        assert known.all(), f"a value {words}"
        assert undefined or is_exact(spec) or error.isfinite().all(), f"a standard error {words}"


CHECKS: tuple[Check, ...] = (
    declares_what_tables_read,
    is_positive,
    lists_its_options,
    reads_what_it_needs,
    is_a_function_of_its_arguments,
    measures_each_cell_alone,
    ignores_the_order_of_the_chains,
    has_one_value_a_seed,
    says_what_it_takes,
    has_exact_draws_at_its_floor,
    sees_the_faults_that_it_says,
    has_its_standard_error,
    obeys_its_options,
)
