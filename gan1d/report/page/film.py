"""What a run's generator makes: at its end, and for seeds with snapshots all through training."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from bokeh.models import CustomJSTickFormatter, Slider, Toggle
from bokeh.plotting import figure

from gan1d.report.figures import common
from gan1d.report.page.run import Run
from gan1d.report.page.shown import Drawn, Shown, script

FRAMES = 30
MOST_BYTES = 10_000_000  # of all films
HEIGHT = 420
KNOWN = ("w1", "diverged_at", "d_is_probability", "x", "target_density")


class Films(NamedTuple):
    """What snapshots hold of the first of the seeds that are shown."""

    updates: np.ndarray  # at each frame
    runs: list[list[xr.Dataset]]  # [setting][seed], as `common.one_run` has them


def choose(shown: Shown, frame_bytes: int) -> Films | None:
    """Films of as many seeds as there is room for; None where no snapshots were kept."""
    runs, snapshots = shown.runs, shown.snapshots
    if snapshots is None:
        return None
    frames = common.checkpoints(snapshots.sizes["step"], FRAMES)
    most = max(1, MOST_BYTES // (frame_bytes * len(frames) * runs.sizes["setting"]))
    seeds = snapshots.snapshot_seed.values[:most].tolist()
    snapshots = snapshots.isel(step=frames)
    runs = runs[[name for name in KNOWN if name in runs]]  # to choose runs of takes its time
    runs, snapshots = common.in_plane(runs), common.in_plane(snapshots)
    return Films(snapshots.step.values, common.films(runs, snapshots, seeds))


def stacked(films: Films, values: list[np.ndarray]) -> np.ndarray:
    """What is known of each film, in the order of `films.runs`, as `[setting, seed, ...]`."""
    shape = len(films.runs), len(films.runs[0])
    return np.stack(values).reshape(*shape, *values[0].shape)


def play(shown: Shown, run: Run, films: Films | None, name: str, drawn: figure, **given) -> Drawn:
    """A picture, drawn by a script of that name for the chosen run and frame, and its controls."""
    updates = shown.runs.step.values[-1:] if films is None else films.updates
    count = 0 if films is None else len(films.runs[0])
    last = len(updates) - 1
    slider = Slider(name="frame", title="updates", start=0, end=max(last, 1), step=1, value=last)
    slider.format = CustomJSTickFormatter(
        args={"updates": updates.tolist()}, code="return String(updates[tick])"
    )
    slider.sizing_mode = "stretch_width"
    toggle = Toggle(name="play", label="play", width=80)
    show = script(
        name,
        setting=run.setting,
        seed=run.seed,
        slider=slider,
        toggle=toggle,
        updates=updates.tolist(),
        count=count,
        now=run.now,
        drawn=drawn,
        **given,
    )
    for model in (run.setting, run.seed, slider):
        model.js_on_change("value", show)
    toggle.js_on_change("active", script("play", slider=slider, toggle=toggle))
    return Drawn({"picture": drawn, "slider": slider, "play": toggle}, [show])
