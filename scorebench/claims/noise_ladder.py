r"""Many noise levels repair weights and gaps where the noise is large; the last level keeps its own gap and its own noise.

Statement (Song and Ermon 2019): scores at many noise levels with annealed Langevin overcome all three failures: gaps in the data, weights of far modes, thin
supports.

Prediction. .2 N((-5, -5), I) + .8 N((5, 5), I), levels 8, 4, 2, 1, .5, 100 steps each, c_i = c sigma_i^2/sigma_L^2 with c = .0125; start uniform on [-8,
8]^2. **Weights.** By products of Euler's kernels along the diagonal (as in `mixing_weights`) exact noised scores give the share .7594 right, near .8; the
last level alone, 500 steps of c = .05, that of the start, .5113 (a trained score there is wrong between the modes, and its share anything). **Gaps.** On
the square [-1, 1]^2 between the modes noise of 8 puts data: the error of a trained score is 0 there, relative to its size, at the first level. At the
last, .5, the square is as empty as before: as stated the error would be 0, too. **The last level's noise.** Within the right mode the variance along the
diagonal is 1.362 by the kernels (1.25 and a rest of the level before), as stated 1. On the unit circle, levels 1, .5, .2, .1, E (|x| - 1)^2 is that of the
noised circle, .00997 and not 0.

Measurement: the project's own noise-conditional energy, trained by the loss of many levels, 1,000 steps of 256 points, and annealed, 6,400 chains; exact
scores at one level, by ULA, as many. A network is off: by .05 in shares, .06 in variances, .1 in relative errors, tolerances taken from trials on other seeds.
The circle by exact scores of 256 points, noised, 4,000 chains, c = .0005, whose law is off by 5 %, the tolerance. The leading number has a standard error
of .7 %: an error of 12 %, .05 and 5.3 standard errors, is seen in 9 of 10 runs.

Reference: Song and Ermon (2019), sections 3 and 4, algorithm 1.
"""

import torch
from torch import Tensor

from scorebench.claims import manifold, mixing_weights
from scorebench.claims.base import CORRECTED, Measurement, Prediction, mean, of_means
from scorebench.config import Training
from scorebench.models.base import Bound, score
from scorebench.rng import generator
from scorebench.samplers.annealed import GRADIENTS, Annealed
from scorebench.samplers.base import Density, exact_density, run
from scorebench.samplers.ula import ULA
from scorebench.spec import parse
from scorebench.training import fit

LABEL = "What a ladder of noise levels repairs"
SOURCE = "Song and Ermon (2019), which the article's section leads to"
STATEMENT = r"\text{many noise levels, and annealing, overcome gaps in the data, weights of far modes, thin supports}"
CORRECTION = r"\text{weights and gaps where } \sigma \text{ is large; the last level has its gap, and its noise stays in every sample}"
EXPECTED = "qualified"
LARGE, LAST = "at large noise", "at the last level"
CONDITIONS = {"at large noise": True, "at the last level": False}
REFERENCE = "Song and Ermon (2019), sections 3 and 4"
LEADING = "share right, annealed on a trained ladder"

SIGMAS, PER_LEVEL, STEP_SIZE, PLAIN_STEP = (8.0, 4.0, 2.0, 1.0, 0.5), 100, 0.0125, 0.05
CHAINS, TRAINING, RATE = 6_400, Training(size=20_000, batch=256, steps=(1_000,)), 2e-2
OFF_SHARE, OFF_SPREAD, OFF = 0.05, 0.06, 0.1
RINGS, RING_STEP, RING_CHAINS, RING_OFF = (1.0, 0.5, 0.2, 0.1), 0.0005, 4_000, 0.05
ONE_LEVEL, SPREAD = (
    "share right, exact scores at the last level alone",
    "variance along the diagonal in the right mode, annealed on a trained ladder",
)
THICKNESS, STATED = "mean squared distance from the circle, annealed", "{}, as stated"


def _gap(sigma: float) -> str:
    return f"relative error of the trained score between the modes at sigma = {sigma:g}"


