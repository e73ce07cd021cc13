"""A sweep that is killed, at any moment, goes on as if nothing had been."""

import contextlib
import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from helpers import assert_same_bits, run_main

from gan1d import results
from gan1d.results import blocks, files

KILLS = int(os.environ.get("GAN1D_KILLS", 8))
LIMIT_SECONDS = 120
BLOCK = 8
SWEEP = [
    "--config=long.py",
    f"--block_size={BLOCK}",
    "--devices=2",
    "--nofigures",
]
CONFIG = """
from gan1d.config.experiment import default_config

def get_config():
    config = default_config()
    config.generator.hidden = (2,)
    config.discriminator.hidden = (2,)
    config.steps = 4000
    config.seeds = "0:1000"
    return config
"""
# Imports once, then forks a process for each line that it reads: most of a start is imports.
FORKS = """
import json, os, sys
from gan1d.commands import options, shell
from gan1d import main
from gan1d.sweep import loop

train = loop._train_block

def noted(training, block, room):
    with open(os.environ["BEGUN"], "a") as file:
        file.write(f"{os.getpid()} {block.seed_index[0]}\\n")
    return train(training, block, room)

loop._train_block = noted
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        sys.argv = ["main", *json.loads(line)]
        os._exit(shell.run(main.main, options.parse(sys.argv)))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forks:
    """Runs the command line in a folder, again and again."""

    def __init__(self, place):
        self.place = place
        self.begun = place / "begun.txt"
        self.begun.touch()
        with open(place / "output.txt", "w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", FORKS],
                cwd=place,
                env=os.environ | {"BEGUN": str(self.begun)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        self.output = place / "output.txt"

        self.numbers = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            # What a child prints, tables above all, goes the same way.
            if line.strip().lstrip("-").isdigit():
                self.numbers.put(int(line))

    def start(self, *arguments):
        self.process.stdin.write(json.dumps([*SWEEP, *arguments]) + "\n")
        self.process.stdin.flush()
        return self._number()

    def exit_code(self):
        return self._number()

    def _number(self):
        try:
            return self.numbers.get(timeout=LIMIT_SECONDS)
        except queue.Empty:
            raise AssertionError(f"nothing for {LIMIT_SECONDS} s: {self._said()}") from None

    def wait_for_blocks(self, count):
        """Wait until so many blocks have been begun by the process that was started last."""
        end = time.monotonic() + LIMIT_SECONDS
        while self.begun.read_text().count("\n") < count:
            assert self.numbers.empty(), f"it ended with {self.numbers.get()}: {self._said()}"
            assert self.process.poll() is None, f"no process to fork: {self._said()}"
            assert time.monotonic() < end, f"no block in {LIMIT_SECONDS} s: {self._said()}"
            time.sleep(0.001)

    def _said(self):
        return self.output.read_text()[-2000:]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # and what it has forked
            self.process.stdout.close()


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    place = tmp_path_factory.mktemp("forks")
    (place / "long.py").write_text(CONFIG)
    made = Forks(place)
    yield made
    made.close()


@pytest.fixture
def forks(process):
    process.begun.write_text("")
    return process


def test_a_sweep_killed_at_random_moments_gives_the_same_bits(forks):
    """And trains no block twice but those that were in flight."""
    forks.start("--workdir=whole")
    assert forks.exit_code() == 0, forks.output.read_text()
    whole = results.load(forks.place / "whole")
    total = whole.sizes["seed"] // BLOCK
    assert forks.begun.read_text().count("\n") == total
    forks.begun.write_text("")

    moments, startup = random.Random(0), None
    folder, finished, progress = forks.place / "killed", set(), []
    for _ in range(KILLS):
        before = forks.begun.read_text().count("\n")
        began, child = time.monotonic(), forks.start("--workdir=killed")
        if startup is None or moments.random() < 0.4:  # while it trains, and writes blocks
            ahead = moments.randint(1, total // (2 * KILLS))
            forks.wait_for_blocks(before + ahead)
            startup = startup or time.monotonic() - began
            time.sleep(moments.uniform(0, 0.03))
        else:  # before that, in most cases
            time.sleep(moments.uniform(0, startup))
        os.kill(child, signal.SIGKILL)
        assert forks.exit_code() == -signal.SIGKILL, "the sweep ended before it was killed"
        anew = forks.begun.read_text().splitlines()[before:]
        assert not {int(line.split()[1]) // BLOCK for line in anew} & finished
        finished = set(blocks.listed(folder))
        progress.append(len(finished))
    assert progress == sorted(progress) and len(set(progress)) > 1 and progress[-1] < total
    forks.start("--workdir=killed")
    assert forks.exit_code() == 0, forks.output.read_text()
    assert_same_bits(results.load(folder), whole)
    ours, theirs = (results.load_snapshots(path) for path in (folder, forks.place / "whole"))
    assert_same_bits(ours, theirs)
    begun = forks.begun.read_text().splitlines()
    assert total <= len(begun) <= total + KILLS
    assert not list(folder.glob("blocks")) and not list(folder.glob(".*"))
    record = files.read_json(folder / "config.json")
    assert record["complete"] is True


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_finished_blocks_and_says_how_to_go_on(forks, number, code):
    workdir = f"--workdir=stopped-{code}"
    child = forks.start(workdir)
    forks.wait_for_blocks(5)
    os.kill(child, number)
    assert forks.exit_code() == code
    folder, errors = forks.place / f"stopped-{code}", forks.output.read_text()
    finished = len(blocks.listed(folder))
    begun = forks.begun.read_text().count("\n")
    assert 4 <= finished <= begun <= finished + 1  # nothing new was begun
    assert f"Stopped; {finished * BLOCK} of 1000 runs are kept" in errors
    assert "To go on from there: python" in errors and "Traceback" not in errors
    assert not (folder / "runs.nc").exists()
    forks.start(workdir, "--partial")
    assert forks.exit_code() == 0
    assert (results.load(folder).finished == 1).sum() == finished * BLOCK


def test_two_processes_can_not_share_a_folder(forks, monkeypatch, capfd):
    first = forks.start("--workdir=shared")
    forks.wait_for_blocks(1)
    monkeypatch.chdir(forks.place)
    assert run_main(*SWEEP, "--workdir=shared") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"gan1d: workdir=shared: process {first} on")
    os.kill(first, signal.SIGKILL)
    assert forks.exit_code() == -signal.SIGKILL
