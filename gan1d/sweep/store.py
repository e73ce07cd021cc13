"""Where a sweep's finished blocks are kept: in memory, or in its results folder, under a lock.

`results.blocks` has the files; here is what may be done with them, and by whom.
"""

import contextlib
import datetime
import fcntl
import itertools
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from absl import logging

from gan1d import results
from gan1d.config import fields
from gan1d.config.fields import ConfigError
from gan1d.results import blocks, files
from gan1d.results.blocks import Finished
from gan1d.sweep.collect import Arrays

LOCK = ".lock"
SHARED = "a process that has a shard of it"  # what the lock says while any number hold it
FACTS = {"trained", "seconds", "machine"}  # what is told of a block besides its arrays
MACHINE = {"device_kind", "processor"}  # of an identity, what tells kinds of machines apart
ANY = "any"  # stands for them where shards may be trained on machines of different kinds
# How long a lock is waited for: `holder` and processes that end are quick. What merges, or a lost
# machine's lock on a network file system, may take longer, and a shard is not to fail over that.
LOCK_SECONDS, SHARD_LOCK_SECONDS = 0.5, 30.0
LOCK_POLL_SECONDS = 0.1
REMEDY = "choose another folder (workdir), or replace what it holds (overwrite)"


class InMemory:
    """Finished blocks of a sweep that leaves nothing on disk."""

    def __init__(self) -> None:
        """Begin with none."""
        self.blocks: dict[int, Finished] = {}

    def __contains__(self, number: int) -> bool:
        """Whether a block is kept."""
        return number in self.blocks

    def find(self, number: int, like: Arrays) -> Finished | None:
        """A finished block, or None."""
        return self.blocks.get(number)

    def keep(self, number: int, block: Finished) -> None:
        """Keep a finished block."""
        self.blocks[number] = block


class OnDisk:
    """Finished blocks of one plan in a results folder, which this process alone writes to."""

    def __init__(self, folder: Path, plan: str, started: str, numbers: range | None = None) -> None:
        """Look at what there is.

        Args:
          folder: the results folder.
          plan: the digest of the identity that the blocks have to have.
          started: when the first of them was begun.
          numbers: of the blocks that are this process's; None means all.
        """
        self._folder, self._plan, self.started = folder, plan, started
        self._paths = blocks.listed(folder, numbers)

    def __contains__(self, number: int) -> bool:
        """Whether there is a file of a block; it may yet turn out not to be whole."""
        return bool(self._paths.get(number))

    def find(self, number: int, like: Arrays) -> Finished | None:
        """A finished block that is whole, or None; one that isn't is removed.

        Args:
          number: the block's.
          like: arrays of the names, shapes and types that it has to have.
        """
        limit = sum(array.nbytes for array in like.values())
        for path in list(self._paths.get(number, [])):
            try:
                found = blocks.read(path, self._plan, number, limit)
                if _forms(found.arrays) != _forms(like) or found.facts.keys() != FACTS:
                    raise results.ResultsError(f"{path}: holds other arrays than its block")
                return found
            except results.ResultsError as problem:
                logging.warning("%s; it is trained again.", problem)
                files.remove(path)
                self._paths[number].remove(path)
        return None

    def keep(self, number: int, block: Finished) -> None:
        """Bring a finished block to the disk.

        Raises:
          WriteError: it can't be written.
        """
        path = blocks.write(self._folder, self._plan, number, block)
        self._paths.setdefault(number, []).append(path)


Store = InMemory | OnDisk


def _forms(arrays: Arrays) -> dict[str, Any]:
    return {name: (array.dtype, array.shape) for name, array in arrays.items()}


def opened(folder: Path, identity: dict[str, Any], block_count: int, *, anew: bool) -> OnDisk:
    """The finished blocks of a sweep in its results folder, to be added to.

    Args:
      folder: the results folder, which has been locked.
      identity: all that the sweep's numbers depend on, as plain data.
      block_count: how many blocks the sweep has, to be told to who looks into the folder.
      anew: remove what blocks there are, whatever they are of.

    Raises:
      ConfigError: the blocks that are there are of another sweep.
      WriteError: the folder can't be written to.
    """
    if anew:
        discard(folder)
    discard_empty(folder, identity)
    found = _joined(folder, identity, block_count)
    blocks.clear_temporaries(folder)
    return OnDisk(folder, files.digest(identity), found["started"])


def opened_in_part(
    folder: Path, identity: dict[str, Any], block_count: int, numbers: range
) -> OnDisk:
    """As `opened`, for one of several processes at work in a folder, each on blocks of its own.

    Args:
      folder: the results folder, in which this part has been locked.
      identity: as for `opened`.
      block_count: that of the whole sweep.
      numbers: of this process's blocks.

    Raises:
      ConfigError, WriteError: as `opened`.
    """
    found = _joined(folder, identity, block_count)
    blocks.clear_temporaries(folder, numbers)
    return OnDisk(folder, files.digest(identity), found["started"], numbers)


