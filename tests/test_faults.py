"""What machines do to a sweep: it ends cleanly, loses nothing, and goes on to the same bits."""

import errno
import functools
import itertools
import logging
import os
import random
import resource
import shutil
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from helpers import TINY, assert_same_bits, compile_once

from gan1d import engines, results
from gan1d.config import experiment
from gan1d.config.experiment import ConfigError
from gan1d.results import WriteError, blocks, files, verdicts
from gan1d.sweep import api, layout, locks, loop
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.contents import results_without_a_lock
from gan1d.sweep.layout import Choices
from gan1d.system import hardware
from gan1d.system.progress import Silent

BLOCKS = 3  # of 2 runs
NOBODY = 65534  # a user without rights


pytestmark = pytest.mark.usefixtures("compiled_once")


def train(folder, config=TINY, *, size=2, engine="auto", **options):
    sweep, choices = Sweep(experiment.resolve(config)), Choices(1, size, engine)
    options = {"kinds": (), "report": lambda _: Silent()} | options
    return api.train_and_publish(sweep, folder, choices, **options).runs


def merge(folder, config=TINY, *, partial=False):
    return api.merge(Sweep(experiment.resolve(config)), folder, partial=partial, kinds=()).runs


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a sweep that nothing happened to, its runs and its snapshots."""
    folder = tmp_path_factory.mktemp("whole")
    train(folder)
    return folder, results.load(folder), results.load_snapshots(folder)


def assert_like(folder, whole):
    expected, runs, snapshots = whole
    assert_same_bits(results.load(folder), runs)
    assert_same_bits(results.load_snapshots(folder), snapshots)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        path.name for path in expected.iterdir()
    )


@pytest.fixture
def trained(monkeypatch):
    """The blocks that are trained, by the first of their seeds."""
    begun = []
    one = loop._train_block

    def noted(training, block, room):
        begun.append(int(block.seed_index[0]) // 2)
        return one(training, block, room)

    monkeypatch.setattr(loop, "_train_block", noted)
    return begun


def failing(monkeypatch, number, error, half):
    """Let the write of this number fail, before or after something has been written."""
    replace, count = files.replace, itertools.count()

    def replace_or_fail(path, write_to, *put):
        if next(count) != number:
            return replace(path, write_to, *put)

        def fail(temporary):
            if half:
                write_to(temporary)
                os.truncate(temporary, temporary.stat().st_size // 2)
            raise error

        return replace(path, fail, *put)

    monkeypatch.setattr(files, "replace", replace_or_fail)
    return count


# Disks.

WRITES = 1 + BLOCKS + 4  # plan, blocks, runs.nc, two tables, config.json


def test_so_many_files_are_written(tmp_path, monkeypatch):
    count = failing(monkeypatch, -1, None, half=False)
    train(tmp_path)
    assert next(count) == WRITES


# Halfway leaves more behind, and one function has both: before anything is written the first of
# each kind of file will do.
@pytest.mark.parametrize(
    "number, half",
    [
        *((number, True) for number in range(WRITES)),
        *((number, False) for number in (0, 1, 4, WRITES - 1)),
    ],
)
def test_a_full_disk_loses_nothing_at_any_write(number, half, tmp_path, whole, trained):
    with pytest.MonkeyPatch.context() as patch:
        failing(patch, number, OSError(errno.ENOSPC, "No space left on device"), half)
        with pytest.raises(WriteError, match=r"can't be written .*No space left"):
            train(tmp_path)
    assert not list(tmp_path.rglob("*.tmp"))
    if number < WRITES - 1:
        assert not (tmp_path / "config.json").exists()
    train(tmp_path)
    assert_like(tmp_path, whole)
    assert len(trained) == BLOCKS + (1 <= number <= BLOCKS)


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS])
def test_a_file_system_that_syncs_no_folders_and_has_no_links_is_used(code, tmp_path, monkeypatch):
    def answer(*_):
        raise OSError(code, "")

    monkeypatch.setattr(files.os, "fsync", answer)
    monkeypatch.setattr(files.os, "link", answer)
    assert files.create_json(tmp_path / "plan.json", {"a": 1})
    assert files.read_json(tmp_path / "plan.json") == {"a": 1}


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_file_that_may_not_grow_further_is_an_error_of_its_name(share, tmp_path, whole):
    """By the system's own limit."""
    limit = int((whole[0] / "runs.nc").stat().st_size * share)
    with pytest.MonkeyPatch.context() as patch:
        write = files.replace

        def limited(path, write_to, *put):
            if path.name != "runs.nc":
                return write(path, write_to, *put)
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                return write(path, write_to, *put)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

        patch.setattr(files, "replace", limited)
        with pytest.raises(WriteError, match=r"runs\.nc: can't be written"):
            train(tmp_path)
    train(tmp_path)
    assert_like(tmp_path, whole)


