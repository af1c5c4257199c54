r"""A joint energy E(x, y) of handwritten digits and their labels, by the project's own MLP energy of x and y together, trained by the likelihood of y given x.

p(y | x) = exp(-E(x, y))/sum_k exp(-E(x, k)); the loss of an example is E(x, y) + log sum_k exp(-E(x, k))            (LeCun et al. 2006, section 2.2)
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from scorebench.core.rng import generator
from scorebench.models.mlp_energy import MLPEnergy

LABELS, FOLDS, WIDTH, STEPS, BATCH, RATE = 10, 3, 64, 300, 128, 1e-2


class HeldOut(NamedTuple):
    """Every digit, by a network that did not see it."""

    x: Tensor  # (example, 64), pixels from -1 to 1
    energies: Tensor  # (example, label)
    label: Tensor  # (example,)


@cache
def held_out(master: int) -> HeldOut:
    """Train on two thirds of scikit-learn's digits, three times; the energies of the other third, with all ten labels, in float64."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x, y = torch.tensor(data.data, dtype=torch.float32) / 8 - 1, torch.tensor(data.target)
    held = torch.empty(len(x), LABELS, dtype=torch.float64)
    for fold in range(FOLDS):
        out = torch.arange(len(x)) % FOLDS == fold
        parameters = _trained(x[~out], y[~out], (master, "claim", "joint", fold))
        held[out] = functional_call(_network(0), parameters, (_with_labels(x[out].double()),)).detach()
    return HeldOut(x, held, y)


def _network(*names: object) -> MLPEnergy:
    return MLPEnergy(64 + LABELS, generator(*names), width=WIDTH)


def _trained(seen: Tensor, known: Tensor, names: tuple[object, ...]) -> dict[str, Tensor]:
    """The parameters of a network trained on these digits, in float64."""
    network, batches = _network(*names, "init"), generator(*names, "batches")
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        rows = torch.randint(len(seen), (BATCH,), generator=batches)
        loss = loss_of(energies(network, seen[rows]), known[rows]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return {k: v.detach().double() for k, v in network.named_parameters()}


def energies(network: MLPEnergy, x: Tensor) -> Tensor:
    """E(x, k) for every label k, (n, 64) -> (n, 10)."""
    return torch.as_tensor(network(_with_labels(x)))


def loss_of(energies: Tensor, label: Tensor) -> Tensor:
    """The negative log-likelihood of the label, (n, 10), (n,) -> (n,)."""
    return energies.gather(-1, label[:, None])[:, 0] + (-energies).logsumexp(-1)


def _with_labels(x: Tensor) -> Tensor:
    return torch.cat([x[:, None].expand(-1, LABELS, -1), torch.eye(LABELS, dtype=x.dtype).expand(len(x), -1, -1)], -1)
