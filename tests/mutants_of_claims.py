"""Slips that people make, claim by claim: what of a claim's file is replaced, and by what. Every claim has one at least, and each must be seen.

A tenth of the chains and draws leaves standard errors that are three times as large; each slip moves some number by ten of them or more, or one that has none.
"""

import numpy as np
import torch

from scorebench.claims.beyond.manifold import noised as manifold_noised
from scorebench.claims.energy_and_score.ml_needs_z import _unnormalised as ml_needs_z_unnormalised
from scorebench.claims.lib import ais, fokker_planck, langevin
from scorebench.claims.lib.estimates import mean
from scorebench.losses.denoising import denoising
from scorebench.losses.explicit import explicit
from scorebench.losses.implicit import implicit
from scorebench.losses.sliced import draws
from scorebench.models.base import score, score_and_log_prob
from scorebench.samplers.annealed import Annealed
from scorebench.samplers.base import Density
from scorebench.samplers.mala import MALA
from scorebench.samplers.ula import ULA
from scorebench.samplers.underdamped import Underdamped
from scorebench.targets.double_well import double_well
from scorebench.targets.gaussian_mixture import gaussian_mixture
from scorebench.targets.lib.mixture import mixture

SHARE = 10
"""One chain in so many is left."""


def sigma_for_its_square(of, x, step_size, times, generator, temperature=1.0):
    return langevin.langevin(of, x, step_size, times, generator, temperature**0.5)


def twice_the_noise(of, x, step_size, times, generator, temperature=1.0):
    return langevin.langevin(of, x, step_size, times, generator, 2 * temperature)


def half_the_score(of, x, step_size, times, generator, temperature=1.0):
    return langevin.langevin(Density(score=lambda x: of.score(x) / 2), x, step_size, times, generator, temperature)


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


def under_q(p, q, stream):
    from scorebench.claims.energy_and_score.fisher_formula import by_draws

    return by_draws(q, p, stream)


def doubled_curvature(model, x, draws):
    """Implicit score matching with a factor 2 lost: E[tr grad s + |s|^2] for E[tr grad s + |s|^2/2]."""
    return implicit(model, x, draws) + 0.5 * score(model, x).square().sum(-1)


def half_a_step(of, x, step_size, times, generator, temperature=1.0):
    return langevin.langevin(of, x, step_size / 2, [t / 2 for t in times], generator, temperature)


def twice_the_energy(theta):
    return ml_needs_z_unnormalised(2 * theta)


def at_twice_the_temperature(step_size, temperature, sigmas, steps):
    return Annealed(step_size, 2 * temperature, sigmas, steps)


def unscaled(model, x, draws, *, sigma):
    return denoising(model, x, draws, sigma=sigma) / sigma**2


def hotter(step_size, temperature, splitting, friction):
    return Underdamped(step_size, 1.1 * temperature, splitting, friction)


class Hotter:
    """The finite volumes at another temperature."""

    def __getattr__(self, name):  # noqa: D105
        return getattr(fokker_planck, name)

    def generator(self, drift, temperature, *axes):  # noqa: D102
        return fokker_planck.generator(drift, 1.2 * temperature, *axes)


def ula_at_half_the_step(step_size, temperature):
    return ULA(step_size / 2, temperature)


def variance_for_deviation(weights, centre, variance):
    return mixture(weights, centre, variance**2)


