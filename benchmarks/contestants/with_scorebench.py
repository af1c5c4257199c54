"""scorebench's own loop and training, through the entry points that its workflow calls."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import torch
from torch import Tensor

from benchmarks.law import Law, ring_target
from benchmarks.sampling import Chains, Step
from benchmarks.training import LOSSES, MASTER, NAME, RATE, SIZE, Training, points, stream
from scorebench.core import registry, rng
from scorebench.core.spec import parse
from scorebench.engine import tracing
from scorebench.engine.loop import grid, run
from scorebench.engine.objective import shared_options
from scorebench.engine.training import Fitted, fit, minibatches
from scorebench.suite.config import Training as Settings

PLANNED = 10_000
"""Runs alike that the loop is told of, so that it compiles what pays over a long run; of one, little of what is measured here would be compiled."""


def sampler(name: str, law: Law, step_sizes: list[float], alike: int = PLANNED) -> Chains:
    """A sampler over a grid of step sizes: positions (step size, seed, chain, 2), or (chain, 2) of one of each."""
    step_size, temperature = grid((c, 1.0) for c in step_sizes)
    method = parse("sampler", name).build(step_size=step_size, temperature=temperature)

    def generators(seeds: int, seed: int) -> list[torch.Generator]:
        return [rng.generator("benchmark", "sample", seed, s) for s in range(seeds)]

    def go(x: Tensor, steps: int, seed: int) -> Tensor:
        start = x[None] if x.dim() == 2 else x[0]  # (seed, chain, d)
        end = run(method, law.density, start, [steps], generators(len(start), seed), 1, alike).samples[0]
        return end.transpose(0, 1).reshape(x.shape)

    def draws(x: Tensor, steps: int, seed: int) -> Iterator[Step]:
        seeds = generators(1 if x.dim() == 2 else x.shape[1], seed)
        for _ in range(steps):
            drawn = torch.stack([method.draws(law.density, x.shape[-2:], g) for g in seeds]).double()  # (seed, chain, 2 or more)
            shared = drawn.expand(len(step_sizes), *drawn.shape).reshape(-1, drawn.shape[-1])  # by all step sizes
            yield shared[:, :2], shared[:, -1]

    return Chains(go, draws, begins_slowly=alike > 1)


def fitted(loss: str, spec: str, batch: int, steps: int, seeds: Sequence[int], compiles: bool = True) -> Fitted:
    """Trained on the points of each seed, from the network of each seed; as in a training long enough to compile its step, or too short."""
    settings = Settings(size=SIZE, batch=batch, steps=(steps,))
    with worth_compiling(0 if compiles else math.inf):
        return fit(ring_target(), parse("model", spec), [parse("loss", loss)], [RATE], settings, settings.steps, MASTER, seeds, NAME)


@contextmanager
def worth_compiling(numbers: float) -> Iterator[None]:
    """Compile from so many numbers on that the operations of a training give."""
    kept = tracing.WORTH_COMPILING
    tracing.WORTH_COMPILING = numbers  # type: ignore[assignment]
    try:
        yield
    finally:
        tracing.WORTH_COMPILING = kept


def training(name: str, spec: str, batch: int, compiles: bool = True) -> Training:
    """One seed. Its random streams go by that seed's name, whatever seed is asked for; its clock leaves out start-up, as it says itself."""
    loss = LOSSES[name]

    def train(steps: int, _: int) -> list[Tensor]:
        return [p[0, 0] for p in fitted(loss, spec, batch, steps, [0], compiles).parameters[-1].values()]

    def batches(steps: int, _: int) -> Iterator[tuple[Tensor, Tensor]]:
        method = parse("loss", loss)
        module, options, noise = registry.module("loss", method.name), shared_options([method]), stream("noise")
        drawn = minibatches(points()[None], batch, [stream("batches")], lambda x, _: module.draws(x, ring_target(), noise, **options))
        for x, draws in islice(drawn, steps):
            yield x[0], draws[0]

    return Training(train, batches, lambda steps: fitted(loss, spec, batch, steps, [0], compiles).seconds_per_step * 1_000)
