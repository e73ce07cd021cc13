"""Figures drawn by several processes are those that one process draws."""

import signal
import sys
import time

import pytest
import synthetic

from gan1d.report import drawing, figures, page, tables
from gan1d.system import hardware

KINDS = ["verdicts", "strip", "raster", "profiles", "w1", "losses", "heatmap", "stability"]


@pytest.fixture
def selection(monkeypatch):
    monkeypatch.setattr(hardware, "cores", lambda: 2)
    monkeypatch.setattr(drawing, "ITEMS_A_PROCESS", 4)
    ds = synthetic.dataset(["a", "b"], seeds=3, log_points=3)
    return ds, synthetic.snapshots(ds), tables.summary(ds), KINDS, "b", 1


def contents(paths):
    return {path.name: path.read_bytes() for path in paths}


def keep_waiting_for(paths, monkeypatch):
    """Let this process draw its first figure no sooner than others have written these files."""
    verdicts = figures.KINDS["verdicts"]

    def late(selected):
        end = time.monotonic() + 60
        while not all(path.exists() for path in paths):
            assert time.monotonic() < end
            time.sleep(0.05)
        return verdicts(selected)

    monkeypatch.setitem(figures.KINDS, "verdicts", late)


def test_two_processes_draw_what_one_does(tmp_path, selection, monkeypatch):
    """The first figure is finished here when all others are, which so the helper has drawn."""
    alone = figures.draw_all(tmp_path / "alone", *selection)
    first, *others = [
        tmp_path / "together" / path.relative_to(tmp_path / "alone") for path in alone
    ]
    keep_waiting_for(others, monkeypatch)
    together = drawing.draw_all(tmp_path / "together", *selection)
    assert together == [first, *others] and contents(together) == contents(alone)


@pytest.mark.parametrize("program", ["/bin/false", "/nothing/there"])
def test_what_a_helper_does_not_draw_is_drawn_here(program, tmp_path, selection, monkeypatch):
    monkeypatch.setattr(sys, "executable", program)
    drawn = drawing.draw_all(tmp_path, *selection)
    assert [path.stem for path in drawn] == [kind for kind in KINDS if kind != "heatmap"]


def test_a_helper_that_waits_writes_the_report(tmp_path, selection, monkeypatch):
    """And is gone afterwards, whatever has happened meanwhile."""
    keep_waiting_for([tmp_path / page.NAME], monkeypatch)
    with (
        pytest.raises(KeyboardInterrupt),
        drawing.ready(len(KINDS) + 1, page.IMPORTED) as helpers,
    ):
        drawing.publish(tmp_path, *selection[:3], KINDS, helpers)
        raise KeyboardInterrupt
    (helper,) = helpers
    assert helper.returncode == -signal.SIGKILL
    assert (tmp_path / "figures" / "verdicts.png").exists()
