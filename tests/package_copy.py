"""A copy of the package that the registry reads in the package's place, to be edited."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scorebench.core import registry
from scorebench.suite import fingerprint


def forget() -> None:
    """Read every file again, as a new process does: call it after an edit. What stands in it is understood once."""
    for function in (registry.entry, fingerprint._files, fingerprint._closure, fingerprint._read, fingerprint._version):
        function.cache_clear()


def package_copy(folder: Path) -> Iterator[Path]:
    """The copy; the registry reads the package itself again afterwards."""
    copy = folder / "scorebench"
    shutil.copytree(registry.ROOT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "ROOT", copy)
        forget()
        yield copy
    forget()
