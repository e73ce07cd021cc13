r"""Runs the shards of a sweep as an array of Slurm jobs, and merges them.

    python -m launch.slurm submit --config=configs/sweep.py --shards=8 --partition=cpu \
        --time=60 --mem=2 --cpus=2 --parallel=4 --setup="module load python" --dry_run
    python -m launch.slurm status --config=configs/sweep.py
    python -m launch.slurm resubmit --config=configs/sweep.py --time=120
    python -m launch.slurm merge --config=configs/sweep.py
    python -m launch.slurm cancel --config=configs/sweep.py

Call it where the jobs will find this folder, the Python environment and the results folder under
the same paths. A job that is preempted, or reaches its time, keeps its finished blocks and is
requeued. `resubmit` asks for what the last submission asked for, but for the flags that are given.
A file with a flag a line, `--flagfile=cluster.flags`, saves typing.
"""

import contextlib
import functools
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import flags

from gan1d.commands import options, shell
from gan1d.config.experiment import ConfigError, Experiment
from gan1d.sweep import store
from gan1d.sweep.contents import look
from gan1d.sweep.locks import locked
from gan1d.system import signals

try:
    import submitit
    from submitit.core.utils import FailedJobError, FailedSubmissionError
    from submitit.slurm.slurm import _make_sbatch_string
except ImportError:
    sys.exit(
        "launch.slurm needs submitit: pip install 'gan1d[slurm]'; launch/shards.sbatch needs "
        "nothing but sbatch"
    )
from launch import batch as batches
from launch import follow, states, worker
from launch.batch import Batch, Resources, Submission
from launch.states import JobState

DEFAULTS = Resources()
_PARTITION = flags.DEFINE_string(
    "partition", DEFAULTS.partition, "Partition; default the cluster's."
)
_TIME = flags.DEFINE_integer(
    "time", DEFAULTS.time, "Minutes that a job may take before it is requeued.", 4
)
_MEM = flags.DEFINE_float("mem", DEFAULTS.mem, "Memory of a job in GiB.", 0.1)
_CPUS = flags.DEFINE_integer("cpus", DEFAULTS.cpus, "Cores of a job.", 1)
_GPUS = flags.DEFINE_integer("gpus", DEFAULTS.gpus, "GPUs of a job; with any, they train.", 0)
_PARALLEL = flags.DEFINE_integer("parallel", DEFAULTS.parallel, "Jobs that may run at a time.", 1)
_SETUP = flags.DEFINE_multi_string(
    "setup", DEFAULTS.setup, "A shell line to run first, repeatable."
)
_SBATCH = flags.DEFINE_multi_string(
    "sbatch",
    DEFAULTS.sbatch,
    "Another option of sbatch, repeatable: account=NAME, constraint=avx512, ...",
)
flags.adopt_module_key_flags(follow)

# Of the walltime, to finish the call that is under way and to requeue: that takes a few seconds.
# Slurm may send the signal up to a minute earlier still, but not before a job listens: hence 4.
SIGNAL_SECONDS = 60
# Requeuing is limited by `worker.BARREN_TRIES`. Submitit's own count takes each preemption of a job
# of ten minutes or less for a timeout.
REQUEUES = 10**6
ALIVE = states.ACTIVE + states.COMING


def main(argv: list[str]) -> int:
    """Do what is asked for; returns the exit code."""
    if len(argv) < 2 or argv[1] not in VERBS:
        raise ConfigError([f"give one of {', '.join(VERBS)}; see --help"])
    follow.check_dry_run(argv[1], honoured=argv[1] in ("submit", "resubmit"))
    return VERBS[argv[1]](*options.experiment_and_folder([argv[0], *argv[2:]]))


