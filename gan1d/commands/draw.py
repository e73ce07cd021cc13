"""Draws figures of a results folder.

Usage: python -m gan1d draw results/NAME [--kind=KIND ...] [--setting=LABEL] [--seed=N]
"""

import inspect
import sys
from pathlib import Path

from absl import flags

from gan1d import results
from gan1d.commands import shell
from gan1d.report import drawing, figures, tables
from gan1d.report.runs import SelectionError

_KIND = flags.DEFINE_multi_string(
    "kind", [], "Kind of figure to draw; repeatable. Default: all that apply, but animations."
)
_SETTING = flags.DEFINE_string(
    "setting", None, "The only setting to draw: its label, its number or a part of its label."
)
_SEED = flags.DEFINE_integer(
    "seed", None, "The seed that kinds of one seed draw. Default: the first one with snapshots."
)


def main(argv: list[str]) -> int:
    """Draws the figures of one results folder and prints their paths."""
    if len(argv) != 2:
        return shell.refuse(
            "usage: python -m gan1d draw results/NAME [--kind=KIND ...]; see --help"
        )
    folder, wanted = Path(argv[1]), list(dict.fromkeys(_KIND.value))
    unknown = [kind for kind in wanted if kind not in figures.KINDS]
    if unknown:
        return shell.refuse(f"kind={unknown[0]}: there are {', '.join(figures.KINDS)}")
    try:
        runs, snapshots = results.load(folder), results.load_snapshots(folder)
        summary = tables.summary(runs)
        drawn = drawing.draw_all(
            folder, runs, snapshots, summary, wanted or None, _SETTING.value, _SEED.value
        )
    except (results.ResultsError, SelectionError) as error:
        return shell.refuse(str(error))
    for path in drawn:
        print(path)
    for kind in wanted:
        if kind not in {path.stem for path in drawn}:
            print(f"{kind}: does not apply to this sweep", file=sys.stderr)
    return 0


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
