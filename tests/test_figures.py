import itertools
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
import synthetic
from matplotlib.collections import FillBetweenPolyCollection

from gan1d import figures, results, stats

LINE_KINDS = ("densities", "outcomes", "w1", "losses", "final_w1")
MANY = [f"rate {i % 20} + size {i // 20}" for i in range(400)]
GRID = {"rate": [i % 20 for i in range(400)], "size": [0.5 * (i // 20) for i in range(400)]}

CASES = {
    "tricks": lambda: synthetic.dataset(**synthetic.tricks_sweep(), seeds=16),
    "one run": lambda: synthetic.dataset(["plain"], seeds=1, unfinished=0),
    "all diverged": lambda: synthetic.dataset(outcome=stats.DIVERGED, unfinished=0),
    "nothing finished": lambda: synthetic.dataset(unfinished=24),
    "400 settings": lambda: synthetic.dataset(MANY, seeds=3, swept=GRID, log_points=3),
}


def draw(kind, ds):
    """The figure, laid out as in its file; pytest turns any warning into an error."""
    figure = figures.KINDS[kind](ds)
    figure.draw_without_rendering()
    return figure


def panels(figure):
    return [ax for ax in figure.axes if ax.get_visible() and ax.get_title()]


def line(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param]()


@pytest.mark.parametrize("kind", LINE_KINDS)
def test_every_kind_draws_every_case_without_overlapping_text(case, kind):
    figure = draw(kind, case)
    title = figure.get_suptitle()
    assert "synthetic" in title and f"seeds: {case.sizes['seed']}" in title
    assert ("18 best and 18 worst of 400 settings" in title) == (case.sizes["setting"] == 400)
    texts = [ax.title for ax in panels(figure)] + [ax.xaxis.label for ax in figure.axes]
    texts += [figure._suptitle, figure.legends[0], *figure.axes[0].get_yticklabels()]
    boxes = [text.get_window_extent() for text in texts if text.get_visible()]
    boxes = [box for box in boxes if box.width and box.height]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in boxes)


@pytest.mark.parametrize(
    "quantiles, x0, x1, mass", [(0.6, 0, 1, 1), ((-1, 1), 0, 2, 0.5), (5, 0, 1, 0)]
)
def test_density_integrates_to_the_mass_in_view(quantiles, x0, x1, mass):
    levels = np.linspace(0, 1, 101)
    ends = np.broadcast_to(quantiles, 2)
    edges = np.linspace(x0, x1, 8)
    (density,) = figures._run_densities(np.linspace(*ends, 101)[None], levels, edges)
    assert (density * np.diff(edges)).sum() == pytest.approx(mass)


def test_density_of_the_targets_quantiles_is_the_targets():
    levels = np.linspace(0, 1, 101)
    quantiles = scipy.stats.norm.ppf(np.clip(levels, 1e-4, 1 - 1e-4))
    edges = np.linspace(-2, 2, 21)
    (density,) = figures._run_densities(quantiles[None], levels, edges)
    centres = (edges[1:] + edges[:-1]) / 2
    np.testing.assert_allclose(density, scipy.stats.norm.pdf(centres), atol=0.01)


def test_density_panels_say_what_became_of_the_runs():
    outcome = np.repeat(range(4), [4, 3, 2, 1])
    ds = synthetic.dataset(["plain"], seeds=10, outcome=outcome, unfinished=0)
    (ax,) = panels(draw("densities", ds))
    assert ax.get_title() == "plain\nsuccess 40%, collapsed 20%\nn = 10, 1 diverged"


def test_density_marks_a_median_that_is_cut_off():
    ds = synthetic.dataset(["plain"], seeds=1, outcome=stats.COLLAPSED, unfinished=0)
    (ax,) = panels(draw("densities", ds))
    assert ax.get_ylim()[1] == pytest.approx(2.5 * ds.target_density.values.max())
    assert [text.get_text()[:14] for text in ax.texts] == ["median cut off"]


def test_outcomes_add_up_with_the_success_interval_on_top():
    ds = CASES["tricks"]()
    frame = stats.summary(ds)
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


def test_no_equilibrium_where_the_loss_is_swept():
    ds = synthetic.dataset(["a", "b"], swept={"loss.kind": ["non_saturating", "wasserstein"]})
    assert all(len(ax.lines) == 2 for ax in panels(draw("losses", ds)))


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
    assert "18 best and 18 worst of 390 settings" in title


def test_heatmap_pools_the_other_fields():
    swept = {
        "rate": [0.1, 0.1, 0.2, 0.1, 0.2],
        "size": [1, 1, 2, 2, 1],
        "noise": ["off", "on", "off", "off", "off"],
    }
    ds = synthetic.dataset(list("abcde"), seeds=4, swept=swept, outcome=0, unfinished=0)
    ds["outcome"][0, :2] = stats.DIVERGED
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
    assert figures.heatmap(synthetic.dataset(swept=swept, unfinished=0)) is None


def test_heatmap_needs_a_finished_run():
    swept = {"rate": [1, 1, 2, 2], "size": [4, 5, 4, 5]}
    labels = list("abcd")
    assert figures.heatmap(synthetic.dataset(labels, swept=swept, unfinished=32)) is None
    assert figures.heatmap(synthetic.dataset(labels, swept=swept, unfinished=31)) is not None


def test_heatmap_of_400_settings_is_whole():
    figure = draw("heatmap", CASES["400 settings"]())
    assert len(figure.axes[0].texts) == 400


def test_long_labels_break_at_the_plus_and_nowhere_in_a_number():
    label = "instance noise 1e-05 + feature matching paired"
    assert figures._wrapped(label, 25).split("\n") == [
        "instance noise 1e-05",
        "+ feature matching paired",
    ]


def test_draw_all_writes_what_applies(tmp_path):
    ds = synthetic.dataset(["plain"], seeds=2, log_points=2)
    paths = figures.draw_all(ds, tmp_path)
    assert [path.stem for path in paths] == list(LINE_KINDS)
    assert all(path.parent == tmp_path / "figures" for path in paths)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def run(*arguments):
    command = [sys.executable, "-m", "gan1d.figures", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_bad_folder_is_one_line_and_exit_code_2(tmp_path):
    done = run(tmp_path / "nowhere")
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "nowhere" in done.stderr


def test_kinds_asked_for_are_drawn_from_a_results_folder(tmp_path):
    ds = synthetic.dataset(["plain"], seeds=2, log_points=2)
    results.write(tmp_path, ds, synthetic.snapshots(ds), {"config": {}})
    done = run(tmp_path, "--kind=outcomes", "--kind=heatmap")
    assert done.returncode == 0
    assert done.stdout.split() == [str(tmp_path / "figures" / "outcomes.png")]
    assert done.stderr == "heatmap: does not apply to this sweep\n"
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["outcomes.png"]


def test_help_lists_the_kinds():
    shown = run("--help").stdout
    assert "results/NAME" in shown and all(kind in shown for kind in figures.KINDS)
