"""A suite on a real Slurm of one node. `python tests/faults/cluster.py [--suite smoke] [--only own memory storage same killed node]`

Predicted: every start of Python is one sbatch job, and metrics.csv, tables, figures and what they rest on are those of one machine, byte by byte. A controller
that is killed goes on by the same command: what it had left in the queue is taken out of it, what is done is not done again. A job that needs more memory
than it asked for is killed by Slurm and submitted again with more, once, and its result is that of one machine. A node that goes down while a job runs on it,
and comes back, costs time and nothing else. Results that lie in a storage are the same. Without Slurm nothing is run.
"""

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from rig import ROOT, Rig, ended, judged, rig

sys.path.insert(0, str(Path(__file__).parents[1]))

from slurm import lacking, said, slurm

QUICKLY = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "1")
CLUSTER = ("--profile", "profiles/slurm", "--default-resources", "slurm_partition=main", "--latency-wait", "5", *QUICKLY)
OWN = """
name: own
seed: 1
plugins: [energy_distance.py]
metrics: [second_moment_bias, energy_distance]
claims: [wiener-increment]
figures: [bias_against_step_size]
experiments:
  - target: gaussian
    seeds: 2
    exact: {samplers: [ula], step_sizes: [0.1, 0.2], chains: 16, budgets: [5]}
  - target: "table:path=own.csv"
    seeds: 2
    training: {size: 100, batch: 16, steps: [5], learning_rate: 1e-2}
    sources: {quadratic: [implicit]}
    trained: {samplers: [ula], step_sizes: [0.1], chains: 16, budgets: [5]}
"""
HUNGRY = """def measure(master):
    import subprocess, sys

    eats = "import time; kept = bytearray(b'x') * (1_800 * 2**20); time.sleep(8); print(kept[-1])"
    done = subprocess.run([sys.executable, "-S", "-c", eats], capture_output=True)
    return {"x": Measurement(float(done.stdout == b"120\\n"), 0.001, 2000)}
"""
"""It starts a process that takes memory: not its own, which job_memory_mb holds, and more than was asked of the cluster."""


class Job(NamedTuple):
    """What Slurm says of a job."""

    suite: str
    rule: str
    state: str
    memory: str


def jobs(run: Rig) -> list[Job]:
    """Of a suite, from its folder, in the order of their submission; those that have ended, too."""
    rows = [
        row.split("|", 5) for row in said("squeue", "--states=all", "--noheader", "--sort=i", "--format=%j|%k|%T|%m|%A|%Z").splitlines()
    ]
    return [Job(name[:-37], rule, *rest) for name, rule, *rest, _, folder in rows if folder == str(run.folder) and name[:-37] == run.suite]


def own(run: Rig) -> None:
    """Let the copy's suite have a plugin and a table."""
    suites = run.folder / "workflows/suites"
    (suites / "own.yaml").write_text(OWN)
    (suites / "energy_distance.py").write_bytes((ROOT / "scorebench/examples/energy_distance.py").read_bytes())
    (suites / "own.csv").write_text("a,b\n" + "".join(f"{(7 * k) % 101 / 50},{(13 * k) % 89 / 30}\n" for k in range(300)))


def starts(run: Rig) -> int:
    """Of Python, as the plan has them; a process of its own asks, since what a suite registers stays."""
    code = "import sys; from scorebench.suite.plan import Plan; from scorebench.suite.reading import load; from scorebench.suite.jobs import STAGES; "
    code += "plan = Plan(load(sys.argv[1])); print(sum(len(plan.batches(stage)) for stage in STAGES))"
    asked = [sys.executable, "-c", code, f"workflows/suites/{run.suite}.yaml"]
    return int(
        subprocess.run(asked, cwd=run.folder, env=os.environ | {"PYTHONPATH": path(run)}, capture_output=True, text=True, check=True).stdout
    )


def path(run: Rig) -> str:
    """Where Python looks: the copy, and what this process was told."""
    return os.pathsep.join([str(run.folder), os.environ.get("PYTHONPATH", "")])


def alone(run: Rig) -> dict[str, str]:
    """The digests of a run on one machine; nothing is left of it."""
    code, text = run.run()
    assert code == 0, text
    digests = run.digests()
    run.empty()
    return digests


def same(run: Rig, expected: dict[str, str]) -> bool:
    """The whole suite by sbatch."""
    started = time.monotonic()
    code, text = run.run(*CLUSTER, environment={"PYTHONPATH": path(run)})
    states, found = Counter(job.state for job in jobs(run)), run.digests()
    counts = Counter({"jobs": sum(states.values()), "seconds": round(time.monotonic() - started), "files": len(expected)})
    counts["failed"] = code != 0
    counts["jobs that did not complete"] = counts["jobs"] - states["COMPLETED"]
    counts["starts that were no job"] = abs(starts(run) - counts["jobs"])
    counts["files that differ"] = sum(found.get(name) != digest for name, digest in expected.items())
    if code:
        print(text)
    return judged("the same on Slurm", counts, ("failed", "jobs that did not complete", "starts that were no job", "files that differ"))


