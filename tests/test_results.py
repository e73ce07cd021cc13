"""Results: what goes in comes out, readable by anyone, and damage is noticed."""

import json
import subprocess
import sys

import numpy as np
import pytest
import synthetic
import xarray as xr

from gan1d import results
from gan1d.results import ResultsError, files

RECORD = {"config": {"steps": 1}, "complete": True}


@pytest.fixture
def folder(tmp_path):
    runs = synthetic.dataset(seeds=5)
    results.write(tmp_path, runs, synthetic.snapshots(runs), RECORD, {"summary.md": "a table"})
    return tmp_path


def test_what_is_written_is_what_is_read(folder):
    runs = synthetic.dataset(seeds=5)
    loaded = results.load(folder)
    xr.testing.assert_identical(loaded.drop_attrs(deep=True), runs.drop_attrs(deep=True))
    assert json.loads(loaded.attrs["config"]) == json.loads(runs.attrs["config"])
    snapshots = results.load_snapshots(folder)
    xr.testing.assert_equal(snapshots, synthetic.snapshots(runs))


def test_results_without_snapshots_say_so(tmp_path):
    results.write(tmp_path, synthetic.dataset(), None, RECORD, {})
    assert results.load_snapshots(tmp_path) is None


def test_runs_open_with_xarray_alone(folder):
    """In a Python that can't import gan1d."""
    program = (
        "import sys; sys.modules['gan1d'] = None\n"
        "import xarray as xr\n"
        f"runs = xr.open_dataset({str(folder / 'runs.nc')!r}, engine='h5netcdf')\n"
        "print(float(runs.w1.isel(step=0).max()), runs.setting.values[0])\n"
        f"tree = xr.open_datatree({str(folder / 'runs.nc')!r}, engine='h5netcdf')\n"
        "print(tree['snapshots'].samples.shape)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    runs = synthetic.dataset(seeds=5)
    first, second = done.stdout.splitlines()
    assert first == f"{float(runs.w1.isel(step=0).max())} {runs.setting.values[0]}"
    assert second == str(synthetic.snapshots(runs).samples.shape)


def test_every_variable_is_checksummed(folder):
    import h5py

    unprotected = []
    with h5py.File(folder / "runs.nc") as file:
        file.visititems(
            lambda name, item: (
                unprotected.append(name)
                if isinstance(item, h5py.Dataset)
                and item.size
                and item.shape
                and not item.fletcher32
                # A dimension without coordinates has no values, only a length.
                and b"This is a netCDF dimension but not a netCDF variable"
                not in item.attrs.get("NAME", b"")
                else None
            )
        )
    assert not unprotected


def test_every_flipped_bit_of_runs_is_an_error(folder):
    """At 2,000 positions."""
    path = folder / "runs.nc"
    whole = path.read_bytes()
    positions = np.unique(np.linspace(0, len(whole) - 1, 2000).astype(int))
    assert len(positions) == 2000
    for i, position in enumerate(positions):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << i % 8
        path.write_bytes(damaged)
        with pytest.raises(ResultsError, match="damaged"):
            results.load(folder)


def test_every_flipped_bit_of_the_record_is_an_error_or_changes_nothing(folder):
    """Nothing changes where it is blank space that becomes another one."""
    path, record = folder / "config.json", results.load_record(folder)
    whole = path.read_bytes()
    unnoticed = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            assert results.load_record(folder) == record
            unnoticed += 1
        except ResultsError:
            pass
    assert unnoticed < 0.2 * len(whole)


def test_a_flipped_byte_of_data_is_an_error_to_xarray_alone(folder):
    import h5py

    path = folder / "runs.nc"
    with h5py.File(path) as file:
        chunk = file["w1"].id.get_chunk_info(0)
    damaged = bytearray(path.read_bytes())
    damaged[chunk.byte_offset + chunk.size // 2] ^= 4
    path.write_bytes(damaged)
    with pytest.raises(OSError), xr.open_dataset(path, engine="h5netcdf") as runs:
        runs.w1.load()


def test_a_truncated_or_missing_file_is_an_error(folder):
    path = folder / "runs.nc"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ResultsError, match="damaged"):
        results.load(folder)
    path.unlink()
    with pytest.raises(ResultsError, match="no results here"):
        results.load(folder)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "nonsense", '{"config": {}}', '"text"', "[" * 10**5, "9" * 10**4]
)
def test_a_record_that_is_none_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(ResultsError, match="not a record"):
        results.load(folder)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"schema": "new"}, "schema 'new'"),
        ({"schema": 0}, "schema 0"),
        ({"config": []}, "not a results record"),
        ({"sha256": {}}, "damaged"),
        ({"complete": "yes"}, "not a results record"),
    ],
)
def test_another_record_is_refused(folder, change, problem):
    """One with a digest that fits."""
    record = files.read_json(folder / "config.json")
    files.write_json(folder / "config.json", record | change)
    with pytest.raises(ResultsError, match=problem):
        results.load(folder)


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")

    def fail(temporary):
        temporary.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        results.replace(path, fail)
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
