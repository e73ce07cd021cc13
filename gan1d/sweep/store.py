"""Where a sweep's finished blocks are kept: in memory, or in its results folder.

`results.blocks` has the files, `locks` who may write them.
"""

import dataclasses
import itertools
import re
import uuid
from pathlib import Path

import numpy as np
from absl import logging

from gan1d import results
from gan1d.config.fields import ConfigError, differences
from gan1d.results import blocks, files
from gan1d.results.blocks import Finished
from gan1d.sweep.collect import Arrays
from gan1d.sweep.contents import REMEDY, Contents, look
from gan1d.sweep.provenance import Identity, Plan, Training
from gan1d.system import hardware

TEMPORARY = re.compile(r"\..*\.tmp")  # what `files.replace` begins with


class InMemory:
    """Finished blocks of a sweep that leaves nothing on disk."""

    def __init__(self) -> None:
        """Begin with none."""
        self.blocks: dict[int, Finished] = {}

    def __contains__(self, number: int) -> bool:
        """Whether a block is here."""
        return number in self.blocks

    def get(self, number: int, like: Arrays) -> Finished | None:
        """A finished block, or None."""
        return self.blocks.get(number)

    def add(self, number: int, block: Finished) -> None:
        """Keep a finished block."""
        self.blocks[number] = block


class OnDisk:
    """Finished blocks of one plan in a results folder, which this process alone writes to."""

    def __init__(self, folder: Path, plan: Plan, numbers: range | None = None) -> None:
        """Look at what there is.

        Args:
          folder: the results folder.
          plan: what the blocks have to be of.
          numbers: of the blocks that are this process's; None means all.
        """
        self.plan = plan
        self._folder, self._digest = folder, plan.identity.digest
        self._paths = blocks.listed(folder, numbers)

    def __contains__(self, number: int) -> bool:
        """Whether there is a file of a block; it may yet turn out not to be whole."""
        return bool(self._paths.get(number))

    def get(self, number: int, like: Arrays) -> Finished | None:
        """A finished block that is whole, or None; one that isn't is removed.

        Args:
          number: the block's.
          like: arrays of the names, shapes and types that it has to have.
        """
        limit = sum(array.nbytes for array in like.values())
        for path in list(self._paths.get(number, [])):
            try:
                block = blocks.read(path, self._digest, number, limit)
                if _forms(block.arrays) != _forms(like):
                    raise results.ResultsError(f"{path}: holds other arrays than its block")
                Training.of_plain(block.facts)
                return block
            except results.ResultsError as problem:
                logging.warning("%s; it is trained again.", problem)
                files.remove(path)
                self._paths[number].remove(path)
        return None

    def add(self, number: int, block: Finished) -> None:
        """Bring a finished block to the disk.

        Raises:
          WriteError: it can't be written.
        """
        path = blocks.write(self._folder, self._digest, number, block)
        self._paths.setdefault(number, []).append(path)


Store = InMemory | OnDisk


def _forms(arrays: Arrays) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
    return {name: (array.dtype, array.shape) for name, array in arrays.items()}


def opened(contents: Contents, identity: Identity, block_count: int) -> OnDisk:
    """The finished blocks of a sweep in its results folder, to be added to.

    Args:
      contents: what the folder, which has been locked, holds.
      identity: all that the sweep's numbers depend on.
      block_count: how many blocks the sweep has, to be told to who looks into the folder.

    Raises:
      ConfigError: the blocks that are there are of another sweep.
      WriteError: the folder can't be written to.
    """
    folder = contents.folder
    _refuse_strangers(folder)
    if contents.plan is not None and contents.plan.identity != identity:
        discard_barren(folder)
        if not (folder / blocks.FOLDER).exists():
            contents = dataclasses.replace(contents, plan=None)
    plan = _joined(contents, identity, block_count)
    blocks.clear_temporaries(folder)
    return OnDisk(folder, plan)


