"""Claims with their experiments broken in one place; the spectrum and Euler's kernel against closed forms.

With a quarter of the chains and draws, and the power that is asked of them, so that standard errors are twice as large. Every mutant moves some counted
quantity by 14 of these standard errors or more, or a number that has none: the verdict must say that the numbers are not explained, by the statement or
by its correction.
"""

import math

import numpy as np
import pytest
import torch
from smaller_claims import WHOLE, shrink

from scorebench.claims import base
from scorebench.claims.beyond.manifold import noised as manifold_noised
from scorebench.claims.energy_and_score.ml_needs_z import _unnormalised as ml_needs_z_unnormalised
from scorebench.claims.lib import fokker_planck, langevin
from scorebench.claims.lib.estimates import mean
from scorebench.claims.lib.langevin import euler_kernel, gaussian_density, ou_euler_law
from scorebench.claims.lib.spectral import spectrum
from scorebench.core import registry
from scorebench.losses.denoising import denoising
from scorebench.losses.implicit import implicit
from scorebench.losses.sliced import draws
from scorebench.models.base import score
from scorebench.samplers.annealed import Annealed
from scorebench.samplers.mala import MALA
from scorebench.samplers.ula import ULA
from scorebench.samplers.underdamped import Underdamped
from scorebench.targets.double_well import double_well
from scorebench.targets.gaussian_mixture import gaussian_mixture

pytestmark = pytest.mark.usefixtures("afresh")


def sigma_for_its_square(of, x, step_size, times, generator, temperature=1.0):
    return langevin.langevin(of, x, step_size, times, generator, temperature**0.5)


def twice_the_noise(of, x, step_size, times, generator, temperature=1.0):
    return langevin.langevin(of, x, step_size, times, generator, 2 * temperature)


def half_the_drift(x, drift, noise, h, steps, generator):
    return langevin.euler_maruyama(x, lambda x: drift(x) / 2, noise, h, steps, generator)


def one_draw_for_all_steps(x, drift, noise, h, steps, generator):
    """Seed reuse: every step of a path sees the same noise."""
    state = generator.get_state()
    for _ in range(steps):
        generator.set_state(state)
        x = langevin.euler_maruyama(x, drift, noise, h, 1, generator)
    return x


def half_mean(values, units="chains"):
    return mean(values / 2, units)


def under_q(p, q, master, claim):
    from scorebench.claims.energy_and_score.fisher_formula import monte_carlo

    return monte_carlo(q, p, master, claim)


def doubled_curvature(model, x, draws):
    """Implicit score matching with a factor 2 lost: E[tr grad s + |s|^2] for E[tr grad s + |s|^2/2]."""
    return implicit(model, x, draws) + 0.5 * score(model, x).square().sum(-1)


def half_a_step(of, x, step_size, times, generator, temperature=1.0):
    return langevin.langevin(of, x, step_size / 2, [t / 2 for t in times], generator, temperature)


def twice_the_energy(theta):
    return ml_needs_z_unnormalised(2 * theta)


def mala_at_sigma(step_size, temperature):
    return MALA(step_size, temperature.sqrt())


def at_twice_the_temperature(step_size, temperature, sigmas, steps):
    return Annealed(step_size, 2 * temperature, sigmas, steps)


def unscaled(model, x, draws, *, sigma):
    return denoising(model, x, draws, sigma=sigma) / sigma**2


def hotter(step_size, temperature, splitting, friction):
    return Underdamped(step_size, 1.1 * temperature, splitting, friction)


