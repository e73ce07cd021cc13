r"""Train every GAN of a sweep, judge them, and leave a results folder with tables and figures.

    python -m gan1d.main --config=configs/sweep.py
    python -m gan1d.main --config=configs/sweep.py --dry_run
    python -m gan1d.main --config=configs/aylien.py:2016 --seeds=0:1 --animation
    python -m gan1d.main --config=configs/sweep.py --seeds=128:256 --workdir=results/again
    python -m gan1d.main --config=configs/sweep.py --config.steps=1000 --workdir=results/short
    python -m gan1d.main --config=configs/sweep.py \\
        --sweep=discriminator.optimizer.rate=1e-3,3e-3 --sweep="training.batch_size=8,16"

A sweep that was stopped, in whatever way, goes on when the same command is given again. Figures can
be drawn again with `python -m gan1d.figures results/NAME`; `python -m gan1d.results` verifies,
describes and exports what is there.
"""

import re
import shlex
import signal
import sys
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from gan1d import (
    api,
    axes,
    engines,
    experiment,
    fields,
    figures,
    layout,
    progress,
    results,
    stats,
)
from gan1d.results import blocks

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "The sweep: a config file, FILE.py or FILE.py:VARIANT."
)
_SWEEP = flags.DEFINE_multi_string(
    "sweep",
    [],
    "An axis FIELD=V1,V2,... to multiply the sweep by, repeatable; several fields separated by a "
    "blank go in step. Replaces the config's own axis of that field.",
)
_SEEDS = flags.DEFINE_string("seeds", None, "Seeds, for example 0:128; END is excluded.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Results folder; default results/NAME-OF-CONFIG.")
_OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Begin anew, and replace what the results folder holds."
)
_PARTIAL = flags.DEFINE_bool(
    "partial", False, "Train nothing more: make results of the runs that are finished."
)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print what would be run, and stop.")
_FIGURES = flags.DEFINE_bool("figures", True, "Draw figures at the end.")
_ANIMATION = flags.DEFINE_bool(
    "animation", False, "Draw the training of the best setting as animations as well."
)
_DEVICES = flags.DEFINE_integer(
    "devices", None, "Devices to use; default all GPUs, else all cores."
)
_BLOCK_SIZE = flags.DEFINE_integer(
    "block_size", None, "Runs trained at a time; default up to 64 a core, up to 4096 a GPU."
)
_ENGINE = flags.DEFINE_enum(
    "engine",
    "auto",
    engines.ENGINES,
    "What trains: lanes, native code for CPUs; xla, which runs anywhere; or auto, lanes where it "
    "can and pays.",
)


def main(argv: list[str]) -> int:
    """Resolve, check, train, publish; returns the exit code."""
    declared, folder = _declared(argv)
    overwrite = _OVERWRITE.value
    asked = _DEVICES.value, _BLOCK_SIZE.value, _ENGINE.value
    where = api.choose_layout(declared, folder, *asked, overwrite=overwrite)
    if _DRY_RUN.value:
        print(_dry_run(declared, where, folder))
        return 0
    previous = api.check_folder(declared, folder, overwrite=overwrite)
    if previous is not None:
        print(stats.table(stats.summary(previous)))
        print(f"\n{folder} holds this sweep already; --overwrite trains it again.")
        print(f"Figures: python -m gan1d.figures {folder} --kind={'|'.join(figures.KINDS)}")
        return 0
    try:
        runs = api.train_and_publish(
            declared,
            where,
            folder,
            report=progress.reporter,
            overwrite=overwrite,
            partial=_PARTIAL.value,
            kinds=_kinds(),
            overrides=_overrides(),
        )
    except experiment.ConfigError:  # refused: what is there is not this sweep's, or not ours alone
        raise
    except BaseException:
        _say_how_to_go_on(folder)
        raise
    print(stats.table(stats.summary(runs)))
    print(f"\nWritten: {', '.join(api.written(folder))} in {folder}")
    return 0


def _say_how_to_go_on(folder: Path) -> None:
    """After an interrupt or an error: how to get at what is kept."""
    if not (folder / blocks.FOLDER).exists():
        return
    ours = re.compile("--?(no)?(overwrite|partial)(=.*)?")
    kept = [argument for argument in sys.orig_argv[1:] if not ours.fullmatch(argument)]
    again = shlex.join(["python", *kept])
    print(f"Finished blocks are kept in {folder}. To go on from there: {again}", file=sys.stderr)
    print(f"For results of what is finished, as it is: {again} --partial", file=sys.stderr)


def _overrides() -> list[str]:
    """What was given that changes what the config file says."""
    given = config_flags.get_override_values(flags.FLAGS["config"])
    made = [f"--config.{field}={fields.value_text(value)}" for field, value in given.items()]
    made += [f"--seeds={_SEEDS.value}"] * (_SEEDS.value is not None)
    return made + [f"--sweep={axis}" for axis in _SWEEP.value]


def _kinds() -> list[str]:
    """The kinds of figures that flags ask for."""
    still = [kind for kind in figures.KINDS if kind not in figures.ON_REQUEST]
    return still * _FIGURES.value + list(figures.ON_REQUEST) * _ANIMATION.value


