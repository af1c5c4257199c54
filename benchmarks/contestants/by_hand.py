"""Steps written out by hand and compiled: the floor of what this machine does with torch.

The noise is drawn outside of the compiled step, since a generator would break it. A step is elementwise but for the score, which takes points as rows
(n, 2) or as columns (2, n); so they lie.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.law import hand_score
from benchmarks.sampling import Chains, Step
from benchmarks.training import SIGMA, Training, usual

Score = Callable[[Tensor], Tensor]
State = tuple[Tensor, ...]


def ula(score: Score, step_size: Tensor | float, columns: bool = False) -> Chains:
    """One step size, or one a point, (n, 1) or (1, n)."""
    noise_size = (2 * torch.as_tensor(step_size)).sqrt()

    def step(state: State, eps: Tensor) -> State:
        (x,) = state
        return (x + step_size * score(x) + noise_size * eps,)

    return _chains(lambda x: (x,), step, columns)


def baoab(score: Score, step_size: float, columns: bool = False) -> Chains:
    """A gradient a step: that of where the last step ended is carried. Friction 1, from rest."""
    h = (2 * step_size) ** 0.5
    keep = torch.tensor(-h, dtype=torch.float64).exp().item()
    lose = (1 - keep**2) ** 0.5

    def step(state: State, eps: Tensor) -> State:
        x, v, s = state
        v = v + h / 2 * s
        x = x + h / 2 * v
        v = keep * v + lose * eps
        x = x + h / 2 * v
        s = score(x)
        return x, v + h / 2 * s, s

    return _chains(lambda x: (x, torch.zeros_like(x), score(x)), step, columns)


def mala(both: Callable[[Tensor], tuple[Tensor, Tensor]], step_size: float) -> Chains:
    """Of columns; a gradient a step: score and log density of where a chain is are carried."""

    def step(state: State, eps: Tensor, uniform: Tensor) -> State:
        x, s, log_p = state
        y = x + step_size * s + (2 * step_size) ** 0.5 * eps
        there, log_p_there = both(y)
        back = x - y - step_size * there
        log_ratio = log_p_there - log_p - back.square().sum(0) / (4 * step_size) + eps.square().sum(0) / 2
        accept = uniform.log() < log_ratio
        return torch.where(accept, y, x), torch.where(accept, there, s), torch.where(accept, log_p_there, log_p)

    return _chains(lambda x: (x, *both(x)), step, columns=True, uniform=True)


def _chains(first: Callable[[Tensor], State], step: Callable[..., State], columns: bool, uniform: bool = False) -> Chains:
    compiled: Any = torch.compile(step, fullgraph=True, dynamic=False)

    def drawn(x: Tensor, generator: torch.Generator) -> State:
        """Normal numbers like x and, for a decision, uniform ones."""
        eps = torch.randn(x.shape, generator=generator, device=x.device)
        return (eps, torch.rand(x.shape[columns:][:1], generator=generator, device=x.device)) if uniform else (eps,)

    def laid(x: Tensor) -> Tensor:
        rows = x.reshape(-1, 2)
        return rows.T.contiguous() if columns else rows

    def go(x: Tensor, steps: int, seed: int) -> Tensor:
        g = torch.Generator(x.device).manual_seed(seed)
        with torch.no_grad():
            state = first(laid(x))
            for _ in range(steps):
                state = compiled(state, *drawn(state[0], g))
        return (state[0].T if columns else state[0]).reshape(x.shape)

    def draws(x: Tensor, steps: int, seed: int) -> Iterator[Step]:
        g, like = torch.Generator(x.device).manual_seed(seed), laid(x)
        for _ in range(steps):
            eps, *decision = (d.double() for d in drawn(like, g))
            yield eps.T if columns else eps, decision[0] if decision else eps.new_zeros(0)

    return Chains(go, draws)


def training(name: str, spec: str, batch: int) -> Training:
    """A loss written out in matrix products and compiled, so that torch's autograd sees nothing but these; Adam is torch's fused one."""
    compiled: Any = torch.compile(_LOSSES[name], fullgraph=True, dynamic=False)

    def make(module: nn.Module) -> Callable[[Tensor, torch.Generator], Tensor]:
        parameters = list(module.parameters())
        return lambda x, g: compiled(parameters, x, torch.randn(x.shape, generator=g, device=x.device))

    return usual(make, spec, batch, fused=True)


def _denoising(parameters: list[Tensor], x: Tensor, eps: Tensor) -> Tensor:
    return 0.5 * (SIGMA * hand_score(parameters, x + SIGMA * eps) + eps).square().sum(-1).mean()


def _slopes(parameters: list[Tensor], x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """The first and second derivative of E at x along v, both (n,), by Taylor's series through the layers."""
    w1, b1, w2, b2, w, _ = parameters
    z, first = torch.addmm(b1, x, w1.T), v @ w1.T
    gate = z.sigmoid()
    h, h1, h2 = nn.functional.softplus(z), gate * first, gate * (1 - gate) * first.square()
    z, first, second = torch.addmm(b2, h, w2.T), h1 @ w2.T, h2 @ w2.T
    gate = z.sigmoid()
    return (gate * first) @ w[0], (gate * (1 - gate) * first.square() + gate * second) @ w[0]


def _sliced(parameters: list[Tensor], x: Tensor, v: Tensor) -> Tensor:
    first, second = _slopes(parameters, x, v)
    return (0.5 * first.square() - second).mean()


def _exact(parameters: list[Tensor], x: Tensor, _: Tensor) -> Tensor:
    axes = torch.eye(2, dtype=x.dtype, device=x.device)
    both = [_slopes(parameters, x, axis.expand_as(x)) for axis in axes]
    return sum((0.5 * first.square() - second).mean() for first, second in both)  # type: ignore[return-value]


_LOSSES = {"denoising": _denoising, "sliced": _sliced, "exact": _exact}
