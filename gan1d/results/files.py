"""Files that are whole or not there, and what tells that they are the ones that were written."""

import errno
import hashlib
import io
import json
import os
import shutil
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECORD_BYTES = 2**26  # that a record may have: settings are thousands, and each is a line of text
# What file systems answer, of the network above all, that have no links or can't sync a folder.
NOT_THERE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
REASON = 200  # characters of why something can't be read

Record = dict[str, Any]  # plain data by name, as JSON has it; who reads one checks its form


class ResultsError(ValueError):
    """A results folder that can't be used, in one line."""


class WriteError(OSError):
    """A file that can't be written: a full disk, a folder that is read-only, ..."""


def replace(
    path: Path, write_to: Callable[[Path], object], put: Callable[[Path, Path], object] = os.replace
) -> None:
    """Write a file under a temporary name, bring it to the disk, and put it in place at once.

    Args:
      path: the file.
      write_to: writes its content to a path.
      put: gives the file its name.

    Raises:
      WriteError: it can't be written; what was there is there still.
    """
    # Processes of several machines may write to one folder, so their ids are not enough.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        try:
            write_to(temporary)
            _sync(temporary)
            put(temporary, path)
            _sync(path.parent)  # where the new name is kept
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise WriteError(f"{path}: can't be written ({reason})") from error


def make_folder(path: Path) -> None:
    """Make a folder, and those it lies in, unless there is one.

    Raises:
      WriteError: that can't be done.
    """
    try:
        if not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            _sync(path.parent)
    except OSError as error:
        raise WriteError(f"{path}: can't be made ({error.strerror})") from error


def remove(path: Path) -> None:
    """Remove a file, or a folder with what is in it, if there is one.

    Raises:
      WriteError: that can't be done.
    """
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"{path}: can't be removed ({error.strerror})") from error


def clear_temporaries(folder: Path, name: str = "*") -> None:
    """Remove what a process that was killed in `replace` has left, of a file or of all."""
    for path in folder.glob(f".{name}.*.tmp"):
        remove(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NOT_THERE:
            raise
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
      OSError: it can't be read, or is no file, such as a device without an end.
    """
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def opened(path: Path) -> io.BufferedReader:
    """A file to be read: one with an end, and of which nobody has to wait for the beginning.

    Raises:
      OSError: it can't be opened, or is none.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = open(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no regular file")
    return file


def bounded(path: Path, limit: int) -> bytes:
    """What is in a file.

    Raises:
      OSError: it can't be read, or has more than so many bytes.
    """
    with opened(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes")
    return content


def digest(value: object) -> str:
    """The SHA-256 of plain data, as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def write_json(path: Path, record: Record) -> None:
    """Write a record together with its own digest, by which `read_json` knows it again."""
    replace(path, lambda temporary: temporary.write_text(_as_text(record)))


def create_json(path: Path, record: Record) -> bool:
    """As `write_json` where there is no such file; otherwise False, and what is there stays.

    Of several processes that do this at once, one succeeds.
    """
    if path.exists():
        return False
    try:
        replace(path, lambda temporary: temporary.write_text(_as_text(record)), _name_anew)
    except WriteError:
        if path.exists():
            return False
        raise
    return True


def _name_anew(temporary: Path, path: Path) -> None:
    """Give a file its name, unless there is one of that name."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, *NOT_THERE):
            raise
        os.replace(temporary, path)  # some network file systems have no links


def _as_text(record: Record) -> str:
    return json.dumps(record | {"digest": digest(record)}, indent=2) + "\n"


def read_json(path: Path) -> Record | None:
    """A record that `write_json` wrote; None where there is no such file.

    Raises:
      ResultsError: it is none, can't be read, or has been changed since.
    """
    try:
        record = json.loads(bounded(path, RECORD_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error)[:REASON]
        raise ResultsError(f"{path}: not a record of gan1d ({reason})") from None
    if not isinstance(record, dict) or "digest" not in record:
        raise ResultsError(f"{path}: not a record of gan1d")
    if record.pop("digest") != digest(record):
        raise ResultsError(f"{path}: damaged or edited, its digest is of other content")
    return record
