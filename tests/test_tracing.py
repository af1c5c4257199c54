"""Steps written down and compiled: what is repeated is the step, and where torch has no tracer or no compiler everything runs as it is."""

import sys

import numpy as np
import pytest
import torch
from conftest import over
from torch._dynamo.utils import counters
from torch.func import grad

from scorebench.core.schema import OK
from scorebench.core.spec import parse
from scorebench.engine import loop, tracing, training
from scorebench.engine.loop import grid
from scorebench.engine.process import isolated
from scorebench.engine.sources import trained
from scorebench.models.base import stack
from scorebench.samplers.base import Density, exact_density
from scorebench.suite.config import Training
from scorebench.suite.jobs import gradients, to_the_end
from scorebench.testing.examples import examples, stream

SETTINGS = Training(size=200, batch=16, steps=(10, tracing.WORTH_IT))


def fitted(name: str = "mlp_energy:width=8") -> list[dict[str, torch.Tensor]]:
    model, loss = parse("model", name), parse("loss", "denoising:sigma=0.5")
    target = parse("target", "gaussian:dim=1").build()
    return training.fit(target, model, [loss], [1e-2], SETTINGS, SETTINGS.steps, 1, [0, 1], "gaussian").parameters


def test_without_a_tracer_the_fit_is_the_same(monkeypatch):
    """To 1e-6 of the size; bitwise where this was written."""
    written_down, handed_back = [], []
    operations = training.operations

    def watched(function, *inputs):
        repeated = operations(function, *inputs)
        (handed_back if repeated is function else written_down).append(repeated)
        return repeated

    monkeypatch.setattr(training, "operations", watched)
    with_tracer = fitted()
    monkeypatch.setitem(sys.modules, "torch.fx.experimental.proxy_tensor", None)
    without = fitted()
    assert len(written_down) == len(handed_back) == 1
    for a, b in zip(without, with_tracer, strict=True):
        size = max(float(v.abs().max()) for v in b.values())
        for key in b:
            torch.testing.assert_close(a[key], b[key], rtol=0, atol=1e-6 * size)