@pytest.mark.parametrize("folder", ["file/under", "/proc/gan1d", "file"])
def test_a_folder_that_can_not_be_is_refused(folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"workdir=.*can't write there"):
        train(tmp_path / folder)


@pytest.fixture
def nobody():
    """A folder that others may read, and, for who may do anything, the rights of nobody."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    yield folder
    os.seteuid(user)
    shutil.rmtree(folder)


def test_a_read_only_folder_is_refused(nobody):
    nobody.chmod(0o555) if os.geteuid() != NOBODY else None  # else it is root's as it stands
    with pytest.raises(ConfigError, match=r"workdir=.*can't write there"):
        train(nobody)


def test_a_folder_that_can_not_even_be_looked_into_is_refused(nobody):
    closed = nobody / "closed"
    user = os.geteuid()
    if user == NOBODY:
        os.seteuid(0)
    (closed / "under").mkdir(parents=True)
    closed.chmod(0 if user != NOBODY else 0o700)
    os.seteuid(user)
    with pytest.raises((ConfigError, results.ResultsError), match=r"[Pp]ermission|can't write"):
        train(closed / "under")
    with pytest.raises(results.ResultsError, match="Permission denied"):
        results.load(closed / "under")
    with pytest.raises(results.ResultsError, match="Permission denied"):
        results_without_a_lock(experiment.resolve(TINY), closed / "under")
    if user != NOBODY:
        closed.chmod(0o700)


def test_a_folder_that_becomes_read_only_loses_nothing(tmp_path, whole, trained):
    with pytest.MonkeyPatch.context() as patch:
        failing(patch, 2, OSError(errno.EROFS, "Read-only file system"), half=False)
        with pytest.raises(WriteError, match="Read-only file system"):
            train(tmp_path)
    train(tmp_path)
    assert_like(tmp_path, whole)
    assert trained == [0, 1, 1, 2]


# Blocks.


@pytest.fixture
def stopped(tmp_path):
    """A sweep whose blocks are all finished, but not its results."""
    with pytest.MonkeyPatch.context() as patch:
        failing(patch, 1 + BLOCKS, OSError(errno.ENOSPC, "full"), half=False)
        with pytest.raises(WriteError):
            train(tmp_path)
    assert len(blocks.listed(tmp_path)) == BLOCKS
    return tmp_path


def truncate(path):
    os.truncate(path, path.stat().st_size - 1)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def other_arrays(path):
    """With a hash that fits, as by hand."""
    told = blocks.metadata_of(path)
    arrays = {"w1": np.zeros(3, np.float32)}
    path.unlink()
    blocks.write(path.parents[2], told["plan"], 1, blocks.Finished(arrays, {}))


def other_number(path):
    path.unlink()
    (first,) = path.parent.glob("000000-*")
    (path.parent / first.name.replace("000000", "000001")).write_bytes(first.read_bytes())


DAMAGES = {
    "truncated": (truncate, "size|damaged"),
    "emptied": (lambda path: path.write_bytes(b""), "damaged"),
    "flipped": (flip, "damaged"),
    "deleted": (lambda path: path.unlink(), ""),
    "grown": (lambda path: path.write_bytes(b"x" * 10**6), "larger than"),
    "of other arrays": (other_arrays, "other arrays"),
    "of another number": (other_number, "another one of this"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "can't be read"),
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_a_damaged_block_is_trained_again_and_no_other(damage, stopped, whole, trained, caplog):
    change, message = DAMAGES[damage]
    (path,) = blocks.listed(stopped)[1]
    change(path)
    with caplog.at_level(logging.WARNING, logger="absl"):
        train(stopped)
    assert trained == [1]
    assert_like(stopped, whole)
    if message:
        assert any(word in caplog.text for word in message.split("|"))
        assert "it is trained again" in caplog.text


def test_every_flipped_bit_of_a_block_is_noticed(stopped):
    """At 2,000 positions."""
    (path,) = blocks.listed(stopped)[0]
    plan, content = blocks.metadata_of(path)["plan"], path.read_bytes()
    blocks.read(path, plan, 0, len(content))
    positions = np.unique(np.linspace(0, len(content) - 1, 2000).astype(int))
    assert len(positions) > 1990
    for i, position in enumerate(positions):
        damaged = bytearray(content)
        damaged[position] ^= 1 << i % 8
        path.write_bytes(damaged)
        with pytest.raises(results.ResultsError, match="damaged"):
            blocks.read(path, plan, 0, len(content))


def test_a_block_damaged_after_it_was_found_whole_ends_the_sweep(tmp_path, whole, monkeypatch):
    """Nothing partial is handed over as whole."""
    collect = loop.gather

    def damage_first(*given):
        flip(blocks.listed(tmp_path)[2][0])
        return collect(*given)

    monkeypatch.setattr(loop, "gather", damage_first)
    with pytest.raises(results.ResultsError, match="2 runs were damaged"):
        train(tmp_path)
    assert not (tmp_path / "runs.nc").exists()
    monkeypatch.setattr(loop, "gather", collect)
    train(tmp_path)
    assert_like(tmp_path, whole)


def test_what_a_killed_process_leaves_half_written_is_cleared_away(stopped, whole):
    (stopped / "blocks" / ".000007-abc.safetensors.99.tmp").write_text("half")
    (stopped / ".runs.nc.99.tmp").write_text("half")
    (stopped / ".lock").write_text("process 99 on a machine that is gone")
    train(stopped)
    assert_like(stopped, whole)


def test_a_damaged_plan_loses_nothing(stopped, whole, trained, caplog):
    flip(stopped / "blocks" / "plan.json")
    train(stopped)
    assert trained == [] and "it is written again" in caplog.text
    assert_like(stopped, whole)


def test_a_damaged_plan_hands_no_blocks_to_another_sweep(stopped, whole):
    flip(stopped / "blocks" / "plan.json")
    with pytest.raises(ConfigError, match="a block of another sweep"):
        train(stopped, TINY | {"steps": 11})
    train(stopped)
    assert_like(stopped, whole)


def test_a_sweep_by_xla_goes_on_to_the_same_bits_too(tmp_path, trained):
    train(tmp_path / "whole", size=4, engine="xla")
    with pytest.MonkeyPatch.context() as patch:
        failing(patch, 2, OSError(errno.ENOSPC, "full"), half=True)
        with pytest.raises(WriteError):
            train(tmp_path / "stopped", size=4, engine="xla")
    train(tmp_path / "stopped", size=4, engine="xla")
    assert trained == [0, 2, 0, 2, 2]
    assert_same_bits(*(results.load(tmp_path / name) for name in ("whole", "stopped")))


# Folders.


def test_another_sweep_in_the_folder_is_refused_with_the_difference(stopped):
    other = TINY | {"steps": 11, "target.loc": 3.0}
    with pytest.raises(ConfigError, match=r"target\.loc=4\.0 there, 3\.0 now; steps=10 there, 11"):
        train(stopped, other)
    train(stopped, other, overwrite=True)
    assert results.load(stopped).step.values[-1] == 11
    assert not (stopped / "blocks").exists()


def test_other_code_or_another_layout_is_refused_with_the_difference(stopped, monkeypatch):
    with pytest.raises(ConfigError, match=r"another way.*block_size=2 there, 4 now"):
        train(stopped, size=4)
    monkeypatch.setattr(hardware, "source", lambda: "0123")
    with pytest.raises(ConfigError, match=r"another way.*source=.* there, '0123' now"):
        train(stopped)


def test_a_plan_of_which_nothing_came_is_in_nobodys_way(tmp_path):
    strange = {"target.kind": "mixture", "target.means": (-1e25, 1e25)}
    with pytest.raises(ConfigError, match="standard deviation"):
        train(tmp_path, TINY | strange)
    runs = train(tmp_path)
    assert (runs.finished == 1).all()


def test_a_sweep_goes_on_in_the_layout_that_it_was_begun_in(stopped, whole):
    train(stopped, size=None)
    assert_like(stopped, whole)


@pytest.mark.parametrize("place", ["blocks/mine", "blocks/0000/mine", "blocks/mine/file"])
def test_what_others_have_put_among_blocks_is_not_removed(place, tmp_path, stopped, trained):
    for folder in (tmp_path / "own", stopped):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text("mine")
        for overwrite in (False, True):
            with pytest.raises(ConfigError, match=r"blocks/.*mine.* is not gan1d's; move"):
                train(folder, overwrite=overwrite)
        assert (folder / place).read_text() == "mine" and not list(folder.glob(".*"))
    assert not trained


@pytest.mark.parametrize("name", ["summary.md", "report.html", "figures/w1.png"])
def test_what_others_have_by_the_names_of_results_is_not_replaced(name, tmp_path, trained):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match=rf"{name.split('/')[0]} is not gan1d's.*; move it"):
            train(tmp_path, overwrite=overwrite)
    assert (tmp_path / name).read_text() == "mine" and not trained


@pytest.mark.parametrize("name", ["figures", "blocks", "summary.csv"])
def test_links_out_of_a_results_folder_are_not_followed(name, stopped, whole, trained):
    """Not even where the rest is gan1d's: what they lead to would be replaced, or removed."""
    elsewhere = stopped.parent / "elsewhere"
    if (stopped / name).exists():
        (stopped / name).rename(elsewhere)
    (stopped / name).symlink_to(elsewhere)
    with pytest.raises(ConfigError, match=f"{name} is a link"):
        train(stopped)
    (stopped / name).unlink()
    if elsewhere.exists():
        elsewhere.rename(stopped / name)
    train(stopped)
    assert_like(stopped, whole)
    assert not trained


