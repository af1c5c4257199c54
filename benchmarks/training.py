"""What a training contestant is, and the check that all compute the same: a float64 training on the contestant's own batches and random numbers.

The network 2-128-128-1 with softplus learns the ring of 8 from 10,000 points by Adam at a constant rate, the parameters averaged. Gradients of all losses
are scaled alike (denoising by sigma^2), so that a step is the same to rounding, which training amplifies.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.contest import clocked
from benchmarks.law import ring_target
from scorebench.core import rng
from scorebench.core.spec import parse
from scorebench.engine.training import GAMMA

MASTER, NAME = 0, "benchmark"
SIZE, RATE, SIGMA = 10_000, 3e-3, 0.3
CLOSE = 1e-3
"""A contestant agrees where its trained score is this close to the reference's, as a share of its norm over 1,000 points of the ring."""
LOSSES = {"denoising": f"denoising:sigma={SIGMA}", "sliced": "sliced:probe=gaussian", "exact": "implicit"}
"""As scorebench names them."""
MEASURED = 40
"""Steps that are measured of a contestant that takes as long for each."""
Parameters = Sequence[Tensor]
"""As the module names them: W_1, b_1, W_2, b_2, w, b."""


class Training(NamedTuple):
    """A contestant that trains."""

    train: Callable[[int, int], Parameters]
    """So many gradient steps by random numbers of a seed, from the network of seed 0 on its points."""
    batches: Callable[[int, int], Iterator[tuple[Tensor, Tensor]]]
    """The rows and random numbers that this used, step by step, both (batch, 2)."""
    milliseconds: Callable[[int], float]
    """What one step takes, over so many."""


def stream(use: str, seed: object = 0) -> torch.Generator:
    """The random streams by the names that scorebench's training gives them."""
    return rng.generator(MASTER, use, NAME, seed)


def points(seed: object = 0) -> Tensor:
    """What is learnt from, (10,000, 2)."""
    return ring_target().sample(SIZE, stream("data", seed))


def network(spec: str, seed: object = 0) -> nn.Module:
    """The network before training."""
    model = parse("model", spec)
    module: nn.Module = model.build(2, stream(f"init {model}", seed))
    return module


def score(parameters: Parameters, x: Tensor) -> Tensor:
    """-grad E by autograd, (n, 2) -> (n, 2), differentiable in the parameters."""
    w1, b1, w2, b2, w, b = parameters
    x = x if x.requires_grad else x.detach().requires_grad_()
    energy = (nn.functional.softplus(nn.functional.softplus(x @ w1.T + b1) @ w2.T + b2) @ w.T + b).sum()
    return -torch.autograd.grad(energy, x, create_graph=True)[0]


def loss(name: str, parameters: Parameters, x: Tensor, draws: Tensor) -> Tensor:
    """The mean over a batch (n, 2), by autograd twice over."""
    if name == "denoising":
        return 0.5 * (SIGMA * score(parameters, x + SIGMA * draws) + draws).square().sum(-1).mean()
    x = x.detach().requires_grad_()
    s = score(parameters, x)
    if name == "sliced":
        along = (s * draws).sum(-1)
        return ((torch.autograd.grad(along.sum(), x, create_graph=True)[0] * draws).sum(-1) + 0.5 * along.square()).mean()
    slopes = sum(torch.autograd.grad(s[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(2))
    return (slopes + 0.5 * s.square().sum(-1)).mean()


def descend(module: nn.Module, step_loss: Callable[[], Tensor], steps: int, fused: bool = False) -> Parameters:
    """The training loop of torch's users: Adam, and an average of the parameters."""
    optimiser = torch.optim.Adam(module.parameters(), lr=RATE, fused=fused)
    average = [p.detach().clone() for p in module.parameters()]
    for number in range(1, steps + 1):
        optimiser.zero_grad()
        step_loss().backward()
        optimiser.step()
        torch._foreach_lerp_(average, [p.detach() for p in module.parameters()], 1 - (1 - 1 / number) ** (GAMMA + 1))
    return average


def usual(
    make: Callable[[nn.Module], Callable[[Tensor, torch.Generator], Tensor]],
    spec: str,
    batch: int,
    noise_is_global: bool = False,
    fused: bool = False,
) -> Training:
    """A contestant that trains in that loop by the loss that `make` makes for a module: of rows and a generator, or torch's global one."""
    data = points()

    def rows(generator: torch.Generator) -> Tensor:
        return data[torch.randint(SIZE, (batch,), generator=generator, device=data.device)]

    def generators(seed: int) -> tuple[torch.Generator, torch.Generator]:
        order = torch.Generator(data.device).manual_seed(seed)
        if noise_is_global:
            torch.manual_seed(seed)
        everybodys = torch.cuda.default_generators[data.device.index or 0] if data.is_cuda else torch.default_generator
        return order, everybodys if noise_is_global else torch.Generator(data.device).manual_seed(seed)

    def train(steps: int, seed: int) -> Parameters:
        module = network(spec)
        step_loss, (order, noise) = make(module), generators(seed)
        return descend(module, lambda: step_loss(rows(order), noise), steps, fused)

    def batches(steps: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        order, noise = generators(seed)
        for _ in range(steps):
            x = rows(order)
            yield x, torch.randn(x.shape, generator=noise, device=x.device)

    return Training(train, batches, lambda _: clocked(lambda: train(MEASURED, 0)) / MEASURED * 1_000)


def differs(name: str, spec: str, contestant: Training, steps: int) -> str:
    """How a contestant's trained score differs from the reference's; nothing where they agree."""
    trained = contestant.train(steps, 1)
    batches = contestant.batches(steps, 1)
    module = network(spec).double()
    parameters = list(module.parameters())

    def step_loss() -> Tensor:
        x, draws = next(batches)
        return loss(name, parameters, x.double(), draws.double())

    reference = descend(module, step_loss, steps)
    at = ring_target().sample(1_000, stream("judge")).double()
    expected = score(reference, at).detach()
    off = ((score([p.double() for p in trained], at).detach() - expected).norm() / expected.norm()).item()
    return (
        ""
        if off < CLOSE
        else f"after {steps} steps its score is {off:.1e} of its norm away from the reference on the same batches and random numbers"
    )
