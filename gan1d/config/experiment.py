"""A config, checked and resolved: which settings and seeds to run, for how long, and how to judge.

A config is a nested ml_collections ConfigDict with one entry a field of `gan.setting.Setting`, plus
`steps`, `seeds`, `sweep` and `judging`. A sweep is a tuple of axes, each a line of text; the
settings are the product of the axes. The same text is what the command line's --sweep takes:

    "tricks.minibatch=off,replace"                                one field
    "generator.hidden=(4,),(8,8)"                                 tuples as Python writes them
    "generator.optimizer.rate=1e-3,1e-4 discriminator.optimizer.rate=1e-3,5e-4"
                                                                  two fields in step (zip)
    "name=none,'R1, strong' penalty.kind=off,r1"                  its points by names of their own
"""

import dataclasses
import functools
from collections import Counter
from collections.abc import Mapping, Sequence

import ml_collections

from gan1d.config import axes, canonical, conflicts, fields
from gan1d.config.axes import Axes, Seeds
from gan1d.config.canonical import Point
from gan1d.config.fields import ConfigError, value_text
from gan1d.config.schedule import Schedule
from gan1d.gan import judging, spec, targets
from gan1d.gan.inputs import ALTERNATING
from gan1d.gan.setting import Setting
from gan1d.gan.spec import Value
from gan1d.gan.targets import data, files
from gan1d.gan.targets.files import DataError

MOST_LOG_POINTS = 10**5
FILE = "target.file"
ARRAY = "target.array"  # data that are given as such: no field, as a config is plain


@dataclasses.dataclass(frozen=True, eq=False)  # told apart by identity: what is found out is cached
class Experiment:
    """A checked sweep: settings x seeds."""

    name: str
    base: dict[str, Value]  # dotted field name -> value, before the sweep's axes
    swept: tuple[str, ...]  # dotted names
    points: tuple[Point, ...]  # per setting, the values of `swept`
    labels: tuple[str, ...]  # per setting, unique
    seeds: tuple[int, ...]
    schedule: Schedule
    notes: tuple[str, ...] = ()  # what was asked for and has no effect

    @functools.cached_property
    def settings(self) -> tuple[Setting, ...]:
        """The settings in order, built once."""
        return tuple(map(_with_columns, self.built))

    @functools.cached_property
    def built(self) -> tuple[Setting, ...]:
        """The settings as they are declared: what is found out of data is not in them."""
        base, varied, points = canonical.built_from(self.base, self.swept, self.points)
        return tuple(map(spec.builder(Setting, base, varied), points))

    @functools.cached_property
    def fixed(self) -> str:
        """What all settings have in common, in words."""
        return axes.fixed(self.base, self.swept, self.points)

    def config(self) -> dict[str, Value]:
        """The resolved config as plain nested data for JSON; equal configs are equal sweeps."""
        nested: dict[str, Value] = {}
        schedule = fields.flatten(dataclasses.asdict(self.schedule))
        for name, value in (self.base | dict(schedule)).items():
            *sections, last = name.split(".")
            entry = nested
            for part in sections:
                entry = entry.setdefault(part, {})
            entry[last] = fields.plain(value)
        return nested

    def of_seeds(self, seeds: tuple[int, ...]) -> "Experiment":
        """The same sweep of other seeds."""
        schedule = dataclasses.replace(self.schedule, seeds=axes.seeds_text(seeds))
        return dataclasses.replace(self, seeds=seeds, schedule=schedule)

    def log_steps(self) -> list[int]:
        """The numbers of updates after which runs are judged."""
        return judging.log_steps(self.schedule.steps, self.schedule.judging)


def default_config() -> ml_collections.ConfigDict:
    """A config with every field at its default: AYLIEN's GAN of June 2017, plain, 128 seeds."""
    config = ml_collections.ConfigDict()
    for name, (known, default) in fields.specs().items():
        *sections, last = name.split(".")
        entry = config
        for part in sections:
            if part not in entry:
                entry[part] = ml_collections.ConfigDict()
            entry = entry[part]
        # A ConfigDict takes values of an entry's type only: what may be a pair has any.
        entry[last] = ml_collections.FieldReference(default, object) if known.pairs else default
    return config.lock()


def variant(variants: Mapping[str, Mapping[str, Value]], name: str) -> ml_collections.ConfigDict:
    """A default config with the fields of one of several variants, by dotted names.

    Raises:
      ConfigError: there is no such variant; the message lists those that there are.
    """
    if name not in variants:
        raise ConfigError([f"config: no variant {name!r}; there are {', '.join(variants)}"])
    config = default_config()
    config.update_from_flattened_dict(variants[name])
    return config