def submit(experiment: Experiment, folder: Path) -> int:
    """Submit all shards."""
    from gan1d.sweep.cohorts import Sweep  # here, as it needs JAX, and refusals need none

    if follow.is_merged(experiment, folder):
        return 0
    contents, sweep = look(experiment, folder), Sweep(experiment)
    batch = batches.of_folder(contents, sweep)
    if batch is not None and batch.submissions:
        remedy = f"its {batch.count} shards were started already; see status, and resubmit"
        raise ConfigError([f"workdir={folder}: {remedy}"])
    if batches.SHARDS.value is None:
        raise ConfigError(["shards: say how many jobs the sweep is cut into, --shards=8"])
    devices, platform = (_GPUS.value, "gpu") if _GPUS.value else (_CPUS.value, "cpu")
    batch = batches.new(contents, sweep, batches.SHARDS.value, devices, platform)
    batch.resources = _asked(DEFAULTS)
    return _submit(batch, list(range(batch.count)))


def resubmit(experiment: Experiment, folder: Path) -> int:
    """Submit the shards that are neither finished nor under way."""
    if follow.is_merged(experiment, folder):
        return 0
    batch = follow.started(experiment, folder)
    batch.resources = _asked(batch.resources)
    at_work = (states.DONE, states.RUNNING, states.WAITING)
    now = states.states(batch, _job_states(batch))
    missing = [each.shard for each in now if each.word not in at_work]
    if not missing:
        print(f"Nothing to resubmit: {states.summary(now)}")
        return 0
    return _submit(batch, missing)


def _asked(before: Resources) -> Resources:
    """What flags ask for; where one isn't given, what was asked for before."""
    return Resources(
        partition=_PARTITION.value if _PARTITION.present else before.partition,
        time=_TIME.value if _TIME.present else before.time,
        mem=_MEM.value if _MEM.present else before.mem,
        cpus=_CPUS.value if _CPUS.present else before.cpus,
        gpus=_GPUS.value if _GPUS.present else before.gpus,
        parallel=_PARALLEL.value if _PARALLEL.present else before.parallel,
        setup=_SETUP.value if _SETUP.present else before.setup,
        sbatch=_SBATCH.value if _SBATCH.present else before.sbatch,
    )


def cancel(experiment: Experiment, folder: Path) -> int:
    """Cancel all jobs that run or wait; finished blocks stay."""
    batch, queue = follow.started(experiment, folder), _squeue()
    alive = {job for (job, _), state in queue.items() if state.word in ALIVE}
    jobs = [each.job for each in batch.submissions if each.job is not None and each.job in alive]
    if jobs:
        _call("scancel", *jobs)
    done = f"Cancelled {', '.join(jobs)}" if jobs else "No job runs or waits"
    print(f"{done}; finished blocks are kept in {folder}.")
    return 0


def _submit(batch: Batch, missing: list[int]) -> int:
    """Submit some shards as an array."""
    if options.DRY_RUN.value:
        print(
            batch.described(missing), "The script for sbatch:", _script(batch, missing), sep="\n\n"
        )
        return 0
    for tool in ("sbatch", "srun"):
        if shutil.which(tool) is None:
            raise ConfigError([f"slurm: there is no {tool} here; call this where Slurm is"])
    with contextlib.suppress(ConfigError), locked(batch.folder):  # nobody is at work
        store.discard_barren(batch.folder)  # what an earlier try has begun with
    # No signal comes between a job and its record.
    with locked(batch.state, batches.LAUNCHER), signals.noted():
        batch.save()  # makes the folder of logs
        executor = submitit.SlurmExecutor(batch.logs.absolute(), max_num_timeout=REQUEUES)
        executor.update_parameters(**parameters(batch))
        try:
            with executor.batch():
                jobs = [executor.submit(_work(batch, shard)) for shard in missing]
        except (FailedJobError, FailedSubmissionError) as error:
            lines = str(error).splitlines()[:3]
            raise ConfigError([f"sbatch: {line}" for line in lines]) from None
        job = jobs[0].job_id.partition("_")[0]
        batch.submissions.append(Submission(job, missing))
        batch.save()
    print(f"Submitted {len(missing)} of {batch.count} shards as job {job}; logs: {batch.logs}")
    return 0


