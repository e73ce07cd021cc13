"""What a notebook does with results: figures, tables and the report of what is in memory."""

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
import synthetic

import gan1d
from gan1d import results
from gan1d.report import comparisons, effects, figures, tables
from gan1d.report.figures import layout
from gan1d.report.runs import SelectionError
from gan1d.results.files import WriteError


@pytest.fixture(scope="module")
def runs():
    """Two factors of two levels, six seeds, with snapshots of two: a tree."""
    swept = {"target.loc": [0.0, 0.0, 4.0, 4.0], "loss.kind": ["hinge", "least"] * 2}
    made = synthetic.dataset(["a", "b", "c", "d"], 6, swept=swept, log_points=4, unfinished=0)
    return results.tree(made, synthetic.snapshots(made))


def test_a_tree_has_runs_at_its_root_and_is_read_as_it_was_written(runs, tmp_path):
    whole, snapshots = results.parts(runs)
    results.write(tmp_path, whole, snapshots, {"config": {}, "complete": True}, {})
    loaded = gan1d.load(tmp_path)
    np.testing.assert_array_equal(loaded.w1, runs["w1"])
    np.testing.assert_array_equal(loaded.snapshots.samples, snapshots.samples)
    assert loaded.attrs["provenance"] == '{"config": {}, "complete": true}'
    first = loaded.isel(setting=0)  # of all of it
    assert first.snapshots.sizes["step"] == 4 and "setting" not in first.snapshots.sizes
    again, shown = results.parts(loaded)
    assert again.equals(results.load(tmp_path)) and shown.equals(results.load_snapshots(tmp_path))
    assert results.parts(results.tree(whole, None)) == (whole, None)


def test_every_kind_of_figure_is_drawn_by_its_name(runs):
    assert dir(gan1d.draw) == sorted(figures.KINDS)
    for kind in ("profiles", "boundary"):
        draw = getattr(gan1d.draw, kind)
        assert draw.__name__ == kind and figures.KINDS[kind].__doc__ in draw.__doc__
        assert list(inspect.signature(draw).parameters) == ["runs", "setting", "seed"]
    drawn = gan1d.draw.profiles(runs)
    # A notebook asks a figure that pyplot doesn't know for this, and an editor may keep it.
    assert drawn._repr_png_().startswith(b"\x89PNG")
    assert pickle.loads(pickle.dumps(drawn))._repr_png_().startswith(b"\x89PNG")


def test_a_setting_and_a_seed_are_chosen_as_on_the_command_line(runs, monkeypatch):
    asked, blank = [], lambda: layout.single(1, 1)[0]
    monkeypatch.setitem(figures.KINDS, "boundary", lambda of: asked.append(of) or blank())
    for setting in ("b", 2, "2"):
        gan1d.draw.boundary(runs, setting=setting, seed=1)
        assert asked[-1].runs.setting.values.tolist() == ["b"] == asked[-1].summary.setting.tolist()
        assert asked[-1].seed == 1 and asked[-1].snapshots.sizes["snapshot_seed"] == 2
    gan1d.draw.boundary(runs)
    assert asked[-1].runs.sizes["setting"] == 4 and asked[-1].seed == 0


def test_what_can_not_be_drawn_is_refused(runs):
    with pytest.raises(AttributeError, match="profile: there are densities"):
        gan1d.draw.profile  # noqa: B018
    with pytest.raises(SelectionError, match="samples: does not apply"):
        gan1d.draw.samples(runs)
    with pytest.raises(SelectionError, match="seed=5: snapshots were kept of 0, 1"):
        gan1d.draw.boundary(runs, seed=5)
    with pytest.raises(SelectionError, match="animation: does not apply"):
        gan1d.draw.animation(runs.to_dataset())  # has no snapshots


def test_an_animation_is_shown_as_a_gif(runs, tmp_path):
    film = gan1d.draw.animation(runs, setting="c", seed=1)
    assert film._repr_html_().startswith('<img src="data:image/gif;base64,R0lGOD')
    assert film.save(tmp_path / "c.gif").read_bytes() == film.content
    with pytest.raises(WriteError):
        film.save(tmp_path / "c.gif" / "c.gif")


def test_tables_have_the_numbers_that_commands_print(runs):
    whole, _ = results.parts(runs)
    pd.testing.assert_frame_equal(gan1d.summary(runs), tables.summary(whole))
    pd.testing.assert_frame_equal(gan1d.summary(whole), tables.summary(whole))

    frame = gan1d.compare(runs, against=2)
    cells = pd.DataFrame(comparisons.rows(comparisons.compare_all(whole, "b")))
    assert frame.setting.tolist() == cells.setting.tolist() == ["a"] * 3 + ["c"] * 3 + ["d"] * 3
    assert frame.pairs.tolist() == [6] * 9
    points = cells["difference [95%]"].str.partition(" ")[0].astype(float)
    np.testing.assert_allclose(100 * frame.difference, points, atol=0.051)
    difference = (frame.only_it - frame.only_other) / frame.pairs
    np.testing.assert_allclose(frame.difference, difference)
    with pytest.raises(SelectionError, match="against=x"):
        gan1d.compare(runs, against="x")

    frame = gan1d.effects(runs)
    cells = pd.DataFrame(effects.rows(effects.find(whole)))
    assert frame.what.tolist() == cells.what.tolist()
    assert (frame.low <= frame.estimate).all() and (frame.estimate <= frame.high).all()
    success = whole.verdict.values == 0
    expected = success[2:].mean() - success[:2].mean()
    np.testing.assert_allclose(frame.estimate[frame.what == "loc=4"].iloc[0], expected)
