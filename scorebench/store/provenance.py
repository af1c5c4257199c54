"""What a run rests on, and what each of its jobs took."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from scorebench.core import sealed
from scorebench.core.schema import TIMINGS
from scorebench.suite.jobs import COMPUTING, timing
from scorebench.suite.plan import Plan

PACKAGES = ("torch", "numpy", "scipy", "pandas", "scikit-learn", "arviz-stats", "snakemake")


def timings(folder: Path, plan: Plan, stages: Sequence[str] = COMPUTING) -> pd.DataFrame:
    """What each job of some stages took: a row a job, or a source of it. A job that has not run has none."""
    rows = []
    for path in (folder / timing(stage, job) for stage in stages for job in sorted(plan.jobs(stage))):
        if path.exists():
            entry = sealed.read(path)
            common = {name: entry.get(name) for name in ("stage", "job", "seconds", "peak_memory_mb")}
            rows += [common | source for source in entry.get("sources") or [{}]]
    return TIMINGS.frame(rows)


def manifest(plan: Plan) -> dict[str, Any]:
    """The suite, the commit, the versions and the machine."""
    suite = json.loads(plan.suite.model_dump_json())
    return {
        "suite": suite,
        "suite_sha256": hashlib.sha256(json.dumps(suite, sort_keys=True).encode()).hexdigest(),
        "git_commit": _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain")),
        "versions": {"python": platform.python_version()} | {p: metadata.version(p) for p in PACKAGES},
        "machine": {
            "processor": processor(),
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "threads_a_job": 1,
            "compiler": _compiler(),
        },
    }


def _git(*arguments: str) -> str:
    return _said("git", *arguments)


def _compiler() -> str:
    """The one that torch asks, by its first line; nothing where there is none, and nothing is compiled."""
    return _said(os.environ.get("CXX", "g++"), "--version").partition("\n")[0]


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, encoding="utf-8", timeout=10)
    except OSError:
        return ""
    return done.stdout.strip()


def processor() -> str:
    """The processor, in the words of the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
