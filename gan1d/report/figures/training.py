"""What happens during training, over seeds: W1, losses, successes, pretraining, centroids."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from gan1d.report import runs as of_runs
from gan1d.report import statistics
from gan1d.report.figures import common, facets, final, layout
from gan1d.report.figures.common import BLUE, GREY, ORANGE, PURPLE, QUARTILES, VERMILLION, Selection
from gan1d.results import judge
from gan1d.results.schema import UNIT

BAND = (0.5, 0.05, 0.95)
MAX_MEASURES = 12


def w1(selection: Selection) -> Figure:
    """W1 during training: median over seeds, 5-95% band, and what perfect samplers score."""
    (ds, _, note), plan = facets.planned(selection, coloured=True)
    target_std = ds.target_std.values
    values = ds.w1.values / target_std[:, None, None]
    finished = of_runs.finished(ds)
    quantiles = np.stack(
        [
            statistics.quantiles(each[mask], BAND)
            for each, mask in zip(values, finished, strict=True)
        ]
    )
    perfect = [floor / target_std for floor in of_runs.null_floor(ds)]
    limit = judge.thresholds(ds).success_w1
    known = quantiles[np.isfinite(quantiles) & (quantiles > 0)]
    top = min(1.3 * known.max(initial=1), 1000)
    bottom = np.nanmin([known.min(initial=limit or 1), *perfect[0]]) / 1.3  # 0 has no logarithm
    # A line to +inf would end short of the axes' upper edge: let it cross.
    quantiles = np.where(np.isinf(quantiles), 100 * top, quantiles)
    figure = layout.new_figure(selection.width, plan.height)
    cells = plan.draw(figure, "updates", final.w1_label(ds), sharex=True, sharey=True)
    axes = {cell.ax: i for i, cell in enumerate(cells)}
    if len(axes) > 1:
        medians = [np.column_stack([ds.step, median]) for median, _, _ in quantiles]
        for ax in axes:
            common.draw_behind(ax, medians, "medians of other settings")
    for cell, curves in zip(cells, quantiles, strict=True):
        band = cell.label("5-95% of seeds")
        label = cell.label("median over seeds")
        common.draw_band(cell.ax, ds.step, curves, cell.colour, label, band)
        cell.title()
    for ax, i in axes.items():
        ax.axhline(limit, color="black", lw=0.8, ls=":", label="success threshold")
        if np.isfinite(perfect[0][i]):
            floor = perfect[0][i], perfect[1][i]
            ax.axhspan(*floor, color=GREY, alpha=0.5, lw=0, label="perfect samplers, 50 to 95%")
    cells[0].ax.set(ylim=(bottom, top), xlim=(0, ds.step.values[-1]))
    layout.logarithmic(cells[0].ax, "y", plan.panel[1])
    layout.finish(figure, ds, "W1 during training, diverged runs counted as infinite", note)
    return figure


def modes(selection: Selection) -> Figure | None:
    """Modes with a sample at them during training: median and quartiles of the runs alive.

    None where targets have one mode, or none.
    """
    if not common.holds(selection.runs, "modes", "target_mode_share"):
        return None
    count = selection.runs.target_mode_share.notnull().sum("target_mode").values
    among = selection.runs.setting.values[count > 1].tolist()
    if not among:
        return None
    (ds, frame, note), plan = facets.planned(selection, among)
    count = ds.target_mode_share.notnull().sum("target_mode").values
    figure = layout.new_figure(selection.width, plan.height)
    cells = plan.draw(figure, "updates", "modes", sharex=True)
    for i, cell in enumerate(cells):
        curves = _surviving_quantiles(ds.modes.values[i])
        common.draw_band(cell.ax, ds.step, curves, BLUE, "median over seeds", "quartiles")
        cell.ax.axhline(count[i], color="black", lw=0.8, ls="--", label="the target's modes")
        cell.ax.set_ylim(0, 1.08 * count[i])
        cell.title(common.counted(frame.loc[i]))
    cells[0].ax.set_xlim(0, ds.step.values[-1])
    layout.finish(figure, ds, "modes with at least one sample", note)
    return figure


def _surviving_quantiles(values: np.ndarray) -> np.ndarray:
    """Median and quartiles `[3, step]` of `[run, step]` over the runs not NaN at that step."""
    columns = [statistics.quantiles(column[~np.isnan(column)], QUARTILES) for column in values.T]
    return np.stack(columns, axis=1)


def _common_limits(bands: np.ndarray) -> tuple[float, float]:
    """Limits that hold all medians, and the bands `[..., 3, step]` but for their extremes."""
    bands = np.where(np.isfinite(bands), bands, np.nan)  # a loss can be infinite
    medians = bands[..., 0, :]
    if np.isnan(medians).all():
        return 0, 1
    edges = np.nanquantile(bands[..., 1:, :], [0.01, 0.99])
    low, high = min(np.nanmin(medians), edges[0]), max(np.nanmax(medians), edges[1])
    margin = 0.05 * (high - low) + 1e-6
    return low - margin, high + margin


def rest_of(ds: xr.Dataset) -> np.ndarray:
    """The losses `[setting, 2]` of D and of G where D can't tell, NaN where they say nothing."""
    if not common.holds(ds, "loss_d_rest", "loss_g_rest"):
        return np.full((ds.sizes["setting"], 2), np.nan)
    return np.stack([ds.loss_d_rest.values, ds.loss_g_rest.values], axis=-1).astype(float)


