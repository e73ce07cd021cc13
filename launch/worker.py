"""What a Slurm job runs: one shard as a process of its own, stopped and requeued in time.

Submitit pickles a `Work` and calls it in the job. Its signal handlers are Python's, which wait for
native code to return: so they live in this process, which only waits, and the GANs in another.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from submitit import JobEnvironment
from submitit.helpers import DelayedSubmission

from gan1d.results import blocks

POLL_SECONDS = 0.2
# Tries in a row that may end, by preemption or walltime, without a single finished block.
BARREN_TRIES = 3


class Work:
    """A shard's command, to be called in a job, any number of times."""

    def __init__(self, command: list[str], folder: str, numbers: range, barren: int = 0) -> None:
        """Keep what to run; nothing is started.

        Args:
          command: trains the shard.
          folder: the results folder, where its blocks appear.
          numbers: of these blocks.
          barren: tries so far that have come to nothing, one after the other.
        """
        self._command, self._folder, self._numbers = command, folder, numbers
        self._barren = barren
        self._before, self._terminated = 0, False
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        """Train the shard; exits with its code if that isn't 0."""
        self._before = self._finished()
        # Submitit would ignore it, and a cancelled job be killed in the middle of a block.
        signal.signal(signal.SIGTERM, self._stop)
        # Slurm signals all processes of a job. This signal is for submitit's handler alone.
        own = getattr(signal, f"SIG{JobEnvironment.USR_SIG}")
        self._process = subprocess.Popen(
            self._command, preexec_fn=lambda: signal.signal(own, signal.SIG_IGN)
        )
        # No wait(): it holds a lock that a signal handler could not get at.
        while self._process.poll() is None:
            time.sleep(POLL_SECONDS)
        if self._process.returncode and self._terminated and _is_running():
            # Preempted with a time of grace, in which Slurm requeues nothing that ends by itself.
            signal.raise_signal(own)
        if self._process.returncode:
            # No exception: its traceback would hide what the shard has printed last.
            sys.exit(self._process.returncode)

    def checkpoint(self) -> DelayedSubmission:
        """Stop the shard, which keeps its finished blocks, and say what to requeue.

        Exits, which lets the job fail, if there is no hope.
        """
        self._pass_on(signal.SIGTERM)
        # Not there any more: this has interrupted the poll that has just seen it end.
        with contextlib.suppress(ChildProcessError):
            if self._process is not None and self._process.returncode is None:
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        barren = self._barren + 1 if self._finished() == self._before else 0
        if barren >= BARREN_TRIES:
            print(
                f"gan1d: stopped {barren} times before a single block was finished; ask for more "
                "time, or give a smaller block_size",
                file=sys.stderr,
            )
            sys.exit(1)  # no exception either
        return DelayedSubmission(Work(self._command, self._folder, self._numbers, barren))

    def _finished(self) -> int:
        return len(blocks.listed(Path(self._folder), self._numbers))

    def _stop(self, number: int, _: object) -> None:
        self._terminated = True
        self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._process is not None and self._process.returncode is None:
                os.kill(self._process.pid, number)


def _is_running() -> bool:
    """Whether Slurm means this job to go on: it is neither cancelled nor requeued already."""
    if os.environ.get("SUBMITIT_EXECUTOR") != "slurm":
        return False
    # By array and task: the number of an array's last task is also that of the whole array.
    asked = ["squeue", "-h", f"--jobs={JobEnvironment().job_id}", "--format=%T"]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"gan1d: can't ask Slurm about this job ({error})", file=sys.stderr)
        return False
    return answer.stdout.strip() == "RUNNING"
