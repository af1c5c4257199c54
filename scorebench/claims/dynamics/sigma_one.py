r"""At noise sigma the Langevin equation samples p^(1/sigma^2), so that it samples p at sigma = 1 alone.

Statement: with p = exp(-V)/Z, so that the sigma^2 of the Gibbs law is dropped, dx = grad log p dt + sqrt(2) sigma dW draws samples of p.

Prediction. It is Langevin's equation at temperature T = sigma^2 with V = -log p, whose steady state is exp(-V/T)/Z, that is p^(1/T) up to its constant. The
article's scheme, x + c grad log p(x) + sigma sqrt(2c) z, from draws of p: if p is what it samples nothing moves, but by the scheme's own bias.

**Near modes**, p = .8 N(-1.75, 1) + .2 N(1.75, 1): the share right of 0 is, by quadrature,

    T = 1/2: .0741     T = 1: .2240     T = 2: .3495     T = 4: .4221

As stated it stays .2240. At T = 1/2 the share left of 0 is counted, .9259 against .7760: of the .0741 on the right an error of 13 % is seen.

**Far modes**, p = .8 N(-5, 1) + .2 N(5, 1), where w^(1/T)/sum w^(1/T) are the shares: .4144 on the right at T = 4. At T = 1/4 no chain crosses, and within
a mode the variance is T. As stated it would be .2 and 1.

Tolerance: by how much the number of the scheme's own law after its steps, by a power of its kernel (`euler_kernel`), is off that of p^(1/T): the bias of the
step and what is left of the start. Near modes .0023, .0028, .0029 and .0025, far modes .0006, the variance .0028. With half the score the scheme would find
p^(1/(2T)): .460 for .422 at T = 4, .775 for .926 at T = 1/2.

Measurement: the project's own ULA. Near modes: c = .05, t = 40 at T = 1/2 (60,000 chains), 20 at 1 and 2, 15 at 4 (100,000 each). Far modes: c = .02, t = 4,
60,000 chains for the variance; c = .1, t = 120, 26,000 chains for the share. The leading number has a standard error of .37 %: an error of 3 %, tolerance
included, is seen in 9 of 10 runs.

Reference: Pavliotis (2014), proposition 4.2; Song and Ermon (2019), eq. 4, where sigma = 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from scipy.integrate import simpson
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, of_means
from scorebench.claims.lib.langevin import euler_kernel, gaussian_density, langevin, on_line
from scorebench.claims.lib.spectral import potential_of
from scorebench.core.rng import generator

LABEL = "Langevin dynamics with any σ samples p"
SOURCE = (
    r"Steady State of Langevin Dynamics, below the Gibbs law; Sampling Using Langevin Dynamics, the scheme with σ "
    r"before (158)"
)
QUOTE = r"우리가 실제로 추정하는 $p(x)$에 대하여, $p(x)= \frac{exp[-V(x)]}{Z}$ 입니다."
TRANSLATION = r"For the $p(x)$ that we really estimate, $p(x) = \exp[-V(x)]/Z$."
STATEMENT = (
    r"with $V = -\log p$, so that the Gibbs law's $\sigma^2$ is dropped, $dx = \nabla\log p(x)\,dt + \sqrt{2}\,\sigma\,dW$ "
    r"samples $p(x)$ at any $\sigma$"
)
CORRECTION = r"it samples $p(x)^{1/\sigma^2}/Z$: that is $p$ for $\sigma = 1$ alone"
EXPECTED = "refuted"
REFERENCE = "Pavliotis (2014), proposition 4.2"
LEADING = "share right of 0 at T = 4, near modes"

Parts = tuple[tuple[float, float, float], ...]
FAR, NEAR = (((0.8, -m, 1.0), (0.2, m, 1.0)) for m in (5.0, 1.75))
CHAINS, MIXING_CHAINS, MIXING = 60_000, 26_000, {0.5: 60_000, 1.0: 100_000, 2.0: 100_000, 4.0: 100_000}
"""Within a mode; far modes; near modes by T."""
NEAR_TIMES = {0.5: 40.0, 1.0: 20.0, 2.0: 20.0, 4.0: 15.0}
NODES = np.linspace(-24, 24, 481)
STATED = "{}, if p is sampled"
WITHIN, FAR_SHARE = "variance within the left mode at T = 0.25", "share right of 0 at T = 4, far modes"


class Run(NamedTuple):
    """One setting of the scheme, and the number that is asked of it."""

    parts: Parts
    temperature: float
    step_size: float
    time: float
    chains: int


def _runs() -> dict[str, Run]:
    near = {_share(t): Run(NEAR, t, 0.05, NEAR_TIMES[t], chains) for t, chains in MIXING.items()}
    return near | {WITHIN: Run(FAR, 0.25, 0.02, 4.0, CHAINS), FAR_SHARE: Run(FAR, 4.0, 0.1, 120.0, MIXING_CHAINS)}


def _share(t: float) -> str:
    return f"share {'left' if t < 1 else 'right'} of 0 at T = {t:g}, near modes"


def predict() -> list[Prediction]:
    """Quadrature; T = 1, where both readings agree, stands with what holds."""
    predictions = []
    for name, r in _runs().items():
        p = np.sum([w * gaussian_density(NODES, m, v) for w, m, v in r.parts], axis=0)
        kernel = euler_kernel(_score(r.parts), r.step_size, NODES, r.temperature)
        of_scheme = np.linalg.matrix_power(kernel, round(r.time / r.step_size)) @ p
        value, stated, by_scheme = (_number(name, law) for law in (p ** (1 / r.temperature), p, of_scheme))
        setting, unit, gap = {"temperature": r.temperature, "step": r.step_size}, "x^2" if name == WITHIN else "", abs(value - by_scheme)
        predictions.append(Prediction(name, CORRECTED, setting, unit, value, gap))
        if r.temperature != 1:
            predictions.append(Prediction(STATED.format(name), AS_WRITTEN, setting, unit, stated, gap))
    return predictions


def _score(parts: Parts) -> Callable[[np.ndarray], np.ndarray]:
    _, slope, _ = potential_of(*parts)
    return lambda x: -slope(x)


def _number(name: str, law: np.ndarray) -> float:
    """The number of this name, of a density at the nodes up to its constant, by Simpson's rule."""
    half = NODES > -1e-9 if "right" in name else NODES < 1e-9
    x, law, whole = NODES[half], law[half], simpson(law, NODES)
    if name != WITHIN:
        return float(simpson(law, x) / whole)
    mass, first, second = (simpson(law * x**power, x) for power in range(3))
    return float(second / mass - (first / mass) ** 2)


def measure(master: int) -> dict[str, Measurement]:
    """ULA from draws of p."""
    measurements: dict[str, Measurement] = {}
    for name, r in _runs().items():
        starts, stream = (generator(master, "claim", "sigma-one", name, use) for use in ("start", "sample"))
        target = on_line(*r.parts)
        x = langevin(target, target.sample(r.chains, starts), r.step_size, (r.time,), stream, r.temperature)[0, :, 0].double()
        if name == WITHIN:
            left, shifted = (x < 0).double(), x - r.parts[0][1]
            measurements[name] = of_means(torch.stack([left, left * shifted, left * shifted.square()], -1), _variance)
        else:
            measurements[name] = mean(x > 0 if "right" in name else x < 0)
        if r.temperature != 1:
            measurements[STATED.format(name)] = measurements[name]
    return measurements


def _variance(m: Tensor) -> Tensor:
    return m[2] / m[0] - (m[1] / m[0]) ** 2
