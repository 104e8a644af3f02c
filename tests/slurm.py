"""A real SLURM on one machine: slurmctld and two slurmd with GPUs that are only names, as Debian packages them."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

PACKAGES = "slurmctld slurmd slurm-client munge"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
# The step that runs a job is told nothing of another place (Snakemake's plugin takes SLURM_CONF away from it).
ETC = Path("/etc/slurm")
NODES = ("n1", "n2")
GPUS = 2
BUSY = ("RUNNING", "COMPLETING")
CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A requeued job is held back for as long as a credential lasts.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# Jobs are killed when they take more memory than they asked for.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
MinJobAge=3600
KillWait=10
# The nodes may have more than the machine has.
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
{nodes}
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
"""


class Job(NamedTuple):
    """A job as ``squeue`` shows it."""

    number: str  # the job's own, also in an array
    id: str  # in an array such as 7_2
    state: str
    partition: str
    node: str
    restarts: str
    gpus: str  # such as gres:gpu:1
    comment: str  # rule_<rule>_wildcards_<values>, in an array those of its first task


def missing() -> str | None:
    """Why no cluster can be started here, or None if one can."""
    if os.geteuid() != 0:
        return "a SLURM cluster is only started by root"
    if lacking := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"{', '.join(lacking)} not found: apt-get install --no-install-recommends {PACKAGES}"
    if (ETC / "slurm.conf").exists():
        return f"this machine has a SLURM of its own ({ETC}/slurm.conf)"
    return None


def squeue() -> list[Job]:
    """All jobs, finished ones too."""
    columns = "JobID:|,JobArrayID:|,State:|,Partition:|,NodeList:|,RestartCnt:|,tres-per-job:|,Comment:"
    printed = _output("squeue", "--noheader", "--array", "--states=all", f"--Format={columns}")
    return [Job(*line.split("|", 7)) for line in printed.splitlines()]


class Cluster:
    """Two nodes of 8 processors, 32 GB and 2 GPUs each, in the partitions ``cpu`` and ``gpu``; state in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: list[Path] = []

    def start(self) -> None:
        """Start the daemons and wait until both nodes are idle."""
        host = socket.gethostname().split(".")[0]
        (self.folder / "state").mkdir(parents=True)
        nodes = [
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={17001 + number} "
            f"CPUs=8 RealMemory=32000 Gres=gpu:test:{GPUS}"
            for number, name in enumerate(NODES)
        ]
        for number in range(GPUS):  # as good as /dev/null; a name that ends in a number becomes CUDA_VISIBLE_DEVICES
            os.mknod(self.folder / f"nvidia{number}", 0o20666, os.makedev(1, 3))
        gpus = f"NodeName={','.join(NODES)} Name=gpu Type=test File={self.folder}/nvidia[0-{GPUS - 1}]\n"
        self._write("slurm.conf", CONFIG.format(host=host, folder=self.folder, nodes="\n".join(nodes)))
        self._write("gres.conf", gpus)
        self._write("cgroup.conf", "CgroupPlugin=cgroup/v1\n")
        self._start_munge()
        _output("slurmctld", "-c")
        for name in NODES:
            (self.folder / "spool" / name).mkdir(parents=True)
            _output("slurmd", "-N", name)
        deadline = time.monotonic() + 30
        while _output("sinfo", "-hN", "-p", "cpu", "-o", "%T").split() != ["idle"] * len(NODES):
            if time.monotonic() > deadline:
                raise RuntimeError((self.folder / "slurmctld.log").read_text()[-3000:])
            time.sleep(0.1)

    def stop(self) -> None:
        """Cancel all jobs and end the daemons; nothing is left behind but ``folder``."""
        with suppress(subprocess.SubprocessError):  # slurmctld may be what did not start
            _output("scancel", "--user=root")
            for job in squeue():
                if job.state in BUSY:
                    _kill_steps(job)
        for name in ("slurmctld", *(f"slurmd-{node}" for node in NODES), "munged"):
            self._kill(name)
        for path in self._files:
            path.unlink(missing_ok=True)

    def crash(self, node: str) -> None:
        """End a node as a power cut would, with all that runs on it."""
        self._kill(f"slurmd-{node}")
        for job in squeue():
            if job.node == node and job.state in BUSY:
                _kill_steps(job)
        _output("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=crash")

    def _write(self, name: str, text: str) -> None:
        path = ETC / name
        path.parent.mkdir(exist_ok=True)
        self._files.append(path)
        path.write_text(text)

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = [f"--{kind}-file={self.folder}/munged.{kind}" for kind in ("pid", "log", "seed")]
        _output("munged", "--force", f"--key-file={key}", f"--socket={self.folder}/munge.socket", *files)

    def _kill(self, daemon: str) -> None:
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((self.folder / f"{daemon}.pid").read_text()), signal.SIGKILL)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster for the time of the block."""
    running = Cluster(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def _kill_steps(job: Job) -> None:
    """Kill what runs for a job on this machine: first the processes that would report it, then those that work."""
    keepers, workers = [], []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cmdline").read_text().startswith(f"slurmstepd: [{job.number}."):
                keepers.append(int(process.name))
            elif f"\0SLURM_JOB_ID={job.number}\0" in f"\0{(process / 'environ').read_text()}":
                workers.append(int(process.name))
    for pid in keepers + workers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
