"""What happens during training, over seeds: W1, losses, successes, pretraining, centroids."""

import textwrap

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from gan1d.report import runs as of_runs
from gan1d.report import statistics
from gan1d.report.figures import common, final
from gan1d.report.figures.common import BLUE, GREY, ORANGE, QUARTILES, VERMILLION, Selection
from gan1d.results import judge
from gan1d.results.schema import UNIT

BAND = (0.5, 0.05, 0.95)
MAX_MEASURES = 12


def w1(selection: Selection) -> Figure:
    """W1 during training: median over seeds, 5-95% band, and what perfect samplers score."""
    ds, frame, note = common.ranked(selection)
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
    figure, axes = common.panels(len(frame), "updates", sharex=True, sharey=True)
    medians = [np.column_stack([ds.step, median]) for median, _, _ in quantiles]
    for i, ax in enumerate(axes):
        if len(axes) > 1:
            common.draw_behind(ax, medians, "medians of other settings")
        common.draw_band(ax, ds.step, quantiles[i], BLUE, "median over seeds", "5-95% of seeds")
        ax.axhline(limit, color="black", lw=0.8, ls=":", label="success threshold")
        if np.isfinite(perfect[0][i]):
            floor = perfect[0][i], perfect[1][i]
            ax.axhspan(*floor, color=GREY, alpha=0.5, lw=0, label="perfect samplers, 50 to 95%")
        ax.set_title(common.wrapped(frame.setting[i]), fontsize=common.TITLE)
    axes[0].set(yscale="log", ylim=(bottom, top), xlim=(0, ds.step.values[-1]))
    figure.supylabel(final.w1_label(ds), fontsize=9)
    common.set_title(figure, ds, "W1 during training, diverged runs counted as infinite", note)
    common.legend(figure)
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
    ds, frame, note = common.ranked(selection, among=among)
    count = ds.target_mode_share.notnull().sum("target_mode").values
    figure, axes = common.panels(len(frame), "updates", sharex=True)
    for i, ax in enumerate(axes):
        curves = _surviving_quantiles(ds.modes.values[i])
        common.draw_band(ax, ds.step, curves, BLUE, "median over seeds", "quartiles")
        ax.axhline(count[i], color="black", lw=0.8, ls="--", label="the target's modes")
        ax.set_ylim(0, 1.08 * count[i])
        title = [common.wrapped(frame.setting[i]), common.counted(frame.loc[i])]
        ax.set_title("\n".join(title), fontsize=common.TITLE)
    axes[0].set_xlim(0, ds.step.values[-1])
    figure.supylabel("modes", fontsize=9)
    common.set_title(figure, ds, "modes with at least one sample", note)
    common.legend(figure)
    return figure


def _surviving_quantiles(values: np.ndarray) -> np.ndarray:
    """Median and quartiles `[3, step]` of `[run, step]` over the runs not NaN at that step."""
    columns = [statistics.quantiles(column[~np.isnan(column)], QUARTILES) for column in values.T]
    return np.stack(columns, axis=1)


