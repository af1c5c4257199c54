"""A suite with a plugin and a table on a real Slurm, where one can be started; everywhere, how clusters are asked. The rest: tests/faults/cluster.py."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent / "faults"))

import cluster
import rig
from slurm import lacking, slurm

ROOT = rig.ROOT
STEPS = [line.split(maxsplit=1) for line in (ROOT / "Containerfile").read_text().splitlines() if line and not line.startswith("#")]
"""Of the container: an instruction, and what it takes."""


@pytest.fixture(scope="module")
def contained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the container's COPY lines copy; what they name must be in the repository."""
    folder = tmp_path_factory.mktemp("container")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for *sources, to in (what.split() for step, what in STEPS if step == "COPY"):
        for source in sources:
            files = [file for file in tracked if file == source or file.startswith(f"{source}/")]
            assert files and (to == "./" or source == to), source
            for file in files:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, folder / file)
    return folder


def test_the_container_installs_the_lock(contained: Path) -> None:
    """Its steps but for the downloads: make says what it would do there, which is what it does for a user."""
    assert [step for step, _ in STEPS] == ["FROM", "ARG", "RUN", "WORKDIR", *["COPY"] * 6, "RUN", "ENV", "ENTRYPOINT", "CMD"]
    packages, install = [what for step, what in STEPS if step == "RUN"]
    assert {"g++", "make", "python3-dev", "python3-venv"} <= set(packages.split())
    said = subprocess.run(
        ["sh", "-c", f"{install} --dry-run"], cwd=contained, env=os.environ | {"PIP_FLAGS": "--flag"}, capture_output=True, text=True
    )
    assert " install -qq --disable-pip-version-check --flag -c requirements.lock -e .\n" in said.stdout, said.stderr


@pytest.mark.parametrize("profile", ["slurm", "kubernetes"])
def test_a_profile_is_read(contained: Path, profile: str) -> None:
    """Where there is what the container has, which so is whole."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--profile", f"profiles/{profile}", "--config", "suite=smoke"]
    done = subprocess.run(command, cwd=contained, env=os.environ | {"PYTHONPATH": str(contained)}, capture_output=True, text=True)
    assert done.returncode == 0 and "would run page" in done.stderr, done.stdout + done.stderr
    settings = yaml.safe_load((ROOT / f"profiles/{profile}/config.yaml").read_text())
    assert settings["executor"] == profile and settings["retries"] > 0 and settings["cores"] == 1


@pytest.mark.skipif(bool(lacking()), reason=f"NOT RUN: {lacking()}")
def test_a_cluster_makes_what_one_machine_makes(tmp_path: Path) -> None:
    copy = rig.Rig(tmp_path / "copy", "own")
    cluster.own(copy)
    expected = cluster.alone(copy)
    with slurm(tmp_path / "slurm"):
        assert cluster.same(copy, expected)
