r"""Langevin does not see the weights of far modes; annealing carries mass between them, and comes close, not exactly.

Statement (Song and Ermon 2019, Fig. 3): on .2 N((-5, -5), I) + .8 N((5, 5), I) Langevin dynamics gives wrong weights, annealed Langevin right ones.

Prediction. The weights enter the score by the sum of the coordinates alone: along a = (x_1 + x_2)/sqrt 2 it is that of .2 N(-m, v) + .8 N(m, v), m = 5
sqrt 2. The start, uniform on [-8, 8]^2, has the density (8 sqrt 2 - |a|)/128 along a. So the law of a after K steps is a product of Euler's transition
kernels on nodes, exact to rounding; it says on which side of 0 chains are, and E (a - m)^2 on the right.

**Plain**, 1,000 steps of c = .05 (the paper's step is 2c): the share right is .5089, that of the start's basins; with weights .5 and .5 it is .5 by
symmetry (shown, not counted).
**Annealed**, sigma from 20 to 1 in 10 geometric levels of 100 steps, c_i = c sigma_i^2/sigma_L^2. In the paper's toy the components have the variance
sigma^2, p itself at the last level; the noised density p * N(0, sigma^2 I), which networks learn, has 1 + sigma^2. The share is .7823 for
the first, .7828 for the second: levels are few, and the modes part before the weights are right. Weights are seen if the share is nearer to .8 than that of
the plain run, as in `noise_ladder`: they are, though .8 it is not. Samples of p have the variance 1 along a within the right mode: it is 1.0257 by the first
way, Euler's 1/(1 - c/2) and a rest of the level before; 2.0315 by the second, twice p's: the last level's noise stays.

Measurement: the project's own ULA and annealed sampler, 20,000 chains plain, 48,000 and 45,000 annealed. The leading number has a standard error of .24 %:
an error of 1.6 % is seen in 9 of 10 runs.

Reference: Song and Ermon (2019), section 3.2.2, algorithm 1 and figure 3.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scorebench.claims.base import CORRECTED, IDENTITY, Measurement, Prediction
from scorebench.claims.lib import two_modes
from scorebench.claims.lib.estimates import mean, of_means
from scorebench.claims.lib.langevin import langevin
from scorebench.claims.lib.two_modes import CENTRE, EDGE, MIDDLE, SHARES
from scorebench.core.rng import generator
from scorebench.engine.loop import run
from scorebench.samplers.annealed import GRADIENTS, Annealed
from scorebench.samplers.base import Density, exact_density

LABEL = "Langevin does not see weights of far modes; annealing does"
SOURCE = "beyond the article (Song and Ermon 2019, figure 3); follows from Sampling Using Langevin Dynamics, below (158)"
QUOTE = "예를 들면 아래 그림처럼 mode가 2개일 때 유용하게 작용할 수 있습니다."
TRANSLATION = "For example it can be useful when there are two modes, as in the figure below."
STATEMENT = (
    r"on $0.2\,\mathcal{N}((-5,-5), I) + 0.8\,\mathcal{N}((5,5), I)$ plain Langevin does not see the weights, annealed "
    r"Langevin does, and samples it"
)
CORRECTION = (
    "annealed Langevin sees the weights, its shares are close, not exact; on noised densities each mode keeps the last level's noise"
)
EXPECTED = "qualified"
SEEN, SAMPLED = "weights", "samples of p"
CONDITIONS = {"weights": True, "samples of p": False}
REFERENCE = "Song and Ermon (2019), section 3.2.2, algorithm 1 and figure 3"
LEADING = "share in the mode at (5, 5), annealed components"

EQUAL = (0.5, 0.5)
STEP_SIZE, STEPS, PER_LEVEL, CHAINS = 0.05, 1_000, 100, {"plain": 20_000, "components": 48_000, "noised density": 45_000}
SHOWN = 1_000
SIGMAS = tuple(float(s) for s in np.geomspace(20.0, 1.0, 10))
VARIANTS: dict[str, Callable[[float], float]] = {"components": lambda sigma: sigma**2, "noised density": lambda sigma: 1 + sigma**2}
NARROW, WIDE, FINE, COARSE = 20.0, 140.0, 0.05, 0.2
PLAIN_SHARE, PLAIN_EQUAL = "share in the mode at (5, 5), plain", "share in the mode at (5, 5), plain, of weights 0.5 and 0.5"


def share_of(variant: str) -> str:
    """The quantity of that name."""
    return f"share in the mode at (5, 5), annealed {variant}"


def _nearer(variant: str) -> str:
    return f"by how much the share annealed is nearer to 0.8 than the plain one, {variant}, at least 0"


def _spread(variant: str) -> str:
    return f"mean squared distance along the diagonal from the mode at (5, 5), annealed {variant}"


def predict() -> list[Prediction]:
    """Products of Euler's kernels along the diagonal."""
    plain = [(1.0, STEP_SIZE, STEPS)]
    predictions = [
        Prediction(PLAIN_SHARE, SEEN, {"c": STEP_SIZE}, "", two_modes.law(plain, NARROW, FINE)[0]),
        Prediction(PLAIN_EQUAL, IDENTITY, {"c": STEP_SIZE}, "", two_modes.law(plain, NARROW, FINE, EQUAL)[0]),
    ]
    for variant, part in VARIANTS.items():
        share, spread = two_modes.law([(part(s), STEP_SIZE * (s / SIGMAS[-1]) ** 2, PER_LEVEL) for s in SIGMAS], WIDE, COARSE)
        setting: dict[str, float | str] = {"c": STEP_SIZE, "densities": variant}
        predictions.append(Prediction(share_of(variant), CORRECTED, setting, "", share))
        predictions.append(Prediction(_nearer(variant), SEEN, setting, "", 0.0))
        predictions.append(Prediction(_spread(variant), CORRECTED, setting, "x^2", spread))
    return [*predictions, Prediction(f"{_spread('noised density')}, as stated", SAMPLED, setting, "x^2", 1.0)]


