"""ULA on the ring of 8 over a grid: 16 step sizes, 5 seeds, 1,000 chains of each, as a suite sweeps them.

scorebench's step sizes share the noise of a seed, and so JAX's do here; the others draw it anew, which their numbers hold.
"""

import torch

from benchmarks.contest import Work
from benchmarks.contestants import by_hand, with_jax, with_scorebench, with_torchebm
from benchmarks.law import ring
from benchmarks.sampling import clocked_chains, differs, ula


def work(cells: int = 16, seeds: int = 5, chains: int = 1_000, steps: int = 40) -> Work:
    """Step sizes from .005 to .08, by equal factors."""
    law, module = ring()
    device = torch.get_default_device()
    sizes = torch.logspace(-2.3, -1.1, cells, device=device)
    each = sizes.tolist()
    rows = sizes.repeat_interleave(seeds * chains)  # a step size a point
    one = 3 * torch.randn(seeds, chains, 2, generator=torch.Generator(device).manual_seed(0))
    start = one.expand(cells, -1, -1, -1).contiguous()  # alike for all step sizes
    return Work(
        "ula_grid",
        f"ULA, ring of 8, {cells} steps x {seeds} seeds x {chains:,} chains",
        "s per 1,000 steps",
        {
            "scorebench": lambda: with_scorebench.sampler("ula", law, each),
            "scorebench, not compiled": lambda: with_scorebench.sampler("ula", law, each, alike=1),
            "torchebm, autograd": lambda: with_torchebm.ula(law, each, analytic=False),
            "torchebm, analytic": lambda: with_torchebm.ula(law, each, analytic=True),
            "torchebm, analytic, seeds stacked": lambda: with_torchebm.ula(law, each, analytic=True, stacked=True),
            "JAX": lambda: with_jax.ula(law, each),
            "by hand, plain": lambda: by_hand.ula(lambda x: module.broadcast(x)[0], rows[None], columns=True),
            "by hand, unrolled": lambda: by_hand.ula(lambda x: module.unrolled(x)[0], rows[None], columns=True),
        },
        lambda chains: differs(chains, lambda x, draws: ula(law, x, rows[:, None].double(), draws), start, steps),
        lambda chains: clocked_chains(chains, start, steps),
        "3.5 times faster than torchebm with the analytic gradient, cell by cell",
    )
