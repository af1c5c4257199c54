"""What earlier runs of a suite have left that it no longer has: a run of all of it ends with the files that its plan names.

Of what lies in the suite's folder only what Snakemake knows to have made, and what was copied there, can be such a file: what a user put there stays.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from scorebench.core import files
from scorebench.store.again import RETRIED
from scorebench.store.damage import RUN
from scorebench.store.given import copies
from scorebench.suite.jobs import STAGES, timing
from scorebench.suite.plan import Plan
from scorebench.suite.reading import GIVEN, KEPT

OWN = ("logs/**/*.log", "benchmarks/**/*.tsv", f"{KEPT}/*", f"{files.FOLDER}/**/*")
"""What runs write beside the files of their rules."""
LOGS = 20
"""Of Snakemake's own logs, one a run, so many stay."""


def named(plan: Plan, folder: Path) -> set[str]:
    """The files, in the suite's folder, of a run of all of it."""
    its = {path.relative_to(folder).as_posix() for path in copies(plan, folder)} | {"suite.yaml", GIVEN, RUN, RETRIED}
    for stage in STAGES:
        for jobs in plan.batches(stage):
            start = f"{stage}/{jobs[0]}".removesuffix("/")
            its |= {f"logs/{start}.log", f"benchmarks/{start}.tsv"}
            its |= {file for job in jobs for file in (*plan.outputs(stage, job), timing(stage, job))}
    return its


def remove(plan: Plan, folder: Path, snakemake: Path) -> int:
    """Remove all others, and what `snakemake` (.snakemake) knows of them; how many there were."""
    its, gone = named(plan, folder), 0
    own = ((path, None) for pattern in OWN for path in folder.glob(pattern) if path.is_file())
    for path, record in [*own, *made(folder, snakemake)]:
        if path.relative_to(folder).as_posix() not in its:
            gone += path.exists()
            path.unlink(missing_ok=True)
            if record:
                record.unlink(missing_ok=True)
    for place in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if not any(place.iterdir()):
            place.rmdir()
    return gone


def made(folder: Path, snakemake: Path) -> Iterator[tuple[Path, Path]]:
    """The files in a folder that Snakemake has made or begun, each with its record of it: in base 64 their paths, from where it runs, name these."""
    for kind in ("metadata", "incomplete"):
        for record in (path for path in (snakemake / kind).rglob("*") if path.is_file()):
            parts = record.relative_to(snakemake / kind).parts
            try:
                path = Path(urlsafe_b64decode("".join(part.lstrip("@") for part in parts)).decode())
            except ValueError:
                continue  # a file of others'
            if folder in path.parents:
                yield path, record


def remembered(folder: Path, snakemake: Path) -> dict[str, str]:
    """What Snakemake remembers of how it made the files in a folder, as text, by their paths there; nothing where it cannot read that itself."""
    texts = {}
    for path, record in made(folder, snakemake):
        with suppress(ValueError):
            json.loads(text := record.read_text(encoding="utf-8"))
            texts[path.relative_to(folder).as_posix()] = text
    return texts


def prune(snakemake: Path) -> None:
    """Remove Snakemake's oldest logs."""
    for log in sorted((snakemake / "log").glob("*.snakemake.log"))[:-LOGS]:
        log.unlink(missing_ok=True)
