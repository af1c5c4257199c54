"""What a method does, seen from outside, to tell whether an option does something: the same random numbers, so that what differs is the option."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from scorebench.core import registry
from scorebench.core.errors import InputError, NotApplicable
from scorebench.core.spec import Spec, parse
from scorebench.engine.loop import grid, run
from scorebench.engine.metric import Metric
from scorebench.engine.objective import shared_options
from scorebench.losses.base import Problem
from scorebench.metrics.base import Run
from scorebench.models.base import Bound
from scorebench.samplers.base import exact_density
from scorebench.suite.config import Training
from scorebench.suite.jobs import gives, gradients, to_the_end
from scorebench.targets.base import Target, has
from scorebench.testing.examples import density_for, fits, is_stepped, loss_values, stream

Observed = list[Tensor]
LONG = 2_000
"""Gradients a chain in which a loop of a sampler's own has adapted, and has the law."""


def mixture() -> Target:
    """Two far modes in the plane."""
    target: Target = parse("target", "gaussian_mixture").build()
    return target


def of_target(spec: Spec) -> Observed:
    """Draws and log densities at them."""
    target = spec.build()
    x = target.sample(64, stream("options"))
    return [x, target.log_prob(x)] if has(target, "log_prob") else [x]


def of_model(spec: Spec) -> Observed:
    """First parameters and output."""
    x = mixture().sample(64, stream("options"))
    module = spec.build(2, stream("weights"))
    levels = (torch.ones(64),) if "noise_levels" in gives(spec) else ()
    return [p.detach() for p in module.parameters()] + [module(x, *levels).detach()]


def of_loss(spec: Spec) -> Observed:
    """Draws, values, and what a loss of its own fit fits."""
    x = mixture().sample(64, stream("options"))
    names = ("mlp_energy", "quadratic", "noise_conditional_energy")
    module = next(model for name in names if fits(model := parse("model", name), spec)).build(2, stream("weights"))
    draws = registry.module("loss", spec.name).draws(x, mixture(), stream("noise"), **shared_options([spec]))
    found = loss_values(spec, Bound(module, dict(module.named_parameters()), True), x, draws, mixture()).detach()
    return [draws, found, *(value for options in settled(spec) for value in fitted(spec, module, mixture(), x, options))]


def settled(spec: Spec) -> list[dict[str, Any]]:
    """A loss's options with each value of what it tunes, where that is to be chosen; none of a loss without a fit of its own."""
    options = [spec.options] if "fit" in spec.entry.functions else []
    for key, tried in spec.entry.facts.get("TUNES", {}).items():
        options = [its | {key: value} for its in options for value in (tried if its[key] is None else (its[key],))]
    return options


def fitted(spec: Spec, module: nn.Module, target: Target, x: Tensor, options: dict[str, Any]) -> Observed:
    """The parameters that a loss's own fit finds of one seed's points x (n, d)."""
    problem = Problem(target, [copy.deepcopy(module)], True, x[None], [stream("fit")], Training(size=len(x)))
    return list(registry.module("loss", spec.name).fit(problem, **options).values())


def of_sampler(spec: Spec, step_size: float = 0.05, temperature: float = 1.0) -> Observed:
    """A short run, to the end of its ladder; of one with a loop of its own, for as long as that may adapt."""
    start = torch.randn(1, 16, 2, generator=stream("start"))
    c, t = grid([(step_size, temperature)])
    budget = max(to_the_end(spec), 5) if is_stepped(spec) else LONG
    done = run(spec.build(step_size=c, temperature=t), exact_density(mixture()), start, (budget,), [stream("s")], gradients(spec))
    return [done.samples, done.trace]


def of_metric(spec: Spec) -> Observed:
    """A value."""
    g = stream("options")
    x, y, trace = (mixture().sample(n, g) for n in (64, 64, 8 * 20))
    of = Run(
        1.2 * x[None, None],
        trace.view(1, 1, 8, 20, 2),
        torch.ones(1, 1),
        torch.ones(1, 1),
        64,
        lambda x: -x,
        lambda x: -x.sum(-1),
        lambda: mixture().perturbed(0.5),
        density_for(spec),
    )
    about = spec.entry.facts["ABOUT"]
    return [Metric(spec).evaluate(of, mixture(), y[None] if about == "sampler" else lambda law: law.sample(64, stream("p"))[None]).value]


OBSERVED: dict[str, Callable[[Spec], Observed]] = {
    "target": of_target,
    "model": of_model,
    "loss": of_loss,
    "sampler": of_sampler,
    "metric": of_metric,
}


def same(a: Observed, b: Observed) -> bool:
    """Bitwise."""
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def others(spec: Spec, name: str) -> Iterator[Spec]:
    """The method with other values of one option, of its type and allowed beside its other options."""
    option, value = spec.entry.options[name], spec.options[name]
    number = value if isinstance(value, int | float) and value else 0.5
    candidates: list[Any] = [*option.words, not value if isinstance(value, bool) else None]
    if isinstance(value, tuple):
        candidates += [value[:-1], (*value[:-1], value[-1] * 0.9), (*value[:-1], value[-1] * 1.1), value[1:]]
    elif not isinstance(value, bool | str):
        candidates += [2 * number, number / 2, number + 1, int(number) + 1, 2 * int(number) + 1, (1 + number) / 2]
    for other in candidates:
        try:
            if other is not None and other != value:
                yield parse(spec.kind, str(Spec(spec.kind, spec.name, tuple((spec.options | {name: other}).items()))))
        except InputError:
            continue


def obeys_its_options(spec: Spec) -> None:
    """Another value of any option does something else, from the same random numbers.

    Exact. An option that other options switch off is said in IGNORED.
    """
    observe = OBSERVED[spec.kind]
    if not spec.entry.options:
        return
    first = observe(spec)
    for name in spec.entry.options:
        tried = []
        for other in others(spec, name):
            try:
                alike = same(first, observe(other))
            except (InputError, NotApplicable, ValueError):
                continue  # two options that do not go together
            tried.append(str(other))
            if not alike:
                break
        else:
            assert not tried, f"the option {name!r} is accepted and ignored: {spec} and {' and '.join(tried)} do the same, to the last bit"
