"""A Slurm of one node on this machine, for as long as a test takes: real sbatch, srun and squeue, listening on 127.0.0.1 alone.

It needs root and Debian's packages `slurm-wlm` and `munge`, neither of which runs yet: no accounting, no cgroups, no systemd.
"""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

CONF = Path("/etc/slurm/slurm.conf")
"""Where Slurm's own srun looks: another place, by SLURM_CONF, does not come to what runs inside of a job."""
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
TEXT = """
ClusterName=scorebench
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort=16817
SlurmdPort=16818
SrunPortRange=16900-16999
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
MpiDefault=none
KillWait=5
MinJobAge=3600
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def lacking() -> str:
    """Why no Slurm can be started here; nothing where one can."""
    if missing := [name for name in PROGRAMS if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")]:
        return f"Slurm is not installed ({', '.join(missing)}: apt-get install slurm-wlm munge)"
    if not find_spec("snakemake_executor_plugin_slurm"):
        return "the extra `cluster` is not installed"
    if os.geteuid():
        return "Slurm's daemons are started by root alone"
    return f"{CONF} is there: this machine has a Slurm of its own" if CONF.exists() else ""


@contextmanager
def slurm(folder: Path) -> Iterator[str]:
    """The name of its node; its state and logs lie in the folder."""
    host, daemons = socket.gethostname().partition(".")[0], []
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 * 8 // 10
    CONF.parent.mkdir(exist_ok=True)
    CONF.write_text(TEXT.format(host=host, folder=folder, cpus=os.cpu_count(), memory=memory))
    try:
        munge = pwd.getpwnam("munge")
        Path("/run/munge").mkdir(exist_ok=True)
        os.chown("/run/munge", munge.pw_uid, munge.pw_gid)
        for command, named in (
            (["/usr/sbin/munged", "--foreground"], {"user": munge.pw_uid, "group": munge.pw_gid}),
            (["/usr/sbin/slurmctld", "-D"], {}),
            (["/usr/sbin/slurmd", "-D", "-N", host], {}),
        ):
            with open(folder / f"{Path(command[0]).name}.out", "wb") as log:
                daemons.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **named))
            time.sleep(0.5)  # munged's socket, then the controller's
        limit = time.monotonic() + 30
        while said("sinfo", "--noheader", "--format=%T") != "idle":
            assert time.monotonic() < limit, "\n".join(path.read_text(errors="replace")[-2000:] for path in folder.glob("*.*"))
            time.sleep(0.2)
        yield host
    finally:
        subprocess.run(["scancel", "--quiet", "--user=root"], capture_output=True)
        limit = time.monotonic() + 15
        while said("squeue", "--noheader") and time.monotonic() < limit:
            time.sleep(0.2)
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(15)
        CONF.unlink()


def said(*command: str) -> str:
    """What one of Slurm's programs prints."""
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()
