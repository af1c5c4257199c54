"""A tenth of what `make faults` does at most: a kill, a signal, damage, full disks and limits under load; the scripts stand under tests/faults."""

import csv
import errno
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import in_this_process
from forked_python import python

from scorebench import stages
from scorebench.commands import crate
from scorebench.core import sealed
from scorebench.core.errors import InputError
from scorebench.core.schema import METRICS
from scorebench.engine.process import isolated
from scorebench.report import verify
from scorebench.store import given, leftovers
from scorebench.store.artifacts import TEMPORARY, UNFINISHED
from scorebench.store.damage import damaged, sweep
from scorebench.store.owner import own
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

sys.path.insert(0, str(Path(__file__).parent / "faults"))

import damage
import kill
import month
import rig

SMALL = """
name: tiny
seed: 1
metrics: [second_moment_bias]
claims: []
figures: []
experiments:
  - {target: gaussian, seeds: 2, exact: {samplers: [ula], step_sizes: [0.1, 0.2], chains: 16, budgets: [5]}}
"""
"""What is edited between runs."""


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rig.Rig]:
    """A copy of the repository whose suite waits in a claim, in a process that has started another."""
    copy = rig.Rig(tmp_path_factory.mktemp("faults").resolve() / "copy")
    copy.claim("waiting", kill.WAITING)
    yield copy
    copy.orphans(0.0)


@pytest.mark.parametrize(("number", "whole"), [(signal.SIGKILL, False), (signal.SIGTERM, False), (signal.SIGKILL, True)])
def test_the_same_command_goes_on(waiting: rig.Rig, number: signal.Signals, whole: bool) -> None:
    """Nothing that it started lives on; a second run while it lives names it, ends, and takes nothing from it."""
    target = f"results/{waiting.suite}/claims/waiting.json"
    process = waiting.start(target)
    kill.waits(waiting)
    if whole:
        code, said = waiting.run(target)
        assert code == 1 and f"scorebench: process {process.pid} is at work on results/{waiting.suite}: " in said
        retried = waiting.command("retry", f"results/{waiting.suite}")
        assert retried.returncode == 2 and f"process {process.pid} is at work on results/{waiting.suite}: " in retried.stderr
    (os.killpg if whole else os.kill)(process.pid, number)
    said, _ = process.communicate(timeout=5)
    assert waiting.orphans() == 0
    assert ("stopped by SIGTERM; the same command goes on" in said) == (number == signal.SIGTERM) and "Traceback" not in said
    if whole:
        (waiting.folder / "go").touch()
        code, said = waiting.run(target)
        assert code == 0 and (waiting.folder / target).exists(), said


def test_results_know_themselves_what_they_rest_on(tmp_path: Path) -> None:
    """Snakemake's memory of it lies beside them: there it has none, and what it remembers here is older than what the other has made."""
    here, there = rig.Rig(tmp_path.resolve() / "here"), rig.Rig(tmp_path.resolve() / "there")
    (there.folder / "results").symlink_to(here.folder / "results")
    for run, text in ((here, SMALL), (there, SMALL.replace("0.2]", "0.3]")), (here, SMALL)):
        (run.folder / "workflows/suites/tiny.yaml").write_text(text)
        code, said = run.run()
        assert code == 0, said
        rows = csv.DictReader((run.out / "metrics.csv").read_text().splitlines())
        assert {row["step_size"] for row in rows} == {"0.1", "0.3" if "0.3" in text else "0.2"}


