"""Steps written down: what is repeated is the step, and where torch has no tracer training goes on without one."""

import sys

import torch

from scorebench.core.spec import parse
from scorebench.engine import tracing, training
from scorebench.suite.config import Training

SETTINGS = Training(size=200, batch=16, steps=(10, tracing.WORTH_IT))


def trained() -> list[dict[str, torch.Tensor]]:
    model, loss = parse("model", "mlp_energy:width=8"), parse("loss", "denoising:sigma=0.5")
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
    with_tracer = trained()
    monkeypatch.setitem(sys.modules, "torch.fx.experimental.proxy_tensor", None)
    without = trained()
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
