r"""The right label has the lowest energy: a joint energy is a classifier, and what is added for x alone changes no label.

Statement (LeCun et al. 2006, whom the article cites): inference is argmin_y E(x, y): the right label has the lowest energy.

Prediction. p(x, y) proportional to exp(-E(x, y)) gives p(y | x) = exp(-E(x, y))/sum_k exp(-E(x, k)), the softmax of -E, in which neither Z nor any g(x)
that is added to E stands: the argmin moves for no example, and the probability by rounding alone: identities, shown. After training by the likelihood of y
given x the lowest energy is the right label's: on digits held out it is another's in .05 of the cases at most, a bound that was set before training (a guess
errs in .9). (By how much such a network is too sure no derivation says: the mean of the largest probability less the share that is right is shown, not
counted.)

Measurement: the project's own MLP energy of x and the label together, trained on two thirds of scikit-learn's digits, 300 steps, and tried on the other
third, three times: all 1,797 are tried once. A share of .097, with its standard error of .7 %, is seen in 9 of 10 runs; one of .07 in 2 of 100.

Reference: LeCun et al. (2006), sections 1.1 and 2.2; Grathwohl et al. (2020), section 3.
"""

from typing import Any

import torch
from torch import Tensor

from scorebench.claims.base import AS_WRITTEN, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import mean
from scorebench.claims.lib.joint import LABELS, held_out

LABEL = "The right label has the lowest energy"
SOURCE = "Energy-based Models, before (152), after LeCun"
QUOTE = "우리는 $X$에 대한 알맞는 $Y$를 찾아내는 것을 목표로 합니다."
TRANSLATION = "Our aim is to find the $Y$ that fits $X$."
STATEMENT = (
    r"the label that fits is that of the lowest energy, $\text{argmin}_y E(x, y)$, and $p(y \mid x) = e^{-E(x,y)}/\sum_k "
    r"e^{-E(x,k)}$ (from the slides that the article sums up)"
)
EXPECTED = "reproduced"
REFERENCE = "LeCun et al. (2006), sections 1.1 and 2.2; Grathwohl et al. (2020), section 3"
LEADING = "share of digits held out whose right label has not the lowest energy, at most 0.05"

OFF, SHIFT = 0.05, 100.0
SHOWN = (0, 3, 5, 8)
"""Digits of the picture: the first of each."""
CONFIDENCE = "mean of the largest p(y given x) less the share that is right"
MOVED = f"share of labels that change when {SHIFT:g} sin(mean of E over labels) is added to E"
PROBABILITY = "largest change of p(y given x) by that"
SLOPE = "largest difference of p(k given x) and -d/dE_k log sum exp(-E)"


def predict() -> list[Prediction]:
    """Thresholds, and what an identity says."""
    return [
        Prediction(LEADING, AS_WRITTEN, {}, "", 0.0, OFF),
        Prediction(CONFIDENCE, IDENTITY, {}, "", 0.0),
        Prediction(MOVED, IDENTITY, {}, "", 0.0),
        Prediction(PROBABILITY, IDENTITY, {}, "", 0.0, 1e-9),
        Prediction(SLOPE, IDENTITY, {}, "", 0.0, 1e-12),
    ]


def labels_of(energies: Tensor) -> Tensor:
    """The label of the lowest energy, (n, label) -> (n,)."""
    return energies.argmin(-1)


def measure(master: int) -> dict[str, Measurement]:
    """Digits held out."""
    _, energies, label = held_out(master)
    probability = (-energies).softmax(-1)
    right = (labels_of(energies) == label).double()
    moved = energies + SHIFT * energies.mean(-1, keepdim=True).sin()
    at = energies.clone().requires_grad_()
    (slope,) = torch.autograd.grad((-at).logsumexp(-1).sum(), at)
    return {
        LEADING: mean(1 - right, "examples"),
        CONFIDENCE: mean(probability.amax(-1) - right, "examples"),
        MOVED: mean(labels_of(moved) != labels_of(energies), "examples"),
        PROBABILITY: Measurement(float(((-moved).softmax(-1) - probability).abs().max())),
        SLOPE: Measurement(float((probability + slope).abs().max())),
    }


def picture(master: int) -> dict[str, Any]:
    """Energies above the lowest: of four digits (digit, label), with their pixels (digit, 8, 8), and the mean by true label (label, label)."""
    x, energies, label = held_out(master)
    above = energies - energies.amin(1, keepdim=True)
    first = [int((label == digit).nonzero()[0]) for digit in SHOWN]
    return {
        "digits": SHOWN,
        "pixels": x[first].view(-1, 8, 8),
        "above": above[first],
        "mean_above": torch.stack([above[label == k].mean(0) for k in range(LABELS)]),
        "share_name": LEADING,
    }
