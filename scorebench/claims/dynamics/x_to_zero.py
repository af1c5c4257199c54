r"""In Langevin dynamics the law of x converges, x does not.

Statement: as t grows x converges to 0.

Prediction. dx = -x dt + sqrt(2) dW from N(5, .1), sigma = 1, is the process of Ornstein and Uhlenbeck: x(t) = e^-t x(0) + sqrt(2) int_0^t e^-(t-s) dW(s)
is Gaussian with

    mean 5 e^-t,    variance .1 e^-2t + 1 - e^-2t.

Were the statement right, x(t) would be e^-t x(0), of variance .1 e^-2t: at t = 3, 2.5e-4. What goes to 0 is the mean, .249 at t = 3; the variance goes to 1,
and E |x| to sqrt(2/pi) = .798, from both sides for ever: the law converges to N(0, 1), and the path keeps moving through it.

Measurement: the project's own ULA with h = .01, 200,000 chains. Euler's mean is 5 (1 - h)^k and its variance known, too: the gap between it and the
equation's is the tolerance, below 1 % of it. A variance has a standard error of .32 %: an error of 2 % beyond the tolerance is seen in 9 of 10 runs.

Reference: Pavliotis (2014), section 3.4; Uhlenbeck and Ornstein (1930).
"""

from scorebench.claims.base import AS_WRITTEN, CORRECTED, Measurement, Prediction
from scorebench.claims.lib.estimates import mean, variance
from scorebench.claims.lib.langevin import langevin, normal, ou_euler_law, ou_law
from scorebench.core.rng import generator
from scorebench.targets.gaussian import gaussian

LABEL = "x converges to 0 as t grows"
SOURCE = "Steady State of Langevin Dynamics, below the figure of the density over time"
QUOTE = "그림을 보면, t가 커짐에 따라 x가 0으로 수렴하게 됩니다."
TRANSLATION = "In the figure, as $t$ grows $x$ converges to 0."
STATEMENT = r"$x(t) \to 0$ as $t \to \infty$ for $V = x^2/2$"
CORRECTION = r"$x(t)$ converges in law, to $\mathcal{N}(0, 1)$; its mean goes to $0$, its variance to $\sigma^2 = 1$"
EXPECTED = "refuted"
REFERENCE = "Pavliotis (2014), section 3.4"
LEADING = "variance at t = 3"

MEAN, VARIANCE = 5.0, 0.1
TIMES, STEP_SIZE, CHAINS = (1.0, 2.0, 3.0), 0.01, 200_000
LEFT, GONE = 0.3, "mean at t = 3, at most 0.3"


def predict() -> list[Prediction]:
    """Closed forms."""
    predictions = []
    for t in TIMES:
        law, euler = ou_law(t, MEAN, VARIANCE), ou_euler_law(STEP_SIZE, round(t / STEP_SIZE), MEAN, VARIANCE)
        gaps = [abs(a - b) for a, b in zip(law, euler, strict=True)]
        setting = {"t": t}
        predictions.append(
            Prediction(f"variance at t = {t:g}, if x goes to 0", AS_WRITTEN, setting, "x^2", law[1] - ou_law(t, MEAN, 0.0)[1])
        )
        if t < TIMES[-1]:
            predictions.append(Prediction(f"mean at t = {t:g}", CORRECTED, setting, "x", law[0], gaps[0]))
        predictions.append(Prediction(f"variance at t = {t:g}", CORRECTED, setting, "x^2", law[1], gaps[1]))
    return [*predictions, Prediction(GONE, CORRECTED, {"t": TIMES[-1]}, "x", 0.0, LEFT)]


def measure(master: int) -> dict[str, Measurement]:
    """One run of ULA, looked at three times."""
    starts, stream = (generator(master, "claim", "x-to-zero", use) for use in ("start", "sample"))
    start = normal(MEAN, VARIANCE).sample(CHAINS, starts)
    measurements = {}
    for t, x in zip(TIMES, langevin(gaussian(dim=1), start, STEP_SIZE, TIMES, stream)[..., 0], strict=True):
        measurements[f"mean at t = {t:g}" if t < TIMES[-1] else GONE] = mean(x)
        measurements[f"variance at t = {t:g}, if x goes to 0"] = measurements[f"variance at t = {t:g}"] = variance(x)
    return measurements
