# scorebench as a DAG: train -> sample -> measure -> claims, tables, figures -> page.
# `snakemake --cores N` runs the default suite; `--config suite=smoke` another of workflows/suites, `--configfile FILE` one of your own.

import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import snakemake_logger_plugin_scorebench as progress
from snakemake.settings.enums import RerunTrigger
from scorebench.core import files
from scorebench.core.errors import InputError, surroundings
from scorebench.store import artifacts, given
from scorebench.store.damage import damaged, sweep
from scorebench.store.leftovers import prune, remembered, remove
from scorebench.store.owner import own
from scorebench.store.again import RETRIED, lost, outdated, rests_on, retried, told
from scorebench.suite.estimate import minutes
from scorebench.suite.jobs import STAGES, timing
from scorebench.suite.plan import Plan
from scorebench.suite.reading import SUITES, asked, load

try:
    SUITE = str(asked(workflow.configfiles, workflow.config_settings.config_args or [], Path(workflow.basedir, SUITES)))
    PLAN = Plan(load(SUITE))
except InputError as error:
    sys.exit("\n".join(f"scorebench: {line}" for line in error.lines))

OUT = f"results/{PLAN.suite.name}"
STARTED = time.time()
logging.raiseExceptions = (
    False  # a log of Snakemake's that cannot be written, on a full disk or to a closed terminal, is no news by its traceback
)
# What a job may take at most, which the stage holds it to; the rest is what the process itself has. A cluster is asked for the time of one of those that share
# a start, and, once it has ended them all the same, for that of all, and for more memory.
MEMORY, LIMIT = math.ceil(PLAN.suite.job_memory_mb) + 500, math.ceil(1.1 * PLAN.suite.job_minutes) + 1
RETRIES = retried(PLAN, Path(OUT))
RESTS_ON = rests_on(PLAN, RETRIES)
LOST = len(lost(PLAN, Path(OUT)))
if LOST:
    progress.NOTHING = told(LOST, Path(OUT))

# Jobs run with this interpreter and suite, one thread each, on a laptop as on a cluster. In the environment, since a job does not
# depend on how the suite's file is called: its parameters say what it rests on. They read the suite as it was when the run started.
# A job whose machine does not see the results has the suite's file as Snakemake sent it.
# What lies beside the Snakefile is no module of theirs: a user's statistics.py would stand for Python's own. They have docstrings and asserts.
os.environ.update(
    PYTHONSAFEPATH="1",
    PYTHONOPTIMIZE="",
    SCOREBENCH_SUITE=os.path.abspath(SUITE if workflow.remote_exec and not os.path.exists(f"{OUT}/suite.yaml") else f"{OUT}/suite.yaml"),
    SCOREBENCH_RUN=str(os.getpid()),
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.getenv("PATH", "")]),
)


include: "workflows/alone.smk"


onstart:
    if workflow.local_exec:  # the jobs of a cluster Snakemake ends itself
        stoppable()  # again: its scheduler would wait, on SIGTERM, for the jobs that run
    if workflow.local_exec and PLAN.suite.device != "cpu":  # a cluster's nodes have what they have, and say so
        asked = f"from scorebench.engine.device import prepare; prepare({PLAN.suite.device!r})"
        answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True)
        if answer.returncode:
            sys.exit(
                f"scorebench: {SUITE}: {(answer.stderr.strip() or 'device: the process that looks for it was ended').splitlines()[-1].partition(': ')[2]}"
            )
    if any(files.given(spec) for spec in PLAN.methods):
        answer = subprocess.run(
            [sys.executable, "-m", "scorebench", "validate"], env={**os.environ, "SCOREBENCH_SUITE": os.path.abspath(SUITE)}
        )
        if answer.returncode:
            sys.exit("scorebench: nothing was run")
    given.keep(PLAN, Path(SUITE), Path(OUT))
    if RETRIES:
        artifacts.write_json(Path(OUT, RETRIED), RETRIES)
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name != "all"]
    for job in jobs:
        progress.MINUTES[job.jobid] = minutes(PLAN, job.params.stage, *job.params.names)
    total = sum(progress.MINUTES.values()) / workflow.cores
    count = "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs"
    cores = (
        "1 ordinary core" if workflow.cores == 1 else f"{workflow.cores} ordinary cores"
    )  # `scorebench plan` measures this machine's
    print(f"{PLAN.suite.name}: {count}, about {total:.1f} min on {cores}", file=sys.stderr)


onsuccess:
    tidied()
    if os.path.exists(f"{OUT}/manifest.json") and any(job.rule.name == "tables" for job in workflow.dag.jobs):
        # not after one claim, nor where older tables lie, nor of results in a storage
        shell("exec python -m scorebench summary {OUT} --since {STARTED} --cores {workflow.cores} >&2")


onerror:
    print(f"scorebench: a stage failed; its log is named above, all logs are under {OUT}/logs", file=sys.stderr)


# All that a reader may look for: what is deleted of it is made again.
rule all:
    input:
        [
            path
            for stage in ("claim", "tables", "figure", "page")
            for job in PLAN.jobs(stage)
            for path in PLAN.paths(PLAN.outputs(stage, job))
        ],
    localrule: True


include: "workflows/stages.smk"
