"""ULA on the ring of 8, the score known: one chain's step is a handful of operations, so that what a loop adds to them shows."""

import torch

from benchmarks.contest import Work
from benchmarks.contestants import by_hand, with_ebmkit, with_jax, with_scorebench, with_torchebm
from benchmarks.law import ring
from benchmarks.sampling import clocked_chains, differs, ula

STEP_SIZE = 0.05


def work(chains: int = 10_000, steps: int = 500) -> Work:
    """So many chains and steps."""
    law, module = ring()
    start = 3 * torch.randn(chains, 2, generator=torch.Generator(torch.get_default_device()).manual_seed(0))
    return Work(
        "ula_ring",
        f"ULA, ring of 8, {chains:,} chains",
        "s per 1,000 steps",
        {
            "scorebench": lambda: with_scorebench.sampler("ula", law, [STEP_SIZE]),
            "torchebm, autograd": lambda: with_torchebm.ula(law, [STEP_SIZE], analytic=False),
            "torchebm, analytic": lambda: with_torchebm.ula(law, [STEP_SIZE], analytic=True),
            "ebmkit": lambda: with_ebmkit.sampler("LangevinDynamics", law, STEP_SIZE),
            "JAX": lambda: with_jax.ula(law, [STEP_SIZE]),
            "by hand, plain": lambda: by_hand.ula(lambda x: module.broadcast(x)[0], STEP_SIZE, columns=True),
            "by hand, unrolled": lambda: by_hand.ula(lambda x: module.unrolled(x)[0], STEP_SIZE, columns=True),
        },
        lambda chains: differs(chains, lambda x, draws: ula(law, x, STEP_SIZE, draws), start, steps),
        lambda chains: clocked_chains(chains, start, steps),
        "at most 1.5 times the plain compiled step",
    )
