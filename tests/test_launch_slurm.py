"""The main job as an array of a real Slurm's jobs: failing, cancelled, preempted; and merged."""

import contextlib
import functools
import os
import re
import subprocess
import time
from pathlib import Path

import jax
import pytest
import slurm
from helpers import assert_same_bits, config_of, run_command, run_main

import launch.slurm
from gan1d import results
from gan1d.config import experiment
from gan1d.results import blocks
from gan1d.sweep import locks
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Blocks

ROOT = Path(__file__).parents[1]
# Longer than the main job is: shards have to be at work still when Slurm gets round to them.
SWEEP = ["--config=configs/sweep.py", "--config.steps=10000", "--nofigures"]
ENDLESS = ["--config=configs/sweep.py", "--config.steps=200000", "--nofigures"]
ASKED = ["--block_size=32", "--cpus=1", "--mem=0.5", "--parallel=2", "--time=4"]

reason = slurm.unavailable()
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(reason is not None, reason=f"no Slurm can be started: {reason}"),
]


class Cluster:
    """A cluster of two cores, and a sweep on it."""

    def __init__(self, folder, sweep, shards, capfd):
        self.folder, self.shards = folder, shards
        self._sweep, self._capfd = sweep, capfd

    def launch(self, verb, *arguments, code=0):
        """What a command prints, in this process."""
        self._capfd.readouterr()
        own = [*self._sweep, f"--workdir={self.folder}", *arguments]
        found = run_command(launch.slurm.main, verb, *own)
        told = "".join(self._capfd.readouterr())
        assert found == code, told
        return told

    def states(self):
        """The state in a word of each shard, and what else is said of it."""
        line = r"^ +(\d)/\d  (\w+) +\d+/\d+ +\d+/\d+ *(.*)$"
        told = re.findall(line, self.launch("status"), re.MULTILINE)
        return {int(shard): (word, detail) for shard, word, detail in told}

    def tasks(self, *words):
        """The tasks of which Slurm says one of these; it forgets those it has not begun with."""
        told = ["--partition=low", "--states=all", "--format=%K %T"]
        lines = call("squeue", "--array", "--noheader", *told).splitlines()
        return {int(task) for task, word in map(str.split, lines) if word in words}

    def begun(self):
        """The tasks that have printed something."""
        logs = (self.folder / "launch" / "logs").glob("*_log.out")
        return {int(path.name.split("_")[1]) for path in logs}

    def at_work(self):
        """The tasks that train, with blocks left to be finished; not shard 3, which can not."""
        there = blocks.listed(self.folder).keys()
        names = {i: f"{i}-of-{self.shards}" for i in range(self.shards)}
        held = {i for i, name in names.items() if locks.holder(self.folder, name)}
        left = {i for i in held if not there >= set(self.blocks_of(i))}
        return left & self.tasks("RUNNING") - {3}

    def blocks_of(self, shard):
        """The numbers of a shard's blocks."""
        return main_job().cut(self.shards)[shard]

    def wait(self, condition, seconds=180):
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, self.launch("status")
            time.sleep(0.1)
        return found


@functools.cache
def main_job():
    """Its blocks, whatever its updates."""
    return Blocks(Sweep(experiment.resolve(config_of("sweep"), "sweep")), 32)


def call(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextlib.contextmanager
def started(place, sweep, shards, capfd, **options):
    """A cluster whose commands are called as users call them."""
    with slurm.cluster(place / "slurm", **options) as env, pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        # As the main job is run: with all that compiles as it does for users, here and in jobs.
        for name, value in (env | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "0"}).items():
            patch.setenv(name, value)
        before = jax.config.values["jax_disable_most_optimizations"]
        jax.config.update("jax_disable_most_optimizations", False)
        try:
            yield Cluster(place / "sweep", sweep, shards, capfd)
        finally:
            jax.config.update("jax_disable_most_optimizations", before)


def test_a_time_of_grace_is_used_and_all_can_be_cancelled(tmp_path, capfd):
    """Slurm requeues no job that ends within its grace: the shard has to ask for that."""
    with started(tmp_path, ENDLESS, 2, capfd, grace=3600) as cluster:
        cluster.launch("submit", "--shards=2", *ASKED)
        cluster.wait(lambda: len(cluster.at_work()) == 2)
        call("sbatch", "--partition=high", "--output=/dev/null", "--wrap=sleep 60")
        (preempted,) = cluster.wait(lambda: cluster.tasks("PENDING") & cluster.begun())
        assert cluster.states()[preempted][0] == "waiting"
        assert "finished blocks are kept in" in cluster.launch("cancel")
        cluster.wait(lambda: cluster.tasks("CANCELLED") == {0, 1})
        assert [word for word, _ in cluster.states().values()] == ["cancelled"] * 2


