r"""Underdamped Langevin, dx = v dt, dv = s dt - gamma v dt + sqrt(2 gamma T) dW, split into parts that are solved exactly.

A: x' = x + t v,   B: v' = v + t s(x),   O: v' = a v + sqrt(T (1 - a^2)) eps, a = exp(-gamma t)

A step is these in the order of `splitting`, a letter that comes twice for half of the time h each. h = sqrt(2 c), so that c is that of ULA: with
gamma to infinity OBABO is ULA, BAOAB the scheme of `leimkuhler_matthews`, and all are stable where ULA is, c < 2 v on N(0, v). The law of x
is p^(1/T) up to order h^2; BAOAB and ABOBA have it exactly on a Gaussian (Leimkuhler and Matthews 2013, section 3). Chains start at rest.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from scorebench.core.options import Positive
from scorebench.samplers.base import Density, Info

LABEL = "underdamped, {splitting}"
EXAMPLES = ("underdamped", "underdamped:splitting=ABOBA", "underdamped:splitting=OBABO,friction=2", "underdamped:splitting=OABAO")
EQUATION = r"dx=v\,dt,\quad dv=s(x)\,dt-\gamma v\,dt+\sqrt{2\gamma T}\,dW"
REFERENCE = "Leimkuhler and Matthews (2013), Rational construction of stochastic numerical methods for molecular sampling"
NEEDS = {"source.score"}
GRADIENTS = 1
TUNES = {"friction"}
EXACT = False
ORDER = 1


class State(NamedTuple):
    """What is carried."""

    x: Tensor  # (seed, grid, chain, d)
    v: Tensor  # (seed, grid, chain, d)
    score: Tensor  # (seed, grid, chain, d); empty where x has moved since


@dataclass(frozen=True, eq=False)
class Underdamped:
    """Hyper-parameters: the grid axes, both (grid, 1), c = h^2/2; the order of the parts; the friction gamma."""

    step_size: Tensor
    temperature: Tensor
    splitting: Literal["BAOAB", "ABOBA", "OBABO", "OABAO"] = "BAOAB"
    friction: Positive = 1.0

    def draws(self, density: Density, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """An eps for each O, (chain, d times the number of O)."""
        chains, dim = shape
        return torch.randn(chains, dim * self.splitting.count("O"), generator=generator, device=generator.device)

    def init(self, x: Tensor, density: Density) -> State:
        """Start at x, at rest."""
        return State(x, torch.zeros_like(x), x.new_empty(0))

    def step(self, state: State, density: Density, draws: Tensor) -> tuple[State, Info]:
        """One step; draws are (seed, chain, d or 2 d), the same for all cells of the grid."""
        x, v, score = state
        h, noise = (2 * self.step_size[..., None]).sqrt(), iter(draws[:, None].split(x.shape[-1], -1))
        for part in self.splitting:
            t = h / self.splitting.count(part)
            if part == "A":
                x, score = x + t * v, x.new_empty(0)
            elif part == "B":
                score = score if len(score) else density.score(x)
                v = v + t * score
            else:
                gone = -(-2 * self.friction * t).expm1()  # 1 - a^2, which would cancel where gamma t is small
                v = (-self.friction * t).exp() * v + (self.temperature[..., None] * gone).sqrt() * next(noise)
        return State(x, v, score), Info()
