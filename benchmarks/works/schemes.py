"""MALA and BAOAB on the ring of 8: what a step costs over one of ULA, in the same library. Both take one gradient a step; ebmkit's MALA takes two."""

from collections.abc import Callable

import torch

from benchmarks.contest import Work
from benchmarks.contestants import by_hand, with_ebmkit, with_jax, with_scorebench
from benchmarks.law import ring
from benchmarks.sampling import Chains, baoab, clocked_chains, differs, mala, ula

STEP_SIZE = 0.05
Pair = tuple[Chains, Chains]
"""A scheme, and ULA."""


def works(chains: int = 10_000, steps: int = 200) -> list[Work]:
    """MALA's and BAOAB's; the measure is a quotient of two runs, one after the other."""
    law, module = ring()
    start = 3 * torch.randn(chains, 2, generator=torch.Generator(torch.get_default_device()).manual_seed(0))

    def score(x: torch.Tensor) -> torch.Tensor:
        return module.unrolled(x)[0]

    own: dict[str, Callable[[], Chains]] = {
        "scorebench": lambda: with_scorebench.sampler("ula", law, [STEP_SIZE]),
        "ebmkit": lambda: with_ebmkit.sampler("LangevinDynamics", law, STEP_SIZE),
        "JAX": lambda: with_jax.ula(law, [STEP_SIZE]),
        "by hand, unrolled": lambda: by_hand.ula(score, STEP_SIZE, columns=True),
    }
    with_mala: dict[str, Callable[[], Pair]] = {
        "scorebench": lambda: (with_scorebench.sampler("mala", law, [STEP_SIZE]), own["scorebench"]()),
        "ebmkit": lambda: (with_ebmkit.sampler("MALA", law, STEP_SIZE), own["ebmkit"]()),
        "blackjax, over JAX": lambda: (with_jax.blackjax_mala(law, STEP_SIZE), own["JAX"]()),
        "by hand, unrolled": lambda: (by_hand.mala(module.unrolled, STEP_SIZE), own["by hand, unrolled"]()),
    }
    with_baoab: dict[str, Callable[[], Pair]] = {
        "scorebench": lambda: (with_scorebench.sampler("underdamped", law, [STEP_SIZE]), own["scorebench"]()),
        "JAX": lambda: (with_jax.baoab(law, STEP_SIZE), own["JAX"]()),
        "by hand, unrolled": lambda: (by_hand.baoab(score, STEP_SIZE, columns=True), own["by hand, unrolled"]()),
    }

    def of(name: str, contestants: dict[str, Callable[[], Pair]], scheme: Callable[..., torch.Tensor]) -> Work:
        def differ(pair: Pair) -> str:
            def against(scheme: Callable[..., torch.Tensor], chains: Chains) -> str:
                return differs(chains, lambda x, draws: scheme(law, x, STEP_SIZE, draws), start, steps)

            return against(scheme, pair[0]) or against(ula, pair[1])

        def measure(pair: Pair) -> float:
            first, second = (clocked_chains(chains, start, steps) for chains in pair)
            return first / second

        label = f"{name}, a step over one of ULA, ring of 8, {chains:,} chains"
        return Work(f"{name.lower()}_over_ula", label, "times ULA", contestants, differ, measure, "1.3 or less")

    return [of("MALA", with_mala, mala), of("BAOAB", with_baoab, baoab)]
