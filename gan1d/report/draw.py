"""Figures of results in memory, for notebooks: `gan1d.draw.profiles(runs)`, and so every kind.

The kinds are those of `figures.KINDS`. Each gives a Figure of matplotlib, which a notebook shows;
an animation gives a GIF, which it shows as well.
"""

import base64
import functools
import io
import tempfile
from pathlib import Path
from typing import Protocol

from matplotlib.figure import Figure

from gan1d.report import figures, tables
from gan1d.report.figures import common, film
from gan1d.report.figures.film import Film
from gan1d.report.notebook import Inline, Results, parts
from gan1d.report.runs import SelectionError


class Drawing(Protocol):
    """Draws one kind."""

    def __call__(
        self, runs: Results, *, setting: str | int | None = None, seed: int | None = None
    ) -> Figure:
        """Draw results.

        Args:
          runs: what `gan1d.run` and `gan1d.load` give.
          setting: the only one to draw, by its label, a part of it, or its number; None: all, or
            the best.
          seed: of the kinds that show one seed; None: the first one with snapshots.

        Raises:
          SelectionError: there is no such setting, no snapshots of that seed, or the kind does not
            apply to these results.
        """


def animation(
    runs: Results, *, setting: str | int | None = None, seed: int | None = None
) -> Inline:
    """One seed's training as a GIF: its densities and D, or its points. As `Drawing`."""
    return _gif(_drawn("animation", runs, setting, seed))


def seeds_animation(runs: Results, *, setting: str | int | None = None) -> Inline:
    """The same of all kept seeds, side by side."""
    return _gif(_drawn("seeds_animation", runs, setting, None))


def __getattr__(kind: str) -> Drawing:
    """What draws a kind (PEP 562)."""
    if kind not in figures.stills():
        raise AttributeError(f"gan1d.draw.{kind}: there are {', '.join(figures.KINDS)}")

    def draw(runs: Results, *, setting: str | int | None = None, seed: int | None = None) -> Figure:
        drawn = _drawn(kind, runs, setting, seed)
        assert isinstance(drawn, Figure)
        # By themselves notebooks show figures only once pyplot has made one.
        vars(drawn)["_repr_png_"] = functools.partial(_png, drawn)
        return drawn

    draw.__name__ = draw.__qualname__ = kind
    draw.__doc__ = f"{figures.KINDS[kind].__doc__}\n\n{Drawing.__call__.__doc__}"
    return draw


def __dir__() -> list[str]:
    return list(figures.KINDS)


def _drawn(kind: str, runs: Results, setting: str | int | None, seed: int | None) -> Figure | Film:
    """What a kind gives of results, if it applies to them."""
    of_sweep, snapshots = parts(runs)
    summary, label = tables.summary(of_sweep), None if setting is None else str(setting)
    drawn = figures.draw(kind, common.select(of_sweep, summary, snapshots, label, seed))
    if drawn is None:
        raise SelectionError(f"{kind}: does not apply to these results")
    return drawn


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _gif(drawn: Figure | Film) -> Inline:
    assert isinstance(drawn, Film)
    with tempfile.TemporaryDirectory() as folder:
        gif, *_ = film.write(drawn, Path(folder) / "film")
        content = gif.read_bytes()
    encoded = base64.b64encode(content).decode()
    return Inline(f'<img src="data:image/gif;base64,{encoded}">', content)
