"""When runs succeed for long, and when they diverge: Kaplan and Meier's curves."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from gan1d.report import runs as of_runs
from gan1d.report import statistics
from gan1d.report.figures import common
from gan1d.report.figures.common import Selection
from gan1d.report.figures.profiles import BANDED, legend_height, style_of


def survival(selection: Selection) -> Figure | None:
    """Share of runs with a sustained success, and with a divergence, up to each update.

    All settings on the same axes, the best coloured; 95% bands of the first few. None without a
    finished run.
    """
    ds, frame, note = common.ranked(selection, common.MAX_LINES)
    finished = of_runs.finished(ds)
    if not finished.any():
        return None
    events = {
        "sustained success": np.nan_to_num(ds.sustained_at.values, nan=np.inf),
        "divergence": np.nan_to_num(ds.diverged_at.values, nan=np.inf),
    }
    step = ds.step.values
    figure = common.new_figure(10, 4.5 + legend_height(len(frame)))
    axes = figure.subplots(1, 2, sharey=True)
    for ax, (what, times) in zip(axes, events.items(), strict=True):
        for i, setting in enumerate(frame.setting):
            event = times[i, finished[i]]
            if not event.size:
                continue
            # Nobody is lost from sight: a run that diverged never succeeds.
            found = statistics.kaplan_meier(event, np.full(event.shape, step[-1]), step)
            style = style_of(i, setting)
            ax.step(step, 1 - found.survival, where="post", lw=1.4, **style)
            if i < BANDED:
                band = 1 - found.high, 1 - found.low
                ax.fill_between(step, *band, step="post", color=style["color"], alpha=0.12, lw=0)
        ax.set(xlim=(0, step[-1]), ylim=(-0.02, 1.02), xlabel="updates")
        ax.set_title(f"{what} up to then", fontsize=common.TITLE + 1)
    axes[0].yaxis.set_major_formatter(PercentFormatter(1))
    axes[0].set_ylabel("share of finished runs")
    common.set_title(figure, ds, "when runs succeed for long, and when they diverge", note)
    common.legend(figure)
    return figure
