"""`scorebench validate`: what a suite or a comparison would be told, before any compute."""

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from scorebench.core import files
from scorebench.core.errors import InputError
from scorebench.core.spec import Spec
from scorebench.engine.process import isolated
from scorebench.engine.target import built
from scorebench.suite.plan import Plan


def validate(plan: Plan) -> None:
    """Look at the targets of a suite as its jobs will find them: as the copies of their files that a run keeps, without what lies beside these."""
    with tempfile.TemporaryDirectory() as folder:
        for spec in plan.methods:
            files.keep(spec, Path(folder))
        files.look_in(Path(folder), Path(folder))
        look(plan.methods, plan.suite.job_minutes, plan.suite.job_memory_mb)


def look(specs: Iterable[Spec], minutes: float, megabytes: float) -> None:
    """Build the targets that come of files, each in a process of its own, and print what their users should know.

    Raises InputError with a line for each that is not what it should be; what else goes wrong is told as the status of its rows.
    """
    lines: list[str] = []
    for spec in specs:
        if spec.kind == "target" and files.given(spec):
            try:
                isolated(lambda spec=spec: _told(spec), 60 * minutes, megabytes)  # type: ignore[misc]
            except InputError as error:
                lines += [f"{spec.kind} {spec.name!r}: {line}" for line in error.lines]
    if lines:
        raise InputError(*lines)


def _told(spec: Spec) -> None:
    for remark in built(spec).remarks:
        print(f"scorebench: {spec}: {remark}", file=sys.stderr)
