"""Sweeps that grow: what was trained before is not trained again, and the bits are those of one."""

import json

import numpy as np
import pytest
import xarray as xr
from helpers import TINY

import gan1d
from gan1d import results
from gan1d.config.experiment import ConfigError, resolve
from gan1d.results import files, netcdf
from gan1d.sweep import api, loop, parts
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Choices
from gan1d.sweep.shards import parse
from gan1d.system.progress import Silent

RATE = "discriminator.optimizer.rate"
# The second setting diverges.
FEW = {"seeds": "0:5", "sweep": (f"loss.kind=non_saturating,hinge {RATE}=0.001,1e30",)}
GROWN = {
    "seeds": {"seeds": "0:9"},
    "a value between the others": {
        "sweep": (f"loss.kind=non_saturating,least_squares,hinge {RATE}=0.001,0.001,1e30",)
    },
    # With variables, modes, weights and structures that the others have not, which come first.
    "another kind": {
        "seeds": "0:7",
        "sweep": (
            "target.kind=mixture,gaussian generator.hidden=(3,2),(2,) pretraining.steps=3,0",
            f"loss.kind=hinge,non_saturating {RATE}=1e30,0.001",
        ),
    },
    "snapshots": {"seeds": "0:7", "judging.snapshot_seeds": 5},
    "thresholds": {"judging.success_w1": 0.5},
}


def sweep_of(**fields):
    swept = {field.partition("=")[0] for axis in fields.get("sweep", ()) for field in axis.split()}
    plain = {name: value for name, value in TINY.items() if name not in swept}
    return Sweep(resolve(plain | FEW | fields))


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """A folder with the results of few runs."""
    folder = tmp_path_factory.mktemp("part")
    trained(sweep_of(), folder)
    return folder


def trained(sweep, folder, reused=(), **choices):
    given = {"report": lambda updates: Silent(), "kinds": (), "reused": reused}
    return api.train_and_publish(sweep, folder, Choices(**choices), **given)


def copied(part, folder):
    for path in part.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def counting(monkeypatch):
    """How many runs are trained."""
    counts, train = [], loop._train_part

    def counted(training, runs, *rest):
        counts.append(runs.run_count)
        return train(training, runs, *rest)

    monkeypatch.setattr(loop, "_train_part", counted)
    return counts


def same(first, second):
    for one, other in zip(results.read(first), results.read(second), strict=True):
        xr.testing.assert_identical(one.drop_attrs(), other.drop_attrs())


@pytest.mark.parametrize("change", GROWN)
def test_a_sweep_that_has_grown_is_one_sweep_bit_for_bit(change, part, tmp_path, monkeypatch):
    whole = sweep_of(**GROWN[change])
    grown, one = copied(part, tmp_path), tmp_path / "one"
    counts = counting(monkeypatch)
    trained(whole, grown)
    again = {"snapshots": 4}.get(change, 0)  # runs of seeds that had none before
    assert sum(counts) == whole.run_count - 10 + again
    trained(whole, one)
    same(grown, one)
    assert results.load(grown).diverged_at.notnull().any()


def test_blocks_of_any_size_take_what_they_can(part, tmp_path):
    whole = sweep_of(seeds="0:9", **GROWN["a value between the others"])
    trained(whole, copied(part, tmp_path), block_size=4)
    trained(whole, tmp_path / "one")
    same(tmp_path, tmp_path / "one")


def test_xla_goes_on_with_as_many_at_a_time_as_it_began_with(tmp_path):
    """Its rounding depends on that, not on the blocks that are kept."""

    def at_a_time():
        return [each["runs_at_a_time"] for each in results.load_record(tmp_path)["cohorts"]]

    trained(sweep_of(seeds="0:2", sweep=()), tmp_path, engine="xla")
    assert at_a_time() == [2]
    whole = {"sweep": ("loss.kind=hinge,non_saturating",)}
    trained(sweep_of(seeds="0:9", **whole), tmp_path, engine="xla", block_size=8)
    assert at_a_time() == [8, 2]
    trained(sweep_of(seeds="0:9", sweep=()), tmp_path / "one", engine="xla", block_size=2)
    grown, one = (results.load(folder).w1.values for folder in (tmp_path, tmp_path / "one"))
    np.testing.assert_array_equal(grown[1], one[0])
    with pytest.raises(ConfigError, match="devices=2 there, 1 now"):
        trained(sweep_of(seeds="0:10", **whole), tmp_path, engine="xla", devices=1)


def test_two_folders_merge_to_one_sweep(part, tmp_path, monkeypatch):
    """Of other seeds and of another value; with what neither has trained."""
    whole = sweep_of(**(GROWN["a value between the others"] | {"seeds": "0:9"}))
    later = tmp_path / "later"
    trained(sweep_of(seeds="4:9"), later)
    before = [path.read_bytes() for path in sorted(later.iterdir())]
    counts = counting(monkeypatch)
    trained(whole, tmp_path / "merged", reused=[part, later])
    assert sum(counts) == 9  # the new value's
    trained(sweep_of(seeds="0:9"), tmp_path / "both", reused=[later, part])
    assert sum(counts) == 9
    trained(whole, tmp_path / "one")
    same(tmp_path / "merged", tmp_path / "one")
    assert [path.read_bytes() for path in sorted(later.iterdir())] == before


