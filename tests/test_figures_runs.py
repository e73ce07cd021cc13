"""Figures of single runs: true densities, points and features, and animations."""

import itertools

import numpy as np
import pytest
import scipy.stats
import synthetic
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.quiver import Quiver
from PIL import Image

from gan1d.report import figures, tables
from gan1d.report.figures import common, film, layout, line, plane
from gan1d.results import verdicts


@pytest.mark.parametrize(
    "values, x0, x1, mass",
    [(0.6, 0, 1, 1), ((-1, 1), 0, 2, 0.5), (5, 0, 1, 0), ((3, -1), 0, 1, 0.25), (1, 0, 1, 1)],
)
def test_mass_in_view(values, x0, x1, mass):
    ends = np.broadcast_to(values, 2)
    masses = line.bin_masses(np.linspace(*ends, 101)[None], np.linspace(x0, x1, 8))
    assert masses.shape == (1, 7) and masses.sum() == pytest.approx(mass)


def test_density_of_a_folded_map_is_exact():
    """|z| of z ~ U(-1, 3), on points that include the fold: twice as dense below 1."""
    z = np.linspace(-1, 3, 41)
    masses = line.bin_masses(np.abs(z), [0, 0.25, 0.5, 1, 2, 3])
    np.testing.assert_allclose(masses, [0.125, 0.125, 0.25, 0.25, 0.25])


def test_density_of_the_targets_quantiles_is_the_targets():
    quantiles = scipy.stats.norm.ppf(np.clip(np.linspace(0, 1, 101), 1e-4, 1 - 1e-4))
    edges = np.linspace(-2, 2, 21)
    density = line.bin_masses(quantiles, edges) / np.diff(edges)
    centres = (edges[1:] + edges[:-1]) / 2
    np.testing.assert_allclose(density, scipy.stats.norm.pdf(centres), atol=0.01)


def one_run(verdict=verdicts.SUCCESS, latent_dim=None, **fields):
    """One run and its snapshots; None of it is lost."""
    ds = synthetic.dataset(["a"], seeds=1, verdict=verdict, unfinished=0, log_points=5, **fields)
    return ds, synthetic.snapshots(ds, seeds=1, latent_dim=latent_dim)


def draw(kind, ds, snapshots, seed=0):
    with layout.styled():
        figure = figures.KINDS[kind](selection(ds, snapshots, seed))
        figure.draw_without_rendering()
    return figure


def selection(ds, snapshots, seed=0):
    return figures.Selection(ds, tables.summary(ds), snapshots, seed)


def panels(figure):
    return [ax for ax in figure.axes if ax.get_title()]


def stairs(ax):
    (patch,) = ax.patches
    return patch.get_data()


def test_a_latent_of_two_dimensions_is_counted_not_interpolated():
    ds, snapshots = one_run(latent_dim=2)
    jumps = np.where(np.arange(256) % 2, synthetic.MEAN - 1.9, synthetic.MEAN + 1.9)
    snapshots["samples"][:] = jumps[:, None]
    edges = line.bin_edges(ds.x[0])
    masses = line.generated_masses(common.one_run(ds, snapshots, "a", 0), edges)
    assert np.unique(masses).tolist() == [0, 0.5]
    snapshots["latent"][..., 1] = np.nan  # one dimension, beside settings that have two
    masses = line.generated_masses(common.one_run(ds, snapshots, "a", 0), edges)
    assert 0 < masses[0, 50] < 0.1 and masses[0].sum() == pytest.approx(1)


