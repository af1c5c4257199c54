"""What a run rests on, and what each of its jobs took."""

import hashlib
import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from scorebench.suite.plan import Plan

PACKAGES = ("torch", "numpy", "scipy", "pandas", "scikit-learn", "arviz-stats", "snakemake")


def timings(folder: Path) -> pd.DataFrame:
    """What each job took: a row a job, or a source of it."""
    found = []
    for path in sorted((folder / "timings").rglob("*.json")):
        entry = json.loads(path.read_text())
        common = {k: entry.get(k) for k in ("stage", "job", "seconds", "peak_memory_mb")}
        for source in entry.get("sources") or [{}]:
            found.append(common | {k: source.get(k) for k in ("model", "loss", "seconds_per_gradient")})
    return pd.DataFrame(found)


def manifest(plan: Plan) -> dict[str, Any]:
    """The suite, the commit, the versions and the machine."""
    suite = json.loads(plan.suite.model_dump_json())
    return {
        "suite": suite,
        "suite_sha256": hashlib.sha256(json.dumps(suite, sort_keys=True).encode()).hexdigest(),
        "git_commit": _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain")),
        "versions": {"python": platform.python_version()} | {p: metadata.version(p) for p in PACKAGES},
        "machine": {"processor": _processor(), "system": platform.platform(), "cores": os.cpu_count(), "threads_a_job": 1},
    }


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10)
    except OSError:
        return ""
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