def _work(batch: Batch, shard: int) -> worker.Work:
    return worker.Work(batch.command(shard), str(batch.folder), batch.parts[shard])


def parameters(batch: Batch) -> dict[str, Any]:
    """What submitit is asked for, in Slurm's own words.

    Raises:
      ConfigError: an option of sbatch is none.
    """
    asked = batch.resources
    more: dict[str, Any] = {"requeue": True}
    for option in asked.sbatch:
        name, equals, value = option.removeprefix("--").partition("=")
        if not name:
            raise ConfigError([f"sbatch={option}: give NAME=VALUE, for example account=physics"])
        more[name] = value if equals else True
    named = {
        "job_name": f"gan1d-{batch.sweep.experiment.name}",
        "partition": asked.partition,
        "time": asked.time,
        "mem": f"{round(asked.mem * 1024)}MB",
        "cpus_per_task": asked.cpus,
        "gpus_per_node": asked.gpus or None,
        "array_parallelism": asked.parallel,
        "signal_delay_s": SIGNAL_SECONDS,
        "stderr_to_stdout": True,
        # Since Slurm 22.05 a step does not inherit the cores of its job.
        "srun_args": [f"--cpus-per-task={asked.cpus}"],
        # A node's GPUs are not always out of reach of a job that has asked for none.
        "setup": ["export JAX_PLATFORMS=cpu"] * (not asked.gpus) + asked.setup,
        "additional_parameters": more,
    }
    return {name: value for name, value in named.items() if value is not None}


def _script(batch: Batch, missing: list[int]) -> str:
    """The job script, as it would be submitted."""
    submit = f"{shlex.quote(sys.executable)} -u -m submitit.core._submit {batch.logs.absolute()}"
    count = len(missing) if len(missing) > 1 else None
    return _make_sbatch_string(
        command=submit, folder=batch.logs.absolute(), map_count=count, **parameters(batch)
    )


def _job_states(batch: Batch) -> dict[int, JobState]:
    """What Slurm says of each shard's last job; it forgets a job minutes after its end."""
    queue, latest = _squeue(), dict[int, JobState | None]()
    for submission in batch.submissions:
        for index, shard in enumerate(submission.shards):
            task = str(index) if len(submission.shards) > 1 else "N/A"
            latest[shard] = queue.get((submission.job, task))
    return {shard: state for shard, state in latest.items() if state is not None}


def _squeue() -> dict[tuple[str | None, str], JobState]:
    """What Slurm says of the user's jobs, by job and task."""
    queue: dict[tuple[str | None, str], JobState] = {}
    lines = _call("squeue", "--me", "-r", "-h", "--states=all", "-o", "%F|%K|%T|%r").splitlines()
    for line in lines:
        job, task, word, reason = line.split("|", 3)
        queue[job, task] = JobState(word, "" if reason == "None" else reason)
    return queue


def _call(*arguments: str) -> str:
    """What one of Slurm's commands prints.

    Raises:
      ConfigError: it isn't there, or fails.
    """
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise ConfigError(
            [f"slurm: there is no {arguments[0]} here; call this where Slurm is"]
        ) from None
    except subprocess.CalledProcessError as error:
        raise ConfigError([f"{arguments[0]}: {error.stderr.strip()}"]) from None
    return done.stdout


VERBS: dict[str, Callable[[Experiment, Path], int]] = {
    "submit": submit,
    "status": functools.partial(follow.status, ask=_job_states),
    "resubmit": resubmit,
    "merge": functools.partial(follow.merge, ask=_job_states),
    "cancel": cancel,
}


COMMAND = shell.Command(__name__, main, parse=options.parse)

if __name__ == "__main__":
    COMMAND.start()