def test_boundary_shows_d_and_all_mass_before_and_after_training():
    ds, snapshots = one_run()
    snapshots["samples"][..., 0, :, :] = np.linspace(-13, 5, 256)[:, None]
    before, after = panels(draw("boundary", ds, snapshots))
    for ax, i, low in ((before, 0, -13), (after, -1, synthetic.MEAN - 4 * synthetic.STD)):
        masses, edges = stairs(ax).values * np.diff(stairs(ax).edges), stairs(ax).edges
        assert masses.sum() == pytest.approx(1, abs=0.03)
        assert edges[0] == pytest.approx(low, abs=0.5) and ax.get_xlim() == (edges[0], edges[-1])
        (twin,) = [
            each for each in ax.figure.axes if each.bbox.bounds == ax.bbox.bounds and each != ax
        ]
        (d,) = [each for each in twin.lines if each.get_label().startswith("D(x)")]
        np.testing.assert_array_equal(d.get_ydata(), snapshots.d[0, 0, i])
    assert before.get_title() == "a\n2% of mass outside"  # 98% of it is to be seen
    assert after.get_title() == f"a\n{verdicts.VERDICTS[int(ds.verdict[0, 0])]}"


def test_a_view_goes_as_far_as_the_bulk_of_samples_but_not_to_those_that_are_far_beyond():
    x = np.linspace(0, 1, 21)
    near, far = np.linspace(0, 1, 100)[None], np.linspace(-50, 1, 100)[None]
    np.testing.assert_allclose(line.view(x, near), line.bin_edges(x))
    assert line.view(x, near - 0.55)[0] == pytest.approx(-0.6)
    assert line.view(x, far)[[0, -1]] == pytest.approx([-line.REACH, 1])
    assert line.view(x, np.concatenate([near, far * np.nan]))[0] == 0


def test_what_is_alike_before_training_is_drawn_once():
    ds = synthetic.dataset(list("abc"), seeds=1, unfinished=0, log_points=3, verdict=0)
    snapshots = synthetic.snapshots(ds, seeds=1)
    snapshots["samples"][:, :, 0] = snapshots.samples.values[0, :, 0]
    snapshots["d"][:, :, 0] = snapshots.d.values[0, :, 0]
    before, *after = panels(draw("boundary", ds, snapshots))
    assert before.get_title().startswith("all settings") and len(after) == 3
    snapshots["d"][1, :, 0] = 0.5
    titles = [ax.get_title().split("\n")[0] for ax in panels(draw("boundary", ds, snapshots))]
    best, *others = tables.summary(ds).setting
    group = [label for label in (best, *others) if label != "b"]
    assert sorted(titles[:2]) == sorted([f"{group[0]} and 1 more", "b"])


def test_a_training_is_one_picture_of_densities_and_d_over_updates():
    ds, snapshots = one_run()
    figure = draw("training_density", ds, snapshots)
    target, density, d, _ = figure.axes
    np.testing.assert_array_equal(target.lines[0].get_xdata(), ds.target_density[0])
    edges = line.view(ds.x[0], snapshots.samples.values[0, 0, ..., 0].reshape(1, -1))
    masses = line.bin_masses(snapshots.samples.values[0, 0, ..., 0], edges)
    shown = np.reshape(density.collections[0].get_array(), (len(edges) - 1, 5))
    np.testing.assert_allclose(shown, (masses / np.diff(edges)).T)
    shown = np.reshape(d.collections[0].get_array(), (201, 5))
    np.testing.assert_allclose(shown, snapshots.d.values[0, 0].T)
    assert density.get_title() == f"density; {common.fate(ds.isel(setting=0, seed=0))}"


def test_every_setting_and_kept_seed_is_drawn_at_its_end():
    ds = synthetic.dataset(["a", "b"], seeds=4, target="ring", log_points=3, unfinished=0)
    snapshots = synthetic.snapshots(ds, seeds=3)
    drawn = panels(draw("seeds", ds, snapshots))
    order = tables.summary(ds).setting
    for ax, (setting, seed) in zip(drawn, itertools.product(order, range(3)), strict=True):
        ended = snapshots.samples.sel(setting=setting, snapshot_seed=seed)[-1]
        np.testing.assert_array_equal(ax.lines[1].get_xydata(), ended)
        fate = common.fate(ds.sel(setting=setting, seed=seed))
        assert ax.get_title().startswith(f"seed {seed}: {fate}")