def test_one_owner_of_results_wherever_links_lead_to_them_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in its file."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results").symlink_to(tmp_path / "shared")
    (tmp_path / "shared").mkdir()
    script = "from pathlib import Path; from scorebench.store.owner import own; own('results/tiny', Path('.snakemake')); print(flush=True); input()"
    owner = tmp_path / "shared/.tiny.owner"
    for text in ("", "null", "[]", "3", '"a"', '{"host": 1}', "[" * 100_000, "\xff"):
        owner.write_text(text)
        with subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path / "a", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
            first.stdout.readline()
            monkeypatch.chdir(tmp_path / "b")
            with pytest.raises(InputError, match=f"process {first.pid} is at work on results/tiny"):
                own("results/tiny", Path(".snakemake"))
            first.communicate(b"\n")
        assert first.returncode == 0


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    """A suite that has been run, its jobs one after the other in this process."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.yaml").write_text(rig.TINY)
    plan = Plan(load(folder / "tiny.yaml"))
    given.keep(plan, folder / "tiny.yaml", folder / "tiny")
    with in_this_process():
        every(plan, folder)
    return plan, folder


def every(plan: Plan, folder: Path) -> None:
    for stage in STAGES:
        for job in plan.jobs(stage):
            stages.run(stage, plan, job, folder)


def test_damage_is_noticed(tiny: tuple[Plan, Path]) -> None:
    plan, folder = tiny
    assert damage.damages(folder / "tiny", plan, 100, random.Random(1))


@pytest.fixture
def copied(tiny: tuple[Plan, Path], tmp_path: Path) -> Path:
    """The folder of the same run, to be damaged."""
    return Path(shutil.copytree(tiny[1] / "tiny", tmp_path / "results/tiny"))


def test_a_reference_is_whole_or_the_one_before(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference = verify.write_reference(copied)
    assert verify.write_reference(copied) == reference and verify.show(copied)
    before = {path: path.read_bytes() for path in reference.parent.rglob("*") if path.is_file()}
    for lacking in ("tables/work.csv", "figures/bias_against_step_size.png"):
        content = (copied / lacking).read_bytes()
        (copied / lacking).unlink()
        with pytest.raises(InputError, match=f"{lacking} does not exist; run the suite again"):
            verify.write_reference(copied)
        assert {path: path.read_bytes() for path in reference.parent.rglob("*") if path.is_file()} == before
        (copied / lacking).write_bytes(content)
    reference.rename(reference.with_name(".tiny.before"))  # as a process leaves it that was killed between its two moves
    (copied / lacking).unlink()
    with pytest.raises(InputError, match=f"{lacking} does not exist"):
        verify.write_reference(copied)
    assert {path: path.read_bytes() for path in reference.parent.rglob("*") if path.is_file()} == before


def test_a_reference_that_has_changed_is_not_compared_with(copied: Path) -> None:
    """Each of its files cut to half, and away; what it was not written with is no part of it."""
    reference = verify.write_reference(copied)
    (reference / ".DS_Store").touch()
    (reference / "claims/mine.json").touch()
    assert verify.show(copied)
    for name in (*sealed.read(reference / "digests.json")["sha256"], "digests.json"):
        content = (reference / name).read_bytes()
        (reference / name).write_bytes(content[: len(content) // 2])
        for how in ("is damaged or edited", "does not exist"):
            with pytest.raises(InputError, match=rf"{name} {how} \(allowed: .*git checkout.*verify --write") as told:
                verify.show(copied)
            assert len(told.value.lines) == 1
            (reference / name).unlink(missing_ok=True)
        (reference / name).write_bytes(content)
    assert verify.show(copied)


def test_the_reference_in_the_repository_is_as_it_was_written() -> None:
    assert {"cells.csv.gz", "manifest.json", "tables/claims.csv", "timings.csv"} <= verify.intact(Path("results/reference/article"))


@pytest.mark.parametrize("damage", ["edited", "folder", "absent"])
def test_a_damaged_run_is_no_crate(copied: Path, damage: str, tmp_path: Path) -> None:
    pytest.importorskip("rocrate")
    for name in ("metrics.csv", "suite.yaml", "timings/sample/gaussian/ula.json"):
        path, content = copied / name, (copied / name).read_bytes()
        path.unlink()
        if damage == "folder":
            path.mkdir()
        if damage == "edited":
            path.write_bytes(content[: len(content) // 2])
        with pytest.raises(InputError, match=path.name):
            crate.write(copied, tmp_path / "x.zip")
        assert not (tmp_path / "x.zip").exists()
        if damage == "folder":
            path.rmdir()
        path.write_bytes(content)
    assert crate.write(copied, tmp_path / "x.zip") == sum(len(Plan(load(copied / "suite.yaml")).jobs(stage)) for stage in STAGES)


@pytest.mark.parametrize("name", ["suite.yaml", "plugins/my_metric.py"])
def test_a_copy_that_is_gone_is_told_and_made_again(name: str, tmp_path: Path) -> None:
    method = Path("scorebench/metrics/mean_error.py").read_text(encoding="utf-8").replace("def mean_error(", "def my_metric(")
    (tmp_path / "my_metric.py").write_text(method, encoding="utf-8")
    (tmp_path / "own.yaml").write_text(SMALL.replace("seed: 1\n", "seed: 1\nplugins: [my_metric.py]\n"), encoding="utf-8")
    plan, folder = Plan(load(tmp_path / "own.yaml")), tmp_path / "results/own"
    given.keep(plan, tmp_path / "own.yaml", folder)
    assert damaged(plan, folder) == []
    (folder / name).unlink()
    assert damaged(plan, folder) == [name]
    with pytest.raises(InputError, match=f"{name}.*[Nn]o such file|{name} does not exist; run the suite again from its own file"):
        load(folder / "suite.yaml")


def digests(folder: Path) -> dict[str, str]:
    kinds = ("train", "sample", "measure", "claims", "figures")
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for kind in kinds for p in folder.glob(f"{kind}/**/*.*")}


def test_a_full_disk_is_no_result(tiny: tuple[Plan, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many writes there is no space: one line says so, no row tells of it, no half file is left; and with space all is as it ever was."""
    plan, folder = tiny
    sync = os.fsync
    for writes in (2, 6, 11):
        count = iter(range(10**6))

        def full(handle: int, count: Iterator[int] = count, writes: int = writes) -> None:
            if next(count) >= writes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(handle)

        with (
            monkeypatch.context() as patch,
            in_this_process(),
            pytest.raises(InputError, match="No space left on device; mend that") as told,
        ):
            patch.setattr(os, "fsync", full)
            every(plan, tmp_path)
        assert len(told.value.lines) == 1 and next(count) == writes + 1  # it ends at the first
        assert not list(tmp_path.rglob(TEMPORARY))
    with in_this_process():
        every(plan, tmp_path)
    assert digests(tmp_path / "tiny") == digests(folder / "tiny") and len(digests(tmp_path / "tiny")) > 6
    assert set(METRICS.from_csv((tmp_path / "tiny/metrics.csv").read_bytes(), "")["status"]) <= {"ok", "not_applicable"}


