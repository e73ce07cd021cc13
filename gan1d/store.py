"""Where a sweep's finished blocks are kept: in memory, or in its results folder, under a lock.

`results.blocks` has the files; here is what may be done with them, and by whom.
"""

import contextlib
import datetime
import fcntl
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from absl import logging

from gan1d import fields, results
from gan1d.fields import ConfigError
from gan1d.results import blocks, files
from gan1d.results.blocks import Finished
from gan1d.tally import Arrays

LOCK = ".lock"
FACTS = {"trained", "seconds"}  # what is told of a block besides its arrays
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

    def __init__(self, folder: Path, plan: str, started: str) -> None:
        """Look at what there is.

        Args:
          folder: the results folder.
          plan: the digest of the identity that the blocks have to have.
          started: when the first of them was begun.
        """
        self._folder, self._plan, self.started = folder, plan, started
        self._paths = blocks.listed(folder)

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
    try:
        plan = blocks.load_plan(folder)
    except results.ResultsError as problem:
        # A block says itself of which plan it is, so that nothing is lost with this file.
        logging.warning("%s; it is written again.", problem)
        plan = None
    digest = files.digest(identity)
    if plan is not None and plan["identity"] != identity:
        if blocks.listed(folder):
            raise ConfigError([_other_sweep(folder, plan["identity"], identity)])
        plan = None  # nothing came of it
    if plan is None:
        _refuse_foreign(folder, digest)
        plan = {"identity": identity, "started": now(), "blocks": block_count}
        files.make_folder(folder / blocks.FOLDER)
        files.write_json(folder / blocks.FOLDER / blocks.PLAN, plan)
    files.clear_temporaries(folder / blocks.FOLDER)
    return OnDisk(folder, digest, plan["started"])


def now() -> str:
    """The time, as records have it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _refuse_foreign(folder: Path, plan: str) -> None:
    """Raise ConfigError if there are blocks of another plan, where plan.json doesn't say so."""
    for path in sorted((folder / blocks.FOLDER).glob("*.safetensors")):
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
    return (
        f"workdir={folder}: this sweep was begun in another way, which may round numbers "
        f"differently ({differing}); continue it as it was begun, or {REMEDY}"
    )


def discard(folder: Path) -> None:
    """Remove the finished blocks of a results folder, if there are any."""
    files.remove(folder / blocks.FOLDER)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from training into the same folder, which is made if need be.

    The system lets go of the lock when the process ends, in whatever way.

    Raises:
      ConfigError: another process holds it, or the folder can't be written to.
    """
    try:
        files.make_folder(folder)
        file = _lock(folder)
    except OSError as error:
        raise ConfigError([f"workdir={folder}: can't write there ({error})"]) from None
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()} (since {now()})")
        file.flush()
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        file.close()


def _lock(folder: Path) -> IO[str]:
    path = folder / LOCK
    while True:
        file = open(path, "a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read() or "another process"
            file.close()
            raise ConfigError(
                [f"workdir={folder}: {holder} trains into it; wait, or choose another folder"]
            ) from None
        except OSError as error:  # some network file systems have no locks
            logging.warning("%s can't be locked (%s): let no other process use it.", folder, error)
            return file
        # Who held it before may have removed it between these two lines and those above.
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                return file
        file.close()
