"""One optimisation step of the network 2-128-128-1 on 1,024 rows: by denoising, by slicing with one probe, and exactly."""

from collections.abc import Callable
from types import ModuleType

from benchmarks.contest import SAME, Work
from benchmarks.contestants import by_hand, with_ebmkit, with_jax, with_scorebench, with_torchebm
from benchmarks.training import LOSSES, Training, differs

LABELS = {"denoising": "denoising", "sliced": "sliced, one probe", "exact": "exact, d = 2"}
WANTED = {
    "denoising": "1.3 times faster than torchebm",
    "sliced": "2.2 times faster than torchebm",
    "exact": "1.5 times faster than torchebm",
}
WHO = {"scorebench": with_scorebench, "torchebm": with_torchebm, "ebmkit": with_ebmkit, "JAX": with_jax, "by hand": by_hand}


def works(width: int = 128, batch: int = 1_024, steps: int = 100) -> list[Work]:
    """One for each loss; scorebench writes its step down from 100 steps on."""
    spec = f"mlp_energy:width={width}"

    def of(name: str) -> Work:
        def maker(library: ModuleType) -> Callable[[], Training]:
            return lambda: library.training(name, spec, batch)

        return Work(
            f"step_{name}",
            f"one optimisation step, MLP energy 2-{width}-{width}-1, batch {batch:,}: {LABELS[name]}",
            "ms",
            {who: maker(library) for who, library in WHO.items()}
            | {"scorebench, not compiled": lambda: with_scorebench.training(name, spec, batch, compiles=False)}
            | {f"torchebm, {SAME}": maker(with_torchebm)},
            lambda contestant: differs(name, spec, contestant, steps),
            lambda contestant: contestant.milliseconds(steps),
            WANTED[name],
        )

    return [of(name) for name in LOSSES]
