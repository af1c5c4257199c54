r"""Laws and fields in the plane on a grid: the part of a field that is no gradient, and the law that Langevin dynamics with a field has.

Fields are taken along the edges between neighbouring nodes, at their midpoints. With weights p there, the gradient part of e is that of the phi which minimises

    sum_edges p (e - (phi_j - phi_i)/h)^2

the Galerkin equations of div(p grad phi) = div(p e) (Helmholtz, weighted). The stationary law q of dx = s dt + sqrt(2) dW has no net
flow out of a node, the flow along an edge being

    J = (B(-s h) q_i - B(s h) q_j)/h,   B(z) = z/(e^z - 1)                                      (Scharfetter and Gummel 1969)

which is exact for a field that is constant along an edge, and of second order in h else.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.special import exprel
from torch import Tensor

NODES, MARGIN = 160, 0.25
PART = 8_192
"""Points at which a source is taken at once."""
FLOOR = 1e-14
"""Of the largest weight, so that nodes where there is no mass hang on the others."""


class Grid(NamedTuple):
    """Nodes (node, 2) in the order of `cartesian_prod`, and edges: each from node `low` to node `high`, of length `length`, along axis `axis`."""

    nodes: Tensor
    low: np.ndarray  # (edge,)
    high: np.ndarray  # (edge,)
    axis: np.ndarray  # (edge,)
    length: np.ndarray  # (edge,)

    @property
    def middles(self) -> Tensor:
        """(edge, 2)."""
        return (self.nodes[self.low] + self.nodes[self.high]) / 2


def of_source(values: Callable[[Tensor], Tensor], x: Tensor, seeds: int) -> Tensor:
    """What a source gives at points (point, 2), (seed, point, ...): a part of them at a time, since all seeds at all points fill the memory."""
    return torch.cat([values(part.expand(seeds, 1, -1, -1))[:, 0] for part in x.split(PART)], 1)


def grid(draws: Tensor, nodes: int = NODES, margin: float = MARGIN) -> Grid:
    """Over the box of the draws (n, 2), widened by a margin, in its sizes, on every side."""
    low, high = draws.amin(0), draws.amax(0)
    more = margin * (high - low)
    axes = [torch.linspace(float(a), float(b), nodes, device=draws.device) for a, b in zip(low - more, high + more, strict=True)]
    numbers = np.arange(nodes * nodes).reshape(nodes, nodes)
    ends = [(numbers[:-1].ravel(), numbers[1:].ravel()), (numbers[:, :-1].ravel(), numbers[:, 1:].ravel())]
    steps = [float(axis[1] - axis[0]) for axis in axes]
    return Grid(
        torch.cartesian_prod(*axes),
        np.concatenate([low for low, _ in ends]),
        np.concatenate([high for _, high in ends]),
        np.repeat([0, 1], nodes * (nodes - 1)),
        np.repeat(steps, nodes * (nodes - 1)),
    )


def mass(log_p: Tensor) -> Tensor:
    """What each node has, from unnormalised log densities (*, node)."""
    p = (log_p.double() - log_p.double().amax(-1, keepdim=True)).exp()
    return p / p.sum(-1, keepdim=True)


def along(grid: Grid, field: Tensor) -> np.ndarray:
    """A field at the middles of the edges (*, edge, 2) as its component along each, (*, edge)."""
    return field.double().cpu().numpy()[..., np.arange(len(grid.axis)), grid.axis]


def potential(grid: Grid, weights: np.ndarray, field: np.ndarray) -> np.ndarray:
    """The phi at the nodes (seed, node), whose gradient is the nearest to a field along the edges (seed, edge), with weights (edge,)."""
    w = weights + FLOOR * weights.max()
    rows, n = np.arange(len(grid.low)), len(grid.nodes)
    gradient = sparse.csr_matrix((1 / grid.length, (rows, grid.high)), (len(rows), n)) - sparse.csr_matrix(
        (1 / grid.length, (rows, grid.low)), (len(rows), n)
    )
    keep = np.delete(np.arange(n), grid.low[w.argmax()])  # there phi is 0: from where there is next to no mass the rest would not be seen
    inner = gradient[:, keep]
    phi = np.zeros((len(field), n))
    phi[:, keep] = _solved(inner.T @ sparse.diags(w) @ inner, inner.T @ (w[:, None] * field.T)).T
    return phi


def slope(grid: Grid, phi: np.ndarray) -> np.ndarray:
    """Along the edges, (seed, node) -> (seed, edge)."""
    return (phi[:, grid.high] - phi[:, grid.low]) / grid.length


def stationary(grid: Grid, field: np.ndarray, at: int) -> np.ndarray:
    """The law of Langevin dynamics with a field along the edges (edge,), (node,); `at` is a node where there is mass."""
    n, z = len(grid.nodes), field * grid.length
    up, down = (1 / exprel(sign * z) / grid.length**2 for sign in (-1, 1))  # rates from the lower node to the higher, and back
    off = sparse.csr_matrix((up, (grid.high, grid.low)), (n, n)) + sparse.csr_matrix((down, (grid.low, grid.high)), (n, n))
    rates = (off - sparse.diags(np.asarray(off.sum(0)).ravel())).tocsc()  # d q/dt = rates q
    keep = np.delete(np.arange(n), at)
    q = np.ones(n)
    q[keep] = _solved(rates[keep][:, keep], -rates[keep][:, [at]].toarray().ravel())
    return q / q.sum()


def _solved(matrix: sparse.sparray, right: np.ndarray) -> np.ndarray:
    """Of a diagonally dominant matrix, which needs no exchange of rows to be solved to rounding in each entry, however different these are."""
    return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}).solve(right)
