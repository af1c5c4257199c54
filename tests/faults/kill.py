"""A run that is killed goes on by the command that started it. `python tests/faults/kill.py [--kills 100] [--suite smoke] [--seed 1]`

Predicted, of every kill -9 of the parent or of its group, after a time that is uniform up to half of an undisturbed run's (one that goes on is killed further
on, so that kills fall everywhere in it): after 2 s no process of the run is left; the same command starts again, and is not refused; no job that had been
recorded as finished is computed again; and the files of the run that comes to its end are those of the undisturbed one, byte by byte. Of a signal that asks
(Ctrl-C, SIGTERM, a closed terminal, a terminal that takes no more): an end within 5 s with one line that says so, no process and no lock left. Of two runs at
a time: the second ends within 5 s of its parsing, with the number of the first; of 20 at once one works.
"""

import argparse
import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from rig import Rig, ended, judged, rig

from scorebench.store.artifacts import TEMPORARY

WAITING = """def measure(master):
    import pathlib, subprocess, time

    subprocess.Popen(["sleep", "1000"])
    pathlib.Path("waits").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.05)
    return {"x": Measurement(1.0, 0.001, 2000)}
"""
"""It waits, in a process that has started another."""


def kills(run: Rig, number: int, seed: int) -> bool:
    """Start, kill, start again, until it comes to its end; then from nothing. Every other kill is of the group."""
    started = time.monotonic()
    code, said = run.run()
    assert code == 0, said
    took, expected = time.monotonic() - started, run.digests()
    print(f"undisturbed: {took:.0f} s, {len(expected)} files, {len(run.records())} jobs", flush=True)
    chance = random.Random(seed)
    counts = Counter({"kills": 0, "ends": 0})
    run.empty()
    finished: dict[str, int] = {}
    begun: dict[str, int] = {}
    while True:
        process = run.start()
        last = counts["kills"] >= number
        with suppress(subprocess.TimeoutExpired):
            process.wait(None if last else chance.uniform(0, took / 2))
        if process.returncode is None:
            (os.killpg if counts["kills"] % 2 else os.kill)(process.pid, signal.SIGKILL)
            counts["kills"] += 1
            counts[f"orphans after 2 s of {'the group' if counts['kills'] % 2 else 'the parent'}"] += (left := run.orphans())
            counts["with orphans"] += left > 0
            print(f"{counts['kills']} of {number} kills, {len(run.records())} jobs done, {left} orphans", file=sys.stderr, flush=True)
        said, _ = process.communicate()
        counts["refused"] += "unlock" in said or "locked" in said or "process " in said
        counts["tracebacks"] += "Traceback" in said
        records, marked = run.records(), run.unfinished()
        counts["computed again though finished"] += sum(records.get(name) != at for name, at in finished.items())
        counts["written in full by a job that was not recorded, and computed again"] += sum(
            records.get(name) != at for name, at in begun.items()
        )
        finished = {name: at for name, at in records.items() if name not in marked}
        begun = {name: at for name, at in records.items() if name in marked}
        if process.returncode >= 0:
            counts["ends"] += 1
            counts["failures"] += process.returncode != 0
            if process.returncode:
                print(said, flush=True)
            counts["files that differ"] += sum(run.digests().get(name) != digest for name, digest in expected.items())
            counts["half files left"] += sum(1 for _ in run.out.rglob(TEMPORARY))
            if last:
                break
            run.empty()
            finished, begun = {}, {}
    wrong = ("with orphans", "refused", "tracebacks", "computed again though finished", "failures", "files that differ", "half files left")
    return judged("kill -9", counts, wrong)


def waits(run: Rig, seconds: float = 120.0) -> None:
    """Until the claim does."""
    limit = time.monotonic() + seconds
    while not (run.folder / "waits").exists():
        assert time.monotonic() < limit, "the claim has not begun"
        time.sleep(0.02)
    (run.folder / "waits").unlink()


