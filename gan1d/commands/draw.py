"""Draws figures of a results folder.

Usage: python -m gan1d draw results/NAME [--kind=KIND ...] [--setting=LABEL] [--seed=N]
         [--format=png,pdf,svg] [--width=INCHES] [--style=NAME_OR_FILE]
         [--x=FIELD] [--y=FIELD] [--measure=NAME]
"""

import inspect
import sys
from pathlib import Path

from absl import flags

from gan1d import results
from gan1d.commands import chosen, shell
from gan1d.report import drawing, figures, tables
from gan1d.report.figures import Look, Mapped, layout, measured
from gan1d.report.runs import SelectionError

_KIND = flags.DEFINE_multi_string(
    "kind", [], "Kind of figure to draw; repeatable. Default: all that apply, but animations."
)
_FORMAT = flags.DEFINE_list(
    "format", ["png"], f"Files to write of each figure: {', '.join(figures.FORMATS)}."
)
_WIDTH = flags.DEFINE_float(
    "width",
    figures.PAGE,
    "Width of figures in inches, for text to keep its size in print: 3.4 for a column.",
    lower_bound=layout.NARROWEST,
)
_STYLE = flags.DEFINE_string(
    "style", None, "A style of matplotlib, by its name or its file, over gan1d's own."
)
_X = flags.DEFINE_string(
    "x", None, "Swept field along the x axis of a heatmap or response. Default: the first that can."
)
_Y = flags.DEFINE_string("y", None, "The same along the y axis of a heatmap.")
_MEASURE = flags.DEFINE_string(
    "measure",
    "success",
    "What heatmap, response and parallel show: a verdict, sustained, w1 or a metric.",
)
flags.declare_key_flag("setting")
flags.declare_key_flag("seed")


def main(argv: list[str]) -> int:
    """Draws the figures of one results folder and prints their paths as they are done."""
    if len(argv) != 2:
        return shell.refuse(
            "usage: python -m gan1d draw results/NAME [--kind=KIND ...]; see --help"
        )
    folder, wanted = Path(argv[1]), list(dict.fromkeys(_KIND.value))
    problem = _problem(wanted)
    if problem:
        return shell.refuse(problem)
    look = Look(tuple(dict.fromkeys(_FORMAT.value)), _WIDTH.value, _STYLE.value)
    mapped = Mapped(_X.value, _Y.value, _MEASURE.value)
    try:
        runs, snapshots = results.read(folder)
        measured.measure(runs, mapped.measure)  # or it is refused, whatever is drawn
        summary = tables.summary(runs)
        drawn = drawing.draw_all(
            folder,
            runs,
            snapshots,
            summary,
            wanted or None,
            chosen.SETTING.value,
            chosen.SEED.value,
            look,
            mapped,
            _say,
        )
    except (results.ResultsError, results.WriteError, SelectionError) as error:
        return shell.refuse(str(error))
    for kind in wanted:
        if kind not in {path.stem for path in drawn}:
            print(f"{kind}: does not apply to this sweep", file=sys.stderr)
    return 0


def _problem(wanted: list[str]) -> str | None:
    """What is wrong with a flag's value, in one line."""
    unknown = [kind for kind in wanted if kind not in figures.KINDS]
    if unknown:
        return f"kind={unknown[0]}: there are {', '.join(figures.KINDS)}"
    formats = [each for each in _FORMAT.value if each not in figures.FORMATS]
    if formats or not _FORMAT.value:
        return f"format={','.join(formats)}: there are {', '.join(figures.FORMATS)}"
    return None if _STYLE.value is None else layout.problem_of_style(_STYLE.value)


def _say(paths: list[Path]) -> None:
    """What is written by now."""
    for path in paths:
        print(path, flush=True)


def _kinds_help() -> str:
    """Every kind in one line, for --help."""
    width = max(map(len, figures.KINDS))
    lines = [
        f"  {name:{width}}  {inspect.getdoc(kind)}".splitlines()[0]
        for name, kind in figures.KINDS.items()
    ]
    return "\n".join(["Kinds:", *lines])


COMMAND = shell.Command(__name__, main, _kinds_help)

if __name__ == "__main__":
    COMMAND.start()
