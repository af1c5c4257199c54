"""What the contract tests share: the methods they run over, their random streams, and the limits of their statistical tests.

The contract tests of a kind run over the registry: a method's file is tested by being there, as its EXAMPLES (specs) configure it.

Every statistical test compares with a limit that true code passes with probability 1 - ALPHA for the whole family of comparisons in one
test function, all its parameters together (Bonferroni). Streams are named after the test, so that no seed was chosen.
"""

import inspect
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy import stats

from scorebench.core import registry, rng
from scorebench.core.spec import Spec, parse

ALPHA = 1e-4


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but for one of torch's own: its forward differentiation calls what torch itself deprecates."""
    config.addinivalue_line("filterwarnings", r"ignore:`torch\.jit\.script` is deprecated:DeprecationWarning")


def examples(kind: str) -> list[Spec]:
    """Every method of a kind, as its file's EXAMPLES configure it, or by its name alone."""
    return [parse(kind, text) for name in registry.names(kind) for text in registry.entry(kind, name).facts.get("EXAMPLES", (name,))]


def over(name: str, kind: str, keep=lambda spec: True) -> pytest.MarkDecorator:
    """Parametrise a test over the examples of a kind."""
    return pytest.mark.parametrize(name, [spec for spec in examples(kind) if keep(spec)], ids=str)


def fits(model: Spec, loss: Spec) -> bool:
    """Whether the loss can train the model: noise levels on both sides, or on neither."""
    return ("noise_levels" in model.entry.facts["GIVES"]) == ("model.noise_levels" in loss.entry.facts["NEEDS"])


def stream(*names: object) -> torch.Generator:
    """The random stream of a test."""
    return rng.generator("tests", *names)


def z_limit(comparisons: int, alpha: float = ALPHA) -> float:
    """The largest |z| of that many standard normals, but for probability alpha."""
    return float(stats.norm.isf(alpha / 2 / comparisons))


def assert_mean(values: torch.Tensor, expected: object, comparisons: int, exact: float = 1e-6) -> None:
    """The mean over the first axis is `expected` within its standard error; `exact` covers rounding where there is no spread."""
    error = values.std(0) / len(values) ** 0.5
    gap = (values.mean(0) - torch.as_tensor(expected).to(values)).abs()
    assert (gap <= z_limit(comparisons * max(gap.numel(), 1)) * error + exact).all(), (gap / error, error)


def assert_cdf(uniform: np.ndarray, comparisons: int) -> None:
    """Probability integrals are uniform: Dvoretzky-Kiefer-Wolfowitz with Massart's constant, valid at every n."""
    u, n = np.sort(uniform), len(uniform)
    distance = max((np.arange(1, n + 1) / n - u).max(), (u - np.arange(n) / n).max())
    limit = math.sqrt(math.log(2 * comparisons / ALPHA) / (2 * n))
    assert distance <= limit, (distance, limit)


class Lattice:
    """A density on a square (an interval) by the trapezoid rule, exponentially exact for a smooth density that vanishes at the edge."""

    def __init__(self, log_density, dim: int, half_width: float, nodes: int) -> None:
        self.dim, self.edge = dim, half_width
        self.axis = torch.linspace(-half_width, half_width, nodes, dtype=torch.float64)
        self.points = torch.cartesian_prod(*[self.axis] * dim).reshape(-1, dim)
        self.cell = float(self.axis[1] - self.axis[0]) ** dim
        mass = log_density(self.points).exp() * self.cell
        self.total = float(mass.sum())
        self.mass = mass / mass.sum()

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """E f from f at the points, (n, ...)."""
        return torch.tensordot(self.mass, values.double(), 1)

    def cdf(self, coordinate: int) -> tuple[np.ndarray, np.ndarray]:
        """The marginal distribution function of a coordinate, half-way between nodes."""
        marginal = self.mass.reshape([len(self.axis)] * self.dim).movedim(coordinate, 0).flatten(1).sum(1) if self.dim > 1 else self.mass
        return (self.axis + 0.5 * (self.axis[1] - self.axis[0])).numpy(), marginal.cumsum(0).numpy()

    def assert_draws(self, x: torch.Tensor, comparisons: int) -> None:
        """Draws follow the density: each coordinate by DKW and, in the plane, counts in 12 x 12 quantile cells by chi-squared."""
        x = x.double()
        for k in range(self.dim):
            nodes, cumulative = self.cdf(k)
            assert_cdf(np.interp(x[:, k].numpy(), nodes, cumulative), comparisons * (self.dim + 1))
        if self.dim == 2:
            cuts = [
                torch.from_numpy(edges[cumulative.searchsorted(np.arange(1, 12) / 12)]) for edges, cumulative in map(self.cdf, range(2))
            ]

            def cells(points: torch.Tensor) -> torch.Tensor:
                return torch.bucketize(points[:, 0].contiguous(), cuts[0]) * 12 + torch.bucketize(points[:, 1].contiguous(), cuts[1])

            observed = torch.bincount(cells(x), minlength=144).double().numpy()
            expected = len(x) * torch.bincount(cells(self.points), weights=self.mass, minlength=144).numpy()
            few = expected < 10
            if few.sum() > 1 and expected[few].sum() > 1:
                observed, expected = (np.append(a[~few], a[few].sum()) for a in (observed, expected))
            else:
                observed, expected = observed[~few], expected[~few]
            expected *= observed.sum() / expected.sum()
            p = stats.chisquare(observed, expected).pvalue
            assert p >= ALPHA / (comparisons * (self.dim + 1)), p


@pytest.fixture(autouse=True)
def global_generator_untouched():
    """Randomness is an argument: whatever runs, torch's global generator stays where it was."""
    torch.set_num_threads(1)
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before), "the global generator was used"


@pytest.fixture
def afresh() -> Iterator[None]:
    """For tests that break an experiment: what a claim computes once for a master seed neither comes from another test nor stays for it."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    for claim in registry.names("claim"):
        for function in vars(registry.module("claim", claim)).values():
            if hasattr(function, "cache_clear") and "master" in inspect.signature(function).parameters:
                function.cache_clear()
