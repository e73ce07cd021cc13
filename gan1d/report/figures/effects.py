"""Forests of intervals: effects of swept factors, and settings against the first declared one."""

import numpy as np
from matplotlib.figure import Figure

from gan1d.report import comparisons, effects
from gan1d.report.figures import common, layout
from gan1d.report.figures.common import BLUE, ORANGE, VERMILLION, Selection

COLORS = (BLUE, ORANGE, VERMILLION)  # from the strictest criterion to the laxest
Interval = tuple[float, float, float]  # estimate, low, high


def forest(selection: Selection) -> Figure | None:
    """Effects of swept factors and of pairs of them on success, in points, with 95% intervals.

    None where the settings are no product of swept fields.
    """
    try:
        found = effects.find(selection.runs)
    except ValueError:
        return None
    names = [name for name, _ in found[0].effects]
    note = ""
    if len(names) > common.MAX_LINES:
        note = f"the first {common.MAX_LINES} of {len(names)} effects"
        names = names[: common.MAX_LINES]
    rows = {
        name: [
            (effect.estimate, effect.low, effect.high)
            for each in found
            for other, effect in each.effects
            if other == name
        ]
        for name in names
    }
    known = effects.factors(selection.runs)
    references = ", ".join(factor.levels[0] for factor in known)
    figure = _drawn(
        selection.width,
        rows,
        [each.criterion for each in found],
        "effect on the share of runs, points",
    )
    what = f"effects by seed against {references}; x: beyond what each does alone"
    if found[0].seeds == 1:
        what += "; of one seed there are no intervals"
    layout.finish(
        figure, selection.runs, what, note, seeds=f"seeds that all finished: {found[0].seeds}"
    )
    return figure


def differences(selection: Selection) -> Figure | None:
    """Each setting's share of successes less the first declared one's, by seed, 95% intervals.

    None where there is nothing to compare.
    """
    reference = str(selection.runs.setting.values[0])
    others = [label for label in selection.summary.setting if label != reference]
    if not others:
        return None
    ds, frame, note = common.ranked(selection, common.MAX_LINES, others)
    rows: dict[str, list[Interval]] = {}
    criteria: list[str] = []
    for setting in frame.setting:
        try:
            found = comparisons.differences(comparisons.paired(selection.runs, setting, reference))
        except ValueError:  # they have no seed in common
            continue
        criteria = list(found)
        rows[setting] = [(each.difference, each.low, each.high) for each in found.values()]
    if not rows:
        return None
    figure = _drawn(
        selection.width, rows, criteria, f"share of runs, less that of {reference!r}, points"
    )
    what = f"settings against {reference!r} on the same seeds, Tango's 95% intervals"
    layout.finish(figure, ds, what, note)
    return figure


def _drawn(
    width: float, rows: dict[str, list[Interval]], criteria: list[str], xlabel: str
) -> Figure:
    """An interval for each row and criterion."""
    figure, ax = layout.rows(width, list(rows), 0.27)
    values = 100 * np.array(list(rows.values()))  # [row, criterion, 3]
    for k, (criterion, color) in enumerate(zip(criteria, COLORS, strict=True)):
        estimate, low, high = values[:, k].T
        ax.errorbar(
            estimate,
            np.arange(len(rows)) + 0.22 * (k - 1),
            xerr=np.abs([low - estimate, high - estimate]),
            fmt="o",
            ms=3.5,
            lw=1.3,
            color=color,
            label=criterion,
        )
    ax.axvline(0, color="black", lw=0.8)
    ax.set_xlabel(common.wrapped(xlabel, layout.characters(0.6 * width, "axes.labelsize")))
    ax.grid(axis="x", lw=0.3)
    return figure