def test_a_lock_that_is_another_file_is_neither_followed_nor_written_to(tmp_path):
    (tmp_path / "other").write_text("mine")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / ".lock").symlink_to(tmp_path / "other")
    with pytest.raises(ConfigError, match="can't write there"):
        train(tmp_path / "own")
    assert (tmp_path / "other").read_text() == "mine"
    (tmp_path / "own" / ".lock").unlink()
    (tmp_path / "own" / ".lock").write_text("mine")
    with pytest.raises(ConfigError, match=r"its \.lock is not gan1d's"):
        train(tmp_path / "own")
    assert (tmp_path / "own" / ".lock").read_text() == "mine"


def test_a_second_process_is_refused(tmp_path, whole):
    with locks.locked(tmp_path), pytest.raises(ConfigError, match=f"process {os.getpid()} on"):
        train(tmp_path)
    train(tmp_path)
    assert_like(tmp_path, whole)


def test_a_file_system_without_locks_is_used_with_a_warning(tmp_path, whole, monkeypatch, caplog):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", no_locks)
    train(tmp_path)
    assert "No locks available" in caplog.text
    assert_like(tmp_path, whole)


def test_results_of_what_is_finished_can_be_had_and_completed(stopped, whole, trained):
    blocks.listed(stopped)[1][0].unlink()
    runs = merge(stopped, partial=True)
    assert runs.finished.values.tolist() == [[1, 1, 0, 0, 1, 1]]
    assert (runs.verdict.values[0, 2:4] == verdicts.UNFINISHED).all() and trained == []
    assert files.read_json(stopped / "config.json")["complete"] is False
    train(stopped)
    assert trained == [1]
    assert_like(stopped, whole)


