"""Files of finished blocks, in the folder of a sweep that is being trained.

`blocks/` holds `plan.json`, which says all that the sweep's numbers depend on, and a file a block,
`NUMBER-SHA256.safetensors`, a thousand of them a folder. A file's name is its entry in the list of
blocks: one rename publishes a block together with its hash, so that at no moment one is there
without the other. In each file stands of which plan it is. So any number of processes can add
blocks at once.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from gan1d.results import files
from gan1d.results.files import Record, ResultsError

FOLDER, PLAN = "blocks", "plan.json"
NAME = re.compile(r"(\d+)-([0-9a-f]{64})\.safetensors")
GROUP = 1000  # blocks in a folder: file systems get slow with many more
HEADER_BYTES = 2**16  # that a file may have besides its arrays, at most


class Finished(NamedTuple):
    """A block that is trained."""

    arrays: dict[str, np.ndarray]
    facts: Record  # how it was: plain data


def load_plan(folder: Path) -> Record | None:
    """What the blocks in a results folder are of, or None where there are none.

    Raises:
      ResultsError: it can't be read.
    """
    path = folder / FOLDER / PLAN
    plan = files.read_json(path)
    if plan is None:
        return None
    identity = plan.get("identity")
    if not (
        isinstance(identity, dict)
        and isinstance(identity.get("config"), dict)
        and all(isinstance(identity.get(name), int) for name in ("devices", "block_size"))
        and isinstance(plan.get("started"), str)
    ):
        raise ResultsError(f"{path}: not a plan of gan1d")
    return plan


def listed(folder: Path, numbers: range | None = None) -> dict[int, list[Path]]:
    """The files of blocks in a results folder by the blocks' numbers; none is looked into.

    `numbers` are those to look for; None means all.
    """
    paths: dict[int, list[Path]] = {}
    for group in groups(folder, numbers):
        for path in sorted(group.glob("*.safetensors")):
            match = NAME.fullmatch(path.name)
            if match and (numbers is None or int(match[1]) in numbers):
                paths.setdefault(int(match[1]), []).append(path)
    return paths


def groups(folder: Path, numbers: range | None = None) -> list[Path]:
    """The folders that blocks of these numbers lie in, or all that there are."""
    if numbers is None:
        return sorted(path for path in (folder / FOLDER).glob("*") if path.is_dir())
    return [_group(folder, group) for group in sorted({n // GROUP for n in numbers})]


def clear_temporaries(folder: Path, numbers: range | None = None) -> None:
    """Remove what killed processes have left half written of these blocks, or of anything."""
    if numbers is None:
        files.clear_temporaries(folder / FOLDER)
    for group in groups(folder, numbers):
        for path in group.glob(".*.tmp"):
            match = re.match(r"\.(\d+)-", path.name)
            if numbers is None or (match and int(match[1]) in numbers):
                files.remove(path)


def name(number: int, sha256: str) -> str:
    """What the file of a block is called."""
    return f"{number:06}-{sha256}.safetensors"


def _group(folder: Path, group: int) -> Path:
    return folder / FOLDER / f"{group:04}"


def write(folder: Path, plan: str, number: int, block: Finished) -> Path:
    """Bring a finished block to the disk; returns its path.

    Raises:
      WriteError: it can't be written.
    """
    metadata = {"plan": plan, "number": str(number), "facts": json.dumps(block.facts)}
    content = safetensors.numpy.save(block.arrays, metadata)
    path = _group(folder, number // GROUP) / name(number, hashlib.sha256(content).hexdigest())
    files.make_folder(path.parent)
    files.replace(path, lambda temporary: temporary.write_bytes(content))
    return path


def read(path: Path, plan: str, number: int, limit: int) -> Finished:
    """A block from its file, once that has been verified.

    Args:
      path: the file's.
      plan: the digest of the identity that the block has to have.
      number: the block's.
      limit: bytes that its arrays take at most.

    Raises:
      ResultsError: the file is not what was written, or of another block.
    """
    try:
        content = files.bounded(path, limit + HEADER_BYTES)
        match = NAME.fullmatch(path.name)
        if match is None or hashlib.sha256(content).hexdigest() != match[2]:
            raise ResultsError(f"{path}: damaged, its SHA-256 is not that in its name")
        arrays = safetensors.numpy.load(content)
        metadata = metadata_of(path)
        facts = json.loads(metadata["facts"])
    except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ResultsError):
            raise
        raise ResultsError(f"{path}: can't be read ({error})") from None
    if metadata.get("plan") != plan or metadata.get("number") != str(number):
        raise ResultsError(f"{path}: a block of another sweep, or another one of this")
    return Finished(arrays, facts)


def metadata_of(path: Path) -> dict[str, str]:
    """What a file in safetensors' format says besides its arrays.

    Raises:
      OSError, ValueError, KeyError, TypeError: it is none.
    """
    with files.opened(path) as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(min(length, HEADER_BYTES)))["__metadata__"]
