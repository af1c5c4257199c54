r"""BAOAB and ABOBA have a Gaussian's positions exactly; on a quartic all splittings are of order h^2.

Statement (Leimkuhler and Matthews 2013): of the splittings of underdamped Langevin, BAOAB is exact for the positions of a Gaussian.

Prediction. **V = x^2/2**, T = 1, u = 1 - h^2/4. The Verlet steps between two O's keep a quadratic form: BAB keeps v^2 + u x^2, ABA keeps x^2 + u v^2. O
keeps any law in which v is N(0, 1) apart from x. So where O's halves stand outside, the law is what both keep:

    OBABO: Var x = 1/u, Var v = 1        OABAO: Var x = u, Var v = 1        for any friction.

BAOAB in the middle of its O is OABAO there; from it A then B over h/2 give Var x = u + h^2/4 = 1, cov = h/2 - h/2 = 0, Var v = 1 + h^2/4 - h^2/2 = u.
ABOBA likewise from OBABO, B then A: Var v = 1 + h^2/(4u) = 1/u, Var x = (1 + h^2/4 - h^2/2)/u = 1. The scheme of Leimkuhler and Matthews is BAOAB at
infinite friction: Var x = 1. At h = 1 the inexact ones are off by a third or a quarter.

**V = x^4/4**, E x^2 = 2 Gamma(3/4)/Gamma(1/4) = .6760. The density of (x, v) after a step: A and B shift it along x and v, exact by Fourier series on a
periodic lattice, O is a matrix of Gaussians; 80 nodes a side, iterated from exp(-V - v^2/2) for 40 units of time; finer and wider lattices move E x^2 by
4e-6 or less. Friction 1, E x^2 less the truth at h = .35: BAOAB -.0036, ABOBA -.0197, OBABO +.0132, OABAO -.0342; at infinite friction -.0004. What is
seen of so little is what two schemes differ by on the same noise, which takes most of it out: ABOBA less BAOAB, -.0161, falls like h^2.03 from h = .35 to
.175, OBABO less OABAO, +.0474, like h^2.05: order 2; and OABAO less BAOAB is -.0306. A bias that all share cancels there, so that E x^2 itself is asked for
too: of BAOAB, .6724 at h = .35 and .6752 at .175, and of OABAO, .6675 at .175. With the differences these are the biases of every splitting at both steps.
BAOAB's own order is not seen: its biases, -.0036 and -.0008, would be of order 2.16, but 5.3 standard errors are .0023 and .0038. So much is a bound for
what all share: were it of order 1 and half of OABAO's -.0342 at h = .35, it would be .0171 and .0086, and seen at both.

Measurement: the project's own samplers. Gaussian: 60,000 chains from N(0, 1), 40 steps of h = 1 (what is left of the start is e^-40). Quartic: 100,000 chains
from N(0, .3) (280,000 at h = .35), time 12 before the first and 2 between ten looks, whose mean is a chain's number; an O of a whole step takes the two half
steps' noise (b eps_1 + eps_2)/sqrt(1 + b^2), b = exp(-gamma h/2). Of the bias of the scheme of Leimkuhler and Matthews at h = .35 no more is seen than that
it is .004 at most: a bound. E x^2 itself has standard errors of .06 and .11 %. Strictly all schemes are transient on a quartic: a chain beyond |x| = 3.3
may escape, which e^-30 of the law is. The leading number has a standard error of .58 %: an error of 4 % is seen in 9 of 10 runs.

Reference: Leimkuhler and Matthews (2013), sections 3 and 4; Leimkuhler, Matthews and Stoltz (2016), table 2.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.special import gamma
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, variance
from scorebench.claims.lib.langevin import normal
from scorebench.core.rng import generator
from scorebench.samplers.base import Density
from scorebench.samplers.leimkuhler_matthews import LeimkuhlerMatthews
from scorebench.samplers.underdamped import Underdamped

LABEL = "BAOAB is exact for the positions of a Gaussian"
SOURCE = "beyond the article (Leimkuhler and Matthews 2013); follows from Langevin Dynamics, its first equation"
QUOTE = "브라운 운동에 대한 Langevin Dynamics는 다음과 같이 정리할 수 있습니다."
TRANSLATION = "Langevin dynamics of Brownian motion can be summed up as follows."
STATEMENT = (
    r"of the splittings of the equation with inertia BAOAB has $\text{Var}\,x = T/\omega^2$ on a Gaussian, at any $h$; on a "
    r"quartic the splittings are off by $O(h^2)$, BAOAB least"
)
EXPECTED = "reproduced"
REFERENCE = "Leimkuhler and Matthews (2013), sections 3 and 4"
LEADING = "variance of x at h = 1, BAOAB"

SPLITTINGS, OVERDAMPED, FRICTION = ("BAOAB", "ABOBA", "OBABO", "OABAO"), "Leimkuhler-Matthews", 1.0
LARGE, STEPS, CHAINS = 1.0, 40, 60_000
COARSE, FINE, NARROW, FIRST, APART, LOOKS = 0.35, 0.175, 0.3, 12.0, 2.0, 10
QUARTIC_CHAINS = {COARSE: 280_000, FINE: 100_000}
EXACT = 2 * float(gamma(0.75) / gamma(0.25))
DIFFERENCES, ORDERS = (("ABOBA", "BAOAB"), ("OBABO", "OABAO"), ("OABAO", "BAOAB")), (("ABOBA", "BAOAB"), ("OBABO", "OABAO"))
OWN, LITTLE = (("BAOAB", COARSE), ("BAOAB", FINE), ("OABAO", FINE)), 0.004
NODES, HALF_X, HALF_V = 80, 3.5, 6.5


def _variance(coordinate: str, scheme: str) -> str:
    return f"variance of {coordinate} at h = {LARGE:g}, {scheme}"


BIAS = f"bias of E x^2 on x^4/4 at h = {COARSE:g}, {OVERDAMPED}, at most {LITTLE:g}"


def _own(scheme: str, h: float) -> str:
    return f"E x^2 on x^4/4 at h = {h:g}, {scheme}"


def _less(scheme: str, other: str) -> str:
    return f"E x^2 on x^4/4 at h = {COARSE:g}, {scheme} less {other}"


def _order(scheme: str, other: str) -> str:
    return f"order of E x^2 on x^4/4, {scheme} less {other}, from h = {COARSE:g} to {FINE:g}"


def quartic(splitting: str, h: float, friction: float) -> float:
    """The stationary E x^2 of a splitting on V = x^4/4, T = 1."""
    x, v = (np.linspace(-half, half, NODES, endpoint=False) for half in (HALF_X, HALF_V))
    along_x, along_v = (2j * math.pi * np.fft.rfftfreq(NODES, 2 * half / NODES) for half in (HALF_X, HALF_V))

    def part(letter: str) -> Callable[[np.ndarray], np.ndarray]:
        t = h / splitting.count(letter)
        if letter == "A":
            turn = np.exp(-along_x[:, None] * t * v)
            return lambda f: np.fft.irfft(np.fft.rfft(f, axis=0) * turn, n=NODES, axis=0)
        if letter == "B":
            turn = np.exp(along_v * t * (x**3)[:, None])
            return lambda f: np.fft.irfft(np.fft.rfft(f, axis=1) * turn, n=NODES, axis=1)
        left = math.exp(-friction * t)
        spread = 1 - left * left
        kernel = np.exp(-((v[:, None] - left * v) ** 2) / (2 * spread)) / math.sqrt(2 * math.pi * spread) * (v[1] - v[0])
        return lambda f: f @ kernel.T

    parts = [part(letter) for letter in splitting]
    law = np.exp(-(x[:, None] ** 4) / 4 - v * v / 2)
    for _ in range(round(40 / h)):
        for move in parts:
            law = move(law)
    return float(law.sum(1) @ x**2 / law.sum())


def predict() -> list[Prediction]:
    """Closed forms on the Gaussian, the transfer operator on the quartic."""
    u = 1 - LARGE**2 / 4
    gaussian = {"BAOAB": (1.0, u), "ABOBA": (1.0, 1 / u), "OBABO": (1 / u, 1.0), "OABAO": (u, 1.0)}
    predictions = []
    for scheme, pair in gaussian.items():
        for coordinate, value in zip(("x", "v"), pair, strict=True):
            predictions.append(Prediction(_variance(coordinate, scheme), AS_WRITTEN, {"h": LARGE}, "", value))
    predictions.append(Prediction(_variance("x", OVERDAMPED), AS_WRITTEN, {"h": LARGE}, "", 1.0))
    predictions.append(Prediction(BIAS, AS_WRITTEN, {"h": COARSE}, "x^2", 0.0, LITTLE))
    coarse, fine = ({scheme: quartic(scheme, h, FRICTION) for scheme in SPLITTINGS} for h in (COARSE, FINE))
    for scheme, other in DIFFERENCES:
        predictions.append(Prediction(_less(scheme, other), AS_WRITTEN, {"h": COARSE}, "x^2", coarse[scheme] - coarse[other]))
    for scheme, other in ORDERS:
        order = math.log2((coarse[scheme] - coarse[other]) / (fine[scheme] - fine[other]))
        predictions.append(Prediction(_order(scheme, other), AS_WRITTEN, {"h": COARSE}, "", order))
    own = {COARSE: coarse, FINE: fine}
    return predictions + [Prediction(_own(scheme, h), AS_WRITTEN, {"h": h}, "x^2", own[h][scheme]) for scheme, h in OWN]


def measure(master: int) -> dict[str, Measurement]:
    """Every scheme on the Gaussian, on noise of its own; on the quartic, all splittings on the same."""

    def stream(*names: object) -> torch.Generator:
        return generator(master, "claim", "splitting-order", *names)

    measurements = {}
    for scheme in (*SPLITTINGS, OVERDAMPED):
        start = normal(0.0, 1.0).sample(CHAINS, stream(scheme, "start"))
        ((state,),) = _states((scheme,), LARGE, lambda x: -x, start, [STEPS], stream(scheme, "gaussian"))
        measurements[_variance("x", scheme)] = variance(state.x.flatten())
        if scheme in SPLITTINGS:
            measurements[_variance("v", scheme)] = variance(state.v.flatten())

    squares = {h: _squares(SPLITTINGS, h, stream("quartic", h)) for h in (COARSE, FINE)}
    measurements[BIAS] = mean(_squares((OVERDAMPED,), COARSE, stream("quartic", OVERDAMPED))[OVERDAMPED] - EXACT)
    measurements |= {_own(scheme, h): mean(squares[h][scheme]) for scheme, h in OWN}
    measurements |= {_less(*pair): _difference(squares[COARSE], *pair) for pair in DIFFERENCES}
    for pair in ORDERS:
        coarse, fine = (_difference(squares[h], *pair) for h in (COARSE, FINE))
        error = math.hypot(*(d.standard_error / d.measured for d in (coarse, fine))) / math.log(2)
        measurements[_order(*pair)] = Measurement(math.log2(abs(coarse.measured / fine.measured)), error, fine.n)
    return measurements


def _squares(schemes: tuple[str, ...], h: float, stream: torch.Generator) -> dict[str, Tensor]:
    """Of each scheme on the quartic the mean of x^2 over the looks, (chain,)."""
    start = normal(0.0, NARROW).sample(QUARTIC_CHAINS[h], stream)
    looks = [round((FIRST + APART * i) / h) for i in range(LOOKS)]
    states = _states(schemes, h, lambda x: -(x**3), start, looks, stream)
    return {
        scheme: torch.stack([s.x.double().square() for s in of_scheme]).mean(0).flatten()
        for scheme, of_scheme in zip(schemes, states, strict=True)
    }


def _difference(squares: dict[str, Tensor], scheme: str, other: str) -> Measurement:
    return mean(squares[scheme] - squares[other])


def _states(
    schemes: tuple[str, ...], h: float, force: Callable[[Tensor], Tensor], start: Tensor, steps: list[int], stream: torch.Generator
) -> list[list[Any]]:
    """Each sampler's states after these numbers of steps of h, all from one start and on the same noise."""
    c, t, density = torch.tensor([[h * h / 2]]), torch.ones(1, 1), Density(score=force)
    samplers: list[Any] = [
        LeimkuhlerMatthews(c, t) if scheme == OVERDAMPED else Underdamped(c, t, scheme, FRICTION)  # type: ignore[arg-type]
        for scheme in schemes
    ]
    states, b = [sampler.init(start[None, None], density) for sampler in samplers], math.exp(-FRICTION * h / 2)
    kept: list[list[Any]] = [[] for _ in schemes]
    for step in range(1, steps[-1] + 1):
        halves = torch.randn(1, len(start), 2, generator=stream)
        whole = (b * halves[..., :1] + halves[..., 1:]) / math.sqrt(1 + b * b)
        for k, (scheme, sampler) in enumerate(zip(schemes, samplers, strict=True)):
            states[k], _ = sampler.step(states[k], density, halves if scheme.count("O") == 2 else whole)
            if step in steps:
                kept[k].append(states[k])
    return kept
