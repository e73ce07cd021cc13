"""A sweep as a command line declares it: the flags, messages and exit codes commands share."""

import contextlib
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from absl import flags
from ml_collections import config_flags

import gan1d
from gan1d import engines
from gan1d.config import axes, experiment, fields
from gan1d.config.experiment import ConfigError, Experiment
from gan1d.gan.targets.files import DataError
from gan1d.system import signals

# What needs JAX, xarray or matplotlib is imported where it is used: help and refusals need none.
if TYPE_CHECKING:
    from gan1d.sweep.api import Published

CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "The sweep: a config file, FILE.py or FILE.py:VARIANT; one that is shipped goes by its name, "
    "sweep or aylien:2016.",
)
CONFIG_FLAGS = ("--config", "-config")
SWEEP = flags.DEFINE_multi_string(
    "sweep",
    [],
    "An axis FIELD=V1,V2,... to multiply the sweep by, repeatable; several fields separated by a "
    "blank go in step. Replaces the config's own axis of that field.",
)
SEEDS = flags.DEFINE_string("seeds", None, "Seeds, for example 0:128; END is excluded.")
WORKDIR = flags.DEFINE_string("workdir", None, "Results folder; default results/NAME-OF-CONFIG.")
ENGINE = flags.DEFINE_enum(
    "engine",
    "auto",
    engines.ENGINES,
    "What trains: lanes, native code for CPUs; xla, which runs anywhere; or auto, lanes where it "
    "can and pays.",
)
BLOCK_SIZE = flags.DEFINE_integer(
    "block_size", None, "Runs trained at a time; default up to 64 a core, up to 4096 a GPU."
)
MIXED = flags.DEFINE_bool(
    "mixed", False, "Let shards be trained on machines of different kinds, which round differently."
)
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print what would be run, and stop.")
FIGURES = flags.DEFINE_bool(
    "figures",
    True,
    "Draw figures at the end, a handful (`python -m gan1d draw` draws all kinds), and write "
    "report.html.",
)
ANIMATION = flags.DEFINE_bool(
    "animation", False, "Draw the training of the best setting as animations as well."
)


def experiment_and_folder(argv: list[str]) -> tuple[Experiment, Path]:
    """The sweep that flags and config declare, checked, and the folder it goes to."""
    if len(argv) > 1:
        raise ConfigError([f"{argv[1]}: not a flag; overrides are --config.FIELD=VALUE"])
    if CONFIG.value is None:
        raise ConfigError(["config: give one, for example --config=configs/sweep.py"])
    file, _, variant = _config_filename().partition(":")
    name = "-".join(filter(None, [Path(file).stem, variant]))
    try:
        config = dict(CONFIG.value.items())
    except OSError as error:  # config_flags puts a failure to open the file off until here
        missing = f"there is no such file; shipped are {', '.join(shipped())}"
        problem = str(error).splitlines()[0] if Path(file).exists() else missing
        raise ConfigError([f"config={file}: {problem}"]) from None
    if SEEDS.value is not None:
        config["seeds"] = SEEDS.value
    if SWEEP.value:
        config["sweep"] = axes.add_axes(config.get("sweep", ()), SWEEP.value)
    checked = experiment.resolve(config, name)
    given = config_flags.get_override_values(flags.FLAGS["config"])
    without_effect = [axes.overridden(*each) for each in given.items() if each[0] in checked.swept]
    if without_effect:
        raise ConfigError(without_effect)
    for note in checked.notes:
        print(f"gan1d: {note}", file=sys.stderr)
    return checked, Path(WORKDIR.value or f"results/{name}")


def shipped() -> dict[str, Path]:
    """The configs that come with gan1d, by their names: where pip puts them, or in a checkout."""
    roots = Path(sys.prefix) / "share" / "gan1d", Path(gan1d.__file__).parents[1]
    return {path.stem: path for root in roots for path in sorted(root.glob("configs/*.py"))}


def _with_files(argv: list[str]) -> list[str]:
    """A command line with the files of the configs that it names as those that are shipped."""
    whole: list[str] = []
    for argument in argv:
        flag, equals, value = argument.partition("=")
        if whole and whole[-1] in CONFIG_FLAGS:
            flag, equals, value = "", "", argument
        name, colon, variant = value.partition(":")
        given = not flag or (flag in CONFIG_FLAGS and equals)
        if given and name in shipped() and not Path(name).exists():
            argument = f"{flag}{equals}{shipped()[name]}{colon}{variant}"
        whole.append(argument)
    return whole


def _config_filename() -> str:
    """What --config was given."""
    return config_flags.get_config_filename(flags.FLAGS["config"])


def overrides() -> list[str]:
    """What was given that changes what the config file says, as arguments."""
    given = config_flags.get_override_values(flags.FLAGS["config"])
    config = [f"--config.{field}={_typed(value)}" for field, value in given.items()]
    seeds = [f"--seeds={SEEDS.value}"] * (SEEDS.value is not None)
    return [*config, *seeds, *(f"--sweep={axis}" for axis in SWEEP.value)]