def predict() -> list[Prediction]:
    """Products of Euler's kernels; quadrature for the circle."""
    stages = [(1 + s * s, STEP_SIZE * (s / SIGMAS[-1]) ** 2, PER_LEVEL) for s in SIGMAS]
    share, spread = mixing_weights.law(mixing_weights.SHARES, stages, 60.0, 0.1)
    last = [(1 + SIGMAS[-1] ** 2, PLAIN_STEP, PER_LEVEL * len(SIGMAS))]
    plain, _ = mixing_weights.law(mixing_weights.SHARES, last, mixing_weights.NARROW, mixing_weights.FINE)
    thick = manifold.radial(lambda r: (r - 1) ** 2, RINGS[-1])
    return [
        Prediction(LEADING, LARGE, {"levels": len(SIGMAS)}, "", share, OFF_SHARE),
        Prediction(_gap(SIGMAS[0]), LARGE, {"sigma": SIGMAS[0]}, "", 0.0, OFF),
        Prediction(ONE_LEVEL, CORRECTED, {"levels": 1}, "", plain),
        Prediction(SPREAD, CORRECTED, {"levels": len(SIGMAS)}, "x^2", spread, OFF_SPREAD),
        Prediction(THICKNESS, CORRECTED, {"sigma": RINGS[-1]}, "x^2", thick, RING_OFF * thick),
        Prediction(_gap(SIGMAS[-1]), LAST, {"sigma": SIGMAS[-1]}, "", 0.0, OFF),
        Prediction(STATED.format(SPREAD), LAST, {"levels": len(SIGMAS)}, "x^2", 1.0, OFF_SPREAD),
        Prediction(STATED.format(THICKNESS), LAST, {"sigma": RINGS[-1]}, "x^2", 0.0, RING_OFF * thick),
    ]


def measure(master: int) -> dict[str, Measurement]:
    """A trained ladder, the last level alone, and a noised circle."""

    def stream(use: str) -> torch.Generator:
        return generator(master, "claim", "noise-ladder", use)

    target = mixing_weights.two_modes(mixing_weights.SHARES, 1.0)
    loss = parse("loss", "denoising_ladder:sigmas=" + "|".join(f"{s:g}" for s in SIGMAS))
    model = parse("model", "noise_conditional_energy:width=32")
    fitted = fit(target, model, [loss], [RATE], TRAINING, TRAINING.steps, master, ["noise-ladder"], "claim")
    ladder = Bound(fitted.module, {k: v[0, 0] for k, v in fitted.parameters[-1].items()}, fitted.gives_energy)

    def at(sigma: float) -> Density:
        return Density(score=lambda x: score(ladder.at(torch.tensor(sigma)), x))

    edge = mixing_weights.EDGE
    start = edge * (2 * torch.rand(CHAINS, 2, generator=stream("start")) - 1)
    last = (PER_LEVEL * len(SIGMAS),)
    x = run(_annealed(SIGMAS, STEP_SIZE), Density(perturbed=at), start[None], last, [stream("annealed")], GRADIENTS).samples[0, 0, 0]
    sampler = ULA(torch.tensor([[PLAIN_STEP]]), torch.ones(1, 1))
    one_level = target.perturbed(SIGMAS[-1])
    assert one_level is not None
    plain = run(sampler, exact_density(one_level), start[None], last, [stream("plain")], GRADIENTS).samples[0, 0, 0]
    along = x.double().sum(-1) / 2**0.5
    right = (along > 0).double()
    columns = torch.stack([right, right * along, right * along.square()], -1)
    square = 2 * torch.rand(1_000, 2, generator=stream("square")) - 1

    ring = manifold.noised(RINGS[0]).sample(RING_CHAINS, stream("ring start"))
    circles = Density(perturbed=lambda sigma: exact_density(manifold.noised(sigma)))
    x = run(_annealed(RINGS, RING_STEP), circles, ring[None], (PER_LEVEL * len(RINGS),), [stream("ring")], GRADIENTS).samples[0, 0, 0]
    found = {
        LEADING: mean(right),
        ONE_LEVEL: mean(plain.sum(-1) > 0),
        SPREAD: of_means(columns, lambda m: m[2] / m[0] - (m[1] / m[0]) ** 2),
        THICKNESS: mean((x.double().norm(dim=-1) - 1).square()),
    }
    for sigma in (SIGMAS[0], SIGMAS[-1]):
        noised = target.perturbed(sigma)
        assert noised is not None and noised.score is not None
        found[_gap(sigma)] = Measurement(relative_error(score(ladder.at(torch.tensor(sigma)), square), noised.score(square)))
    return found | {STATED.format(name): found[name] for name in (SPREAD, THICKNESS)}


def relative_error(found: Tensor, true: Tensor) -> float:
    """E |s - s*|^2/E |s*|^2, (n, d) twice."""
    return float((found - true).square().sum() / true.square().sum())


def _annealed(sigmas: tuple[float, ...], step_size: float) -> Annealed:
    return Annealed(torch.tensor([[step_size]]), torch.ones(1, 1), sigmas=sigmas, steps=PER_LEVEL)