def opened_in_part(
    contents: Contents, identity: Identity, block_count: int, numbers: range
) -> OnDisk:
    """As `opened`, for one of several processes at work in a folder, each on blocks of its own.

    Args:
      contents: what the folder, in which this part has been locked, holds.
      identity: as for `opened`.
      block_count: that of the whole sweep.
      numbers: of this process's blocks.

    Raises:
      ConfigError, WriteError: as `opened`.
    """
    plan = _joined(contents, identity, block_count)
    blocks.clear_temporaries(contents.folder, numbers)
    return OnDisk(contents.folder, plan, numbers)


def _joined(contents: Contents, identity: Identity, block_count: int) -> Plan:
    """A folder's plan of this identity, written there if there is none."""
    folder = contents.folder
    path = folder / blocks.FOLDER / blocks.PLAN
    plan, new = contents.plan, Plan(identity, hardware.now())
    if contents.plan_problem:
        # A block says itself of which plan it is, so that nothing is lost with this file.
        logging.warning("%s; it is written again.", contents.plan_problem)
        _refuse_foreign(folder, identity)
        files.write_json(path, new.plain(block_count))
        return new
    if plan is None:
        _refuse_foreign(folder, identity)
        files.make_folder(path.parent)
        if files.create_json(path, new.plain(block_count)):
            return new
        plan = look(contents.experiment, folder).plan or new  # another process was faster
    if plan.identity != identity:
        raise ConfigError([_other_sweep(folder, plan.identity, identity)])
    return plan


def _refuse_foreign(folder: Path, identity: Identity) -> None:
    """Raise ConfigError if there are blocks of another plan, where plan.json doesn't say so."""
    for path in itertools.chain(*blocks.listed(folder).values()):
        try:
            foreign = blocks.metadata_of(path)["plan"] != identity.digest
        except (OSError, ValueError, KeyError, TypeError):
            continue  # damaged: reading it will say so
        if foreign:
            raise ConfigError(
                [f"workdir={folder}: {path.name} is a block of another sweep; {REMEDY}"]
            )


def _other_sweep(folder: Path, before: Identity, now: Identity) -> str:
    """The problem of a folder with blocks of another plan."""
    differing = differences(before.config, now.config)
    if differing:
        return f"workdir={folder}: it holds blocks of another sweep ({differing}); {REMEDY}"
    remedy = "begin anew with machines of any kind (mixed), "
    return (
        f"workdir={folder}: this sweep was begun in another way, which may round numbers "
        f"differently ({before.differences(now)}); continue it as it was begun, "
        f"{remedy * before.differs_by_machine_only(now)}{REMEDY}"
    )


def _refuse_strangers(folder: Path) -> None:
    """Raise ConfigError if anything lies among blocks that gan1d hasn't written: it would be lost.

    Blocks of older versions lie in one folder, without groups.
    """
    top = folder / blocks.FOLDER
    groups = blocks.groups(folder)
    for path in itertools.chain(top.glob("*"), *(group.glob("*") for group in groups)):
        ours = path.name == blocks.PLAN or blocks.NAME.fullmatch(path.name) or path in groups
        if not ours and not TEMPORARY.fullmatch(path.name):
            raise ConfigError([f"workdir={folder}: {path} is not gan1d's; move it elsewhere"])


def discard_barren(folder: Path) -> None:
    """Remove a plan of which no block has come, if there is one."""
    if not any((folder / blocks.FOLDER).rglob("*.safetensors")):
        discard(folder)


def discard(folder: Path) -> None:
    """Remove the finished blocks of a results folder, if there are any.

    They are renamed away first: if this process is killed meanwhile, then all are there, or none.

    Raises:
      ConfigError: among them is something else.
      WriteError: that can't be done.
    """
    _refuse_strangers(folder)
    name = f".{blocks.FOLDER}.{uuid.uuid4().hex[:12]}.tmp"
    try:
        (folder / blocks.FOLDER).rename(folder / name)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise results.WriteError(f"{folder}: blocks can't be removed ({error})") from error
    clear_discarded(folder)


def clear_discarded(folder: Path) -> None:
    """Remove blocks that are discarded already, but whose removal was not finished."""
    files.clear_temporaries(folder, blocks.FOLDER)
