"""A suite's results as they are read: checked against the manifest, and typed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scorebench.core import schema, sealed
from scorebench.core.errors import InputError, NotApplicable, unknown
from scorebench.core.schema import ClaimResult
from scorebench.core.spec import Spec
from scorebench.store import artifacts, samples, works
from scorebench.store.damage import damaged
from scorebench.store.samples import Arrays, SourceRun
from scorebench.store.works import Method
from scorebench.suite.config import Suite
from scorebench.suite.plan import Plan
from scorebench.suite.reading import as_suite, with_its_own
from scorebench.suite.reading import load as load_suite


@dataclass(frozen=True)
class Results:
    """The folder of one suite's run; its plan is that of the manifest where none is given."""

    folder: Path
    given: Plan | None = None

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The run's facts: suite, versions, commit, checksums. Raises InputError if there is none."""
        path = self.folder / "manifest.json"
        try:
            return sealed.read(path)
        except FileNotFoundError:
            known = [p.parent.name for p in self.folder.parent.glob("*/manifest.json")]
            raise InputError(unknown(f"{path} does not exist: results", self.folder.name, known)) from None

    def facts(self, key: str) -> dict[str, Any]:
        """A mapping of the manifest. Raises InputError if that is of a version without it."""
        found = self.manifest.get(key)
        if not isinstance(found, dict):
            raise self._other(f"{key} is missing")
        return found

    @cached_property
    def suite(self) -> Suite:
        """The suite as it was run. Raises InputError if it is of a version with other keys."""
        plain = self.facts("suite")
        try:
            return as_suite(plain)
        except InputError as error:
            raise self._other(*error.lines) from None

    def _other(self, *lines: str) -> InputError:
        commit, packages = self.manifest.get("git_commit") or "unknown", self.manifest.get("packages")
        made = packages.get("scorebench", "unknown") if isinstance(packages, dict) else "unknown"
        return InputError(
            f"{self.folder / 'manifest.json'}: made by another version, scorebench {made} at commit {commit}, this is {metadata.version('scorebench')}: "
            f"{'; '.join(lines)} (allowed: run the suite again, or read it with the version that made it)"
        )

    @cached_property
    def plan(self) -> Plan:
        """The jobs of the suite as it was run."""
        return self.given or Plan(with_its_own(self.suite, self.folder))

    @property
    def older(self) -> str:
        """That the folder's suite, that of the last run, is another than that of its tables; "" where it is not."""
        try:
            last = load_suite(self.folder / "suite.yaml")
        except InputError:
            return ""  # by hand, stage by stage, or read by another version
        other = [key for key in type(last).model_fields if getattr(last, key) != getattr(self.suite, key)]
        return f"{self.folder}: the tables are older than suite.yaml ({', '.join(other)})" if other else ""

    def check(self) -> None:
        """Raises InputError where there is no run, where a file of it has changed since, or where its tables are older than its suite."""
        if changed := damaged(self.plan, self.folder):
            raise InputError(*(sealed.damaged(self.folder / name) for name in changed))
        if self.older:
            raise InputError(f"{self.older}; run the suite again")

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """metrics.csv, one value a row."""
        return schema.METRICS.from_csv(self._checked("metrics.csv"), self.folder / "metrics.csv")

    @cached_property
    def timings(self) -> pd.DataFrame:
        """timings.csv, a job or a source of it a row."""
        return schema.TIMINGS.from_csv(self._checked("timings.csv"), self.folder / "timings.csv")

    def table(self, name: str) -> pd.DataFrame:
        """tables/<name>.csv."""
        return schema.TABLES[name].from_csv(self._checked(f"tables/{name}.csv"), self.folder / f"tables/{name}.csv")

    @cached_property
    def claims(self) -> list[ClaimResult]:
        """The claims' results, in the suite's order, as the tables have them."""
        for claim in self.plan.suite.claims:
            if f"claims/{claim}.json" in self.facts("sha256"):
                self._checked(f"claims/{claim}.json")
        return [self.claim(claim) for claim in self.plan.suite.claims]

    def claim(self, name: str) -> ClaimResult:
        """One claim's result. Raises InputError if the run has none."""
        path = self._there(f"claims/{name}.json")
        return schema.claim_result(sealed.read(path), path)

    def picture(self, claim: str) -> dict[str, np.ndarray]:
        """What a claim's `picture` saved. Raises NotApplicable if it could not."""
        arrays, meta = artifacts.read_arrays(self._there(f"claims/{claim}.npz"))
        if not arrays:
            raise NotApplicable(f"the claim {claim!r} has no picture: {meta['status']}")
        return arrays

    def maps(self, target: Spec) -> dict[str, np.ndarray]:
        """A target and its sources on a grid (`engine.maps`). Raises NotApplicable where there is none."""
        arrays, meta = artifacts.read_arrays(self._there(f"map/{target.slug}.npz"))
        if not arrays:
            raise NotApplicable(f"{target} has no maps: {meta['status']}")
        return arrays

    def samples(self, target: Spec, sampler: Spec) -> list[tuple[SourceRun, Arrays]]:
        """What a sampler made of every source of a target."""
        return list(samples.read(self._there(f"sample/{target.slug}/{sampler.slug}.npz")))

    def works(self) -> Mapping[str, list[Method]]:
        """What was found of each method's work, by target."""
        return works.read_all([self._there(f"work/{id}.npz") for id in self.plan.works])

    def there(self, *names: str) -> None:
        """Raises InputError with a line for each file of the run that is not there."""
        if lacking := [path for name in names if not (path := self.folder / name).is_file()]:
            raise InputError(*(f"{path} {'is no file' if path.exists() else 'does not exist'}; run the suite again" for path in lacking))

    def _there(self, name: str) -> Path:
        self.there(name)
        return self.folder / name

    def _checked(self, name: str) -> bytes:
        expected = self.facts("sha256").get(name)  # first: a folder without a manifest holds no run
        content = self._there(name).read_bytes()
        if hashlib.sha256(content).hexdigest() != expected:
            raise InputError(sealed.damaged(self.folder / name))
        return content


def load(path: str | Path) -> pd.DataFrame:
    """All of a run, one value a row: see the columns in the README. `path` is a suite's folder, for example results/article.

    A status stands with its reason, as in metrics.csv. Raises InputError if the folder holds no run, or if metrics.csv is not the file that the run wrote.
    """
    return schema.joined(Results(Path(path)).metrics)