def losses(selection: Selection) -> Figure | None:
    """Losses of D and G during training: median and quartiles over the runs not yet diverged.

    Quartiles, since a D whose logs are all at their floor is common enough to fill a wider band. A
    feature matching loss of G is of another kind, and has panels of its own. None where losses were
    not kept.
    """
    if not common.holds(selection.runs, "loss_d", "loss_g"):
        return None
    (ds, frame, note), plan = facets.planned(selection)
    matching = np.zeros(len(frame), bool)
    if "g_matches_features" in ds:
        matching = ds.g_matches_features.values != 0
    d_bands, g_bands = (
        np.stack([_surviving_quantiles(values) for values in ds[name].values])
        for name in ("loss_d", "loss_g")
    )
    heights = [plan.height]
    if matching.any():
        matched = facets.plan(selection.runs, frame.setting[matching], selection.width)
        heights.append(matched.height)
    figure = layout.new_figure(selection.width, sum(heights))
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    one_loss = "loss.kind" not in of_runs.swept_fields(ds)
    cells = plan.draw(parts[0], "updates", "adversarial loss", sharex=True, sharey=one_loss)
    for i, cell in enumerate(cells):
        common.draw_band(cell.ax, ds.step, d_bands[i], BLUE, "D")
        if not matching[i]:
            common.draw_band(cell.ax, ds.step, g_bands[i], VERMILLION, "G")
        _mark_rest(cell.ax, rest_of(ds)[i])
        cell.title()
    cells[0].ax.set_xlim(0, ds.step.values[-1])
    if one_loss:
        cells[0].ax.set_ylim(_common_limits(np.concatenate([d_bands, g_bands[~matching]])))
    if matching.any():
        cells = matched.draw(parts[1], "updates", "matching loss", sharex=True, sharey=True)
        for cell, band in zip(cells, g_bands[matching], strict=True):
            common.draw_band(cell.ax, ds.step, band, PURPLE, "G, feature matching loss")
            cell.title()
        cells[0].ax.set_xlim(0, ds.step.values[-1])
        cells[0].ax.set_ylim(_common_limits(g_bands[matching]))
    what = "losses, median and quartiles of the runs not yet diverged"
    layout.finish(figure, ds, what, note)
    return figure


def _mark_rest(ax: Axes, rest: np.ndarray) -> None:
    """Where the players' losses `[2]` are if D can't tell, and D's if it tells all apart."""
    for value, color, player in zip(rest, (BLUE, VERMILLION), ("D", "G"), strict=True):
        if np.isfinite(value):
            label = f"equilibrium of {player}: D can't tell"
            ax.axhline(value, color=color, lw=0.8, ls="--", label=label)
    if np.isclose(rest[0], 2 * np.log(2)):  # of cross-entropies, whose least is 0
        ax.axhline(0, color=BLUE, lw=0.8, ls=":", label="floor of D: it tells all apart")