MUTANTS = [
    ("boltzmann_steady_state", "MALA", mala_at_sigma),
    ("boltzmann_steady_state", "langevin", sigma_for_its_square),
    ("current_sign", "langevin", twice_the_noise),
    ("drift_diffusion", "langevin", sigma_for_its_square),
    ("ebgan_energy", "reconstruction_error", lambda x, r: (x - r).norm(dim=-1)),
    ("ebgan_energy", "SIGMA", 0.4),
    ("energy_classifier", "labels_of", lambda energies: energies.argmax(-1)),
    ("energy_is_loss", "loss_of", lambda energies, label: energies.gather(-1, label[:, None])[:, 0]),
    ("energy_is_neg_log_p", "double_well", lambda dim, barrier: double_well(dim=dim, barrier=2 * barrier)),
    ("energy_low_on_data", "EDGE", 3.0),
    ("euler_maruyama", "_covariance", lambda h: np.diag([h, h * h])),
    ("fisher_kl_link", "mean", half_mean),
    ("fisher_kl_link", "_squared_gap", lambda p, q, x: (p.score(x) - q.score(x)).norm(dim=-1)),
    ("fisher_symmetric", "monte_carlo", under_q),
    ("fokker_planck", "langevin", twice_the_noise),
    ("force_sign", "linear", lambda rate: langevin.linear(-rate)),
    ("fp_drift_sign", "linear", lambda rate: langevin.linear(rate / 2)),
    ("hutchinson", "draws", lambda *args, probe: 2**0.5 * draws(*args, probe=probe)),
    ("ito_diffusion", "_noise", lambda x: (3 + x.square()).sqrt()),
    ("ito_diffusion", "_drift", lambda x: -3 * x),
    ("langevin_sampling", "langevin", twice_the_noise),
    ("likelihood_everywhere", "implicit", doubled_curvature),
    ("likelihood_everywhere", "BEFORE", 0.5),
    ("low_density", "PART", 25.0),
    ("mala_optimal", "step_size", lambda d, scale: scale * d ** (-1 / 3) / 2),
    ("manifold", "implicit", doubled_curvature),
    ("manifold", "noised", lambda sigma: manifold_noised(1.05 * sigma)),
    ("mixing_weights", "SIGMAS", (20.0, 5.0, 1.0)),
    ("mixing_weights", "Annealed", at_twice_the_temperature),
    ("ml_needs_z", "MALA", lambda step_size, temperature: MALA(step_size, 1.2 * temperature)),
    ("ml_needs_z", "_unnormalised", twice_the_energy),
    ("mode_natural", "mean", half_mean),
    ("noise_ladder", "Annealed", at_twice_the_temperature),
    ("noise_prevents_collapse", "langevin", twice_the_noise),
    ("score_matching", "implicit", doubled_curvature),
    ("score_matching", "SIGMA", 0.25),
    ("score_points_to_mode", "langevin", half_a_step),
    ("sm_efficiency", "implicit", doubled_curvature),
    ("splitting_order", "LeimkuhlerMatthews", ULA),
    ("splitting_order", "Underdamped", hotter),
    ("start_from_data", "langevin", twice_the_noise),
    ("tweedie", "denoised", lambda score, y: (y - score / 2**0.5 / 2) * 2**0.5),
    ("tweedie", "SIGMA", 0.5),
    ("vdm_equivalence", "denoising", unscaled),
    ("vdm_equivalence", "SLOPE", 0.2),
    ("vector_field", "gaussian_mixture", lambda radius, std: gaussian_mixture(radius=radius, std=std**2)),
    ("newton_langevin", "euler_maruyama", half_the_drift),
    ("newton_langevin", "euler_maruyama", one_draw_for_all_steps),
    ("overdamped_limit", "langevin", sigma_for_its_square),
    ("sigma_one", "MALA", mala_at_sigma),
    ("two_gaussians", "langevin", twice_the_noise),
    ("wiener_derivative", "langevin", sigma_for_its_square),
    ("x_to_zero", "langevin", twice_the_noise),
    ("z_intractable", "energy", lambda x: 2 * (x.square() - 1).square().sum(-1)),
    ("zero_current", "_ring_drift", lambda x: 1 - 2 * x.sin()),
    ("zero_current", "euler_maruyama", half_the_drift),
]


SHARE = 4


def quarter(monkeypatch, claim):
    """A quarter of a claim's work, and of what is asked of its power, unless no smaller experiment decides it; the others come to their verdicts, unbroken."""
    if claim in WHOLE:
        return
    shrink(monkeypatch, claim, SHARE)
    for name in ("LEAST_UNITS", "LEAST_CHAINS"):
        monkeypatch.setattr(base, name, getattr(base, name) // SHARE)
    monkeypatch.setattr(base, "LARGEST_ERROR", base.LARGEST_ERROR * SHARE**0.5)


@pytest.mark.parametrize(("claim", "name", "broken"), MUTANTS, ids=[f"{c}-{n}-{getattr(b, '__name__', b)}" for c, n, b in MUTANTS])
def test_broken(monkeypatch, claim, name, broken):
    """The correction must fail, too: no verdict of the expected kind from a broken experiment."""
    claim = claim.replace("_", "-")
    module = registry.module("claim", claim)
    predictions = module.predict()
    quarter(monkeypatch, claim)
    monkeypatch.setattr(module, name, broken)
    monkeypatch.setattr(module, "predict", lambda: predictions)
    assert base.evaluate(claim, 11).verdict == "unexplained"


@pytest.mark.parametrize("claim", ["fokker-planck", "boltzmann-steady-state", "fp-drift-sign"])
def test_a_solver_at_another_temperature_is_seen(monkeypatch, claim):
    whole = fokker_planck.generator
    monkeypatch.setattr(fokker_planck, "generator", lambda drift, temperature, *axes: whole(drift, 1.2 * temperature, *axes))
    quarter(monkeypatch, claim)
    assert base.evaluate(claim, 11).verdict == "unexplained"


# What predictions are made with.


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
