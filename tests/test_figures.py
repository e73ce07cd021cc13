import itertools
import re
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
import synthetic
from absl.testing import flagsaver
from matplotlib.collections import FillBetweenPolyCollection, LineCollection
from matplotlib.colors import to_rgba
from matplotlib.quiver import Quiver

from gan1d import results
from gan1d.commands import draw as command_line
from gan1d.commands import shell
from gan1d.report import comparisons, effects, figures, statistics, tables
from gan1d.report import runs as of_runs
from gan1d.report.figures import Look, Mapped, common, facets, layout
from gan1d.report.figures import line as line_kinds
from gan1d.results import judge, verdicts
from gan1d.results.verdicts import DIVERGED, FAR, SUCCESS

# Those that apply to whatever is finished, of one setting and of several.
OF_RUNS = ("verdicts", "strip", "raster", "stability", "w1", "successes", "measures")
OF_FINISHED = ("profiles", "survival")
OF_SEVERAL = ("profile_differences", "differences")
ALWAYS = (*OF_RUNS, "losses", "approach")
LINE_KINDS = ("densities", *ALWAYS, "moments", "pretraining", "boundary", "training_density")
PLANE_KINDS = (*ALWAYS, *OF_FINISHED, "samples", "seeds", "features")
ONE_SEED = ("boundary", "training_density", "samples", "features")
MANY = [f"rate {i % 10} + size {i // 10}" for i in range(100)]
GRID = {"rate": [i % 10 for i in range(100)], "size": [0.5 * (i // 10) for i in range(100)]}


def games(ds):
    """Results with the slopes of D that games have; the last setting is none."""
    angle = 0.5 * np.arange(ds.sizes["step"]) + 0.1 * ds.seed.values[:, None]
    radius = np.linspace(0.5, 1.5, ds.sizes["setting"])[:, None, None]
    ds["generated_mean"] = ds.w1.copy(data=radius * np.cos(angle))
    ds["d_slope"] = ds.w1.copy(data=radius * np.sin(angle))
    ds["target_mean"] = 0.0 * ds.target_mean
    settings = ds.sizes["setting"]
    places = np.stack(np.meshgrid([-1.0, 0.0, 1.0], [-2.0, 2.0]), -1).reshape(-1, 2)
    turned = np.stack([-places[:, 1], places[:, 0]], -1)
    for name, values in (("place", places), ("field", turned)):
        ds[name] = ("setting", "node", "player"), np.tile(values, (settings, 1, 1))
    steps = 0.2j * np.linspace(0, 1, 4)[:, None] * [1, -1]
    for name, dim, values in (("update", "number", 1 + steps), ("flow", "player", np.exp(steps))):
        shaped = ("setting", "part", dim), np.tile(values, (settings, 1, 1))
        ds[f"{name}_eigenvalue"] = shaped
    if settings > 1:
        ds["update_eigenvalue"][-1] = np.nan
        ds["d_slope"][-1] = np.nan
    return ds


CASES = {
    "tricks": lambda: synthetic.dataset(
        **synthetic.tricks_sweep(), seeds=16, pretrained=["plain", "minibatch replace"]
    ),
    "one run": lambda: synthetic.dataset(["plain"], seeds=1, unfinished=0, pretrained=["plain"]),
    "one seed": lambda: synthetic.dataset(seeds=1, unfinished=0, swept={"rate": [0.1, 0.2, 0.3]}),
    "all diverged": lambda: synthetic.dataset(
        verdict=DIVERGED, unfinished=0, pretrained=["plain"], swept={"rate": [0.1, 0.2, 0.3]}
    ),
    "nothing finished": lambda: synthetic.dataset(unfinished=24),
    "ring": lambda: synthetic.dataset(target="ring"),
    "curve": lambda: synthetic.dataset(["plain"], target="curve", verdict=DIVERGED),
    "100 settings": lambda: synthetic.dataset(MANY, seeds=3, swept=GRID, log_points=3),
    "games": lambda: games(synthetic.dataset()),
    "one game": lambda: games(synthetic.dataset(["plain"], seeds=1, unfinished=0)),
    "diverged games": lambda: games(synthetic.dataset(verdict=DIVERGED)),
}
DRAWN = [
    (case, kind)
    for case in ("tricks", "one run", "all diverged", "nothing finished")
    for kind in LINE_KINDS
    if (case, kind) != ("nothing finished", "pretraining")
]
DRAWN += itertools.product(("tricks", "one run", "all diverged"), OF_FINISHED)
DRAWN += itertools.product(("tricks", "one seed", "all diverged"), (*OF_SEVERAL, "effects"))
DRAWN += itertools.product(["one seed"], (*OF_RUNS, *OF_FINISHED))
DRAWN += itertools.product(("ring", "curve"), PLANE_KINDS)
DRAWN += itertools.product(("games", "one game", "diverged games"), ["phase", "spectra"])
DRAWN += [("ring", "modes"), *(("ring", kind) for kind in OF_SEVERAL)]
# Those with a row or a line a setting; and slow ones: with the longest titles, and with several
# panels a setting.
ROWS = ("verdicts", "strip", "raster", "stability", "differences", "effects", *OF_FINISHED)
DRAWN += itertools.product(["100 settings"], (*ROWS, "profile_differences", "approach", "boundary"))
DRAWN += [("tricks", "parallel"), *itertools.product(["100 settings"], ("response", "heatmap"))]


def draw(kind, ds, snapshots=None, seed=None, summary=None, **given):
    """The figure, laid out as in its file; pytest turns any warning into an error."""
    with layout.styled():
        figure = figures.KINDS[kind](selection(ds, snapshots, seed, summary, **given))
        figure.draw_without_rendering()
    return figure


def selection(ds, snapshots=None, seed=None, summary=None, **given):
    summary = tables.summary(ds) if summary is None else summary
    return figures.Selection(ds, summary, snapshots, seed, **given)


def draw_all(folder, ds, snapshots, *which, **wanted):
    return figures.draw_all(folder, ds, snapshots, tables.summary(ds), *which, **wanted)


def panels(figure):
    return [ax for ax in figure.axes if ax.get_visible() and ax.get_title() and ax.has_data()]


def line(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


@pytest.fixture(scope="module")
def cases():
    made = {}

    def case(name):
        if name not in made:
            ds = CASES[name]()
            shown = synthetic.snapshots(ds, seeds=min(2, ds.sizes["seed"]))
            made[name] = ds, shown, tables.summary(ds)
        return made[name]

    return case


def seeds_of(kind, ds):
    """Of which seeds a figure says that it is."""
    if kind in ONE_SEED:
        return "seed 0"
    if kind == "seeds":
        return f"the first 2 of {ds.seed.size} seeds"
    if kind == "effects":
        return f"seeds that all finished: {of_runs.finished(ds).all(axis=0).sum()}"
    return f"seeds: {ds.seed.size}"


@pytest.mark.parametrize("case, kind", DRAWN)
def test_every_kind_draws_every_case_without_overlapping_text(cases, case, kind):
    ds, snapshots, summary = cases(case)
    figure = draw(kind, ds, snapshots, 0, summary)
    title = " ".join(figure.get_suptitle().split())
    assert "synthetic" in title and seeds_of(kind, ds) in title
    assert of_runs.caption(ds) in title
    if kind == "effects":
        note = "the first 60 of 99 effects"
    elif kind == "response":
        note = "2 to 3 runs a dot"
    elif kind == "heatmap":
        note = "[95% intervals over seeds]"
    else:
        half = 12 if kind in ("boundary", "profile_differences", "approach") else 30
        count = 99 if kind in OF_SEVERAL else 100
        left_out = count - 2 * half
        note = f"{half} best and {half} worst of {count} settings, {left_out} left out"
    assert (note in title) == (ds.sizes["setting"] == 100)
    texts = [ax.title for ax in panels(figure)] + [ax.xaxis.label for ax in figure.axes]
    low, high = sorted(figure.axes[0].get_ylim())  # ticks beyond are there, but not drawn
    ticks = figure.axes[0].get_yticklabels()
    texts += [figure._suptitle, *figure.legends]
    texts += [tick for tick in ticks if low <= tick.get_position()[1] <= high]
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
    drawn = {kind for kind in figures.KINDS if figures.draw(kind, shown) is not None}
    expected = {*OF_RUNS, *OF_FINISHED, "losses"}
    of_plane = {"modes", "samples", "seeds", "animation", "seeds_animation"}
    assert drawn == expected | ({"densities", "moments"} if target == "normal" else of_plane)


def test_what_needs_finished_runs_or_several_settings_does_not_apply_without():
    nothing, _ = synthetic.dataset(unfinished=24), None
    shown = selection(nothing)
    kinds = (*OF_FINISHED, *OF_SEVERAL, "effects")
    assert [kind for kind in kinds if figures.KINDS[kind](shown) is not None] == []
    one = selection(synthetic.dataset(["plain"], swept={"rate": [0.1]}))
    kinds = (*OF_SEVERAL, "effects", "modes")
    assert [kind for kind in kinds if figures.KINDS[kind](one) is not None] == []


def test_density_panels_say_what_became_of_the_runs():
    each = np.repeat([SUCCESS, FAR, verdicts.COLLAPSED, DIVERGED], [4, 3, 2, 1])
    ds = synthetic.dataset(["plain"], seeds=10, verdict=each, unfinished=0)
    (ax,) = panels(draw("densities", ds))
    first, second, third, *_ = ax.get_title().split("\n")
    assert (first, second) == ("plain", "success 40%, collapsed 20%")
    assert third == "n = 10, 1 diverged"


def test_density_marks_a_mean_that_is_cut_off():
    ds = synthetic.dataset(["plain"], seeds=1, verdict=verdicts.COLLAPSED, unfinished=0)
    (ax,) = panels(draw("densities", ds))
    mean = line(ax, "their mean over seeds").get_ydata()
    assert mean.max() > ax.get_ylim()[1] == pytest.approx(2.5 * ds.target_density.values.max())
    assert ax.get_title().endswith(f"mean cut off, peak at {mean.max():.2g}")


def test_density_panels_have_a_line_a_seed_and_say_what_lies_outside():
    ds = synthetic.dataset(["plain"], seeds=3, verdict=[SUCCESS, FAR, DIVERGED], unfinished=0)
    ds["quantiles"][0, 1] += 100.0
    (ax,) = panels(draw("densities", ds))
    (behind,) = [each for each in ax.collections if isinstance(each, LineCollection)]
    inside, outside = (segment[:, 1] for segment in behind.get_segments())
    assert inside.max() > 0.2 and outside.max() == 0
    mean = line(ax, "their mean over seeds").get_ydata()
    np.testing.assert_allclose(mean, (inside + outside) / 2)
    assert ax.get_title().endswith("50% of mass outside")
    assert line_kinds._outside(1 + 1e-7) == "0% of mass outside"


def test_verdicts_add_up_with_the_success_interval_on_top(cases):
    ds, _, frame = cases("tricks")
    ax = draw("verdicts", ds, summary=frame).axes[0]
    widths = np.reshape([bar.get_width() for bar in ax.patches], (7, 12))
    np.testing.assert_allclose(widths.sum(axis=0), 1)
    rates = [frame[f"{verdicts.word(name)}_rate"] for name in verdicts.VERDICTS]
    np.testing.assert_allclose(widths, rates)
    (interval,) = ax.containers[-1].lines[2]
    ends = [segment[:, 0] for segment in interval.get_segments()]
    np.testing.assert_allclose(ends, frame[["success_low", "success_high"]])
    texts = [text.get_text() for text in ax.texts]
    assert texts == [f"{row.success} of {row.finished}" for row in frame.itertuples()]


def test_the_strip_has_every_finished_run_at_its_w1(cases):
    ds, _, frame = cases("tricks")
    ax = draw("strip", ds, summary=frame).axes[0]
    drawn = {each.get_label(): each.get_offsets() for each in ax.collections}
    w1 = of_runs.settled_w1(ds.sel(setting=frame.setting.to_numpy()))
    code = ds.sel(setting=frame.setting.to_numpy()).verdict.values
    edge = drawn["diverged"][:, 0]
    assert len(set(edge)) == 1 and w1[np.isfinite(w1)].max() < edge[0] < ax.get_xlim()[1]
    for number, name in enumerate(verdicts.VERDICTS[:-1]):
        np.testing.assert_allclose(drawn[name][:, 0], w1[code == number])
        rows = np.nonzero(code == number)[0]
        np.testing.assert_array_equal(np.round(drawn[name][:, 1]), rows)
    np.testing.assert_allclose(drawn["median"][:, 0], frame.w1_median.clip(upper=edge[0]))
    assert line(ax, "success threshold, 0.25").get_xdata() == [0.25, 0.25]


def test_the_raster_has_the_verdict_of_every_run(cases):
    ds, _, frame = cases("tricks")
    ax = draw("raster", ds, summary=frame).axes[0]
    (image,) = ax.images
    ordered = ds.sel(setting=frame.setting.to_numpy())
    np.testing.assert_array_equal(image.get_array(), ordered.verdict)
    for code, color in enumerate(["white", *common.VERDICT_COLORS.values()], -1):
        assert image.to_rgba(np.array([[code]]))[0, 0] == pytest.approx(to_rgba(color))
    assert image.get_extent() == [-0.5, 15.5, 11.5, -0.5]


def test_the_raster_names_its_seeds():
    ds = synthetic.dataset(["a"], seeds=4, log_points=2).assign_coords(seed=[3, 5, 8, 13])
    ax = draw("raster", ds).axes[0]
    ticks = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
    assert {place: text.get_text() for place, text in ticks} == {0: "3", 1: "5", 2: "8", 3: "13"}


def test_profiles_are_those_of_the_statistics(cases):
    ds, _, frame = cases("tricks")
    ax = draw("profiles", ds, summary=frame).axes[0]
    bands = [each for each in ax.collections if isinstance(each, FillBetweenPolyCollection)]
    assert len(bands) == 3
    w1 = of_runs.settled_w1(ds)
    x = comparisons.thresholds(w1[of_runs.finished(ds)])
    for i, setting in enumerate(frame.setting):
        runs = w1[ds.setting.values.tolist().index(setting)]
        expected = statistics.profile(runs[~np.isnan(runs)], x)
        curve = line(ax, setting).get_xydata()
        np.testing.assert_allclose(curve, np.column_stack([x, expected.estimate]))
        if i < 3:
            ends = bands[i].get_paths()[0].vertices[:, 1]
            assert ends.min() == pytest.approx(expected.low.min())
            assert ends.max() == pytest.approx(expected.high.max())


def test_profiles_end_below_one_by_the_share_of_diverged_runs():
    ds = synthetic.dataset(["a"], seeds=4, verdict=[0, 0, FAR, DIVERGED], unfinished=0)
    ax = draw("profiles", ds).axes[0]
    x, share = line(ax, "a").get_data()
    assert share[-1] == 0.75 and x[0] < 0.25 < 1.6 < x[-1]
    threshold = line(ax, "thresholds of W1").get_xdata()[0]
    assert threshold == 0.25 and share[x <= threshold].max() == 0.5


def test_differences_of_profiles_are_those_of_the_same_seeds(cases):
    ds, _, frame = cases("tricks")
    drawn = panels(draw("profile_differences", ds, summary=frame))
    assert len(drawn) == 11
    shown = {ax.get_title().replace("\n", " "): ax for ax in drawn}
    matching = "minibatch=off + feature matching=paired"  # at the top, where there is no noise
    (title,) = [each for each in shown if each.startswith(matching)]
    assert title.endswith(" n = 16")
    estimate = line(shown[title], "difference of shares")
    w1 = of_runs.settled_w1(ds.sel(setting=["feature matching paired", "plain"]))
    expected = statistics.profile_difference(*w1, estimate.get_xdata())
    np.testing.assert_allclose(estimate.get_ydata(), expected.estimate)
    (band,) = [c for c in shown[title].collections if isinstance(c, FillBetweenPolyCollection)]
    ends = band.get_paths()[0].vertices[:, 1]
    assert (ends.min(), ends.max()) == pytest.approx((expected.low.min(), expected.high.max()))


def intervals(ax, criterion):
    """Estimate, low and high in points of every row, by the colour of a criterion."""
    (drawn,) = [each for each in ax.containers if each.get_label() == criterion]
    (bars,) = drawn.lines[2]
    ends = np.array([segment[:, 0] for segment in bars.get_segments()])
    return np.column_stack([drawn.lines[0].get_xdata(), ends])


def test_differences_are_those_of_the_table(cases):
    ds, _, frame = cases("tricks")
    ax = draw("differences", ds, summary=frame).axes[0]
    others = [label for label in frame.setting if label != "plain"]
    rows = [comparisons.compare(ds, label, "plain").differences for label in others]
    for criterion in rows[0]:
        expected = [
            (row[criterion].difference, row[criterion].low, row[criterion].high) for row in rows
        ]
        np.testing.assert_allclose(intervals(ax, criterion), 100 * np.array(expected))
    labels = [text.get_text().replace("\n", " ") for text in ax.get_yticklabels()]
    assert labels == others


def test_effects_are_those_of_the_table(cases):
    ds, _, frame = cases("tricks")
    ax = draw("effects", ds, summary=frame).axes[0]
    for each in effects.find(ds):
        expected = [(effect.estimate, effect.low, effect.high) for _, effect in each.effects]
        np.testing.assert_allclose(intervals(ax, each.criterion), 100 * np.array(expected))
        labels = [text.get_text().replace("\n", " ") for text in ax.get_yticklabels()]
        assert labels == [name for name, _ in each.effects]


def test_stability_counts_the_looks_of_the_last_tenth(cases):
    ds, _, frame = cases("tricks")
    met = judge.meets_criterion(ds)[:, :, -5:].sum(axis=-1)
    ax = draw("stability", ds, summary=frame).axes[0]
    widths = np.reshape([bar.get_width() for bar in ax.patches], (4, 12))
    np.testing.assert_allclose(widths.sum(axis=0), 1)
    order = [ds.setting.values.tolist().index(label) for label in frame.setting]
    finished = of_runs.finished(ds)
    for width, looks in zip(widths, ([5], [3, 4], [1, 2], [0]), strict=True):
        expected = (np.isin(met, looks) & finished).sum(axis=1) / finished.sum(axis=1)
        np.testing.assert_allclose(width, expected[order])


def test_a_run_that_passes_and_fails_is_not_stable():
    ds = synthetic.dataset(["a"], seeds=5, verdict=[0, 0, 0, FAR, DIVERGED], unfinished=0)
    w1 = ds.w1.values.copy()
    w1[0, 1, -1] = w1[0, 2, -3:] = 9.0
    ax = draw("stability", judge.judged(ds.assign(w1=ds.w1.copy(data=w1)))).axes[0]
    widths = {bars.get_label(): bars.patches[0].get_width() for bars in ax.containers}
    expected = {"at every look": 0.2, "at most looks": 0.2, "at some looks": 0.2, "at none": 0.4}
    assert widths == pytest.approx(expected)


def test_survival_ends_at_the_shares_of_the_table(cases):
    ds, _, frame = cases("tricks")
    sustained, diverged = draw("survival", ds, summary=frame).axes
    assert "sustained success" in sustained.get_title() and "divergence" in diverged.get_title()
    for row in frame.itertuples():
        for ax, rate in ((sustained, row.sustained_rate), (diverged, row.diverged_rate)):
            assert line(ax, row.setting).get_ydata()[-1] == pytest.approx(rate)


def test_survival_rises_when_it_happens():
    each = [SUCCESS, SUCCESS, FAR, DIVERGED]
    ds = synthetic.dataset(["a"], seeds=4, verdict=each, unfinished=0)
    ds["sustained_at"] = ds.sustained_at.copy(data=[[1000, 3000, np.nan, np.nan]])
    ds["diverged_at"] = ds.diverged_at.copy(data=[[np.nan, np.nan, np.nan, 2100]])
    shares = [line(ax, "a").get_ydata() for ax in draw("survival", ds).axes]
    step = ds.step.values
    np.testing.assert_allclose(shares[0], 0.25 * (step >= 1000) + 0.25 * (step >= 3000))
    np.testing.assert_allclose(shares[1], 0.25 * (step >= 2100))


def test_modes_are_counted_among_the_runs_alive(cases):
    ds, _, frame = cases("ring")
    drawn = panels(draw("modes", ds, summary=frame))
    for ax, row in zip(drawn, frame.itertuples(), strict=True):
        values = ds.modes.sel(setting=row.setting).values
        alive = np.sort(values[~np.isnan(values[:, -1]), -1])
        shown = line(ax, "median over seeds").get_ydata()[-1]
        assert shown == alive[(len(alive) - 1) // 2]
        assert line(ax, "the target's modes").get_ydata()[0] == 8
        assert ax.get_title().startswith(row.setting) and f"n = {row.finished}" in ax.get_title()


def test_of_a_target_with_one_mode_modes_are_not_drawn():
    ds = synthetic.dataset(["a", "b"], target="ring", log_points=4)
    ds["target_mode_share"][0, 1:] = np.nan
    (ax,) = panels(draw("modes", ds))
    assert ax.get_title().startswith("b")
    ds["target_mode_share"][:, 1:] = np.nan
    assert figures.KINDS["modes"](selection(ds)) is None


def test_diverged_majority_takes_the_median_of_w1_out_of_the_axes():
    ds = synthetic.dataset(["a"], seeds=3, verdict=[SUCCESS, DIVERGED, DIVERGED], unfinished=0)
    (ax,) = panels(draw("w1", ds))
    median = line(ax, "median over seeds").get_ydata()
    assert median[0] < ax.get_ylim()[1] < median[-1] < np.inf
    (band,) = [c for c in ax.collections if isinstance(c, FillBetweenPolyCollection)]
    assert band.get_paths()[0].vertices[:, 1].max() == median[-1]


def test_w1_is_drawn_in_target_stds_above_what_perfect_samplers_score():
    ds = synthetic.dataset(["a"], seeds=3, verdict=SUCCESS, unfinished=0)
    (ax,) = panels(draw("w1", ds))
    median = line(ax, "median over seeds").get_ydata()
    np.testing.assert_allclose(median, np.sort(ds.w1.values[0], axis=0)[1] / synthetic.STD)
    assert line(ax, "success threshold").get_ydata()[0] == 0.25
    (perfect,) = [each for each in ax.patches if each.get_label().startswith("perfect samplers")]
    floor = np.array(of_runs.null_floor(ds))[:, 0] / synthetic.STD
    assert perfect.get_bbox().intervaly == pytest.approx(floor)
    bare = panels(draw("w1", ds.drop_vars("w1_null")))[0]
    assert not [each for each in bare.patches if each.get_label().startswith("perfect")]


def test_a_single_huge_w1_does_not_flatten_the_others():
    ds = synthetic.dataset(["a"], seeds=4, verdict=SUCCESS, unfinished=0)
    ds["w1"][0, 0] = 1e30
    ds = judge.judged(ds)
    for kind, limits in (("w1", "get_ylim"), ("strip", "get_xlim"), ("profiles", "get_xlim")):
        ax = draw(kind, ds).axes[0]
        assert getattr(ax, limits)()[1] <= 3000


@pytest.mark.parametrize("kind", ["w1", "strip", "profiles", "stability", "successes"])
def test_a_threshold_of_zero_is_drawn_like_others(kind):
    ds = synthetic.dataset(seeds=3)
    draw(kind, judge.rejudged(ds, success_w1=0.0))


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
    drawn = panels(draw("losses", synthetic.dataset("ab", swept=swept)))
    assert [ax.get_title() for ax in drawn] == ["loss=non_saturating", "loss=wasserstein"]
    labels = [[each.get_label() for each in ax.lines] for ax in drawn]
    marks = ["equilibrium of D: D can't tell", "equilibrium of G: D can't tell"]
    assert labels == [["D", "G", *marks, "floor of D: it tells all apart"], ["D", "G"]]
    assert drawn[0].lines[-1].get_ydata()[0] == 0


def test_feature_matching_loss_has_panels_of_its_own_and_no_equilibrium():
    swept = {"tricks.feature_matching": ["off", "paired"]}
    ds = synthetic.dataset(["plain", "matching"], swept=swept, unfinished=0)
    figure = draw("losses", ds)
    adversarial, of_g = figure.subfigs
    plain, matching = adversarial.axes[:2]
    assert [ax.get_title() for ax in (plain, matching)] == [
        "feature matching=off",
        "feature matching=paired",
    ]
    (alone,) = of_g.axes
    assert [len(ax.lines) for ax in (plain, matching, alone)] == [5, 3, 1]
    assert alone.get_title() == "matching" and alone.get_ylim()[1] < 0.1 < matching.get_ylim()[1]


def test_settings_without_a_finished_run_are_not_the_worst():
    ds = synthetic.dataset(MANY, seeds=3, unfinished=30, log_points=2)
    title = " ".join(draw("verdicts", ds).get_suptitle().split())
    assert "30 best and 30 worst of 90 settings" in title


def grid(**changed):
    """Two swept numbers that span a grid, and a third field."""
    swept = {
        "rate": [0.1, 0.1, 0.2, 0.1, 0.2],
        "size": [1, 1, 2, 2, 1],
        "noise": ["off", "on", "off", "off", "off"],
    }
    ds = synthetic.dataset(list("abcde"), seeds=4, swept=swept, verdict=0, unfinished=0, **changed)
    ds["verdict"][0, :2] = DIVERGED
    return ds


def cells(ax):
    """The text of each cell by its place, from below."""
    return {text.get_position(): text.get_text().split("\n") for text in ax.texts}


def test_heatmap_says_its_interval_and_n_and_over_what_it_pools():
    figure = draw("heatmap", grid())
    ax = figure.axes[0]
    shown = cells(ax)
    assert {place: (each[0], each[2]) for place, each in shown.items()} == {
        (0, 0): ("75%", "n=8"),
        (0, 1): ("100%", "n=4"),
        (1, 0): ("100%", "n=4"),
        (1, 1): ("100%", "n=4"),
    }
    # Of two settings a seed's share is one observation: 1/2, 1/2, 1, 1.
    low, high = statistics.share_interval(np.array([0.5, 0.5, 1, 1]), 8)
    assert shown[0, 0][1] == f"[{100 * low:.0f}, {100 * high:.0f}]"
    low, high = statistics.wilson_interval(np.array(4), np.array(4))
    assert shown[1, 1][1] == f"[{100 * low:.0f}, {100 * high:.0f}]"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("size", "rate")
    assert "pooled over noise (off, on)" in " ".join(figure.get_suptitle().split())


def test_heatmap_takes_any_two_fields_and_any_measure():
    ds = grid()
    figure = draw("heatmap", ds, mapped=Mapped("noise", "rate", "w1"))
    ax = figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("noise", "rate")
    w1 = of_runs.settled_w1(ds)  # of the first setting, half are infinite
    assert cells(ax)[1, 0][0] == f"{statistics.median(w1[1]):.2g}"
    assert (1, 1) not in cells(ax)  # there is no such setting
    assert "pooled over size (1, 2)" in " ".join(figure.get_suptitle().split())


@pytest.mark.parametrize(
    "mapped, words",
    [
        (Mapped(x="speed"), "x=speed: swept are: rate, size, noise"),
        (Mapped(measure="beauty"), "measure=beauty: there are success, "),
    ],
)
def test_a_wrong_field_or_measure_says_what_there_is(mapped, words):
    with pytest.raises(of_runs.SelectionError, match=f"^{words}"):
        draw("heatmap", grid(), mapped=mapped)


@pytest.mark.parametrize(
    "swept",
    [
        {},
        {"rate": [1, 2, 3], "size": [4, 4, 4]},
        {"rate": [1, 2, 2], "size": [4, 5, 4]},  # in step: (1, 5) is no setting
    ],
)
def test_heatmap_needs_a_grid_of_two_fields(swept):
    ds = synthetic.dataset(swept=swept, unfinished=0)
    assert figures.draw("heatmap", selection(ds)) is None


def test_heatmap_needs_a_finished_run():
    swept = {"rate": [1, 1, 2, 2], "size": [4, 5, 4, 5]}
    for unfinished, drawn in ((31, True), (32, False)):
        ds = synthetic.dataset(list("abcd"), swept=swept, unfinished=unfinished)
        assert (figures.draw("heatmap", selection(ds)) is not None) == drawn


def test_heatmap_of_100_settings_is_whole(cases):
    ds, _, frame = cases("100 settings")
    assert len(draw("heatmap", ds, summary=frame).axes[0].texts) == 100


def test_a_response_is_the_share_of_successes_with_its_interval():
    swept = {"rate": [0.1, 0.01, 0.001] * 2, "noise": ["off"] * 3 + ["on"] * 3}
    ds = synthetic.dataset(list("abcdef"), seeds=8, swept=swept, unfinished=0)
    figure = draw("response", ds)
    (ax,) = panels_of(figure)  # noise is told by colour
    for noise, labels in (("off", "cba"), ("on", "fed")):
        curve = line(ax, f"estimate and 95% interval, noise={noise}")
        success = of_runs.succeeded(ds.sel(setting=list(labels))).sum(axis=1)
        np.testing.assert_allclose(curve.get_xdata(), [0.001, 0.01, 0.1])
        np.testing.assert_allclose(curve.get_ydata(), success / 8)
    band = ax.collections[-1].get_paths()[0].vertices
    low, high = statistics.wilson_interval(success, np.array(8))
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((low.min(), high.max()))
    assert ax.get_xscale() == "log" and "8 runs a dot" in figure.get_suptitle()


def panels_of(figure):
    return [ax for ax in figure.axes if ax.get_visible()]


def test_parallel_coordinates_have_a_line_a_setting_at_its_values(cases):
    ds, _, frame = cases("tricks")
    ax = draw("parallel", ds, summary=frame).axes[0]
    (lines,) = [each for each in ax.collections if isinstance(each, LineCollection)]
    assert len(lines.get_segments()) == 12
    best = lines.get_segments()[-1]  # on top
    row = frame.iloc[0]
    levels = {"off": 0, "replace": 1, "paired": 1, 0: 0, 0.001: 1, 0.1: 1}
    expected = [levels[row[results.coordinate(name)]] for name in of_runs.swept_fields(ds)]
    np.testing.assert_allclose(best[:, 1], [*expected, row.success_rate])
    two = synthetic.dataset(swept={"rate": [1, 2, 2], "size": [4, 5, 4]})
    assert figures.draw("parallel", selection(two)) is None


def test_a_product_is_laid_out_in_rows_columns_and_colours(cases):
    ds, _, frame = cases("tricks")
    figure = draw("w1", ds, summary=frame)
    drawn = panels_of(figure)
    assert len(drawn) == 6  # 12 settings, two colours
    assert [ax.get_title() for ax in drawn[:3]] == [
        "input noise=0 instance noise=0",
        "input noise=0.001",
        "instance noise=0.1",
    ]
    assert [ax.get_ylabel() for ax in drawn[::3]] == ["minibatch=off", "minibatch=replace"]
    curve = line(drawn[5], "median over seeds, feature matching=paired")
    last = ds.sel(setting="minibatch replace + instance noise 0.1 + feature matching paired")
    w1 = ds.w1.values[ds.setting.values.tolist().index(last.setting)]
    w1 = np.sort(w1[of_runs.finished(ds)[-1]], axis=0) / synthetic.STD
    assert curve.get_ydata()[-1] == w1[(len(w1) - 1) // 2, -1]


def test_what_does_not_fit_is_a_wall_of_the_best_and_the_worst():
    plan = facets.plan(CASES["100 settings"](), MANY, 7.2)
    assert not plan.is_product and plan.shape == (25, 4)
    narrow = facets.plan(CASES["tricks"](), synthetic.tricks_sweep()["settings"], 3.4)
    assert narrow.is_product and narrow.shape == (6, 2)


def test_levels_of_one_factor_are_no_column_of_panels_as_wide_as_the_page():
    """Five targets, or five rates beside what is told apart by colours."""
    targets = synthetic.dataset("abcde", swept={"target.kind": list("abcde")}, seeds=1)
    plan = facets.plan(targets, list("edcba"), 7.2)
    assert plan.shape == (2, 3) and plan.names == list("edcba") and not plan.is_product
    rates = {"rate": [r for r in range(5) for _ in "ab"], "noise": ["off", "on"] * 5}
    both = synthetic.dataset("abcdefghij", swept=rates, seeds=1)
    plan = facets.plan(both, list("abcdefghij"), 7.2, coloured=True)
    assert plan.shape == (2, 3) and plan.levels == ["noise=off", "noise=on"]
    assert plan.names == [f"rate={r}" for r in range(5) for _ in "ab"]
    assert plan.place[:3] == [(0, 0, 0), (0, 0, 1), (0, 1, 0)]


def test_names_of_fields_are_not_broken_where_their_values_stand_beside_them():
    label = "input noise=0 instance noise=0"
    assert common.wrapped(label, 22) == "input noise=0\ninstance noise=0"
    assert common.wrapped("input noise=0.001 + b=1", 18) == "input noise=0.001\n+ b=1"
    assert common.wrapped("minibatch and others", 12) == "minibatch\nand others"


def test_a_rows_name_leaves_its_panels_room():
    fields = " + ".join(f"G optimizer field{i} {i}" for i in range(9))
    lines = common.row_name(fields, 25).split("\n")
    assert len(lines) == common.MOST_LINES and lines[0] == "G optimizer field0 0"
    assert lines[-1] == "+ 5 more" and lines[-2] == "+ G optimizer field3 3"
    assert common.row_name("a + b", 3) == common.wrapped("a + b", 3)


def test_moments_end_at_the_verdicts(cases):
    ds, _, frame = cases("tricks")
    drawn = panels(draw("moments", ds, summary=frame))
    assert len(drawn) == 12
    ends = {
        each.get_label(): each.get_offsets()
        for each in drawn[0].collections
        if each.get_label() in verdicts.VERDICTS
    }
    first = ds.isel(setting=0)
    for code, name in enumerate(verdicts.VERDICTS[:-1]):
        chosen = first.verdict.values == code
        expected = [first.generated_mean.values[chosen, -1], first.generated_std.values[chosen, -1]]
        np.testing.assert_allclose(np.ravel(ends.get(name, [])), np.transpose(expected).ravel())
    assert line(drawn[0], "target").get_xydata().tolist() == [[4.0, 1.25]]


def test_long_labels_break_at_the_plus_and_nowhere_in_a_number():
    label = "instance noise 1e-05 + feature matching paired"
    assert common.wrapped(label, 25).split("\n") == [
        "instance noise 1e-05",
        "+ feature matching paired",
    ]


def met_by_hand(ds, w1):
    """`ds` with one setting whose runs have these W1 `[seed, step]`, in units of the threshold."""
    threshold = synthetic.JUDGING["success_w1"] * synthetic.STD
    lost = np.isnan(w1)
    ds["w1"] = ds.w1.copy(data=threshold * np.array(w1)[None])
    ds["generated_std"] = ds.generated_std.copy(data=np.full(ds.w1.shape, synthetic.STD))
    ends = np.where(lost.any(1), ds.step.values[lost.argmax(1)], np.nan)
    ds["diverged_at"] = ds.diverged_at.copy(data=ends[None])
    return judge.judged(ds)


def test_successes_are_counted_now_and_sustained_so_far_among_all_finished_runs():
    lost = np.nan  # diverged, and still one of the four
    w1 = [
        [2, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 1.4],  # by its median
        [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.9, 0.9],
        [2, 0.5, 0.5, 2, 0.5, 0.5, 0.5, 0.5],
        [2, 2, 0.5, lost, lost, lost, lost, lost],
    ]
    ds = synthetic.dataset(["a"], seeds=4, log_points=8, verdict=SUCCESS, unfinished=0)
    ds = met_by_hand(ds, w1)
    (ax,) = panels(draw("successes", ds))
    now = [0.25, 0.5, 1, 0.5, 0.75, 0.75, 0.75, 0.5]
    assert list(line(ax, "meets the criterion now").get_ydata()) == now
    so_far = [0, 0, 0, 0, 0.25, 0.25, 0.5, 0.5]
    assert list(line(ax, "has been a sustained success so far").get_ydata()) == so_far
    assert ax.get_title() == "a\nsustained 50%, settled 75%\nn = 4, 1 diverged"
    bands = [c for c in ax.collections if isinstance(c, FillBetweenPolyCollection)]
    low, high = statistics.wilson_interval([1, 3], [4, 4])
    for band, i in zip(bands, (0, 1), strict=True):
        ends = band.get_paths()[0].vertices
        np.testing.assert_allclose(np.unique(ends[ends[:, 0] == 1250, 1]), [low[i], high[i]])


def test_the_share_of_sustained_successes_ends_at_that_of_the_table(cases):
    ds, _, frame = cases("tricks")
    drawn = panels(draw("successes", ds, summary=frame))
    ends = [line(ax, "has been a sustained success so far").get_ydata()[-1] for ax in drawn]
    np.testing.assert_allclose(np.sort(ends), np.sort(frame.sustained_rate))
    met = judge.meets_criterion(ds.sel(setting=frame.setting.to_numpy()))[:, :, -1].sum(axis=1)
    ends = [line(ax, "meets the criterion now").get_ydata()[-1] for ax in drawn]
    np.testing.assert_allclose(np.sort(ends), np.sort(met / frame.finished))


def centroids_by_hand(g_steps, seeds, verdict=SUCCESS):
    """One setting whose D moves centroids apart, and G together by `g_steps` [seed, step]."""
    g_steps = np.array(g_steps, float)
    ds = synthetic.dataset(
        ["a"], seeds=seeds, log_points=g_steps.shape[1], verdict=verdict, unfinished=0
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
    ds = centroids_by_hand([[1, 1, 1], [-1, nan, nan]], seeds=2, verdict=[SUCCESS, DIVERGED])
    (ax,) = panels(draw("approach", ds))
    g = line(ax, "G's step: generated centroid towards the real one").get_ydata()
    np.testing.assert_allclose(g, [0.5, 1, 1])
    assert ax.get_title().endswith("n = 2, 1 diverged")


def test_approach_says_what_the_summary_says(cases):
    ds, _, frame = cases("tricks")
    titles = [ax.get_title() for ax in panels(draw("approach", ds, summary=frame))]
    said = [re.search(r"G (\d+%)", title)[1] for title in titles]
    assert sorted(said) == sorted(f"{100 * mean:.0f}%" for mean in frame.approach_mean)


def test_pretraining_shows_d_of_every_kept_seed_before_and_after(cases):
    ds, snapshots, frame = cases("tricks")
    drawn = panels(draw("pretraining", ds, snapshots, summary=frame))
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


def test_phases_are_the_trajectories_of_games_from_beginning_to_end():
    ds = games(synthetic.dataset(["a", "b"], seeds=3, log_points=5, unfinished=0))
    ds["d_slope"][0, 1, 3:] = np.nan  # diverged
    (ax,) = panels(draw("phase", ds))
    assert ax.get_title().split("\n")[0] == "a"  # the other one is no game
    theta, psi = (ds[name].sel(setting="a").values for name in ("generated_mean", "d_slope"))
    for i, drawn in enumerate(ax.lines[:3]):
        np.testing.assert_array_equal(drawn.get_xydata(), np.stack([theta[i], psi[i]], axis=-1))
    begins, ends = line(ax, "its beginning").get_xydata(), line(ax, "its end").get_xydata()
    np.testing.assert_array_equal(begins, np.stack([theta[:, 0], psi[:, 0]], axis=-1))
    last = [4, 2, 4]
    np.testing.assert_array_equal(ends[:, 1], psi[range(3), last])
    assert line(ax, "equilibrium").get_xydata().tolist() == [[0, 0]]


def test_phases_are_drawn_over_the_field_of_gradients():
    ds = games(synthetic.dataset(["a", "b"], seeds=1, unfinished=0))
    (ax,) = panels(draw("phase", ds))
    (arrows,) = (each for each in ax.collections if isinstance(each, Quiver))
    np.testing.assert_array_equal(arrows.XY, ds.place.values[0])
    # Of one length in units of the axes, which are twice as high as wide.
    ways = ds.field.values[0] / [2, 4]
    ways /= np.maximum(np.hypot(*ways.T), 1e-30)[:, None]
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V], -1), ways)
    without = ds.drop_vars(["place", "field"])
    assert not any(isinstance(c, Quiver) for c in panels(draw("phase", without))[0].collections)


def test_spectra_are_those_of_updates_beside_the_way_in_continuous_time():
    ds = games(synthetic.dataset(["a", "b"], seeds=1, unfinished=0))
    (ax,) = panels(draw("spectra", ds))  # the other one's updates have no Jacobian
    assert ax.get_title() == "a\nlargest: 1.019804"
    ends = line(ax, "of an update").get_xydata()
    np.testing.assert_allclose(ends, [[1, 0.2], [1, -0.2]])
    flow = line(ax, "of the game in continuous time, step from 0 to its own").get_xydata()
    np.testing.assert_allclose(flow[-1], [np.cos(0.2), -np.sin(0.2)])
    plain = ds.drop_vars(["update_eigenvalue"])
    assert figures.KINDS["spectra"](selection(plain)) is None


def test_draw_all_writes_what_applies_but_animations(tmp_path):
    ds = synthetic.dataset(["plain"], seeds=2, log_points=2)
    paths = draw_all(tmp_path, ds, synthetic.snapshots(ds))
    assert {path.stem for path in paths} == {*LINE_KINDS, *OF_FINISHED} - {"pretraining"}
    assert all(path.parent == tmp_path / "figures" for path in paths)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


@pytest.mark.parametrize("width", [3.4, 7.2])
def test_files_have_the_formats_and_the_width_that_are_asked_for(tmp_path, width):
    ds = synthetic.dataset(["plain"], seeds=2, log_points=2)
    look = Look(("png", "pdf", "svg"), width, "grayscale")
    paths = draw_all(tmp_path, ds, None, ["verdicts"], look=look)
    again = draw_all(tmp_path / "again", ds, None, ["verdicts"], look=look)
    png, pdf, svg = (path.read_bytes() for path in paths)
    assert int.from_bytes(png[16:20]) == pytest.approx(200 * width, abs=1)
    assert pdf.startswith(b"%PDF") and b"/MediaBox [ 0 0 %.1f" % (72 * width) in pdf
    assert f'width="{72 * width:g}pt"'.encode() in svg
    assert [path.read_bytes() for path in again] == [png, pdf, svg]
    figures.clear(tmp_path)
    assert not list((tmp_path / "figures").iterdir())


def test_titles_of_square_panels_are_clear_of_the_ticks_above_them():
    ds = synthetic.dataset("abc", seeds=1, unfinished=0, target="ring", log_points=5)
    ds = ds.assign_coords(step=[0, 5600, 11200, 16400, 20000])
    snapshots = synthetic.snapshots(ds, seeds=1).assign_coords(step=ds.step)
    snapshots["samples"][:, :, 1:, :7] = 1e6  # for a third line of titles
    with layout.styled():
        figure = figures.KINDS["samples"](selection(ds, snapshots, 0))
        layout.settle(figure)
        figure.draw_without_rendering()
    drawn = panels(figure)
    assert len(drawn) == 15
    boxes = [ax.title.get_window_extent() for ax in drawn]
    for ax, below in zip(drawn[:10], boxes[5:], strict=True):
        ticks = [tick.get_window_extent() for tick in ax.get_xticklabels()]
        assert not any(tick.overlaps(below) for tick in ticks)


def test_at_the_width_of_a_column_text_neither_overlaps_nor_is_cut_off(cases):
    ds, _, summary = cases("tricks")
    for kind in ("verdicts", "profiles", "densities"):
        figure = draw(kind, ds, summary=summary, width=3.4)
        shown = [*figure.legends, figure._suptitle, *(ax.title for ax in figure.axes)]
        boxes = [each.get_window_extent() for each in shown]
        boxes = [box for box in boxes if box.width and box.height]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in boxes)


def test_a_kind_is_a_function_and_its_entry(tmp_path, monkeypatch):
    """Nothing else has to know of it for it to be drawn, listed and cleared."""

    def mine(selection):
        """A figure of one's own."""
        return layout.single(1, 1)[0]

    monkeypatch.setitem(figures.KINDS, "mine", mine)
    ds = synthetic.dataset(["plain"], seeds=2, log_points=2)
    assert tmp_path / "figures" / "mine.png" in draw_all(tmp_path, ds, synthetic.snapshots(ds))
    assert "A figure of one's own." in command_line._kinds_help()
    figures.clear(tmp_path)
    assert not list((tmp_path / "figures").iterdir())


def test_clear_removes_what_is_drawn_and_nothing_else(tmp_path):
    ds = synthetic.dataset(["plain"], seeds=2, log_points=2)
    drawn = draw_all(tmp_path, ds, synthetic.snapshots(ds), ["verdicts", "animation"])
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
    one, everything, without = seen
    assert one.summary.setting.tolist() == ["b"]
    assert one.runs.setting.values.tolist() == one.snapshots.setting.values.tolist() == ["b"]
    assert everything.runs.sizes["setting"] == 2
    assert (one.seed, everything.seed, without.snapshots, without.seed) == (1, 0, None, None)


@pytest.mark.parametrize(
    "selection, words",
    [
        ({"setting": "c"}, "setting=c: there are: 1 'a', 2 'b'"),
        ({"seed": 7}, "seed=7: snapshots were kept of 0, 1"),
    ],
)
def test_a_selection_of_nothing_says_what_there_is(tmp_path, selection, words):
    ds = synthetic.dataset(["a", "b"], seeds=3, log_points=2)
    with pytest.raises(of_runs.SelectionError, match=f"^{words}$"):
        draw_all(tmp_path, ds, synthetic.snapshots(ds), **selection)


def test_a_seed_needs_snapshots():
    ds = synthetic.dataset(["a"], seeds=3, log_points=2)
    with pytest.raises(of_runs.SelectionError, match="snapshots were kept of no seed"):
        common.select(ds, tables.summary(ds), None, None, 0)


def test_of_many_settings_a_wrong_selection_lists_some():
    ds = synthetic.dataset(MANY, seeds=1, log_points=2)
    with pytest.raises(of_runs.SelectionError, match=r"and 60 more$"):
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
    asked = ["--kind=boundary", "--kind=heatmap", "--setting=plain", "--seed=1", "--format=png,svg"]
    done = run(tmp_path, *asked)
    assert done.returncode == 0
    written = [str(tmp_path / "figures" / f"boundary.{suffix}") for suffix in ("png", "svg")]
    assert done.stdout.split() == written
    assert done.stderr == "heatmap: does not apply to this sweep\n"
    assert sorted(map(str, (tmp_path / "figures").iterdir())) == written


@pytest.mark.parametrize(
    "flag, words",
    [
        ("--setting=b", "'plain'"),
        ("--seed=9", "0, 1"),
        ("--seed=x", "invalid"),
        ("--kind=w2", "profiles"),
        ("--format=bmp", "svg"),
        ("--style=none such", "grayscale"),
        ("--width=1", "2"),
        ("--measure=beauty", "sustained"),
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


def test_figures_are_drawn_whatever_names_losses_and_a_matplotlibrc_hold(tmp_path):
    """Half a formula as a name, TeX in a user's own style, an infinite loss: tracebacks, once."""
    ds = synthetic.dataset(["$x_{$", "plain"], seeds=2, log_points=3).copy(deep=True)
    ds.attrs["title"] = "$y_{$"
    ds.loss_d.values[0, 0, 1] = ds.loss_g.values[1] = np.inf
    with matplotlib.rc_context({"text.usetex": True}):
        drawn = figures.draw_all(tmp_path, ds, None, tables.summary(ds), ["verdicts", "losses"])
    assert [path.name for path in drawn] == ["verdicts.png", "losses.png"]


def test_ticks_of_a_logarithmic_axis_are_plain_numbers_that_have_room():
    """Within two decades matplotlib writes 2 x 10^-1 at every tick, over each other in a panel."""
    for inches, words in ((5.0, ["0.1", "0.2", "0.5", "1", "2"]), (1.4, ["0.1", "1"])):
        figure, ax = layout.single(inches, 2.0)
        ax.set_xlim(0.1, 4.0)
        layout.logarithmic(ax, "x", inches)
        figure.draw_without_rendering()
        low, high = ax.get_xlim()
        ticks = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
        assert [text.get_text() for place, text in ticks if low <= place <= high] == words
        assert not any(text.get_text() for text in ax.get_xticklabels(minor=True))