def _common_limits(bands: np.ndarray) -> tuple[float, float]:
    """Limits that hold all medians, and the bands `[..., 3, step]` but for their extremes."""
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
    feature matching loss of G has a scale of its own, so it gets an axis of its own. None where
    losses were not kept.
    """
    if not common.holds(selection.runs, "loss_d", "loss_g"):
        return None
    ds, frame, note = common.ranked(selection)
    one_loss = "loss.kind" not in of_runs.swept_fields(ds)
    rest = rest_of(ds)
    matching = np.zeros(len(frame), bool)
    if "g_matches_features" in ds:
        matching = ds.g_matches_features.values != 0
    step = ds.step.values
    d_bands, g_bands = (
        np.stack([_surviving_quantiles(values) for values in ds[name].values])
        for name in ("loss_d", "loss_g")
    )
    figure, axes = common.panels(len(frame), "updates", sharex=True, sharey=one_loss)
    for i, ax in enumerate(axes):
        g_ax, g_label = ax, "G"
        if matching[i]:
            g_ax, g_label = ax.twinx(), "G, feature matching loss (right axis)"
            g_ax.tick_params(labelsize=7, colors=VERMILLION)
        elif np.isfinite(rest[i]).all():
            for value in rest[i]:
                label = "equilibrium: D can't tell"
                ax.axhline(value, color="black", lw=0.8, ls="--", label=label)
        common.draw_band(ax, step, d_bands[i], BLUE, "D")
        common.draw_band(g_ax, step, g_bands[i], VERMILLION, g_label)
        ax.set_title(common.wrapped(frame.setting[i]), fontsize=common.TITLE)
    axes[0].set_xlim(0, step[-1])
    if one_loss:
        axes[0].set_ylim(_common_limits(np.concatenate([d_bands, g_bands[~matching]])))
    figure.supylabel("loss", fontsize=9)
    what = "losses, median and quartiles of the runs not yet diverged"
    common.set_title(figure, ds, what, note)
    common.legend(figure)
    return figure


def measures(selection: Selection) -> Figure | None:
    """Medians over the runs not yet diverged of every measure but W1 and losses, a panel each.

    Whatever metrics there are, ours or a user's. None where there are none.
    """
    names = [name for name in of_runs.measures(selection.runs) if not name.startswith("loss_")]
    names = names[:MAX_MEASURES]
    if not names:
        return None
    ds, frame, note = common.ranked(selection)
    figure, axes = common.panels(len(names), "updates", sharex=True)
    for name, ax in zip(names, axes, strict=True):
        curves = [
            np.column_stack([ds.step, _surviving_quantiles(values.astype(float))[0]])
            for values in ds[name].values
        ]
        if len(curves) > 1:
            common.draw_behind(ax, curves[1:], "other settings")
        ax.plot(*curves[0].T, color=BLUE, lw=1.3, label=common.wrapped(frame.setting[0], 80))
        title = textwrap.fill(_described(ds[name]), common.PANEL_CHARACTERS)
        ax.set_title(title, fontsize=common.TITLE)
        ax.set_ylabel(ds[name].attrs.get(UNIT, ""), fontsize=8)
        ax.autoscale_view()
    axes[0].set_xlim(0, ds.step.values[-1])
    figure.supylabel("median over seeds", fontsize=9)
    common.set_title(figure, ds, "measures of the runs not yet diverged", note)
    common.legend(figure)
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
    ds, frame, note = common.ranked(selection)
    met, finished = judge.meets_criterion(ds), of_runs.finished(ds)
    sustained = ds.sustained_at.values[:, :, None] <= ds.step.values  # NaN: never
    figure, axes = common.panels(len(frame), "updates", sharex=True, sharey=True)
    for i, (ax, row) in enumerate(zip(axes, frame.itertuples(), strict=True)):
        now, so_far = met[i, finished[i]], sustained[i, finished[i]]
        curves = [
            _share(each.sum(axis=0), np.full(len(ds.step), len(now))) for each in (so_far, now)
        ]
        # Wider, since the two are often the same.
        common.draw_band(
            ax, ds.step, curves[0], ORANGE, "has been a sustained success so far", lw=3
        )
        common.draw_band(ax, ds.step, curves[1], BLUE, "meets the criterion now")
        lines = [common.wrapped(row.setting)]
        if row.finished:
            held, settled = common.percent(row.sustained_rate), common.percent(row.success_rate)
            lines.append(f"sustained {held}, settled {settled}")
        ax.set_title("\n".join([*lines, common.counted(row)]), fontsize=common.TITLE)
    axes[0].set(xlim=(0, ds.step.values[-1]), ylim=(-0.02, 1.02))
    axes[0].yaxis.set_major_formatter(PercentFormatter(1))
    figure.supylabel("share of finished runs", fontsize=9)
    what = "runs that meet the criterion of success, 95% bands (Wilson)"
    common.set_title(figure, ds, what, note)
    common.legend(figure)
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
    ds, frame, note = common.ranked(selection)
    moves = _moves(ds)
    colors = dict(zip(moves, (BLUE, VERMILLION), strict=True))
    survived = of_runs.survived(ds)
    figure, axes = common.panels(len(frame), "updates", sharex=True, sharey=True)
    for i, ax in enumerate(axes):
        ax.axhline(0.5, color="black", lw=0.8, ls="--", label="as often as not")
        words = []
        for name, values in moves.items():
            count, total = np.nansum(values[i], axis=0), np.isfinite(values[i]).sum(axis=0)
            common.draw_band(ax, ds.step, _share(count, total), colors[name], name)
            words.append(f"{name[0]} {_share_with_interval(values[i, survived[i]])}")
        title = [common.wrapped(frame.setting[i]), ", ".join(words), common.counted(frame.loc[i])]
        ax.set_title("\n".join(title), fontsize=common.TITLE)
    axes[0].set(xlim=(0, ds.step.values[-1]), ylim=(-0.02, 1.02))
    axes[0].yaxis.set_major_formatter(PercentFormatter(1))
    figure.supylabel("share of the runs not yet diverged", fontsize=9)
    what = "how the centroids of D's features move, 95% bands (Wilson)"
    common.set_title(figure, ds, what, "above panels: mean over runs [95%]", note)
    common.legend(figure)
    return figure


def pretraining(selection: Selection) -> Figure | None:
    """D before and after its pretraining with the target's density, and the pretraining's loss.

    None where no setting pretrains D. In 2-D, or without snapshots, the loss alone.
    """
    runs, _, snapshots, _ = selection
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
    figure, axes = common.rows_of_panels(len(frame), xlabels, (3.6, 2.2))
    share = (np.arange(ds.sizes["part"]) + 0.5) / ds.sizes["part"]
    for i, setting in enumerate(frame.setting):
        loss_ax = axes[i, -1]
        loss = _surviving_quantiles(ds.pretraining_loss.values[i])
        common.draw_band(loss_ax, share, loss, BLUE, "loss, median over seeds", "quartiles")
        loss_ax.set(yscale="log", xlim=(0, 1))
        loss_ax.xaxis.set_major_formatter(PercentFormatter(1))
        loss_ax.set_ylabel("pretraining loss", fontsize=8)
        trained = int(np.isfinite(ds.pretraining_loss.values[i]).any(axis=-1).sum())
        loss_ax.set_title(f"{common.wrapped(setting)}\nn = {trained}", fontsize=common.TITLE)
        if with_d and snapshots is not None:
            _draw_d(axes[i, 0], ds.sel(setting=setting), snapshots.sel(setting=setting))
            axes[i, 0].set_title(common.wrapped(setting), fontsize=common.TITLE)
    common.set_title(figure, ds, "pretraining of D", note)
    common.legend(figure)
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
    ax.set_ylabel("D(x), density", fontsize=8)
