"""Python files that a spec names, a density or a network, and that are run for what they define."""

import sys
from pathlib import Path
from types import ModuleType

import torch

from scorebench.core import files, plugins
from scorebench.core.errors import InputError
from scorebench.core.schema import raised


def run(path: Path, what: str) -> ModuleType:
    """The module of a file, run once a content. Raises InputError for one that cannot be run."""
    if path.suffix != ".py":
        raise InputError(f"{path.name}: a {what} is a Python file, NAME.py")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last, so that nothing there stands for a module of another
    try:
        with torch.random.fork_rng(devices=[]):  # a network is made with random weights before it has its own
            torch.manual_seed(0)
            return plugins.load(f"{plugins.PACKAGE}.{what}_{files.content(path)}", path)
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{path.name} cannot be run: {raised(error).reason} (what it reads beside itself it names, as FILES = [...])"
        ) from error
