import itertools
import subprocess
import sys

import numpy as np
import pytest
import synthetic
from absl.testing import flagsaver
from matplotlib.collections import FillBetweenPolyCollection

from gan1d import results
from gan1d.commands import draw as command_line
from gan1d.commands import shell
from gan1d.report import figures, statistics, tables
from gan1d.report.figures import common
from gan1d.results import outcomes

ALWAYS = ("outcomes", "w1", "losses", "final_w1", "measures", "successes", "approach")
LINE_KINDS = ("densities", *ALWAYS, "pretraining", "boundary")
PLANE_KINDS = (*ALWAYS, "samples", "features")
MANY = [f"rate {i % 10} + size {i // 10}" for i in range(100)]
GRID = {"rate": [i % 10 for i in range(100)], "size": [0.5 * (i // 10) for i in range(100)]}

CASES = {
    "tricks": lambda: synthetic.dataset(
        **synthetic.tricks_sweep(), seeds=16, pretrained=["plain", "minibatch replace"]
    ),
    "one run": lambda: synthetic.dataset(["plain"], seeds=1, unfinished=0, pretrained=["plain"]),
    "all diverged": lambda: synthetic.dataset(
        outcome=outcomes.DIVERGED, unfinished=0, pretrained=["plain"]
    ),
    "nothing finished": lambda: synthetic.dataset(unfinished=24),
    "ring": lambda: synthetic.dataset(target="ring"),
    "curve": lambda: synthetic.dataset(["plain"], target="curve", outcome=outcomes.DIVERGED),
    "100 settings": lambda: synthetic.dataset(MANY, seeds=3, swept=GRID, log_points=3),
}
DRAWN = [
    (case, kind)
    for case in ("tricks", "one run", "all diverged", "nothing finished")
    for kind in LINE_KINDS
    if (case, kind) != ("nothing finished", "pretraining")
]
DRAWN += itertools.product(("ring", "curve"), PLANE_KINDS)
# Slow ones: those with the longest titles, and those with several panels a setting.
DRAWN += itertools.product(["100 settings"], ("outcomes", "approach", "boundary"))


def draw(kind, ds, snapshots=None, seed=None):
    """The figure, laid out as in its file; pytest turns any warning into an error."""
    figure = figures.KINDS[kind](selection(ds, snapshots, seed))
    figure.draw_without_rendering()
    return figure


def selection(ds, snapshots=None, seed=None):
    return figures.Selection(ds, tables.summary(ds), snapshots, seed)


def draw_all(folder, ds, snapshots, *which, **wanted):
    return figures.draw_all(folder, ds, snapshots, tables.summary(ds), *which, **wanted)


def panels(figure):
    return [ax for ax in figure.axes if ax.get_visible() and ax.get_title()]


def line(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


@pytest.fixture(scope="module")
def cases():
    made = {}

    def case(name):
        if name not in made:
            ds = CASES[name]()
            made[name] = ds, synthetic.snapshots(ds, seeds=min(2, ds.sizes["seed"]))
        return made[name]

    return case


@pytest.mark.parametrize("case, kind", DRAWN)
def test_every_kind_draws_every_case_without_overlapping_text(cases, case, kind):
    ds, snapshots = cases(case)
    figure = draw(kind, ds, snapshots, seed=0)
    title = figure.get_suptitle()
    seeds = "seed 0" if kind in ("boundary", "samples", "features") else f"seeds: {ds.seed.size}"
    assert "synthetic" in title and seeds in title
    most = 6 if kind == "boundary" else 18
    note = f"{most} best and {most} worst of 100 settings"
    assert (note in title) == (ds.sizes["setting"] == 100)
    texts = [ax.title for ax in panels(figure)] + [ax.xaxis.label for ax in figure.axes]
    texts += [figure._suptitle, figure.legends[0], *figure.axes[0].get_yticklabels()]
    boxes = [text.get_window_extent() for text in texts if text.get_visible()]
    boxes = [box for box in boxes if box.width and box.height]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in boxes)


@pytest.mark.parametrize("target", ["normal", "ring"])
def test_kinds_that_need_other_results_do_not_apply(target):
    ds = synthetic.dataset(["plain"], target=target, log_points=2)
    snapshots = None if target == "normal" else synthetic.snapshots(ds, features=False)
    ds = ds.drop_vars("centroid_distance")
    shown = selection(ds, snapshots, 0)
    drawn = {kind for kind, draw in figures.KINDS.items() if draw(shown) is not None}
    expected = {"outcomes", "w1", "losses", "final_w1", "measures", "successes"}
    films = {"samples", "animation", "seeds_animation"}
    assert drawn == expected | ({"densities"} if target == "normal" else films)


def test_density_panels_say_what_became_of_the_runs():
    outcome = np.repeat(range(4), [4, 3, 2, 1])
    ds = synthetic.dataset(["plain"], seeds=10, outcome=outcome, unfinished=0)
    (ax,) = panels(draw("densities", ds))
    assert ax.get_title() == "plain\nsuccess 40%, collapsed 20%\nn = 10, 1 diverged"


def test_density_marks_a_median_that_is_cut_off():
    ds = synthetic.dataset(["plain"], seeds=1, outcome=outcomes.COLLAPSED, unfinished=0)
    (ax,) = panels(draw("densities", ds))
    assert ax.get_ylim()[1] == pytest.approx(2.5 * ds.target_density.values.max())
    assert [text.get_text()[:14] for text in ax.texts] == ["median cut off"]


def test_outcomes_add_up_with_the_success_interval_on_top():
    ds = CASES["tricks"]()
    frame = tables.summary(ds)
    ax = draw("outcomes", ds).axes[0]
    widths = np.reshape([bar.get_width() for bar in ax.patches], (4, 12))
    np.testing.assert_allclose(widths.sum(axis=0), 1)
    np.testing.assert_allclose(widths[0], frame.success_rate)
    (interval,) = ax.containers[-1].lines[2]
    ends = [segment[:, 0] for segment in interval.get_segments()]
    np.testing.assert_allclose(ends, frame[["success_low", "success_high"]])


def test_diverged_majority_takes_the_median_of_w1_out_of_the_axes():
    ds = synthetic.dataset(["a"], seeds=3, outcome=[0, 3, 3], unfinished=0)
    (ax,) = panels(draw("w1", ds))
    median = line(ax, "median over seeds").get_ydata()
    assert median[0] < ax.get_ylim()[1] < median[-1] < np.inf
    (band,) = [c for c in ax.collections if isinstance(c, FillBetweenPolyCollection)]
    assert band.get_paths()[0].vertices[:, 1].max() == median[-1]


def test_a_single_huge_w1_does_not_flatten_the_others():
    ds = synthetic.dataset(["a"], seeds=4, outcome=0, unfinished=0)
    ds["w1"][0, 0, -1] = 1e30
    for kind, limits in (("w1", "get_ylim"), ("final_w1", "get_xlim")):
        ax = draw(kind, ds).axes[0]
        assert getattr(ax, limits)()[1] <= 1000 * synthetic.STD


def test_ecdf_ends_below_one_by_the_share_of_diverged_runs():
    ds = synthetic.dataset(["a"], seeds=4, outcome=[0, 0, 1, 3], unfinished=0)
    ax = draw("final_w1", ds).axes[0]
    curve = line(ax, "a").get_xydata()
    assert curve[0, 1] == 0 and curve[-1, 1] == 0.75
    threshold = line(ax, "success threshold").get_xdata()[0]
    assert curve[curve[:, 0] <= threshold, 1].max() == 0.5
    np.testing.assert_array_equal(
        np.unique(curve[1:-1, 0]), np.sort(ds.w1.values[0, :3, -1].astype(float))
    )


@pytest.mark.parametrize(
    "loss, values",
    [
        ("non_saturating", [2 * np.log(2), np.log(2)]),
        ("saturating", [2 * np.log(2), -np.log(2)]),
        ("wasserstein", []),
    ],
)
def test_equilibrium_is_marked_for_the_losses_that_have_it(loss, values):
    (ax,) = panels(draw("losses", synthetic.dataset(["a"], loss=loss)))
    marks = [line for line in ax.lines if line.get_label().startswith("equilibrium")]
    np.testing.assert_allclose([mark.get_ydata()[0] for mark in marks], values)


def test_each_setting_has_the_equilibrium_of_its_own_loss():
    swept = {"loss.kind": ["non_saturating", "wasserstein"]}
    drawn = {
        ax.get_title(): ax for ax in panels(draw("losses", synthetic.dataset("ab", swept=swept)))
    }
    marks = [line.get_label().startswith("equilibrium") for line in drawn["a"].lines]
    assert sum(marks) == 2 and len(drawn["a"].lines) == 4 and len(drawn["b"].lines) == 2


def test_feature_matching_loss_has_its_own_axis_and_no_equilibrium():
    swept = {"tricks.feature_matching": ["off", "paired"]}
    ds = synthetic.dataset(["plain", "matching"], swept=swept, unfinished=0)
    figure = draw("losses", ds)
    plain, matching = sorted(panels(figure), key=lambda ax: ax.get_title(), reverse=True)
    (twin,) = [ax for ax in figure.axes if ax.get_visible() and not ax.get_title()]
    assert len(plain.lines) == 4 and len(matching.lines) == len(twin.lines) == 1
    assert twin.get_ylim()[1] < 0.1 < matching.get_ylim()[1]


def test_settings_without_a_finished_run_are_not_the_worst():
    ds = synthetic.dataset(MANY, seeds=3, unfinished=30, log_points=2)
    title = draw("outcomes", ds).get_suptitle()
    assert "18 best and 18 worst of 90 settings" in title


def test_heatmap_pools_the_other_fields():
    swept = {
        "rate": [0.1, 0.1, 0.2, 0.1, 0.2],
        "size": [1, 1, 2, 2, 1],
        "noise": ["off", "on", "off", "off", "off"],
    }
    ds = synthetic.dataset(list("abcde"), seeds=4, swept=swept, outcome=0, unfinished=0)
    ds["outcome"][0, :2] = outcomes.DIVERGED
    figure = draw("heatmap", ds)
    ax = figure.axes[0]
    assert sorted(text.get_text() for text in ax.texts) == ["100%\n(0%)"] * 3 + ["75%\n(25%)"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("size", "rate")
    assert "pooled over noise" in figure.get_suptitle()


@pytest.mark.parametrize(
    "swept",
    [
        {},
        {"rate": [1, 2, 3], "noise": ["a", "b", "c"]},
        {"rate": [1, 2, 3], "size": [4, 4, 4]},
        {"rate": [1, 2, 2], "size": [4, 5, 4]},  # in step: (1, 5) is no setting
    ],
)
def test_heatmap_needs_a_grid_of_two_numeric_fields(swept):
    ds = synthetic.dataset(swept=swept, unfinished=0)
    assert figures.KINDS["heatmap"](selection(ds)) is None


def test_heatmap_needs_a_finished_run():
    swept = {"rate": [1, 1, 2, 2], "size": [4, 5, 4, 5]}
    labels = list("abcd")
    drawn = [
        figures.KINDS["heatmap"](
            selection(synthetic.dataset(labels, swept=swept, unfinished=unfinished))
        )
        for unfinished in (31, 32)
    ]
    assert drawn[0] is not None and drawn[1] is None


def test_heatmap_of_100_settings_is_whole():
    figure = draw("heatmap", CASES["100 settings"]())
    assert len(figure.axes[0].texts) == 100


def test_long_labels_break_at_the_plus_and_nowhere_in_a_number():
    label = "instance noise 1e-05 + feature matching paired"
    assert common.wrapped(label, 25).split("\n") == [
        "instance noise 1e-05",
        "+ feature matching paired",
    ]


def met_by_hand(ds, w1):
    """`ds` with one setting whose runs have these W1 `[seed, step]`, in units of the threshold."""
    threshold = synthetic.JUDGING["success_w1"] * synthetic.STD
    ds["w1"] = ds.w1.copy(data=threshold * np.array(w1)[None])
    ds["generated_std"] = ds.generated_std.copy(data=np.full(ds.w1.shape, synthetic.STD))
    met = np.array(w1) <= 1
    ds["first_met"] = ds.first_met.copy(data=np.where(met.any(1), met.argmax(1), -1)[None])
    ends = np.where(
        np.isnan(w1).any(1), outcomes.DIVERGED, np.where(met[:, -1], 0, outcomes.OFF_TARGET)
    )
    ds["outcome"] = ds.outcome.copy(data=ends[None])
    return ds


def test_successes_are_counted_now_and_so_far_among_all_finished_runs():
    lost = np.nan  # diverged, and still one of the four
    w1 = [[2, 0.5, 0.9], [0.5, 2, 2], [2, 2, 2], [2, lost, lost]]
    ds = met_by_hand(synthetic.dataset(["a"], seeds=4, log_points=3, unfinished=0), w1)
    (ax,) = panels(draw("successes", ds))
    assert list(line(ax, "meets the criterion now").get_ydata()) == [0.25, 0.25, 0.25]
    assert list(line(ax, "has met the criterion so far").get_ydata()) == [0.25, 0.5, 0.5]
    assert ax.get_title() == "a\never 50%, at the end 25%\nn = 4, 1 diverged"
    so_far, now = (c for c in ax.collections if isinstance(c, FillBetweenPolyCollection))
    low, high = statistics.wilson_interval([2, 1], [4, 4])
    for band, i in ((so_far, 0), (now, 1)):
        ends = band.get_paths()[0].vertices
        np.testing.assert_allclose(np.unique(ends[ends[:, 0] == 500, 1]), [low[i], high[i]])


def test_the_share_of_successes_ends_at_the_success_rate(cases):
    ds, _ = cases("tricks")
    frame = tables.summary(ds)
    drawn = panels(draw("successes", ds))
    ends = [line(ax, "meets the criterion now").get_ydata()[-1] for ax in drawn]
    np.testing.assert_allclose(ends, frame.success_rate)
    ends = [line(ax, "has met the criterion so far").get_ydata()[-1] for ax in drawn]
    np.testing.assert_allclose(ends, frame.ever_rate)


def centroids_by_hand(g_steps, seeds, outcome=0):
    """One setting whose D moves centroids apart, and G together by `g_steps` [seed, step]."""
    g_steps = np.array(g_steps, float)
    ds = synthetic.dataset(
        ["a"], seeds=seeds, log_points=g_steps.shape[1], outcome=outcome, unfinished=0
    )
    before, after_d = np.full_like(g_steps, 0.5), np.ones_like(g_steps)
    distance = np.stack([before, after_d, 1 - 0.1 * g_steps], axis=-1)[None]
    ds["centroid_distance"] = ds.centroid_distance.copy(data=distance)
    return ds


def test_approach_counts_updates_over_seeds_and_runs_once_each():
    ds = centroids_by_hand([[1, 1, 1], [1, 1, -1], [1, -1, 0]], seeds=3)
    (ax,) = panels(draw("approach", ds))
    g = line(ax, "G's step: generated centroid towards the real one").get_ydata()
    np.testing.assert_allclose(g, [1, 2 / 3, 1 / 3])
    np.testing.assert_allclose(line(ax, "D's step: centroids apart").get_ydata(), 1)
    low, high = np.clip(statistics.mean_interval(np.array([1, 2 / 3, 1 / 3])), 0, 1)
    words = f"G 67% [{100 * low:.0f}, {100 * high:.0f}], D 100% [100, 100]"
    assert ax.get_title() == f"a\n{words}\nn = 3"


def test_approach_counts_a_diverged_run_while_it_lasts():
    nan = np.nan
    ds = centroids_by_hand([[1, 1, 1], [-1, nan, nan]], seeds=2, outcome=[0, 3])
    (ax,) = panels(draw("approach", ds))
    g = line(ax, "G's step: generated centroid towards the real one").get_ydata()
    np.testing.assert_allclose(g, [0.5, 1, 1])
    assert ax.get_title().endswith("n = 2, 1 diverged")


def test_approach_says_what_the_summary_says(cases):
    ds, _ = cases("tricks")
    for ax, row in zip(panels(draw("approach", ds)), tables.summary(ds).itertuples(), strict=True):
        assert f"G {100 * row.approach_mean:.0f}%" in ax.get_title()


def test_pretraining_shows_d_of_every_kept_seed_before_and_after(cases):
    ds, snapshots = cases("tricks")
    drawn = panels(draw("pretraining", ds, snapshots))
    assert {ax.get_title().split("\n")[0] for ax in drawn} == {"plain", "minibatch replace"}
    ax = next(ax for ax in drawn if ax.get_title() == "plain")
    plain = snapshots.sel(setting="plain")
    curves = [each.get_ydata() for each in ax.lines]
    np.testing.assert_array_equal(curves[:2], plain.d_initial)
    np.testing.assert_array_equal(curves[2:4], plain.d_pretrained)
    np.testing.assert_array_equal(curves[4], ds.target_density.sel(setting="plain"))
    loss_ax = next(ax for ax in drawn if ax.get_title() == "plain\nn = 16")
    loss = line(loss_ax, "loss, median over seeds").get_ydata()
    values = np.sort(ds.pretraining_loss.sel(setting="plain").values, axis=0)
    np.testing.assert_array_equal(loss, values[7])


def test_draw_all_writes_what_applies_but_animations(tmp_path):
    ds = synthetic.dataset(["plain"], seeds=2, log_points=2)
    paths = draw_all(tmp_path, ds, synthetic.snapshots(ds))
    assert {path.stem for path in paths} == {*LINE_KINDS} - {"pretraining"}
    assert all(path.parent == tmp_path / "figures" for path in paths)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_a_kind_is_a_function_and_its_entry(tmp_path, monkeypatch):
    """Nothing else has to know of it for it to be drawn, listed and cleared."""

    def mine(selection):
        """A figure of one's own."""
        return common.new_figure(1, 1)

    monkeypatch.setitem(figures.KINDS, "mine", mine)
    ds = synthetic.dataset(["plain"], seeds=2, log_points=2)
    assert tmp_path / "figures" / "mine.png" in draw_all(tmp_path, ds, synthetic.snapshots(ds))
    assert "A figure of one's own." in command_line._kinds_help()
    figures.clear(tmp_path)
    assert not list((tmp_path / "figures").iterdir())


def test_clear_removes_what_is_drawn_and_nothing_else(tmp_path):
    ds = synthetic.dataset(["plain"], seeds=2, log_points=2)
    drawn = draw_all(tmp_path, ds, synthetic.snapshots(ds), ["outcomes", "animation"])
    (tmp_path / "figures" / "mine.png").touch()
    assert len(drawn) >= 2
    figures.clear(tmp_path)
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["mine.png"]


def test_a_selected_setting_is_the_only_one_drawn(tmp_path, monkeypatch):
    ds = synthetic.dataset(["a", "b"], seeds=2, log_points=2)
    seen = []
    monkeypatch.setitem(figures.KINDS, "w1", seen.append)
    draw_all(tmp_path, ds, synthetic.snapshots(ds), ["w1"], setting="b", seed=1)
    draw_all(tmp_path, ds, synthetic.snapshots(ds), ["w1"])
    draw_all(tmp_path, ds, None, ["w1"])
    (runs, summary, snapshots, seed), (everything, _, _, first), (_, _, nothing, none) = seen
    assert summary.setting.tolist() == ["b"]
    assert runs.setting.values.tolist() == snapshots.setting.values.tolist() == ["b"]
    assert everything.sizes["setting"] == 2
    assert (seed, first, nothing, none) == (1, 0, None, None)


@pytest.mark.parametrize(
    "selection, words",
    [
        ({"setting": "c"}, "setting=c: there are 'a', 'b'"),
        ({"seed": 7}, "seed=7: snapshots were kept of 0, 1"),
    ],
)
def test_a_selection_of_nothing_says_what_there_is(tmp_path, selection, words):
    ds = synthetic.dataset(["a", "b"], seeds=3, log_points=2)
    with pytest.raises(figures.SelectionError, match=f"^{words}$"):
        draw_all(tmp_path, ds, synthetic.snapshots(ds), **selection)


def test_a_seed_needs_snapshots():
    ds = synthetic.dataset(["a"], seeds=3, log_points=2)
    with pytest.raises(figures.SelectionError, match="snapshots were kept of no seed"):
        common.select(ds, tables.summary(ds), None, None, 0)


def test_of_many_settings_a_wrong_selection_lists_some():
    ds = synthetic.dataset(MANY, seeds=1, log_points=2)
    with pytest.raises(figures.SelectionError, match=r"and 60 more$"):
        common.select(ds, tables.summary(ds), None, "none of them", None)


def run(*arguments):
    command = [sys.executable, "-m", "gan1d", "draw", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_bad_folder_is_one_line_and_exit_code_2(tmp_path):
    done = run(tmp_path / "nowhere")
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "nowhere" in done.stderr


def test_kinds_asked_for_are_drawn_from_a_results_folder(tmp_path):
    ds = synthetic.dataset(["plain"], seeds=2, log_points=2)
    results.write(tmp_path, ds, synthetic.snapshots(ds), {"config": {}, "complete": True}, {})
    done = run(tmp_path, "--kind=boundary", "--kind=heatmap", "--setting=plain", "--seed=1")
    assert done.returncode == 0
    assert done.stdout.split() == [str(tmp_path / "figures" / "boundary.png")]
    assert done.stderr == "heatmap: does not apply to this sweep\n"
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["boundary.png"]


@pytest.mark.parametrize(
    "flag, words",
    [
        ("--setting=b", "'plain'"),
        ("--seed=9", "0, 1"),
        ("--seed=x", "invalid"),
        ("--kind=w2", "final_w1"),
    ],
)
def test_an_unknown_choice_is_one_line_and_exit_code_2(tmp_path, capsys, flag, words):
    ds = synthetic.dataset(["plain"], seeds=2, log_points=2)
    results.write(tmp_path, ds, synthetic.snapshots(ds), {"config": {}, "complete": True}, {})
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as stop:
        sys.exit(command_line.main(shell.parse_flags(["figures", str(tmp_path), flag])))
    assert stop.value.code == 2
    printed = capsys.readouterr()
    (problem,) = printed.err.splitlines()
    assert words in problem and flag.removeprefix("--") in problem and not printed.out


def test_help_lists_the_kinds_a_line_each():
    shown = run("--help").stdout
    assert "results/NAME" in shown
    for name, kind in figures.KINDS.items():
        (listed,) = [row for row in shown.splitlines() if row.split()[:1] == [name]]
        assert kind.__doc__.splitlines()[0] in listed and len(listed) <= 120
