"""A suite's results as they are read: checked against the manifest, and typed."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scorebench.core.errors import InputError, NotApplicable, unknown
from scorebench.store import artifacts
from scorebench.suite.config import as_suite
from scorebench.suite.plan import Plan

TEXT = ("suite", "target", "model", "loss", "sampler", "metric", "status")
WHOLE = ("train_size", "train_steps", "steps", "gradient_evaluations", "chains", "seed")


@dataclass(frozen=True)
class Results:
    """The folder of one suite's run."""

    folder: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The run's facts: suite, versions, commit, checksums. Raises InputError if there is none."""
        path = self.folder / "manifest.json"
        try:
            return json.loads(path.read_text())
        except FileNotFoundError:
            known = [p.parent.name for p in self.folder.parent.glob("*/manifest.json")]
            raise InputError(unknown(f"{path} does not exist: results", self.folder.name, known)) from None
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}); delete it and run again") from None

    @cached_property
    def plan(self) -> Plan:
        """The jobs of the suite as it was run."""
        return Plan(as_suite(self.manifest["suite"]))

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """metrics.csv, one value a row."""
        frame = pd.read_csv(self._checked("metrics.csv"), keep_default_na=False, na_values={c: [""] for c in _NUMBERS})
        return frame.astype({c: "Int64" for c in WHOLE} | {c: "str" for c in TEXT})

    def table(self, name: str) -> pd.DataFrame:
        """tables/<name>.csv."""
        return pd.read_csv(self._checked(f"tables/{name}.csv"))

    @cached_property
    def claims(self) -> list[dict[str, Any]]:
        """The claims' results, in the suite's order."""
        return [self.claim(c) for c in self.plan.jobs("claim")]

    def claim(self, name: str) -> dict[str, Any]:
        """One claim's result. Raises InputError if the run has none."""
        path = self.folder / "claims" / f"{name}.json"
        if not path.exists():
            raise InputError(f"{path} does not exist; run the suite with the claim {name!r}")
        return json.loads(path.read_text())

    def picture(self, claim: str) -> dict[str, np.ndarray]:
        """What a claim's `picture` saved. Raises NotApplicable if it could not."""
        path = self.folder / "claims" / f"{claim}.npz"
        if not path.exists():
            raise InputError(f"{path} does not exist; run the suite with the claim {claim!r}")
        arrays, meta = artifacts.read_arrays(path)
        if not arrays:
            raise NotApplicable(f"the claim {claim!r} has no picture: {meta['status']}")
        return arrays

    def _checked(self, name: str) -> Path:
        path = self.folder / name
        expected = self.manifest["sha256"].get(name)
        if not path.exists():
            raise InputError(f"{path} does not exist; run the suite again")
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise InputError(f"{path} is damaged or edited: it is not the file that the run wrote; run the suite again")
        return path


_NUMBERS = "train_size train_steps sigma step_size temperature steps gradient_evaluations chains seed value standard_error".split() + (
    "floor_mean floor_sd floor_q95 z".split()
)


def load(path: str | Path) -> pd.DataFrame:
    """All of a run, one value a row: see the columns in the README. `path` is a suite's folder, for example results/article.

    Raises InputError if the folder holds no run, or if metrics.csv is not the file that the run wrote.
    """
    return Results(Path(path)).metrics
