r"""Many noise levels repair weights and gaps where the noise is large; the last level keeps its own gap and its own noise.

Statement (Song and Ermon 2019): scores at many noise levels with annealed Langevin overcome all three failures: gaps in the data, weights of far modes, thin
supports.

Prediction. .2 N((-5, -5), I) + .8 N((5, 5), I), levels 8, 4, 2, 1, .5, 100 steps each, c_i = c sigma_i^2/sigma_L^2 with c = .0125; start uniform on [-8,
8]^2. **Weights.** By products of Euler's kernels along the diagonal (as in `mixing_weights`) exact noised scores give the share .7594 in the mode at (5, 5),
near .8, not at it; the last level alone, 500 steps of c = .05, that of the start, .5113. Weights are overcome if the ladder's share is nearer to .8 than that
of the last level alone, as in `mixing_weights`: by exact scores, and by network of trained ones. **Gaps.** On the square [-1, 1]^2 between the modes noise
of 8 puts data: a trained score is right there at the first level (a relative error below .2). At the last, .5, the square is as empty as before, for the
ladder as for one level: no network is right there, where as stated nearly all would be. **The last level's noise.** The mean squared distance from the mode
along the diagonal is 1.362 by the kernels (1.25 and a rest of the level before), as stated 1. **Thin supports**, by exact scores (no finite loss says what to
learn without noise, see `manifold`): on the unit circle, levels 1, .5, .2, .1, c = .0005, the mean distance from the circle is .0813, that of noise .1; with
the same budget at the last level alone it is as good, .0807: the noise of .1 is what makes the score finite, many levels do not add to it. A step from x, at
r = |x| and with the score s(r) along it, ends at a radius that has Rice's law around r + c s(r):

    r' ~ (r'/2c) exp(-(r'^2 + m^2)/4c) I_0(r' m/2c),    m = |r + c s(r)|,

so that products of these kernels on nodes have the law of the scheme.

Measurement: 48,000 chains by exact scores. 280 networks, the project's own noise-conditional energy trained by the loss of many levels, and 280 of its
energies trained at sigma = .5 alone: the same data, batches and number of steps, 500 of 128 points; 128 chains a network. By how much a network is off no
derivation says: its share and distance are shown, and what counts is how many are on the wrong side: nearly all are on the right one if those on the wrong
are 1 in 10 at most, a bound. It is judged with the standard error of a share of 1 in 10 among 280, .0179: false alarms have the registered rate for a true
share of .095 or less, and one of .23 is seen in 9 of 10 runs. The circle by exact scores of 128 points, noised, 4,000 chains, the mean over five looks, 15
steps apart, at the end. The leading number has a standard error of .26 %: an error of 1.7 % is seen in 9 of 10 runs.

Reference: Song and Ermon (2019), sections 3 and 4, algorithm 1.
"""

import math

import numpy as np
import torch
from scipy.special import i0e, i1e
from torch import Tensor

from scorebench.claims.base import CORRECTED, IDENTITY, Measurement, Prediction
from scorebench.claims.beyond import manifold
from scorebench.claims.lib import two_modes
from scorebench.claims.lib.estimates import mean, of_means, share_at_most
from scorebench.core.rng import generator
from scorebench.core.spec import parse
from scorebench.engine.loop import run
from scorebench.engine.sources import trained
from scorebench.engine.training import fit
from scorebench.samplers.annealed import GRADIENTS, Annealed
from scorebench.samplers.base import Density, exact_density
from scorebench.samplers.ula import ULA
from scorebench.suite.config import Training
from scorebench.targets.base import Target

