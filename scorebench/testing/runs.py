"""Short runs of a sampler over a grid, on targets that are built once: what its checks look at."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch

from scorebench.core.spec import Spec, parse
from scorebench.engine.loop import Outcome, grid, run
from scorebench.samplers.base import Density, exact_density
from scorebench.suite.jobs import gradients, within
from scorebench.targets.base import Target
from scorebench.testing.examples import cached, stream

UNEQUAL = "gaussian_mixture:components=3,radius=1,weight=0.6"
SMALL = (1e-4, 4e-4)  # stable for all: an annealed step is a thousand times larger at its first level


@cached
def target(text: str) -> Target:
    """A target by its spec."""
    built: Target = parse("target", text).build()
    return built


def build(spec: Spec, steps: Sequence[float] = (0.1,), temperatures: Sequence[float] = (1.0,)) -> Any:
    """The sampler over a grid."""
    c, t = grid(itertools.product(steps, temperatures))
    return spec.build(step_size=c, temperature=t)


def go(
    spec: Spec,
    of: Target,
    chains: int = 16,
    budgets: tuple[int, ...] = (7, 20),
    steps: Sequence[float] = SMALL,
    temperatures: Sequence[float] = (0.7, 1.0),
    seeds: Sequence[int] = (0, 1),
    density: Density | None = None,
) -> Outcome:
    """A run of the loop as the stages run it."""
    assert of.prior is not None
    start = torch.stack([of.prior.sample(chains, stream("start", i)) for i in seeds])
    return run(
        build(spec, steps, temperatures),
        density or exact_density(of),
        start,
        within(spec, budgets),
        [stream("run", i) for i in seeds],
        gradients(spec),
    )
