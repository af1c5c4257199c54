r"""The Fokker-Planck equation on a grid, in one or two dimensions: how the density of Langevin dynamics moves.

    d_t p = -div J,    J = b p - T grad p         of     dx = b dt + sqrt(2T) dW,    no flux through the edge

Finite volumes with exponentially fitted fluxes. Through a face between cells i and i + 1 at distance h flows

    J = T/h (B(-u) p_i - B(u) p_{i+1}),    u = b h/T,    B(u) = u/(e^u - 1)            (Scharfetter and Gummel 1969; Chang and Cooper 1970)

which is the flux of the steady state of constant b between the two centres: exact there, second order in h elsewhere, for any ratio of drift to
diffusion. B > 0, so that masses of cells obey dm/dt = L m with L's other entries >= 0 and its columns' sums zero: exp(tL) is a stochastic matrix.
It keeps mass and positivity at any t, and there is no time step to choose.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.sparse import coo_array, csc_array, eye_array, vstack
from scipy.sparse.linalg import eigs, spsolve
from scipy.special import exprel
from scipy.stats import norm, poisson
from torch import Tensor

Axis = tuple[float, float, int]
"""From, to, number of cells."""
BLOCK = 8
"""Powers that are summed at once: a power of 2."""


def centres(*axes: Axis) -> Tensor:
    """The cells' centres, (cells, d); the last axis runs fastest."""
    return _points([_middle(*axis) for axis in axes])


def masses(axis: Axis, mean: float, variance: float) -> np.ndarray:
    """Of N(mean, variance) in the cells, (cells,)."""
    low, high, cells = axis
    return np.diff(norm.cdf(np.linspace(low, high, cells + 1), mean, math.sqrt(variance)))


def generator(drift: Callable[[Tensor], Tensor], temperature: float, *axes: Axis) -> csc_array:
    """L of dm/dt = L m on the masses of the cells of one axis or more.

    drift(x (n, d)) -> (n, d), in float64; a target's score serves. Raises ValueError if the temperature is not positive.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    shape = [cells for *_, cells in axes]
    index = np.arange(np.prod(shape)).reshape(shape)
    rows, columns, rates = [], [], []
    for k, (low, high, cells) in enumerate(axes):
        h = (high - low) / cells
        faces = torch.linspace(low, high, cells + 1, dtype=torch.float64)[1:-1]
        u = drift(_points([faces if j == k else _middle(*axis) for j, axis in enumerate(axes)]))[:, k].numpy() * h / temperature
        left, right = np.delete(index, -1, k).ravel(), np.delete(index, 0, k).ravel()
        for source, sink, sign in ((left, right, -1), (right, left, 1)):
            rate = temperature / h**2 / exprel(sign * u)  # B(u) = 1/exprel(u)
            rows += [sink, source]
            columns += [source, source]
            rates += [rate, -rate]
    n = index.size
    return coo_array((np.concatenate(rates), (np.concatenate(rows), np.concatenate(columns))), shape=(n, n)).tocsc()


def evolve(generator: csc_array, masses: np.ndarray, times: Sequence[float]) -> np.ndarray:
    """exp(tL) m at increasing times, (times, cells), by uniformisation (Jensen 1953).

    With r the largest rate out of a cell P = 1 + L/r is stochastic, and exp(tL) m a sum of what is not negative:

        exp(tL) m = sum_k w_k P^k m,    w_k = e^(-tr) (tr)^k/k!

    It is summed as Horner does, a BLOCK of powers at a time: y <- P^BLOCK y + sum_j w_j P^j m.
    """
    rate = -generator.diagonal().min()
    power = (eye_array(len(masses)) + generator / rate).tocsr()
    jump = power
    for _ in range(BLOCK.bit_length() - 1):
        jump = jump @ jump
    laws, at = [], 0.0
    for time in times:
        jumps = rate * (time - at)
        most = jumps + 9 * jumps**0.5 + 60  # more jumps have a probability below 1e-16, by Bernstein's inequality
        weights = poisson.pmf(np.arange(BLOCK * math.ceil(most / BLOCK)), jumps).reshape(-1, BLOCK)
        first = [masses]
        for _ in range(BLOCK - 1):
            first.append(power @ first[-1])
        masses = np.zeros_like(masses)
        for terms in (weights / weights.sum())[::-1] @ np.stack(first):
            masses = jump @ masses + terms
        laws.append(masses)
        at = time
    return np.stack(laws)


def steady_state(generator: csc_array) -> np.ndarray:
    """The masses m with L m = 0 and sum 1, (cells,): the last of the equations, which follows from the others, is the sum."""
    cells = generator.shape[0]
    equations = vstack([generator[:-1], csc_array(np.ones((1, cells)))]).tocsc()
    right = np.zeros(cells)
    right[-1] = 1.0
    return spsolve(equations, right)


def spectral_gap(generator: csc_array, near: float) -> float:
    """The slowest rate of relaxation: minus the eigenvalue of L next to 0, which with 0 must be nearest to `near`."""
    start = np.linspace(1.0, 2.0, generator.shape[0])  # ARPACK's own is random
    return float(-eigs(generator, 2, sigma=near, v0=start, return_eigenvectors=False).real.min())


def current(generator: csc_array, masses: np.ndarray) -> np.ndarray:
    """Mass a time through each face between neighbours of one axis, to the right, (cells - 1,)."""
    up, down = generator.diagonal(-1), generator.diagonal(1)
    return up * masses[:-1] - down * masses[1:]


def _middle(low: float, high: float, cells: int) -> Tensor:
    return low + (high - low) * (torch.arange(cells, dtype=torch.float64) + 0.5) / cells


def _points(along: list[Tensor]) -> Tensor:
    return torch.stack(torch.meshgrid(*along, indexing="ij"), -1).flatten(0, -2)
