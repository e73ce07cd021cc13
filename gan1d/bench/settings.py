"""What the settings of a sweep cost: to compile, and an update of theirs beside one of the first.

    python -m gan1d.bench.settings --config=configs/tricks.py:ring

A line a setting, but for those that share the program of one before: seconds to compile it for
lanes, nanoseconds of an update of one of 128 GANs on all cores, and how many updates of the first
setting that is; with --plain also how many times as long jit(vmap(scan)) takes. Settings take
turns; medians of rounds. Each is by itself: in a sweep those of a cohort share all of its work.
"""

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from absl import flags

from gan1d import engines
from gan1d.bench import contenders
from gan1d.commands import options, shell
from gan1d.config.fields import ConfigError
from gan1d.config.schedule import Schedule
from gan1d.engines.programs import Span
from gan1d.gan.setting import Setting
from gan1d.report.tables import markdown
from gan1d.sweep import cohorts
from gan1d.system import backend

_ROUNDS = flags.DEFINE_integer("rounds", 3, "Measurements of each setting.", lower_bound=1)
_UPDATES = flags.DEFINE_integer("updates", 100, "Updates in a measurement.", lower_bound=1)
_PLAIN = flags.DEFINE_bool("plain", False, "Measure jit(vmap(scan)) as well: it compiles slowly.")

RUNS = 128  # trained at a time


class Cost(NamedTuple):
    """What is measured of a setting."""

    label: str
    compile_seconds: float
    measure: Callable[[], float]  # seconds
    plain: Callable[[], float] | None


def main(argv: list[str]) -> int:
    """Measure and print; returns the exit code."""
    try:
        experiment, _ = options.experiment_and_folder(argv)
    except ConfigError as error:
        return shell.refuse(str(error))
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_compilation_cache_dir", None)
    backend.devices()
    alone: dict[object, tuple[str, Setting]] = {}
    for label, setting in zip(experiment.labels, experiment.settings, strict=True):
        (cohort,) = cohorts.group((setting,))
        alone.setdefault(cohort.structure, (label, cohort.example()))
    costs = [_prepared(label, setting, experiment.schedule) for label, setting in alone.values()]
    seconds = np.array([[each.measure() for each in costs] for _ in range(_ROUNDS.value)])
    typical = np.median(seconds, axis=0)
    relative = np.median(seconds / seconds[:, :1], axis=0)
    rows = []
    for each, took, times in zip(costs, typical, relative, strict=True):
        row = {
            "setting": each.label,
            "compile s": f"{each.compile_seconds:.1f}",
            "ns/update": f"{1e9 * took / (RUNS * _UPDATES.value):,.0f}",
            "of the first": f"{times:.2f}",
        }
        if each.plain is not None:
            slower = np.median([each.plain() / each.measure() for _ in range(_ROUNDS.value)])
            row["jit(vmap(scan))"] = f"{slower:.1f}x"
        rows.append(row)
    print(markdown(rows))
    return 0


def _prepared(label: str, setting: Setting, schedule: Schedule) -> Cost:
    """A setting compiled, and trained once."""
    print(label, file=sys.stderr, flush=True)
    updates = _UPDATES.value
    began = time.perf_counter()
    _, programs = engines.compile_programs("lanes", setting, schedule, RUNS, backend.devices())
    compile_seconds = time.perf_counter() - began
    settings = jax.tree.map(lambda value: np.full(RUNS, value, np.float32), setting)
    seeds = np.arange(RUNS, dtype=np.uint32)
    start = programs.start(settings, seeds, 0)
    block = programs.advance(start.block, [Span(0, updates)], False).block
    number = updates

    def measure() -> float:
        nonlocal block, number
        began = time.perf_counter()
        block = programs.advance(block, [Span(number, updates)], False).block
        took = time.perf_counter() - began
        number += updates
        return took

    plain = contenders.jitted(setting, RUNS, updates)[1] if _PLAIN.value else None
    if plain is not None:
        plain()
    return Cost(label, compile_seconds, measure, plain)


COMMAND = shell.Command(__name__, main, parse=options.parse)

if __name__ == "__main__":
    COMMAND.start()