def test_a_d_that_is_no_probability_is_drawn_as_it_is():
    ds, snapshots = one_run(loss="wasserstein")
    snapshots["d"][:] = 30 * snapshots.d - 20
    figure = draw("boundary", ds, snapshots)
    (twin,) = [ax for ax in figure.axes if ax.bbox.bounds == panels(figure)[0].bbox.bounds][1:]
    (curve,) = twin.lines  # and no line where a probability would be 1/2
    assert curve.get_label() == "D(x), raw output, right axis"
    assert twin.get_ylim() == (snapshots.d.min(), snapshots.d.max())


def test_a_d_that_is_no_probability_is_drawn_by_its_ranks_in_the_plane():
    ds = synthetic.dataset(["a", "b"], seeds=1, unfinished=0, target="ring", loss="hinge")
    snapshots = synthetic.snapshots(ds, seeds=1)
    count = snapshots.sizes["grid"]
    # At first as good as flat, but for one place; later a thousand times as far.
    d = np.geomspace(1, 10, count)
    d[-1] = 1e6
    snapshots["d"][:] = d
    snapshots["d"][..., 1:, :] *= 1e3
    figure = draw("samples", ds, snapshots)
    assert [ax.get_ylabel() for ax in figure.axes].count("D, ranks of raw output") == 1
    for ax in panels(figure):
        (shade,) = ax.collections
        np.testing.assert_allclose(np.ravel(shade.get_array()), (np.arange(count) + 0.5) / count)
        assert shade.get_clim() == (0, 1)
    assert "D spans 1e+06" in panels(figure)[0].get_title()
    assert "D spans 1e+09" in panels(figure)[-1].get_title()


def test_ranks_are_of_what_is_finite():
    _, snapshots = one_run(target="ring", loss="hinge")
    d = snapshots.d.values[0, 0].copy()
    d[0, :3], d[1], d[2] = [np.nan, np.inf, -np.inf], np.inf, 7
    first, second, flat, *_ = plane.shades(d, is_probability=False)
    assert np.isnan(first[:3]).all() and np.isnan(second).all()
    count = len(first) - 3
    np.testing.assert_allclose(np.sort(first[3:]).mean(), 0.5)
    assert first[3:].min() >= 0.5 / count and first[3:].max() <= 1 - 0.5 / count
    assert (flat == 0.5).all()


def test_a_collapsed_generator_is_one_tall_bin():
    ds, snapshots = one_run(verdicts.COLLAPSED)
    snapshots["samples"][..., -1, :, :] = synthetic.MEAN + 0.01
    _, after = panels(draw("boundary", ds, snapshots))
    density, edges, _ = stairs(after)
    assert np.count_nonzero(density) == 1
    assert density.max() == pytest.approx(1 / (edges[1] - edges[0]), rel=1e-4)
    assert f"peak of {density.max():.2g} cut off" in after.get_title()


@pytest.mark.parametrize("target, kind", [("normal", "boundary"), ("ring", "samples")])
def test_a_diverged_run_says_so_and_shows_no_garbage(target, kind):
    ds, snapshots = one_run(verdicts.DIVERGED, target=target)
    snapshots["samples"][:] = 4  # as finite as can be
    snapshots["d"][:] = 0.5
    figure = draw(kind, ds, snapshots)
    first, *_, last = panels(figure)
    assert "nothing finite" in last.get_title() and "nothing finite" not in first.get_title()
    words = last.get_title() if kind == "boundary" else first.get_ylabel()
    assert f"diverged at update {int(ds.diverged_at[0, 0])}" in words
    if kind == "boundary":
        assert np.isnan(stairs(last).values).all()
    else:
        assert np.isnan(last.lines[1].get_xydata()).all()