def test_no_results_are_made_of_nothing(stopped, whole):
    """An empty table took the place of an earlier sweep's results."""
    for (path,) in blocks.listed(stopped).values():
        path.unlink()
    shutil.copy(whole[0] / "runs.nc", stopped)
    with pytest.raises(results.ResultsError, match="no block is finished"):
        merge(stopped, partial=True)
    assert files.sha256(stopped / "runs.nc") == files.sha256(whole[0] / "runs.nc")


def test_results_beside_a_sweep_under_way_are_said_to_be_those_before_it(stopped, whole, caplog):
    """As after an overwriting that was interrupted; figures and tables used them without a word."""
    for name in ("runs.nc", "config.json"):
        shutil.copy(whole[0] / name, stopped)
    with caplog.at_level(logging.WARNING, logger="absl"):
        results.load(stopped)
    assert "a sweep is under way there" in caplog.text


@pytest.mark.parametrize("again", [train, functools.partial(merge, partial=True), merge])
def test_results_that_another_process_makes_meanwhile_are_returned(
    again, stopped, whole, monkeypatch, trained
):
    """While this one waits for the lock."""
    lock = api.locked

    def waited_for(*given):
        monkeypatch.setattr(api, "locked", lock)
        merge(stopped, partial=True)
        return lock(*given)

    monkeypatch.setattr(api, "locked", waited_for)
    runs = again(stopped)
    assert (runs.finished == 1).all() and not trained
    assert_like(stopped, whole)