def _typed(value: object) -> str:
    """A field's value as the flag takes it: text as it is, but quoted inside of a tuple."""
    if isinstance(value, str):
        return value
    return repr(value) if isinstance(value, tuple) else fields.value_text(value)


def arguments() -> list[str]:
    """What declares the same sweep to another process, but for where it goes."""
    return [f"--config={_config_filename()}", *overrides(), f"--engine={ENGINE.value}"]


def kinds() -> list[str]:
    """The kinds of figures that flags ask for."""
    from gan1d.report import figures

    return list(figures.SHOWN) * FIGURES.value + list(figures.ANIMATIONS) * ANIMATION.value


def say_what_is_there(published: "Published", folder: Path) -> int:
    """Print a sweep's table, and what has been written; returns the exit code, 0."""
    from gan1d.report import tables
    from gan1d.sweep import api

    print(tables.table(published.summary, published.runs))
    print(f"\nWritten: {', '.join(api.written(folder))} in {folder}")
    return 0


def parse(argv: list[str]) -> list[str]:
    """Parse flags as absl does, with problems as lines instead of tracebacks."""
    argv = _with_files(argv)
    if any(map(_override_problem, argv[1:])):
        _load_config(argv)  # which may register fields and values of its own
    problems = [problem for argument in argv[1:] if (problem := _override_problem(argument))]
    if problems:
        fail("\n".join(problems))
    try:
        with _importable_beside_config(argv):
            return flags.FLAGS(argv)
    except Exception as error:  # a config file is a program: it can raise anything
        lines = [line for line in str(error).splitlines() if line.strip()]
        # Of a traceback, which some errors bring along as text, the last line says what is wrong.
        problem = re.sub(r"^[\w.]*\.\w+Error: ", "", lines[-1].strip()) if lines else repr(error)
        fail(problem if isinstance(error, flags.Error) else f"config: {problem}")


def _load_config(argv: list[str]) -> None:
    """Load the config file that a command line names, for what it registers."""
    before = set(flags.FLAGS)
    with contextlib.suppress(Exception), _importable_beside_config(argv):
        flags.FLAGS([argv[0], *(f"--config={file}" for file in _config_files(argv))])
    for name in set(flags.FLAGS) - before:  # overrides, which parsing defines once more
        delattr(flags.FLAGS, name)
    flags.FLAGS["config"].unparse()


def _config_files(argv: list[str]) -> list[str]:
    """The config files that a command line names, with their variants."""
    files = []
    arguments = iter(flags.FLAGS.read_flags_from_files(argv[1:], force_gnu=False))
    for argument in arguments:
        match = re.fullmatch(r"--?config(?:=(.*))?", argument, re.DOTALL)
        if match:
            files.append(next(arguments, "") if match[1] is None else match[1])
    return files


@contextlib.contextmanager
def _importable_beside_config(argv: list[str]) -> Iterator[None]:
    """While a config file is loaded, it can import what lies beside it, from any working folder."""
    files = _config_files(argv)
    before = list(sys.path)
    sys.path[:0] = [str(Path(file.partition(":")[0]).absolute().parent) for file in files]
    try:
        yield
    finally:
        sys.path[:] = before


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


def fail(message: str) -> NoReturn:
    """Say what is wrong, and exit with code 2."""
    for line in message.splitlines():
        print(f"gan1d: {line}", file=sys.stderr)
    sys.exit(2)


def run(main: Callable[[list[str]], int], argv: list[str]) -> int:
    """Call a command's main function; what users can bring about is a line and an exit code.

    These are 2 for what was asked for, 1 for what went wrong, and 128 + N for signal N.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return main(argv)
    except (ConfigError, DataError) as error:
        fail(str(error))
    except (ValueError, OSError) as error:
        from gan1d.results import ResultsError, WriteError

        if isinstance(error, ResultsError):
            fail(str(error))
        if not isinstance(error, WriteError):
            raise
        print(f"gan1d: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # schedulers send it more than once
        print("gan1d: interrupted", file=sys.stderr)
        return _exit_code(stop)


def _terminate(number: int, _: object) -> None:
    raise signals.Stopped(number)


def _exit_code(stop: KeyboardInterrupt) -> int:
    number = stop.number if isinstance(stop, signals.Stopped) else signal.SIGINT
    return 128 + number


def fields_help() -> str:
    """Every field of a config, for --help; with those that a given config file registers."""
    _load_config(_with_files(sys.argv))
    lines = []
    for name, (spec, default) in fields.specs().items():
        lines.append(f"  {fields.line(name, spec, default)}")
        lines += [f"      {option}: {text}" for option, text in fields.said(name, spec).items()]
    return "Fields, each to be set by --config.FIELD=VALUE:\n" + "\n".join(lines)