def measures(selection: Selection) -> Figure | None:
    """Medians over the runs not yet diverged of every measure but W1 and losses, a panel each.

    Whatever metrics there are, ours or a user's. None where there are none.
    """
    names = [name for name in of_runs.measures(selection.runs) if not name.startswith("loss_")]
    names = names[:MAX_MEASURES]
    if not names:
        return None
    ds, frame, note = common.ranked(selection)
    plan = facets.wall([_described(ds[name]) for name in names], selection.width)
    figure = layout.new_figure(selection.width, plan.height)
    cells = plan.draw(figure, "updates", "median over seeds", sharex=True)
    for name, cell in zip(names, cells, strict=True):
        ax = cell.ax
        curves = [
            np.column_stack([ds.step, _surviving_quantiles(values.astype(float))[0]])
            for values in ds[name].values
        ]
        if len(curves) > 1:
            common.draw_behind(ax, curves[1:], "other settings")
        ax.plot(*curves[0].T, color=BLUE, label=f"best: {frame.setting[0]}")
        cell.title()
        ax.set_ylabel(ds[name].attrs.get(UNIT, ""))
        ax.autoscale_view()
    cells[0].ax.set_xlim(0, ds.step.values[-1])
    layout.finish(figure, ds, "measures of the runs not yet diverged", note)
    return figure


def _described(values: xr.DataArray) -> str:
    """A measure's name, and which way is better if either is."""
    better = values.attrs.get("better")
    name = str(values.attrs.get("long_name", values.name))
    return f"{name} ({better} is better)" if better else name


def _share(count: np.ndarray, total: np.ndarray) -> np.ndarray:
    """A share and its 95% Wilson interval `[3, step]`; NaN where there is no run."""
    share = count / np.maximum(total, 1)
    return np.where(total > 0, [share, *statistics.wilson_interval(count, total)], np.nan)


def successes(selection: Selection) -> Figure:
    """Share of runs that meet the criterion of success at each log point, now and sustained so far.

    The second is what early stopping would keep, if it knew the distance to the target.
    """
    (ds, frame, note), plan = facets.planned(selection)
    met, finished = judge.meets_criterion(ds), of_runs.finished(ds)
    sustained = ds.sustained_at.values[:, :, None] <= ds.step.values  # NaN: never
    figure = layout.new_figure(selection.width, plan.height)
    cells = plan.draw(figure, "updates", "share of finished runs", sharex=True, sharey=True)
    for i, (cell, row) in enumerate(zip(cells, frame.itertuples(), strict=True)):
        now, so_far = met[i, finished[i]], sustained[i, finished[i]]
        curves = [
            _share(each.sum(axis=0), np.full(len(ds.step), len(now))) for each in (so_far, now)
        ]
        # Wider, since the two are often the same.
        common.draw_band(
            cell.ax, ds.step, curves[0], ORANGE, "has been a sustained success so far", lw=3
        )
        common.draw_band(cell.ax, ds.step, curves[1], BLUE, "meets the criterion now")
        held, settled = common.percent(row.sustained_rate), common.percent(row.success_rate)
        words = f"sustained {held}, settled {settled}" if row.finished else ""
        cell.title(words, common.counted(row))
    cells[0].ax.set(xlim=(0, ds.step.values[-1]), ylim=(-0.02, 1.02))
    cells[0].ax.yaxis.set_major_formatter(PercentFormatter(1))
    what = "runs that meet the criterion of success, 95% bands (Wilson)"
    layout.finish(figure, ds, what, note)
    return figure


def _moves(runs: xr.Dataset) -> dict[str, np.ndarray]:
    """Whether each probe update moved the centroids as it is meant to `[setting, seed, step]`.

    1 or 0, and NaN where a run has diverged or was not trained.
    """
    before, after_d, after_g = (
        runs.centroid_distance.sel(moment=moment).transpose("setting", "seed", "step").values
        for moment in ("before D", "after D", "after G")
    )
    known = np.isfinite(before + after_d + after_g)
    return {
        "G's step: generated centroid towards the real one": np.where(
            known, after_g < after_d, np.nan
        ),
        "D's step: centroids apart": np.where(known, after_d > before, np.nan),
    }


def _share_with_interval(moves: np.ndarray) -> str:
    """The mean over runs of a run's share of `[run, step]`, in words.

    Updates of one run are alike, so the run is what counts as one observation.
    """
    shares = np.nanmean(moves, axis=1)
    if not len(shares):
        return "-"
    low, high = np.clip(statistics.mean_interval(shares), 0, 1)
    interval = "" if np.isnan(low) else f" [{100 * low:.0f}, {100 * high:.0f}]"
    return f"{common.percent(shares.mean())}{interval}"