def killed(run: Rig, expected: dict[str, str]) -> bool:
    """Kill -9 of the controller while a job runs and another has ended."""
    run.empty()
    before = len(jobs(run))
    process = run.start(*CLUSTER, environment={"PYTHONPATH": path(run)})
    waited(lambda: run.records() and any(job.state == "RUNNING" for job in jobs(run)[before:]))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done, marked, left = run.records(), run.unfinished(), [job for job in jobs(run)[before:] if job.state in ("RUNNING", "PENDING")]
    code, text = run.run(*CLUSTER, environment={"PYTHONPATH": path(run)})
    counts = Counter({"jobs done at the kill": len(done), "in the queue then": len(left), "failed": code != 0})
    counts["not taken out of the queue"] = "taken out of the queue, of a run that is gone" not in text
    again = {name for name, at in done.items() if run.records().get(name) != at}
    counts["done again"], counts["done again though finished"] = len(again), len(again - marked)
    counts["files that differ"] = sum(run.digests().get(name) != digest for name, digest in expected.items())
    if code:
        print(text)
    return judged("controller killed", counts, ("failed", "not taken out of the queue", "files that differ"))


def memory(run: Rig) -> bool:
    """A job that Slurm ends for its memory."""
    run.claim("hungry", HUNGRY, "job_memory_mb: 1500\n")
    target = f"results/{run.suite}/claims/hungry.json"
    code, told = run.run(target)
    assert code == 0, told
    expected = run.digests()
    run.empty()
    before = len(jobs(run))
    code, told = run.run(*CLUSTER, target, environment={"PYTHONPATH": path(run)})
    tries = jobs(run)[before:]
    counts = Counter({"tries": len(tries), "failed": code != 0, "files that differ": expected != run.digests()})
    counts["not ended by Slurm and tried again"] = [job.state == "COMPLETED" for job in tries] != [False, True]
    counts["not with twice the memory"] = [job.memory for job in tries] != ["2000M", "4000M"]
    print([(job.state, job.memory) for job in tries])
    if code:
        print(told)
    return judged(
        "out of memory", counts, ("failed", "files that differ", "not ended by Slurm and tried again", "not with twice the memory")
    )


def node(run: Rig, expected: dict[str, str], host: str) -> bool:
    """The node goes down under a job, and comes back."""
    run.empty()
    before = len(jobs(run))
    process = run.start(*CLUSTER, environment={"PYTHONPATH": path(run)})
    waited(lambda: run.records() and any(job.state == "RUNNING" for job in jobs(run)[before:]))
    said("scontrol", "update", f"nodename={host}", "state=down", "reason=test")
    hit = [job for job in jobs(run)[before:] if job.state not in ("COMPLETED", "RUNNING")]
    time.sleep(3)
    said("scontrol", "update", f"nodename={host}", "state=resume")
    text, _ = process.communicate(timeout=900)
    counts = Counter({"jobs that it took": len(hit), "failed": process.returncode != 0})
    counts["none was hit"] = not hit
    counts["files that differ"] = sum(run.digests().get(name) != digest for name, digest in expected.items())
    if process.returncode:
        print(text)
    return judged("node down", counts, ("failed", "none was hit", "files that differ"))


def storage(run: Rig, expected: dict[str, str]) -> bool:
    """Results in a storage, which no job sees but by Snakemake: a folder here, as a volume of Kubernetes or object storage is elsewhere."""
    with tempfile.TemporaryDirectory(prefix="storage") as folder:
        apart = ("--shared-fs-usage", "persistence", "software-deployment", "sources", "source-cache")
        where = ("--default-storage-provider", "fs", "--default-storage-prefix", folder)
        code, text = run.run(*CLUSTER, *apart, *where, environment={"PYTHONPATH": path(run)})
        stored = Path(folder) / "results" / run.suite
        found = {name: hashlib.sha256((stored / name).read_bytes()).hexdigest() for name in expected if (stored / name).exists()}
    counts = Counter({"files": len(expected), "failed": code != 0, "files in the folder itself": len(run.digests())})
    counts["files that differ"] = sum(found.get(name) != digest for name, digest in expected.items())
    if code:
        print(text)
    return judged("results in a storage", counts, ("failed", "files in the folder itself", "files that differ"))


def waited(for_what, seconds: float = 300.0) -> None:
    """Until it is so."""
    limit = time.monotonic() + seconds
    while not for_what():
        assert time.monotonic() < limit, "it has not come to it"
        time.sleep(0.1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="smoke")
    every = ("own", "memory", "storage", "same", "killed", "node")
    parser.add_argument("--only", nargs="+", choices=every, default=every)
    given = parser.parse_args()
    if why := lacking():
        print(f"cluster: nothing is run: {why}")
        sys.exit()
    good = []
    with tempfile.TemporaryDirectory(prefix="slurm") as folder, slurm(Path(folder)) as host:
        if "own" in given.only:
            with rig("own") as copy:
                own(copy)
                good.append(same(copy, alone(copy)))
        if "storage" in given.only and not shutil.which("rsync"):
            print("results in a storage: nothing is run: rsync, by which its plug-in copies, is not installed", flush=True)
        elif "storage" in given.only:
            with rig() as copy:
                good.append(storage(copy, alone(copy)))
        if "memory" in given.only:
            with rig() as copy:
                good.append(memory(copy))
        if {"same", "killed", "node"} & {*given.only}:
            with rig(given.suite) as copy:
                digests = alone(copy)
                good += [same(copy, digests)] if "same" in given.only else []
                good += [killed(copy, digests)] if "killed" in given.only else []
                good += [node(copy, digests, host)] if "node" in given.only else []
    ended(good)
