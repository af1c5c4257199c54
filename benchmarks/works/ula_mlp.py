"""ULA on the energy of a network, 2-128-128-1: the score is a forward and a backward pass, and little else is left to gain."""

import torch

from benchmarks.contest import Work
from benchmarks.contestants import by_hand, with_ebmkit, with_jax, with_scorebench, with_torchebm
from benchmarks.law import hand_score, mlp_energy, weights
from benchmarks.sampling import clocked_chains, differs, ula

STEP_SIZE = 0.05


def work(chains: int = 10_000, steps: int = 50, width: int = 128) -> Work:
    """So many chains and steps; the same module and weights for all."""
    law = mlp_energy(f"mlp_energy:width={width}")
    parameters = weights(law.energy)
    start = 3 * torch.randn(chains, 2, generator=torch.Generator(torch.get_default_device()).manual_seed(0))
    return Work(
        "ula_mlp",
        f"ULA, MLP energy 2-{width}-{width}-1, {chains:,} chains",
        "s per 1,000 steps",
        {
            "scorebench": lambda: with_scorebench.sampler("ula", law, [STEP_SIZE]),
            "torchebm, autograd": lambda: with_torchebm.ula(law, [STEP_SIZE], analytic=False),
            "torchebm, analytic": lambda: with_torchebm.ula(law, [STEP_SIZE], analytic=True),
            "ebmkit": lambda: with_ebmkit.sampler("LangevinDynamics", law, STEP_SIZE),
            "JAX": lambda: with_jax.ula(law, [STEP_SIZE]),
            "by hand, plain": lambda: by_hand.ula(lambda x: hand_score(parameters, x), STEP_SIZE),
        },
        lambda chains: differs(chains, lambda x, draws: ula(law, x, STEP_SIZE, draws), start, steps),
        lambda chains: clocked_chains(chains, start, steps),
        "1.5 times faster than torchebm",
    )