def approach(selection: Selection) -> Figure | None:
    """How often G's updates move the centroids of D's features together, and D's move them apart.

    The centroids are those of real and of generated rows, before and after one update on one batch.
    A panel's title has the mean over runs and log points, as in the summary of runs that did not
    diverge. None where they were not looked at.
    """
    if "centroid_distance" not in selection.runs:
        return None
    (ds, frame, note), plan = facets.planned(selection)
    moves = _moves(ds)
    colors = dict(zip(moves, (BLUE, VERMILLION), strict=True))
    survived = of_runs.survived(ds)
    figure = layout.new_figure(selection.width, plan.height)
    ylabel = "share of the runs not yet diverged"
    cells = plan.draw(figure, "updates", ylabel, sharex=True, sharey=True)
    for i, cell in enumerate(cells):
        cell.ax.axhline(0.5, color="black", lw=0.8, ls="--", label="as often as not")
        words = []
        for name, values in moves.items():
            count, total = np.nansum(values[i], axis=0), np.isfinite(values[i]).sum(axis=0)
            common.draw_band(cell.ax, ds.step, _share(count, total), colors[name], name)
            words.append(f"{name[0]} {_share_with_interval(values[i, survived[i]])}")
        cell.title(", ".join(words), common.counted(frame.loc[i]))
    cells[0].ax.set(xlim=(0, ds.step.values[-1]), ylim=(-0.02, 1.02))
    cells[0].ax.yaxis.set_major_formatter(PercentFormatter(1))
    what = "how the centroids of D's features move, 95% bands (Wilson)"
    layout.finish(figure, ds, what, "above panels: mean over runs [95%]", note)
    return figure


def pretraining(selection: Selection) -> Figure | None:
    """D before and after its pretraining with the target's density, and the pretraining's loss.

    None where no setting pretrains D. In 2-D, or without snapshots, the loss alone.
    """
    runs, snapshots = selection.runs, selection.snapshots
    if "pretraining_loss" not in runs:
        return None
    pretrains = runs.pretraining_loss.notnull().any(["seed", "part"]).values
    if not pretrains.any():
        return None
    among = runs.setting.values[pretrains].tolist()
    ds, frame, note = common.ranked(selection, common.MAX_ROWS, among)
    with_d = (
        not common.is_plane(runs)
        and common.holds(runs, "x", "target_density")
        and common.holds(snapshots, "d_initial", "d_pretrained")
    )
    xlabels = [*(["x"] if with_d else []), "share of the pretraining"]
    figure, axes = layout.rows_of_panels(selection.width, len(frame), xlabels, 1.5, sharex="col")
    share = (np.arange(ds.sizes["part"]) + 0.5) / ds.sizes["part"]
    for i, setting in enumerate(frame.setting):
        loss_ax = axes[i, -1]
        loss = _surviving_quantiles(ds.pretraining_loss.values[i])
        common.draw_band(loss_ax, share, loss, BLUE, "loss, median over seeds", "quartiles")
        layout.logarithmic(loss_ax, "y", 1.5)
        loss_ax.set_xlim(0, 1)
        loss_ax.xaxis.set_major_formatter(PercentFormatter(1))
        loss_ax.set_ylabel("pretraining loss")
        trained = int(np.isfinite(ds.pretraining_loss.values[i]).any(axis=-1).sum())
        loss_ax.set_title(f"{common.wrapped(setting)}\nn = {trained}")
        if with_d and snapshots is not None:
            _draw_d(axes[i, 0], ds.sel(setting=setting), snapshots.sel(setting=setting))
            axes[i, 0].set_title(common.wrapped(setting))
    layout.finish(figure, ds, "pretraining of D", note)
    return figure


def _draw_d(ax: Axes, runs: xr.Dataset, snapshots: xr.Dataset) -> None:
    """D of every kept seed of one setting over x, before its pretraining and after."""
    seeds = snapshots.sizes["snapshot_seed"]
    curves = {"before": (snapshots.d_initial, GREY), "after": (snapshots.d_pretrained, BLUE)}
    for when, (d, color) in curves.items():
        label = f"D {when} pretraining, {seeds} seeds"
        ax.plot(runs.x, d.transpose("grid", "snapshot_seed"), color=color, lw=0.8)
        ax.lines[-1].set_label(label)
    ax.plot(runs.x, runs.target_density, color="black", lw=1.2, ls="--", label="target density")
    ax.set_ylim(bottom=min(0, ax.get_ylim()[0]))
    ax.set_ylabel("D(x), density")
