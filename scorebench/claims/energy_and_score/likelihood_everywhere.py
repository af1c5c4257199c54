r"""Learning raises the likelihood of the data in the mean and lowers it elsewhere: the total mass stays one.

Statement: by raising the likelihood for every x we learn. If x is the data, it holds in the mean over them, which is what the likelihood of a set is. Of
every single one, of the data or of the space, it does not. One criterion, set beforehand: what the likelihood is of, the set or each x, has a greater one after
learning than before.

Prediction. int p dx = 1 before and after, so that p cannot rise everywhere. The energy a (x - m)^2/2 is the density N(m, 1/a). From a = 1/4, m = 0, that
is N(0, 4), implicit score matching on n draws of N(0, 1) has the loss -a + a^2 mean((x - m)^2)/2, whose minimum is m = the mean of the draws and a =
1/(their variance) = n/S, S chi-square with n - 1 degrees of freedom and independent of m. Gradient descent at rate .1 contracts towards it by .9 a step.
With E a = n/(n - 3), E log a = log(n/2) - digamma((n - 1)/2) and E (x - m)^2 = x^2 + 1/n,

    E [log p_after(x) - log p_before(x)] = (E log a - log(1/4))/2 - E a (x^2 + 1/n)/2 + x^2/8,

about .693 - .375 x^2: it rises for |x| < 1.36, by .694 at 0 and .317 at 1, and falls beyond, by .812 at 2 and 2.695 at 3. As stated of the space it would
rise at all four: the smallest of the four changes would be at least 0. The mass right and left of 1.36 moves inwards: int (p_after - p_before) = 0.

**Over the data.** At the data a mean((x - m)^2) = 1, so that the mean of the change of log p is (log a - log(1/4))/2 - 1/2 + mean(x^2)/8, whose mean is (E
log a + log 4)/2 - 3/8 = .3191: it rises. The likelihood of a single datum rises if a (x - m)^2 - x^2/4 < log(4a): at a = 1 and m = 0, which are within
1/sqrt n, a share of P(x^2 < log 4/(1 - 1/4)) = .8260. What is linear in a - 1 and m has a mean of order 1/n and so has the rest: 1/n is the tolerance. As
stated of every datum the share would be 1.

**Along the flow** dx = grad log p dt the density of a fixed p at x rises, d log p/dt = |s|^2: on N(0, 1) from x_0 = 2 by (4 - 4 e^-2)/2 = 1.729 until t =
1. There the point moves, not p.

Measurement: 300 data sets of n = 1,000; the project's own quadratic energy and implicit loss, 200 steps of gradient descent (.9^200 is 1e-9), all in one
stack. Mass by the trapezoid rule, exact to rounding. The flow is the project's own ULA without noise, h = .0005; its (1 - h)^k gives the tolerance. The
leading number has a standard error of .2 %: an error of 1.5 % is seen in 9 of 10 runs. The mean change over the data and the smallest of the four points' are
200 standard errors or more from 0, the share from 1.

Reference: Hyvarinen (2005), section 3.1; LeCun et al. (2006), section 2, for pushing down and pulling up.
"""

import math

import torch
from scipy.special import digamma
from torch import Tensor
from torch.func import grad, vmap

from scorebench.claims.base import CORRECTED, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import mean
from scorebench.claims.lib.langevin import langevin, normal
from scorebench.core.rng import generator
from scorebench.losses.implicit import implicit
from scorebench.models.base import Bound, Parameters, score_and_log_prob
from scorebench.models.quadratic import Quadratic

LABEL = "Learning raises the likelihood of every x"
SOURCE = "Fisher Divergence, below the Gaussian formula after (157)"
QUOTE = "우리는 모든 $x$에 대한 likelihood를 높임으로써 dataspace에서 어떤 방향으로 이동해야되는지를 학습합니다."
TRANSLATION = "By raising the likelihood for every $x$ we learn in which direction to move in data space."
STATEMENT = "learning raises the likelihood of every $x$: over the data, or in the whole space"
CORRECTION = (
    r"over the data it does in the mean; since $\int p_\theta\,dx = 1$ throughout it falls elsewhere, and for the rarer of "
    r"the data"
)
EXPECTED = "qualified"
OVER_DATA, EVERY = "in the mean over the data", "at every x"
CONDITIONS = {"in the mean over the data": True, "at every x": False}
REFERENCE = "Hyvärinen (2005), section 3.1; LeCun et al. (2006), section 2"
LEADING = "change of log p at x = 0"

SETS, SIZE, BEFORE, RATE, STEPS = 300, 1_000, 0.25, 0.1, 200
POINTS = (0.0, 1.0, 2.0, 3.0)
MASS = "change of the total mass"
MEAN, SHARE = "change of the mean log p of the data", "share of the data whose log p rises"
IN_MEAN, AT_POINTS, OF_DATA = f"{MEAN}, at least 0", "smallest change of log p at x = 0, 1, 2 and 3, at least 0", f"{SHARE}, at least 1"
FLOW, START, STEP_SIZE = "rise of log p along the flow from 2 until t = 1", 2.0, 0.0005


