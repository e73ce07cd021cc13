"""A real Slurm on this one machine, in a temporary folder, for tests."""

import contextlib
import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scontrol", "scancel", "srun")
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"  # where Debian puts the daemons

# The scheduler's periods are short: a requeued job waits seconds for its next start, not minutes.
# With config_overrides the node has the stated processors and MiB, whatever this machine has.
_CONFIG = """\
ClusterName=test
SlurmctldHost=localhost
SlurmUser=root
AuthInfo=socket={folder}/run/munge.socket,cred_expire=5
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
JobRequeue=1
KillWait=5
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=localhost CPUs={cpus} RealMemory=100000 State=UNKNOWN
PartitionName=DEFAULT Nodes=localhost MaxTime=INFINITE State=UP
PartitionName=low Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime={grace}
PartitionName=high PriorityTier=10 PreemptMode=OFF
"""


def unavailable() -> str | None:
    """Why such a Slurm can't be started here, None if it can."""
    if sys.platform != "linux":
        return "Slurm needs Linux"
    if os.geteuid() != 0:
        return "Slurm's daemons need root"
    missing = [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def listening(pid: int) -> set[str]:
    """The local addresses that a process listens on over TCP."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            inodes.add(os.readlink(link))
    found = set()
    for table in Path(f"/proc/{pid}/net").glob("tcp*"):  # tcp and, with IPv6, tcp6
        for fields in map(str.split, table.read_text().splitlines()[1:]):
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:  # the state LISTEN
                words = re.findall("[0-9A-F]{8}", fields[1].partition(":")[0])
                # The kernel prints each 32 bits as a number of this machine's byte order.
                raw = b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words)
                found.add(str(ipaddress.ip_address(raw)))
    return found


def addresses(env: Mapping[str, str]) -> set[str]:
    """The local addresses that anything of a cluster listens on over TCP, jobs included."""
    found = set()
    for pid in _processes(env):
        with contextlib.suppress(OSError):  # ended meanwhile
            found |= listening(pid)
    return found


@contextlib.contextmanager
def cluster(folder: Path, cpus: int = 2, grace: int = 0) -> Iterator[dict[str, str]]:
    """Runs a Slurm of one node in the folder and gives the environment that its commands need.

    A job in the partition `high` preempts jobs of `low`, the default one: they are requeued, after
    so many seconds of grace.
    """
    with contextlib.ExitStack() as stack:
        folder = folder.resolve()
        if len(os.fsencode(folder)) > 65:  # sockets lie in it, whose paths have 107 bytes at most
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
        for name in ("run", "state", "spool", "log", "munge"):
            (folder / name).mkdir(mode=0o700 if name == "munge" else 0o755, parents=True)
        key = folder / "munge/munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        config = folder / "slurm.conf"
        address = ("127.0.0.1", 0)  # with a free port, two while both are held
        with socket.create_server(address) as one, socket.create_server(address) as other:
            ports = [held.getsockname()[1] for held in (one, other)]
        config.write_text(_CONFIG.format(folder=folder, ports=ports, cpus=cpus, grace=grace))
        # A surrounding job's variables would change what sbatch and srun ask for.
        outer = ("SLURM_", "SBATCH_", "SRUN_")
        env = {name: value for name, value in os.environ.items() if not name.startswith(outer)}
        env |= {"PATH": _PATH, "SLURM_CONF": str(config)}
        try:
            _start(folder, env)
            yield env
        finally:
            _stop(folder, env)


def _start(folder: Path, env: dict[str, str]) -> None:
    paths = {"key": "munge/munge.key", "seed": "munge/munged.seed", "pid": "run/munged.pid"}
    munge = [f"--{name}-file={folder / path}" for name, path in paths.items()]
    munge += [f"--log-file={folder}/log/munged.log", f"--socket={folder}/run/munge.socket"]
    for name, *options in (["munged", "--force", *munge], ["slurmctld", "-c"], ["slurmd"]):
        with (folder / f"log/{name}.out").open("w") as out:
            done = subprocess.run([name, *options], env=env, stdout=out, stderr=out, timeout=30)
        # What was run has forked the daemon, which writes its id when it is set up.
        if done.returncode or not _wait(lambda name=name: _pid(folder, name), 20):
            raise RuntimeError(f"{name} did not start\n{_logs(folder)}")
    if not _wait(lambda: _output(env, "sinfo", "-h", "-o", "%T").split() == ["idle"], 30):
        raise RuntimeError(f"Slurm's node did not become idle\n{_logs(folder)}")
    for name in ("slurmctld", "slurmd"):
        addresses = listening(_pid(folder, name))
        only = all(ipaddress.ip_address(address).is_loopback for address in addresses)
        assert addresses and only, f"{name} listens on {addresses}"


def _stop(folder: Path, env: dict[str, str]) -> None:
    if _pid(folder, "slurmctld") and _pid(folder, "slurmd"):  # only they can end the jobs
        _output(env, "scancel", "--user=root")
        _wait(lambda: not _output(env, "squeue", "-h"), 20)
    for name in ("slurmd", "slurmctld"):
        for number in (signal.SIGTERM, signal.SIGKILL):
            if pid := _pid(folder, name):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
                _wait(lambda name=name: not _pid(folder, name), 10)
    _output(env, "munged", "--stop", f"--socket={folder}/run/munge.socket")
    # Left can be a daemon that had no time to write its id, and what a job's ended process has
    # started: proctrack/linuxproc finds a process by its parents.
    _wait(lambda: not _processes(env), 10)
    left = _processes(env)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left, f"had to be killed: {left}\n{_logs(folder)}"


def _pid(folder: Path, name: str) -> int | None:
    """A daemon's process id, None if it doesn't run."""
    try:
        pid = int((folder / f"run/{name}.pid").read_text())
        status = Path(f"/proc/{pid}/stat").read_text().split()
    except (OSError, ValueError):
        return None
    # The id may be another process's by now; one that has ended stays until its parent asks.
    return pid if status[1] == f"({name})" and status[2] != "Z" else None


def _processes(env: Mapping[str, str]) -> dict[int, str]:
    """The ids and names of the processes that this Slurm consists of or has started."""
    mark = f"SLURM_CONF={env['SLURM_CONF']}".encode()
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile
            if mark in (path / "environ").read_bytes().split(b"\0"):
                found[int(path.name)] = (path / "comm").read_text().strip()
    return found


def _output(env: dict[str, str], *command: str) -> str:
    with contextlib.suppress(subprocess.TimeoutExpired):  # a daemon hangs: the caller goes on
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=20).stdout
    return ""


def _wait(condition: Callable[[], object], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not (done := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return bool(done)


def _logs(folder: Path) -> str:
    files = sorted((folder / "log").iterdir())
    return "\n".join(f"{f.name}:\n{f.read_text(errors='replace')[-2000:]}" for f in files)