def test_the_seed_asked_for_is_drawn():
    ds = synthetic.dataset(["a"], seeds=3, unfinished=0, log_points=3, verdict=0)
    snapshots = synthetic.snapshots(ds, seeds=3)
    figure = draw("boundary", ds, snapshots, seed=2)
    assert "seed 2\n" in figure.get_suptitle()
    shown = stairs(panels(figure)[-1])
    expected = line.bin_masses(snapshots.samples[0, 2, -1, :, 0], shown.edges)
    np.testing.assert_allclose(shown.values * np.diff(shown.edges), expected)


def test_what_became_of_a_run_is_told_in_words():
    each = [verdicts.SUCCESS, verdicts.MODES_LOST, verdicts.COLLAPSED, verdicts.DIVERGED, 0]
    ds = synthetic.dataset(["a"], seeds=5, verdict=each)
    *words, last = (common.fate(ds.isel(setting=0, seed=i)) for i in range(5))
    diverged = f"diverged at update {int(ds.diverged_at[0, 3])}"
    assert words == ["success", "modes lost", "collapsed, dead", diverged]
    assert last == "not finished"


def test_samples_are_those_of_the_checkpoints():
    ds, snapshots = one_run(target="ring")
    drawn = panels(draw("samples", ds, snapshots))
    assert [ax.get_title().split("\n")[0] for ax in drawn][::4] == [
        "before training",
        "after 1000 updates",
    ]
    for ax, step in zip(drawn, snapshots.samples[0, 0], strict=True):
        real, generated = ax.lines
        np.testing.assert_array_equal(real.get_xydata(), ds.target_samples[0])
        np.testing.assert_array_equal(generated.get_xydata(), step)


def test_d_shades_the_place_that_it_judges():
    ds, snapshots = one_run(target="curve")
    x = ds.x.values[0, :, 0]
    snapshots["d"][:] = (x - x.min()) / np.ptp(x)
    shade = panels(draw("samples", ds, snapshots))[0].collections[0]
    corners = shade.get_coordinates()[..., 0]
    centres = (corners[:-1] + corners[1:])[:, :-1] / 2 + np.diff(corners, axis=1)[:-1] / 2
    expected = (centres - x.min()) / np.ptp(x)
    np.testing.assert_allclose(np.reshape(shade.get_array(), expected.shape), expected, atol=1e-5)


def test_points_outside_are_counted():
    ds, snapshots = one_run(target="ring")
    snapshots["samples"][0, 0, 0, :7] = 1e6
    snapshots["samples"][0, 0, 0, 7:] = synthetic.MEAN
    first = panels(draw("samples", ds, snapshots))[0]
    assert first.get_title() == "before training\n7 of 256 outside"


def test_arrows_follow_the_centroids_through_each_update():
    ds, snapshots = one_run(target="ring")
    drawn = panels(draw("features", ds, snapshots))
    upper, lower = drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]
    for row, (before, after) in ((upper, (0, 1)), (lower, (1, 2))):
        for ax, step in zip(row, snapshots.features.values[0, 0], strict=True):
            centroids = step.mean(axis=-2)  # [moment, source, feature]
            (arrows,) = [each for each in ax.collections if isinstance(each, Quiver)]
            np.testing.assert_allclose(arrows.XY, centroids[before])
            moves = centroids[after] - centroids[before]
            np.testing.assert_allclose(np.stack([arrows.U, arrows.V], axis=-1), moves)
            distance = np.linalg.norm(centroids[:, 0] - centroids[:, 1], axis=-1)
            change = distance[after] - distance[before]
            assert ax.get_title().endswith(f"distance {distance[after]:.3g}\n({change:+.2g})")


def frames_of(path):
    with Image.open(path) as gif:
        for i in range(gif.n_frames):
            gif.seek(i)
            yield np.asarray(gif.convert("RGB")).astype(int)