MUTANTS = [
    ("boltzmann_form", "z", lambda energy, *rest: ais.z(lambda x: energy(x) / 2, *rest)),
    ("boltzmann_form", "rise", lambda energy: 40.0),
    ("boltzmann_steady_state", "langevin", half_the_score),
    ("boltzmann_steady_state", "langevin", sigma_for_its_square),
    ("current_sign", "langevin", twice_the_noise),
    ("drift_diffusion", "langevin", half_the_score),
    ("drift_diffusion", "langevin", sigma_for_its_square),
    ("ebgan_energy", "reconstruction_error", lambda x, r: (x - r).norm(dim=-1)),
    ("ebgan_energy", "SIGMA", 0.4),
    ("energy_classifier", "labels_of", lambda energies: energies.argmax(-1)),
    ("energy_is_loss", "loss_of", lambda energies, label: energies.gather(-1, label[:, None])[:, 0]),
    ("energy_is_neg_log_p", "double_well", lambda dim, barrier: double_well(dim=dim, barrier=2 * barrier)),
    ("energy_is_neg_log_p", "score_and_log_prob", lambda of, x: [2 * part for part in score_and_log_prob(of, x)]),
    ("energy_low_on_data", "EDGE", 3.0),
    ("euler_maruyama", "_covariance", lambda h: np.diag([h, h * h])),
    ("euler_maruyama", "euler_maruyama", half_the_drift),
    ("fisher_divergence", "squared_gap", lambda p, q, x: (p.score(x) - q.score(x)).norm(dim=-1)),
    ("fisher_divergence", "normal", lambda mean, variance: langevin.normal(mean, variance**0.5)),
    ("fisher_formula", "mean", half_mean),
    ("fisher_formula", "mixture", variance_for_deviation),
    ("fisher_kl_link", "mean", half_mean),
    ("fisher_kl_link", "squared_gap", lambda p, q, x: (p.score(x) - q.score(x)).norm(dim=-1)),
    ("fisher_symmetric", "by_draws", under_q),
    ("fokker_planck", "langevin", twice_the_noise),
    ("fokker_planck", "fokker_planck", Hotter()),
    ("force_sign", "linear", lambda rate: langevin.linear(-rate)),
    ("fp_drift_sign", "fokker_planck", Hotter()),
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
    ("score_free_of_z", "score", lambda of, x: score(of, x) * (1 + 1e-6 * of(x).mean())),
    ("score_free_of_z", "_difference", lambda log_p, x, h: (log_p(x + h) - log_p(x)) / h),
    ("score_matching", "implicit", doubled_curvature),
    ("score_matching", "SIGMA", 0.25),
    ("score_points_to_mode", "langevin", half_a_step),
    ("score_points_to_mode", "_cosine", lambda target, point, mode: -float(torch.cosine_similarity(target.score(point), point))),
    ("sm_efficiency", "implicit", doubled_curvature),
    ("splitting_order", "LeimkuhlerMatthews", ULA),
    ("splitting_order", "Underdamped", hotter),
    ("start_from_data", "langevin", twice_the_noise),
    ("step_size_bias", "ULA", ula_at_half_the_step),
    ("tweedie", "denoised", lambda score, y: (y - score / 2**0.5 / 2) * 2**0.5),
    ("tweedie", "denoised", lambda score, y: score / 2),
    ("tweedie", "SIGMA", 0.5),
    ("vdm_equivalence", "denoising", unscaled),
    ("vdm_equivalence", "explicit", lambda model, x, target: 2 * explicit(model, x, target)),
    ("vdm_equivalence", "SLOPE", 0.2),
    ("vector_field", "gaussian_mixture", lambda radius, std: gaussian_mixture(radius=radius, std=std**2)),
    ("newton_langevin", "euler_maruyama", half_the_drift),
    ("newton_langevin", "euler_maruyama", one_draw_for_all_steps),
    ("overdamped_limit", "langevin", sigma_for_its_square),
    ("overdamped_limit", "euler_maruyama", half_the_drift),
    ("sigma_one", "langevin", half_the_score),
    ("sigma_one", "langevin", sigma_for_its_square),
    ("two_gaussians", "langevin", twice_the_noise),
    ("wiener_increment", "temperature_corrected", lambda h: h),
    ("wiener_increment", "temperature_as_written", lambda h: h**2),
    ("wiener_derivative", "langevin", twice_the_noise),
    ("x_to_zero", "langevin", twice_the_noise),
    ("z_intractable", "energy", lambda x: 2 * (x.square() - 1).square().sum(-1)),
    ("zero_current", "_ring_drift", lambda x: 1 - 2 * x.sin()),
    ("zero_current", "euler_maruyama", half_the_drift),
]
"""(claim, name in its file, what stands there instead)."""
