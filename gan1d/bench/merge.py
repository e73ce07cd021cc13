"""What merging costs: a sweep's shards, made up instead of trained, are put together for real.

    python -m gan1d.bench.merge --shards=10,1000 --runs=128000

A line for each number of shards that the same runs are cut into: how many files they leave, the
bytes a run takes in them and in runs.nc, and the time and peak memory of the process that merges.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags

from gan1d.commands import shell
from gan1d.config import experiment
from gan1d.results import blocks
from gan1d.results.blocks import Finished
from gan1d.sweep import store
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.contents import look
from gan1d.sweep.layout import Choices, Layout, choose
from gan1d.sweep.provenance import Training
from gan1d.system import hardware

_SHARDS = flags.DEFINE_list("shards", ["10", "100", "1000"], "How many shards, several numbers.")
_RUNS = flags.DEFINE_integer("runs", 128_000, "Runs of the sweep.", lower_bound=1000)

MERGE = """
import pathlib, sys
from gan1d.sweep import api
from gan1d.sweep.cohorts import Sweep
from gan1d.config import experiment
api.merge(Sweep(experiment.resolve({"seeds": sys.argv[2]})), pathlib.Path(sys.argv[1]), kinds=())
"""
COLUMNS = ("shards", "runs", "files", "bytes/run", "in runs.nc", "merged in s", "peak MiB")


def main(argv: list[str]) -> int:
    """Measure and print; returns the exit code."""
    del argv
    print(f"| {' | '.join(COLUMNS)} |\n|{' ---: |' * len(COLUMNS)}")
    for count in map(int, _SHARDS.value):
        with tempfile.TemporaryDirectory() as place:
            print(f"| {' | '.join(measured(Path(place), count, _RUNS.value))} |", flush=True)
    return 0


def measured(folder: Path, count: int, runs: int) -> list[str]:
    """One line of the table."""
    seeds = f"0:{runs}"
    layout = choose(Sweep(experiment.resolve({"seeds": seeds})), Choices(devices=1, shards=count))
    for shard in layout.blocks.cut(count):
        pretend(layout, folder, shard)
    files = [path for paths in blocks.listed(folder).values() for path in paths]
    stored = sum(path.stat().st_size for path in files)
    began = time.monotonic()
    merging = [sys.executable, "-c", MERGE, str(folder), seeds]
    process = subprocess.Popen(merging, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"merging failed with the status {status}")
    took, peak = time.monotonic() - began, usage.ru_maxrss / 1024
    merged = (folder / "runs.nc").stat().st_size
    numbers = count, runs, len(files), stored // runs, merged // runs, round(took), round(peak)
    return [f"{number:,}" for number in numbers]


def pretend(layout: Layout, folder: Path, numbers: range) -> None:
    """Leave a shard's blocks as if they had been trained, of random numbers that don't compress."""
    there = look(layout.sweep.experiment, folder)
    finished = store.opened_in_part(there, layout.identity, layout.blocks.count, numbers)
    training = Training("none", layout.block_size, {"training": 1.0}, hardware.machine("cpu"))
    rng = np.random.default_rng(numbers.start)
    (cohort,) = layout.blocks.by_cohort
    for number in numbers:
        room = layout.blocks.room(cohort.block(number))
        for array in room.values():
            if array.dtype == np.float32:
                array[:] = rng.random(array.shape, np.float32)
        room["finished"][:] = 1
        finished.add(number, Finished(room, training.plain()))


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