def test_a_full_disk_is_told_by_the_process_of_a_job() -> None:
    """Whoever writes: a method's own code, too."""

    def work() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "weights.pt")

    with pytest.raises(InputError, match="weights.pt: No space left on device"):
        isolated(work, 10.0, 1e6)


def test_limits_hold_side_by_side() -> None:
    command = [sys.executable, Path(rig.__file__).with_name("limits.py"), "--jobs", "4", "--at-once", "4", "--seconds", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_a_user_put_there_stays(tiny: tuple[Plan, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what the suite no longer has that alone goes which Snakemake made for this suite, however long its path, and what a run wrote beside that."""
    monkeypatch.chdir(tmp_path)
    plan, out, records = tiny[0], Path("results/tiny"), Path(".snakemake/metadata")
    made = [
        out / "sample/gaussian/hmc.npz",
        out / ("long/" * 60) / "x.npz",
        Path("results/other/sample/gaussian/hmc.npz"),
        out / "sample/gaussian/ula.npz",
    ]
    beside = [out / "logs/sample/gaussian/hmc.log", out / "plugins/hmc.py"]
    users = [out / "figures/mine.png", out / "notes.txt", out / ".notes.markdown"]
    for path in (*made, *beside, *users):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for path in made:
        name = urlsafe_b64encode(path.as_posix().encode()).decode()
        record = records.joinpath(
            *("@" + name[at : at + 254] for at in range(0, len(name) - 254, 254)), name[(len(name) - 1) // 254 * 254 :]
        )
        record.parent.mkdir(parents=True, exist_ok=True)
        record.touch()
    others = [records / name for name in (".nfs0000000012ab", ".DS_Store", "é")]
    for path in others:
        path.touch()
    half = out / f".notes.txt{UNFINISHED}abcd_123"
    half.touch()
    sweep(out)
    assert not half.exists() and leftovers.remove(plan, out, Path(".snakemake")) == 4
    assert [path for path in (*made, *beside, *users) if path.exists()] == [*made[2:], *users]
    assert sum(path.is_file() for path in records.rglob("*")) == 2 + len(others) and not (out / "plugins").exists()


def test_what_is_edited_between_runs_leaves_nothing(tmp_path: Path) -> None:
    """Two of the fifty edits of a month, a sampler more and back: no row, no file and no record of what the suite no longer has."""
    copied = rig.Rig(tmp_path.resolve() / "copy", python=python())
    assert month.month(copied, None, SMALL, ("sampler", "return"), random.Random(1))
