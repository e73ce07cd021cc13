"""Verifies, describes, exports or rejudges a results folder.

    python -m gan1d results verify results/NAME
    python -m gan1d results info results/NAME
    python -m gan1d results export results/NAME --to=runs.csv
    python -m gan1d results export results/NAME --table=curves --to=curves.parquet
    python -m gan1d results rejudge results/NAME --success_w1=0.5 [--to=results/LAX]

`verify` checks every file against its SHA-256 (and that of finished blocks, where a sweep is under
way) and whether the results are what they should be; its exit code is 1 if anything is not. `info`
says what was run, how it ended, and on what. `export` writes one row a run (`--table=runs`), one a
run and log point (`curves`), or one a setting (`summary`). `rejudge` prints the table by other
thresholds, and writes results that are judged by them to the folder of `--to`; nothing is trained.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from absl import flags

from gan1d.commands import chosen, shell
from gan1d.report import exports, tables
from gan1d.results import blocks, files, judge, netcdf, verdicts
from gan1d.results.files import ResultsError, WriteError
from gan1d.results.verdicts import Thresholds
from gan1d.sweep.contents import refuse_others

_TABLE = flags.DEFINE_enum("table", "runs", list(exports.TABLES), "export: what has a row.")

for _name in Thresholds._fields:
    flags.DEFINE_float(_name, None, f"rejudge: another judging.{_name}.")
flags.declare_key_flag("to")

USAGE = "usage: python -m gan1d results verify|info|export|rejudge results/NAME; see --help"


def main(argv: list[str]) -> int:
    """Do what is asked for; returns the exit code."""
    if len(argv) != 3 or argv[1] not in COMMANDS:
        return shell.refuse(USAGE)
    try:
        return COMMANDS[argv[1]](Path(argv[2]))
    except (ResultsError, WriteError) as error:
        print(error, file=sys.stderr)
        return 1


def verify(folder: Path) -> int:
    """Check all files of a folder."""
    plan = blocks.load_plan(folder)
    wrong = 0 if plan is None else _verify_blocks(folder, plan)
    if plan is None or (folder / netcdf.RECORD).exists():
        for name in netcdf.damaged(folder):
            print(f"{folder / name}: damaged or missing")
            wrong += 1
        if not wrong:
            runs = netcdf.load(folder)
            sizes = f"{runs.sizes['setting']} settings x {runs.sizes['seed']} seeds"
            unfinished = int((runs.finished == 0).sum())
            partial = f"of which {unfinished} runs are not finished"
            print(f"{folder}: {f'intact, {sizes}, {partial}' if unfinished else f'whole, {sizes}'}")
    return 1 if wrong else 0


def _verify_blocks(folder: Path, plan: files.Record) -> int:
    """Check the finished blocks of a sweep that is under way; returns how many are damaged."""
    digest, found, wrong = files.digest(plan["identity"]), 0, 0
    for number, paths in blocks.listed(folder).items():
        for path in paths:
            try:
                blocks.read(path, digest, number, limit=path.stat().st_size)
                found += 1
            except ResultsError as problem:
                print(problem)
                wrong += 1
    print(f"{folder}: {found} of {plan.get('blocks')} blocks are finished, {wrong} damaged")
    return wrong


def info(folder: Path) -> int:
    """Say what is in a folder."""
    plan = blocks.load_plan(folder)
    if plan is not None:
        count = len(blocks.listed(folder))
        print(f"under way: {count} of {plan.get('blocks')} blocks since {plan['started']}")
        if not (folder / netcdf.RECORD).exists():
            print("To go on, give the command again that it was begun with.")
            return 0
    runs, record = netcdf.load(folder), netcdf.load_record(folder) or {}
    counts = {
        name: int((runs.verdict == code).sum())
        for code, name in [*enumerate(verdicts.VERDICTS), (verdicts.UNFINISHED, "unfinished")]
    }
    lines = {
        "sweep": runs.attrs["title"],
        "runs": f"{runs.sizes['setting']} settings x {runs.sizes['seed']} seeds, "
        f"{runs.step.values[-1]} updates each",
        "verdicts": ", ".join(f"{count} {name}" for name, count in counts.items()),
    }
    told = [name for name in tables.PROVENANCE if name in record]
    lines |= {name: tables.in_a_line(record[name]) for name in told}
    for name, text in lines.items():
        print(f"{name + ':':10} {text}")
    return 0


def export(folder: Path) -> int:
    """Write a table of a folder's results."""
    if chosen.TO.value is None:
        return shell.refuse("to: name the file to write, for example --to=runs.csv")
    frame = exports.TABLES[_TABLE.value](netcdf.load(folder))
    exports.export(frame, Path(chosen.TO.value))
    print(f"{chosen.TO.value}: {len(frame)} rows, {len(frame.columns)} columns")
    return 0


def rejudge(folder: Path) -> int:
    """Judge a folder's runs by other thresholds."""
    given = {name: flags.FLAGS[name].value for name in Thresholds._fields}
    changed = {name: value for name, value in given.items() if value is not None}
    if not changed:
        names = ", ".join(f"--{name}" for name in given)
        return shell.refuse(f"rejudge: give another threshold, one of {names}")
    to = None if chosen.TO.value is None else Path(chosen.TO.value)
    if to is not None and any((to / name).exists() for name in (netcdf.RECORD, blocks.FOLDER)):
        return shell.refuse(f"to={to}: there are results already; name another folder")
    if to is not None:
        refuse_others(to)
    runs = netcdf.load(folder)
    try:
        runs = judge.rejudged(runs, **changed)
    except ValueError as error:
        return shell.refuse(f"rejudge: {error}")
    frame = tables.summary(runs)
    text = tables.table(frame, runs)
    print(text)
    if to is not None:
        record = netcdf.load_record(folder) or {}
        record.pop("sha256", None)  # of other files than those that are written here
        record |= {"config": json.loads(runs.attrs["config"]), "rejudged": changed}
        title = runs.attrs["title"]
        texts = {"summary.csv": frame.to_csv(index=False), "summary.md": f"# {title}\n\n{text}\n"}
        netcdf.write(to, runs, netcdf.load_snapshots(folder), record, texts)
        print(f"\nWritten: {', '.join([*texts, netcdf.RUNS, netcdf.RECORD])} in {to}")
    return 0


COMMANDS: dict[str, Callable[[Path], int]] = {
    "verify": verify,
    "info": info,
    "export": export,
    "rejudge": rejudge,
}


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