LABEL = "Many noise levels fix gaps, far weights, thin supports"
SOURCE = "beyond the article (Song and Ermon 2019); follows from Sampling Using Langevin Dynamics, below (158)"
QUOTE = "ground truth score function은 우리가 예측하기 힘든 real data의 매우 복잡한 분포를 가지고 있습니다."
TRANSLATION = "The ground-truth score function has the very complicated distribution of real data, which is hard for us to predict."
STATEMENT = "many noise levels, and annealing, overcome gaps in the data, weights of far modes, thin supports"
CORRECTION = r"weights and gaps where $\sigma$ is large; the last level has its gap, and its noise stays in every sample; a thin support needs one level alone"
EXPECTED = "qualified"
LARGE, LAST = "at large noise", "at the last level"
CONDITIONS = {"at large noise": True, "at the last level": False}
REFERENCE = "Song and Ermon (2019), sections 3 and 4"
LEADING = "share in the mode at (5, 5), annealed by exact scores"
USES = {"model": ("noise_conditional_energy", "mlp_energy"), "loss": ("denoising_ladder", "denoising")}

SIGMAS, PER_LEVEL, STEP_SIZE, PLAIN_STEP = (8.0, 4.0, 2.0, 1.0, 0.5), 100, 0.0125, 0.05
STEPS = PER_LEVEL * len(SIGMAS)
NETWORKS, CHAINS, TRAINING, RATE = 280, 128, Training(size=20_000, batch=128, steps=(500,)), 2e-2
LADDER = ("noise_conditional_energy:width=16", "denoising_ladder:sigmas=8|4|2|1|0.5")
ONE_LEVEL = ("mlp_energy:width=16", "denoising:sigma=0.5")
EXACT_CHAINS, RIGHT, FEW = 48_000, 0.2, 0.1
RINGS, RING_STEP, RING_CHAINS, RING_POINTS, RING_LOOKS = (1.0, 0.5, 0.2, 0.1), 0.0005, 4_000, 128, (340, 355, 370, 385, 400)
RADII, HALF_STEP = 7.0, 0.005
EXACT_PLAIN = "share in the mode at (5, 5), at the last level alone by exact scores"
SPREAD = "mean squared distance along the diagonal from the mode at (5, 5), annealed by exact scores"
TRAINED = {name: name.replace("by exact scores", "on a trained ladder") for name in (LEADING, SPREAD)}
PLAIN = "share in the mode at (5, 5), trained at the last level alone"
EXACT_NEARER = "by how much the share annealed by exact scores is nearer to 0.8 than that of the last level alone, at least 0"
NEARER = f"share of networks whose share at the last level alone is nearer to 0.8 than the ladder's, at most {FEW:g}"
THICKNESS, ONE_RING = "mean distance from the circle, annealed", "mean distance from the circle, at the last level alone"
SPREAD_STATED = f"{SPREAD}, as stated"
FIRST_WRONG, LAST_WRONG = (
    f"share of networks wrong between the modes at sigma = {sigma:g}, ladder, at most {FEW:g}" for sigma in (SIGMAS[0], SIGMAS[-1])
)
LAST_RIGHT, PLAIN_RIGHT = (
    f"share of networks right between the modes at sigma = 0.5, {what}, at most {FEW:g}" for what in ("ladder", "one level")
)


