"""A full disk and other hostile surroundings. `python tests/faults/surroundings.py [--points 20] [--seed 1]`

Predicted, of a disk that is full after so many bytes, from none to all that a run writes: the run ends with a line that says so and without a traceback, or
comes to its end; no row, claim or figure tells of it; and when there is room the same command comes to its end with the files of an undisturbed run, byte by
byte. The same of a results folder that is read-only, and of a folder where nothing may be written. A path with spaces and letters that are not ASCII, no HOME,
a C locale, no terminal and closed streams change nothing. It mounts small file systems in a namespace of its own (`unshare`), and is skipped where it may not.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rig import Rig, ended, judged, rig

import scorebench

UNPRIVILEGED = ("setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override")
"""Root without the right to write where permissions forbid it."""
FULL = ("No space left on device", "is full: ")
STRANGE = {
    "spaces and letters": ("Größe der µ-Räume 度量", {}),
    "no HOME": ("copy", {"HOME": None}),
    "a C locale": ("copy", {"LC_ALL": "C", "LANG": "C"}),
    "all of it": ("Größe der µ-Räume 度量", {"HOME": None, "LC_ALL": "C", "LANG": None}),
}


def namespaced() -> None:
    """Go on in a mount namespace of one's own; mounts end with the process. Exits with 0 and says why where the system does not let."""
    if os.environ.get("FAULTS_NAMESPACE"):
        return
    flags = ["-m"] if os.geteuid() == 0 else ["-rm"]
    if subprocess.run(["unshare", *flags, "true"], capture_output=True).returncode:
        print("surroundings: skipped: unshare may not make a mount namespace here")
        sys.exit(0)
    os.environ["FAULTS_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])


def mount(folder: Path, *options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(("size=64m", *options)), "tmpfs", str(folder)], check=True)


def full(points: int) -> bool:
    """Copies on a disk of their own, with so many bytes left."""
    counts: Counter[str] = Counter()
    wanted, expected = 0, dict[str, str]()
    with tempfile.TemporaryDirectory(prefix="faults") as folder:
        for point in range(-1, points):
            mount(Path(folder))
            run = Rig(Path(folder, "copy").resolve())
            disk, before = os.statvfs(folder), used(folder)
            if point >= 0:
                left = int(wanted * point / points)
                with open(Path(folder, "ballast"), "wb") as file:
                    os.posix_fallocate(file.fileno(), 0, max(disk.f_bavail * disk.f_frsize - left, 1))
            code, said = run.run()
            if point < 0:
                assert code == 0, said
                expected, wanted = run.digests(), used(folder) - before
                print(f"undisturbed: {wanted / 1024:.0f} KiB, {len(expected)} files", flush=True)
            else:
                counts["points"] += 1
                counts["ended well"] += code == 0
                logs = " ".join(path.read_text(errors="replace") for path in run.out.glob("logs/**/*.log"))
                counts["ended without a line that says why"] += code != 0 and not any(word in said + logs for word in FULL)
                counts["tracebacks"] += "Traceback" in said
                if "Traceback" in said or (code != 0 and not any(word in said + logs for word in FULL)):
                    print(f"--- {left} bytes left\n{said}\n--- logs\n{logs}", flush=True)
                Path(folder, "ballast").unlink()
                code, said = run.run()
                counts["not completed when there was room"] += code != 0
                counts["files that differ"] += sum(run.digests().get(name) != digest for name, digest in expected.items())
                if code or run.digests() != expected:
                    print(f"--- {left} bytes left, then\n{said}", flush=True)
                counts["rows that tell of it"] += "space" in (run.out / "metrics.csv").read_text() if code == 0 else 0
            subprocess.run(["umount", folder], check=True)
    wrong = (
        "ended without a line that says why",
        "tracebacks",
        "not completed when there was room",
        "files that differ",
        "rows that tell of it",
    )
    return judged("full disk", counts, wrong)


def used(folder: str) -> int:
    disk = os.statvfs(folder)
    return (disk.f_blocks - disk.f_bfree) * disk.f_frsize


def closed(expected: dict[str, str]) -> bool:
    """Where nothing can be written: results read-only in the middle of a run and before it, and a folder that belongs to another."""
    counts: Counter[str] = Counter()
    with rig() as run:
        run.out.parent.mkdir()
        mount(run.out.parent, "ro")
        code, said = run.run()
        counts["read-only"] += 1
        counts["not refused"] += code == 0
        counts["not told"] += "Read-only file system" not in said
        counts["tracebacks"] += "Traceback" in said
        counts["lines at most"] = max(counts["lines at most"], len(said.splitlines()))
        subprocess.run(["umount", str(run.out.parent)], check=True)
        for place in (run.folder, run.out.parent):
            run.empty()
            place.mkdir(exist_ok=True)
            place.chmod(0o555)
            code, said = run.run(by=UNPRIVILEGED if os.geteuid() == 0 else ())
            place.chmod(0o755)
            counts["no permission"] += 1
            counts["not refused"] += code == 0
            counts["not told"] += "Permission denied" not in said
            counts["tracebacks"] += "Traceback" in said
            if "Traceback" in said or "Permission denied" not in said:
                print(f"--- no permission in {place.name}\n{said}", flush=True)
        code, said = run.run()
        counts["not completed when it was let"] += code != 0
        counts["files that differ"] += run.digests() != expected
    return judged("closed folders", counts, ("not refused", "not told", "tracebacks", "not completed when it was let", "files that differ"))


def strange() -> tuple[bool, dict[str, str]]:
    """Places and environments in which a run is what it is."""
    counts: Counter[str] = Counter()
    expected: dict[str, str] = {}
    for what, (name, changes) in STRANGE.items():
        with rig(name=name) as run:
            code, said = run.run(environment=changes)
            expected = expected or run.digests()
            counts["runs"] += 1
            counts["failures"] += code != 0
            counts["files that differ"] += run.digests() != expected
            counts["pages without"] += not (run.out / "index.html").exists()
            counts["rows"] = len(scorebench.load(run.out)) if code == 0 else 0
            verified = run.command("verify", f"results/{run.suite}")
            counts["verify refuses"] += verified.returncode != 0
            if code or run.digests() != expected:
                print(f"--- {what}\n{said}", flush=True)
    with rig() as run:
        process = run.start(**{name: subprocess.DEVNULL for name in ("stdin", "stdout", "stderr")})  # no terminal, and nobody who reads
        counts["runs"] += 1
        counts["failures"] += process.wait(600) != 0
        counts["files that differ"] += run.digests() != expected
    return judged("strange places", counts, ("failures", "files that differ", "pages without", "verify refuses")), expected


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20)
    given = parser.parse_args()
    namespaced()
    good, undisturbed = strange()
    ended([closed(undisturbed), full(given.points), good])
