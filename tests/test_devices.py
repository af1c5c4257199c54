"""What methods compute stays on the device of what they are given, whatever torch's default is. Over the registry; exact.

The default device here is "meta", whose tensors hold no numbers: a tensor that is made without a word about its device lands there, and what is
computed with it fails or is no number. So the tests need no second device. Where there is a CUDA device the contract tests of targets, models, losses,
samplers and metrics run on it as well (the fixture `device`).
"""

import contextlib
import functools

import pytest
import torch
from conftest import over
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from scorebench.core import registry, rng
from scorebench.core.errors import NotApplicable
from scorebench.core.spec import Spec, parse
from scorebench.engine.device import prepare
from scorebench.engine.loop import grid
from scorebench.engine.objective import shared_options
from scorebench.engine.sources import trained
from scorebench.metrics.base import Run
from scorebench.metrics.lib.faults import FAULTS
from scorebench.models.base import Bound, score_and_divergence
from scorebench.samplers.base import exact_density
from scorebench.suite.jobs import ladder
from scorebench.targets.base import Target, has
from scorebench.testing.examples import density_for, examples, fits, loss_values, pairs, stream
from scorebench.testing.metrics import two_modes


@pytest.fixture
def elsewhere(monkeypatch):
    """A context whose default device holds no numbers; named streams stay on the CPU."""
    on_cpu = rng.generator

    def generator(*names: object) -> torch.Generator:
        with torch.device("cpu"):
            return on_cpu(*names)

    monkeypatch.setattr(rng, "generator", generator)
    return lambda: torch.device("meta")


@functools.cache
def build(text: str) -> Target:
    """A target whose cached members are there."""
    target = parse("target", text).build()
    assert target.radius > 0
    if has(target, "modes"):
        assert len(target.mode_weights.value)
    return target


def assert_same(function, elsewhere) -> None:
    """The same numbers, on the CPU, with another default device."""
    expected = function()
    with elsewhere():
        values = function()
    for value, wanted in zip(*(v if isinstance(v, tuple) else (v,) for v in (values, expected)), strict=True):
        assert value.device.type == "cpu" and torch.allclose(value, wanted, rtol=0, atol=0, equal_nan=True)


def test_only_the_cpu_multiplies_at_another_precision(monkeypatch):
    """On a GPU torch's "medium" is TF32, 1e-3 of a product; how it is on the CPU says nothing of that."""
    asked: list[str] = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", asked.append)
    monkeypatch.setattr(torch, "set_default_device", lambda _: None)
    prepare("meta")
    assert asked == []
    prepare("cpu")
    assert asked[:1] == ["medium"]


def test_a_tensor_without_a_device_is_seen(elsewhere):
    for mutant in (lambda: torch.zeros(3), lambda: torch.randn(3, generator=stream("mutant")), lambda: torch.ones(3) * torch.zeros(3)):
        with pytest.raises((AssertionError, RuntimeError)):
            assert_same(mutant, elsewhere)


@over("spec", "target")
def test_targets(spec, elsewhere):
    target = build(str(spec))
    laws = [target, target.prior]
    for relative in (lambda: target.tempered(0.5), lambda: target.tempered(2.0), lambda: target.perturbed(0.7)):
        with contextlib.suppress(NotApplicable):
            laws.append(relative())
    for law in laws:
        for draw in filter(None, (law.sample, law.training_sample)):
            assert_same(lambda draw=draw: draw(50, stream("draw", spec)), elsewhere)
        x = law.sample(50, stream("x", spec))
        if has(law, "score"):
            for numbers in (x, x.double()):
                assert_same(lambda law=law, x=numbers: (law.log_prob(x), law.score(x)), elsewhere)
    assert len(laws) == (2 if spec.name in ("digits", "logistic_regression") else 5)


@over("spec", "model")
def test_models(spec, elsewhere):
    assert_same(lambda: tuple(v.detach() for v in spec.build(3, stream("build")).parameters()), elsewhere)


@pytest.mark.parametrize(("model", "loss"), pairs(), ids=str)
def test_losses(model, loss, elsewhere):
    target, gives = build("gaussian"), model.entry.facts["GIVES"]
    x, module = target.sample(16, stream("x")), model.build(2, stream("model"))
    bound = Bound(module, {k: v.detach() for k, v in module.named_parameters()}, "log_prob" in gives)
    sigma = x.new_tensor(0.5) if "noise_levels" in gives else None

    def value() -> tuple[torch.Tensor, ...]:
        draws = registry.module("loss", loss.name).draws(x, target, stream("draws"), **shared_options([loss]))
        at = bound if sigma is None else bound.at(sigma)
        return draws, loss_values(loss, bound, x, draws, target), *score_and_divergence(at, x)

    assert_same(value, elsewhere)