def measure(master: int) -> dict[str, Measurement]:
    """Plain runs, and both ways to anneal."""
    measurements = {}
    for name, weights in ((PLAIN_SHARE, SHARES), (PLAIN_EQUAL, EQUAL)):
        start, stream = _streams(master, name)
        (x,) = langevin(two_modes.target(1.0, weights), two_modes.start(CHAINS["plain"], start), STEP_SIZE, (STEPS * STEP_SIZE,), stream)
        measurements[name] = mean(two_modes.along(x) > 0)
    for variant, part in VARIANTS.items():
        start, stream = _streams(master, variant)
        a = two_modes.along(_annealed(part, two_modes.start(CHAINS[variant], start), stream))
        right = (a > 0).double()
        measurements[share_of(variant)] = mean(right)
        measurements[_spread(variant)] = of_means(torch.stack([right, right * (a - MIDDLE).square()], -1), lambda m: m[1] / m[0])
    measurements[f"{_spread('noised density')}, as stated"] = measurements[_spread("noised density")]
    for variant in VARIANTS:
        independent = measurements[PLAIN_SHARE], measurements[share_of(variant)]
        plain, annealed = (abs(m.measured - SHARES[1]) for m in independent)
        error = math.hypot(*(m.standard_error for m in independent))
        measurements[_nearer(variant)] = Measurement(plain - annealed, error, min(CHAINS["plain"], CHAINS[variant]))
    return measurements


def picture(master: int) -> dict[str, Any]:
    """What the figure `mixing_weights` draws: points (exact, plain and annealed, chain, 2), the start's square, and which shares are measured."""
    target, start = two_modes.target(1.0), two_modes.start(SHOWN, generator("mixing", "start"))
    (plain,) = langevin(target, start, STEP_SIZE, (STEPS * STEP_SIZE,), generator("mixing", "plain"))
    annealed = _annealed(VARIANTS["components"], start, generator("mixing", "annealed"))
    return {
        "points": torch.stack([target.sample(SHOWN, generator("mixing", "exact")), plain, annealed]),
        "centre": CENTRE,
        "edge": EDGE,
        "share_names": [PLAIN_SHARE, PLAIN_EQUAL, *map(share_of, VARIANTS)],
        "weights": [SHARES[1], EQUAL[1], *(SHARES[1] for _ in VARIANTS)],
    }


def _streams(master: int, name: str) -> tuple[torch.Generator, torch.Generator]:
    return generator(master, "claim", "mixing-weights", name, "start"), generator(master, "claim", "mixing-weights", name, "sample")


def _annealed(part: Callable[[float], float], start: Tensor, stream: torch.Generator) -> Tensor:
    """Annealed Langevin on densities whose parts have this variance at a level: positions at the end, (chain, 2)."""
    sampler = Annealed(torch.tensor([[STEP_SIZE]]), torch.ones(1, 1), sigmas=SIGMAS, steps=PER_LEVEL)
    densities = {s: exact_density(two_modes.target(part(s))) for s in SIGMAS}
    return run(sampler, Density(perturbed=densities.__getitem__), start[None], (STEPS,), [stream], GRADIENTS).samples[0, 0, 0]