def test_without_a_tracer_the_function_is_handed_back(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.fx.experimental.proxy_tensor", None)
    assert tracing.operations(torch.sin, torch.zeros(3)) is torch.sin


def test_what_nobody_reads_is_left_out_and_what_comes_twice_is_done_once():
    """The operations give what the function gives on other numbers."""

    def function(x):
        x.cos().exp()
        return x.sin() + 1, x.sin() * 2

    x = torch.linspace(-1, 1, 3)
    written = tracing._written(function, (torch.zeros(3),))
    for result, expected in zip(written.calling(written.graph)(x), function(x), strict=True):
        assert torch.equal(result, expected)
    names = [str(node.target) for node in written.graph.graph.nodes]
    assert not any(name in target for target in names for name in ("cos", "exp")) and sum("sin" in target for target in names) == 1


G = torch.Generator()
TWICE = {
    "what a view and a chain share": (lambda x: (x.sin().view(3, 1).exp() + x.sin(), x.sin().view(3, 1).exp() * 2), {"sin": 1, "exp": 1}),
    "another constant, or the same of another type": (lambda x: x * 2 + x * 2.0 + x * 3 + x * 2, {"mul": 3}),
    "two that are given back": (lambda x: (x.sin(), x.sin()), {"sin": 2}),
    "before a change in place, and after it": (
        lambda x: (y := x + 0, v := y.view(3, 1), v.sin() + v.sin() + y.mul_(2).sum() + v.sin())[2],  # v sees what is done to y
        {"sin": 2},
    ),
    "random numbers": (lambda x: x + torch.rand(3, generator=G) * torch.rand(3, generator=G), {"rand": 2}),
}


@pytest.mark.parametrize("function", TWICE)
def test_what_is_done_once_is_what_torch_does_once(function, monkeypatch):
    """The graph of torch's own pass, which imports much: the same operations on the same operands, in the same order."""
    from torch._functorch.compile_utils import fx_graph_cse

    def numbered(graph):
        place = {node: str(number) for number, node in enumerate(graph.nodes)}
        return [(node.op, str(node.target), repr(torch.fx.map_arg((node.args, node.kwargs), place.get))) for node in graph.nodes]

    merge, seen = tracing._merge, []

    def both(graph):
        seen.append(numbered(fx_graph_cse(graph)))
        merge(graph)
        seen.append(numbered(graph))

    monkeypatch.setattr(tracing, "_merge", both)
    of, counts = TWICE[function]
    assert tracing._written(of, (torch.linspace(0.1, 1, 3),)) is not None
    assert seen[0] == seen[1]
    names = [target.split(".")[1] for _, target, _ in seen[1] if target.startswith("aten.")]
    assert {name: names.count(name) for name in counts} == counts


def test_what_changes_nothing_is_left_out():
    """A view of the same shape, a derivative's factor 1, and the numbers of what lends its shape to a one; not a view of another shape or a factor 2."""

    def function(x, bias):
        linear = torch.nn.functional.linear(x.expand(3, 2), x.new_ones(2, 2), bias).view(3, 2)
        return (
            linear * torch.ones_like(x.exp()),
            torch.ops.aten.mul.Scalar(x, 2),
            x.expand(2, 3, 2),
            x.view(2, 3),
            torch.ones_like(x) + torch.zeros_like(x),
        )

    given = torch.linspace(-1, 1, 6).view(3, 2), torch.linspace(1, 2, 2)
    written = tracing._written(function, (torch.zeros(3, 2), torch.zeros(2)))
    for result, expected in zip(written.calling(written.graph)(*given), function(*given), strict=True):
        assert torch.equal(result, expected) and result.stride() == expected.stride()
    names = [str(node.target) for node in written.graph.graph.nodes]
    assert not any(name in target for target in names for name in ("exp.default", "alias", "like"))
    assert [sum(name in target for target in names) for name in ("aten.expand", "aten.view", "mul.Scalar")] == [1, 1, 1]


def test_what_is_called_often_is_written_down_and_is_still_differentiated():
    """To the bit; its derivatives are those of the function, at any call."""

    def source() -> Density:
        return network("mlp_energy:width=8", "implicit")

    density, x = source(), torch.randn(2, 5, 2, generator=stream("x"))

    def slope() -> torch.Tensor:
        return grad(lambda y: density.score(y).square().sum())(x)

    first, at_first = density.score(x), slope()
    for _ in range(2 * tracing.OFTEN):
        assert torch.equal(density.score(x), first) and torch.equal(slope(), at_first)
    y = x.clone().requires_grad_()
    density.score(y).square().sum().backward()
    torch.testing.assert_close(y.grad, at_first)
    assert torch.equal(density.score(x + 1), source().score(x + 1))


# Compiled.

NEVER, ALWAYS = 10**30, 0
BY_LEVEL = {"annealed", "probability_flow"}
"""Samplers whose state counts steps in Python: they run as they are."""


def ran(spec, density: Density, worth: int, monkeypatch) -> loop.Outcome:
    """Two cells and seeds, 40 chains, some steps."""
    monkeypatch.setattr(tracing, "WORTH_COMPILING", worth)
    step_size, temperature = grid([(0.01, 1.0), (0.02, 0.5)])
    sampler = spec.build(step_size=step_size, temperature=temperature)
    start = torch.stack([torch.randn(40, 2, generator=stream("start", s)) for s in range(2)])
    budget = max(to_the_end(spec), 12 * gradients(spec))
    return loop.run(sampler, density, start, [budget // 2, budget], [stream("run", s) for s in range(2)], gradients(spec))


def ring(std: float) -> Density:
    return exact_density(parse("target", f"gaussian_mixture:components=3,std={std}").build())


def network(model: str, loss: str = "denoising_ladder:sigmas=2|1") -> Density:
    spec, target = parse("model", model), parse("target", "gaussian").build()
    _, parameters = stack(lambda generator: spec.build(2, generator), [stream("network", s) for s in range(2)])
    return trained(spec, parse("loss", loss), 1, parameters, target).density


def assert_same_but_for_rounding(compiled: loop.Outcome, plain: loop.Outcome) -> None:
    """To 1e-5 of the size: some 20 steps of single precision, whose rounding does not grow near p. A chain that decides otherwise is off by far more:
    where a uniform lies within rounding of the probability, once in 10^4 runs of these tests.
    """
    assert (compiled.steps, compiled.gradients) == (plain.steps, plain.gradients)
    for name in ("samples", "trace", "acceptance", "acceptance_sd"):
        a, b = getattr(compiled, name), getattr(plain, name)
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5 * max(float(b.abs().max()), 1.0))


@over("spec", "sampler")
def test_a_run_by_operations_is_the_run(spec, monkeypatch):
    """Of every sampler, however it is configured: what a kernel is made of, run as it is written down."""
    if not gradients(spec) or spec.entry.facts.get("PEERS"):
        return
    written_down = []
    monkeypatch.setattr(tracing, "_kernel", lambda written: written_down.append(written) or written.graph)
    by_operations = ran(spec, ring(0.5), ALWAYS, monkeypatch)
    assert len(written_down) == (spec.name not in BY_LEVEL)
    assert_same_but_for_rounding(by_operations, ran(spec, ring(0.5), NEVER, monkeypatch))


@pytest.mark.parametrize("spec", {spec.name: spec for spec in reversed(examples("sampler"))}.values(), ids=str)
def test_a_compiled_run_is_the_run(spec, monkeypatch):
    """Of every sampler whose state is tensors a kernel is made, of its first example: the others are other operations of the same kinds."""
    if not gradients(spec) or spec.entry.facts.get("PEERS"):
        return
    monkeypatch.setattr(tracing, "_kernels", {})
    compiled = ran(spec, ring(0.5), ALWAYS, monkeypatch)
    assert len(tracing._kernels) == (spec.name not in BY_LEVEL) and not tracing._unable
    assert_same_but_for_rounding(compiled, ran(spec, ring(0.5), NEVER, monkeypatch))


@pytest.mark.parametrize("model", ["mlp_score:width=8", "noise_conditional_energy:width=8,depth=1"])
def test_a_compiled_run_on_a_network_is_the_run(model, monkeypatch):
    ula = parse("sampler", "ula")
    compiled, plain = (ran(ula, network(model), worth, monkeypatch) for worth in (ALWAYS, NEVER))
    assert_same_but_for_rounding(compiled, plain)


def test_compiled_training_is_the_training(monkeypatch):
    """To 1e-6 of the size a step."""

    def at(worth: int) -> list[dict[str, torch.Tensor]]:
        monkeypatch.setattr(tracing, "WORTH_COMPILING", worth)
        monkeypatch.setattr(tracing, "_kernels", {})
        return fitted("quadratic")

    plain = at(NEVER)
    assert not tracing._kernels
    for steps, compiled, expected in zip(SETTINGS.steps, at(ALWAYS), plain, strict=True):
        size = max(float(value.abs().max()) for value in expected.values())
        for name, value in expected.items():
            torch.testing.assert_close(compiled[name], value, rtol=0, atol=1e-6 * size * steps)
    assert len(tracing._kernels) == 1 and not tracing._unable


def test_a_wrong_kernel_is_seen(monkeypatch):
    """The mutants: a constant of another ring; a step that adds a thousandth."""
    ula = parse("sampler", "ula")
    plain = ran(ula, ring(0.5), NEVER, monkeypatch)
    with pytest.raises(AssertionError):
        assert_same_but_for_rounding(ran(ula, ring(0.501), ALWAYS, monkeypatch), plain)
    with pytest.raises(AssertionError):
        assert_same_but_for_rounding(plain._replace(samples=plain.samples + 1e-3), plain)


def test_a_kernel_serves_all_of_one_form_and_is_kept(monkeypatch):
    """Another ring of three has the kernel of the first; a process that comes later finds it on disk."""
    ula = parse("sampler", "ula")
    ran(ula, ring(0.5), ALWAYS, monkeypatch)
    before = dict(tracing._kernels)
    ran(ula, ring(0.3), ALWAYS, monkeypatch)
    assert tracing._kernels == before
    monkeypatch.setattr(tracing, "_kernels", {})
    counters.clear()
    ran(ula, ring(0.5), ALWAYS, monkeypatch)
    assert counters["inductor"]["fxgraph_cache_hit"] == 1 and "fxgraph_cache_miss" not in counters["inductor"]


def test_what_is_compiled_follows_from_the_work(monkeypatch):
    """As many numbers as all operations of all calls give: of three operations on 10 numbers and 100 calls, 3,000."""

    def function(x):
        return (x.sin() + 1).exp()

    x = torch.zeros(10)
    monkeypatch.setattr(tracing, "WORTH_COMPILING", 3_000)
    assert tracing.compiled(function, 99, x) is function
    kernel = tracing.compiled(function, 100, x)
    assert kernel is not function
    torch.testing.assert_close(kernel(x + 1), function(x + 1), rtol=1e-6, atol=0)


def test_what_looks_at_numbers_runs_as_it_is(monkeypatch):
    """A branch on a value, a float of one, numpy, a count that is no tensor."""
    monkeypatch.setattr(tracing, "WORTH_COMPILING", ALWAYS)
    x = torch.ones(4)
    for function in (
        lambda x: x if x.max() > 3 else -x,
        lambda x: x * float(x[0]),
        lambda x: torch.from_numpy(np.sin(x.numpy())),
        lambda x: grad(lambda y: y.square().sum() if y.detach().sum() > 0 else y.sum())(x),
    ):
        assert tracing.compiled(function, 1_000, x) is function and tracing.operations(function, x) is function
    assert tracing.compiled(lambda x, n: (x, n + 1), 1_000, x, 3)(x, 3)[1] == 4


def test_without_a_compiler_everything_runs_and_says_so_once(tmp_path, monkeypatch, capfd):
    """In a process of its own, which has inductor but no kernel."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))

    def without() -> None:
        from torch._inductor import config

        config.cpp.cxx = (None, str(tmp_path / "none"))
        tracing.WORTH_COMPILING = ALWAYS
        tracing._kernels.clear()
        x = torch.linspace(0, 1, 7)
        for function in (lambda x: (x.sin() + 1).exp(), lambda x: (x.cos() + 1).exp()):
            assert tracing.compiled(function, 1, x) is function

    assert isolated(without, 120.0, 8_000.0).ended == OK
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("scorebench:")]
    assert len(said) == 1 and "nothing is compiled here" in said[0]
