r"""Following the score leads to the mode of the basin where it starts, not straight there, and not to the highest.

Statement: the score's vector field leads to the mode; following it, a point reaches the mode. Two criteria for both groups, set beforehand: a flow reaches a
mode if it ends within 1e-4 of it; a score points straight at a mode if the cosine between them is .99 at least (8 degrees).

Prediction. Without noise, dx = grad log p dt.

**Within a basin.** p = .2 N(-2, .25) + .8 N(2, .25), whose density is least between the modes at -.09: from .5 the flow reaches the right mode, from -.5 the
left one; both are zeros of the score, within 1e-12 of 2 and -2, found by bisection. 1/2 N((-2, 0), .25 I) + 1/2 N((2, 0), .25 I) at (1, 1), in a basin that
is round: but for a share of e^-16 the score is that of the right part, -4 (-1, 1), and points straight at (2, 0).

**Not straight** where a basin is long. p = N(0, diag(1, 10)) at (1, sqrt 10), one standard deviation out along both axes: the score is -(1, 1/sqrt 10), the
way to the mode -(1, sqrt 10), and the cosine between them 2/sqrt(1.1 x 11) = .575: 55 degrees. Along the flow x_1 = e^-t, x_2 = sqrt 10 e^(-t/10): first one
coordinate falls, then the other, and x_2/x_1, which straight on would stay sqrt 10 = 3.162, is sqrt 10 e^.9 = 7.778 at t = 1.

**Not to the most frequent value** from everywhere, which is what the article says that a mode is: from -.5 the flow ends at -2, where the density is a
quarter of that at 2.

Measurement: the project's own ULA without noise, h = .001, until t = 5 (e^-20 is left of a start). A step h s below half a unit in the last place of x = 2 is
lost: the flow stalls where |s| < 1.2e-4, within 3e-5 of the mode. The tolerance of x_2/x_1 is that of Euler's (1 - h/10)^k/(1 - h)^k, .05 %, and half a
unit in the last place of either coordinate a step, .012 %. Nothing is random: an error of .2 % is seen.

Reference: Luo (2022), below eq. 157; Song and Ermon (2019), section 2.2.
"""

import math

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor

from scorebench.claims.base import CORRECTED, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.langevin import langevin, on_line
from scorebench.claims.lib.spectral import potential_of
from scorebench.targets.base import Target
from scorebench.targets.gaussian import gaussian
from scorebench.targets.gaussian_mixture import gaussian_mixture

LABEL = "Following the score reaches the mode"
SOURCE = "Fisher Divergence, around the figure of the vector field"
QUOTE = (
    "true data distribution의 score function을 학습하여 mode에 도달할 때까지 반복적으로 표본을 생성합니다. 위의 그림은 score function을 통해 "
    "정의된 vector field를 따라 mode를 찾아가는 모습을 시각화 한 것입니다."
)
TRANSLATION = (
    "One learns the score function of the true data distribution and makes samples, again and again, until the mode is reached. The figure "
    "above shows how the mode is found by following the vector field that the score function defines."
)
STATEMENT = r"$\nabla\log p(x)$ points to the mode, and $dx = \nabla\log p(x)\,dt$ reaches it"
CORRECTION = "it leads to the mode of the basin, straight where that is round, not in a long one; not to the highest mode from anywhere"
EXPECTED = "qualified"
BASIN, BEYOND = "to the mode of its basin, a round one", "straight in a long basin, or to the highest mode"
CONDITIONS = {"to the mode of its basin, a round one": True, "straight in a long basin, or to the highest mode": False}
REFERENCE = "Luo (2022), below eq. 157; Song and Ermon (2019), section 2.2"
LEADING = "x_2/x_1 after the flow until t = 1, N(0, diag(1, 10))"

