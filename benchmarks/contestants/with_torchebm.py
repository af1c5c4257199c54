"""torchebm: its Langevin sampler and its losses, on the same torch module."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.law import Law
from benchmarks.sampling import Chains, Step
from benchmarks.training import SIGMA, Training, usual


def model(law_or_module: Any, score: Callable[[Tensor], Tensor] | None = None) -> Any:
    """An energy as torchebm's model, its gradient by autograd, or as it is written out."""
    from torchebm.core import BaseModel

    class Energy(BaseModel):
        def __init__(self) -> None:
            super().__init__(device=torch.get_default_device())
            self.energy = law_or_module

        def forward(self, x: Tensor) -> Tensor:
            value: Tensor = self.energy(x)
            return value

    if score is None:
        return Energy()
    written = score

    class WithGradient(Energy):
        def gradient(self, x: Tensor, model_kwargs: dict[str, Any] | None = None) -> Tensor:
            return -written(x)

    return WithGradient()


def ula(law: Law, step_sizes: list[float], analytic: bool, stacked: bool = False) -> Chains:
    """Cell by cell, since the sampler has one step size: positions (step size, seed, chain, 2), or (chain, 2) of one of each.

    With `stacked` the seeds of a step size are one batch.
    """
    from torchebm.samplers import LangevinDynamics

    energy = model(law.energy, law.score if analytic else None)
    samplers = [LangevinDynamics(energy, step_size=c, device=torch.get_default_device()) for c in step_sizes]

    def parts(x: Tensor) -> list[Tensor]:
        each = len(step_sizes) if stacked else len(step_sizes) * (1 if x.dim() == 2 else x.shape[1])
        return list(x.reshape(each, -1, 2))

    def go(x: Tensor, steps: int, seed: int) -> Tensor:
        g = torch.Generator(x.device).manual_seed(seed)
        starts = parts(x)
        cells = len(starts) // len(samplers)
        ends = [samplers[i // cells].sample(x=start, n_steps=steps, generator=g) for i, start in enumerate(starts)]
        return torch.stack(ends).reshape(x.shape)

    def draws(x: Tensor, steps: int, seed: int) -> Iterator[Step]:
        g = torch.Generator(x.device).manual_seed(seed)
        each = torch.stack(
            [torch.stack([torch.randn(p.shape, generator=g, device=x.device) for _ in range(steps)]) for p in parts(x)]
        )  # (cell, step, n, 2)
        for eps in each.transpose(0, 1).double():
            yield eps.reshape(-1, 2), eps.new_zeros(0)

    return Chains(go, draws)


def training(name: str, spec: str, batch: int) -> Training:
    """The loss by name, on the module, in the usual loop."""
    from torchebm import losses

    def make(module: nn.Module) -> Callable[[Tensor, torch.Generator], Tensor]:
        energy, device = model(module), torch.get_default_device()
        if name == "denoising":
            function = losses.DenoisingScoreMatching(energy, noise_scale=SIGMA, device=device)
            return lambda x, g: SIGMA**2 * function(x, generator=g)
        if name == "sliced":
            function = losses.SlicedScoreMatching(energy, n_projections=1, projection_type="gaussian", device=device)
            return lambda x, g: function(x, generator=g)
        function = losses.ScoreMatching(energy, hessian_method="exact", device=device)
        return lambda x, g: function(x)

    return usual(make, spec, batch)
