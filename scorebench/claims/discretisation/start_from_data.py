r"""From data, K steps keep p as far as their size allows: the law moves from p to that of the scheme.

Statement: x_0 is a random sample of the real data, from which (158) makes samples. (The paper that it follows draws x_0 from a prior. What a start elsewhere
would do the article does not say.)

Prediction. p = .8 N(-2, 1) + .2 N(2, 1), modes that chains cross between at a rate of .142 (the spectral gap): what K steps make of the start is theirs to
spoil. If (158) samples p, x_K has p's law as x_0 has: the share right of 0, .2137, and the variance within the left mode, about -2 given x < 0, .8983.
One criterion for both and at either step, set beforehand: within 5 % of p's. The law after K steps is the K-th power of Euler's transition kernel on nodes
(exact to rounding); after t = 10

    c = .05, K = 200: share .2155, variance .9189, off by .9 and 2.3 %;     c = .4, K = 25: .2342 and 1.0883, off by 9.6 and 21 %.

Measurement: the project's own ULA, 250,000 chains a step size. A share has a standard error of .4 %, a variance of .4 %: an error of 3 % is seen in 9 of 10
runs. Of a gap to p's, which is known, 5.3 standard errors are 2.2 % or less, and the share that is off by 9.6 % is 11 of them above the 5 %.

Reference: Luo (2022), below eq. 158; Song and Ermon (2019), section 3.2.2.
"""

import numpy as np
import torch

from scorebench.claims.base import CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, of_means, relative_gap
from scorebench.claims.lib.langevin import euler_kernel, langevin, on_line
from scorebench.claims.lib.spectral import potential_of
from scorebench.core.rng import generator

LABEL = "A chain that starts at data ends at p"
SOURCE = "Sampling Using Langevin Dynamics, below (158)"
QUOTE = "$x_0$는 real data의 분포에서 random하게 sampling한 값이고"
TRANSLATION = "$x_0$ is a value sampled at random from the distribution of the real data"
STATEMENT = r"from $x_0$, a sample of the real data, (158) leads to $x_K \sim p$"
CORRECTION = "from $p$ the steps lead away, to the law of the scheme: near $p$ for a small step, not for a large one"
EXPECTED = "qualified"
SMALL, LARGE = "a small step", "a large step"
CONDITIONS = {"a small step": True, "a large step": False}
REFERENCE = "Luo (2022), below eq. 158; Song and Ermon (2019), section 3.2.2"
LEADING = "variance within the left mode at c = 0.05"

PARTS = ((0.8, -2.0, 1.0), (0.2, 2.0, 1.0))
STEP_SIZES, TIME, CHAINS = {SMALL: 0.05, LARGE: 0.4}, 10.0, 250_000
HALF_WIDTH, NODES, NEAR = 12.0, 1_201, 0.05
SHARE, WIDTH = "share right of 0 at c = {:g}", "variance within the left mode at c = {:g}"


def _near(name: str) -> str:
    return f"relative gap of the {name} to p's, at most {NEAR:g}"


def _numbers(law: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    """Share right of 0, and the variance within the left mode, of a density at nodes with 0 among them."""
    left = law * ((x < 0) + 0.5 * (np.abs(x) < (x[1] - x[0]) / 2))
    mass, first, second = (float(left @ (x - PARTS[0][1]) ** power) for power in range(3))
    return 1 - mass * float(x[1] - x[0]), second / mass - (first / mass) ** 2


def _of_data() -> tuple[np.ndarray, np.ndarray]:
    """Nodes, and p at them."""
    x = np.linspace(-HALF_WIDTH, HALF_WIDTH, NODES)
    return x, np.exp(-potential_of(*PARTS)[0](x))


def predict() -> list[Prediction]:
    """Powers of Euler's kernel on p."""
    x, p = _of_data()
    slope, predictions = potential_of(*PARTS)[1], []
    for size, c in STEP_SIZES.items():
        kernel, law = euler_kernel(lambda x: -slope(x), c, x), p
        for _ in range(round(TIME / c)):
            law = kernel @ law
        for name, unit, value in zip((SHARE, WIDTH), ("", "x^2"), _numbers(law, x), strict=True):
            predictions.append(Prediction(name.format(c), CORRECTED, {"step_size": c}, unit, value))
            predictions.append(Prediction(_near(name.format(c)), size, {"step_size": c}, "", 0.0, NEAR))
    return predictions


def measure(master: int) -> dict[str, Measurement]:
    """A run from data at each step size."""
    x, p = _of_data()
    target, measurements = on_line(*PARTS), {}
    for c in STEP_SIZES.values():
        starts, stream = (generator(master, "claim", "start-from-data", c, use) for use in ("start", "sample"))
        (end,) = langevin(target, target.sample(CHAINS, starts), c, (TIME,), stream)[..., 0].double()
        left, off = (end < 0).double(), end - PARTS[0][1]
        share = mean(end > 0)
        width = of_means(torch.stack([left, left * off, left * off.square()], -1), lambda m: m[2] / m[0] - (m[1] / m[0]) ** 2)
        for name, found, true in zip((SHARE, WIDTH), (share, width), _numbers(p, x), strict=True):
            measurements[name.format(c)] = found
            measurements[_near(name.format(c))] = relative_gap(found, true)
    return measurements
