"""Finished blocks of a sweep: on disk once they are trained, verified when they are taken up again.

While a sweep is trained its folder holds `blocks/`: `plan.json`, which says all that its numbers
depend on, and a file a block, `NUMBER-SHA256.safetensors`. A file's name is its entry in the list
of blocks: one rename publishes a block together with its hash, and no moment has one without the
other. In each file stands of which plan it is. `.lock` is held by the process that trains.
"""

import contextlib
import datetime
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import safetensors
import safetensors.numpy
from absl import logging

from gan1d import fields, results
from gan1d.fields import ConfigError
from gan1d.results import files
from gan1d.tally import Arrays

BLOCKS, PLAN, LOCK = "blocks", "plan.json", ".lock"
FILE = re.compile(r"(\d+)-([0-9a-f]{64})\.safetensors")
HEADER_BYTES = 2**16  # that a block's file may have besides its arrays
NEEDED = {"config", "devices", "block_size"}  # of what an identity says
REMEDY = "choose another folder (workdir), or replace what it holds (overwrite)"


class Finished(NamedTuple):
    """A block that is trained."""

    arrays: Arrays
    facts: dict[str, Any]  # how it was: plain data


class InMemory:
    """Finished blocks of a sweep that leaves nothing on disk."""

    def __init__(self) -> None:
        """Begin with none."""
        self.blocks: dict[int, Finished] = {}

    def find(self, number: int, like: Arrays) -> Finished | None:
        """A finished block, or None."""
        return self.blocks.get(number)

    def keep(self, number: int, block: Finished) -> None:
        """Keep a finished block."""
        self.blocks[number] = block


class OnDisk:
    """Finished blocks of one plan in a folder, which this process alone writes to."""

    def __init__(self, folder: Path, plan: str, started: str) -> None:
        """Look at what there is; `plan` is the digest of the identity that blocks have to have."""
        self._folder, self._plan, self.started = folder, plan, started
        self._paths: dict[int, list[Path]] = {}
        for path in sorted(folder.iterdir()):
            if match := FILE.fullmatch(path.name):
                self._paths.setdefault(int(match[1]), []).append(path)
            elif path.suffix == ".tmp":  # of a process that was killed while it wrote
                path.unlink()

    def find(self, number: int, like: Arrays) -> Finished | None:
        """A finished block that is whole, or None; one that isn't is removed.

        Args:
          number: the block's.
          like: arrays of the names, shapes and types that it has to have.
        """
        for path in list(self._paths.get(number, [])):
            try:
                return _read(path, self._plan, number, like)
            except results.ResultsError as problem:
                logging.warning("%s; it is trained again.", problem)
                path.unlink(missing_ok=True)
                self._paths[number].remove(path)
        return None

    def keep(self, number: int, block: Finished) -> None:
        """Bring a finished block to the disk.

        Raises:
          WriteError: it can't be written.
        """
        told = {"plan": self._plan, "number": str(number), "facts": json.dumps(block.facts)}
        content = safetensors.numpy.save(block.arrays, told)
        name = f"{number:06}-{hashlib.sha256(content).hexdigest()}.safetensors"
        path = self._folder / name
        files.replace(path, lambda temporary: temporary.write_bytes(content))
        self._paths.setdefault(number, []).append(path)


Store = InMemory | OnDisk


def _read(path: Path, plan: str, number: int, like: Arrays) -> Finished:
    """A block's file, once it has been verified.

    Raises:
      ResultsError: it is not what was written, or not what is wanted.
    """
    wanted = {name: (array.dtype, array.shape) for name, array in like.items()}
    size = sum(array.nbytes for array in like.values())
    try:
        if not size <= path.stat().st_size <= size + HEADER_BYTES:
            raise results.ResultsError(f"{path}: of another size than its block")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() not in path.name:
            raise results.ResultsError(f"{path}: damaged, its SHA-256 is not that in its name")
        arrays = safetensors.numpy.load(content)
        told = _told(path)
        facts = json.loads(told["facts"])
    except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, results.ResultsError):
            raise
        raise results.ResultsError(f"{path}: can't be read ({error})") from None
    if told.get("plan") != plan or told.get("number") != str(number):
        raise results.ResultsError(f"{path}: a block of another sweep")
    if {name: (array.dtype, array.shape) for name, array in arrays.items()} != wanted:
        raise results.ResultsError(f"{path}: holds other arrays than its block")
    return Finished(arrays, facts)


