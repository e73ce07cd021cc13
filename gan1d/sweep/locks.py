"""Locks on a results folder: who is at work in it, on all of a sweep or on parts of it."""

import contextlib
import fcntl
import os
import platform
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from absl import logging

from gan1d.config.fields import ConfigError
from gan1d.results import files
from gan1d.system import hardware

LOCK = ".lock"
SHARED = "a process that has a shard of it"  # what the lock says while any number hold it
# How long a lock is waited for: `holder` and processes that end are quick. What merges, or a lost
# machine's lock on a network file system, may take longer, and a shard is not to fail over that.
LOCK_SECONDS, SHARD_LOCK_SECONDS = 0.5, 30.0
LOCK_POLL_SECONDS = 0.1


class Locked(ConfigError):
    """Another process is at work where this one would be."""


@contextlib.contextmanager
def locked(folder: Path, part: str | None = None, patience: float = LOCK_SECONDS) -> Iterator[None]:
    """Keep other processes from training into the same folder, which is made if need be.

    The system lets go of the lock when the process ends, in whatever way. A folder that was made
    for it, and that nothing has come into, is removed in the end.

    Args:
      folder: the results folder.
      part: the name of what this process is at work on, while others may be on other parts; None
        means all.
      patience: seconds to wait for another process to end.

    Raises:
      Locked: another process holds it.
      ConfigError: the folder can't be written to.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(_present(folder))
            if part is None:
                held.enter_context(_lock(folder / LOCK, fcntl.LOCK_EX, patience))
            else:
                held.enter_context(_lock(folder / LOCK, fcntl.LOCK_SH, patience))
                held.enter_context(_lock(folder / f"{LOCK}-{part}", fcntl.LOCK_EX, patience))
        except OSError as error:
            raise ConfigError([f"workdir={folder}: can't write there ({error})"]) from None
        yield
        if part is None:  # so these are of processes that were killed
            for path in folder.glob(f"{LOCK}-*-of-*"):
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def _present(folder: Path) -> Iterator[None]:
    """A folder that is there meanwhile, and afterwards if it was before or something is in it."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    files.make_folder(folder)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty, above all
            for path in missing:
                path.rmdir()


@contextlib.contextmanager
def _lock(path: Path, kind: int, patience: float) -> Iterator[None]:
    """A lock that one process holds (LOCK_EX), or any number (LOCK_SH)."""
    with _locked_file(path, kind, patience) as file:
        alone = kind == fcntl.LOCK_EX
        since = f"(since {hardware.now()})"
        said = f"process {os.getpid()} on {platform.node()} {since}" if alone else SHARED
        if not re.match(f"$|process |{SHARED}", file.read()):
            raise ConfigError([f"workdir={path.parent}: its {path.name} is not gan1d's"])
        file.truncate(0)
        os.pwrite(file.fileno(), said.encode(), 0)  # all who share it write the same
        try:
            yield
        finally:
            if alone or _is_left_by_others(file):
                path.unlink(missing_ok=True)


def _locked_file(path: Path, kind: int, patience: float) -> IO[str]:
    tries = 1 + round(patience / LOCK_POLL_SECONDS)
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+")
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            said = _said_by(file)
            file.close()
            tries -= 1
            if tries:
                time.sleep(LOCK_POLL_SECONDS)
                continue
            raise Locked(
                [f"workdir={path.parent}: {said} trains into it; wait, or choose another folder"]
            ) from None
        except OSError as error:  # some network file systems have no locks
            logging.warning("%s can't be locked (%s): let no other process use it.", path, error)
            return file
        # Who held it before may have removed it between these two lines and those above.
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                return file
        file.close()


def _is_left_by_others(file: IO[str]) -> bool:
    """Whether nobody else shares a lock, which is exclusive then."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _said_by(file: IO[str]) -> str:
    file.seek(0)
    return file.read() or "another process"


def holder(folder: Path, part: str) -> str | None:
    """Who is at work on a part of a sweep, as far as locks tell; None if nobody is."""
    # No such file, or no right to look into it, or no locks on this file system: nothing to tell.
    with contextlib.suppress(OSError), open(folder / f"{LOCK}-{part}") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _said_by(file)
    return None
