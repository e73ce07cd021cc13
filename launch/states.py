"""How far shards are: told by their blocks, locks and logs, and by a scheduler if there is one."""

import collections
from pathlib import Path
from typing import NamedTuple

from gan1d.results import blocks
from gan1d.sweep import layout, store
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


class Told(NamedTuple):
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


def states(batch: Batch, told: dict[int, Told]) -> list[State]:
    """The state of every shard; `told` is what the scheduler says of each, as far as it knows.

    Blocks count as finished by their names. They are verified when they are merged, and when their
    shard is started again.
    """
    there = blocks.listed(batch.folder).keys()
    launcher = store.holder(batch.state, LAUNCHER)
    latest = batch.submissions[-1].shards if batch.submissions else []
    logs = {i: each.log(batch.logs, i) for each in batch.submissions for i in each.shards}
    found = []
    for shard, numbers in enumerate(batch.parts):
        ours = [number for number in numbers if number in there]
        runs = sum(_runs(batch, number) for number in ours)
        log = logs.get(shard)
        log = log if log is not None and log.exists() else None
        name = Shard(shard, batch.count).name
        holder = store.holder(batch.folder, name) or store.holder(batch.state, name)
        finished = len(ours) == len(numbers)
        queued = launcher if shard in latest else None
        word, detail = _judged(finished, told.get(shard), holder, log, queued, shard in logs)
        sizes = len(ours), len(numbers), runs, batch.runs(shard)
        found.append(State(shard, word, *sizes, detail, log))
    return found


def _runs(batch: Batch, number: int) -> int:
    return layout.runs_of(batch.declared, batch.block_size, range(number, number + 1))


def _judged(
    finished: bool,
    told: Told | None,
    holder: str | None,
    log: Path | None,
    queued: str | None,
    started: bool,
) -> tuple[str, str]:
    """A shard's state in a word, and what else is to be said of it.

    Args:
      finished: whether all of its blocks are there.
      told: what the scheduler says.
      holder: the process that is at work on it.
      log: what it has printed, in its last try.
      queued: the process that will start it, or has.
      started: whether it ever was to be.
    """
    said = "" if told is None else " ".join(filter(None, told))
    if finished:
        return DONE, ""
    if told is not None and told.word in COMING:
        return WAITING, f"{said}, after a first try" if log else said
    if holder is not None:
        return RUNNING, holder
    if told is not None and told.word in ACTIVE:
        return RUNNING, said
    if told is not None and told.word == "CANCELLED":
        return CANCELLED, said
    if log is not None:
        return FAILED, said
    if queued is not None:
        return WAITING, f"for {queued}"
    return MISSING, said or ("left without a trace" if started else "never started")


def table(batch: Batch, found: list[State]) -> str:
    """States as a table, with what failed shards printed last."""
    lines = [f"{'shard':>9}  {'state':9}  {'blocks':>11}  {'runs':>15}  "]
    for state in found:
        lines.append(
            f"{Shard(state.shard, batch.count)!s:>9}  {state.word:9}  "
            f"{f'{state.blocks}/{state.of_blocks}':>11}  {f'{state.runs}/{state.of_runs}':>15}  "
            f"{state.detail}"
        )
    for state in found:
        if state.word in (FAILED, CANCELLED) and state.log is not None:
            lines += ["", f"{Shard(state.shard, batch.count)} ended with ({state.log}):"]
            lines += [f"    {line}" for line in tail(state.log)]
    return "\n".join([*(line.rstrip() for line in lines), "", summary(found)])


def summary(found: list[State]) -> str:
    """States in one line."""
    counts = collections.Counter(state.word for state in found)
    told = ", ".join(f"{counts[word]} {word}" for word in WORDS if counts[word])
    runs, of_runs = sum(state.runs for state in found), sum(state.of_runs for state in found)
    return f"{len(found)} shards: {told}; {runs} of {of_runs} runs are finished"


def tail(log: Path) -> list[str]:
    """The last lines of a log that say something."""
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - 2**14))
        lines = file.read().decode(errors="replace").splitlines()
    return [line for line in lines if line.strip()][-TAIL_LINES:]
