"""Work of a sampler on a Gaussian, exactly (`engine.gaussian`): where the panel's maximum or mean falls below epsilon for good; and the best step."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from scorebench.core.spec import Spec
from scorebench.engine.arrival import crossing
from scorebench.engine.gaussian import Curve, Gaussian, curve

LONGEST = 2**18
"""Work is not looked for beyond so many steps."""
STEPS = 100
"""Step sizes at which the best is looked for before it is refined."""

Summary = Callable[..., Any]
"""Of the panel: np.max or np.mean, along an axis."""


class Work(NamedTuple):
    """What a step size costs."""

    gradients: float
    """Infinite where the plateau is not below epsilon; NaN where the curve is less than twice as long, so that it does not show it."""
    plateau: float


def work(curve: Curve, epsilon: float, summary: Summary = np.max) -> Work:
    """Where the panel's summary falls below epsilon and stays there, between two records by linear interpolation in its logarithm."""
    values, plateau = summary(curve.bias, axis=-1), float(summary(curve.plateau))
    if not plateau < epsilon:
        return Work(math.inf, plateau)
    above = np.flatnonzero(values >= epsilon)
    if not len(above):
        return Work(0.0, plateau)
    last = int(above[-1])
    if last + 1 == len(values) or 2 * curve.gradients[last + 1] > curve.gradients[-1]:
        return Work(math.nan, plateau)
    return Work(crossing(curve.gradients, values, last + 1, epsilon), plateau)


def exact_work(sampler: Spec, step_size: float, law: Gaussian, start: Gaussian, epsilon: float, summary: Summary = np.max) -> Work:
    """The work from a curve that is long enough; NaN where a quarter of a million steps are not."""
    steps = 64
    found = work(curve(sampler, step_size, law, start, steps), epsilon, summary)
    while math.isnan(found.gradients) and steps < LONGEST:
        steps *= 4
        found = work(curve(sampler, step_size, law, start, steps), epsilon, summary)
    return found


class Best(NamedTuple):
    """The step size of least work, and its work."""

    step_size: float
    work: Work


def best(sampler: Spec, law: Gaussian, start: Gaussian, epsilon: float, within: tuple[float, float]) -> Best:
    """The best step size of an interval, on no grid: the best of 100 in geometric progression, then Brent's search between its neighbours.

    Work jumps where a later swing of an underdamped scheme comes to lie below epsilon, so that what the search ends at counts only where it is better.
    """

    def cost(log_step: float) -> float:
        found = exact_work(sampler, math.exp(log_step), law, start, epsilon).gradients
        return found if math.isfinite(found) else float(np.finfo(float).max)

    tried = np.linspace(math.log(within[0]), math.log(within[1]), STEPS)
    costs = np.array([cost(step) for step in tried])
    at = int(costs.argmin())
    between = tried[max(at - 1, 0)], tried[min(at + 1, STEPS - 1)]
    refined = minimize_scalar(cost, bounds=between, method="bounded", options={"xatol": 1e-6})
    chosen = math.exp(refined.x if refined.fun < costs[at] else tried[at])
    return Best(chosen, exact_work(sampler, chosen, law, start, epsilon))