@pytest.fixture
def cluster(tmp_path, capfd):
    with started(tmp_path, SWEEP, 8, capfd) as made:
        yield made


def test_an_array_of_the_main_job_survives_what_clusters_do(cluster, tmp_path):
    dry = cluster.launch("submit", "--shards=8", *ASKED, "--dry_run")
    assert not cluster.folder.exists()
    with locks.locked(cluster.folder, "3-of-8"):  # so shard 3 will be refused
        told = cluster.launch("submit", "--shards=8", *ASKED)
        job = re.search(r"as job (\d+)", told)[1]
        scripts = list((cluster.folder / "launch" / "logs").glob("[0-9]*.sh"))
        assert len(scripts) == 1 and scripts[0].read_text() in dry
        assert "its 8 shards were started already" in cluster.launch(
            "submit", "--shards=8", *ASKED, code=2
        )

        # Cancelled before it begins.
        call("scancel", f"{job}_7")

        # Preempted: a job of higher priority takes a core from one of two, once it has a block.
        cluster.wait(lambda: len(cluster.at_work()) == 2 and blocks.listed(cluster.folder))
        # Also what runs the jobs: srun waits for messages.
        assert slurm.addresses(os.environ) == {"127.0.0.1"}
        words = [word for word, _ in cluster.states().values()]
        assert words == ["running"] * 2 + ["waiting"] * 5 + ["missing"]
        call("sbatch", "--partition=high", "--output=/dev/null", "--wrap=sleep 5")
        (preempted,) = cluster.wait(lambda: cluster.tasks("PENDING") & cluster.begun())
        word, detail = cluster.states()[preempted]
        assert word == "waiting" and detail.endswith("after a first try")
        kept = set(blocks.listed(cluster.folder))
        assert kept

        # Out of time: the signal that Slurm sends a minute before that.
        late = cluster.wait(lambda: cluster.at_work() - {preempted}).pop()
        # It would send the signal again, to the job that was requeued meanwhile.
        with subprocess.Popen(["scancel", "--signal=USR2", f"{job}_{late}"]) as scancel:
            cluster.wait(lambda: late in cluster.tasks("PENDING"))
            scancel.kill()
        assert cluster.states()[late][0] == "waiting"

        # Cancelled while it runs.
        victim = cluster.wait(lambda: cluster.at_work() - {preempted, late}).pop()
        call("scancel", f"{job}_{victim}")
        cluster.wait(lambda: victim in cluster.tasks("CANCELLED"))
        assert cluster.states()[victim] == ("cancelled", "CANCELLED")
        cluster.wait(lambda: not cluster.tasks("RUNNING", "PENDING", "COMPLETING"))
    ended = cluster.states()
    lost = {3, victim, 7}
    assert {shard for shard, (word, _) in ended.items() if word != "done"} == lost
    assert ended[3] == ("failed", "FAILED NonZeroExitCode")
    assert ended[victim][0] == "cancelled" and ended[7] == ("missing", "left without a trace")
    told = cluster.launch("status")
    assert f"gan1d: workdir={cluster.folder}: process {os.getpid()} on" in told
    assert "5 done, 1 failed, 1 cancelled, 1 missing" in told
    assert kept <= set(blocks.listed(cluster.folder))  # also what was preempted meanwhile
    if kept & set(cluster.blocks_of(preempted)):
        log = cluster.folder / "launch" / "logs" / f"{job}_{preempted}_0_log.out"
        assert "runs are there already" in log.read_text()
    told = cluster.launch("merge", code=2)
    assert re.search(r"\d+ of 48 blocks are not finished", told)
    assert "5 done, 1 failed, 1 cancelled, 1 missing" in told

    told = cluster.launch("resubmit")
    assert f"Submitted {len(lost)} of 8 shards" in told
    cluster.wait(lambda: {word for word, _ in cluster.states().values()} == {"done"})
    assert "Nothing to resubmit" in cluster.launch("resubmit")
    cluster.launch("merge")
    assert "of this sweep, of all its shards" in cluster.launch("status")

    whole = tmp_path / "whole"
    assert run_main(*SWEEP, f"--workdir={whole}") == 0
    for load in (results.load, results.load_snapshots):
        assert_same_bits(load(cluster.folder), load(whole))
