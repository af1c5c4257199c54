r"""An energy is the value of a loss for the labels of one example; between examples the two may have nothing to do with each other.

Statement: in supervised learning energy is, in a way, like the value of the loss, since the loss is lower where the data gather. A hedge ("in a way", "as
I understood it"); the reason that it gives is read as the claim: both are lower where the data gather, and so they are alike. Of pairs (x, y) that means:
a pair of the data has the lower energy, and the lower loss, than a pair with a label that is not its own; and the lower the loss of a pair, the lower its
energy. One criterion for both, set beforehand: of two pairs they say so in 3/4 of the cases at least, midway from what says nothing, 1/2, to always.

Prediction. The loss of an example is its negative log-likelihood, L(x, y) = E(x, y) + log sum_k exp(-E(x, k)). Two classes N(-1, 1) and N(1, 1) with their
exact joint energy E = (x - y)^2/2. With m = x y, which is N(1, 1) for both, E = (m - 1)^2/2 orders pairs by |m - 1|, L = log(1 + exp(-2m)) by -m.

**Where the data gather.** With the other label m is N(-1, 1). A = P(lower for a pair (x, y) of the data than for another example's pair (x', -y')):

    loss:      m > m', a difference of N(2, 2):                                      A = Phi(sqrt 2) = .9214
    energy:    |m - 1| < |m' - 1|: m - m' and m + m' - 2, independent, N(2, 2) and N(-2, 2), of different signs:
                                                                                     A = Phi(sqrt 2)^2 + (1 - Phi(sqrt 2))^2 = .8551

both above 3/4 (a sign lost, 1 - A). Energy and loss are alike in that.

**Labels of one example**: the second term of L does not hold y, so that E and L put the labels of every x in the same order; and where E has been
normalised, log sum_k exp(-E(x, k)) = 0, they are equal. Both by algebra: shown, not counted.

**Among examples of the data**, of two the one with the lower |m - 1| has the larger m with probability 1/2, by symmetry: that E and L order two examples
alike has the probability 1/2 exactly, as if the one said nothing of the other. On digits, too, training says nothing about the level of E(x, .): their share
has no prediction, but that it is below 3/4.

Measurement: 400,000 exact draws, 200,000 disjoint pairs of them, of the project's own Gaussians; a joint MLP energy of digits, all 1,797 by networks that had
not seen them, 898 disjoint pairs. The leading number, 1/2, has a standard error of .22 %: an error of 1.5 % is seen in 9 of 10 runs; shares of Gaussian pairs
are a hundred standard errors or more from 3/4, a share of 1/2 of 898 pairs of digits, given the networks, 15.

Reference: LeCun et al. (2006), sections 1.3 and 2.2.
"""

import math

import torch
from scipy.stats import norm
from torch import Tensor

from scorebench.claims.base import CORRECTED, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import mean
from scorebench.claims.lib.joint import held_out, loss_of
from scorebench.claims.lib.langevin import normal
from scorebench.core.rng import generator

LABEL = "An energy is, in a way, like the value of a loss"
SOURCE = "Energy-based Models, before (152)"
QUOTE = "Supervised 기반 학습에서는, 어떻게 보면 Loss 함수의 값과 비슷합니다. 데이터 분포가 몰려있는 쪽의 Loss가 더 낮으니까요. (저는 그렇게 이해했습니다.)"
TRANSLATION = (
    "In supervised learning it is, in a way, like the value of the loss function, since the loss is lower on the side where"
    " the data gather. (That is how I understood it.)"
)
STATEMENT = "a hedge ('in a way', 'as I understood it'), read as: energy and loss are both lower where the data gather, and order alike; either of 3 pairs in 4"
CORRECTION = (
    r"both are lower where the data gather; as $L(x, y) = E(x, y) + \log\sum_k e^{-E(x,k)}$ they order the labels of one $x$"
    r" alike, but examples of the data need not be"
)
EXPECTED = "qualified"
GATHER, EXAMPLES = "lower where the data gather", "among examples of the data"
CONDITIONS = {"lower where the data gather": True, "among examples of the data": False}
REFERENCE = "LeCun et al. (2006), sections 1.3 and 2.2"
LEADING = "share of pairs that energy and loss order alike, two Gaussian classes"

