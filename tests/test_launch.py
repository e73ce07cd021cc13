"""Shards started, followed and merged on this machine; what Slurm would be asked for."""

import itertools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from helpers import assert_same_bits, run_command, run_main

from gan1d import results
from gan1d.commands import options
from gan1d.config import experiment
from gan1d.config.experiment import ConfigError
from gan1d.results import blocks
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.contents import look
from gan1d.sweep.locks import holder
from launch import batch, local, slurm, states, worker
from launch.batch import Batch, Submission
from launch.states import JobState

ROOT = Path(__file__).parents[1]
CONFIG = """
from gan1d.config.experiment import default_config

def get_config(variant="tanh"):
    config = default_config()
    config.generator.hidden = (2,)
    config.generator.activation = variant
    config.discriminator.hidden = (2,)
    config.steps = 4000
    config.seeds = "0:400"
    config.sweep = ("target.loc=0,4",)
    return config
"""
SHARDS = ["--config=many.py", "--workdir=cut", "--nofigures"]
CUT = ["--shards=2", "--block_size=16", "--jobs=2"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a config; and two cores, whatever the machine has."""
    (tmp_path / "many.py").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("processes side by side need two cores")
    os.sched_setaffinity(0, sorted(allowed)[:2])
    yield tmp_path
    os.sched_setaffinity(0, allowed)


def wait_for(condition, process=None):
    end = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < end, "it took too long"
        assert process is None or process.poll() is None, "it ended early"
        time.sleep(0.01)
    return found


def is_pending(pid, number):
    """Whether a signal waits for a process that is held still."""
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(re.search(r"ShdPnd:\s+(\w+)", status)[1], 16) >> (number - 1) & 1)


def words_of(output):
    """The state of every shard in a table, by the shard."""
    return dict(re.findall(r"^ +(\d+/\d+)  (\w+)", output, re.MULTILINE))


def test_shards_that_are_killed_or_stopped_are_told_and_completed(place, capfd):
    process = subprocess.Popen(
        [sys.executable, "-m", "launch.local", *SHARDS, *CUT], stderr=subprocess.PIPE, text=True
    )
    cut = place / "cut"

    def pid(shard):
        """The process of a shard that has been begun."""
        said = wait_for(lambda: holder(cut, f"{shard}-of-2"), process)
        return int(re.match(r"process (\d+) on", said)[1])

    # Held still while they are looked at, so that neither ends meanwhile.
    at_work = []
    for shard in (0, 1):
        at_work.append(pid(shard))
        os.kill(at_work[-1], signal.SIGSTOP)
    for each in at_work:
        os.kill(each, signal.SIGCONT)
    wait_for(lambda: len(blocks.listed(cut)) > 1, process)
    for each in at_work:
        os.kill(each, signal.SIGSTOP)
    assert run_command(local.main, "status", *SHARDS) == 0
    assert words_of(capfd.readouterr().out) == {"0/2": "running", "1/2": "running"}
    # What is at work is left alone, and nothing is made of the half.
    assert run_command(local.main, "merge", *SHARDS) == 2
    assert "blocks are not finished" in capfd.readouterr().err
    assert run_command(local.main, *SHARDS, *CUT) == 2
    assert f"process {process.pid} on" in capfd.readouterr().err
    os.kill(at_work[0], signal.SIGKILL)
    wait_for(lambda: not holder(cut, "0-of-2"))
    process.terminate()
    wait_for(lambda: is_pending(at_work[1], signal.SIGTERM))  # the launcher has passed it on
    os.kill(at_work[1], signal.SIGCONT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert "To go on, give the same command again" in errors and "Traceback" not in errors

    finished = blocks.listed(cut)
    assert run_command(local.main, "status", *SHARDS) == 0
    told = capfd.readouterr().out
    assert words_of(told) == {"0/2": "failed", "1/2": "failed"}
    assert "1/2 ended with (cut/launch/logs/shard-1.log):" in told
    assert "gan1d: interrupted" in told
    assert run_command(local.main, "merge", *SHARDS) == 2
    assert re.search(r"cut: \d+ of 50 blocks are not finished", capfd.readouterr().err)
    assert run_command(local.main, "merge", *SHARDS, "--allow_partial") == 0
    partial = results.load(cut)
    assert (partial.finished == 1).sum() == 16 * len(finished)
    assert results.load_record(cut)["complete"] is False

    assert run_command(local.main, *SHARDS, *CUT) == 0
    assert run_main("--config=many.py", "--workdir=whole", "--nofigures", "--devices=2") == 0
    assert_same_bits(results.load(cut), results.load(place / "whole"))
    for load in (results.load, results.load_snapshots):
        assert_same_bits(load(cut), load(place / "whole"))
    assert not list(cut.glob(".*")) and not (cut / "blocks").exists()
    capfd.readouterr()
    for verb in ("status", "merge", "run"):
        assert run_command(local.main, verb, *SHARDS) == 0
        assert "holds the results of" in capfd.readouterr().out


def test_a_process_has_its_cores_for_itself(place, monkeypatch):
    """It and what it starts; and no more are at work than were asked for."""
    made = Batch(Sweep(experiment.resolve({"seeds": "0:64"})), place, 4, 16, 1, False, [])
    made.save()
    code = "import os, time; print(sorted(os.sched_getaffinity(0)), time.time()); time.sleep(.3)"
    code += "; print(time.time())"
    monkeypatch.setattr(Batch, "command", lambda *_: [sys.executable, "-c", code])
    allowed = sorted(os.sched_getaffinity(0))[:2]
    local._Pool(made, 2).work(range(4))
    spans = []
    for shard in range(4):
        told = Submission(None, [shard]).log(made.logs, shard).read_text().splitlines()
        cores, _, began = told[0].rpartition(" ")
        spans.append((cores, float(began), float(told[1])))
    assert {cores for cores, _, _ in spans} == {f"[{core}]" for core in allowed}
    for core in allowed:
        of_core = sorted(span[1:] for span in spans if span[0] == f"[{core}]")
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(of_core))
    assert sorted(os.sched_getaffinity(0))[:2] == allowed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["go"], "go: give run, status, merge, or nothing"),
        (["status"], "workdir=cut: no shards were started here"),
        (["merge"], "cut: no finished blocks here"),
        (["--jobs=99"], "jobs=99: give 1 to"),
        (["--shards=0"], "shards=0: give at least 1"),
        (["--shards=999999"], "shards=999999: there are only 50 blocks of up to 16 runs"),
        (["--block_size=3", "--jobs=1"], "block_size=3: give a multiple of"),
        (["--config.steps=0"], "steps=0"),
        (["merge", "--dry_run"], "dry_run: merge has none"),
    ],
)
def test_what_makes_no_sense_is_a_line_and_leaves_nothing(place, capfd, arguments, words):
    assert run_command(local.main, *arguments, *SHARDS) == 2
    errors = capfd.readouterr().err.splitlines()
    assert len(errors) == 1 and words in errors[0]
    left = {path.name for path in place.rglob("*")} - {"__pycache__"}
    assert {name for name in left if not name.endswith(".pyc")} <= {"many.py", "cut"}


# What is kept of a batch.


def of(place, **changes):
    """A batch of four shards."""
    sweep = Sweep(experiment.resolve({"seeds": "0:64"}, "some"))
    given = {"count": 4, "block_size": 16, "devices": 2, "mixed": False} | changes
    return Batch(sweep, place, **given, arguments=["--config=a b.py", "--engine=auto"])


def found_in(folder, sweep):
    return batch.of_folder(look(sweep.experiment, folder), sweep)


def test_a_batch_is_kept_and_found_again(tmp_path):
    made = of(tmp_path, mixed=True)
    made.submissions.append(Submission("7", [0, 2]))
    made.save()
    assert found_in(tmp_path, made.sweep) == made
    other = Sweep(experiment.resolve({"seeds": "0:64", "steps": 9}))
    with pytest.raises(ConfigError, match=r"shards are of another sweep \(steps=5000 there, 9 now"):
        found_in(tmp_path, other)
    record = tmp_path / "launch" / "launch.json"
    record.write_text(record.read_text().replace('"shards": 4', '"shards": 5'))
    with pytest.raises(results.ResultsError, match="damaged or edited"):
        found_in(tmp_path, made.sweep)


def test_flags_other_than_those_of_the_start_are_refused(place, capfd):
    of(place / "cut").save()
    asked = ["--shards=3", "--block_size=32", "--mixed", "--engine=xla"]
    sweep = Sweep(experiment.resolve({"seeds": "0:64"}, "some"))

    def find(argv):
        options.experiment_and_folder(argv)
        return int(found_in(place / "cut", sweep) is None)

    assert run_command(find, *SHARDS, "--shards=4", "--engine=auto") == 0
    assert run_command(find, *SHARDS, *asked) == 2
    errors = capfd.readouterr().err.splitlines()
    names = ("shards=3", "block_size=32", "mixed=True", "engine=xla")
    for line, name in zip(errors, names, strict=True):
        assert line.startswith(f"gan1d: {name}: these shards were started with")


def test_shards_go_on_from_what_one_process_has_begun(place, capfd):
    """In its blocks, whatever would have suited them."""
    own = ["--config=many.py", "--workdir=cut", "--nofigures", "--seeds=0:40"]
    assert run_main(*own, "--block_size=10", "--devices=2", "--shard=0/3") == 0
    assert run_command(local.main, *own, "--jobs=1", "--shards=2", "--dry_run") == 0
    told = capfd.readouterr().out
    assert "in blocks of 10 runs" in told and "--devices=2" in told
    assert not (place / "cut" / "launch").exists()
    changed = ["--config.steps=9", "--jobs=1"]
    assert run_command(local.main, *own, *changed) == 2
    assert "workdir=cut: it holds blocks of another sweep" in capfd.readouterr().err


def test_a_shard_is_told_all_that_declares_the_sweep(place):
    """Whatever was overridden in whatever way."""
    given = [
        "--config=many.py:relu",
        "--config.target.kind=mixture",
        "--config.target.weights=(1.0,2.5)",
        "--config.generator.optimizer.rate=1e-05",
        "--config.training.sort=True",
        "--config.discriminator.hidden=(3,)",
        "--seeds=3:5,9",
        "--sweep=tricks.input_noise=0,0.1 tricks.instance_noise=0.1,0",
        "--sweep=target.loc=1,2",
        "--engine=xla",
    ]
    found = []

    def keep(argv):
        found.append((options.experiment_and_folder(argv)[0].config(), options.arguments()))
        return 0

    assert run_command(keep, *given) == 0
    assert run_command(keep, *found[0][1]) == 0
    assert found[0] == found[1]
    assert found[0][0]["seeds"] == "3:5,9" and found[0][0]["target"]["weights"] == [1.0, 2.5]


# What is said of shards.

LOG = Path("a.log")


@pytest.mark.parametrize(
    ("finished", "told", "holder", "log", "queued", "started", "word", "detail"),
    [
        (True, JobState("FAILED"), None, LOG, None, True, "done", ""),
        (False, None, None, None, None, False, "missing", "never started"),
        (False, None, None, None, None, True, "missing", "left without a trace"),
        (False, None, None, LOG, None, True, "failed", ""),
        (False, None, "process 1", LOG, None, True, "running", "process 1"),
        (
            False,
            JobState("PENDING", "Priority"),
            None,
            None,
            None,
            True,
            "waiting",
            "PENDING Priority",
        ),
        (
            False,
            JobState("PENDING"),
            "process 1",
            LOG,
            None,
            True,
            "waiting",
            "PENDING, after a first try",
        ),
        (False, JobState("RUNNING"), None, None, None, True, "running", "RUNNING"),
        (False, JobState("COMPLETING"), None, LOG, None, True, "running", "COMPLETING"),
        (False, JobState("CANCELLED"), None, LOG, None, True, "cancelled", "CANCELLED"),
        (
            False,
            JobState("TIMEOUT", "TimeLimit"),
            None,
            LOG,
            None,
            True,
            "failed",
            "TIMEOUT TimeLimit",
        ),
        (False, JobState("NODE_FAIL"), None, None, None, True, "missing", "NODE_FAIL"),
        (False, JobState("COMPLETED"), None, LOG, None, True, "failed", "COMPLETED"),
        (False, None, None, None, "process 2", True, "waiting", "for process 2"),
        (False, None, None, LOG, "process 2", True, "failed", ""),
    ],
)
def test_a_shard_is_what_its_blocks_the_scheduler_its_lock_and_its_log_say(
    finished, told, holder, log, queued, started, word, detail
):
    assert states._judged(finished, told, holder, log, queued, started) == (word, detail)


def test_the_end_of_a_log_is_shown(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * 10**6 + b"\n\none\n\xff two \n\n")
    assert states.tail(log)[-2:] == ["one", "\ufffd two "]
    log.write_text("\n".join(map(str, range(100))))
    assert states.tail(log) == ["95", "96", "97", "98", "99"]


# What Slurm is asked for.


def test_a_dry_run_shows_shards_and_script_without_slurm(place, capfd, monkeypatch):
    monkeypatch.setenv("PATH", "")
    given = ["--partition=gpu", "--time=90", "--mem=1.5", "--gpus=2", "--cpus=8", "--parallel=3"]
    given += ["--setup=module load cuda", "--setup=export A='b c'", "--sbatch=account=physics"]
    asked = ["submit", *SHARDS, "--shards=4", "--dry_run", "--sbatch=--exclusive", *given]
    assert run_command(slurm.main, *asked) == 0
    told = capfd.readouterr().out
    assert "3/4: " in told and "--shard=0/4" in told and "--devices=2" in told
    for line in (
        "--partition=gpu",
        "--time=90",
        "--mem=1536MB",
        "--gpus-per-node=2",
        "--cpus-per-task=8",
        "--array=0-3%3",
        "--account=physics",
        "--exclusive",
        "--requeue",
        "--signal=USR2@60",
    ):
        assert f"#SBATCH {line}\n" in told
    assert "\nmodule load cuda\nexport A='b c'\n" in told
    assert "srun --unbuffered" in told and "--cpus-per-task=8 " in told
    assert not (place / "cut").exists()
    assert run_command(slurm.main, "submit", *SHARDS, "--shards=4") == 2
    assert "there is no sbatch here" in capfd.readouterr().err
    assert run_command(slurm.main, "submit", *SHARDS) == 2
    assert "shards: say how many jobs" in capfd.readouterr().err
    assert run_command(slurm.main, "status", *SHARDS) == 2
    assert "no shards were started here" in capfd.readouterr().err


def test_work_that_comes_to_nothing_is_not_requeued_for_ever(tmp_path, capfd):
    """Three times in a row; a finished block makes up for all before it."""
    work = worker.Work(["sleep", "60"], str(tmp_path), range(4))
    for _ in range(worker.BARREN_TRIES - 1):
        work = work.checkpoint().function
    blocks.write(tmp_path, "plan", 2, blocks.Finished({}, {}))
    work = work.checkpoint().function
    work._before = 1
    for _ in range(worker.BARREN_TRIES - 1):
        work = work.checkpoint().function
        work._before = 1
    with pytest.raises(SystemExit) as stopped:  # which submitit lets pass, without a traceback
        work.checkpoint()
    assert stopped.value.code == 1
    assert capfd.readouterr().err.endswith("ask for more time, or give a smaller block_size\n")


@pytest.mark.parametrize(
    ("told", "running"),
    [("RUNNING", True), ("COMPLETING", False), ("PENDING", False), ("RUNNING\nRUNNING", False)],
)
def test_slurm_is_asked_about_one_task_of_the_array(tmp_path, monkeypatch, told, running):
    """By array and task: the number of the last task is also that of the array."""
    asked = tmp_path / "asked"
    (tmp_path / "squeue").write_text(f'#!/bin/sh\necho "$@" > {asked}\nprintf "{told}\\n"\n')
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name, value in {"JOB_ID": "12", "ARRAY_JOB_ID": "12", "ARRAY_TASK_ID": "7"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    assert worker._is_running() is running
    assert "--jobs=12_7" in asked.read_text()
    (tmp_path / "squeue").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert worker._is_running() is False


@pytest.mark.parametrize(
    ("number", "job", "ends", "expected", "said"),
    [
        (signal.SIGUSR2, "", 143, 7, "checkpointed\n"),
        (signal.SIGTERM, "", 143, 143, ""),
        # Preempted with a time of grace: only what is not finished has to come back.
        (signal.SIGTERM, "RUNNING", 143, 7, "checkpointed\n"),
        (signal.SIGTERM, "RUNNING", 0, 0, ""),
    ],
)
def test_work_stops_its_shard_and_waits_for_it(tmp_path, number, job, ends, expected, said):
    """A checkpoint interrupts the wait for the shard, as a signal handler does."""
    code = (
        "import signal, sys, time\n"
        f"def stop(*_):\n    time.sleep(0.5); open('stopped', 'w').close(); sys.exit({ends})\n"
        "signal.signal(signal.SIGTERM, stop)\nopen('ready', 'w').close()\ntime.sleep(60)\n"
    )
    script = (
        "import signal, sys\nfrom launch.worker import Work\n"
        "work = Work([sys.executable, '-c', sys.argv[1]], '.', range(1))\n"
        "def handler(*_):\n    work.checkpoint(); print('checkpointed', flush=True); sys.exit(7)\n"
        "signal.signal(signal.SIGUSR2, handler)\nwork()\n"
    )
    (tmp_path / "squeue").write_text(f"#!/bin/sh\necho {job}\n")
    (tmp_path / "squeue").chmod(0o755)
    env = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SLURM_JOB_ID": "12",
        "SUBMITIT_EXECUTOR": "slurm" if job else "",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", script, code],
        cwd=tmp_path,
        env=os.environ | env,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for((tmp_path / "ready").exists, process)
    process.send_signal(number)
    assert process.communicate(timeout=30) == (said, None)
    assert process.returncode == expected
    assert (tmp_path / "stopped").exists()


# What needs no Python to be launched.


def test_the_kubernetes_job_has_an_index_for_every_shard():
    job = yaml.safe_load((ROOT / "launch" / "kubernetes.yaml").read_text())
    assert job["spec"]["completionMode"] == "Indexed"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (line,) = container["args"]
    assert line.endswith(f"--shard=$JOB_COMPLETION_INDEX/{job['spec']['completions']}")
    assert "\n" not in line.strip()
    cores = container["resources"]["limits"]["cpu"]
    assert f"--devices={cores} " in line


def test_the_template_for_sbatch_passes_flags_and_signals_on(tmp_path):
    """With stand-ins for Python and scontrol, which write down how they are called."""
    for name, text in {
        "python": 'trap "echo ended >> calls; exit 143" TERM\n'
        'printf "%s\\n" "$@" > calls\nwhile :; do sleep 0.1; done\n',
        "scontrol": 'echo "scontrol $*" >> calls\n',
        "squeue": "cat state\n",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}")
        (tmp_path / name).chmod(0o755)
    env = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_ARRAY_JOB_ID": "12",
        "SLURM_ARRAY_TASK_ID": "5",
    }
    calls = tmp_path / "calls"
    flags = ["-m", "gan1d.main", "--config=a.py", "--sweep=a=1 b=2", "--shard=5/8"]
    template = str(ROOT / "launch" / "shards.sbatch")
    for number, state, expected in (
        (signal.SIGUSR1, "RUNNING", ["ended", "scontrol requeue 12_5"]),
        (signal.SIGTERM, "COMPLETING", ["ended"]),
        (signal.SIGTERM, "RUNNING", ["ended", "scontrol requeue 12_5"]),  # a time of grace
    ):
        (tmp_path / "state").write_text(f"{state}\n")
        process = subprocess.Popen(
            ["bash", template, "8", "--config=a.py", "--sweep=a=1 b=2"], cwd=tmp_path, env=env
        )
        wait_for(lambda: calls.exists() and calls.read_text().count("\n") == len(flags), process)
        process.send_signal(number)
        process.wait(timeout=30)
        assert calls.read_text().splitlines() == [*flags, *expected]
        calls.unlink()
