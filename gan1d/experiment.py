"""A config, checked and resolved: which settings and seeds to run, for how long, and how to judge.

A config is a nested ml_collections ConfigDict with one entry a field of `settings.Setting`, plus
`steps`, `seeds`, `sweep` and `judging`. A sweep is a tuple of axes, each a line of text; the
settings are the product of the axes. The same text is what the command line's --sweep takes:

    "tricks.minibatch=off,replace"                                one field
    "generator.hidden=(4,),(8,8)"                                 tuples as Python writes them
    "generator.optimizer.rate=1e-3,1e-4 discriminator.optimizer.rate=1e-3,5e-4"
                                                                  two fields in step (zip)
"""

import ast
import dataclasses
import difflib
import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import ml_collections
import numpy as np

from gan1d import settings
from gan1d.settings import Setting, Spec

PLAIN = "plain"  # the name of the setting in which every trick is off
BASE = "base"  # the same where some trick is on in every setting


class ConfigError(ValueError):
    """A config that can't be run; each problem names the field, the value and what to do."""

    def __init__(self, problems: list[str]):
        """Keep the problems, one line each."""
        super().__init__("\n".join(problems))


@dataclasses.dataclass(frozen=True)
class Judging:
    """When and how runs are judged; the same for a whole sweep."""

    log_every: int = settings.field(
        250, "updates between log points; the last update is one too", low=1, high=100_000
    )
    points: int = settings.field(
        501, "generated samples that judge a generator", low=101, high=5001
    )
    collapsed_std: float = settings.field(
        0.25, "collapsed: std below this part of the target's", low=0, high=1
    )
    success_w1: float = settings.field(
        0.25, "success: W1 within this part of the target's std", low=0
    )
    snapshot_seeds: int = settings.field(
        4, "first seeds whose samples and D are kept at every log point", low=0, high=64
    )


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long and how often; the same for a whole sweep."""

    steps: int = settings.field(5000, "updates of each GAN", low=1, high=10**9)
    seeds: str = settings.field("0:128", "seeds, for example 0:128 or 0:100,500:600 or 7")
    sweep: tuple[str, ...] = settings.field((), "axes FIELD=V1,V2,...; their product is swept")
    judging: Judging = settings.section(Judging())  # noqa: RUF009 - a field specifier


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A checked sweep: settings x seeds."""

    name: str
    base: dict[str, Any]  # dotted field name -> value, before the sweep's axes
    swept: tuple[str, ...]  # dotted names
    points: tuple[tuple[Any, ...], ...]  # per setting, the values of `swept`
    labels: tuple[str, ...]  # per setting, unique
    seeds: tuple[int, ...]
    schedule: Schedule

    def settings(self) -> Iterator[Setting]:
        """The settings in order; built one at a time, since there may be very many."""
        for point in self.points:
            yield settings.build(self.base | dict(zip(self.swept, point, strict=True)))

    def config(self) -> dict[str, Any]:
        """The resolved config as plain nested data for JSON; equal configs are equal sweeps."""
        nested: dict[str, Any] = {}
        for name, value in self.base.items():
            *sections, last = name.split(".")
            entry = nested
            for part in sections:
                entry = entry.setdefault(part, {})
            entry[last] = list(value) if isinstance(value, tuple) else value
        schedule = dataclasses.asdict(self.schedule)
        return nested | schedule | {"sweep": list(self.schedule.sweep)}

    def log_steps(self) -> list[int]:
        """The numbers of updates after which runs are judged: 0, log_every, ..., steps."""
        return [
            *range(0, self.schedule.steps, self.schedule.judging.log_every),
            self.schedule.steps,
        ]


@functools.cache
def specs() -> dict[str, tuple[Spec, Any]]:
    """Every field of a config: dotted name -> (Spec, default)."""
    return {
        name: (spec, default)
        for section in (Setting, Schedule)
        for name, spec, default in settings.specs(section)
    }


def default_config() -> ml_collections.ConfigDict:
    """A config with every field at its default: AYLIEN's GAN of June 2017, plain, 128 seeds."""
    config = ml_collections.ConfigDict()
    for name, (_, default) in specs().items():
        *sections, last = name.split(".")
        entry = config
        for part in sections:
            if part not in entry:
                entry[part] = ml_collections.ConfigDict()
            entry = entry[part]
        entry[last] = default
    return config.lock()


