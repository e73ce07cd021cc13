"""How a field of a config is declared: once, with its default, range, meaning and role.

A section is a dataclass whose entries are fields or sections. Fields are *static* or *traced*: a
section is a pytree that has the traced ones as its leaves and the static ones as its structure
(`gan.pytrees` tells JAX so). An entry of a registry may bring fields of its own along, which are
*added* to the section that it is chosen in.
"""

import dataclasses
import functools
import itertools
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast, dataclass_transform

# Numbers are float32 inside the traced program.
LARGEST = 1e30
SMALLEST = 1e-30
OFF = "off"

# What a field holds, a flag, a number, text or a tuple of them, and what declares it: its type is
# known from its default only.
Value: TypeAlias = Any


@dataclasses.dataclass(frozen=True)
class Spec:
    """What is known about a field besides its default."""

    doc: str
    traced: bool = False
    options: Collection[str] = ()  # a registry, or the names themselves
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False  # low itself is excluded
    unit: str = ""  # of a number; "ratio" where it has none
    label: str = ""  # how a swept value is named in tables and figures
    neutral: Value | None = None  # the value that means "off", left out of names
    # A field beside it, and its values with which this one has an effect: see `Condition`.
    only: tuple[Value, ...] = ()
    # Whether 0 in all settings of a cohort takes out of the program what the field is for.
    vanishes: bool = False
    pairs: bool = False  # of a number: it may also be a pair of them, one for each coordinate

    def problem(self, value: Value) -> str | None:
        """Why the value is not allowed, or None."""
        if self.options:
            return None if value in self.options else f"choose one of {', '.join(self.options)}"
        for entry in _entries_of(value):
            if not abs(entry) <= LARGEST:
                return f"it must be a number of at most {LARGEST:g} in size"
            if 0 < abs(entry) < SMALLEST:
                return f"it must be 0 or at least {SMALLEST:g} in size"
            if entry < self.low or entry > self.high or (self.open_low and entry == self.low):
                return f"it must be {self.range()}"
        return None

    def range(self) -> str:
        """The allowed values in words."""
        if self.options:
            return " | ".join(self.options)
        low = f"{'above' if self.open_low else 'at least'} {self.low:g}"
        high = f"at most {self.high:g}"
        bounds = [low] * (self.low > -math.inf) + [high] * (self.high < math.inf)
        return " and ".join(bounds) or "any number"

    def said(self) -> dict[str, str]:
        """What is said of its options, of those that are entries of a registry, by their names."""
        registry = self.options.registry if isinstance(self.options, Switch) else self.options
        if not isinstance(registry, Mapping):
            return {}
        texts = {name: _said(entry) for name, entry in registry.items()}
        return {name: text for name, text in texts.items() if text}

    def condition(self) -> "Condition | None":
        """When it has an effect; None: always."""
        if not self.only:
            return None
        beside, *values = self.only
        return Condition(beside, tuple(values))


def _entries_of(value: Value) -> Iterator[Value]:
    """A value, or what a tuple of values or of such tuples has."""
    if not isinstance(value, tuple):
        yield value
        return
    for entry in value:
        yield from _entries_of(entry)


class Condition(NamedTuple):
    """What a field beside another must be for that to have an effect."""

    field: str
    values: tuple[str | Collection[str] | Callable[[Value], bool], ...]

    def holds(self, value: Value) -> bool:
        """Whether this value is one of those."""
        for each in self.values:
            if callable(each):
                if each(value):
                    return True
            elif value in ([each] if isinstance(each, str) else each):
                return True
        return False

    def words(self) -> str:
        """The values in words."""
        names: list[str] = []
        for each in self.values:
            if callable(each):
                said = (each.__doc__ or "").rstrip(".")  # a sentence, here in the midst of another
                names.append(f"{said[:1].lower()}{said[1:]}")
            else:
                names += [each] if isinstance(each, str) else each
        return " or ".join(names)


def _said(entry: Value) -> str:
    """One line about an entry: its own, or the first of its function's docstring and its source."""
    if text := getattr(entry, "said", ""):
        return text
    function = getattr(entry, "directions", entry)
    if getattr(function, "__name__", "<lambda>") == "<lambda>":
        return ""
    first, _, rest = (function.__doc__ or "").partition("\n")
    source = re.search(r"^ *(\S.*?\(arXiv [\d.]+\))", rest, re.MULTILINE)
    return f"{first.strip()} {source[1] if source else ''}".strip()


def chosen(value: str) -> bool:
    """Any but off."""
    return value != OFF


def above_0(value: float) -> bool:
    """Above 0."""
    return value > 0


def field(default: Value, doc: str, **spec: Value) -> Value:
    """A static field: its value is part of the structure."""
    return dataclasses.field(default=default, metadata={"spec": Spec(doc, **spec)})


def choice(default: str, doc: str, options: Collection[str], **spec: Value) -> Value:
    """A static field whose value is one of `options`."""
    return field(default, doc, options=options, **spec)


def number(default: Value, doc: str, **spec: Value) -> Value:
    """A traced field: a leaf of its section."""
    return field(default, doc, traced=True, **spec)


def filled() -> Value:
    """An entry that is no field of a config: arrays that whoever uses a section puts there."""
    return dataclasses.field(default=None, repr=False, compare=False, metadata={"filled": True})