@pytest.mark.parametrize("target", ["normal", "ring"])
@pytest.mark.parametrize("kind", ["animation", "seeds_animation"])
def test_an_animation_has_a_frame_a_log_point(tmp_path, monkeypatch, target, kind):
    monkeypatch.setenv("PATH", str(tmp_path))  # no ffmpeg
    ds = synthetic.dataset(["a"], seeds=3, target=target, log_points=4)
    (path,) = figures.draw_all(tmp_path, ds, synthetic.snapshots(ds), tables.summary(ds), [kind])
    assert path.name == f"{kind}.gif"
    frames = list(frames_of(path))
    assert len(frames) == 4
    assert all((a != b).any() for a, b in itertools.pairwise(frames))
    assert (frames[0][0, 0] == 255).all()


@pytest.mark.parametrize("target", ["normal", "ring"])
def test_frames_drawn_in_part_equal_frames_drawn_whole(target):
    """What changes and is not among the artists would be stale, or drawn twice."""
    ds = synthetic.dataset(["a"], seeds=2, target=target, log_points=4, verdict=[0, 6])
    made = film.seeds_animation(selection(ds, synthetic.snapshots(ds)))
    in_part = np.asarray(film._images(made)[2].convert("RGB")).astype(int)
    canvas = FigureCanvasAgg(made.figure)
    for artist in made.artists:
        artist.set_animated(False)
    made.show(2)
    canvas.draw()
    whole = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    differing = (np.abs(in_part - whole).max(axis=-1) > 80).mean()
    assert differing < 1e-3


def test_a_film_shows_every_log_point_of_every_seed():
    ds = synthetic.dataset(["a"], seeds=3, log_points=4, verdict=0, unfinished=0)
    snapshots = synthetic.snapshots(ds, seeds=3)
    made = film.seeds_animation(selection(ds, snapshots))
    for i, seed in itertools.product(range(4), range(3)):
        made.show(i)
        shown = stairs(panels(made.figure)[seed])
        expected = line.bin_masses(snapshots.samples[0, seed, i, :, 0], shown.edges)
        np.testing.assert_allclose(shown.values * np.diff(shown.edges), expected)
        assert made.figure.get_suptitle().endswith(common.moment(250 * i))


def test_a_film_says_the_verdict_at_its_end_and_not_before():
    ds = synthetic.dataset(["a"], seeds=2, log_points=3, verdict=0, unfinished=0)
    made = film.seeds_animation(selection(ds, synthetic.snapshots(ds)))
    for i in range(3):
        made.show(i)
        said = ["success" in ax.get_title() for ax in panels(made.figure)]
        assert said == [i == 2] * 2


def test_long_trainings_are_thinned_out_from_first_to_last():
    chosen = common.checkpoints(5001, film.MAX_FRAMES)
    assert len(chosen) == film.MAX_FRAMES and chosen[0] == 0 and chosen[-1] == 5000
    assert common.checkpoints(3, 5).tolist() == [0, 1, 2]


@pytest.mark.parametrize("exit_code, suffixes", [(0, [".gif", ".mp4"]), (1, [".gif"])])
def test_ffmpeg_adds_an_mp4(tmp_path, monkeypatch, exit_code, suffixes):
    ffmpeg = tmp_path / "ffmpeg"
    ffmpeg.write_text(f'#!/bin/sh\nfor last; do :; done\n: > "$last"\nexit {exit_code}\n')
    ffmpeg.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    ds = synthetic.dataset(["a"], seeds=1, log_points=2)
    paths = figures.draw_all(
        tmp_path, ds, synthetic.snapshots(ds), tables.summary(ds), ["animation"]
    )
    assert [path.suffix for path in paths] == suffixes
    assert all(path.exists() for path in paths)


def test_shades_are_white_where_d_cannot_tell():
    assert plane.SHADE(0.5)[:3] == pytest.approx((1, 1, 1), abs=0.01)
