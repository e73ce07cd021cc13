"""A sweep as a command line declares it: the flags, messages and exit codes commands share."""

import contextlib
import itertools
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags
from ml_collections import config_flags

import gan1d
from gan1d import engines
from gan1d.commands import shell
from gan1d.commands.shared_flags import SEEDS
from gan1d.config import axes, experiment, fields
from gan1d.config.experiment import ConfigError, Experiment

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
    "blank go in step, and name=N1,N2,... names their points. Replaces the config's own axis of "
    "that field.",
)
flags.declare_key_flag("seeds")
WORKDIR = flags.DEFINE_string("workdir", None, "Results folder; default results/NAME-OF-CONFIG.")
ENGINE = flags.DEFINE_enum(
    "engine",
    "auto",
    engines.ENGINES,
    "What trains: lanes, native code for CPUs; xla, which runs anywhere; or auto, lanes where it "
    "can and pays.",
)
BLOCK_SIZE = flags.DEFINE_integer(
    "block_size",
    None,
    "Runs trained at a time; default up to 64 a core, up to 4096 a GPU, no more than there are.",
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
    known = f"shipped are {', '.join(shipped())}"
    if len(argv) > 1:
        remedy = "overrides are --config.FIELD=VALUE" if CONFIG.value is not None else known
        raise ConfigError([f"{argv[1]}: neither a flag nor a config; {remedy}"])
    if CONFIG.value is None:
        raise ConfigError([f"config: give one, FILE.py or a name; {known}"])
    file, _, variant = _config_filename().partition(":")
    name = "-".join(filter(None, [Path(file).stem, variant]))
    try:
        config = dict(CONFIG.value.items())
    except OSError as error:  # config_flags puts a failure to open the file off until here
        missing = f"there is no such file; {known}"
        problem = str(error).splitlines()[0] if Path(file).exists() else missing
        raise ConfigError([f"config={file}: {problem}"]) from None
    checked = experiment.resolve(experiment.extended(config, SEEDS.value, SWEEP.value), name)
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
    found: dict[str, Path] = {}
    for folder in (root / "configs" for root in roots):
        paths = sorted(folder.rglob("*.py"), key=lambda path: (len(path.parts), path))
        found |= {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}
    return found


def _with_files(argv: list[str]) -> list[str]:
    """A command line with the files of the configs that it names as those that are shipped.

    What stands before the first flag names a config, too, where no flag does.
    """
    leading = itertools.takewhile(lambda word: not word.startswith("-"), argv[1:])
    named = [i for i, word in enumerate(leading, start=1) if _names_config(word)]
    if named and not _config_files(argv):
        argv = list(argv)
        argv[named[0]] = f"--config={argv[named[0]]}"
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


def _joined(argv: list[str]) -> list[str]:
    """A command line with `=` between a field that may be a pair and its value.

    absl takes the flag of a field that has no one type for a switch, which has no value behind it.
    """
    known, whole = fields.specs(), argv[:1]
    for argument in argv[1:]:
        field = re.sub("^--?config[.]", "", whole[-1])
        if field != whole[-1] and field in known and known[field][0].pairs:
            whole[-1] += f"={argument}"
        else:
            whole.append(argument)
    return whole


def _names_config(word: str) -> bool:
    """Whether a word is a config's name, or a config file's, with or without a variant."""
    name = word.partition(":")[0]
    return name in shipped() or name.endswith(".py")


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
    argv = _joined(_with_files(argv))
    if any(map(_override_problem, argv[1:])):
        _load_config(argv)  # which may register fields and values of its own
    problems = [problem for argument in argv[1:] if (problem := _override_problem(argument))]
    if problems:
        shell.fail("\n".join(problems))
    try:
        with _importable_beside_config(argv):
            return flags.FLAGS(argv)
    except Exception as error:  # a config file is a program: it can raise anything
        lines = [line for line in str(error).splitlines() if line.strip()]
        # Of a traceback, which some errors bring along as text, the last line says what is wrong.
        problem = re.sub(r"^[\w.]*\.\w+Error: ", "", lines[-1].strip()) if lines else repr(error)
        if "get_config() takes 0 positional arguments" in problem:
            problem = f"config={','.join(_config_files(argv))}: it has no variants; give FILE alone"
        elif not isinstance(error, flags.Error):
            problem = f"config: {problem}{_raised_at(error, argv)}"
        shell.fail(problem)


def _raised_at(error: Exception, argv: list[str]) -> str:
    """Behind a problem that a config file has raised: of what kind, and in which line of which."""
    if isinstance(error, ConfigError):
        return ""
    files = {str(Path(file.partition(":")[0]).absolute()) for file in _config_files(argv)}
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if str(Path(frame.filename).absolute()) in files]
    if own:
        return f" ({type(error).__name__} in {own[-1].filename}, line {own[-1].lineno})"
    return f" ({type(error).__name__}; a config file defines get_config())"


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


def fields_help() -> str:
    """Every field of a config, for --help; with those that a given config file registers."""
    _load_config(_with_files(sys.argv))
    lines = []
    for name, (spec, default) in fields.specs().items():
        lines.append(f"  {fields.line(name, spec, default)}")
        lines += [f"      {option}: {text}" for option, text in fields.said(name, spec).items()]
    return "Fields, each to be set by --config.FIELD=VALUE:\n" + "\n".join(lines)
