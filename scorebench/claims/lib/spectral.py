r"""The law of a Langevin equation on the line by its spectrum, to some ten digits: what densities over time are predicted by.

The Fokker-Planck operator of dx = -V' dt + sqrt(2T) dW is similar to a Schroedinger operator: with q = exp(-V/(2T)) u,

    d_t u = -H u,    H = -T d^2/dx^2 + W,    W = V'^2/(4T) - V''/2                                       (Risken 1989, section 5.4)

symmetric, with lowest eigenvalue 0 at u = exp(-V/(2T)). On equally spaced nodes -d^2/dx^2 has the entries pi^2/(3 h^2) and 2 (-1)^(i-j)/(h^2 (i-j)^2),
which converge faster than any power of h for a smooth u that vanishes at both ends (Colbert and Miller 1992). q(t) = exp(-V/(2T)) sum_k exp(-lambda_k t)
u_k <u_k, exp(V/(2T)) q_0>.

A start q_0 = N(m, v) must be narrower than the wells' own law where exp(V/(2T)) q_0 is to be square integrable.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, softmax

Function = Callable[[np.ndarray], np.ndarray]


class Spectrum(NamedTuple):
    """The operator on its nodes."""

    nodes: np.ndarray  # (n,)
    rates: np.ndarray  # (n,), ascending: 0, the spectral gap, ...
    right: np.ndarray  # (n, n), exp(-V/(2T)) u_k in columns
    left: np.ndarray  # (n, n), exp(V/(2T)) u_k in columns

    def laws(self, start: np.ndarray, times: list[float]) -> np.ndarray:
        """Densities at the nodes, (time, n), from one at the nodes, (n,)."""
        coefficients = self.left.T @ start
        return np.stack([self.right @ (np.exp(-self.rates * t) * coefficients) for t in times])

    def mean(self, densities: np.ndarray, function: Function) -> np.ndarray:
        """The integral of a smooth function under densities (*, n) -> (*)."""
        return densities @ function(self.nodes) * (self.nodes[1] - self.nodes[0])

    def above(self, densities: np.ndarray) -> np.ndarray:
        """The mass right of 0, where the nodes must be symmetric with 0 among them: half of the node at 0, by the trapezoid rule with its end correction."""
        h, middle = self.nodes[1] - self.nodes[0], len(self.nodes) // 2
        slope = (densities[..., middle + 1] - densities[..., middle - 1]) / (2 * h)
        return h * (densities[..., middle + 1 :].sum(-1) + densities[..., middle] / 2 + h / 12 * slope)


def spectrum(potential: Function, slope: Function, curvature: Function, temperature: float, half_width: float, nodes: int) -> Spectrum:
    """Of V, V' and V'' on [-half_width, half_width]; nodes must be odd, so that 0 is one."""
    x = np.linspace(-half_width, half_width, nodes)
    h = x[1] - x[0]
    gaps = np.subtract.outer(np.arange(nodes), np.arange(nodes))
    signs = np.where(gaps % 2, -1.0, 1.0)
    kinetic = np.where(gaps == 0, np.pi**2 / 3, 2 * signs / np.where(gaps == 0, 1, gaps) ** 2) / h**2
    rates, u = np.linalg.eigh(temperature * kinetic + np.diag(slope(x) ** 2 / (4 * temperature) - curvature(x) / 2))
    half = np.exp(-(potential(x) - potential(x).min()) / (2 * temperature))[:, None]
    return Spectrum(x, rates, half * u, u / half)


def potential_of(*parts: tuple[float, float, float]) -> tuple[Function, Function, Function]:
    """V = -log p, V' and V'' of a mixture of Gaussians (weight, mean, variance) on the line.

    With r_k the posterior weights and g_k = (x - m_k)/v_k: V' = sum r_k g_k, V'' = sum r_k/v_k - sum r_k g_k^2 + V'^2.
    """
    weights, means, variances = np.array(parts).T

    def logs(x: np.ndarray) -> np.ndarray:
        return np.log(weights / np.sqrt(2 * np.pi * variances)) - (x[:, None] - means) ** 2 / (2 * variances)

    def pulls(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return softmax(logs(x), axis=1), (x[:, None] - means) / variances

    def slope(x: np.ndarray) -> np.ndarray:
        r, g = pulls(x)
        return (r * g).sum(1)

    def curvature(x: np.ndarray) -> np.ndarray:
        r, g = pulls(x)
        return (r * (1 / variances - g * g)).sum(1) + (r * g).sum(1) ** 2

    return lambda x: -logsumexp(logs(x), axis=1), slope, curvature