def vary(
    config: ml_collections.ConfigDict,
    changes: Sequence[Mapping[str, Value]] | Mapping[str, Mapping[str, Value]],
) -> None:
    """Give a config's sweep an axis whose points are the config with some fields changed.

    Args:
      config: its fields that are varied get their defaults, as those of any swept field.
      changes: of each point the fields that differ, by dotted names; {} is the config as it is. By
        their names where points have such; else settings are called by the fields that differ.

    Raises:
      ConfigError: a name is no field's.
    """
    plain, names = dict(fields.flatten(config)), list[str]()
    if isinstance(changes, Mapping):
        names, changes = list(changes), list(changes.values())
    varied = dict.fromkeys(name for change in changes for name in change)
    unknown = [fields.unknown_field(name, plain) for name in varied if name not in plain]
    if unknown:
        raise ConfigError(unknown)
    terms = [
        axes.axis_text(name, [change.get(name, plain[name]) for change in changes])
        for name in varied
    ]
    if names:
        terms.insert(0, axes.names_text(names))
    config.update_from_flattened_dict({name: fields.specs()[name][1] for name in varied})
    config.sweep = (*config.sweep, " ".join(terms))


def extended(config: Value, seeds: Seeds | None, sweep: Axes | None) -> dict[str, Value]:
    """A config's entries with other seeds, and with more axes, where these are given.

    Raises:
      ConfigError: it is no config, its axes or these are none, or as `axes.add_axes`.
    """
    declared = _entries(config)
    if seeds is not None:
        declared["seeds"] = seeds
    if sweep:
        try:
            own, more = axes.axes_texts(declared.get("sweep", ())), axes.axes_texts(sweep)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        declared["sweep"] = axes.add_axes(own, more)
    return declared


def _entries(config: Value) -> dict[str, Value]:
    if not isinstance(config, ml_collections.ConfigDict | Mapping):
        raise ConfigError(["config: give a ConfigDict, or a dict of fields"])
    return dict(config.items())


def resolve(config: Value, name: str = "sweep") -> Experiment:
    """Check a config completely and return the sweep it declares.

    Args:
      config: a ConfigDict or nested dict; what it leaves out has its default. Its seeds may be
        whatever `axes.seeds_text` takes, its sweep what `axes.axes_texts` does.
      name: the sweep's name, shown in results and figures.

    Raises:
      ConfigError: with every problem found, one a line.
    """
    experiment = _with_data(_declared(config, name))
    _check_settings(experiment)
    return experiment


def recorded(config: Mapping[str, object]) -> Experiment:
    """The sweep whose resolved config a record has; its data need not be there any more.

    Raises:
      ConfigError: this version can't make anything of it, or what is registered in it is missing.
    """
    return _declared(config, "recorded")


def _declared(config: Value, name: str) -> Experiment:
    """What a config declares, checked value by value and axis by axis."""
    declared, problems = _entries(config), list[str]()
    if not (isinstance(name, str) and name.isprintable()):
        problems.append(f"name={name!r}: it must be text that can be printed; choose another name")
    for field, text in (("seeds", axes.seeds_text), ("sweep", axes.axes_texts)):
        try:
            declared |= {field: text(declared[field])} if field in declared else {}
        except ValueError as error:
            problems.append(str(error))
            del declared[field]
    values = {field: default for field, (_, default) in fields.specs().items()}
    sections = {name.rpartition(".")[0] for name in values if "." in name}
    given: set[str] = set()
    for field, value in fields.flatten(declared):
        if field == FILE and isinstance(value, str) and not value:
            continue  # as a whole config has it beside an array
        if field == ARRAY:
            field, value = _kept(value, problems)
        if field in given:
            problems.append(f"{field}: it is given twice; give it by one of its names")
        given.add(field)
        if field in sections and isinstance(value, ml_collections.ConfigDict | Mapping):
            continue  # nothing in it
        if field not in values:
            problems.append(fields.unknown_field(field, values))
            continue
        try:
            values[field] = fields.checked(field, value)
        except ValueError as error:
            problems.append(str(error))
    seeds: tuple[int, ...] = ()
    swept: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
    names: tuple[axes.Names, ...] = ()
    try:
        seeds = axes.parse_seeds(values["seeds"])
    except ValueError as error:
        problems += str(error).splitlines()
    try:
        swept, points, names = axes.product(values["sweep"])
    except ValueError as error:
        problems += str(error).splitlines()
    view = values["judging.view"]
    if not (len(view) == 2 and (view[0] < view[1] or view == (0.0, 0.0))):
        remedy = "give two ends in ascending order, such as (-8,8), or (0,0)"
        problems.append(f"judging.view={value_text(view)}: {remedy}")
    log_points = values["steps"] // values["judging.log_every"]
    if log_points > MOST_LOG_POINTS:
        count = f"it makes {log_points} log points of {values['steps']} steps"
        remedy = f"{count}; at most {MOST_LOG_POINTS}"
        problems.append(f"judging.log_every={values['judging.log_every']}: {remedy}")
    if problems:
        raise ConfigError(problems)

    schedule = spec.build(Schedule, values)
    base = {field: values[field] for field, _, _ in spec.specs(Setting)}
    # A value that an axis replaces would silently do nothing.
    changed = [field for field in swept if base[field] != fields.specs()[field][1]]
    problems = [axes.overridden(field, base[field]) for field in changed]
    problems += canonical.without_effect(base, swept, points)
    problems += canonical.twice(swept, points)
    if problems:
        raise ConfigError(problems)
    points, first, notes = canonical.distinct(base, swept, points)
    labels = axes.labels(base, swept, points, tuple(names[i] for i in first))
    if len(set(labels)) < len(labels):
        ((most, _),) = Counter(labels).most_common(1)
        remedy = "give points names by which settings can be told apart"
        raise ConfigError([f"sweep: two settings would be called {most!r}; {remedy}"])
    notes += canonical.unused(base, swept, points)
    return Experiment(name, base, swept, points, labels, seeds, schedule, notes)