def _exit_code(stop: KeyboardInterrupt) -> int:
    number = stop.number if isinstance(stop, api.Stopped) else signal.SIGINT
    return 128 + number


def _declared(argv: list[str]) -> tuple[experiment.Experiment, Path]:
    """The sweep that flags and config declare, checked, and the folder it goes to."""
    if len(argv) > 1:
        raise experiment.ConfigError([f"{argv[1]}: not a flag; overrides are --config.FIELD=VALUE"])
    if _CONFIG.value is None:
        raise experiment.ConfigError(["config: give one, for example --config=configs/sweep.py"])
    file, _, variant = flags.FLAGS["config"].config_filename.partition(":")
    name = "-".join(filter(None, [Path(file).stem, variant]))
    try:
        config = dict(_CONFIG.value.items())
    except OSError as error:  # config_flags puts a failure to open the file off until here
        problem = "there is no such file" if not Path(file).exists() else str(error).splitlines()[0]
        raise experiment.ConfigError([f"config={file}: {problem}"]) from None
    if _SEEDS.value is not None:
        config["seeds"] = _SEEDS.value
    if _SWEEP.value:
        config["sweep"] = axes.add_axes(config.get("sweep", ()), _SWEEP.value)
    declared = experiment.resolve(config, name)
    overrides = config_flags.get_override_values(flags.FLAGS["config"])
    without_effect = [
        axes.overridden(field, value)
        for field, value in overrides.items()
        if field in declared.swept
    ]
    if without_effect:
        raise experiment.ConfigError(without_effect)
    return declared, Path(_WORKDIR.value or f"results/{name}")


def _dry_run(declared: experiment.Experiment, where: layout.Layout, folder: Path) -> str:
    """What would be run, in words."""
    size = layout.estimate(declared, where)
    steps, labels = declared.schedule.steps, declared.labels
    updates = size.runs * steps
    more = [f"  ... and {len(labels) - 50} more"] if len(labels) > 50 else []
    return "\n".join(
        [
            f"{len(labels)} settings:",
            *(f"  {label}" for label in labels[:50]),
            *more,
            f"runs: {len(labels)} settings x {len(declared.seeds)} seeds = {size.runs}",
            f"work: {size.runs} runs x {steps} updates = {updates:.3g} GAN updates",
            f"cohorts: {size.cohorts}, each one compiled program",
            f"blocks: {size.blocks} of up to {where.block_size} runs",
            f"devices: {len(where.devices)} x {where.devices[0].device_kind}",
            f"memory, estimated: {size.block_bytes / 2**20:.0f} MiB to train a block, "
            f"{size.result_bytes / 2**20:.1f} MiB for all results",
            f"results: {folder}",
        ]
    )


def _parse(argv: list[str]) -> list[str]:
    """Parse flags as absl does, with problems as lines instead of tracebacks."""
    problems = [problem for argument in argv[1:] if (problem := _override_problem(argument))]
    if problems:
        _fail("\n".join(problems))
    try:
        return flags.FLAGS(argv)
    except Exception as error:  # a config file is a program: it can raise anything
        lines = [line for line in str(error).splitlines() if line.strip()]
        # Of a traceback, which some errors bring along as text, the last line says what is wrong.
        problem = re.sub(r"^[\w.]*\.\w+Error: ", "", lines[-1].strip()) if lines else repr(error)
        _fail(problem if isinstance(error, flags.Error) else f"config: {problem}")


def _override_problem(argument: str) -> str | None:
    """What is wrong with an override, so that all of them can be told at once; None if nothing."""
    override = re.fullmatch(r"--?config\.([^=\s]+)(=.*)?", argument, re.DOTALL)
    if override is None:
        return None
    field, text = override[1], override[2]
    known = fields.specs()
    if field not in known:
        return fields.unknown_field(field, known)
    default = known[field][1]
    # absl has its own words for true and false, and takes a lone value for a tuple of one.
    if text is None or isinstance(default, bool | tuple):
        return None
    try:
        fields.parsed(field, text[1:])
    except ValueError as error:
        return str(error)
    return None


def _fail(message: str) -> None:
    for line in message.splitlines():
        print(f"gan1d: {line}", file=sys.stderr)
    sys.exit(2)


def _run(argv: list[str]) -> int:
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return main(argv)
    except (experiment.ConfigError, results.ResultsError) as error:
        _fail(str(error))
    except results.WriteError as error:
        print(f"gan1d: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print("gan1d: interrupted", file=sys.stderr)
        return _exit_code(stop)


def _terminate(number: int, _: object) -> None:
    raise api.Stopped(number)


def _fields_help() -> str:
    """Every field of a config, for --help."""
    lines = []
    for name, (spec, default) in fields.specs().items():
        allowed = spec.range() if spec.range() != "any number" else ""
        told = ", ".join(filter(None, [spec.unit, allowed]))
        told = f" ({told})" if told else ""
        lines.append(f"  {name}={fields.value_text(default)}: {spec.doc}{told}")
    return "Fields, each to be set by --config.FIELD=VALUE:\n" + "\n".join(lines)


if __name__ == "__main__":
    __doc__ = f"{__doc__}\n{_fields_help()}\n"
    app.run(_run, flags_parser=_parse)
