r"""Where the noise depends on x, the diffusion stands inside both derivatives: the Fokker-Planck equation is Ito's.

Statement: dx = mu dt + sigma(x) dW has d_t q = -d(mu q) + d^2(D q) with D = sigma(x)^2/2.

Prediction. dx = -4x dt + sqrt(2 (3 + x^2)) dW, D = 3 + x^2. Multiply by x^2, integrate by parts twice:

    d/dt E x^2 = -8 E x^2 + 2 E (3 + x^2) = 6 - 6 E x^2        so that E x^2 = 1 - e^-6t from x = 0, and 1 in the steady state,

whose density solves 4x q + (D q)' = 0: q is proportional to (3 + x^2)^-3, which is sqrt(3/5) times Student's law with 5 degrees of freedom, of
variance (3/5)(5/3) = 1. With D between the derivatives, d(D dq), as Stratonovich's reading does with sigma on either side, the drift gains:
d(sigma d(sigma q))/2 = d^2(D q) - d(D' q)/2, a drift of -4x + x = -3x: d/dt E x^2 = 6 - 4 E x^2, and 1.5 in the steady state. With D outside both,
D d^2 q = d^2(D q) - d(2 D' q) + D'' q is no law of conservation.

Of (3 + x^2)^-3 the sixth moment does not exist, so that the mean of x^2 has a skewness without limit and no quantile at 1e-7: it is shown. What counts has
light tails, and tells the law as well: E |x| = (c/2)/9 = .7351, c = 8 3^(5/2)/(3 pi) the constant of the density, and P(|x| < 1) = .7468. Stratonovich's law,
(3 + x^2)^(-5/2), has E |x| = .866, 18 % more.

Euler-Maruyama, which takes sigma(x) at the start of its step, has as its law a power of its transition kernel, N(x (1 - 4h), 2h (3 + x^2)), on nodes.

Measurement: 100,000 chains from 0 with h = .004 up to t = 2 (what is left is 6e-6); Euler's gaps, .004 and .0025, are the tolerances. The leading number has
a standard error of .3 %: an error of 3 % is seen in 9 of 10 runs.

Reference: Gardiner (2009), sections 4.3.6 and 5.2; Ito (1951); Stratonovich (1966).
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
SOURCE = "Steady State of Langevin Dynamics, above the Fokker-Planck equation"
QUOTE = r"여기서 우리는 $D(x,t)=\sigma(x,t)^2/2$를 diffusuion coefficient(확산 계수)라고 정의하겠습니다."
TRANSLATION = r"Here we define $D(x,t) = \sigma(x,t)^2/2$ to be the diffusion coefficient."
STATEMENT = r"$dx = \mu\,dt + \sigma(x)\,dW$ has $\partial_t q = -\partial_x(\mu q) + \partial_x^2(D q)$, $D = \sigma(x)^2/2$"
EXPECTED = "reproduced"
REFERENCE = "Gardiner (2009), sections 4.3.6 and 5.2"
LEADING = "E |x| in the steady state"
SHARE, SQUARE = "P(|x| < 1) in the steady state", "E x^2 in the steady state"
OTHER_READING = f"{LEADING}, D between the derivatives (Stratonovich)"

STEP_SIZE, STEPS, CHAINS = 0.004, 500, 100_000
NODES = np.linspace(-40, 40, 1_281)


def predict() -> list[Prediction]:
    """Closed forms."""
    share = student.cdf(math.sqrt(5 / 3), 5) - student.cdf(-math.sqrt(5 / 3), 5)
    size, other = (2 * student.expect(lambda x: x, (df,), lb=0) * math.sqrt(3 / df) for df in (5, 4))
    exact, of_scheme = (_on_nodes(law) for law in (student.pdf(NODES, 5, 0, math.sqrt(3 / 5)), _euler_law()))
    gaps = [abs(a - b) for a, b in zip(exact, of_scheme, strict=True)]
    return [
        Prediction(LEADING, AS_WRITTEN, {}, "x", float(size), gaps[0]),
        Prediction(SHARE, AS_WRITTEN, {}, "", float(share), gaps[1]),
        Prediction(SQUARE, IDENTITY, {}, "x^2", 1.0),
        Prediction(OTHER_READING, IDENTITY, {}, "x", float(other)),
    ]


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
    return {LEADING: size, OTHER_READING: size, SQUARE: mean(x.square()), SHARE: mean((x.abs() < 1).double())}


def _drift(x: Tensor) -> Tensor:
    return -4 * x


def _noise(x: Tensor) -> Tensor:
    return (2 * (3 + x.square())).sqrt()
