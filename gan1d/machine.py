"""The machine underneath: its devices, the compilation cache, and what results say of it."""

import hashlib
import importlib.metadata
import logging
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import absl.logging
import jax
import platformdirs

import gan1d


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def devices(count: int | None = None) -> list[Any]:
    """The devices to spread runs over: all GPUs, else one CPU device a core; at most `count`.

    Call it before the first JAX operation: later the number of CPU devices is fixed.

    Raises:
      ValueError: fewer than `count` devices exist.
    """
    # Every start on a machine without a TPU would log that there is none.
    logging.getLogger("jax._src.xla_bridge").setLevel(logging.WARNING)
    try:
        jax.config.update("jax_num_cpu_devices", max(cores(), count or 1))
    except (
        RuntimeError
    ):  # JAX has started, in a notebook for example: its devices are what there is
        absl.logging.info("JAX is already initialised; using the devices that it has.")
    if count is not None and count < 1:
        raise ValueError(f"devices={count}: it must be at least 1")
    found = jax.devices()
    if count is not None and count > len(found):
        raise ValueError(f"devices={count}: this machine has {len(found)}; give at most that many")
    if count is None and found[0].platform == "cpu":
        count = min(len(found), cores())
    return found[:count]


def enable_compilation_cache() -> Path | None:
    """Keep compiled programs in the user's cache folder, by version of JAX and processor.

    Returns the folder, or None where it can't be written, which costs time only.
    """
    if jax.config.jax_compilation_cache_dir:
        return Path(jax.config.jax_compilation_cache_dir)  # the user's own choice
    folder = Path(platformdirs.user_cache_dir("gan1d")) / f"jax-{jax.__version__}-{_processor()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
    except OSError as error:
        absl.logging.warning("No compilation cache: %s", error)
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


def provenance() -> dict[str, Any]:
    """Versions, code revision and processor, as a results record keeps them."""
    packages = ("jax", "jaxlib", "flax", "optax", "numpy", "xarray")
    return {
        "versions": {"gan1d": gan1d.__version__}
        | {name: importlib.metadata.version(name) for name in packages},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "git": _git_revision(),
    }


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


def _processor() -> str:
    """A short name of the processor's features: code compiled for one may not run on another."""
    features = platform.machine() + platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        wanted = ("flags", "Features", "model name", "CPU part")
        features += "".join(sorted({line for line in lines if line.startswith(wanted)}))
    return hashlib.sha256(features.encode()).hexdigest()[:12]
