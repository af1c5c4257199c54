r"""dW is an increment of W, its differential, and not its derivative, which does not exist.

Statement: dW is the derivative (differential) of the Wiener process W with respect to time. The article says in the next words that it does not know it in
detail, and its second word means both. Two readings: dW is a differential, which is summed over steps; dW is a derivative, a number at each time. Either
way what the equation dx = -V' dt + sqrt(2) dW says must not hang on the step dt. One criterion for both, set beforehand: as dt is halved it changes by a
tenth of it at most.

Prediction. V = x^2/2 from 0, sigma = 1, dt = .02 and .01. **Differential**: x(1) = sqrt(2) int_0^1 e^-(1-s) dW(s) has the variance 1 - e^-2 = .8647, and
Euler's scheme, with a = 1 - dt, 2 dt (1 - a^(2/dt))/(1 - a^2) = .8763 and .8704: they differ by .7 %. **Derivative**: over a step from t = 1

    Var((x(1 + dt) - x(1))/dt) = Var x(1) + 2/dt = 100.88 and 200.87,

where dx/dt, had it a limit, would be much the same at both. A path whose derivative exists, as that of a particle with a mass, passes the test. (What does
exist is white noise, a distribution, of which dW is the integral over dt.)

Measurement: the project's own ULA, 100,000 chains a step. Variances have a standard error of .45 %: an error of 3 % beyond the tolerance, the gap of the
scheme to the equation, 1.3 % or less, is seen in 9 of 10 runs. Both steps have runs of their own, so that the squares of relative standard errors add up:
that of x(1) changes by -.7 +- .6 %, that of dx/dt by 99 +- 1.3 %.

Reference: Øksendal (2003), section 3.1; Paley, Wiener and Zygmund (1933) for a path that has no derivative anywhere.
"""

import math

import torch

from scorebench.claims.base import CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import variance
from scorebench.claims.lib.langevin import langevin, ou_euler_law, ou_law
from scorebench.core.rng import generator
from scorebench.targets.gaussian import gaussian

LABEL = "dW is the derivative of the Wiener process"
SOURCE = "Langevin Dynamics, below the overdamped equation"
QUOTE = (
    r"$dW$는 표준 Weiner process의 시간 t에따른 도함수(미분)입니다. 음.. 자세히는 모르겠지만, 확실한건 $\sigma dw$는 이 식의 불확실성을 의미하고 "
    r"무작위의 diffusion에 대한 force를 의미한다는 것입니다."
)
TRANSLATION = (
    r"$dW$ is the derivative (differential) of the standard Wiener process with respect to time $t$. Hmm.. I do not know it in detail, but what is "
    r"certain is that $\sigma dw$ means the uncertainty of this equation and a force of random diffusion."
)
STATEMENT = (
    "as far as the article knows, which it says is not in detail, $dW$ is the derivative of the Wiener process $W$, or its differential"
)
CORRECTION = (
    r"$dW$ is an increment, the differential of $W$: $x$ has a law as $\Delta t \to 0$; "
    r"$\text{Var}(\Delta W/\Delta t) = 1/\Delta t$ has no limit, and $dW/dt$ does not exist"
)
EXPECTED = "qualified"
DIFFERENTIAL, DERIVATIVE = "a differential", "a derivative"
CONDITIONS = {"a differential": True, "a derivative": False}
REFERENCE = "Øksendal (2003), section 3.1"
LEADING = "variance of dx/dt at dt = 0.01"

STEP_SIZES, CHAINS, ALIKE = (0.02, 0.01), 100_000, 0.1
NUMBERS = {DIFFERENTIAL: "variance of x(1)", DERIVATIVE: "variance of dx/dt"}
CHANGE = f"relative change of the {{}} as dt is halved, at most {ALIKE:g}"


def predict() -> list[Prediction]:
    """Closed forms."""
    predictions = [Prediction(CHANGE.format(what), reading, {}, "", 0.0, ALIKE) for reading, what in NUMBERS.items()]
    exact = ou_law(1, 0, 0)[1]
    for h in STEP_SIZES:
        euler, setting = ou_euler_law(h, round(1 / h), 0, 0)[1], {"dt": h}
        for what, unit, value, gap in zip(NUMBERS.values(), ("x^2", "(x/t)^2"), (exact, euler + 2 / h), (euler - exact, 0.0), strict=True):
            predictions.append(Prediction(f"{what} at dt = {h:g}", CORRECTED, setting, unit, value, gap))
    return predictions


def measure(master: int) -> dict[str, Measurement]:
    """A run of ULA from 0 at each step: x(1), and the step after it."""
    measurements: dict[str, Measurement] = {}
    for h in STEP_SIZES:
        stream = generator(master, "claim", "wiener-derivative", h)
        now, later = langevin(gaussian(dim=1), torch.zeros(CHAINS, 1), h, (1.0, 1 + h), stream)[..., 0]
        for what, x in zip(NUMBERS.values(), (now, (later - now) / h), strict=True):
            measurements[f"{what} at dt = {h:g}"] = variance(x)
    for what in NUMBERS.values():
        coarse, fine = (measurements[f"{what} at dt = {h:g}"] for h in STEP_SIZES)
        ratio = fine.measured / coarse.measured
        error = ratio * math.hypot(*(run.standard_error / run.measured for run in (coarse, fine)))
        measurements[CHANGE.format(what)] = Measurement(ratio - 1, error, CHAINS)
    return measurements
