"""What a run was given, in its own folder, so that its record runs again from anywhere: the suite, plugins, and files that specs name."""

from pathlib import Path

from scorebench.core import files, plugins, sealed
from scorebench.store import artifacts
from scorebench.suite.plan import Plan
from scorebench.suite.reading import GIVEN, KEPT


def copies(plan: Plan, folder: Path) -> dict[Path, Path]:
    """Each copy but that of the suite, with the file that it is of."""
    its = {folder / KEPT / Path(plugin).name: plugins.files[Path(plugin).stem] for plugin in plan.suite.plugins}
    for spec in plan.methods:
        its |= files.copies(spec, folder / files.FOLDER)
    return its


def keep(plan: Plan, suite: Path, folder: Path) -> None:
    """Copy all of it, as it is now, with its digests."""
    kept = {folder / "suite.yaml": suite} | copies(plan, folder)
    for to, file in kept.items():
        if not (to.exists() and to.samefile(file)):
            artifacts.write_bytes(to, file.read_bytes())
    artifacts.write_json(folder / GIVEN, {"sha256": {path.relative_to(folder).as_posix(): sealed.digest(path) for path in kept}})