def resolve(config: Any, name: str = "sweep") -> Experiment:
    """Check a config completely and return the sweep it declares.

    Args:
      config: a ConfigDict or nested dict; what it leaves out has its default.
      name: the sweep's name, shown in results and figures.

    Raises:
      ConfigError: with every problem found, one a line.
    """
    problems: list[str] = []
    values = {field: default for field, (_, default) in specs().items()}
    for field, value in flatten(config):
        if field not in values:
            problems.append(unknown_field(field, values))
            continue
        try:
            values[field] = _checked(field, value)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(problems)

    schedule = settings.build(values, Schedule)
    base = {field: values[field] for field, _, _ in settings.specs()}
    try:
        seeds = parse_seeds(schedule.seeds)
        swept, points = _product(schedule.sweep)
    except ValueError as error:
        raise ConfigError(str(error).splitlines()) from None
    # A value that an axis replaces would silently do nothing.
    changed = [field for field in swept if base[field] != specs()[field][1]]
    if changed:
        raise ConfigError([overridden(field, base[field]) for field in changed])
    without_effect = list(_without_effect(base, swept, points))
    if without_effect:
        raise ConfigError(without_effect)
    labels = _labels(base, swept, points)
    experiment = Experiment(name, base, swept, points, labels, seeds, schedule)
    _check_settings(experiment)
    return experiment


def unknown_field(field: str, known: Any) -> str:
    """The problem of a name that is no field, with the nearest names that are."""
    near = difflib.get_close_matches(field, list(known), n=3, cutoff=0.5)
    # A last part that is right in the wrong section is the commonest slip.
    near += [name for name in known if name.split(".")[-1] == field.split(".")[-1]]
    hint = (
        f"did you mean {' or '.join(dict.fromkeys(near))}?" if near else "see --help for all fields"
    )
    return f"{field}: there is no such field; {hint}"


def overridden(field: str, value: Any) -> str:
    """The problem of a field that has both a value and an axis."""
    remedy = f"it is swept; change its axis, --sweep={field}=V1,V2,..."
    return f"{field}={value_text(value)}: {remedy}"


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from text such as `0:128`, `7` or `0:100,500:600` (ends excluded).

    Raises:
      ValueError: on anything else, an empty or overlapping range, or a seed outside [0, 2^31).
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, colon, last = part.strip().partition(":")
        if not first.isdecimal() or (colon and not last.isdecimal()):
            raise ValueError(f"seeds={text}: write FIRST:END or one number, for example 0:128")
        start, end = int(first), int(last) if colon else int(first) + 1
        if end > 2**31 or end - start > 10**8:
            raise ValueError(f"seeds={text}: seeds are below 2^31 and at most 10^8 of them")
        if end <= start:
            raise ValueError(f"seeds={text}: {part} holds no seed; END is excluded and above FIRST")
        seeds.extend(range(start, end))
    if len(set(seeds)) != len(seeds):
        raise ValueError(f"seeds={text}: ranges overlap; name every seed once")
    return tuple(seeds)


def parse_axis(text: str) -> list[tuple[str, list[Any]]]:
    """An axis `FIELD=V1,V2,...`, or several of them to be varied in step, as (field, values).

    Raises:
      ValueError: unknown or fixed field, a value of the wrong type or range, uneven lengths.
    """
    known = specs()
    columns = []
    for term in _split(text, " "):
        field, equals, listed = term.partition("=")
        if not equals:
            raise ValueError(f"sweep={text}: write an axis as FIELD=V1,V2,...")
        if field not in known:
            raise ValueError(f"sweep={text}: {unknown_field(field, known)}")
        if field not in {name for name, _, _ in settings.specs()}:
            raise ValueError(f"sweep={text}: {field} is the same for a whole sweep; run two sweeps")
        values = [_parse_value(field, value) for value in _split(listed, ",")]
        if not values:
            raise ValueError(f"sweep={text}: {field} has no values")
        columns.append((field, values))
    if not columns:
        raise ValueError("sweep: an axis is empty; write FIELD=V1,V2,...")
    lengths = {len(values) for _, values in columns}
    if len(lengths) > 1:
        counts = ", ".join(f"{field}: {len(values)}" for field, values in columns)
        raise ValueError(f"sweep={text}: fields varied in step need as many values each ({counts})")
    return columns


