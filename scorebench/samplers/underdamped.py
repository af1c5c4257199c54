r"""Underdamped Langevin, dx = v dt, dv = s dt - gamma v dt + sqrt(2 gamma T) dW, split into parts that are solved exactly.

A: x' = x + t v,   B: v' = v + t s(x),   O: v' = a v + sqrt(T (1 - a^2)) eps, a = exp(-gamma t)

A step is these in the order of `splitting`, a letter that comes twice for half of the time h each. h = sqrt(2 c), so that c is that of ULA: with
gamma to infinity OBABO is ULA, BAOAB the scheme of `leimkuhler_matthews`, and all are stable where ULA is, c < 2 v on N(0, v). The law of x
is p^(1/T) up to order h^2; BAOAB and ABOBA have it exactly on a Gaussian (Leimkuhler and Matthews 2013, section 3). Chains start at rest.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from scorebench.core.options import Positive
from scorebench.samplers.base import Density, Info, Recursion

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


def recursion(step_size: float, temperature: float, variance: float, *, splitting: str, friction: float) -> Recursion:
    """Of z = (x, v), part by part: A and B shear it, by t and by -t/v_x (s(x) = -x/v_x), and O shrinks v by a and adds T (1 - a^2) to its variance.

    A splitting with a B before its first A begins with the score of the step before, which at the start is a gradient more.
    """
    h, matrix, noise = math.sqrt(2 * step_size), np.eye(2), np.zeros((2, 2))
    for letter in splitting:
        t = h / splitting.count(letter)
        parts = {"A": [[1, t], [0, 1]], "B": [[1, 0], [-t / variance, 1]], "O": [[1, 0], [0, math.exp(-friction * t)]]}
        part, added = np.array(parts[letter]), -temperature * math.expm1(-2 * friction * t) if letter == "O" else 0.0
        matrix, noise = part @ matrix, part @ noise @ part.T + np.diag([0, added])
    return Recursion(matrix, noise, int(splitting.index("B") < splitting.index("A")))