def test_what_cannot_be_reused_is_refused_with_the_difference(part, tmp_path):
    whole = sweep_of(seeds="0:9")
    with pytest.raises(ConfigError, match=r"reuse=.*none: no results are there"):
        trained(whole, tmp_path / "out", reused=[tmp_path / "none"])
    with pytest.raises(
        ConfigError, match=r"reuse=.*no part of this sweep \(steps=10 there, 11 now"
    ):
        trained(sweep_of(steps=11), tmp_path / "out", reused=[part])
    with pytest.raises(
        ConfigError, match=r"reuse=.*another way.*engine='auto' there.*leave it out"
    ):
        trained(whole, tmp_path / "out", engine="xla", reused=[part])
    for name, size in (("two", 2), ("four", 4)):
        seeds = {"two": "0:2", "four": "2:4"}[name]
        one = sweep_of(seeds=seeds, sweep=())
        trained(one, tmp_path / name, engine="xla", devices=1, block_size=size)
    with pytest.raises(ConfigError, match=r"reuse: .* 2 in .*two, 4 in .*four"):
        both = [tmp_path / "two", tmp_path / "four"]
        trained(whole, tmp_path / "out", engine="xla", devices=1, reused=both)
    assert not list((tmp_path / "out").glob("*.nc"))


def test_what_was_begun_with_runs_of_another_folder_is_not_gone_on_with_alone(
    tmp_path, monkeypatch
):
    """XLA would train the rest in larger blocks, with another rounding."""
    trained(sweep_of(seeds="0:2", sweep=()), tmp_path / "few", engine="xla")

    def interrupted(*arguments):
        raise KeyboardInterrupt

    whole, folder = sweep_of(seeds="0:9", sweep=()), tmp_path / "whole"
    with monkeypatch.context() as patched:
        patched.setattr(loop, "_train_rest", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained(whole, folder, engine="xla", block_size=2, reused=[tmp_path / "few"])
    with pytest.raises(ConfigError, match=r"another way.*at_a_time"):
        trained(whole, folder, engine="xla", block_size=2)
    trained(whole, folder, engine="xla", block_size=2, reused=[tmp_path / "few"])


def test_shards_take_over_what_a_part_has(part, tmp_path, monkeypatch):
    whole, folder = sweep_of(seeds="0:37"), copied(part, tmp_path)
    counts = counting(monkeypatch)
    for shard in parse("0/2"), parse("1/2"):
        api.train_shard(whole, folder, shard, Choices(), report=lambda updates: Silent())
    api.merge(whole, folder, kinds=())
    assert sum(counts) == whole.run_count - 10
    trained(whole, tmp_path / "one")
    same(folder, tmp_path / "one")


def test_a_part_is_kept_until_the_whole_is_there(part, tmp_path, monkeypatch):
    """Interrupted between two blocks, and begun again."""
    whole, folder = sweep_of(seeds="0:9"), copied(part, tmp_path)
    counts, train = counting(monkeypatch), loop._train_rest

    def interrupted(*arguments):
        if counts:
            raise KeyboardInterrupt
        return train(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "_train_rest", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained(whole, folder)
    assert results.load(folder).sizes["seed"] == 5
    trained(whole, folder)
    assert sum(counts) == 8
    trained(whole, tmp_path / "one")
    same(folder, tmp_path / "one")


@pytest.mark.parametrize(
    "fields",
    [
        {"seeds": "0:4"},
        {"seeds": "1:9"},
        {"steps": 11},
        {"judging.points": 252},
        {"training.batch_size": 9},
        {"sweep": ("loss.kind=non_saturating,least_squares",)},
        {"target.loc": 3.0},
    ],
)
def test_what_is_no_part_is_refused(fields, part):
    with pytest.raises(ConfigError, match="it holds another sweep"):
        trained(sweep_of(**fields), part)
    assert netcdf.damaged(part) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("source", "0" * 16),
        ("engine", "xla"),
        ("versions", {"jax": "0.0.1"}),
        ("switches", {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true"}),
        ("machines", []),
    ],
)
def test_what_was_made_otherwise_is_not_mixed_with(field, value, part, tmp_path):
    """By other code, on another machine; with several machines nobody knows which."""
    record = results.load_record(copied(part, tmp_path))
    files.write_json(tmp_path / netcdf.RECORD, record | {field: value})
    with pytest.raises(
        ConfigError, match="a part of this sweep is there, but was trained in another"
    ):
        trained(sweep_of(seeds="0:9"), tmp_path)
    assert not (tmp_path / "blocks").exists()


def test_records_of_older_versions_that_say_less_are_refused_all_the_same(part, tmp_path):
    record = results.load_record(copied(part, tmp_path))
    for name in ("source", "cohorts", "machines", "switches"):
        del record[name]
    files.write_json(tmp_path / netcdf.RECORD, record)
    with pytest.raises(ConfigError, match="source=None there"):
        trained(sweep_of(seeds="0:9"), tmp_path)


def test_in_a_notebook_a_folder_grows_by_the_same_call(tmp_path):
    for seeds in (3, 5):
        runs = gan1d.run(TINY, seeds=seeds, workdir=tmp_path)
    assert runs.sizes["seed"] == 5
    alone = gan1d.run(TINY, seeds=5)
    np.testing.assert_array_equal(runs.w1, alone.w1)
    assert json.loads(runs.attrs["provenance"])["complete"]
    assert parts.part_of(TINY | {"seeds": "0:3"}, resolve(TINY | {"seeds": "0:2"})) is None
