"""Native code that was compiled before, kept in JAX's compilation cache where that is enabled.

It saves time only, so that whatever goes wrong is as if there were none.
"""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

import jax
from absl import logging

from gan1d.system import private

DIGEST_BYTES = hashlib.sha256().digest_size


def get(name: str) -> bytes | None:
    """What was kept under this name; None where there is nothing that can be trusted."""
    if (folder := _folder()) is None:
        return None
    try:
        private.check(folder.stat(), folder)
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW)
        with open(descriptor, "rb") as file:
            private.check(os.fstat(descriptor), folder / name)
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        _say(error)
        return None
    digest, kept = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    return kept if hashlib.sha256(kept).digest() == digest else None


def put(name: str, content: bytes) -> None:
    """Keep something under a name."""
    if (folder := _folder()) is None:
        return
    with contextlib.ExitStack() as left:
        try:
            private.check(folder.stat(), folder)
            # Renamed once whole: other processes may be reading, or writing the same.
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
                left.callback(Path(file.name).unlink, missing_ok=True)
                file.write(hashlib.sha256(content).digest() + content)
            os.replace(file.name, folder / name)
        except OSError as error:
            _say(error)


def _folder() -> Path | None:
    folder = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    return Path(folder) if folder and Path(folder).is_dir() else None


def _say(error: OSError) -> None:
    message = "Native code is compiled anew, as the compilation cache can't be used: %s"
    logging.log_first_n(logging.WARNING, message, 1, error)
