"""What all commands share: what is told, to whom, and what becomes of what can't be told."""

import io
import os
import signal
import subprocess
import sys

import pytest

from gan1d.commands import shell, streams
from gan1d.results import WriteError

# A command of lines on standard output and, in the end, a file, as a sweep leaves its results.
COMMAND = """
import pathlib, sys
from gan1d.commands import shell

def main(argv):
    for i in range(9999):
        print(i)
        print(i, file=sys.stderr)
    pathlib.Path(argv[1]).touch()
    return 0

shell.Command(__name__, main).start()
"""


@pytest.mark.parametrize("stdout, code", [("pipe", 128 + signal.SIGPIPE), ("/dev/full", 1)])
def test_output_that_nobody_takes_stops_nothing(stdout, code, tmp_path):
    """Not what a command does, that is: its exit code tells."""
    if stdout == "pipe":
        read, write = os.pipe()
        os.close(read)
    else:
        write = os.open(stdout, os.O_WRONLY)
    command = [sys.executable, "-c", COMMAND, str(tmp_path / "done")]
    done = subprocess.run(command, stdout=write, stderr=write if code != 1 else subprocess.PIPE)
    os.close(write)
    assert done.returncode == code and (tmp_path / "done").exists()
    assert b"Traceback" not in (done.stderr or b"")
    assert code != 1 or b"what was printed is lost (No space left" in done.stderr


def test_names_reach_a_terminal_as_text_in_any_encoding():
    """Neither as commands to it, nor as an error where it has no such letters."""
    content = io.BytesIO()
    stream = streams.Stream(io.TextIOWrapper(content, encoding="ascii"))
    print("\x1b[31m\x9b1m ü \udcff\tplain", file=stream)
    stream.flush()
    assert content.getvalue() == rb"\x1b[31m\x9b1m \xfc \udcff" + b"\tplain\n"


@pytest.mark.parametrize(
    "error, code, words",
    [
        (WriteError("figures: can't be written"), 1, "gan1d: figures: can't be written\n"),
        (MemoryError("of code"), 1, "gan1d: out of memory (of code)"),
        (KeyboardInterrupt(), 130, "gan1d: interrupted\n"),
    ],
)
def test_what_machines_do_is_a_line_and_an_exit_code_in_every_command(error, code, words, capsys):
    def main(_):
        raise error

    before = signal.getsignal(signal.SIGTERM)
    assert shell.run(main, []) == code
    signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err.startswith(words)


INTERRUPTED = """
import concurrent.futures, time
from gan1d.commands import shell

def main(argv):
    concurrent.futures.ThreadPoolExecutor().submit(time.sleep, 3600)
    raise KeyboardInterrupt

shell.Command(__name__, main).start()
"""


def test_an_interrupted_command_does_not_wait_for_threads_that_compile():
    """Python does when it ends: a large program of XLA's kept a process for 42 s."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, timeout=120)
    assert done.returncode == 130 and done.stderr == b"gan1d: interrupted\n"


def test_commands_go_together_in_one_process():
    """But bench, which has a --workdir of its own: absl refuses a flag that is defined twice."""
    code = "import importlib; from gan1d.__main__ import COMMANDS; COMMANDS.pop('bench'); "
    code += "[importlib.import_module(each) for each in COMMANDS.values()]"
    subprocess.run([sys.executable, "-c", code], check=True)
