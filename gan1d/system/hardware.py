"""The computer underneath, and the code on it: what needs no JAX to be found out."""

import contextlib
import datetime
import functools
import hashlib
import importlib.metadata
import math
import os
import platform
import resource
import subprocess
from pathlib import Path
from typing import NamedTuple

import gan1d

# Whose versions may change how numbers are rounded.
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "llvmlite")
CGROUP, OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


class Machine(NamedTuple):
    """A machine that has trained, as records have it."""

    processor: str
    device_kind: str
    host: str


def cores() -> int:
    """Processor cores that this process may use: the least of what limits it.

    These are the cores that it is pinned to, the quota of its container, and what Slurm has given a
    task, which not every cluster enforces.
    """
    pinned = hasattr(os, "sched_getaffinity")  # not on macOS
    limits = [len(os.sched_getaffinity(0)) if pinned else os.cpu_count() or 1]
    for folder in _control_groups("cpu"):
        quota, _, period = _content(folder / "cpu.max").partition(" ")
        if not quota:
            quota, period = (
                _content(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")
            )
        if quota.isdecimal() and period.isdecimal():
            limits.append(math.ceil(int(quota) / int(period)))
    given = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if given.isdecimal():
        limits.append(int(given))
    return max(1, min(limits))


def memory() -> int:
    """Bytes of memory that this process may use: the least of what limits it.

    That is the machine's, what a container or Slurm has given it, and its address space.
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for folder in _control_groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _content(folder / name)
            if limit.isdecimal():
                limits.append(int(limit))
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    limits += [address_space] * (address_space != resource.RLIM_INFINITY)
    return min(limits)


def _control_groups(controller: str) -> list[Path]:
    """The folders of the control groups that this process lies in, of both versions.

    Each limits those within: cgroups(7). In a container its own group is the top of what is seen.
    """
    folders = [CGROUP, CGROUP / controller]
    for line in _content(OWN_CGROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        top = CGROUP / controllers if controller in controllers.split(",") else CGROUP
        if not controllers or top != CGROUP:
            own = top / path.lstrip("/")
            folders += [own, *(above for above in own.parents if above.is_relative_to(top))]
    return list(dict.fromkeys(folders))


def _content(path: Path) -> str:
    """What a file of the system says; nothing where there is no such file."""
    with contextlib.suppress(OSError):
        return path.read_text().strip()
    return ""


def machine(device_kind: str) -> Machine:
    """This machine."""
    return Machine(processor(), device_kind, platform.node())


def now() -> str:
    """The time, as records have it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Of gan1d and of the packages that decide its numbers."""
    return {"gan1d": gan1d.__version__} | {
        name: importlib.metadata.version(name) for name in PACKAGES
    }


def provenance() -> dict[str, object]:
    """What made results, as their record keeps it."""
    return {
        "versions": versions() | {"xarray": importlib.metadata.version("xarray")},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": platform.node(),
        "processor": processor(),
        "source": source(),
        "git": _git_revision(),
    }


@functools.cache
def source() -> str:
    """A digest of gan1d's own code, which tells versions apart outside git and while it changes."""
    folder = Path(gan1d.__file__).parent
    content = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content.update(str(path.relative_to(folder)).encode() + b"\0")
        content.update(hashlib.sha256(path.read_bytes()).digest())
    return content.hexdigest()[:16]


def _git_revision() -> str | None:
    """The commit of the code, with `-dirty` where it was changed since; None outside git."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return done.stdout.strip()

    try:
        # An environment may lie in a repository that has nothing to do with the code in it.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return None


@functools.cache
def processor() -> str:
    """The processor's name and a digest of its features: code for one may not run on another."""
    features = platform.machine() + platform.processor()
    name = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        wanted = ("flags", "Features", "model name", "CPU part")
        features += "".join(sorted({line for line in lines if line.startswith(wanted)}))
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = models[0] if models else name
    return f"{name} ({hashlib.sha256(features.encode()).hexdigest()[:12]})"