def signals(run: Rig) -> bool:
    """Each to the parent alone, to the group as a terminal sends it, by a terminal that is closed, and on one that takes no more."""
    counts: Counter[str] = Counter()
    for number, to in (
        (signal.SIGINT, "parent"),
        (signal.SIGINT, "group"),
        (signal.SIGTERM, "parent"),
        (signal.SIGTERM, "group"),
        (signal.SIGHUP, "terminal"),
        (signal.SIGTERM, "stalled"),
    ):
        if on_terminal := to in ("terminal", "stalled"):
            mine, its = pty.openpty()
            process = run.start(stdin=its, stdout=its, stderr=its, preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)))
        else:
            process = run.start()
        waits(run)
        if to == "stalled":
            stall(its)
        at = time.monotonic()
        if on_terminal:
            os.close(its)
        if to == "terminal":
            os.close(mine)
        else:
            (os.killpg if to == "group" else os.kill)(process.pid, number)
        said = ""
        with suppress(subprocess.TimeoutExpired):
            said = process.communicate(timeout=5)[0] or ""
        counts["signals"] += 1
        counts["not ended in 5 s"] += process.returncode is None
        counts["seconds at most"] = max(counts["seconds at most"], round(time.monotonic() - at + 0.5))
        counts["orphans"] += run.orphans()
        process.wait()
        if to == "stalled":
            os.close(mine)
        counts["locks left"] += sum(1 for _ in (run.folder / ".snakemake/locks").glob("*.lock"))
        counts["not told"] += not on_terminal and f"scorebench: stopped by {number.name}; the same command goes on" not in said
        counts["tracebacks"] += "Traceback" in said
        counts["not ended by the signal"] += process.returncode != -number
    (run.folder / "go").touch()
    code, said = run.run()
    counts["not gone on"] += code != 0
    return judged(
        "signals", counts, ("not ended in 5 s", "orphans", "locks left", "not told", "tracebacks", "not ended by the signal", "not gone on")
    )


def stall(terminal: int) -> None:
    """Fill a terminal that nobody reads, until whoever writes to it waits."""
    other = os.open(os.ttyname(terminal), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    for size in (4096, 1):
        with suppress(BlockingIOError):
            while True:
                os.write(other, b"." * size)
    os.close(other)
    time.sleep(0.5)  # the bar, ten times a second


def owners(run: Rig, starts: int) -> bool:
    """With a living owner, many at once, and an owner on another machine."""
    counts: Counter[str] = Counter()
    first = run.start()
    waits(run)
    quiet = time.monotonic()
    code, said = run.run("--dry-run")
    parsing = time.monotonic() - quiet
    at = time.monotonic()
    code, said = run.run()
    counts["seconds of a second run"] = round(time.monotonic() - at)
    counts["second runs that worked"] += code == 0
    counts["too slow"] += time.monotonic() - at > 5 + parsing
    counts["owner not named"] += re.findall(r"^scorebench: process (\d+) is at work on results/", said, re.MULTILINE) != [str(first.pid)]
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    counts["orphans"] += run.orphans()
    every = [run.start() for _ in range(starts)]
    waits(run, 300.0)
    working = None
    limit = time.monotonic() + 300
    while (working := [process for process in every if process.poll() is None]) and len(working) > 1 and time.monotonic() < limit:
        time.sleep(0.1)
    counts["starts at once"] = starts
    counts["that worked"] = len(working)
    counts["not one that worked"] = len(working) != 1
    for process in every:
        if process not in working:
            said = process.communicate()[0]
            named = re.findall(r"^scorebench: process (\d+) is at work on results/", said, re.MULTILINE)
            counts["others that did not name the owner"] += len(working) != 1 or named != [str(working[0].pid)]
    for process in working:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    counts["orphans"] += run.orphans()
    owner = run.out.with_name(f".{run.suite}.owner")
    owner.write_text(json.dumps(json.loads(owner.read_text()) | {"host": "elsewhere"}))
    locks = len(list((run.folder / ".snakemake/locks").glob("*.lock")))
    code, said = run.run()
    counts["broke another machine's lock"] += (
        code == 0 or locks == 0 or len(list((run.folder / ".snakemake/locks").glob("*.lock"))) != locks
    )
    counts["not told of it"] += "on elsewhere was at work" not in said or "snakemake --unlock" not in said
    wrong = ("second runs that worked", "too slow", "owner not named", "orphans", "broke another machine's lock", "not told of it")
    return judged("owners", counts, (*wrong, "not one that worked", "others that did not name the owner"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--suite", default="smoke")
    parser.add_argument("--seed", type=int, default=1)
    every = ("signals", "owners", "kills")
    parser.add_argument("--only", nargs="+", choices=every, default=every)
    given = parser.parse_args()
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        signal.signal(number, usual)  # in the background of a script, and under nohup, they are ignored, and by what is started, too
    good = []
    with rig() as copy:
        copy.claim("waiting", WAITING)
        if "signals" in given.only:
            good.append(signals(copy))
            (Path(copy.folder) / "go").unlink()
            copy.empty()
        if "owners" in given.only:
            good.append(owners(copy, given.starts))
    if "kills" in given.only:
        with rig(given.suite) as copy:
            good.append(kills(copy, given.kills, given.seed))
    ended(good)
