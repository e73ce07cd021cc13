"""How far shards are: told by their blocks, locks and logs, and by a scheduler if there is one."""

import collections
from pathlib import Path
from typing import NamedTuple

from gan1d.results import blocks
from gan1d.sweep import locks
from gan1d.sweep.shards import Shard
from launch.batch import LAUNCHER, Batch

TAIL_LINES = 5  # of a failed shard's log

# In the order of how far they are.
DONE, RUNNING, WAITING = "done", "running", "waiting"
FAILED, CANCELLED, MISSING = "failed", "cancelled", "missing"
WORDS = (DONE, RUNNING, WAITING, FAILED, CANCELLED, MISSING)

# Slurm's words for jobs that are under way, and for those that will be.
ACTIVE = ("RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING", "SUSPENDED", "STOPPED")
COMING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD")


class JobState(NamedTuple):
    """What a scheduler says of a job."""

    word: str
    reason: str = ""


class State(NamedTuple):
    """How far a shard is."""

    shard: int
    word: str
    blocks: int  # that are finished
    of_blocks: int
    runs: int  # that are finished
    of_runs: int
    detail: str
    log: Path | None


def states(batch: Batch, jobs: dict[int, JobState]) -> list[State]:
    """The state of every shard; `jobs` is what the scheduler says of each, as far as it knows.

    Blocks count as finished by their names. They are verified when they are merged, and when their
    shard is started again.
    """
    there = blocks.listed(batch.folder).keys()
    launcher = locks.holder(batch.state, LAUNCHER)
    latest = batch.submissions[-1].shards if batch.submissions else []
    logs = {i: each.log(batch.logs, i) for each in batch.submissions for i in each.shards}
    states = []
    for shard, numbers in enumerate(batch.parts):
        ours = [number for number in numbers if number in there]
        runs = sum(batch.blocks.runs_of(range(number, number + 1)) for number in ours)
        log = logs.get(shard)
        log = log if log is not None and log.exists() else None
        name = Shard(shard, batch.count).name
        holder = locks.holder(batch.folder, name) or locks.holder(batch.state, name)
        finished = len(ours) == len(numbers)
        queued = launcher if shard in latest else None
        word, detail = _judged(finished, jobs.get(shard), holder, log, queued, shard in logs)
        sizes = len(ours), len(numbers), runs, batch.runs(shard)
        states.append(State(shard, word, *sizes, detail, log))
    return states


def _judged(
    finished: bool,
    job: JobState | None,
    holder: str | None,
    log: Path | None,
    queued: str | None,
    started: bool,
) -> tuple[str, str]:
    """A shard's state in a word, and what else is to be said of it.

    Args:
      finished: whether all of its blocks are there.
      job: what the scheduler says.
      holder: the process that is at work on it.
      log: what it has printed, in its last try.
      queued: the process that will start it, or has.
      started: whether it ever was to be.
    """
    said = "" if job is None else " ".join(filter(None, job))
    if finished:
        return DONE, ""
    if job is not None and job.word in COMING:
        return WAITING, f"{said}, after a first try" if log else said
    if holder is not None:
        return RUNNING, holder
    if job is not None and job.word in ACTIVE:
        return RUNNING, said
    if job is not None and job.word == "CANCELLED":
        return CANCELLED, said
    if log is not None:
        return FAILED, said
    if queued is not None:
        return WAITING, f"for {queued}"
    return MISSING, said or ("left without a trace" if started else "never started")


def table(batch: Batch, states: list[State]) -> str:
    """States as a table, with what failed shards printed last."""
    lines = [f"{'shard':>9}  {'state':9}  {'blocks':>11}  {'runs':>15}  "]
    for state in states:
        lines.append(
            f"{Shard(state.shard, batch.count)!s:>9}  {state.word:9}  "
            f"{f'{state.blocks}/{state.of_blocks}':>11}  {f'{state.runs}/{state.of_runs}':>15}  "
            f"{state.detail}"
        )
    for state in states:
        if state.word in (FAILED, CANCELLED) and state.log is not None:
            lines += ["", f"{Shard(state.shard, batch.count)} ended with ({state.log}):"]
            lines += [f"    {line}" for line in tail(state.log)]
    return "\n".join([*(line.rstrip() for line in lines), "", summary(states)])


def summary(states: list[State]) -> str:
    """States in one line."""
    counts = collections.Counter(state.word for state in states)
    words = ", ".join(f"{counts[word]} {word}" for word in WORDS if counts[word])
    runs, of_runs = sum(state.runs for state in states), sum(state.of_runs for state in states)
    return f"{len(states)} shards: {words}; {runs} of {of_runs} runs are finished"


def tail(log: Path) -> list[str]:
    """The last lines of a log that say something."""
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - 2**14))
        lines = file.read().decode(errors="replace").splitlines()
    return [line for line in lines if line.strip()][-TAIL_LINES:]
