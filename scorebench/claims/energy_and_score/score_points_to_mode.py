r"""Following the score leads to a mode of the basin where it starts, though not straight there.

Statement: the score points towards the mode; following it, a point reaches the mode.

Prediction. Without noise, dx = grad log p dt.

**Within a basin.** p = N(0, 1): x = x_0 e^-t, so that the variance of any start falls to e^-2t of it: .3679 at t = .5, .1353 at t = 1. p = 1/2 N(-2, .25)
+ 1/2 N(2, .25): from .5 the flow ends at the right mode, a zero of the score, at 2 less 5e-14, found by bisection.

**Not straight.** p = N(0, diag(1, 10)) at (1, sqrt 10), one standard deviation out along both axes: the score is -(1, 1/sqrt 10), the way to the mode -(1,
sqrt 10), and the cosine between them 2/sqrt(1.1 x 11) = .575: 55 degrees. As stated it is 1. Along the flow x_2 = x_1^(1/10) sqrt 10: first one coordinate
falls, then the other.

**From the divide** between two modes the flow reaches none: from 0, a minimum of the density, it stays at 0. As stated it would end at a mode, at 2.

Measurement: the project's own ULA without noise; h = .001, whose (1 - h)^k is known, and float32's rounding, 1e-5, give the tolerances. (A step h s
below half a unit in the last place of x = 2 is lost: the flow stalls where |s| < 1.2e-4, within 3e-5 of the mode; 1e-4 is allowed.) The variance is that
of 10,000 starts from N(0, 1), as a ratio to their own at t = 0: no chance is left in it.

Reference: Luo (2022), below eq. 157; Song and Ermon (2019), section 2.2.
"""

import math

import torch
from scipy.optimize import brentq

from scorebench.claims.base import CORRECTED, Measurement, Prediction
from scorebench.claims.lib.langevin import langevin, normal, on_line
from scorebench.claims.lib.spectral import potential_of
from scorebench.core.rng import generator
from scorebench.targets.gaussian import gaussian

LABEL = "Following the score reaches the mode"
SOURCE = "Fisher Divergence, below the Gaussian formula after (157)"
QUOTE = "score function은 dataspace에서 mode를 가리키는 vector field를 정의하는 역할을합니다."
TRANSLATION = "The score function has the role of defining a vector field in data space that points to the mode."
STATEMENT = r"$\nabla\log p(x)$ points to the mode, and $dx = \nabla\log p(x)\,dt$ reaches it"
CORRECTION = "it leads uphill to the mode of its basin, not straight, and nowhere from a critical point between modes"
EXPECTED = "qualified"
BASIN, STRAIGHT = "within a basin", "straight, from anywhere"
CONDITIONS = {"within a basin": True, "straight, from anywhere": False}
REFERENCE = "Luo (2022), below eq. 157; Song and Ermon (2019), section 2.2"
LEADING = "variance at t = 1, of that at 0"

STEP_SIZE, TIMES, CHAINS, ROUNDING, STALL = 0.001, (0.5, 1.0), 10_000, 1e-5, 1e-4
PARTS, INSIDE, LONG = ((0.5, -2.0, 0.25), (0.5, 2.0, 0.25)), 0.5, 5.0
ENDS, STAYS, STAYS_AS_STATED = (
    "end from 0.5, two modes",
    "end from 0, two modes, at most 1e-05",
    "end from 0, two modes, if it reaches a mode",
)
POINT, COSINE, COSINE_AS_STATED = (
    (1.0, math.sqrt(10)),
    "cosine of score and way to the mode",
    "cosine of score and way to the mode, as stated",
)


def _variance(t: float) -> str:
    return f"variance at t = {t:g}, of that at 0"


def predict() -> list[Prediction]:
    """Closed forms, and the zero of the score by bisection."""
    predictions = []
    for t in TIMES:
        value = math.exp(-2 * t)
        gap = abs((1 - STEP_SIZE) ** (2 * round(t / STEP_SIZE)) - value)
        predictions.append(Prediction(_variance(t), BASIN, {"t": t}, "", value, gap + ROUNDING))
    _, slope, _ = potential_of(*PARTS)
    mode = brentq(lambda x: float(slope(torch.tensor([x]).double().numpy())[0]), 1.0, 3.0, xtol=1e-14)
    cosine = 2 / math.sqrt(1.1 * 11)
    return [
        *predictions,
        Prediction(ENDS, BASIN, {"x0": INSIDE}, "x", mode, STALL),
        Prediction(STAYS, CORRECTED, {"x0": 0.0}, "x", 0.0, ROUNDING),
        Prediction(STAYS_AS_STATED, STRAIGHT, {"x0": 0.0}, "x", mode, ROUNDING),
        Prediction(COSINE, CORRECTED, {}, "", cosine, ROUNDING),
        Prediction(COSINE_AS_STATED, STRAIGHT, {}, "", 1.0, ROUNDING),
    ]


def measure(master: int) -> dict[str, Measurement]:
    """Flows without noise, and one score."""
    silent = torch.Generator()
    start = normal(0.0, 1.0).sample(CHAINS, generator(master, "claim", "score-points-to-mode", "start"))
    flow = langevin(normal(0.0, 1.0), start, STEP_SIZE, TIMES, silent, 0.0).double()
    measurements = {_variance(t): Measurement(float(x.var() / start.double().var())) for t, x in zip(TIMES, flow, strict=True)}

    for name, x0 in ((ENDS, INSIDE), (STAYS, 0.0)):
        measurements[name] = Measurement(float(langevin(on_line(*PARTS), torch.tensor([[x0]]), STEP_SIZE, (LONG,), silent, 0.0)))
    point = torch.tensor([POINT])
    cosine = Measurement(float(torch.cosine_similarity(gaussian(dim=2, condition=10.0).score(point), -point)))
    return measurements | {COSINE: cosine, COSINE_AS_STATED: cosine, STAYS_AS_STATED: measurements[STAYS]}
