"""Ten seeds trained at once, as one stack, over ten trained one after the other. Other libraries have no stack: theirs is 1."""

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.contest import Work
from benchmarks.contestants import with_scorebench
from benchmarks.law import ring_target
from benchmarks.training import CLOSE, LOSSES, stream
from scorebench.core.spec import parse
from scorebench.engine.sources import trained
from scorebench.engine.training import Fitted


class Stack(NamedTuple):
    """Trains these seeds at once."""

    fit: Callable[[list[int]], Fitted]
    spec: str


def works(seeds: int = 10, steps: int = 100, compiles: bool = True) -> list[Work]:
    """An energy and a field; the measure is a quotient of a training of all and so many of one."""

    def of(name: str, label: str, spec: str, batch: int, wanted: str) -> Work:
        everyone = list(range(seeds))

        def differs(stack: Stack) -> str:
            """The first seed alone, and in company."""
            (alone,), (together,) = (stack.fit(s).parameters for s in ([0], everyone))
            at = ring_target().sample(1_000, stream("judge"))[None]
            first = {name: value[0, :1] for name, value in together.items()}
            ours, expected = (
                trained(parse("model", spec), parse("loss", "implicit"), steps, p, ring_target()).density.score(at)
                for p in (first, {name: value[0] for name, value in alone.items()})
            )
            off = ((ours - expected).norm() / expected.norm()).item()
            return "" if off < CLOSE else f"the score of a seed in company is {off:.1e} of its norm away from its own"

        def measure(stack: Stack) -> float:
            together, alone = (stack.fit(s).seconds_per_step for s in (everyone, [0]))
            return together / (seeds * alone)

        make = {"scorebench": lambda: Stack(lambda s: with_scorebench.fitted(LOSSES["denoising"], spec, batch, steps, s, compiles), spec)}
        return Work(
            name, f"{seeds} seeds at once over {seeds} singles, {label}, batch {batch}, denoising", "times", make, differs, measure, wanted
        )

    return [
        of("seeds_energy", "MLP energy, width 128", "mlp_energy:width=128", 256, "0.55 or less"),
        of("seeds_field", "MLP field, width 64", "mlp_score:width=64", 128, "0.21 or less"),
    ]
