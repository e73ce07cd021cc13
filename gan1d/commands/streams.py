"""Standard output and error that stop nothing, and show whatever text there is as text."""

import contextlib
from typing import TextIO

# A terminal obeys these, and results, names and paths may come from anywhere.
CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - {ord(each) for each in "\n\r\t"}
ESCAPED = {code: f"\\x{code:02x}" for code in CONTROLS}


class Stream:
    """A stream on which what can't be told is lost, and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        """Write to this one, with what its encoding has not written as an escape."""
        self._stream = stream
        self.error: OSError | None = None  # the first that there was
        with contextlib.suppress(AttributeError):  # some are no files
            stream.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]

    def write(self, text: str) -> int:
        """Write text, with control characters escaped."""
        if self.error is None:
            try:
                self._stream.write(text.translate(ESCAPED))
            except OSError as error:
                self.error = error
        return len(text)

    def flush(self) -> None:
        """Bring what was written to whoever reads."""
        if self.error is None:
            try:
                self._stream.flush()
            except OSError as error:
                self.error = error

    def __getattr__(self, name: str) -> object:
        """Everything else is the stream's own."""
        return getattr(self._stream, name)
