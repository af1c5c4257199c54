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
4e-6 or less. Friction 1, E x^2 less the truth at h = .35: BAOAB -.0036, ABOBA -.0197, OBABO +.0132, OABAO -.0342; at infinite friction -.0004. From h =
.35 to .175 these fall like h^2.05 (ABOBA), h^2.02 (OABAO): order 2.

Measurement: the project's own samplers. Gaussian: 60,000 chains from N(0, 1), 40 steps of h = 1 (what is left of the start is e^-40). Quartic: 200,000
chains from N(0, .3), time 12 before the first and 2 between ten looks, whose mean is a chain's number. Orders are measured for the two largest biases, with
a standard error of .1; those of BAOAB and OBABO at h = .175 are too small to be seen, and of BAOAB's own bias at h = .35 only that it is below .007. So
BAOAB is compared: its bias less that of OABAO, and that of the scheme of Leimkuhler and Matthews, which alone would be lost in the noise, less ULA's at the
same c = h^2/2, known from ULA's transition kernel. Strictly all schemes are transient on a quartic: a chain beyond |x| = 3.3 may escape, which e^-30 of the
law is. The leading number has a standard error of .58 %: an error of 4 % is seen in 9 of 10 runs.

Reference: Leimkuhler and Matthews (2013), sections 3 and 4; Leimkuhler, Matthews and Stoltz (2016), table 2.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.special import gamma
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, variance
from scorebench.claims.lib.langevin import euler_kernel, normal
from scorebench.core.rng import generator
from scorebench.samplers.base import Density
from scorebench.samplers.leimkuhler_matthews import LeimkuhlerMatthews
from scorebench.samplers.ula import ULA
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

SPLITTINGS, OVERDAMPED, EULER, FRICTION = ("BAOAB", "ABOBA", "OBABO", "OABAO"), "Leimkuhler-Matthews", "ULA", 1.0
LARGE, STEPS, CHAINS = 1.0, 40, 60_000
COARSE, FINE, QUARTIC_CHAINS, NARROW, FIRST, APART, LOOKS = 0.35, 0.175, 200_000, 0.3, 12.0, 2.0, 10
EXACT = 2 * float(gamma(0.75) / gamma(0.25))
RESOLVED = ("ABOBA", "OABAO")
NODES, HALF_X, HALF_V = 80, 3.5, 6.5


def _variance(coordinate: str, scheme: str) -> str:
    return f"variance of {coordinate} at h = {LARGE:g}, {scheme}"


def _bias(scheme: str) -> str:
    return f"bias of E x^2 on x^4/4 at h = {COARSE:g}, {scheme}"


def _less(scheme: str, other: str) -> str:
    return f"{_bias(scheme)}, less that of {other}"


def _order(scheme: str) -> str:
    return f"order of that bias from h = {COARSE:g} to {FINE:g}, {scheme}"


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
    biases = {scheme: quartic(scheme, COARSE, FRICTION) - EXACT for scheme in SPLITTINGS} | {
        OVERDAMPED: quartic("BAOAB", COARSE, 1e3) - EXACT
    }
    predictions.append(Prediction(_bias(OVERDAMPED), IDENTITY, {"h": COARSE}, "x^2", biases[OVERDAMPED]))
    predictions.append(Prediction(_less(OVERDAMPED, EULER), AS_WRITTEN, {"h": COARSE}, "x^2", biases[OVERDAMPED] - _ula_bias()))
    predictions.append(Prediction(_less("BAOAB", "OABAO"), AS_WRITTEN, {"h": COARSE}, "x^2", biases["BAOAB"] - biases["OABAO"]))
    for scheme in SPLITTINGS:
        bias = biases[scheme]
        predictions.append(Prediction(_bias(scheme), AS_WRITTEN, {"h": COARSE}, "x^2", bias))
        if scheme in RESOLVED:
            order = math.log2(bias / (quartic(scheme, FINE, FRICTION) - EXACT))
            predictions.append(Prediction(_order(scheme), AS_WRITTEN, {"h": COARSE}, "", order))
    return predictions


def _ula_bias() -> float:
    """The stationary E x^2 of ULA at c = h^2/2, less the truth: its kernel iterated over 40 units of time."""
    x, c = np.linspace(-HALF_X, HALF_X, 281), COARSE**2 / 2
    law = np.linalg.matrix_power(euler_kernel(lambda x: -(x**3), c, x), round(40 / c)) @ np.exp(-(x**4) / 4)
    return float(law @ x**2 / law.sum()) - EXACT


def measure(master: int) -> dict[str, Measurement]:
    """Every scheme on both potentials."""
    measurements = {}
    for scheme in (*SPLITTINGS, OVERDAMPED, EULER):

        def stream(use: object, scheme: str = scheme) -> torch.Generator:
            return generator(master, "claim", "splitting-order", scheme, use)

        if scheme != EULER:
            start = normal(0.0, 1.0).sample(CHAINS, stream("start"))
            (state,) = _states(scheme, LARGE, lambda x: -x, start, [STEPS], stream("gaussian"))
            measurements[_variance("x", scheme)] = variance(state.x.flatten())
            if scheme in SPLITTINGS:
                measurements[_variance("v", scheme)] = variance(state.v.flatten())

        biases = []
        for h in (COARSE, FINE) if scheme in RESOLVED else (COARSE,):
            start = normal(0.0, NARROW).sample(QUARTIC_CHAINS, stream(f"quartic start {h}"))
            looks = [round((FIRST + APART * i) / h) for i in range(LOOKS)]
            states = _states(scheme, h, lambda x: -(x**3), start, looks, stream(f"quartic {h}"))
            biases.append(mean(torch.stack([s.x.double().square() for s in states]).mean(0).flatten() - EXACT))
        measurements[_bias(scheme)] = biases[0]
        if len(biases) == 2:
            error = math.hypot(*(b.standard_error / b.measured for b in biases)) / math.log(2)
            measurements[_order(scheme)] = Measurement(math.log2(abs(biases[0].measured / biases[1].measured)), error, QUARTIC_CHAINS)
    of_euler = measurements.pop(_bias(EULER))
    for scheme, other, b in ((OVERDAMPED, EULER, of_euler), ("BAOAB", "OABAO", measurements[_bias("OABAO")])):
        a = measurements[_bias(scheme)]
        measurements[_less(scheme, other)] = Measurement(
            a.measured - b.measured, math.hypot(a.standard_error, b.standard_error), QUARTIC_CHAINS
        )
    return measurements


def _states(
    scheme: str, h: float, force: Callable[[Tensor], Tensor], start: Tensor, steps: list[int], stream: torch.Generator
) -> list[Any]:
    """The sampler's state after these numbers of steps of h."""
    c, t = torch.tensor([[h * h / 2]]), torch.ones(1, 1)
    overdamped = {OVERDAMPED: LeimkuhlerMatthews, EULER: ULA}
    sampler: Any = overdamped[scheme](c, t) if scheme in overdamped else Underdamped(c, t, scheme, FRICTION)  # type: ignore[arg-type]
    density, kept = Density(score=force), []
    state = sampler.init(start[None, None], density)
    for step in range(1, steps[-1] + 1):
        state, _ = sampler.step(state, density, sampler.draws(density, (len(start), 1), stream)[None])
        if step in steps:
            kept.append(state)
    return kept
