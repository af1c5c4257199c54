"""ebmkit: its Langevin samplers and its losses, on the same torch module. They draw from torch's global generator."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from benchmarks.law import Law
from benchmarks.sampling import Chains, Step
from benchmarks.training import SIGMA, Training, usual


def sampler(name: str, law: Law, step_size: float) -> Chains:
    """LangevinDynamics or MALA."""
    import ebm

    method = getattr(ebm, name)(step_size=step_size)

    def go(x: Tensor, steps: int, seed: int) -> Tensor:
        torch.manual_seed(seed)
        end: Tensor = method.sample(law.energy, x, steps=steps)
        return end

    def draws(x: Tensor, steps: int, seed: int) -> Iterator[Step]:
        torch.manual_seed(seed)
        for _ in range(steps):
            eps = torch.randn_like(x)
            yield eps.double(), torch.rand_like(x[:, 0]).double() if name == "MALA" else eps.new_zeros(0)

    return Chains(go, draws)


def training(name: str, spec: str, batch: int) -> Training:
    """The loss by name, on the module, in the usual loop."""
    from ebm import losses

    def make(module: nn.Module) -> Callable[[Tensor, torch.Generator], Tensor]:
        if name == "denoising":
            function = losses.DenoisingScoreMatching(sigma=SIGMA)
            return lambda x, g: SIGMA**2 * function(module, x).loss
        other = losses.SlicedScoreMatching(n_projections=1, vr=False) if name == "sliced" else losses.ExactScoreMatching()
        return lambda x, g: other(module, x).loss

    return usual(make, spec, batch, noise_is_global=True)
