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
from gan1d.system import signals
from launch import batch, follow, states, worker
from launch.batch import Batch, Submission
from launch.states import Told

try:
    import submitit
    from submitit.core.utils import FailedJobError, FailedSubmissionError
except ImportError:
    sys.exit(
        "launch.slurm needs submitit: pip install 'gan1d[slurm]'; launch/shards.sbatch needs "
        "nothing but sbatch"
    )

_PARTITION = flags.DEFINE_string("partition", None, "Partition; default the cluster's.")
_TIME = flags.DEFINE_integer("time", 60, "Minutes that a job may take before it is requeued.", 4)
_MEM = flags.DEFINE_float("mem", 2.0, "Memory of a job in GiB.", 0.1)
_CPUS = flags.DEFINE_integer("cpus", 2, "Cores of a job.", 1)
_GPUS = flags.DEFINE_integer("gpus", 0, "GPUs of a job; with any, they train.", 0)
_PARALLEL = flags.DEFINE_integer("parallel", 64, "Jobs that may run at a time.", 1)
_SETUP = flags.DEFINE_multi_string("setup", [], "A shell line to run first, repeatable.")
_SBATCH = flags.DEFINE_multi_string(
    "sbatch", [], "Another option of sbatch, repeatable: account=NAME, constraint=avx512, ..."
)
flags.adopt_module_key_flags(follow)

ASKED = (_PARTITION, _TIME, _MEM, _CPUS, _GPUS, _PARALLEL, _SETUP, _SBATCH)
# Of the walltime, to finish the call that is under way and to requeue: that takes a few seconds.
# Slurm may send the signal up to a minute earlier still, but not before a job listens: hence 4.
SIGNAL_SECONDS = 60
# Requeuing is limited by `worker.BARREN_TRIES`. Submitit's own count takes each preemption of a job
# of ten minutes or less for a timeout.
REQUEUES = 10**6


def main(argv: list[str]) -> int:
    """Do what is asked for; returns the exit code."""
    if len(argv) < 2 or argv[1] not in VERBS:
        raise ConfigError([f"give one of {', '.join(VERBS)}; see --help"])
    follow.check_dry_run(argv[1], honoured=argv[1] in ("submit", "resubmit"))
    return VERBS[argv[1]](*options.declared([argv[0], *argv[2:]]))


def submit(declared: Experiment, folder: Path) -> int:
    """Submit all shards."""
    if follow.is_merged(declared, folder):
        return 0
    made = batch.begun(declared, folder)
    if made is not None and made.submissions:
        told = f"its {made.count} shards were started already; see status, and resubmit"
        raise ConfigError([f"workdir={folder}: {told}"])
    if batch.SHARDS.value is None:
        raise ConfigError(["shards: say how many jobs the sweep is cut into, --shards=8"])
    devices, platform = (_GPUS.value, "gpu") if _GPUS.value else (_CPUS.value, "cpu")
    made = batch.new(declared, folder, batch.SHARDS.value, devices, platform)
    made.resources = {flag.name: flag.value for flag in ASKED}
    return _submit(made, list(range(made.count)))


def resubmit(declared: Experiment, folder: Path) -> int:
    """Submit the shards that are neither finished nor under way."""
    if follow.is_merged(declared, folder):
        return 0
    made = follow.begun(declared, folder)
    given = {flag.name: flag.value for flag in ASKED if flag.present}
    made.resources = {flag.name: flag.value for flag in ASKED} | made.resources | given
    at_work = (states.DONE, states.RUNNING, states.WAITING)
    found = states.states(made, _told(made))
    missing = [each.shard for each in found if each.word not in at_work]
    if not missing:
        print(f"Nothing to resubmit: {states.summary(found)}")
        return 0
    return _submit(made, missing)


def cancel(declared: Experiment, folder: Path) -> int:
    """Cancel all jobs that run or wait; finished blocks stay."""
    made, said = follow.begun(declared, folder), _squeue()
    alive = {job for (job, _), told in said.items() if told.word in states.ACTIVE + states.COMING}
    jobs = [each.job for each in made.submissions if each.job in alive]
    if jobs:
        _call("scancel", *jobs)
    told = f"Cancelled {', '.join(jobs)}" if jobs else "No job runs or waits"
    print(f"{told}; finished blocks are kept in {folder}.")
    return 0


