"""Few runs of wide networks beside a plain loop: jit(scan), of one run after another.

    python -m gan1d.bench.wide
    python -m gan1d.bench.wide --runs=1,4 --networks=2x128 --rounds=5

Networks of DEPTHxWIDTH, in G and in D, with batches of 128. A line for each number of runs: the
milliseconds that an update of one run takes, training alone, as gan1d trains such a sweep by itself
and in the loop, medians of rounds in which both take turns; and what gan1d takes of the loop's.
"""

import re
import statistics
import sys

import jax
from absl import flags

from gan1d.bench import contenders, workloads
from gan1d.bench.workloads import Workload
from gan1d.commands import shell
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Choices, choose
from gan1d.system import backend, switches

_RUNS = flags.DEFINE_list("runs", ["1", "2", "4", "16", "128"], "How many runs, several numbers.")
_NETWORKS = flags.DEFINE_list("networks", ["2x128", "3x512"], "Their depths and widths.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Measurements of each.", lower_bound=1)

BATCH = 128
WEIGHTS = 2**23  # of all updates of all runs in a measurement: a few seconds
FEWEST_UPDATES = 2
COLUMNS = ("networks", "runs", "at a time", "gan1d, ms", "loop, ms", "gan1d / loop")


@switches.pinned()
def main(argv: list[str]) -> int:
    """Measure and print; returns the exit code."""
    if len(argv) > 1:
        return shell.refuse(f"{argv[1]}: not a flag; see --help")
    for network in _NETWORKS.value:
        if not re.fullmatch("[1-9][0-9]*x[1-9][0-9]*", network):
            return shell.refuse(f"networks={network}: give DEPTHxWIDTH, for example 2x128")
    for count in _RUNS.value:
        if not re.fullmatch("[1-9][0-9]*", count):
            return shell.refuse(f"runs={count}: give whole numbers, for example 1,4")
    jax.config.update("jax_platforms", "cpu")
    backend.devices()
    print(f"| {' | '.join(COLUMNS)} |\n|{' ---: |' * len(COLUMNS)}")
    for network in _NETWORKS.value:
        depth, width = map(int, network.split("x"))
        for runs in map(int, _RUNS.value):
            line = measured(depth, width, runs, _ROUNDS.value)
            print(f"| {network} | {runs} | {' | '.join(line)} |", flush=True)
    return 0


def measured(depth: int, width: int, runs: int, rounds: int) -> list[str]:
    """What is measured of so many runs, as text."""
    print(f"{depth}x{width}, {runs} runs", file=sys.stderr, flush=True)
    made = wide(depth, width)
    updates = WEIGHTS // width**2 // depth
    steps = max(FEWEST_UPDATES, updates // runs)
    where = choose(Sweep(workloads.part(made, steps, runs)), Choices())
    programs, _ = contenders.compiled(where)
    _, loop = contenders.jitted(workloads.setting(made), 1, updates)
    ours, theirs = [], []
    for _ in range(1 + rounds):  # the first one warms up
        ours.append(contenders.swept(where, programs).training / steps / runs)
        theirs.append(loop() / updates)
    sweep, plain = (1000 * statistics.median(seconds[1:]) for seconds in (ours, theirs))
    return [str(where.block_size), f"{sweep:.3g}", f"{plain:.3g}", f"{sweep / plain:.2f}"]


def wide(depth: int, width: int) -> Workload:
    """A GAN of such networks, with kernels that do not fade through them."""
    both: workloads.Fields = {
        f"{network}.{field}": value
        for network in ("generator", "discriminator")
        for field, value in {"hidden": (width,) * depth, "kernel_init": "he_normal"}.items()
    }
    fields = both | {"training.batch_size": BATCH, "steps": 2000, "judging.log_every": 2000}
    return Workload(f"{depth}x{width}", fields, FEWEST_UPDATES, FEWEST_UPDATES)


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
