r"""Where the noise depends on x, the diffusion stands inside both derivatives: the Fokker-Planck equation is Ito's.

Statement: dx = mu dt + sigma(x) dW has d_t q = -d(mu q) + d^2(D q) with D = sigma(x)^2/2.

Prediction. dx = -4x dt + sqrt(2 (3 + x^2)) dW, D = 3 + x^2. Multiply by x^2, integrate by parts twice:

    d/dt E x^2 = -8 E x^2 + 2 E (3 + x^2) = 6 - 6 E x^2        so that E x^2 = 1 - e^-6t from x = 0, and 1 in the steady state,

whose density solves 4x q + (D q)' = 0: q is proportional to (3 + x^2)^-3, which is sqrt(3/5) times Student's law with 5 degrees of freedom, of
variance (3/5)(5/3) = 1. Other readings of sigma(x) dW add to the drift:

    Stratonovich                     d(sigma d(sigma q))/2 = d^2(D q) - d(D' q)/2     drift -3x     (3 + x^2)^(-5/2)     E |x| = .8660
    Haenggi-Klimontovich (kinetic)   d(D dq) = d^2(D q) - d(D' q)                     drift -2x     (3 + x^2)^-2         E |x| = 1.1027

With D outside both derivatives, D d^2 q = d^2(D q) - d(2 D' q) + D'' q is no law of conservation.

The tails of (3 + x^2)^-3 are heavy: the fifth moment does not exist, so that the mean of x^2 has a skewness without limit and no quantile at 1e-7: it is shown.
Counted are P(|x| < 1) = .7468, a share, and E |x| = c/18 = .7351, c = 8 3^(5/2)/(3 pi) the constant of the density. |x| has a finite fourth moment and a
skewness of 2.5, .008 in the mean of 100,000; for one draw to move that by what is allowed it must lie beyond 1,100, where one of 100,000 does with probability
3e-10. Stratonovich's law has 18 % more.

Euler-Maruyama, which takes sigma(x) at the start of its step, has as its law a power of its transition kernel, N(x (1 - 4h), 2h (3 + x^2)), on nodes.

Measurement: 100,000 chains from 0 with h = .004 up to t = 2 (what is left is 6e-6); Euler's gaps, .004 and .0025, are the tolerances. The leading number has
a standard error of .3 %: an error of 3 % is seen in 9 of 10 runs.

Reference: Gardiner (2009), sections 4.3.6 and 5.2; Ito (1951); Stratonovich (1966); Klimontovich (1990).
"""

import math

import numpy as np
import torch
from scipy.integrate import simpson
from scipy.stats import norm
from scipy.stats import t as student
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import mean
from scorebench.claims.lib.langevin import euler_maruyama
from scorebench.core.rng import generator

LABEL = "A diffusion that depends on x stands inside both derivatives"
SOURCE = "Steady State of Langevin Dynamics, the first Fokker-Planck equation"
QUOTE = (
    r"이때 위의 SDE에 대한 Fokker-Plank equation은 다음과 같이 정의됩니다: $\frac{\partial}{\partial t}p(x,t)=-\frac{\partial}{\partial "
    r"x}[\mu(x,t)p(x,t)]+\frac{\partial^2}{\partial x^2}[D(x,t)p(x,t)]$"
)
TRANSLATION = (
    r"Then the Fokker-Planck equation of the SDE above is defined as follows: $\frac{\partial}{\partial t}p(x,t)=-\frac{\partial}{\partial "
    r"x}[\mu(x,t)p(x,t)]+\frac{\partial^2}{\partial x^2}[D(x,t)p(x,t)]$"
)
STATEMENT = r"$dx = \mu\,dt + \sigma(x)\,dW$ has $\partial_t q = -\partial_x(\mu q) + \partial_x^2(D q)$, $D = \sigma(x)^2/2$"
EXPECTED = "reproduced"
REFERENCE = "Gardiner (2009), sections 4.3.6 and 5.2"
LEADING = "E |x| in the steady state"
SHARE, SQUARE = "P(|x| < 1) in the steady state", "E x^2 in the steady state"
OTHERS = {f"{LEADING}, by Stratonovich's reading": 4, f"{LEADING}, D between the derivatives (Haenggi-Klimontovich)": 3}
"""Shown: the other readings, with the degrees of freedom of their laws."""

STEP_SIZE, STEPS, CHAINS = 0.004, 500, 100_000
NODES = np.linspace(-40, 40, 1_281)


def predict() -> list[Prediction]:
    """Closed forms."""
    share = student.cdf(math.sqrt(5 / 3), 5) - student.cdf(-math.sqrt(5 / 3), 5)
    exact, of_scheme = (_on_nodes(law) for law in (student.pdf(NODES, 5, 0, math.sqrt(3 / 5)), _euler_law()))
    gaps = [abs(a - b) for a, b in zip(exact, of_scheme, strict=True)]
    return [
        Prediction(LEADING, AS_WRITTEN, {}, "x", _size(5), gaps[0]),
        Prediction(SHARE, AS_WRITTEN, {}, "", float(share), gaps[1]),
        Prediction(SQUARE, IDENTITY, {}, "x^2", 1.0),
        *(Prediction(name, IDENTITY, {}, "x", _size(df)) for name, df in OTHERS.items()),
    ]


def _size(df: int) -> float:
    """E |x| of the density proportional to (3 + x^2)^(-(df + 1)/2)."""
    return float(2 * student.expect(lambda x: x, (df,), lb=0) * math.sqrt(3 / df))


def _euler_law() -> np.ndarray:
    """The density of the scheme after all its steps from 0, at the nodes: powers of its kernel."""
    h, spacing = STEP_SIZE, NODES[1] - NODES[0]
    kernel = norm.pdf(NODES[:, None], (1 - 4 * h) * NODES, np.sqrt(2 * h * (3 + NODES**2))) * spacing
    return np.linalg.matrix_power(kernel, STEPS)[:, len(NODES) // 2] / spacing


def _on_nodes(law: np.ndarray) -> tuple[float, float]:
    """E |x| and P(|x| < 1) of a density at the nodes, by Simpson's rule."""
    spacing, inside = NODES[1] - NODES[0], np.abs(NODES) < 1 + (NODES[1] - NODES[0]) / 2
    return 2 * float(simpson((NODES * law)[NODES >= 0], dx=spacing)), float(simpson(law[inside], dx=spacing))


def measure(master: int) -> dict[str, Measurement]:
    """Chains from 0."""
    stream = generator(master, "claim", "ito-diffusion", "sample")
    x = euler_maruyama(torch.zeros(CHAINS, dtype=torch.float64), _drift, _noise, STEP_SIZE, STEPS, stream)
    size = mean(x.abs())
    return dict.fromkeys((LEADING, *OTHERS), size) | {SQUARE: mean(x.square()), SHARE: mean((x.abs() < 1).double())}


def _drift(x: Tensor) -> Tensor:
    return -4 * x


def _noise(x: Tensor) -> Tensor:
    return (2 * (3 + x.square())).sqrt()
