"""Draws a sweep's results as figures and animations.

Each kind is a pure function of the results, written to results/NAME/figures/KIND.png, or .pdf and
.svg where asked for (animations: .gif, and .mp4 where there is an ffmpeg). Quantiles over seeds
count a diverged run's W1 as +inf. Settings are ordered as in the summary, best first; where a kind
shows one setting, it is the best.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from gan1d.report.figures import (
    columns,
    common,
    effects,
    evolution,
    film,
    final,
    games,
    layout,
    line,
    paths,
    plane,
    profiles,
    response,
    survival,
    training,
)
from gan1d.report.figures.common import FIRST, PAGE, Mapped, Selection
from gan1d.report.figures.film import Film
from gan1d.results import files

# To add one: its function, and its entry below. Its docstring's first line is what --help says.
Kind = Callable[[Selection], Figure | Film | None]

KINDS: dict[str, Kind] = {
    "densities": line.densities,
    "verdicts": final.verdicts,
    "strip": final.strip,
    "raster": final.raster,
    "profiles": profiles.profiles,
    "profile_differences": profiles.profile_differences,
    "differences": effects.differences,
    "effects": effects.forest,
    "stability": final.stability,
    "survival": survival.survival,
    "w1": training.w1,
    "losses": training.losses,
    "modes": training.modes,
    "moments": evolution.moments,
    "response": response.response,
    "heatmap": response.heatmap,
    "parallel": response.parallel,
    "measures": training.measures,
    "successes": training.successes,
    "approach": training.approach,
    "pretraining": training.pretraining,
    "phase": games.phase,
    "spectra": games.spectra,
    "path": paths.path,
    "eigenvalues": paths.eigenvalues,
    "boundary": line.boundary,
    "training_density": evolution.training_density,
    "samples": plane.samples,
    "seeds": plane.seeds,
    "columns": columns.columns,
    "features": plane.features,
    "animation": film.animation,
    "seeds_animation": film.seeds_animation,
}
# What a sweep draws by itself: what the runs came to, what made the difference, and what was made.
SHOWN = ("densities", "samples", "columns", "verdicts", "profiles", "differences", "effects", "w1")
ANIMATIONS = ("animation", "seeds_animation")  # slow
# With what is kept out of each, so that the same picture is the same file.
FORMATS = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
SUFFIXES = (*(f".{each}" for each in FORMATS), *film.SUFFIXES)

__all__ = [
    "ANIMATIONS",
    "FIRST",
    "FORMATS",
    "KINDS",
    "PAGE",
    "PLAIN",
    "SHOWN",
    "Look",
    "Mapped",
    "Selection",
    "clear",
    "draw",
    "draw_all",
    "stills",
    "write",
]


class Look(NamedTuple):
    """How figures are written."""

    formats: Sequence[str] = ("png",)  # of FORMATS; animations have their own
    width: float = PAGE  # inches
    style: str | None = None  # of matplotlib, over gan1d's: a name or a file


PLAIN = Look()


def draw(kind: str, selection: Selection, style: str | None = None) -> Figure | Film | None:
    """One figure, in gan1d's style and, over it, one of matplotlib's; None: it does not apply."""
    with layout.styled(style):
        drawn = KINDS[kind](common.literal(selection))
        if isinstance(drawn, Figure):
            layout.settle(drawn)
        return drawn


def draw_all(
    folder: Path,
    runs: xr.Dataset,
    snapshots: xr.Dataset | None,
    summary: pd.DataFrame,
    kinds: Sequence[str] | None = None,
    setting: str | None = None,
    seed: int | None = None,
    look: Look = PLAIN,
    mapped: Mapped = FIRST,
) -> list[Path]:
    """Writes each kind that applies to folder/figures/; returns the files' paths.

    Args:
      folder: a results folder.
      runs: what `results.load` gives.
      snapshots: what `results.load_snapshots` gives.
      summary: what `tables.summary` says of the runs.
      kinds: names in KINDS; None: all but animations.
      setting: the only setting to draw, as `runs.find_setting` takes it; None: all, or the best.
      seed: of the kinds that show one seed; None: the first one with snapshots.
      look: files, width and style.
      mapped: what heat maps and responses show.

    Raises:
      SelectionError: there is no such setting, field or measure, or no snapshots of that seed.
      WriteError: a figure can't be written.
    """
    selected = common.literal(
        common.select(runs, summary, snapshots, setting, seed, look.width, mapped)
    )
    if kinds is None:
        kinds = stills()
    target = Path(folder) / "figures"
    files.make_folder(target)
    paths = []
    for kind in kinds:
        with layout.styled(look.style):  # while it is written too: ticks are made then
            drawn = KINDS[kind](selected)
            if isinstance(drawn, Film):
                paths += film.write(drawn, target / kind)
            elif drawn is not None:
                layout.settle(drawn)
                paths += [write(drawn, target / kind, each) for each in look.formats]
    return paths


def write(figure: Figure, stem: Path, suffix: str) -> Path:
    """Write a figure as one of FORMATS, to a path whose ending becomes that one; returns the file.

    Raises:
      WriteError: it can't be written.
    """
    path = stem.with_suffix(f".{suffix}")
    files.replace(path, functools.partial(figure.savefig, format=suffix, metadata=FORMATS[suffix]))
    return path


def stills() -> list[str]:
    """All kinds but animations."""
    return [kind for kind in KINDS if kind not in ANIMATIONS]


def clear(folder: Path) -> None:
    """Removes every file that `draw_all` may have written."""
    for kind in KINDS:
        for suffix in SUFFIXES:
            files.remove(Path(folder) / "figures" / f"{kind}{suffix}")
            files.clear_temporaries(Path(folder) / "figures", f"{kind}{suffix}")
