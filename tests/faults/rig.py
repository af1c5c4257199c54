"""What the fault scripts share: a copy of the repository in which the workflow is started as a user starts it, and what they count."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import psutil

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "workflows", "profiles", "scorebench", "snakemake_logger_plugin_scorebench", "requirements.lock", "pyproject.toml")
TINY = """
name: tiny
seed: 1
metrics: [second_moment_bias, acceptance]
claims: [wiener-increment]
figures: [bias_against_step_size]
experiments:
  - target: gaussian
    seeds: 2
    training: {size: 100, batch: 16, steps: [5], learning_rate: 1e-2}
    sources: {quadratic: [implicit]}
    exact: {samplers: [ula, mala], step_sizes: [0.1, 0.2], chains: 16, budgets: [5]}
    trained: {samplers: [ula], step_sizes: [0.1], chains: 16, budgets: [5]}
"""
CLAIM = '''"""A claim that is planted."""
from scorebench.claims.base import Measurement, Prediction

LABEL = QUOTE = TRANSLATION = STATEMENT = CONDITIONS = SOURCE = "none"
EXPECTED = "reproduced"
LEADING = "x"


def predict():
    return [Prediction("x", "as-written", {}, "", 1.0)]


'''
"""What a claim needs but for `measure`."""


class Rig:
    """A copy of the repository with a suite of a few seconds, `tiny`, beside those that it has; `python` is the one that it is run by."""

    def __init__(self, folder: Path, suite: str = "tiny", python: str = sys.executable) -> None:
        self.folder, self.suite, self.python = folder, suite, python
        folder.mkdir(parents=True, exist_ok=True)
        for name in PARTS:
            source, ignore = ROOT / name, shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignore) if source.is_dir() else shutil.copy(source, folder / name)
        (folder / "workflows/suites/tiny.yaml").write_text(TINY)

    def claim(self, name: str, measure: str, more: str = "") -> None:
        """Let the copy's suite be one planted claim, with what is least beside it."""
        (self.folder / f"workflows/suites/{name}.py").write_text(CLAIM + measure)
        text = f"name: {self.suite}\nseed: 1\nmetrics: [acceptance]\nplugins: [{name}.py]\nclaims: [{name}]\n{more}experiments:\n"
        text += "  - {target: gaussian, seeds: 2, exact: {samplers: [ula], step_sizes: [0.1], chains: 16, budgets: [5]}}\n"
        (self.folder / f"workflows/suites/{self.suite}.yaml").write_text(text)

    @property
    def out(self) -> Path:
        return self.folder / "results" / self.suite

    def start(self, *arguments: str, **named: object) -> subprocess.Popen[str]:
        """`snakemake --cores 2`, the leader of a process group; what it says comes in one stream."""
        command = [
            *named.pop("by", ()),
            self.python,
            "-m",
            "snakemake",
            "--cores",
            "2",
            *arguments,
            "--configfile",
            f"workflows/suites/{self.suite}.yaml",
        ]
        changes = {"PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"} | dict(named.pop("environment", {}))  # type: ignore[call-overload]
        environment = {name: value for name, value in (os.environ | changes).items() if value is not None}
        streams = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "stdin": subprocess.DEVNULL,
            "text": True,
            "errors": "replace",
        } | named
        return subprocess.Popen(command, cwd=self.folder, env=environment, start_new_session=True, **streams)  # type: ignore[call-overload]

    def run(self, *arguments: str, **named: object) -> tuple[int, str]:
        """The same to its end: its exit status and what it said."""
        process = self.start(*arguments, **named)
        said, _ = process.communicate(timeout=900)
        return process.returncode, said

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`scorebench` in the copy."""
        environment = os.environ | {"PYTHONPATH": str(self.folder)}
        return subprocess.run(
            [sys.executable, "-m", "scorebench", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True
        )

    def digests(self) -> dict[str, str]:
        """Of what must be the same bytes in every run: metrics.csv, tables, figures and what they rest on."""
        kinds = ("metrics.csv", "tables/*.*", "figures/*.*", "claims/*.*", "train/**/*.npz", "sample/**/*.npz", "measure/**/*.gz")
        paths = [path for kind in kinds for path in self.out.glob(kind)]
        return {path.relative_to(self.out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def records(self) -> dict[str, int]:
        """The records of jobs, each with the time at which it was written."""
        return {path.relative_to(self.folder).as_posix(): path.stat().st_mtime_ns for path in self.out.glob("timings/**/*.json")}

    def unfinished(self) -> set[str]:
        """The files that Snakemake holds for incomplete."""
        return self.known("incomplete")

    def known(self, kind: str = "metadata") -> set[str]:
        """The files of which Snakemake has a record."""
        folder = self.folder / ".snakemake" / kind
        names = ["".join(part.lstrip("@") for part in path.relative_to(folder).parts) for path in folder.rglob("*") if path.is_file()]
        return {urlsafe_b64decode(name).decode() for name in names}

    def processes(self) -> list[psutil.Process]:
        """Those that work in the copy."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.cwd() == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                    found.append(process)
        return found

    def orphans(self, seconds: float = 2.0) -> int:
        """How many still live after so many seconds; they are ended then."""
        limit = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < limit:
            time.sleep(0.05)
        for process in left:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        return len(left)

    def empty(self) -> None:
        """As if nothing had run."""
        for name in ("results", ".snakemake"):
            shutil.rmtree(self.folder / name, ignore_errors=True)


@contextmanager
def rig(suite: str = "tiny", name: str = "copy") -> Iterator[Rig]:
    """A copy that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="faults", ignore_cleanup_errors=True) as folder:
        yield Rig(Path(folder).resolve() / name, suite)


_said: list[str] = []


def judged(what: str, counts: Counter[str], wrong: tuple[str, ...]) -> bool:
    """Print the counts; whether none is wrong."""
    bad = {name: counts[name] for name in wrong if counts[name]}
    numbers = ", ".join(f"{number} {name}" for name, number in counts.items())
    _said.append(f"{what}: {numbers}; {f'WRONG: {bad}' if bad else 'as predicted'}")
    print(_said[-1], flush=True)
    return not bad


def ended(good: Iterable[bool]) -> NoReturn:
    """The end of a script: all of that in one line, and 1 if any was not as predicted."""
    code = int(not all(good))
    print(" | ".join(_said))
    sys.exit(code)
