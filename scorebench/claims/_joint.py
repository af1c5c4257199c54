r"""A joint energy E(x, y) of handwritten digits and their labels, by the project's own MLP energy of x and y together, trained by the likelihood of y given x.

p(y | x) = exp(-E(x, y))/sum_k exp(-E(x, k)); the loss of an example is E(x, y) + log sum_k exp(-E(x, k))            (LeCun et al. 2006, section 2.2)
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from scorebench.models.mlp_energy import MLPEnergy
from scorebench.rng import generator

LABELS, WIDTH, STEPS, BATCH, RATE = 10, 64, 300, 128, 1e-2


class HeldOut(NamedTuple):
    """Digits that no network saw."""

    x: Tensor  # (example, 64), pixels from -1 to 1
    energies: Tensor  # (example, label)
    label: Tensor  # (example,)


def held_out(master: int) -> HeldOut:
    """Train on two thirds of scikit-learn's digits; the energies of the rest, each with all ten labels, in float64."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x, y = torch.tensor(data.data, dtype=torch.float32) / 8 - 1, torch.tensor(data.target)
    out = torch.arange(len(x)) % 3 == 0
    network = MLPEnergy(x.shape[1] + LABELS, generator(master, "claim", "joint", "init"), width=WIDTH)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    seen, known, batches = x[~out], y[~out], generator(master, "claim", "joint", "batches")
    for _ in range(STEPS):
        rows = torch.randint(len(seen), (BATCH,), generator=batches)
        loss = loss_of(energies(network, seen[rows]), known[rows]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        parameters = {k: v.double() for k, v in network.named_parameters()}
        return HeldOut(x[out], functional_call(network, parameters, (_with_labels(x[out].double()),)), y[out])


def energies(network: MLPEnergy, x: Tensor) -> Tensor:
    """E(x, k) for every label k, (n, 64) -> (n, 10)."""
    found: Tensor = network(_with_labels(x))
    return found


def loss_of(energies: Tensor, label: Tensor) -> Tensor:
    """The negative log-likelihood of the label, (n, 10), (n,) -> (n,)."""
    return energies.gather(-1, label[:, None])[:, 0] + (-energies).logsumexp(-1)


def _with_labels(x: Tensor) -> Tensor:
    return torch.cat([x[:, None].expand(-1, LABELS, -1), torch.eye(LABELS, dtype=x.dtype).expand(len(x), -1, -1)], -1)