def section(default: Value) -> Value:
    """A field that holds fields."""
    return dataclasses.field(default_factory=lambda: default)


class Switch(Collection[str]):
    """The options of a field that is off, or names an entry of a registry."""

    def __init__(self, registry: Collection[str]) -> None:
        """Keep the registry, which may grow."""
        self.registry = registry

    def __iter__(self) -> Iterator[str]:
        """Off comes first."""
        return itertools.chain([OFF], self.registry)

    def __len__(self) -> int:
        """How many there are."""
        return 1 + len(self.registry)

    def __contains__(self, name: object) -> bool:
        """Whether it is one of them."""
        return name == OFF or name in self.registry


@dataclasses.dataclass(frozen=True, eq=True)
class Added:
    """The values of fields that registered entries have added to a section."""

    numbers: dict[str, Value] = dataclasses.field(default_factory=dict)  # of traced fields
    rest: dict[str, Value] = dataclasses.field(default_factory=dict)  # of static ones

    def __hash__(self) -> int:
        """Of the names only: there are few."""
        return hash((*self.numbers, *self.rest))


# Every section, and the fields that are added to it: name -> (Spec, default).
SECTIONS: dict[type, dict[str, tuple[Spec, Value]]] = {}
DECLARED: list[Callable[[type], None]] = []  # called with sections that are declared from now on
ADDITIONS: list[str] = []  # those fields in order: what is made of all fields is made anew with it


T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def pytree(cls: type[T]) -> type[T]:
    """A frozen dataclass and pytree: traced fields are its leaves, static ones its structure."""

    def added(self: Value, name: str) -> Value:
        values = {} if name == "added" else self.added.numbers | self.added.rest
        if name in values:
            return values[name]
        raise AttributeError(f"{cls.__name__} has no field {name!r}")

    cls.__annotations__["added"] = Added
    setattr(cls, "added", dataclasses.field(default_factory=Added, repr=False))  # noqa: B010
    setattr(cls, "__getattr__", added)  # noqa: B010
    section = dataclasses.dataclass(frozen=True)(cls)
    SECTIONS[section] = {}
    for call in DECLARED:
        call(section)
    return section


def add(section: type, name: str, spec: Spec, default: Value) -> None:
    """Add a field to a section, or declare it anew."""
    SECTIONS[section][name] = (spec, default)
    ADDITIONS.append(name)


def specs(section: type, prefix: str = "") -> Iterator[tuple[str, Spec, Value]]:
    """Every field as (dotted name, Spec, default)."""
    for entry in _declared(section):
        name = prefix + entry.name
        if "spec" in entry.metadata:
            yield name, entry.metadata["spec"], entry.default
        else:
            yield from specs(_inner(entry), name + ".")
    for added, (spec, default) in SECTIONS.get(section, {}).items():
        yield prefix + added, spec, default


def build(section: type, values: dict[str, Value]) -> Value:
    """A section from {dotted name: value} of all its fields."""
    return builder(section, values, ())(())


def builder(
    section: type, values: dict[str, Value], varied: Sequence[str]
) -> Callable[[tuple[Value, ...]], Value]:
    """What builds a section from the values of some fields, where all others stay the same.

    Of what is built, parts whose fields are equal are the same objects: there may be very many.
    """
    known: dict[tuple[str, tuple[Value, ...]], Value] = {}

    def part(inner: type, prefix: str, point: tuple[Value, ...]) -> Value:
        fields = zip(varied, point, strict=True)
        own = tuple(value for name, value in fields if name.startswith(prefix))
        if (prefix, own) not in known:
            known[prefix, own] = assembled(inner, prefix, point)
        return known[prefix, own]

    def assembled(inner: type, prefix: str, point: tuple[Value, ...]) -> Value:
        given = values | dict(zip(varied, point, strict=True))
        entries = {
            entry: given[name] if deeper is None else part(deeper, name + ".", point)
            for entry, name, deeper in _entries(inner, prefix)
        }
        return inner(**entries, **_added(inner, given, prefix))

    return lambda point: assembled(section, "", point)


def _added(section: type, values: dict[str, Value], prefix: str) -> dict[str, Added]:
    """The argument that holds what registered entries have added to a section, if they have."""
    added = SECTIONS.get(section)
    if not added:
        return {}
    numbers, rest = (
        {name: values[prefix + name] for name, (spec, _) in added.items() if spec.traced == traced}
        for traced in (True, False)
    )
    return {"added": Added(numbers, rest)}


def _declared(section: type) -> list[dataclasses.Field]:
    return [
        entry
        for entry in dataclasses.fields(section)
        if entry.name != "added" and "filled" not in entry.metadata
    ]


def _inner(entry: dataclasses.Field) -> type:
    """The type of an entry that is a section."""
    return type(cast(Callable[[], object], entry.default_factory)())


@functools.cache
def _entries(section: type, prefix: str) -> list[tuple[str, str, type | None]]:
    """A section's entries: name, dotted name, and the type of those that are sections."""
    return [
        (
            entry.name,
            prefix + entry.name,
            None if "spec" in entry.metadata else _inner(entry),
        )
        for entry in _declared(section)
    ]
