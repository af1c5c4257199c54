"""What a sampling job leaves: for each source in turn, how its run went and its arrays."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from scorebench.core.schema import Ended, Status
from scorebench.store import artifacts


@dataclass(frozen=True)
class SourceRun:
    """One source under one sampler, over the grid."""

    model: str
    """"" for the exact score, as `loss`."""
    loss: str
    train_steps: int | None
    status: Status
    reason: str
    cells: tuple[tuple[float | None, float], ...]
    """Step size and temperature of each cell, in the order of the arrays' grid axis; no step size where the sampler has none."""
    chains: int
    steps: tuple[int, ...] = ()
    """At each snapshot, as the next."""
    gradients: tuple[int, ...] = ()

    @property
    def ended(self) -> Ended:
        """How the run ended."""
        return Ended(self.status, self.reason)


Arrays = dict[str, Any]
"""samples (snapshot, seed, cell, chain, d), trace (seed, cell, trace chain, draw, d), acceptance and acceptance_sd (seed, cell)."""


def write(path: Path, target: str, sampler: str, runs: Sequence[tuple[SourceRun, Arrays]]) -> None:
    """Write the runs of a job, with its specs in full; arrays are empty where one did not end well."""
    arrays = {f"{number}/{name}": array for number, (_, its) in enumerate(runs) for name, array in its.items()}
    artifacts.write_arrays(path, arrays, {"target": target, "sampler": sampler, "runs": [asdict(run) for run, _ in runs]})


def read(path: Path) -> Iterator[tuple[SourceRun, Arrays]]:
    """Read what `write` wrote, arrays as numpy's. Raises InputError if a byte of it has changed."""
    arrays, meta = artifacts.read_arrays(path)
    for number, run in enumerate(TypeAdapter(list[SourceRun]).validate_python(meta["runs"])):
        prefix = f"{number}/"
        yield run, {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
