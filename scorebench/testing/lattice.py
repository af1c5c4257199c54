"""Quadrature in one and two dimensions: expectations, distribution functions and tests of draws that know nothing of how draws are made."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from scorebench.testing.statistical import ALPHA, assert_cdf

CUTS, FEWEST = 12, 10
"""Quantile cells a side; cells with fewer expected draws are put together."""


class Lattice:
    """A density on a square (an interval) by the trapezoid rule, exponentially exact for a smooth density that vanishes at the edge."""

    def __init__(self, log_density: Callable[[Tensor], Tensor], dim: int, half_width: float, nodes: int) -> None:
        self.dim, self.edge = dim, half_width
        self.axis = torch.linspace(-half_width, half_width, nodes, dtype=torch.float64)
        self.points = torch.cartesian_prod(*[self.axis] * dim).reshape(-1, dim)
        self.cell = float(self.axis[1] - self.axis[0]) ** dim
        mass = log_density(self.points).exp() * self.cell
        self.total = float(mass.sum())
        self.mass = mass / mass.sum()

    def mean(self, values: Tensor) -> Tensor:
        """E f from f at the points, (n, ...)."""
        return torch.tensordot(self.mass, values.double(), 1)

    def cdf(self, coordinate: int) -> tuple[np.ndarray, np.ndarray]:
        """The marginal distribution function of a coordinate, half-way between nodes."""
        marginal = self.mass.reshape([len(self.axis)] * self.dim).movedim(coordinate, 0).flatten(1).sum(1) if self.dim > 1 else self.mass
        return (self.axis + 0.5 * (self.axis[1] - self.axis[0])).cpu().numpy(), marginal.cumsum(0).cpu().numpy()

    def assert_draws(self, x: Tensor, comparisons: int, what: str = "the draws", axes: Sequence[int] = (0, 1)) -> None:
        """Draws follow the density: each coordinate by DKW and, in the plane, counts in 12 x 12 quantile cells by chi-squared; `axes` are their names."""
        x = x.double().cpu()
        wrong = int((~x.isfinite()).any(-1).sum())
        assert not wrong, f"{what}: {wrong} of {len(x)} are not finite"
        for k in range(self.dim):
            nodes, cumulative = self.cdf(k)
            name = f"{what}: the distribution function of coordinate {axes[k] + 1} ({self._spread(x, k)})"
            assert_cdf(np.interp(x[:, k].numpy(), nodes, cumulative), comparisons * (self.dim + 1), name)
        if self.dim == 2:
            p = self._chi_squared(x)
            which = f"{CUTS} x {CUTS} cells of coordinates {axes[0] + 1} and {axes[1] + 1}"
            assert p >= ALPHA / (comparisons * (self.dim + 1)), (
                f"{what}: counts in {which} do not follow the density, p = {p:.1g} (each coordinate by itself does)"
            )

    def _spread(self, x: Tensor, coordinate: int) -> str:
        points = self.points[:, coordinate]
        mean = self.mean(points)
        moments = ", ".join(f"{float(of):.3g}" for of in (mean, self.mean((points - mean).square())))
        return f"mean and variance {float(x[:, coordinate].mean()):.3g}, {float(x[:, coordinate].var()):.3g} for {moments}"

    def _chi_squared(self, x: Tensor) -> float:
        cuts = [
            torch.from_numpy(nodes[cumulative.searchsorted(np.arange(1, CUTS) / CUTS)]) for nodes, cumulative in map(self.cdf, range(2))
        ]

        def counts(points: Tensor, weights: Tensor | None = None) -> np.ndarray:
            cell = torch.bucketize(points[:, 0].contiguous(), cuts[0]) * CUTS + torch.bucketize(points[:, 1].contiguous(), cuts[1])
            return torch.bincount(cell, weights=weights, minlength=CUTS**2).double().numpy()

        observed, expected = counts(x), len(x) * counts(self.points.cpu(), self.mass.cpu())
        few = expected < FEWEST
        if few.sum() > 1 and expected[few].sum() > 1:
            observed, expected = (np.append(a[~few], a[few].sum()) for a in (observed, expected))
        else:
            observed, expected = observed[~few], expected[~few]
        return float(stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue)
