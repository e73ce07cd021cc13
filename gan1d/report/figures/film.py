"""Animations of training: a frame a log point, written as GIF and, with ffmpeg, as MP4."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from gan1d.report.figures import common, facets, layout, line, plane
from gan1d.report.figures.common import Selection
from gan1d.report.figures.line import LinePanel
from gan1d.report.figures.plane import PlanePanel, draw_scales
from gan1d.results import files

SUFFIXES = (".gif", ".mp4")
MAX_FRAMES = 400
FRAME_RATES = (4, 30)  # a second: slowest and fastest
SECONDS = 8  # that a film takes at least, between these rates
LAST_FRAME = 2000  # milliseconds
DPI = 120
NOT_YET = "\N{NO-BREAK SPACE}"  # a line of a heading that is still empty


class Film(NamedTuple):
    """A figure that moves: `show(i)` brings its `artists` to frame `i`."""

    figure: Figure
    artists: Sequence[Artist]
    show: Callable[[int], None]
    frames: int


def animation(selection: Selection) -> Film | None:
    """One seed's training as an animation: its densities and D, or its points (only by --kind)."""
    seed = selection.seed
    return None if seed is None else _film(selection, [seed], (5.6, 3.2))


def seeds_animation(selection: Selection) -> Film | None:
    """The same of all kept seeds, side by side (only by --kind)."""
    if selection.snapshots is None:
        return None
    seeds = selection.snapshots.snapshot_seed.values[: common.MAX_PANELS].tolist()
    return _film(selection, seeds, (2.3, 1.9))


def _film(selection: Selection, seeds: list[int], size: tuple[float, float]) -> Film | None:
    """The training of the best setting's seeds, a panel each; their verdicts at the end."""
    runs, snapshots = selection.runs, selection.snapshots
    is_plane = common.is_plane(runs)
    can_show = plane.can_show if is_plane else line.can_show
    if snapshots is None or not can_show(selection):
        return None
    setting = common.best(selection)
    plan = facets.wall([f"seed {seed}" for seed in seeds], selection.width, size)
    figure = layout.new_figure(selection.width, plan.height)
    cells = plan.draw(figure, "" if is_plane else "x", "" if is_plane else "density")
    shown = [common.one_run(runs, snapshots, setting, seed) for seed in seeds]
    panels: Sequence[PlanePanel | LinePanel]
    if is_plane:
        panels = planes = [PlanePanel(cell.ax, run) for cell, run in zip(cells, shown, strict=True)]
        draw_scales(figure, [[panel] for panel in planes])
    else:
        views = [line.view(run.x, run.samples.values[..., 0]) for run in shown]
        panels = [
            LinePanel(cell.ax, run, edges)
            for cell, run, edges in zip(cells, shown, views, strict=True)
        ]
    steps = snapshots.step.values
    chosen = common.checkpoints(len(steps), MAX_FRAMES)
    seeds_shown = f"{len(seeds)} of {runs.sizes['seed']} seeds"
    title = layout.finish(figure, runs, setting, seeds=seeds_shown)
    what = title.get_text()

    def show(frame: int) -> None:
        title.set_text(f"{what}\n{common.moment(steps[chosen[frame]])}")
        ended = frame == len(chosen) - 1
        for panel, cell, run in zip(panels, cells, shown, strict=True):
            notes = panel.show(chosen[frame])
            cell.title(common.fate(run) if ended else NOT_YET, "; ".join(notes) or NOT_YET)

    artists = [artist for panel in panels for artist in panel.artists]
    return Film(figure, [*artists, title], show, len(chosen))


def write(film: Film, stem: Path) -> list[Path]:
    """Writes STEM.gif, and STEM.mp4 where there is an ffmpeg; returns the files' paths."""
    rate = int(np.clip(film.frames // SECONDS, *FRAME_RATES))
    images = _images(film)
    gif = stem.with_suffix(".gif")
    durations = [1000 // rate] * (len(images) - 1) + [LAST_FRAME]

    def save(path: Path) -> None:
        images[0].save(
            path,
            format="GIF",
            save_all=True,
            append_images=images[1:],
            duration=durations,
            loop=0,
        )

    files.replace(gif, save)
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        return [gif]
    mp4 = stem.with_suffix(".mp4")
    # Of an odd width or height there is no yuv420p, and no other format is played everywhere.
    even = ["-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2", "-pix_fmt", "yuv420p"]
    command = [ffmpeg, "-y", "-loglevel", "error", "-i", str(gif), *even, str(mp4)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL)
    if done.returncode:
        mp4.unlink(missing_ok=True)
        return [gif]
    return [gif, mp4]


def _images(film: Film) -> list[Image.Image]:
    """Every frame, all with the same 256 colours; only what moves is drawn anew."""
    figure = film.figure
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    film.show(0)
    canvas.draw()
    figure.set_layout_engine("none")  # laid out: from here on all stays where it is
    for artist in film.artists:
        artist.set_animated(True)
    canvas.draw()
    background = canvas.copy_from_bbox(figure.bbox)

    def image(frame: int) -> Image.Image:
        canvas.restore_region(background)
        film.show(frame)
        for artist in film.artists:
            figure.draw_artist(artist)
        return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")

    typical = [np.asarray(image(frame)) for frame in common.checkpoints(film.frames, 5)]
    palette = Image.fromarray(np.concatenate(typical)).quantize(255)
    colors = np.reshape(palette.getpalette() or [], (-1, 3))[:255]
    # Pillow looks colours up as multiples of 4: of two near white, it takes the nearer to 252.
    colors[(colors > 246).all(axis=1)] = 255
    palette.putpalette([*colors.ravel().tolist(), 255, 255, 255])
    return [
        image(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in range(film.frames)
    ]
