"""The Fokker-Planck solver by itself: against closed forms of Ornstein and Uhlenbeck, its order, mass and positivity."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from scorebench.claims.lib import fokker_planck
from scorebench.core.spec import parse

OFF = 0.3  # no symmetry between the grid and the laws


def ornstein_uhlenbeck(t, rate=1.0, temperature=1.0, start=1.0, variance=0.01):
    """Mean and standard deviation of dx = -rate x dt + sqrt(2T) dW from N(start, variance)."""
    left = np.exp(-2 * rate * t)
    return start * np.exp(-rate * t), np.sqrt(variance * left + temperature / rate * (1 - left))


def masses(axis, mean, deviation):
    low, high, cells = axis
    return np.diff(norm.cdf(np.linspace(low, high, cells + 1), mean, deviation))


def distance(cells, times, **law):
    """L1 to the exact masses at each time."""
    axis = (-7.0 + OFF, 7.0 + OFF, cells)
    generator = fokker_planck.generator(lambda x: -law.get("rate", 1.0) * x, law.get("temperature", 1.0), axis)
    found = fokker_planck.evolve(generator, masses(axis, *ornstein_uhlenbeck(0.0, **law)), times)
    return np.array([np.abs(m - masses(axis, *ornstein_uhlenbeck(t, **law))).sum() for t, m in zip(times, found, strict=True)])


@pytest.mark.parametrize("law", [{}, {"rate": 2.0, "temperature": 0.5}, {"temperature": 2.0, "start": -1.0, "variance": 0.1}], ids=str)
def test_ornstein_uhlenbeck(law):
    """L1 < 1e-3 from the start to the steady state, another drift and temperature."""
    assert (distance(600, [0.1, 0.5, 1.0, 3.0], **law) < 1e-3).all()


def test_second_order():
    """Half the cells: four times the error, at each time."""
    errors = [distance(cells, [0.2, 1.0]) for cells in (125, 250, 500)]
    order = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert order == pytest.approx(2, abs=0.05)


def test_mass_and_positivity():
    """To 1e-12, from a point, with cells so wide that the drift is 50 times the diffusion (where central differences turn negative)."""
    axis = (-2.0, 2.0, 40)
    start = np.zeros(40)
    start[3] = 1.0
    double_well = parse("target", "double_well").build().score
    for drift in (lambda x: -10 * x, lambda x: torch.full_like(x, 3.0), double_well):
        generator = fokker_planck.generator(drift, 0.01, axis)
        assert generator.sum(0) == pytest.approx(0, abs=1e-11 * abs(generator).max())
        found = fokker_planck.evolve(generator, start, [1e-3, 0.1, 1.0, 10.0])
        assert found.min() >= 0 and found.sum(1) == pytest.approx(1, abs=1e-12)


def test_two_dimensions_are_two_ones():
    """A separable drift: the law is the product of the one-dimensional ones, first axis first; a rotation keeps a round law."""
    axes = (-5.0, 5.0, 50), (-4.0, 4.0, 40)
    rates = torch.tensor([1.0, 3.0], dtype=torch.float64)
    generator = fokker_planck.generator(lambda x: -rates * x, 1.0, *axes)
    starts = [masses(axis, *ornstein_uhlenbeck(0.0, variance=0.2)) for axis in axes]
    (found,) = fokker_planck.evolve(generator, np.outer(*starts).ravel(), [0.3])
    alone = [
        fokker_planck.evolve(fokker_planck.generator(lambda x, r=rate: -r * x, 1.0, axis), start, [0.3])[0]
        for rate, axis, start in zip(rates, axes, starts, strict=True)
    ]
    assert found.reshape(50, 40) == pytest.approx(np.outer(*alone), abs=1e-12)
    assert fokker_planck.centres(*axes)[1].tolist() == pytest.approx([-4.9, -3.7])

    axes = (-4.0, 4.0, 80), (-4.0, 4.0, 80)
    turning = torch.tensor([[-1.0, 2.0], [-2.0, -1.0]], dtype=torch.float64)
    generator = fokker_planck.generator(lambda x: x @ turning.T, 1.0, *axes)
    start = np.outer(masses(axes[0], 1.0, 0.5), masses(axes[1], 0.0, 0.5)).ravel()
    mean, deviation = ornstein_uhlenbeck(0.5, variance=0.25)
    (found,) = fokker_planck.evolve(generator, start, [0.5])
    exact = np.outer(masses(axes[0], mean * np.cos(1.0), deviation), masses(axes[1], -mean * np.sin(1.0), deviation)).ravel()
    assert np.abs(found - exact).sum() < 5e-3


def test_current():
    """Mass that leaves the cells to the left of a face in a short time; a pure drift carries it its own way."""
    axis = (-7.0, 7.0, 280)
    generator = fokker_planck.generator(lambda x: -x, 1.0, axis)
    start = masses(axis, 2.0, 0.5)
    flow = fokker_planck.current(generator, start)
    (later,) = fokker_planck.evolve(generator, start, [1e-6])
    assert -np.cumsum(later - start)[:-1] / 1e-6 == pytest.approx(flow, abs=1e-3)
    assert flow.sum() * 0.05 == pytest.approx(-2.0, abs=1e-3)  # the mean moves at E b = -2


def test_bad_temperature():
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        fokker_planck.generator(lambda x: -x, 0.0, (-1.0, 1.0, 4))


def test_steady_state():
    """The Gibbs law of a tilted well, and L m = 0."""
    axis = (-6.0, 6.0, 400)
    generator = fokker_planck.generator(lambda x: 0.5 - x, 0.7, axis)
    found = fokker_planck.steady_state(generator)
    assert np.abs(found - masses(axis, 0.5, 0.7**0.5)).sum() < 1e-4
    assert generator @ found == pytest.approx(0, abs=1e-9)
    assert found.sum() == pytest.approx(1, abs=1e-12) and found.min() > 0
