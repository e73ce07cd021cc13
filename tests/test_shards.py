"""A sweep cut into shards, which are trained apart and give what the whole one does."""

import itertools
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from helpers import TINY, assert_same_bits, run_main
from hypothesis import given
from hypothesis import strategies as st

from gan1d import results
from gan1d.config import experiment
from gan1d.config.experiment import ConfigError
from gan1d.results import ResultsError, blocks, files
from gan1d.sweep import api, layout, locks, loop, shards, store
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Blocks, Choices
from gan1d.sweep.locks import holder, locked
from gan1d.sweep.shards import Shard
from gan1d.system import hardware
from gan1d.system.progress import Silent

SWEEP = TINY | {"sweep": ["target.loc=0,4", "discriminator.activation=tanh,relu"]}
SIZE, BLOCKS = 4, 6  # runs in a block; blocks of two cohorts, with 12 runs each


LOADS = results.load, results.load_snapshots

pytestmark = pytest.mark.usefixtures("compiled_once", "impatient")


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(locks, "SHARD_LOCK_SECONDS", 0.2)


def declared(config=SWEEP):
    return experiment.resolve(config)


def choices(engine="auto", mixed=False):
    return Choices(2, SIZE, engine, mixed)


def train(folder, text, made=None, engine="auto", mixed=False):
    sweep, shard = Sweep(made or declared()), shards.parse(text)
    asked = choices(engine, mixed)
    return api.train_shard(sweep, folder, shard, asked, report=lambda _: Silent())


def train_whole(folder, made=None, engine="auto"):
    sweep = Sweep(made or declared())
    api.train_and_publish(sweep, folder, choices(engine), report=lambda _: Silent(), kinds=())


