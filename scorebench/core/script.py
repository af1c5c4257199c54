"""Python files that a spec names, a density or a network, and that are run for what they define."""

import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from unittest import mock

import numpy as np
import torch
from scipy import optimize
from torch import Tensor, nn

from scorebench.core import files, plugins
from scorebench.core.errors import InputError
from scorebench.core.schema import raised

LONG = 10.0
"""A file that took so many seconds is not run again to see whether it defines the same."""
LATER = 1e7
"""Seconds by which the clock is ahead when it is."""
HIGHEST = 2**20
"""The largest |log p| where the mass lies. Beyond, float32 holds it to 1/16 at best: its exponential is off by 6 %, and what an accept step draws by 3 % in
total variation; up to it by half of that."""
CLIMB = 200
"""Iterations that look for where the mass lies."""


class Run(NamedTuple):
    """What is known of a run of a file."""

    seconds: float
    imported: set[str]
    """The modules from its folder."""


_runs: dict[str, Run] = {}
_alike: set[str] = set()
"""Those that were found to define the same again."""


def run(path: Path, what: str) -> ModuleType:
    """The module of a file, run once a content. Raises InputError for one that cannot be run."""
    if path.suffix != ".py":
        raise InputError(f"{path.name}: a {what} is a Python file, NAME.py")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last, so that nothing there stands for a module of another
    name, before, started = _name(path, what), set(sys.modules), time.monotonic()
    try:
        with seeded():
            module = plugins.load(name, path)
    except (Exception, SystemExit) as error:
        hint = " (what it reads beside itself it names, as FILES = [...])" if isinstance(error, (OSError, ImportError)) else ""
        raise InputError(f"{path.name} cannot be run: {raised(error).reason}{hint}") from error
    _runs.setdefault(
        name, Run(time.monotonic() - started, {new for new in set(sys.modules) - before if _lies_in(path.parent, new)} - {name})
    )
    return module


def alike(path: Path, what: str, values: Callable[[ModuleType], Iterable[Tensor]]) -> None:
    """Raises InputError where a file that has run, run again as on another day, defines functions of other values: every job would have its own.

    What rests on the process is not seen (its number, the order of a set of words), nor is a file that took LONG or that cannot be run twice.
    """
    name = _name(path, what)
    if name in _alike or _runs[name].seconds > LONG:
        return
    kept = {other: sys.modules.pop(other) for other in _runs[name].imported if other in sys.modules}
    now, again = time.time, f"{name}_again"
    try:
        with seeded(), mock.patch("time.time", lambda: now() + LATER):
            twin = plugins.load(again, path)
    except (Exception, SystemExit):
        return
    finally:
        sys.modules.pop(again, None)
        sys.modules.update(kept)
    for one, other in zip(values(sys.modules[name]), values(twin), strict=True):
        if one.shape != other.shape or not torch.allclose(one, other, rtol=1e-4, atol=1e-5 * float(one.abs().max()), equal_nan=True):
            raise InputError(
                f"{path.name}: run twice, it defines two: at its top it takes numbers that no seed fixes, random ones or the time, and every job would have "
                f"a {what} of its own (allowed: np.random.default_rng(0), say; or numbers that are kept in a file, named in FILES = [...])"
            )
    _alike.add(name)


@contextmanager
def seeded() -> Iterator[None]:
    """The global random numbers of torch, NumPy and Python are the same within, as a network is made with before it has its weights, and others' after."""
    of_numpy, of_python = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            np.random.seed(0)
            random.seed(0)
            yield
    finally:
        np.random.set_state(of_numpy)
        random.setstate(of_python)


def trains(module: ModuleType) -> str:
    """What to say of networks of a file that are in their train mode, in which values depend on chance and on other points."""
    names = [name for name, value in vars(module).items() if isinstance(value, nn.Module) and value.training]
    return f"; {names[0]} is in its train mode: call {names[0]}.eval()" if names else ""


def resolved(path: Path, log_prob: Callable[[Tensor], Tensor], score: Callable[[Tensor], Tensor], x: Tensor) -> None:
    """Raises InputError where |log p|, seen from points x (n, d), is above HIGHEST where the mass lies; chains that start far below it come there."""
    values = log_prob(x)
    point, top = x[values.argmax()], float(values.max())
    if top < -HIGHEST:

        def loss(y: np.ndarray) -> tuple[float, np.ndarray]:
            at = torch.as_tensor(y).to(point)[None]
            return -float(log_prob(at)), -score(at)[0].double().cpu().numpy()

        try:
            found = optimize.minimize(loss, point.double().cpu().numpy(), jac=True, method="L-BFGS-B", options={"maxiter": CLIMB})
        except Exception:  # it leaves the support
            return
        point, top = torch.as_tensor(found.x), -float(found.fun) if found.success else 0.0
    if abs(top) > HIGHEST:
        raise InputError(
            f"{path.name}: log_prob(x) is {top:.4g} at x = {shown(point)}, which float32 rounds by up to {abs(top) * 2**-24:.2g}: an accept step is "
            f"as far off (allowed: up to {HIGHEST:,} where the mass lies, by a constant that is taken off)"
        )


def shown(x: Tensor) -> str:
    """A point (d,) as a message has it."""
    values = [f"{float(value):.4g}" for value in x[:4]]
    return f"[{', '.join(values)}{', ...' if len(x) > 4 else ''}]"


def _name(path: Path, what: str) -> str:
    return f"{plugins.PACKAGE}.{what}_{files.content(path)}"


def _lies_in(folder: Path, module: str) -> bool:
    file = getattr(sys.modules[module], "__file__", None)
    return file is not None and Path(file).resolve().parent == folder.resolve()
