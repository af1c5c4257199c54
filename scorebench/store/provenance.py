"""What a run rests on, and what each of its jobs took."""

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from scorebench.core import plugins, registry, sealed
from scorebench.core.files import content, given, locate
from scorebench.core.schema import TIMINGS
from scorebench.suite.jobs import COMPUTING, timing
from scorebench.suite.plan import Plan

PACKAGES = ("torch", "numpy", "scipy", "pandas", "scikit-learn", "arviz-stats", "snakemake")


def timings(folder: Path, plan: Plan, stages: Sequence[str] = COMPUTING) -> pd.DataFrame:
    """What each job of some stages took: a row a job, or a source of it. A job that has not run has none."""
    rows = []
    for entry in _records(folder, plan, stages):
        common = {name: entry.get(name) for name in ("stage", "job", "seconds", "peak_memory_mb")}
        rows += [common | source for source in entry.get("sources") or [{}]]
    return TIMINGS.frame(rows)


def _records(folder: Path, plan: Plan, stages: Sequence[str] = COMPUTING) -> list[dict[str, Any]]:
    paths = [folder / timing(stage, job) for stage in stages for job in sorted(plan.jobs(stage))]
    return [sealed.read(path) for path in paths if path.exists()]


def manifest(plan: Plan, folder: Path) -> dict[str, Any]:
    """What a stranger makes the same environment and run of: the suite with its own files, the code, every package, the machine, and the commands.

    What torch computed with is what the jobs of the run in `folder` say; several where they ran on several machines.
    """
    suite = json.loads(plan.suite.model_dump_json())
    lock = registry.ROOT.parent / "requirements.lock"
    said = [distribution.metadata for distribution in metadata.distributions()]
    packages = {its["Name"]: its["Version"] for its in said}
    return {
        "suite": suite,
        "suite_sha256": hashlib.sha256(json.dumps(suite, sort_keys=True).encode()).hexdigest(),
        "git_commit": _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain")),
        "git_diff_sha256": hashlib.sha256((_git("diff", "HEAD") + _git("status", "--porcelain")).encode()).hexdigest(),
        "own_files": {path.name: content(path) for path in _own(plan)},
        "versions": {"python": platform.python_version()} | {p: metadata.version(p) for p in PACKAGES},
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": dict(sorted(packages.items())),
        "lock_sha256": content(lock) if lock.is_file() else "",
        "not_as_locked": _not_as_locked(lock, packages) if lock.is_file() else {},
        "commands": _commands(plan),
        "machine": {
            "processor": processor(),
            "system": platform.platform(),
            "architecture": platform.machine(),
            **_computed_with(folder, plan),
            "cores": os.cpu_count(),
            "threads_a_job": 1,
            "compiler": _compiler(),
        },
    }


def _computed_with(folder: Path, plan: Plan) -> dict[str, str]:
    entries = _records(folder, plan)
    return {what: ", ".join(sorted({entry[what] for entry in entries if entry.get(what)})) for what in ("cpu_capability", "gpu")}


def _own(plan: Plan) -> list[Path]:
    """Files that the suite brings: its plugins, and what its methods name. The run keeps copies."""
    return [*(path for _, path in sorted(plugins.files.items())), *(locate(text) for spec in plan.methods for text in given(spec))]


def _not_as_locked(lock: Path, packages: dict[str, str]) -> dict[str, str]:
    """Installed packages of other versions than the lock's; what follows a `+` says how a package was built, not what of."""
    names = {_plain(name): version for name, version in packages.items()}
    pinned = (line.partition("==")[::2] for line in lock.read_text(encoding="utf-8").split() if "==" in line)
    return {name: names[_plain(name)] for name, version in pinned if names.get(_plain(name), version).partition("+")[0] != version}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _commands(plan: Plan) -> list[str]:
    """From a checkout of the commit to the same tables."""
    checkout = [f"git checkout {commit}"] if (commit := _git("rev-parse", "HEAD")) else []
    python = ".".join(platform.python_version_tuple()[:2])
    return [
        *checkout,
        f"python{python} -m venv .venv",
        ".venv/bin/pip install -c requirements.lock -e .",
        f".venv/bin/snakemake --cores all --configfile results/{plan.suite.name}/suite.yaml",
    ]


def _git(*arguments: str) -> str:
    return _said("git", *arguments)


def _compiler() -> str:
    """The one that torch asks, by its first line; nothing where there is none, and nothing is compiled."""
    return _said(os.environ.get("CXX", "g++"), "--version").partition("\n")[0]


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, encoding="utf-8", errors="replace", timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def processor() -> str:
    """The processor, in the words of the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