def predict() -> list[Prediction]:
    """Products of Euler's kernels, along the diagonal and the radius."""
    stages = [(1 + s * s, STEP_SIZE * (s / SIGMAS[-1]) ** 2, PER_LEVEL) for s in SIGMAS]
    share, spread = two_modes.law(stages, 60.0, 0.1)
    last = [(1 + SIGMAS[-1] ** 2, PLAIN_STEP, STEPS)]
    plain, _ = two_modes.law(last, 20.0, 0.05)
    thick, one_level = (_distance(sigmas) for sigmas in (RINGS, RINGS[-1:] * len(RINGS)))
    levels: dict[str, float | str] = {"levels": len(SIGMAS)}
    first_level, last_level, ring = ({"sigma": sigma} for sigma in (SIGMAS[0], SIGMAS[-1], RINGS[-1]))
    return [
        Prediction(EXACT_NEARER, LARGE, levels, "", 0.0),
        Prediction(NEARER, LARGE, levels, "", 0.0, FEW),
        Prediction(FIRST_WRONG, LARGE, first_level, "", 0.0, FEW),
        Prediction(LEADING, CORRECTED, levels, "", share),
        Prediction(EXACT_PLAIN, CORRECTED, {"levels": 1}, "", plain),
        Prediction(SPREAD, CORRECTED, levels, "x^2", spread),
        Prediction(THICKNESS, CORRECTED, ring, "x", thick),
        Prediction(ONE_RING, CORRECTED, ring, "x", one_level),
        Prediction(LAST_RIGHT, CORRECTED, last_level, "", 0.0, FEW),
        Prediction(PLAIN_RIGHT, CORRECTED, last_level, "", 0.0, FEW),
        Prediction(LAST_WRONG, LAST, last_level, "", 0.0, FEW),
        Prediction(SPREAD_STATED, LAST, levels, "x^2", 1.0),
        Prediction(TRAINED[LEADING], IDENTITY, levels, "", share),
        Prediction(TRAINED[SPREAD], IDENTITY, levels, "x^2", spread),
        Prediction(PLAIN, IDENTITY, {"levels": 1}, "", plain),
    ]


def _distance(sigmas: tuple[float, ...]) -> float:
    """The mean of | |x| - 1 | at the looks, after PER_LEVEL steps at each level from the circle with the first ring's noise."""
    r = np.arange(HALF_STEP, RADII, 2 * HALF_STEP)
    law, looked = _rice(r, np.ones(1), RINGS[0] ** 2)[:, 0], []
    for k, sigma in enumerate(sigmas):
        c = RING_STEP * (sigma / RINGS[-1]) ** 2
        score = (i1e(r / sigma**2) / i0e(r / sigma**2) - r) / sigma**2
        kernel = _rice(r, np.abs(r + c * score), 2 * c) * 2 * HALF_STEP
        for step in range(PER_LEVEL):
            law = kernel @ law
            if k * PER_LEVEL + step + 1 in RING_LOOKS:
                looked.append(float(np.abs(r - 1) @ law / law.sum()))
    return math.fsum(looked) / len(looked)


def _rice(r: np.ndarray, m: np.ndarray, variance: float) -> np.ndarray:
    """The density of |m + noise of this variance in the plane| at r, (to, from)."""
    return r[:, None] / variance * np.exp(-((r[:, None] - m) ** 2) / (2 * variance)) * i0e(r[:, None] * m / variance)


def measure(master: int) -> dict[str, Measurement]:
    """Trained ladders, networks of one level, and a noised circle."""
    target = two_modes.target(1.0)
    ladder, one_level = (_trained(*specs, target, master) for specs in (LADDER, ONE_LEVEL))

    def streams(use: str) -> list[torch.Generator]:
        return [generator(master, "claim", "noise-ladder", use, k) for k in range(NETWORKS)]

    start = torch.stack([two_modes.start(CHAINS, g) for g in streams("start")])
    annealed = run(_annealed(SIGMAS, STEP_SIZE), ladder, start, (STEPS,), streams("annealed"), GRADIENTS)
    plain = run(ULA(torch.tensor([[PLAIN_STEP]]), torch.ones(1, 1)), one_level, start, (STEPS,), streams("plain"), GRADIENTS)
    along, along_plain = (two_modes.along(outcome.samples[0, :, 0]) for outcome in (annealed, plain))  # (network, chain)
    right = (along > 0).double()
    spread = (right * (along - two_modes.MIDDLE).square()).sum(1) / right.sum(1)

    square = 2 * torch.rand(1_000, 2, generator=generator(master, "claim", "noise-ladder", "square")) - 1
    first, last, single = (
        relative_errors(density, target.perturbed(sigma), square)
        for density, sigma in ((ladder.perturbed(SIGMAS[0]), SIGMAS[0]), (ladder, SIGMAS[-1]), (one_level, SIGMAS[-1]))
    )
    away = [(shares.mean(1) - two_modes.SHARES[1]).abs() for shares in (right, (along_plain > 0).double())]
    missed = {
        NEARER: away[1] < away[0],
        FIRST_WRONG: first >= RIGHT,
        LAST_WRONG: last >= RIGHT,
        LAST_RIGHT: last < RIGHT,
        PLAIN_RIGHT: single < RIGHT,
    }
    return (
        {name: share_at_most(misses, FEW, "networks") for name, misses in missed.items()}
        | {
            TRAINED[LEADING]: mean(right.mean(1), "networks"),
            PLAIN: mean((along_plain > 0).double().mean(1), "networks"),
            TRAINED[SPREAD]: mean(spread, "networks"),
        }
        | _by_exact_scores(master)
    )


