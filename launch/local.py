r"""Runs the shards of a sweep as processes on this machine, a few at a time, and merges them.

    python -m launch.local --config=configs/sweep.py --jobs=2 --shards=8
    python -m launch.local status --config=configs/sweep.py
    python -m launch.local merge --config=configs/sweep.py --allow_partial

Each process has cores of its own, and no GPU. Given again, the command runs what is missing. One
process (`python -m gan1d.main`) uses all cores as well, and compiles each program once; shards are
for rehearsing what a cluster will do, and for losing one of them instead of all where processes get
killed.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from gan1d.commands import options, shell
from gan1d.config.experiment import ConfigError, Experiment
from gan1d.sweep.contents import look
from gan1d.sweep.locks import locked
from gan1d.sweep.shards import Shard
from gan1d.system import hardware, progress, signals
from gan1d.system.progress import Status
from launch import batch as batches
from launch import follow, states
from launch.batch import Batch, Submission

_JOBS = flags.DEFINE_integer("jobs", None, "Processes at a time; default one a core, at most 8.")
flags.adopt_module_key_flags(follow)

MOST_JOBS = 8  # by default: each takes half a gigabyte, and seconds of importing
POLL_SECONDS = 1.0


def main(argv: list[str]) -> int:
    """Do what is asked for; returns the exit code."""
    verb, rest = ("run", argv) if len(argv) == 1 else (argv[1], [argv[0], *argv[2:]])
    if verb not in VERBS:
        raise ConfigError([f"{verb}: give {', '.join(VERBS)}, or nothing, which is run"])
    follow.check_dry_run(verb, honoured=verb == "run")
    return VERBS[verb](*options.experiment_and_folder(rest))


def run(experiment: Experiment, folder: Path) -> int:
    """Run what is missing, and merge."""
    from gan1d.sweep.cohorts import Sweep  # here, as it needs JAX, and refusals need none

    if follow.is_merged(experiment, folder):
        return 0
    jobs = _JOBS.value or min(hardware.cores(), MOST_JOBS)
    if not 1 <= jobs <= hardware.cores():
        raise ConfigError([f"jobs={jobs}: give 1 to {hardware.cores()}, the cores of this machine"])
    contents, sweep = look(experiment, folder), Sweep(experiment)
    batch = batches.of_folder(contents, sweep)
    if batch is None:
        count = jobs if batches.SHARDS.value is None else batches.SHARDS.value
        batch = batches.new(contents, sweep, count, hardware.cores() // jobs, "cpu")
    if options.DRY_RUN.value:
        print(batch.described(list(range(batch.count))))
        return 0
    with locked(batch.state, batches.LAUNCHER):
        now = states.states(batch, {})
        missing = [each.shard for each in now if each.word not in _LEFT_ALONE]
        batch.submissions.append(Submission(None, missing))
        batch.save()
        print(f"{len(missing)} of {batch.count} shards, {jobs} at a time", file=sys.stderr)
        try:
            _Pool(batch, jobs).work(missing)
        except signals.Stopped:
            remedy = "To go on, give the same command again; finished blocks are kept."
            print(remedy, file=sys.stderr)
            raise
    now = states.states(batch, {})
    if any(state.word != states.DONE for state in now):
        print(states.table(batch, now))
        return 1
    if follow.is_merged(experiment, folder):
        return 0
    return follow.merge_batch(batch, sweep, folder)


VERBS = {"run": run, "status": follow.status, "merge": follow.merge}
_LEFT_ALONE = (states.DONE, states.RUNNING)


class _Pool:
    """Processes, each in a thread that is pinned to cores of its own, as its children then are."""

    def __init__(self, batch: Batch, jobs: int) -> None:
        """Share out the cores."""
        self._batch, self._processes = batch, dict[int, subprocess.Popen]()
        allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        each = len(allowed) // jobs
        self._cores = [allowed[i * each : (i + 1) * each] for i in range(jobs)]
        self._stopping = False

    def work(self, shards: Sequence[int]) -> None:
        """Run shards; a signal ends those that run, which keep their finished blocks.

        Raises:
          Stopped: a signal has ended them.
        """
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for shard in shards:
            self._log(shard).unlink(missing_ok=True)  # of an earlier try
            waiting.put(shard)
        slots = [threading.Thread(target=self._slot, args=(c, waiting)) for c in self._cores]
        sweep = self._batch.sweep
        steps, runs = sweep.experiment.schedule.steps, sweep.run_count
        report = progress.reporter(runs * steps)
        with signals.noted() as noted:
            for slot in slots:
                slot.start()
            try:
                while any(slot.is_alive() for slot in slots) and not noted:
                    done = sum(state.runs for state in states.states(self._batch, {}))
                    doing = f"{len(self._processes)} shards at work"
                    report(Status(done, runs, done * steps, runs * steps, None, doing))
                    time.sleep(POLL_SECONDS)
            finally:
                self._stop()
                for slot in slots:
                    slot.join()
                report.close()

    def _log(self, shard: int) -> Path:
        return Submission(None, [shard]).log(self._batch.logs, shard)

    def _slot(self, cores: list[int], waiting: "queue.SimpleQueue[int]") -> None:
        if cores:  # of this thread, and so of the processes that it starts
            os.sched_setaffinity(0, cores)
        while not self._stopping:
            try:
                shard = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self._run(shard)
            except (OSError, ConfigError) as error:  # the others may yet be run
                print(f"gan1d: shard {shard} can't be started: {error}", file=sys.stderr)

    def _run(self, shard: int) -> None:
        # Locked here as well, since the shard itself takes seconds until it does so.
        name = Shard(shard, self._batch.count).name
        with locked(self._batch.state, name), open(self._log(shard), "wb") as file:
            # A session of its own: Ctrl-C reaches this process, which passes it on.
            process = subprocess.Popen(
                self._batch.command(shard),
                env={"JAX_PLATFORMS": "cpu"} | os.environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._processes[shard] = process
            if self._stopping:
                process.terminate()
            process.wait()
            del self._processes[shard]

    def _stop(self) -> None:
        self._stopping = True
        for process in list(self._processes.values()):
            process.send_signal(signal.SIGTERM)


COMMAND = shell.Command(__name__, main, parse=options.parse)

if __name__ == "__main__":
    COMMAND.start()
