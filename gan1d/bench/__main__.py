r"""Measures GAN updates a second of the engines and of their alternatives, on this processor.

    python -m gan1d.bench
    python -m gan1d.bench --workloads=aylien-2016,aylien-2017 --rounds=5
    python -m gan1d.bench --quick --workdir=results/bench-quick

Prints Markdown tables and leaves them in the folder --workdir, with every number in bench.json and
a figure. All contenders take turns, for a few rounds after one that warms up; a table has medians.
Numbers are of training, noise, judging and results at the length that a GAN's source trains it for,
without compilation and pretraining; but jit(vmap(scan)) and PyTorch, if that is installed, only
train. Compilation is measured once, and never taken from a cache.

It takes about seven minutes on 2 cores.
"""

import json
import sys
from pathlib import Path
from typing import NamedTuple

import jax
from absl import flags

from gan1d import results
from gan1d.bench import contenders, peak, report, workloads
from gan1d.bench.record import Record, Scaling, Throughput
from gan1d.bench.trial import Seconds, Trial
from gan1d.bench.workloads import WORKLOADS
from gan1d.commands import shell
from gan1d.engines import cost
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Blocks, Choices, Layout, choose
from gan1d.system import backend, hardware, switches

_RUNS = flags.DEFINE_integer("runs", 1024, "GANs trained at a time.", lower_bound=1)
_WORKLOADS = flags.DEFINE_list("workloads", list(WORKLOADS), "What to measure, by name.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Measurements of each contender.", lower_bound=1)
_QUICK = flags.DEFINE_bool(
    "quick", False, "Two updates of 64 GANs, once: only to see that everything works."
)
_WORKDIR = flags.DEFINE_string("workdir", "results/bench", "Folder for the results.")

SCALED = "aylien-2017"  # the workload whose time is taken against the number of runs


class Size(NamedTuple):
    """How much is measured."""

    rounds: int
    runs: int
    steps: int | None  # updates a measurement; None for what suits a workload
    scaled_runs: tuple[int, ...] = (64, 256, 1024, 4096, 16384, 65536)
    scaled_steps: int = 500


QUICK = Size(rounds=1, runs=64, steps=2, scaled_runs=(64, 256), scaled_steps=2)


@switches.pinned()
def main(argv: list[str]) -> int:
    """Measure, print and write; returns the exit code."""
    if len(argv) > 1:
        return shell.refuse(f"{argv[1]}: not a flag; see --help")
    unknown = [name for name in _WORKLOADS.value if name not in WORKLOADS]
    if unknown or not _WORKLOADS.value:
        return shell.refuse(f"workloads={','.join(unknown)}: there are {', '.join(WORKLOADS)}")
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_compilation_cache_dir", None)  # the user's own may be set
    backend.devices()
    size = QUICK if _QUICK.value else Size(_ROUNDS.value, _RUNS.value, None)
    record: Record = {
        "provenance": hardware.provenance(),
        "cores": hardware.cores(),
        "runs": size.runs,
        "rounds": size.rounds,
        "workloads": {name: throughput(name, size) for name in _WORKLOADS.value},
        "peak": peaks(size.rounds),
        "scaling": scaling(size),
    }
    folder = Path(_WORKDIR.value)
    write(record, folder)
    print(report.tables(record))
    print(f"\nWritten: bench.json, bench.md, bench.png in {folder}")
    return 0


def throughput(name: str, size: Size) -> Throughput:
    """One workload by all contenders, which take turns."""
    workload = WORKLOADS[name]
    trials: dict[str, Trial] = {}
    for contender, prepare in contenders.contenders().items():
        _progress(f"{name}: {contender}")
        trials[contender] = prepare(workload, size.runs, size.steps)
        trials[contender].measure()
    seconds: dict[str, list[Seconds]] = {contender: [] for contender in trials}
    for number in range(size.rounds):
        _progress(f"{name}: round {number + 1} of {size.rounds}")
        for contender, trial in trials.items():
            seconds[contender].append(trial.measure())
    return {
        "operations": cost.of_update(workloads.setting(workload)),
        "contenders": {
            contender: {
                "runs": trial.runs,
                "steps": trial.steps,
                "compile_seconds": trial.compile_seconds,
                "seconds": [measured._asdict() for measured in seconds[contender]],
                "updates_per_second": [
                    contenders.updates_per_second(workload, trial, measured)
                    for measured in seconds[contender]
                ],
            }
            for contender, trial in trials.items()
        },
    }


def peaks(rounds: int) -> dict[str, list[float]]:
    """Operations a second at best, by one thread and by one a core."""
    measures = {str(threads): peak.measurer(threads) for threads in {1, hardware.cores()}}
    measured: dict[str, list[float]] = {threads: [] for threads in measures}
    for _ in range(rounds):
        for threads, measure in measures.items():
            measured[threads].append(measure())
    return measured


def scaling(size: Size) -> Scaling:
    """Seconds of whole sweeps of so many runs, by the lanes engine."""
    sweeps = [
        workloads.part(WORKLOADS[SCALED], size.scaled_steps, count) for count in size.scaled_runs
    ]
    largest = choose(Sweep(sweeps[-1]), Choices(engine="lanes"))
    layouts = [
        Layout(Blocks(Sweep(each), largest.block_size), largest.devices, "lanes") for each in sweeps
    ]
    programs, _ = contenders.compiled(largest)
    contenders.swept(layouts[0], programs)
    seconds: dict[str, list[float]] = {str(count): [] for count in size.scaled_runs}
    for number in range(size.rounds):
        _progress(f"number of runs: round {number + 1} of {size.rounds}")
        for count, each in zip(size.scaled_runs, layouts, strict=True):
            seconds[str(count)].append(sum(contenders.swept(each, programs)))
    return {"workload": SCALED, "steps": size.scaled_steps, "seconds": seconds}


def write(record: Record, folder: Path) -> None:
    """Leave the record, its tables and its figure in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=2)
    results.replace(folder / "bench.json", lambda path: path.write_text(text))
    results.replace(folder / "bench.md", lambda path: path.write_text(report.tables(record) + "\n"))
    figure = report.draw(record)
    results.replace(folder / "bench.png", lambda path: figure.savefig(path, dpi=150, format="png"))


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _workloads_help() -> str:
    """Every workload in one line, for --help."""
    width = max(map(len, WORKLOADS))
    lines = [f"  {name:{width}}  {workload.title}" for name, workload in WORKLOADS.items()]
    return "\n".join(["Workloads:", *lines])


COMMAND = shell.Command(__name__, main, _workloads_help)

if __name__ == "__main__":
    COMMAND.start()