def _change(x: float) -> str:
    return f"change of log p at x = {x:g}"


def predict() -> list[Prediction]:
    """Closed forms."""
    mean_a, mean_log_a = SIZE / (SIZE - 3), math.log(SIZE / 2) - float(digamma((SIZE - 1) / 2))
    predictions = []
    for x in POINTS:
        value = (mean_log_a - math.log(BEFORE)) / 2 - mean_a * (x * x + 1 / SIZE) / 2 + BEFORE * x * x / 2
        predictions.append(Prediction(_change(x), CORRECTED, {"x": x}, "nat", value, 1e-6))
    share = math.erf(math.sqrt(-math.log(BEFORE) / (1 - BEFORE) / 2))
    predictions += [
        Prediction(MEAN, CORRECTED, {"n": SIZE}, "nat", (mean_log_a - math.log(BEFORE)) / 2 - 0.5 + BEFORE / 2, 1e-6),
        Prediction(SHARE, CORRECTED, {"n": SIZE}, "", share, 1 / SIZE),
        Prediction(IN_MEAN, OVER_DATA, {"n": SIZE}, "nat", 0.0),
        Prediction(AT_POINTS, EVERY, {"n": SIZE}, "nat", 0.0),
        Prediction(OF_DATA, EVERY, {"n": SIZE}, "", 1.0),
    ]
    rise, of_steps = (START**2 * (1 - left) / 2 for left in (math.exp(-2), (1 - STEP_SIZE) ** (2 / STEP_SIZE)))
    predictions.append(Prediction(FLOW, CORRECTED, {"t": 1.0}, "nat", rise, abs(rise - of_steps) + 1e-5))
    return [*predictions, Prediction(MASS, IDENTITY, {}, "", 0.0, 1e-9)]


def measure(master: int) -> dict[str, Measurement]:
    """Models before and after, at a few points; the flow."""
    before = {"mean": torch.zeros(SETS, 1, dtype=torch.float64), "matrix": torch.full((SETS, 1, 1), BEFORE, dtype=torch.float64)}
    stream = generator(master, "claim", "likelihood-everywhere", "data")
    network = Quadratic(1, generator("structure"))
    data = torch.randn(SETS, SIZE, 1, generator=stream, dtype=torch.float64)
    after = _learn(network, before, data)

    points = torch.tensor(POINTS, dtype=torch.float64)[:, None]
    changes = _log_prob(network, after, points) - _log_prob(network, before, points)
    measurements = {_change(x): mean(changes[:, i], "data sets") for i, x in enumerate(POINTS)}
    measurements[AT_POINTS] = min(measurements.values(), key=lambda m: m.measured)

    of_data = _log_prob(network, after, data) - _log_prob(network, before, data)
    measurements[MEAN] = measurements[IN_MEAN] = mean(of_data.mean(1), "data sets")
    measurements[SHARE] = measurements[OF_DATA] = mean((of_data > 0).double().mean(1), "data sets")

    nodes = torch.linspace(-25, 25, 2_001, dtype=torch.float64)[:, None]
    moved = _log_prob(network, after, nodes).exp() - _log_prob(network, before, nodes).exp()
    measurements[MASS] = Measurement(float(torch.trapezoid(moved, nodes[:, 0]).abs().max()))

    target, start = normal(0.0, 1.0), torch.tensor([[START]])
    (end,) = langevin(target, start, STEP_SIZE, (1.0,), torch.Generator(), 0.0)
    return measurements | {FLOW: Measurement(float(target.log_prob(end) - target.log_prob(start)))}


def _learn(network: Quadratic, parameters: Parameters, data: Tensor) -> Parameters:
    """Gradient descent on implicit score matching for every data set at once."""

    def loss(parameters: Parameters, x: Tensor) -> Tensor:
        return implicit(Bound(network, parameters, True), x, x[:, :0]).mean()

    gradients = vmap(grad(loss))
    for _ in range(STEPS):
        step = gradients(parameters, data)
        parameters = {k: v - RATE * step[k] for k, v in parameters.items()}
    return parameters


def _log_prob(network: Quadratic, parameters: Parameters, x: Tensor) -> Tensor:
    """Normalised, (model, point), at points of its own (model, point, 1) or at the same for all (point, 1): -E plus half the log of a/(2 pi)."""
    own = x.expand(SETS, *x.shape[-2:])
    unnormalised = vmap(lambda p, x: score_and_log_prob(Bound(network, p, True), x)[1])(parameters, own)
    return unnormalised + 0.5 * (parameters["matrix"][:, 0] / (2 * math.pi)).log()