def merge(folder, made=None, **options):
    return api.merge(Sweep(made or declared()), folder, kinds=(), **options).runs


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Runs and snapshots of the sweep in one go."""
    folder = tmp_path_factory.mktemp("whole")
    train_whole(folder)
    return results.load(folder), results.load_snapshots(folder)


def assert_like(folder, whole):
    assert_same_bits(results.load(folder), whole[0])
    assert_same_bits(results.load_snapshots(folder), whole[1])
    assert not list(folder.glob(".*")) and not (folder / blocks.FOLDER).exists()


@pytest.fixture
def trained(monkeypatch):
    """The first runs of the blocks that are trained, as (setting, seed)."""
    begun = []
    one = loop._train_block

    def noted(training, block, room):
        begun.append((int(block.setting_index[0]), int(block.seed_index[0])))
        return one(training, block, room)

    monkeypatch.setattr(loop, "_train_block", noted)
    return begun


# Cutting.


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=60), st.data())
def test_every_block_is_in_one_shard_and_none_costs_much_more_than_its_share(costs, data):
    count = data.draw(st.integers(1, len(costs)))
    cut = layout.balanced(np.asarray(costs), count)
    assert len(cut) == count and all(cut)
    assert list(itertools.chain(*cut)) == list(range(len(costs)))
    most = max(sum(costs[number] for number in numbers) for numbers in cut)
    assert most <= sum(costs) / count + max(costs)


def test_costs_are_those_of_runs_and_their_updates():
    """The last block of a cohort is shorter, and wider networks cost more."""
    widths = ["discriminator.hidden=(4,),(16,16)"]
    made = declared({"seeds": "0:5", "generator.hidden": (2,), "sweep": widths})
    small, rest, large, last = Blocks(Sweep(made), 4).costs
    assert small == 4 * rest and large == 4 * last and large > 2 * small


@pytest.mark.parametrize("size", [2, 4, 5, 7, 24])
def test_runs_of_blocks_add_up(size):
    of_sweep = Blocks(Sweep(declared()), size)
    each = [of_sweep.runs_of(range(i, i + 1)) for i in range(of_sweep.count)]
    assert each == [c.block(n).run_count for c in of_sweep.by_cohort for n in c.numbers]
    for first, last in itertools.combinations(range(of_sweep.count + 1), 2):
        assert of_sweep.runs_of(range(first, last)) == sum(each[first:last])


@pytest.mark.parametrize(
    "text", ["", "1", "8/8", "9/8", "-1/8", "1/0", "1 / 8", "a/b", "1/8/9", "\u0661/8", "0/1e3"]
)
def test_what_is_no_shard_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match=r"shard=.*: give for example 0/8, \.\.\., 7/8"):
        shards.parse(text)


def test_more_shards_than_blocks_are_refused():
    with pytest.raises(ConfigError, match="shards=7: there are only 6 blocks of up to 4 runs"):
        Blocks(Sweep(declared()), SIZE).cut(BLOCKS + 1)


def test_shards_have_a_few_blocks_each_as_long_as_vectors_can_be_filled():
    sweep = Sweep(declared(SWEEP | {"seeds": "0:1000"}))  # 4000 runs
    for count, size in ((1, 64), (8, 64), (20, 48), (100, 16), (2000, 16)):
        assert layout.default_block_size(sweep, 1, "cpu", count) == size
        assert layout.default_block_size(sweep, 2, "cpu", count) % 2 == 0
    assert layout.default_block_size(sweep, 2, "gpu", 8) == 2 * 48


# Training.


def test_shards_in_any_order_give_the_bits_of_the_whole(tmp_path, whole):
    for text in ("2/3", "0/3", "1/3"):
        train(tmp_path, text)
    merge(tmp_path)
    assert_like(tmp_path, whole)
    record = results.load_record(tmp_path)
    assert record["complete"] is True
    assert [machine["blocks"] for machine in record["machines"]] == [BLOCKS]


def test_so_they_do_by_xla(tmp_path):
    made = declared(SWEEP | {"sweep": ["target.loc=0,4"]})
    for text in ("1/2", "0/2"):
        train(tmp_path / "cut", text, made, "xla")
    merge(tmp_path / "cut", made)
    train_whole(tmp_path / "whole", made, "xla")
    assert_like(tmp_path / "cut", [load(tmp_path / "whole") for load in LOADS])


def test_shards_of_other_counts_and_the_whole_sweep_go_on_from_each_other(tmp_path, whole, trained):
    assert train(tmp_path, "1/3") == 8
    first = list(trained)
    train(tmp_path, "1/2")
    assert len(trained) == 4 and not set(trained[2:]) & set(first)
    train_whole(tmp_path)
    assert len(trained) == len(set(trained)) == BLOCKS
    assert_like(tmp_path, whole)


def test_a_target_that_runs_can_not_be_judged_by_is_refused_before_a_shard_trains(
    tmp_path, trained
):
    strange = {"target.kind": "mixture", "target.means": (-1e25, 1e25)}
    made = declared(TINY | strange)
    with pytest.raises(ConfigError, match="target: its standard deviation is"):
        train(tmp_path, "0/1", made)
    assert not trained and not blocks.listed(tmp_path)


def test_a_finished_shard_is_verified_and_trains_nothing(tmp_path, trained):
    train(tmp_path, "0/2")
    before = list(trained)
    train(tmp_path, "0/2")
    assert trained == before
    (path,) = blocks.listed(tmp_path)[1]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    train(tmp_path, "0/2")
    assert trained == [*before, before[1]]


def test_a_shard_of_merged_results_has_nothing_to_do(tmp_path, monkeypatch, capfd):
    (tmp_path / "tiny.py").write_text(
        "from gan1d.experiment import default_config\n"
        "def get_config():\n"
        "    config = default_config()\n"
        "    config.steps, config.seeds = 5, '0:8'\n"
        "    return config\n"
    )
    monkeypatch.chdir(tmp_path)
    own = ["--config=tiny.py", "--devices=2", "--block_size=4"]
    assert run_main(*own, "--dry_run", "--shard=1/2") == 0
    assert "shard 1/2: 1 of these blocks, 4 runs" in capfd.readouterr().out
    assert run_main(*own, "--nofigures") == 0
    before = sorted(tmp_path.rglob("*"))
    assert run_main(*own, "--shard=0/2") == 0
    assert "holds this sweep already" in capfd.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before
    for flags, words in (
        (["--shard=0/2", "--overwrite"], "overwrite: not for a shard"),
        (["--shard=0/2", "--partial"], "partial: not for a shard"),
        (["--shard=2/2"], "shard=2/2: give for example"),
        (["--mixed"], "mixed: for shards only"),
        (["--overwrite", "--partial"], "partial: there is nothing left"),
    ):
        assert run_main(*own, *flags) == 2
        assert words in capfd.readouterr().err


# Several processes.


def test_a_shard_keeps_others_out_of_itself_and_of_the_whole_but_not_of_other_shards(tmp_path):
    with locked(tmp_path, "0-of-2"):
        with pytest.raises(ConfigError, match=f"process {os.getpid()} on .* trains into it"):
            train(tmp_path, "0/2")
        assert holder(tmp_path, "0-of-2").startswith(f"process {os.getpid()} on")
        assert holder(tmp_path, "1-of-2") is None
        train(tmp_path, "1/2")
        with pytest.raises(ConfigError, match="a process that has a shard of it trains into it"):
            merge(tmp_path, partial=True)
        with pytest.raises(ConfigError, match="a process that has a shard of it trains into it"):
            train_whole(tmp_path)
    assert holder(tmp_path, "0-of-2") is None
    with locked(tmp_path), pytest.raises(ConfigError, match=f"process {os.getpid()} on"):
        train(tmp_path, "0/2")


def test_asking_who_holds_a_lock_keeps_nobody_from_taking_it(tmp_path):
    """Not even while it is asked: who takes it tries again."""
    asked, end = [], threading.Event()

    def ask():
        while not end.is_set():
            asked.append(holder(tmp_path, "a"))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(100):
            with locked(tmp_path, "a", patience=30):
                time.sleep(0.001)
    finally:
        end.set()
        asking.join()
    assert {told and told.partition(" on ")[0] for told in asked} >= {
        None,
        f"process {os.getpid()}",
    }


def test_a_shard_leaves_what_others_are_writing(tmp_path):
    train(tmp_path, "0/2")
    (path,) = blocks.listed(tmp_path)[0]
    other = path.with_name(f".{blocks.name(5, 'aa')}.123.tmp")
    own = path.with_name(f".{blocks.name(1, 'aa')}.123.tmp")
    for each in (other, own):
        each.touch()
    train(tmp_path, "0/2")
    assert other.exists() and not own.exists()


def test_of_many_processes_one_writes_the_plan(tmp_path):
    code = (  # without the package, whose imports take seconds
        f"import runpy\ncreate = runpy.run_path({files.__file__!r})['create_json']\n"
        "import sys, pathlib\npath = pathlib.Path(sys.argv[1])\nsys.stdin.readline()\n"
        "print(int(create(path, {'by': sys.argv[2]})))\n"
    )
    path = tmp_path / "plan.json"
    made = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(4)
    ]
    for process in made:
        process.stdin.write("\n")
        process.stdin.flush()
    wrote = [process.communicate()[0].strip() for process in made]
    assert sorted(wrote) == ["0", "0", "0", "1"]
    assert files.read_json(path) == {"by": str(wrote.index("1"))}
    assert [each.name for each in tmp_path.iterdir()] == ["plan.json"]


def test_where_there_are_no_links_a_plan_is_written_still(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(files.os, "link", no_links)
    train(tmp_path, "0/2")
    assert blocks.load_plan(tmp_path)["blocks"] == BLOCKS


# Machines.


def test_another_kind_of_machine_is_refused_unless_kinds_may_mix(tmp_path, monkeypatch, whole):
    train(tmp_path / "strict", "0/2")
    train(tmp_path / "mixed", "0/2", mixed=True)
    monkeypatch.setattr(hardware, "processor", lambda: "another one (0123)")
    with pytest.raises(ConfigError, match=r"round numbers differently .*'another one.*mixed"):
        train(tmp_path / "strict", "1/2")
    train(tmp_path / "mixed", "1/2")  # as its folder says
    monkeypatch.undo()
    merge(tmp_path / "mixed")
    told = results.load_record(tmp_path / "mixed")["machines"]
    assert {machine["processor"]: machine["blocks"] for machine in told} == {
        hardware.processor(): 3,
        "another one (0123)": 3,
    }
    # Only that was pretended, so these are the same bits still.
    assert_like(tmp_path / "mixed", whole)


def test_a_machine_of_another_kind_merges(tmp_path, monkeypatch, whole):
    for text in ("0/2", "1/2"):
        train(tmp_path, text)
    monkeypatch.setattr(hardware, "processor", lambda: "another one (0123)")
    merge(tmp_path)
    assert_like(tmp_path, whole)


def test_other_code_does_not_merge(tmp_path, monkeypatch):
    train(tmp_path, "0/1")
    monkeypatch.setattr(hardware, "source", lambda: "other")
    with pytest.raises(ConfigError, match=r"source='.*' there, 'other' now"):
        merge(tmp_path)


def test_a_quota_of_cores_and_what_slurm_gives_bound_the_devices(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "CGROUP", tmp_path)
    monkeypatch.setattr(hardware, "OWN_CGROUPS", tmp_path / "none")
    monkeypatch.setattr(hardware.os, "sched_getaffinity", lambda _: range(64))
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    assert hardware.cores() == 64
    for told, cores in (("max 100000", 64), ("250000 100000", 3), ("50000 100000", 1)):
        (tmp_path / "cpu.max").write_text(f"{told}\n")
        assert hardware.cores() == cores
    (tmp_path / "cpu.max").write_text("max 100000\n")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "8")
    assert hardware.cores() == 8


# Merging.


def test_gaps_are_refused_or_told_in_the_results(tmp_path, whole, trained):
    with pytest.raises(ResultsError, match="no finished blocks here"):
        merge(tmp_path)
    train(tmp_path, "1/3")
    with pytest.raises(ResultsError, match="4 of 6 blocks are not finished"):
        merge(tmp_path)
    assert not (tmp_path / "runs.nc").exists()
    runs = merge(tmp_path, partial=True)
    assert int((runs.finished == 1).sum()) == 8
    assert results.load_record(tmp_path)["complete"] is False
    # And the rest can follow.
    for text in ("0/3", "1/3", "2/3"):
        train(tmp_path, text)
    assert len(trained) == BLOCKS
    (tmp_path / ".lock-2-of-9").touch()  # as a killed shard leaves it
    merge(tmp_path)
    assert_like(tmp_path, whole)


def test_results_that_do_not_fit_are_refused_where_they_are_merged_only(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "memory", lambda: 10_000)
    for text in ("0/2", "1/2"):
        train(tmp_path, text)
    with pytest.raises(ConfigError, match="results of 24 runs need"):
        merge(tmp_path)


def test_blocks_that_get_lost_while_they_are_merged_are_missed(tmp_path, monkeypatch):
    train(tmp_path, "0/1")
    (path,) = blocks.listed(tmp_path)[2]
    path.write_bytes(b"")
    with pytest.raises(ResultsError, match="4 runs are not finished"):
        merge(tmp_path)
    assert not path.exists()


def test_a_shard_that_has_waited_for_a_merge_trains_nothing(tmp_path, monkeypatch, trained):
    train(tmp_path, "0/1")
    before = list(trained)
    merge(tmp_path)
    assert train(tmp_path, "0/1") == 24
    assert trained == before and not (tmp_path / blocks.FOLDER).exists()


def test_what_an_older_version_has_left_is_not_taken_for_nothing(tmp_path):
    """Its blocks lay in one folder."""
    train(tmp_path, "0/1")
    (path,) = blocks.listed(tmp_path)[0]
    for each in path.parent.iterdir():
        each.rename(path.parents[1] / each.name)
    store.discard_barren(tmp_path)
    assert (tmp_path / blocks.FOLDER / path.name).exists()


def test_a_damaged_plan_says_how_to_get_a_new_one(tmp_path):
    train(tmp_path, "0/2")
    (tmp_path / blocks.FOLDER / blocks.PLAN).write_text("{}")
    with pytest.raises(ResultsError, match="give the command of any shard again"):
        merge(tmp_path)
    train(tmp_path, "1/2")
    merge(tmp_path)


def test_blocks_are_found_in_folders_of_a_thousand(tmp_path):
    for number in (0, 999, 1000, 12_345):
        path = blocks.write(tmp_path, "plan", number, blocks.Finished({"w1": np.zeros(2)}, {}))
        assert path.parent.name == f"{number // 1000:04}"
    assert list(blocks.listed(tmp_path)) == [0, 999, 1000, 12_345]
    assert list(blocks.listed(tmp_path, range(999, 1001))) == [999, 1000]
    assert list(blocks.listed(tmp_path, range(3000, 3002))) == []


def test_the_name_of_a_shard_is_a_name_of_a_file():
    assert (str(Shard(3, 8)), Shard(3, 8).name) == ("3/8", "3-of-8")