def add_axes(axes: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    """Axes of a sweep with more of them; an axis whose fields are all varied anew is replaced.

    Raises:
      ConfigError: some of an axis's fields are varied anew, and others that go in step are not.
    """

    def fields(axis: str) -> set[str]:
        return {term.partition("=")[0] for term in _split(axis, " ")}

    anew = set().union(*(fields(axis) for axis in more))
    for axis in axes:
        left = fields(axis) - anew
        if left and fields(axis) & anew:
            names = " and ".join(sorted(left))
            raise ConfigError([f"sweep={axis}: it also varies {names}; give --sweep for that too"])
    return (*(axis for axis in axes if not fields(axis) & anew), *more)


def flatten(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A nested config as (dotted name, value)."""
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, ml_collections.ConfigDict | dict):
            yield from flatten(value, name + ".")
        else:
            yield name, value


def value_text(value: Any) -> str:
    """A field's value as it would be typed."""
    if isinstance(value, tuple | list):
        entries = ",".join(value_text(entry) for entry in value)
        return f"({entries},)" if len(value) == 1 else f"({entries})"
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return str(value)


def _checked(field: str, value: Any) -> Any:
    """The value in the field's own type, or ValueError."""
    spec, default = specs()[field]
    typed = _typed(default, value)
    if typed is None:
        kind = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}
        example = value_text(default) if default else '("FIELD=V1,V2",)'
        wanted = kind.get(type(default)) or f"a tuple such as {example}"
        raise ValueError(f"{field}={value!r}: it must be {wanted}")
    if isinstance(default, str) and not spec.options:
        return typed  # free text is checked where it is parsed
    if isinstance(typed, tuple) and any(isinstance(entry, str) for entry in typed):
        return typed
    problem = spec.problem(typed)
    if problem:
        raise ValueError(f"{field}={value_text(typed)}: {problem}")
    return typed


def _typed(default: Any, value: Any) -> Any:
    """`value` as the type of `default`, or None where it is of another type."""
    if isinstance(default, tuple):
        if not isinstance(value, tuple | list):
            return None
        entry_default = default[0] if default else ""
        entries = tuple(_typed(entry_default, entry) for entry in value)
        return None if None in entries else entries
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or isinstance(default, bool):
        return value if isinstance(value, bool) and isinstance(default, bool) else None
    if isinstance(default, float) and isinstance(value, int | float):
        if isinstance(value, int):
            # One too long for a float would raise; it is out of every range anyway.
            value = max(min(value, 10**300), -(10**300))
        return float(value)
    return value if type(value) is type(default) else None


def _parse_value(field: str, text: str) -> Any:
    """A value typed on the command line, in the field's type."""
    _, default = specs()[field]
    if isinstance(default, str):
        return _checked(field, text)
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = text
    return _checked(field, value)


def _split(text: str, separator: str) -> list[str]:
    """Split outside brackets; empty parts are dropped."""
    parts, depth, current = [], 0, ""
    for character in text.strip():
        depth += (character in "([") - (character in ")]")
        if character == separator and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [part.strip() for part in [*parts, current] if part.strip()]


def _product(axes: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    """The swept fields and their values per setting: the product of the axes."""
    parsed = [parse_axis(axis) for axis in axes]
    swept = tuple(field for columns in parsed for field, _ in columns)
    twice = {field for field in swept if swept.count(field) > 1}
    if twice:
        raise ValueError(f"sweep: {', '.join(sorted(twice))} is swept twice; keep one axis a field")
    rows = [list(zip(*(values for _, values in columns), strict=True)) for columns in parsed]
    points = tuple(tuple(itertools.chain(*point)) for point in itertools.product(*rows))
    return swept, points


def _labels(
    base: dict[str, Any], swept: tuple[str, ...], points: tuple[tuple[Any, ...], ...]
) -> tuple[str, ...]:
    """A name a setting that says what sets it apart from the others.

    What is off is left out; what is only ever on in one way is named without its value.
    """
    known = specs()
    names = [_field_name(field) for field in swept]
    neutral = [known[field][0].neutral for field in swept]
    on = [{point[i] for point in points} - {neutral[i]} for i in range(len(swept))]
    fixed_on = [
        name
        for name, (spec, _) in known.items()
        if name not in swept and spec.neutral is not None and base[name] != spec.neutral
    ]
    nothing_on = BASE if fixed_on else PLAIN
    switch = [neutral[i] is not None and len(on[i]) == 1 for i in range(len(swept))]
    return tuple(
        " + ".join(
            names[i] if switch[i] else f"{names[i]} {value_text(value)}"
            for i, value in enumerate(point)
            if value != neutral[i]
        )
        or nothing_on
        for point in points
    )


def _without_effect(
    base: dict[str, Any], swept: tuple[str, ...], points: tuple[tuple[Any, ...], ...]
) -> Iterator[str]:
    """Swept fields that change nothing in any setting, since what uses them is off."""
    for field in swept:
        if not specs()[field][0].only:
            continue
        beside, *effective = specs()[field][0].only
        other = f"{field.rpartition('.')[0]}.{beside}"
        values = {base[other]}
        if other in swept:
            values = {point[swept.index(other)] for point in points}
        if not values & set(effective):
            needed = " or ".join(effective)
            yield f"sweep={field}: no effect unless {other} is {needed}; set that too"


def _field_name(field: str) -> str:
    """What people call a field."""
    network = {"generator": "G ", "discriminator": "D "}.get(field.split(".optimizer.")[0], "")
    label = specs()[field][0].label or field
    return network + label if ".optimizer." in field else label


def _check_settings(experiment: Experiment) -> None:
    """Refuse settings that occur twice or whose fields conflict; the first setting is named."""
    seen: set[tuple[Any, ...]] = set()
    problems: dict[str, str] = {}
    for label, point, setting in zip(
        experiment.labels, experiment.points, experiment.settings(), strict=True
    ):
        where = f" (in the setting {label})" if experiment.swept else ""
        for field, value, remedy in settings.conflicts(setting):
            problems.setdefault(f"{field}={value_text(value)}: {remedy}", where)
        if point in seen:
            problems.setdefault("sweep: a setting occurs twice; name each value once", where)
        seen.add(point)
    if problems:
        raise ConfigError([problem + where for problem, where in problems.items()])
