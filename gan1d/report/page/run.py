"""One run, chosen by its setting and seed: what became of it, and its curves over updates."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from bokeh.models import BoxAnnotation, ColumnDataSource, Range1d, Select, Span
from bokeh.plotting import figure

from gan1d.report import runs as of_runs
from gan1d.report.figures import common, training
from gan1d.report.figures.common import BLUE, GREY, VERMILLION
from gan1d.report.figures.final import w1_name
from gan1d.report.page.dots import Dots
from gan1d.report.page.shown import WORDS, Drawn, Shown, mark_log, plot, script, single
from gan1d.report.tables import number
from gan1d.results import judge, verdicts

LOOKS = 200  # of a curve at most: on its width no more can be told apart
MOST_BYTES = 5_000_000  # of all curves
LOSSES = {"loss_d": ("loss of D", BLUE), "loss_g": ("loss of G", VERMILLION)}


class Run(NamedTuple):
    """What chooses a run, and what shows it."""

    setting: Select  # by their places in what is shown
    seed: Select
    curves: list[str]  # their places in the page
    looks: str  # how many of them curves show, where not all; else ""
    now: list[Span]  # where a film is, in each of the curves
    drawn: Drawn


def draw(shown: Shown, dots: Dots) -> Run:
    """Selects of setting and seed, and curves of the run; a dot that is tapped sets them."""
    runs = shown.runs
    labels = [(str(i), str(label)) for i, label in enumerate(runs.setting.values)]
    seeds = [(str(i), str(seed)) for i, seed in enumerate(runs.seed.values)]
    setting = Select(
        name="setting", title="setting", options=labels, value="0", sizing_mode="stretch_width"
    )
    seed = Select(name="seed", title="seed", options=seeds, value="0", width=110)

    std = runs.target_std.values
    values = {"w1": runs.w1.values / std[:, None, None]}
    values["w1"] = np.where(np.isfinite(values["w1"]), values["w1"], np.nan)
    if common.holds(runs, *LOSSES):
        values |= {name: runs[name].values for name in LOSSES}
    known = min(LOOKS, MOST_BYTES // (4 * len(values) * runs.verdict.size))
    looks = common.checkpoints(runs.sizes["step"], max(known, 2))
    curves = [single(each[:, :, looks]) for each in values.values()]
    steps = runs.step.values[looks].astype(float)
    source = ColumnDataSource(
        dict(zip(values, (each[0, 0] for each in curves), strict=True)) | {"step": steps}
    )
    axes = {"w1": _w1(runs, source)}
    positive = curves[0][curves[0] > 0]
    mark_log(axes["w1"].yaxis[0], positive.min(initial=1), positive.max(initial=1))
    box = BoxAnnotation(fill_color=GREY, fill_alpha=0.5, line_color=None, level="underlay")
    axes["w1"].add_layout(box)
    rests = []
    for name in list(values)[1:]:
        label, color = LOSSES[name]
        axes[name] = _curve(source, name, color, y_axis_label=label, height=160)
        rests.append(Span(dimension="width", line_dash="dashed", line_width=1))
        axes[name].add_layout(rests[-1])
    now = [Span(dimension="height", line_color="#888888", location=0) for _ in axes]
    for each, span in zip(axes.values(), now, strict=True):
        each.add_layout(span)

    show = script(
        "run",
        setting=setting,
        seed=seed,
        dots=dots.runs,
        told=_told(runs),
        curves=source,
        names=list(values),
        values=curves,
        rests=rests,
        rest_values=single(training.rest_of(runs)),
        box=box,
        perfect=single(np.transpose([floor / std for floor in of_runs.null_floor(runs)])),
    )
    for select in (setting, seed):
        select.js_on_change("value", show)
    tapped = script("tapped", dots=dots.runs, setting=setting, seed=seed)
    dots.runs.selected.js_on_change("indices", tapped)
    drawn = Drawn({"setting": setting, "seed": seed, **axes}, [show])
    total = runs.sizes["step"]
    note = f"{len(looks)} of {total} looks" if len(looks) < total else ""
    return Run(setting, seed, list(axes), note, now, drawn)


def _w1(runs: xr.Dataset, source: ColumnDataSource) -> figure:
    """The axes of W1 in target stds, with what success is."""
    label = f"{w1_name(runs)} (target stds)"
    drawn = _curve(source, "w1", BLUE, y_axis_type="log", y_axis_label=label)
    limit = judge.thresholds(runs).success_w1
    drawn.add_layout(Span(dimension="width", line_dash="dotted", location=limit))
    return drawn


def _curve(source: ColumnDataSource, name: str, color: str, **given: object) -> figure:
    """The axes of one curve."""
    last = source.data["step"][-1]
    drawn = plot(x_axis_label="updates", min_border_left=70, **given)
    drawn.x_range = Range1d(0, last + last / 50)
    drawn.line("step", name, source=source, color=color, line_width=1.5, name=name)
    drawn.scatter("step", name, source=source, color=color, size=3)
    return drawn


def _told(runs: xr.Dataset) -> list[str]:
    """What became of every run, setting by setting and seed by seed."""
    labels, seeds = runs.setting.values.tolist(), runs.seed.values.tolist()
    w1, structure = of_runs.settled_w1(runs), runs.settled_structure.values
    dead = runs.dead.values if "dead" in runs else np.zeros(w1.shape)
    lines = []
    for (i, j), code in np.ndenumerate(runs.verdict.values):
        line = f"{labels[i]}, seed {seeds[j]}: {WORDS[code]}"
        if code == verdicts.DIVERGED:
            line += f" at update {runs.diverged_at.values[i, j]:.0f}"
        elif code != verdicts.UNFINISHED:
            line += f"; settled W1 {number(float(w1[i, j]))} target stds"
            if not np.isnan(structure[i, j]):
                line += f", structure {number(float(structure[i, j]))}"
            if runs.sustained_at.values[i, j] >= 0:
                line += f", success sustained by update {runs.sustained_at.values[i, j]:.0f}"
            line += ", losses frozen" * bool(dead[i, j])
        lines.append(f"{line}.")
    return lines