@over("spec", "sampler")
def test_samplers(spec, elsewhere):
    target = build("gaussian_mixture")
    density = exact_density(target)
    step_size, temperature = grid([(0.001, 1.0), (0.002, 0.5)])
    sampler = spec.build(step_size=step_size, temperature=temperature)
    x = target.prior.sample(16, stream("x")).expand(1, 2, 16, 2)
    for level in ladder(spec):
        density.perturbed(level)  # relatives are made where the target is, before it is sampled

    def step() -> torch.Tensor:
        draws = sampler.draws(density, (16, 2), stream("draws"))[None]
        return sampler.step(sampler.init(x, density), density, draws)[0].x

    assert_same(step, elsewhere)


class Waits(TorchFunctionMode):
    """Collects what a program waits for: numbers of Python that become a tensor, tensors that go to another device. What looks at a number raises on "meta"."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        name = getattr(function, "__name__", "")
        moved = isinstance(result, torch.Tensor) and any(tensor.device != result.device for tensor in tensors)
        if (name in ("to", "type_as", "copy_") and moved) or (
            name in ("tensor", "as_tensor", "new_tensor") and not isinstance(args[-1], torch.Tensor)
        ):
            self.seen.append(name)
        return result


def steps_on_meta(step, sampler, density) -> list[str]:
    """What a third step waits for where all tensors are on the device without numbers."""
    x = torch.zeros(1, 2, 16, 2, device="meta")
    draws = sampler.draws(density, (16, 2), stream("draws"))[None].to("meta")
    state = sampler.init(x, density)
    for _ in range(2):  # what is kept for later is made
        state = step(state, density, draws)[0]
    with Waits() as waits:
        step(state, density, draws)
    return waits.seen


@pytest.mark.parametrize("spec", [spec for spec in examples("sampler") if spec.entry.facts.get("GRADIENTS")], ids=str)
def test_a_step_waits_for_no_device(spec, elsewhere):
    """Neither on an exact source nor on a trained one; but for the controls, which have no steps."""
    target, levels = build("gaussian_mixture"), ladder(spec) or (2.0, 1.0)
    model, loss = parse("model", "noise_conditional_energy"), parse("loss", f"denoising_ladder:sigmas={'|'.join(map(str, levels))}")
    parameters = {k: v.detach()[None].to("meta") for k, v in model.build(2, stream("model")).named_parameters()}
    sampler = spec.build(step_size=torch.full((2, 1), 0.01, device="meta"), temperature=torch.ones(2, 1, device="meta"))
    with elsewhere():
        for density in (exact_density(target), trained(model, loss, 1, parameters, target).density):
            for level in levels:  # what is kept for each level is made
                density.perturbed(level).score(torch.zeros(1, 2, 16, 2))
            assert steps_on_meta(sampler.step, sampler, density) == []


def test_a_step_that_waits_is_seen():
    """The mutants: a list becomes a tensor at every step; a constant is moved; a number is looked at."""
    density = exact_density(build("gaussian"))
    sampler = parse("sampler", "ula").build(step_size=torch.ones(2, 1, device="meta"), temperature=torch.ones(2, 1, device="meta"))

    def listing(state, density, draws):
        return state._replace(x=state.x * state.x.new_tensor([1.0, 2.0])), None

    def moving(state, density, draws):
        return state._replace(x=state.x * torch.ones(2).to(state.x)), None

    def looking(state, density, draws):
        return state._replace(x=state.x * float(state.x.max())), None

    assert steps_on_meta(listing, sampler, density) and steps_on_meta(moving, sampler, density)
    with pytest.raises((RuntimeError, NotImplementedError), match="(?i)meta"):
        steps_on_meta(looking, sampler, density)


@over("spec", "metric")
def test_metrics(spec, elsewhere):
    target = two_modes()
    x = 1.1 * target.sample(2 * 3 * 64, stream("x")).unflatten(0, (2, 3, 64))
    trace = target.sample(2 * 3 * 8 * 20, stream("trace")).unflatten(0, (2, 3, 8, 20))
    run = Run(
        x, trace, x[..., 0, 0].sigmoid(), x[..., 1, 0].sigmoid(), 64, lambda x: -x, lambda x: -x.sum(-1), lambda: target, density_for(spec)
    )
    exact = target.sample(2 * 64, stream("exact")).unflatten(0, (2, 64))
    reference = exact if spec.entry.facts["ABOUT"] == "sampler" else lambda law: exact
    assert_same(lambda: tuple(registry.method("metric", spec.name)(run, target, reference, **spec.options)), elsewhere)


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(fault, elsewhere):
    target = build("gaussian_mixture")
    assert_same(lambda: FAULTS[fault](target, 50, stream("fault")), elsewhere)


def test_projections_of_a_trace(elsewhere):
    """In more than four dimensions the trace diagnostics draw directions."""
    run, target = Run(trace=torch.randn(1, 1, 8, 50, 6, generator=stream("trace"))), build("gaussian")
    for name in ("ess", "rhat"):
        assert_same(lambda name=name: tuple(registry.method("metric", name)(run, target, None)), elsewhere)


def test_every_loss_meets_a_model():
    assert {loss for _, loss in pairs()} == set(examples("loss")) and all(fits(*pair) for pair in pairs())
    assert isinstance(examples("loss")[0], Spec)