@pytest.mark.parametrize("again", [train, functools.partial(merge, partial=True), merge])
def test_a_process_killed_while_it_removes_blocks_leaves_all_results(
    again, stopped, whole, monkeypatch, trained
):
    remove = files.remove

    def killed(path):
        if path.is_dir():
            remove(next(path.rglob("*.safetensors")))
            raise KeyboardInterrupt
        remove(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            train(stopped)
    assert not (stopped / "blocks").exists() and list(stopped.glob(".blocks.*"))
    runs = again(stopped)
    assert (runs.finished == 1).all() and not trained
    assert_like(stopped, whole)


def test_complete_results_are_never_replaced_by_fewer(stopped, whole, trained):
    """Where blocks are left beside them, and not all."""
    shutil.copytree(stopped / "blocks", stopped.parent / "blocks")
    train(stopped)
    shutil.move(stopped.parent / "blocks", stopped / "blocks")
    blocks.listed(stopped)[1][0].unlink()
    runs = merge(stopped, partial=True)
    assert (runs.finished == 1).all() and files.read_json(stopped / "config.json")["complete"]
    train(stopped)
    assert trained == [1]  # so an overwriting that was stopped goes on
    assert_like(stopped, whole)


# Clocks and memory.


def test_clocks_that_jump_or_stand_still_change_nothing(tmp_path, whole, monkeypatch):
    jumps, now = random.Random(0), [0.0]

    def monotonic():
        now[0] += jumps.choice([0.0, 0.0, 1e-9, 1e6])
        return now[0]

    monkeypatch.setattr(time, "monotonic", monotonic)
    train(tmp_path)
    assert_like(tmp_path, whole)


LONG = TINY | {"seeds": "0:70"}


@pytest.fixture(scope="module")
def at_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("at-once")
    train(folder, LONG, size=64)
    return results.load(folder)


class Fitting:
    """Programs that have memory for so many runs."""

    def __init__(self, programs, runs, error):
        self.advance, self.states = programs.advance, programs.states
        self._programs, self._runs, self._error = programs, runs, error

    def start(self, settings, seeds, pictured):
        if len(seeds) > self._runs:
            raise self._error
        return self._programs.start(settings, seeds, pictured)


def fitting(runs, error):
    """What compiles such programs."""

    def compile_programs(engine, setting, schedule, size, devices):
        name, programs = compile_once(engine, setting, schedule, size, devices)
        return name, Fitting(programs, runs, error)

    return compile_programs


@pytest.mark.parametrize("runs", [17, 2])
def test_a_block_that_does_not_fit_is_halved_to_the_same_bits(
    runs, at_once, tmp_path, monkeypatch, caplog
):
    error = MemoryError("Unable to allocate it")
    monkeypatch.setattr(engines, "compile_programs", fitting(runs, error))
    with caplog.at_level(logging.WARNING, logger="absl"):
        train(tmp_path, LONG, size=64)
    assert "Out of memory with 64 runs at a time" in caplog.text
    assert_same_bits(results.load(tmp_path), at_once)
    (cohort,) = files.read_json(tmp_path / "config.json")["cohorts"]
    assert runs / 2 < cohort["runs_at_a_time"] <= runs


def test_a_block_that_never_fits_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    error = MemoryError("Unable to allocate it")
    monkeypatch.setattr(engines, "compile_programs", fitting(0, error))
    with pytest.raises(ConfigError, match=r"training\.batch_size: .* suffice for 1 at a time"):
        train(tmp_path, LONG, size=64)


def test_xla_halves_blocks_too(tmp_path, monkeypatch):
    """To the same runs up to rounding: it compiles other code for other sizes."""
    expected = train(tmp_path / "whole", size=8, engine="xla")
    error = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating it")
    monkeypatch.setattr(engines, "compile_programs", fitting(4, error))
    runs = train(tmp_path / "halved", size=8, engine="xla")
    (cohort,) = files.read_json(tmp_path / "halved" / "config.json")["cohorts"]
    assert cohort == {"engine": "xla", "runs_at_a_time": 4}
    np.testing.assert_allclose(runs.w1, expected.w1, rtol=1e-5)


def test_other_errors_are_not_taken_for_a_lack_of_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "compile_programs", fitting(1, RuntimeError("something else")))
    with pytest.raises(RuntimeError, match="something else"):
        train(tmp_path)


def test_results_that_no_memory_can_hold_are_refused(monkeypatch):
    monkeypatch.setattr(hardware, "memory", lambda: 10**6)
    with pytest.raises(ConfigError, match=r"seeds=0:2000: .* GiB of memory"):
        layout.choose(Sweep(experiment.resolve(TINY | {"seeds": "0:2000"})), Choices())


# Divergence.


def test_blocks_of_which_all_runs_diverge_are_results(tmp_path):
    """With tables and figures; of every kind that applies."""
    wild = {"generator.optimizer.rate": 1e25, "loss.kind": "least_squares"}
    wild |= {"discriminator.optimizer.rate": 1e25}
    runs = train(tmp_path, TINY | wild, kinds=None)
    assert (runs.verdict == verdicts.DIVERGED).all() and (runs.finished == 1).all()
    assert ((runs.diverged_at >= 0) & (runs.diverged_at < 10)).all()
    assert np.isposinf(runs.w1.values[..., -1]).all() and np.isnan(runs["quantiles"]).all()
    assert "| " in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "figures" / "verdicts.png").exists()
