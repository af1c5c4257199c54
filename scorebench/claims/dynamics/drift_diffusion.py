r"""Drift alone decays, diffusion alone spreads for ever, both together find a law.

Statement: in dx = -grad V dt + sqrt(2) sigma dW the first term is the drift, the second the diffusion.

Prediction. V = x^2/2, x_0 = 4, at t = .5, 1, 2:

    drift alone,        sigma = 0:       x = 4 e^-t
    diffusion alone,    grad V = 0:      mean 4, variance 2 sigma^2 t
    both (Ornstein-Uhlenbeck):           mean 4 e^-t, variance sigma^2 (1 - e^-2t)

at sigma = 1/2, where sigma^2 is not sigma; at another one the variances are the same numbers, rescaled. Var 2 sigma^2 t is why D = sigma^2 is called the
coefficient of diffusion.

Measurement: the project's own ULA with h = .01, 100,000 chains. Diffusion alone is exact in law at any h; with drift Euler's known law gives the tolerance, 1 %
of a value or less. A variance has a standard error of .45 %: an error of 3 % beyond it is seen in 9 of 10 runs. Drift alone has no noise: its chains are all
alike, and (1 - h)^k is what they do: shown, not counted; that the drift decays is counted in the means of both.

Reference: Pavliotis (2014), section 3.4; Einstein (1905).
"""

from typing import Any

import torch

from scorebench.claims.base import AS_WRITTEN, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, variance
from scorebench.claims.lib.langevin import langevin, normal, ou_euler_law, ou_law
from scorebench.core.rng import generator
from scorebench.samplers.base import Density
from scorebench.targets.base import Target

LABEL = "Langevin dynamics is a drift and a diffusion"
SOURCE = "Langevin Dynamics, below the overdamped equation, figure of drift and diffusion"
QUOTE = r"확실한건 $\sigma dw$는 이 식의 불확실성을 의미하고 무작위의 diffusion에 대한 force를 의미한다는 것입니다."
TRANSLATION = r"What is certain is that $\sigma dw$ means the uncertainty of this equation, and the force of a random diffusion."
STATEMENT = (
    r"$dx = -\nabla V(x)\,dt + \sqrt{2}\,\sigma\,dW$ is a drift term and a diffusion term: each alone does what its name "
    r"says, both together find a law"
)
EXPECTED = "reproduced"
REFERENCE = "Pavliotis (2014), section 3.4"
LEADING = "variance of both at t = 1, T = 0.25"

START, TIMES, TEMPERATURE = 4.0, (0.5, 1.0, 2.0), 0.25
STEP_SIZE, CHAINS, ROUNDING = 0.01, 100_000, 1e-5
DRIFT, DIFFUSION, BOTH = "drift alone", "diffusion alone", "both"
KINDS = {DRIFT: 0.0, DIFFUSION: TEMPERATURE, BOTH: TEMPERATURE}
PATHS, EVERY, END = 12, 2, 2.2
"""Of the picture: paths, steps from one time to the next, the last time."""


def _name(moment: str, what: str, t: float) -> str:
    return f"{moment} of {what} at t = {t:g}, T = {KINDS[what]:g}"


def predict() -> list[Prediction]:
    """Closed forms; drift alone is both at T = 0."""
    predictions = []
    for what, temperature in KINDS.items():
        group = IDENTITY if what == DRIFT else AS_WRITTEN
        for t in TIMES:
            law = by_scheme = (START, 2 * temperature * t)
            if what != DIFFUSION:
                law = ou_law(t, START, 0.0, temperature)
                by_scheme = ou_euler_law(STEP_SIZE, round(t / STEP_SIZE), START, 0.0, temperature)
            setting = {"t": t, "temperature": temperature}
            for moment, unit, value, euler in zip(("mean", "variance"), ("x", "x^2"), law, by_scheme, strict=True):
                predictions.append(Prediction(_name(moment, what, t), group, setting, unit, value, abs(value - euler) + ROUNDING))
    return predictions


def _density(what: str) -> Target | Density:
    return Density(score=torch.zeros_like) if what == DIFFUSION else normal(0.0, 1.0)


def measure(master: int) -> dict[str, Measurement]:
    """ULA with the score, with noise, with both."""
    measurements: dict[str, Measurement] = {}
    for what, temperature in KINDS.items():
        stream = generator(master, "claim", "drift-diffusion", what, temperature)
        start = torch.full((CHAINS if temperature else 8, 1), START)
        for t, x in zip(
            TIMES,
            langevin(_density(what), start, STEP_SIZE, TIMES, stream, temperature)[..., 0],
            strict=True,
        ):
            for moment, measured in (("mean", mean(x)), ("variance", variance(x))):
                measurements[_name(moment, what, t)] = measured if temperature else Measurement(measured.measured)
    return measurements


def picture(master: int) -> dict[str, Any]:
    """Drift, diffusion and both, in this order: paths (3, path, time), mean and variance (3, time), the names of what was measured (3, time)."""
    times = [STEP_SIZE * EVERY * k for k in range(round(END / STEP_SIZE / EVERY) + 1)]
    start = torch.full((PATHS, 1), START)
    later = [langevin(_density(what), start, STEP_SIZE, times[1:], generator("paths", what), t)[..., 0] for what, t in KINDS.items()]
    laws = torch.tensor(
        [[(START, 2 * t * u) if what == DIFFUSION else ou_law(u, START, 0.0, t) for u in times] for what, t in KINDS.items()]
    )
    return {
        "times": torch.tensor(times),
        "paths": torch.stack([torch.cat([start, x.T], -1) for x in later]),
        "mean": laws[..., 0],
        "variance": laws[..., 1],
        "measured_times": TIMES,
        **{f"{m}_names": [[_name(m, what, u) for u in TIMES] for what in KINDS] for m in ("mean", "variance")},
    }