def _with_data(experiment: Experiment) -> Experiment:
    """A sweep that says what its data are."""
    base, swept = experiment.base, experiment.swept
    try:
        base["target.digest"] = _digests(base, experiment.settings)
        base["target.columns"] = _columns(base, swept, experiment.settings)
    except DataError as error:
        raise ConfigError([str(error)]) from None
    return experiment


def _kept(array: Value, problems: list[str]) -> tuple[str, str]:
    """The field, and its value, that an array is read by; what is wrong with it is added."""
    try:
        return FILE, files.keep(array)
    except DataError as error:
        problems.append(str(error))
        return FILE, ""


def _with_columns(setting: Setting) -> Setting:
    """A setting that says what its data are."""
    if setting.target.kind != data.KIND:
        return setting
    return dataclasses.replace(setting, target=data.completed(setting.target))


def _digests(base: dict[str, Value], settings: Sequence[Setting]) -> str:
    """Those of all files of data that a sweep's settings have, in order.

    Raises:
      DataError: it was said what they were, and they aren't.
    """
    of_data = [each.target for each in settings if each.target.kind == data.KIND]
    of_files = {target.file: target.digest for target in of_data}
    found, said = ",".join(of_files.values()), base["target.digest"]
    if not of_files:
        return said
    if said not in ("", found):
        remedy = "leave it out to take the file as it is"
        raise DataError(f"target.digest={said}: {', '.join(of_files)} has {found}; {remedy}")
    return found


def _columns(
    base: dict[str, Value], swept: Sequence[str], settings: Sequence[Setting]
) -> tuple[str, ...]:
    """The columns of data by their names, where all settings have the same."""
    of_data = settings[0].target.kind == data.KIND
    if not of_data or {"target.kind", FILE, "target.columns"} & set(swept):
        return base["target.columns"]
    return settings[0].target.columns


def _check_settings(experiment: Experiment) -> None:
    """Refuse settings whose fields conflict; the first such setting is named."""
    dims: set[int] = set()
    problems: dict[str, str] = {}
    for label, setting in zip(experiment.labels, experiment.settings, strict=True):
        setting_name = f" (in the setting {label})" if experiment.swept else ""
        for field, value, remedy in conflicts.find(setting):
            problems.setdefault(f"{field}={value_text(value)}: {remedy}", setting_name)
        dims.add(targets.dim(setting.target))
        if experiment.schedule.judging.features and setting.training.order != ALTERNATING:
            remedy = "features are followed through D's steps and then G's; set it to False"
            problems.setdefault(f"judging.features=True: {remedy}", setting_name)
    view = experiment.schedule.judging.view
    if dims and 1 not in dims and view != (0.0, 0.0):
        problems[f"judging.view={value_text(view)}: on the line only; leave it out"] = ""
    if len(dims) > 1:
        listed = " and ".join(f"{dim}-D" for dim in sorted(dims))
        problems[f"target.kind: {listed} targets are judged differently; run two sweeps"] = ""
    if problems:
        raise ConfigError([problem + setting_name for problem, setting_name in problems.items()])
