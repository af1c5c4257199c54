r"""Only from the data itself do K steps keep the weights of far modes: the start needs what is to be sampled.

Statement: x_0 is a random sample of the real data. (The paper that it follows draws x_0 from a prior.)

Prediction. p = .8 N(-5, 1) + .2 N(5, 1), K = 100 steps of c = .1. Steps are local: within 10 units of time a chain ends in the mode of its basin, and
weights are those of the start's basins, blurred near the divide. The law after K steps is the K-th power of Euler's transition kernel on nodes (exact to
rounding); shares right of 0:

    from data: .200      from U[-10, 10]: .492      from N(0, 25): .488      from 0: .186

p's share is .2. As stated, the chain samples p: right from data, where K steps have nothing to do but keep what they were given; wrong from all that does
not know p. But the share is not the law. Within a mode chains forget their start, and have the scheme's variance, 1/(1 - c/2) = 1.0526 (but for the cut at
0), not p's, 1: from data, too, x_K is no sample of p.

Measurement: the project's own ULA, 100,000 chains a start. The variance has a standard error of .5 %, a share has a standard error of .6 % (.2) or .3 %:
an error of 4 % is seen in 9 of 10 runs.

Reference: Luo (2022), below eq. 158; Song and Ermon (2019), section 3.2.2.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from scorebench.claims.base import CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, of_means
from scorebench.claims.lib.langevin import euler_kernel, langevin, on_line
from scorebench.claims.lib.spectral import potential_of
from scorebench.core.rng import generator
from scorebench.targets.base import Target
from scorebench.targets.lib.mixture import normal

LABEL = "A chain that starts at data ends at p"
SOURCE = "Sampling Using Langevin Dynamics, below (158)"
QUOTE = "$x_0$는 real data의 분포에서 random하게 sampling한 값이고"
TRANSLATION = "$x_0$ is a value sampled at random from the distribution of the real data"
STATEMENT = r"from $x_0$, a sample of the real data, (158) leads to $x_K \sim p$, and from where else it starts does not matter"
CORRECTION = (
    "the start sets the weights of far modes: only the data's own are right, and need what is to be sampled; their widths "
    "are the scheme's from any start"
)
EXPECTED = "qualified"
DATA, ELSEWHERE = "weights, from data", "weights from elsewhere, and widths"
CONDITIONS = {"weights, from data": True, "weights from elsewhere, and widths": False}
REFERENCE = "Luo (2022), below eq. 158; Song and Ermon (2019), section 3.2.2"
LEADING = "share right of 0 from data"

PARTS = ((0.8, -5.0, 1.0), (0.2, 5.0, 1.0))
STEP_SIZE, STEPS, CHAINS = 0.1, 100, 100_000
HALF_WIDTH, NODES = 25.0, 2_501
WIDE, EDGE = 25.0, 10.0
AS_STATED = "{}, if p is sampled"
WIDTH = "variance within the left mode from data"
UNIFORM, NORMAL, POINT = "U[-10, 10]", "N(0, 25)", "x0 = 0"


def _share(start: str) -> str:
    return f"share right of 0 from {start}"


def predict() -> list[Prediction]:
    """Powers of Euler's kernel on each start's density."""
    potential, slope, _ = potential_of(*PARTS)
    x = np.linspace(-HALF_WIDTH, HALF_WIDTH, NODES)
    spacing = x[1] - x[0]
    kernel = euler_kernel(lambda x: -slope(x), STEP_SIZE, x)
    inside = (np.abs(x) < EDGE - spacing / 2) + 0.5 * (np.abs(np.abs(x) - EDGE) < spacing / 2)
    starts = {
        "data": np.exp(-potential(x)),
        UNIFORM: inside / (2 * EDGE),
        NORMAL: np.exp(-x * x / (2 * WIDE)) / np.sqrt(2 * np.pi * WIDE),
        POINT: (np.abs(x) < spacing / 2) / spacing,
    }
    right = (x > spacing / 2) + 0.5 * (np.abs(x) < spacing / 2)

    def width(law: np.ndarray) -> float:
        mass, first, second = (float(((1 - right) * (x - PARTS[0][1]) ** power) @ law) for power in range(3))
        return second / mass - (first / mass) ** 2

    predictions = []
    for start, first in starts.items():
        law = first
        for _ in range(STEPS):
            law = kernel @ law
        name, setting, value = _share(start), {"start": start}, float(spacing * right @ law)
        if start == "data":
            predictions.append(Prediction(name, DATA, setting, "", PARTS[1][0], abs(value - PARTS[1][0])))
            predictions.append(Prediction(WIDTH, CORRECTED, setting, "x^2", width(law)))
            predictions.append(Prediction(AS_STATED.format(WIDTH), ELSEWHERE, setting, "x^2", width(first)))
        else:
            predictions.append(Prediction(name, CORRECTED, setting, "", value))
            predictions.append(Prediction(AS_STATED.format(name), ELSEWHERE, setting, "", PARTS[1][0]))
    return predictions


def measure(master: int) -> dict[str, Measurement]:
    """Four starts."""
    target = on_line(*PARTS)
    starts: dict[str, Callable[[Target, torch.Generator], Tensor]] = {
        "data": lambda p, g: p.sample(CHAINS, g),
        UNIFORM: lambda p, g: EDGE * (2 * torch.rand(CHAINS, 1, generator=g) - 1),
        NORMAL: lambda p, g: normal(1, WIDE).sample(CHAINS, g),
        POINT: lambda p, g: torch.zeros(CHAINS, 1),
    }
    measurements = {}
    for start, draw in starts.items():
        of_start, stream = (generator(master, "claim", "start-from-data", start, use) for use in ("start", "sample"))
        (x,) = langevin(target, draw(target, of_start), STEP_SIZE, (STEPS * STEP_SIZE,), stream)[..., 0]
        name = _share(start)
        measurements[name] = mean(x > 0)
        if start == "data":
            name, left, off = WIDTH, (x < 0).double(), x.double() - PARTS[0][1]
            measurements[name] = of_means(
                torch.stack([left, left * off, left * off.square()], -1), lambda m: m[2] / m[0] - (m[1] / m[0]) ** 2
            )
        measurements[AS_STATED.format(name)] = measurements[name]
    return measurements