def _joined(folder: Path, identity: dict[str, Any], block_count: int) -> dict[str, Any]:
    """A folder's plan of this identity, written there if there is none."""
    path = folder / blocks.FOLDER / blocks.PLAN
    plan = {"identity": identity, "started": now(), "blocks": block_count}
    try:
        found = blocks.load_plan(folder)
    except results.ResultsError as problem:
        # A block says itself of which plan it is, so that nothing is lost with this file.
        logging.warning("%s; it is written again.", problem)
        _refuse_foreign(folder, files.digest(identity))
        files.write_json(path, plan)
        return plan
    if found is None:
        _refuse_foreign(folder, files.digest(identity))
        files.make_folder(path.parent)
        if files.create_json(path, plan):
            return plan
        found = blocks.load_plan(folder) or plan  # another process was faster
    if found["identity"] != identity:
        raise ConfigError([_other_sweep(folder, found["identity"], identity)])
    return found


def discard_empty(folder: Path, identity: dict[str, Any] | None) -> None:
    """Remove a plan of another identity, or of any for None, of which nothing has come yet."""
    try:
        plan = blocks.load_plan(folder)
    except results.ResultsError:
        return  # said, and dealt with, where blocks are opened
    nothing = not any((folder / blocks.FOLDER).rglob("*.safetensors"))
    if plan is not None and plan["identity"] != identity and nothing:
        discard(folder)


def now() -> str:
    """The time, as records have it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _refuse_foreign(folder: Path, plan: str) -> None:
    """Raise ConfigError if there are blocks of another plan, where plan.json doesn't say so."""
    for path in itertools.chain(*blocks.listed(folder).values()):
        try:
            foreign = blocks.told_by(path)["plan"] != plan
        except (OSError, ValueError, KeyError, TypeError):
            continue  # damaged: reading it will say so
        if foreign:
            raise ConfigError(
                [f"workdir={folder}: {path.name} is a block of another sweep; {REMEDY}"]
            )


def _other_sweep(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> str:
    """The problem of a folder with blocks of another plan."""
    differing = fields.differences(old["config"], new["config"])
    if differing:
        return f"workdir={folder}: it holds blocks of another sweep ({differing}); {REMEDY}"
    differing = fields.differences(old, new)
    elsewhere = {key for key in old | new if old.get(key) != new.get(key)} <= MACHINE
    remedy = "begin anew with machines of any kind (mixed), " if elsewhere else ""
    return (
        f"workdir={folder}: this sweep was begun in another way, which may round numbers "
        f"differently ({differing}); continue it as it was begun, {remedy}{REMEDY}"
    )


def discard(folder: Path) -> None:
    """Remove the finished blocks of a results folder, if there are any."""
    files.remove(folder / blocks.FOLDER)


@contextlib.contextmanager
def locked(folder: Path, part: str | None = None, patience: float = LOCK_SECONDS) -> Iterator[None]:
    """Keep other processes from training into the same folder, which is made if need be.

    The system lets go of the lock when the process ends, in whatever way.

    Args:
      folder: the results folder.
      part: the name of what this process is at work on, while others may be on other parts; None
        means all.
      patience: seconds to wait for another process to end.

    Raises:
      ConfigError: another process holds it, or the folder can't be written to.
    """
    try:
        files.make_folder(folder)
        with contextlib.ExitStack() as held:
            if part is None:
                held.enter_context(_lock(folder / LOCK, fcntl.LOCK_EX, patience))
            else:
                held.enter_context(_lock(folder / LOCK, fcntl.LOCK_SH, patience))
                held.enter_context(_lock(folder / f"{LOCK}-{part}", fcntl.LOCK_EX, patience))
            held = held.pop_all()
    except OSError as error:
        raise ConfigError([f"workdir={folder}: can't write there ({error})"]) from None
    with held:
        yield
        if part is None:  # so these are of processes that were killed
            for path in folder.glob(f"{LOCK}-*"):
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def _lock(path: Path, kind: int, patience: float) -> Iterator[None]:
    """A lock that one process holds (LOCK_EX), or any number (LOCK_SH)."""
    with _locked_file(path, kind, patience) as file:
        alone = kind == fcntl.LOCK_EX
        holder = f"process {os.getpid()} on {platform.node()} (since {now()})" if alone else SHARED
        file.truncate(0)
        os.pwrite(file.fileno(), holder.encode(), 0)  # all who share it write the same
        try:
            yield
        finally:
            if alone:
                path.unlink(missing_ok=True)


def _locked_file(path: Path, kind: int, patience: float) -> IO[str]:
    tries = 1 + round(patience / LOCK_POLL_SECONDS)
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT), "r+")
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            told = _holder(file)
            file.close()
            tries -= 1
            if tries:
                time.sleep(LOCK_POLL_SECONDS)
                continue
            raise ConfigError(
                [f"workdir={path.parent}: {told} trains into it; wait, or choose another folder"]
            ) from None
        except OSError as error:  # some network file systems have no locks
            logging.warning("%s can't be locked (%s): let no other process use it.", path, error)
            return file
        # Who held it before may have removed it between these two lines and those above.
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                return file
        file.close()


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read() or "another process"


def holder(folder: Path, part: str) -> str | None:
    """Who is at work on a part of a sweep, as far as locks tell; None if nobody is."""
    # No such file, or no right to look into it, or no locks on this file system: nothing to tell.
    with contextlib.suppress(OSError), open(folder / f"{LOCK}-{part}") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _holder(file)
    return None