def _submit(made: Batch, missing: list[int]) -> int:
    """Submit some shards as an array."""
    if options.DRY_RUN.value:
        print(made.described(missing), "The script for sbatch:", _script(made, missing), sep="\n\n")
        return 0
    for tool in ("sbatch", "srun"):
        if shutil.which(tool) is None:
            raise ConfigError([f"slurm: there is no {tool} here; call this where Slurm is"])
    with contextlib.suppress(ConfigError), store.locked(made.folder):  # nobody is at work
        store.discard_empty(made.folder, None)  # what an earlier try has begun with
    # No signal comes between a job and its record.
    with store.locked(made.state, batch.LAUNCHER), signals.noted():
        made.save()  # makes the folder of logs
        executor = submitit.SlurmExecutor(made.logs.absolute(), max_num_timeout=REQUEUES)
        executor.update_parameters(**parameters(made))
        try:
            with executor.batch():
                jobs = [executor.submit(_work(made, shard)) for shard in missing]
        except (FailedJobError, FailedSubmissionError) as error:
            told = [f"sbatch: {line}" for line in str(error).splitlines()[:3]]
            raise ConfigError(told) from None
        job = jobs[0].job_id.partition("_")[0]
        made.submissions.append(Submission(job, missing))
        made.save()
    print(f"Submitted {len(missing)} of {made.count} shards as job {job}; logs: {made.logs}")
    return 0


def _work(made: Batch, shard: int) -> worker.Work:
    return worker.Work(made.command(shard), str(made.folder), made.parts[shard])


def parameters(made: Batch) -> dict[str, Any]:
    """What submitit is asked for, in Slurm's own words.

    Raises:
      ConfigError: an option of sbatch is none.
    """
    asked = made.resources
    more: dict[str, Any] = {"requeue": True}
    for option in asked["sbatch"]:
        name, equals, value = option.removeprefix("--").partition("=")
        if not name:
            raise ConfigError([f"sbatch={option}: give NAME=VALUE, for example account=physics"])
        more[name] = value if equals else True
    named = {
        "job_name": f"gan1d-{made.declared.name}",
        "partition": asked["partition"],
        "time": asked["time"],
        "mem": f"{round(asked['mem'] * 1024)}MB",
        "cpus_per_task": asked["cpus"],
        "gpus_per_node": asked["gpus"] or None,
        "array_parallelism": asked["parallel"],
        "signal_delay_s": SIGNAL_SECONDS,
        "stderr_to_stdout": True,
        # Since Slurm 22.05 a step does not inherit the cores of its job.
        "srun_args": [f"--cpus-per-task={asked['cpus']}"],
        # A node's GPUs are not always out of reach of a job that has asked for none.
        "setup": ["export JAX_PLATFORMS=cpu"] * (not asked["gpus"]) + asked["setup"],
        "additional_parameters": more,
    }
    return {name: value for name, value in named.items() if value is not None}


def _script(made: Batch, missing: list[int]) -> str:
    """The job script, as it would be submitted."""
    submit = f"{shlex.quote(sys.executable)} -u -m submitit.core._submit {made.logs.absolute()}"
    count = len(missing) if len(missing) > 1 else None
    return submitit.slurm.slurm._make_sbatch_string(
        command=submit, folder=made.logs.absolute(), map_count=count, **parameters(made)
    )


def _told(made: Batch) -> dict[int, Told]:
    """What Slurm says of each shard's last job; it forgets a job minutes after its end."""
    said, told = _squeue(), {}
    for submission in made.submissions:
        for index, shard in enumerate(submission.shards):
            task = str(index) if len(submission.shards) > 1 else "N/A"
            told[shard] = said.get((submission.job, task))
    return {shard: answer for shard, answer in told.items() if answer is not None}


def _squeue() -> dict[tuple[str, str], Told]:
    """What Slurm says of the user's jobs, by job and task."""
    found = {}
    lines = _call("squeue", "--me", "-r", "-h", "--states=all", "-o", "%F|%K|%T|%r").splitlines()
    for line in lines:
        job, task, word, reason = line.split("|", 3)
        found[job, task] = Told(word, "" if reason == "None" else reason)
    return found


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
    "status": functools.partial(follow.status, ask=_told),
    "resubmit": resubmit,
    "merge": functools.partial(follow.merge, ask=_told),
    "cancel": cancel,
}


def usage() -> str:
    """What the command's help says."""
    return __doc__ or ""


def start(argv: list[str] | None = None) -> None:
    """Run the command to its end."""
    shell.start(__name__, functools.partial(options.run, main), usage, argv, options.parse)


if __name__ == "__main__":
    start()