STEP_SIZE, LONG, T, CLOSE, STRAIGHT = 0.001, 5.0, 1.0, 1e-4, 0.99
PARTS, STARTS = ((0.2, -2.0, 0.25), (0.8, 2.0, 0.25)), (-0.5, 0.5)
POINT, RATE, ROUND, MODE = (1.0, math.sqrt(10)), 0.1, (1.0, 1.0), (2.0, 0.0)
OWN, HIGHEST = "the mode of its basin", "the highest mode"
COSINE = "cosine of score and way to the mode, N(0, diag(1, 10))"
IN_ROUND, IN_LONG = (f"cosine of score and way to the mode, {basin} basin, at least {STRAIGHT:g}" for basin in ("round", "long"))


def _end(x0: float) -> str:
    return f"end of the flow from {x0:g}"


def _off(x0: float, mode: str) -> str:
    return f"distance of the end of the flow from {x0:g} to {mode}, at most {CLOSE:g}"


def _modes() -> tuple[float, float]:
    """Left and right: zeros of the score, by bisection."""
    _, slope, _ = potential_of(*PARTS)
    left, right = (brentq(lambda x: float(slope(np.array([x]))[0]), m - 1, m + 1, xtol=1e-14) for m in (-2.0, 2.0))
    return left, right


def predict() -> list[Prediction]:
    """Closed forms, and the zeros of the score."""
    steps = round(T / STEP_SIZE)
    ratio, of_steps = POINT[1] * math.exp((1 - RATE) * T), POINT[1] * ((1 - RATE * STEP_SIZE) / (1 - STEP_SIZE)) ** steps
    return [
        Prediction(LEADING, CORRECTED, {"t": T}, "", ratio, abs(ratio - of_steps) + steps * 2**-23 * ratio),
        Prediction(COSINE, CORRECTED, {}, "", 2 / math.sqrt(1.1 * 11), 1e-5),
        *(Prediction(_off(x0, OWN), BASIN, {"x0": x0}, "x", 0.0, CLOSE) for x0 in STARTS),
        Prediction(IN_ROUND, BASIN, {}, "", STRAIGHT),
        Prediction(IN_LONG, BEYOND, {}, "", STRAIGHT),
        Prediction(_off(STARTS[0], HIGHEST), BEYOND, {"x0": STARTS[0]}, "x", 0.0, CLOSE),
        *(Prediction(_end(x0), IDENTITY, {"x0": x0}, "x", mode, CLOSE) for x0, mode in zip(STARTS, _modes(), strict=True)),
    ]


def measure(master: int) -> dict[str, Measurement]:
    """Flows without noise, and two scores."""
    silent, long, point = torch.Generator(), gaussian(dim=2, condition=1 / RATE), torch.tensor([POINT])
    (end,) = langevin(long, point, STEP_SIZE, (T,), silent, 0.0)
    in_long = _cosine(long, point, torch.zeros(1, 2))
    in_round = _cosine(gaussian_mixture(radius=2.0, std=0.5), torch.tensor([ROUND]), torch.tensor([MODE]))
    ends = {x0: float(langevin(on_line(*PARTS), torch.tensor([[x0]]), STEP_SIZE, (LONG,), silent, 0.0)) for x0 in STARTS}
    modes = dict(zip(STARTS, _modes(), strict=True))
    return {
        LEADING: Measurement(float(end[0, 1] / end[0, 0])),
        COSINE: Measurement(in_long),
        IN_ROUND: Measurement(in_round),
        IN_LONG: Measurement(in_long),
        _off(STARTS[0], HIGHEST): Measurement(abs(ends[STARTS[0]] - modes[STARTS[1]])),
        **{_off(x0, OWN): Measurement(abs(ends[x0] - mode)) for x0, mode in modes.items()},
        **{_end(x0): Measurement(end) for x0, end in ends.items()},
    }


def _cosine(target: Target, point: Tensor, mode: Tensor) -> float:
    """Of the score and the way to the mode."""
    return float(torch.cosine_similarity(target.score(point), mode - point))