def _by_exact_scores(master: int) -> dict[str, Measurement]:
    """Two modes, and the circle, annealed and at the last level alone."""

    def stream(use: str) -> torch.Generator:
        return generator(master, "claim", "noise-ladder", "exact", use)

    start = two_modes.start(EXACT_CHAINS, stream("start"))[None]
    noised = {sigma: exact_density(two_modes.target(1 + sigma**2)) for sigma in SIGMAS}
    ladder = Density(perturbed=noised.__getitem__)
    along = two_modes.along(run(_annealed(SIGMAS, STEP_SIZE), ladder, start, (STEPS,), [stream("annealed")], GRADIENTS).samples[0, 0, 0])
    ula = ULA(torch.tensor([[PLAIN_STEP]]), torch.ones(1, 1))
    plain = run(ula, noised[SIGMAS[-1]], start, (STEPS,), [stream("plain")], GRADIENTS).samples[0, 0, 0].sum(-1)
    right, right_plain = (along > 0).double(), (plain > 0).double()

    def nearer(shares: Tensor) -> Tensor:
        away = (shares - two_modes.SHARES[1]).abs()
        return away[1] - away[0]

    measurements = {
        LEADING: mean(right),
        EXACT_PLAIN: mean(right_plain),
        EXACT_NEARER: of_means(torch.stack([right, right_plain], -1), nearer),  # of one start
        SPREAD: of_means(torch.stack([right, right * (along - two_modes.MIDDLE).square()], -1), lambda m: m[1] / m[0]),
    }
    measurements[SPREAD_STATED] = measurements[SPREAD]
    ring = manifold.noised(RINGS[0], RING_POINTS).sample(RING_CHAINS, stream("ring"))
    circles = {sigma: exact_density(manifold.noised(sigma, RING_POINTS)) for sigma in RINGS}
    for name, sigmas in ((THICKNESS, RINGS), (ONE_RING, RINGS[-1:] * len(RINGS))):
        sampler = _annealed(sigmas, RING_STEP)
        x = run(sampler, Density(perturbed=circles.__getitem__), ring[None], RING_LOOKS, [stream(name)], GRADIENTS).samples[:, 0, 0]
        measurements[name] = mean((x.double().norm(dim=-1) - 1).abs().mean(0))
    return measurements


def relative_errors(density: Density, target: Target, x: Tensor) -> Tensor:
    """E |s - s*|^2/E |s*|^2 at x (n, d), (network,)."""
    true = target.score(x)
    learnt = density.score(x.expand(NETWORKS, 1, *x.shape))[:, 0].detach()
    return (learnt - true).square().sum((1, 2)) / true.square().sum()


def _trained(model: str, loss: str, target: Target, master: int) -> Density:
    """A stack of networks."""
    specs = parse("model", model), parse("loss", loss)
    fitted = fit(target, specs[0], [specs[1]], [RATE], TRAINING, TRAINING.steps, master, list(range(NETWORKS)), "noise-ladder")
    return trained(*specs, TRAINING.steps[-1], {k: v[0] for k, v in fitted.parameters[-1].items()}, target).density


def _annealed(sigmas: tuple[float, ...], step_size: float) -> Annealed:
    return Annealed(torch.tensor([[step_size]]), torch.ones(1, 1), sigmas=sigmas, steps=PER_LEVEL)
