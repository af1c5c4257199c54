"""What predictions of claims are made with: the spectrum, Euler's kernel and scheme, AIS, against closed forms."""

import math

import numpy as np
import pytest
import torch

from scorebench.claims.energy_and_score import boltzmann_form
from scorebench.claims.lib import langevin
from scorebench.claims.lib.ais import log_mean, log_weights
from scorebench.claims.lib.langevin import euler_kernel, gaussian_density, ou_euler_law
from scorebench.claims.lib.spectral import spectrum
from scorebench.targets.lib.mixture import normal
from scorebench.testing.examples import stream
from scorebench.testing.statistical import assert_mean


def test_spectrum_of_a_parabola():
    """V = x^2/2: rates 0, 1, 2, ...; from N(1, .01) the law of Ornstein and Uhlenbeck, its mean and the mass right of 0."""
    found = spectrum(lambda x: x**2 / 2, lambda x: x, np.ones_like, 1.0, 10.0, 201)
    assert found.rates[:6] == pytest.approx(range(6), abs=1e-9)
    (law,) = found.laws(gaussian_density(found.nodes, 1.0, 0.01), [0.5])
    mean, variance = langevin.ou_law(0.5, 1.0, 0.01)
    assert law == pytest.approx(gaussian_density(found.nodes, mean, variance), abs=1e-8)
    assert found.mean(law, lambda x: x) == pytest.approx(mean, abs=1e-8)
    assert found.above(law) == pytest.approx(0.5 * math.erfc(-mean / math.sqrt(2 * variance)), abs=1e-5)


def test_euler_kernel_of_a_parabola():
    """60 steps of h = .05 from N(1, .1), T = .5: Euler's known law, to rounding."""
    nodes = np.linspace(-6, 6, 241)
    kernel = euler_kernel(lambda x: -x, 0.05, nodes, 0.5)
    law = np.linalg.matrix_power(kernel, 60) @ gaussian_density(nodes, 1.0, 0.1)
    assert law == pytest.approx(gaussian_density(nodes, *ou_euler_law(0.05, 60, 1.0, 0.1, 0.5)), abs=1e-12)


def test_euler_maruyama_is_the_scheme():
    """Against the recursion written out, on the same noise; a tensor of noise acts column by column."""
    x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    found = langevin.euler_maruyama(x, lambda x: -2 * x, torch.tensor([0.0, 3.0]), 0.1, 2, torch.Generator().manual_seed(1))
    noise = torch.Generator().manual_seed(1)
    for _ in range(2):
        x = x - 0.2 * x + math.sqrt(0.1) * torch.tensor([0.0, 3.0]) * torch.randn(1, 2, generator=noise, dtype=torch.float64)
    assert torch.equal(found, x)


@pytest.mark.parametrize(("variance", "step"), [(0.5, 0.2), (4.0, 0.5)])
def test_ais_on_a_gaussian(variance, step):
    """exp(-x^2/(2 v)) in two dimensions: Z = 2 pi v. 40 runs of 2,000 chains; alpha 1e-4 over both; sees .02 in log Z."""
    g = stream("ais", variance)
    runs = [log_mean(log_weights(lambda x: x.square().sum(-1) / (2 * variance), normal(2, 1.5), 2_000, 20, step, g)) for _ in range(40)]
    weights = torch.tensor(
        [math.exp(r.measured) for r in runs], dtype=torch.float64
    )  # the estimate of Z is unbiased, that of its logarithm is not
    assert_mean(weights, 2 * math.pi * variance, 2)
    spread = torch.tensor([r.measured for r in runs]).std()
    stated = torch.tensor([r.standard_error for r in runs]).square().mean().sqrt()
    assert 0.55 < float(spread / stated) < 1.6  # 39 degrees of freedom: false alarm 1e-5


def test_tail_test():
    assert boltzmann_form.rise(boltzmann_form.two_softplus(1.0)) == 40
    assert boltzmann_form.rise(boltzmann_form.two_softplus(-1.0)) == -40
    assert boltzmann_form.rise(lambda x: x[..., 0]) == -40  # rises on one side alone
