"""What a file of results may not hold; by someone who makes the hashes fit."""

import h5py
import numpy as np
import pytest
import synthetic

from gan1d import results
from gan1d.results import ResultsError, check, files
from gan1d.system import hardware


@pytest.fixture
def folder(tmp_path):
    runs = synthetic.dataset(seeds=3, log_points=3)
    snapshots = synthetic.snapshots(runs, points=16)
    results.write(tmp_path, runs, snapshots, {"config": {}, "complete": True}, {})
    return tmp_path


def changed(folder, change):
    """Change the file and its hash."""
    with h5py.File(folder / "runs.nc", "r+") as file:
        change(file)
    record = files.read_json(folder / "config.json")
    record["sha256"]["runs.nc"] = files.sha256(folder / "runs.nc")
    files.write_json(folder / "config.json", record)


def soft_link(file):
    file["other"] = h5py.SoftLink("/w1")


def external_link(file):
    file["other"] = h5py.ExternalLink("/etc/hostname", "/")


def external_storage(file):
    file.create_dataset("other", (4,), "i1", external=[("/etc/hostname", 0, 4)])


def virtual(file):
    made = h5py.VirtualLayout((3,), "f4")
    made[:] = h5py.VirtualSource("other.h5", "w1", (3,))
    file.create_virtual_dataset("other", made)


def other_filter(file):
    file.create_dataset("other", data=np.zeros(100), compression="lzf")


def text_of_any_length(file):
    file.create_dataset("other", data=["a", "bc"], dtype=h5py.string_dtype())


def compound(file):
    file.create_dataset("other", data=np.zeros(3, [("a", "f4"), ("b", "i4")]))


def group(file):
    file.create_group("other")


def named_type(file):
    file["other"] = np.dtype("f8")


def huge_and_empty(file):
    file.create_dataset("other", (10**6, 10**6), "f4", chunks=(1000, 1000))


def huge_chunk(file):
    file.create_dataset("other", (10,), "f4", chunks=(10**6,), maxshape=(None,))


REFUSED = {
    soft_link: "link to something else",
    external_link: "link to something else",
    external_storage: "values in other files",
    virtual: "values in other files",
    other_filter: "unknown filter",
    text_of_any_length: "neither numbers nor text",
    compound: "neither numbers nor text",
    group: "unknown group",
    named_type: "no array",
    huge_and_empty: "claims",
    huge_chunk: "claims",
}


@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_what_results_do_not_hold_is_refused_before_it_is_read(folder, change):
    changed(folder, change)
    with pytest.raises(ResultsError, match=REFUSED[change]):
        check.check_file(folder / "runs.nc")
    with pytest.raises(ResultsError, match=REFUSED[change]):
        results.load(folder)


def test_more_than_the_memory_is_refused(folder, monkeypatch):
    monkeypatch.setattr(hardware, "memory", lambda: 1000)
    with pytest.raises(ResultsError, match="more than this machine's memory"):
        results.load(folder)


def attribute(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


def values(name, value):
    def change(file):
        file[name][...] = value

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (attribute("schema", 0), "schema"),
        (attribute("schema", "4"), "schema"),
        (attribute("config", "{}"), "collapsed_std"),
        (attribute("config", "no json"), "no JSON"),
        (attribute("swept", "{}"), "no list"),
        (attribute("swept", '["w1"]'), "'w1' is"),
        (attribute("swept", '["none"]'), "'none' is missing"),
        (attribute("swept", '["seed"]'), "'seed' is"),
        (attribute("swept", '["x", "x"]'), "no list"),
        (attribute("title", 5), "title"),
        (
            attribute("config", '{"judging": {"collapsed_std": 0.25, "success_w1": "x"}}'),
            "success_w1",
        ),
        (attribute("settled_from", 501), "'settled_from' .501. is no update"),
        (attribute("settled_from", "soon"), "'settled_from' .soon. is no update"),
        (values("verdict", 7), "out of its range"),
        (values("diverged_at", -2), "out of its range"),
        (values("best_step", -2), "out of its range"),
        (values("target_std", 0), "not positive"),
        (values("x", np.inf), "not finite"),
        (values("seed", 1), "names something twice"),
        (values("quantile_level", np.linspace(1, 0, 101)), "does not ascend"),
        (lambda file: file.pop("w1"), "'w1' is missing"),
        (lambda file: file.move("generated_std", "other"), "'generated_std' is missing"),
        (lambda file: file.move("ks", "pretraining_loss"), "'pretraining_loss' is"),
    ],
)
def test_results_of_another_form_are_refused_by_name(folder, change, problem):
    changed(folder, change)
    with pytest.raises(ResultsError, match=problem):
        results.load(folder)