DRAWS, MOST = 400_000, 0.75
LOWER_LOSS, LOWER_ENERGY = "P(loss of the data < of another label's)", "P(energy of the data < of another label's)"
SAME = "share of digits held out whose labels energy and loss order alike"
NORMALISED = f"{LEADING}, energy normalised over labels"
DIGITS = "share of pairs that energy and loss order alike, digits held out"
IN_MOST = {LOWER_LOSS: GATHER, LOWER_ENERGY: GATHER, LEADING: EXAMPLES, DIGITS: EXAMPLES}


def _in_most(name: str) -> str:
    return f"{name}, at least {MOST:g}"


def predict() -> list[Prediction]:
    """Symmetry, and inequalities; of digits no number is known."""
    apart = float(norm.cdf(math.sqrt(2)))
    return [
        Prediction(LOWER_LOSS, CORRECTED, {}, "", apart),
        Prediction(LOWER_ENERGY, CORRECTED, {}, "", apart**2 + (1 - apart) ** 2),
        Prediction(LEADING, CORRECTED, {}, "", 0.5),
        Prediction(DIGITS, IDENTITY, {}, "", 0.5),
        Prediction(SAME, IDENTITY, {}, "", 1.0),
        Prediction(NORMALISED, IDENTITY, {}, "", 1.0),
        *(Prediction(_in_most(name), group, {}, "", MOST) for name, group in IN_MOST.items()),
    ]


def measure(master: int) -> dict[str, Measurement]:
    """Gaussian classes, and digits."""
    classes = [normal(centre, 1.0) for centre in (-1.0, 1.0)]
    draws = [c.sample(DRAWS // 2, generator(master, "claim", "energy-is-loss", k)).double() for k, c in enumerate(classes)]
    order = torch.randperm(DRAWS, generator=generator(master, "claim", "energy-is-loss", "order"))
    x, label = torch.cat(draws)[order], torch.arange(2).repeat_interleave(DRAWS // 2)[order]
    energies = torch.stack([-c.log_prob(x) for c in classes], -1)
    normalised = energies + (-energies).logsumexp(-1, keepdim=True)
    loss, of_data = loss_of(energies, label), _of(energies, label)

    _, digits, known = held_out(master)
    by_label = torch.stack([loss_of(digits, torch.full_like(known, k)) for k in range(digits.shape[-1])], -1)
    alike = (digits.argsort(-1) == by_label.argsort(-1)).all(-1)
    measurements = {
        LOWER_LOSS: _lower(loss, loss_of(energies, 1 - label)),
        LOWER_ENERGY: _lower(of_data, _of(energies, 1 - label)),
        LEADING: _alike(of_data, loss),
        DIGITS: _alike(_of(digits, known), loss_of(digits, known)),
        SAME: mean(alike, "examples"),
        NORMALISED: _alike(_of(normalised, label), loss),
    }
    return measurements | {_in_most(name): measurements[name] for name in IN_MOST}


def _of(energies: Tensor, label: Tensor) -> Tensor:
    return energies.gather(-1, label[:, None])[:, 0]


def _lower(a: Tensor, b: Tensor) -> Measurement:
    """P(a < b) over disjoint pairs: the first half of a against the second of b."""
    n = len(a) // 2
    return mean(a[:n] < b[n : 2 * n], "pairs")


def _alike(a: Tensor, b: Tensor) -> Measurement:
    """The share of disjoint pairs, the first half against the second, that both order alike."""
    n = len(a) // 2
    return mean((a[:n] < a[n : 2 * n]) == (b[:n] < b[n : 2 * n]), "pairs")
