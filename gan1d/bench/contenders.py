"""Those that are measured: both engines, and jit(vmap(scan)) as everyone writes it."""

import importlib.util
import time
from collections.abc import Callable

import jax
import numpy as np

from gan1d import engines
from gan1d.bench import workloads
from gan1d.bench.trial import Seconds, Trial
from gan1d.bench.workloads import Workload
from gan1d.engines.programs import Programs
from gan1d.gan import randomness, train
from gan1d.gan.setting import Setting
from gan1d.sweep import loop
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Choices, Layout, choose
from gan1d.system import hardware

# (workload, runs, steps or None for what suits it) -> its trial
Contender = Callable[[Workload, int, int | None], Trial]


def updates_per_second(workload: Workload, trial: Trial, seconds: Seconds) -> float:
    """GAN updates a second at the length that the source trains for.

    A measurement is shorter, so each of its parts counts as often as it happens there: training by
    the update, judging by the log point, the rest once.
    """
    full = workloads.declared(workload)
    total = (
        seconds.training * full.schedule.steps / trial.steps
        + seconds.judging * len(full.log_steps()) / trial.log_points
        + seconds.rest
    )
    return trial.runs * full.schedule.steps / total


def plain(workload: Workload, runs: int, steps: int | None) -> Trial:
    """jit(vmap(scan)) with flax and optax; a batch is drawn in each update. Training only."""
    steps = steps or workload.other_steps
    compile_seconds, measure = jitted(workloads.setting(workload), runs, steps)
    return Trial(runs, steps, 1, compile_seconds, lambda: Seconds(measure()))


def jitted(setting: Setting, runs: int, steps: int) -> tuple[float, Callable[[], float]]:
    """Its seconds of compiling, and what measures those of training so many runs."""

    def one(seed):
        key = randomness.run_key(seed)

        def step(state, number):
            return train.update(setting, state, train.draw(setting, key, number))

        return jax.lax.scan(step, train.init(setting, key)[0], np.arange(steps))

    seeds = np.arange(runs, dtype=np.uint32)
    began = time.perf_counter()
    compiled = jax.jit(jax.vmap(one)).lower(seeds).compile()
    compile_seconds = time.perf_counter() - began

    def measure() -> float:
        began = time.perf_counter()
        jax.block_until_ready(compiled(seeds))
        return time.perf_counter() - began

    return compile_seconds, measure


def engine(name: str, devices: int | None = None) -> Contender:
    """One of the engines, with all that a sweep does: noise, judging, results."""

    def prepare(workload: Workload, runs: int, steps: int | None) -> Trial:
        usual = workload.lanes_steps if name == "lanes" else workload.other_steps
        steps = steps or usual
        declared = workloads.part(workload, steps, runs)
        where = choose(Sweep(declared), Choices(devices, engine=name))
        programs, compile_seconds = compiled(where)
        logged = len(declared.log_steps())
        return Trial(runs, steps, logged, compile_seconds, lambda: swept(where, programs))

    return prepare


def compiled(where: Layout) -> tuple[Programs, float]:
    """The programs of a sweep of one cohort, and how long it took to compile them."""
    (cohort,) = where.sweep.cohorts
    began = time.perf_counter()
    schedule = where.sweep.experiment.schedule
    _, programs = engines.compile_programs(
        where.engine, cohort.example(), schedule, where.block_size, where.devices
    )
    return programs, time.perf_counter() - began


def swept(where: Layout, programs: Programs) -> Seconds:
    """How long a sweep takes whose programs are compiled already."""
    # A sweep compiles anew each time, which would take most of the bench's time.
    result = loop.run(where, compile=lambda *_: (where.engine, programs))
    seconds = result.trained.seconds
    training, judging = (seconds[part] for part in ("training", "judging"))
    rest = seconds["total"] - training - judging
    return Seconds(training, judging, rest)


def contenders() -> dict[str, Contender]:
    """All of them; the one that others are compared with comes first."""
    cores = hardware.cores()
    found: dict[str, Contender] = {
        "jit(vmap(scan))": plain,
        "xla": engine("xla"),
        "lanes, 1 thread": engine("lanes", 1),
    }
    if cores > 1:
        found[f"lanes, {cores} threads"] = engine("lanes")
    if importlib.util.find_spec("torch"):
        from gan1d.bench import pytorch

        found |= {"PyTorch loop": pytorch.loop, "torch.func.vmap": pytorch.vmapped}
    return found
