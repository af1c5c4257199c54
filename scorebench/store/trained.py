"""What a training job leaves: the parameters at every checkpoint, and the sweep of what was tuned, the learning rate or an option of the loss."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from scorebench.core.schema import Ended, Number, Status
from scorebench.store import artifacts


@dataclass(frozen=True)
class Training:
    """How the training of one loss, at all its levels, went."""

    losses: tuple[str, ...]
    """A level each, in the order of the arrays' first axis."""
    steps: tuple[int, ...]
    """Gradient steps at each checkpoint."""
    status: Status
    reason: str
    chosen: tuple[float, ...] = ()
    """The value of what is tuned (`suite.jobs.swept`) for each loss."""
    sweep: tuple[dict[float, list[Number]], ...] = ()
    """For each loss the validation loss of each seed at each value; empty where one was given."""
    divergences: tuple[dict[float, list[Number]], ...] = ()
    """The same of the relative Fisher divergence to what each learns; empty where it is not known."""

    @property
    def ended(self) -> Ended:
        """How the training ended."""
        return Ended(self.status, self.reason)


Checkpoint = dict[str, Any]
"""Parameters by name, each (level, seed, ...)."""


def write(path: Path, target: str, model: str, training: Training, checkpoints: Sequence[Mapping[str, Any]]) -> None:
    """Write a training, with its specs in full; checkpoints are none where it did not end well."""
    arrays = {f"{number}/{name}": array for number, checkpoint in enumerate(checkpoints) for name, array in checkpoint.items()}
    artifacts.write_arrays(path, arrays, {"target": target, "model": model} | asdict(training))


def read(path: Path) -> tuple[Training, list[dict[str, np.ndarray]]]:
    """Read what `write` wrote. Raises InputError if a byte of it has changed."""
    arrays, meta = artifacts.read_arrays(path)
    training = TypeAdapter(Training).validate_python(meta)
    checkpoints: list[dict[str, np.ndarray]] = [{} for _ in training.steps]
    for key, array in arrays.items():
        number, _, name = key.partition("/")
        checkpoints[int(number)][name] = array
    return training, checkpoints
