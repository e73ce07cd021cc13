"""Which runs a page shows one by one, and what its drawings share."""

import textwrap
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from bokeh.models import Axis, BasicTickFormatter, CustomJS, FixedTicker, Model
from bokeh.plotting import figure
from numpy.typing import ArrayLike

from gan1d.report.figures import common
from gan1d.report.figures.common import Selection
from gan1d.results import verdicts

MOST_RUNS = 5000
MOST_SETTINGS = 500
FEW_POWERS = 5  # of ten on an axis
LABEL = 36  # characters of a line of a row's name
LINE = 12  # pixels of such a line
WORDS = dict(enumerate(verdicts.VERDICTS)) | {verdicts.UNFINISHED: "not finished"}
TOOLS = "box_zoom,pan,reset,save"


class Shown(NamedTuple):
    """Runs that are shown one by one, settings in the summary's order, best first."""

    runs: xr.Dataset
    summary: pd.DataFrame
    snapshots: xr.Dataset | None  # of these settings
    note: str  # what is left out; "" where nothing is


def choose(runs: xr.Dataset, snapshots: xr.Dataset | None, summary: pd.DataFrame) -> Shown:
    """All runs or, of more than `MOST_RUNS`, those of the first seeds.

    Seeds are exchangeable, so the first ones are as good a sample as any, and snapshots are theirs.
    """
    selection = Selection(runs, summary, snapshots, None)
    some, frame, note = common.ranked(selection, MOST_SETTINGS)
    seeds = runs.sizes["seed"]
    kept = min(seeds, max(1, MOST_RUNS // len(frame)))
    notes = [note] if note else []
    if kept < seeds:
        notes.append(f"a sample of the seeds, the first {kept} of {seeds}")
    if snapshots is not None:
        snapshots = snapshots.sel(setting=some.setting.values)
        of_these = np.isin(snapshots.snapshot_seed, some.seed[:kept])
        snapshots = snapshots.isel(snapshot_seed=of_these)
    rests = "; words, tables and statistics rest on all runs" if notes else ""
    return Shown(some.isel(seed=slice(kept)), frame, snapshots, "; ".join(notes) + rests)


def read(name: str) -> str:
    """A file of this package."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def script(name: str, **given: object) -> CustomJS:
    """A script of this package, with what it works on."""
    return CustomJS(args=given, code=read("values_at.js") + read(f"{name}.js"))


def plot(**given: object) -> figure:
    """An empty figure as wide as there is room."""
    sizes = {"sizing_mode": "stretch_width", "height": 240, "tools": TOOLS}
    drawn = figure(**(sizes | given))
    drawn.toolbar.logo = None
    drawn.toolbar.autohide = True
    drawn.grid.grid_line_color = "#EEEEEE"
    drawn.axis.minor_tick_line_color = None
    drawn.outline_line_color = "#CCCCCC"
    return drawn


def mark_log(axis: Axis, low: float, high: float) -> None:
    """Ticks at 1, 2 and 5 of each power of ten, or at these alone where there are many.

    Bokeh's own would be evenly spaced over few powers, from 0 on, which has no logarithm.
    """
    powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    digits = [1, 2, 5] if len(powers) <= FEW_POWERS else [1]
    axis.ticker = FixedTicker(ticks=np.outer(10.0**powers, digits).ravel().tolist())
    axis.formatter = BasicTickFormatter()


def fitted(label: str, pixels: int) -> str:
    """A name in as many lines as fit in a row of so many pixels, the last cut short."""
    lines = pixels // LINE
    if not lines:
        return ""
    whole = common.wrapped(label, LABEL)
    if whole.count("\n") < lines:
        return whole
    return textwrap.fill(label, LABEL, max_lines=lines, placeholder=" ...")


def single(values: ArrayLike) -> np.ndarray:
    """Numbers in single precision, of which twice as many go into a page."""
    return np.ascontiguousarray(values, np.float32)


class Drawn(NamedTuple):
    """A part of the page."""

    roots: dict[str, Model]  # by the place in the page that each goes to
    at_start: Sequence[CustomJS] = ()  # what fills it once the page is there
