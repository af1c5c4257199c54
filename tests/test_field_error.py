"""Errors of fields and laws in the plane, against closed forms written down before.

On N(0, I) a field with the error a x + c J x, J a quarter turn, has the gradient part a^2 and the rotation c^2 of E|x|^2, and whatever c is, the law
N(0, I/(1 - a)): the turn leaves every density of |x| as it is. Second order in the distance of nodes: 160 of them, some 16 standard deviations, leave 1e-3.
"""

import math

import pytest
import torch
from torch import Tensor

from scorebench.core.spec import parse
from scorebench.metrics.base import Run
from scorebench.metrics.field_error import field_error
from scorebench.metrics.law_error import law_error
from scorebench.metrics.lib import plane
from scorebench.targets.lib.density import Density

A, C = 0.1, 0.3
TURN = torch.tensor([[0.0, -1.0], [1.0, 0.0]])


def seeds(law: object) -> Tensor:
    return torch.zeros(2, 1, 2)


@pytest.mark.parametrize("c", [C, 0.0])
def test_on_a_gaussian(c: float) -> None:
    target = parse("target", "gaussian").build()
    run = Run(density=Density(score=lambda x: -(1 - A) * x + c * x @ TURN.T))
    variance = 1 / (1 - A)
    square = 2 * math.log(variance) / (1 - 1 / variance)  # of the radius at which both densities are the same
    expected = {
        "gradient": A**2,
        "rotation": c**2,
        "law": math.exp(-square / (2 * variance)) - math.exp(-square / 2),
        "effect": 0.0,
    }
    for of, value in expected.items():
        found = field_error(run, target, seeds, of=of).value
        assert found.shape == (2, 1) and found[0, 0] == pytest.approx(value, rel=2e-3, abs=1e-4), of
    assert float(law_error(run, target, seeds, of="scale").value[0, 0]) == pytest.approx(variance - 1, rel=2e-3)
    # of x_1, x_2 nothing, of their squares (v - 1)^2/2 each, of log p (v - 1)^2: a mean of 2/5 (v - 1)^2
    assert float(law_error(run, target, seeds, of="panel").value[0, 0]) == pytest.approx((variance - 1) * 0.4**0.5, rel=2e-3)


def test_a_rotation_is_harmless_and_a_gradient_is_not() -> None:
    """On the ring of 8 a field off by r = J grad log p, with div(p r) = J : grad grad p = 0, keeps the law; off by as much of a gradient not."""
    target = parse("target", "gaussian_mixture:components=8,radius=3,std=0.3").build()
    turned, pushed = (
        Run(density=Density(score=lambda x, m=matrix: target.score(x) + 0.2 * target.score(x) @ m.T)) for matrix in (TURN, torch.eye(2))
    )
    assert float(field_error(turned, target, seeds, of="rotation").value[0, 0]) == pytest.approx(0.04, rel=0.02)
    assert float(field_error(turned, target, seeds, of="gradient").value[0, 0]) < 1e-3
    assert float(field_error(turned, target, seeds, of="law").value[0, 0]) < 0.01
    assert float(field_error(pushed, target, seeds, of="law").value[0, 0]) > 0.05


def test_a_law_by_its_energy_and_by_its_field() -> None:
    """Weights of two modes .8 and .2, learnt as .5 and .5: off by .3, though no score is off where the mass is; the field's law has the same."""
    target, learnt = (parse("target", f"gaussian_mixture:radius=2,weight={weight}").build() for weight in (0.8, 0.5))
    energy = Run(density=Density(score_and_log_prob=lambda x: (x, learnt.log_prob(x))))
    field = Run(density=Density(score=learnt.score))
    for run in (energy, field):
        assert float(law_error(run, target, seeds, of="weights").value[0, 0]) == pytest.approx(0.3, abs=2e-3)


def test_the_mass_of_an_energy_beyond_the_data_counts() -> None:
    """N(0, 4 I) for N(0, I): a bias of the panel of 3 sqrt(2/5), of which a box that ends at 2.9 standard deviations misses three hundredths."""
    run = Run(density=Density(score_and_log_prob=lambda x: (x, -x.square().sum(-1) / 8)))
    found = law_error(run, parse("target", "gaussian").build(), seeds, of="panel").value[0, 0]
    assert float(found) == pytest.approx(3 * 0.4**0.5, rel=1e-4)


def test_the_projection_is_one() -> None:
    """A gradient has itself as its potential's slope, to rounding, whatever the weights."""
    grid = plane.grid(torch.tensor([[-1.0, -1.0], [1.0, 1.0]]), nodes=20)
    phi = torch.randn(2, 400, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).numpy()
    slope = plane.slope(grid, phi)
    weights = plane.mass(-grid.middles.square().sum(-1)).numpy()
    assert plane.slope(grid, plane.potential(grid, weights, slope)) == pytest.approx(slope, abs=1e-8)


def test_far_modes_keep_their_weights() -> None:
    """The score of the noised law is a gradient: by its field and by its potential the law is the same, though between the modes there is next to nothing."""
    target = parse("target", "gaussian_mixture:weight=0.8").build()
    noised = target.perturbed(0.4)
    run = Run(density=Density(score=noised.score))
    assert float(field_error(run, target, seeds, of="effect").value[0, 0]) < 0.01
    assert float(field_error(run, target, seeds, of="rotation").value[0, 0]) < 1e-5
    truth = plane.mass(noised.log_prob(plane.grid(target.reference).nodes)) - plane.mass(
        target.log_prob(plane.grid(target.reference).nodes)
    )
    assert float(field_error(run, target, seeds, of="law").value[0, 0]) == pytest.approx(float(truth.abs().sum() / 2), rel=0.02)
