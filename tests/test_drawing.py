"""Figures drawn by several processes are those that one process draws."""

import sys
import time

import pytest
import synthetic

from gan1d.report import drawing, figures, tables
from gan1d.system import hardware

KINDS = ["verdicts", "strip", "raster", "profiles", "w1", "losses", "heatmap", "stability"]


@pytest.fixture
def selection(monkeypatch):
    monkeypatch.setattr(hardware, "cores", lambda: 2)
    monkeypatch.setattr(drawing, "KINDS_A_PROCESS", 4)
    ds = synthetic.dataset(["a", "b"], seeds=3, log_points=3)
    return ds, synthetic.snapshots(ds), tables.summary(ds), KINDS, "b", 1


def contents(paths):
    return {path.name: path.read_bytes() for path in paths}


def test_two_processes_draw_what_one_does(tmp_path, selection, monkeypatch):
    """The first figure is finished here when all others are, which so the helper has drawn."""
    alone = figures.draw_all(tmp_path / "alone", *selection)
    first, *others = [
        tmp_path / "together" / path.relative_to(tmp_path / "alone") for path in alone
    ]
    verdicts = figures.KINDS["verdicts"]

    def late(selected):
        end = time.monotonic() + 60
        while not all(path.exists() for path in others):
            assert time.monotonic() < end
            time.sleep(0.05)
        return verdicts(selected)

    monkeypatch.setitem(figures.KINDS, "verdicts", late)
    together = drawing.draw_all(tmp_path / "together", *selection)
    assert together == [first, *others] and contents(together) == contents(alone)


def test_what_a_helper_does_not_draw_is_drawn_here(tmp_path, selection, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    drawn = drawing.draw_all(tmp_path, *selection)
    assert [path.stem for path in drawn] == [kind for kind in KINDS if kind != "heatmap"]
