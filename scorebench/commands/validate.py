"""`scorebench validate`: what a suite or a comparison would be told, before any compute."""

import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from scorebench.core import files, rng
from scorebench.core.errors import InputError, NotApplicable, of_surroundings
from scorebench.core.schema import Status, raised
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
        look_at(plan)


def look_at(plan: Plan) -> None:
    """Look at a plan's targets, and at its models as they are for these."""
    look(plan.methods, plan.suite.job_minutes, plan.suite.job_memory_mb, {(train.model, train.target) for train in plan.trains.values()})


def look(specs: Iterable[Spec], minutes: float, megabytes: float, models: Iterable[tuple[Spec, Spec]] = ()) -> None:
    """Build the targets that come of files, and the models with the targets that they are of, each in a process of its own, and print what their users should
    know.

    Raises InputError with a line for each that is not what it should be, or whose process did not come to its end.
    """
    targets = [(spec, partial(_told, spec)) for spec in specs if spec.kind == "target"]
    of_targets = [(model, partial(_built, model, target)) for model, target in models]
    lines: list[str] = []
    for spec, build in targets + of_targets:
        if files.given(spec):
            try:
                if (ended := isolated(partial(_in_a_line, build), 60 * minutes, megabytes).ended).status in (Status.FAILED, Status.TIMEOUT):
                    lines.append(f"{spec.kind} {spec.name!r}: {ended}")
            except InputError as error:
                lines += [f"{spec.kind} {spec.name!r}: {line}" for line in error.lines]
    if lines:
        raise InputError(*lines)


def _in_a_line(build: Callable[[], None]) -> None:
    """Build; what a user's code raises is an InputError."""
    try:
        build()
    except (InputError, NotApplicable):
        raise
    except BaseException as error:
        if of_surroundings(error):
            raise
        raise InputError(str(raised(error))) from None


def _told(spec: Spec) -> None:
    for remark in built(spec).remarks:
        print(f"scorebench: {spec}: {remark}", file=sys.stderr)


def _built(model: Spec, target: Spec) -> None:
    model.build(built(target).dim, rng.generator("look"))