def _told(path: Path) -> dict[str, str]:
    """What a file in safetensors' format says besides its arrays.

    Raises:
      OSError, ValueError, KeyError, TypeError: it is none.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(min(length, HEADER_BYTES)))["__metadata__"]


def load_plan(folder: Path) -> dict[str, Any] | None:
    """What the blocks in a folder are of, or None where there are none.

    Raises:
      ResultsError: that can't be told.
    """
    path = folder / BLOCKS / PLAN
    if not path.exists():
        return None
    plan = files.read_json(path)
    if (
        not isinstance(plan.get("identity"), dict)
        or "config" not in plan["identity"]
        or "started" not in plan
    ):
        raise results.ResultsError(f"{path}: not a plan of gan1d")
    return plan


def opened(folder: Path, identity: dict[str, Any], *, anew: bool) -> OnDisk:
    """The finished blocks of a sweep in its results folder, to be added to.

    Args:
      folder: the results folder, which has been locked.
      identity: all that the sweep's numbers depend on, as plain data.
      anew: remove what blocks there are, whatever they are of.

    Raises:
      ConfigError: the blocks that are there are of another sweep.
      WriteError: the folder can't be written to.
    """
    blocks = folder / BLOCKS
    if anew:
        discard(folder)
    try:
        plan = load_plan(folder)
    except results.ResultsError as problem:
        # A block says itself of which plan it is, so that little is lost with this file.
        logging.warning("%s; it is written again.", problem)
        plan = None
    wanted = files.digest(identity)
    if plan is not None and plan["identity"] != identity:
        raise ConfigError([_other_sweep(folder, plan["identity"], identity)])
    if plan is None:
        _refuse_foreign(blocks, wanted)
        files.make_folder(blocks)
        plan = {"identity": identity, "started": now()}
        files.write_json(blocks / PLAN, plan)
    return OnDisk(blocks, wanted, plan["started"])


def now() -> str:
    """The time, as records have it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _refuse_foreign(blocks: Path, plan: str) -> None:
    """Raise ConfigError if there are blocks of another plan, where plan.json doesn't say so."""
    for path in sorted(blocks.glob("*.safetensors")):
        try:
            foreign = _told(path)["plan"] != plan
        except (OSError, ValueError, KeyError, TypeError):
            continue  # damaged: reading it will say so
        if foreign:
            raise ConfigError(
                [f"workdir={blocks.parent}: {path.name} is a block of another sweep; {REMEDY}"]
            )


def _other_sweep(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> str:
    """The problem of a folder with blocks of another plan."""
    differing = fields.differences(old.pop("config"), new["config"])
    if differing:
        return f"workdir={folder}: it holds blocks of another sweep ({differing}); {REMEDY}"
    differing = fields.differences(old, {k: v for k, v in new.items() if k != "config"})
    return (
        f"workdir={folder}: this sweep was begun in another way, which may round numbers "
        f"differently ({differing}); continue it as it was begun, or {REMEDY}"
    )


def discard(folder: Path) -> None:
    """Remove the finished blocks of a results folder, if there are any."""
    shutil.rmtree(folder / BLOCKS, ignore_errors=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from training into the same folder.

    The system lets go of the lock when the process ends, in whatever way.

    Raises:
      ConfigError: another process holds it, or the folder can't be written to.
    """
    try:
        files.make_folder(folder)
        file = _lock(folder / LOCK, folder)
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


def _lock(path: Path, folder: Path) -> IO[str]:
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
