"""How a field of a config is declared: once, with its default, range, meaning and role.

A section is a dataclass whose entries are fields or sections. Fields are *static* or *traced*: a
section that is a pytree has the traced ones as its leaves and the static ones as its structure.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import Any

import jax

# Numbers are float32 inside the traced program.
LARGEST = 1e30
SMALLEST = 1e-30


@dataclasses.dataclass(frozen=True)
class Spec:
    """What is known about a field besides its default."""

    doc: str
    traced: bool = False
    options: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False  # low itself is excluded
    unit: str = ""  # of a number; "ratio" where it has none
    label: str = ""  # how a swept value is named in tables and figures
    neutral: Any = None  # the value that means "off", left out of names
    only: tuple[str, ...] = ()  # a field beside it, and the values of that where it has an effect

    def problem(self, value: Any) -> str | None:
        """Why the value is not allowed, or None."""
        if self.options:
            return None if value in self.options else f"choose one of {', '.join(self.options)}"
        entries = value if isinstance(value, tuple) else (value,)
        for entry in entries:
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


def field(default: Any, doc: str, **spec: Any) -> Any:
    """A static field: its value is part of the structure."""
    return dataclasses.field(default=default, metadata={"spec": Spec(doc, **spec)})


def choice(default: str, doc: str, options: Any, **spec: Any) -> Any:
    """A static field whose value is one of `options`."""
    return field(default, doc, options=tuple(options), **spec)


def number(default: float | tuple[float, ...], doc: str, **spec: Any) -> Any:
    """A traced field: a leaf of its section."""
    return field(default, doc, traced=True, **spec)


def section(default: Any) -> Any:
    """A field that holds fields."""
    return dataclasses.field(default_factory=lambda: default)


def pytree(cls: Any) -> Any:
    """A frozen dataclass and pytree: traced fields are its leaves, static ones its structure."""
    cls = dataclasses.dataclass(frozen=True)(cls)
    specs = {entry.name: entry.metadata.get("spec") for entry in dataclasses.fields(cls)}
    static = [name for name, spec in specs.items() if spec and not spec.traced]
    traced = [name for name in specs if name not in static]
    return jax.tree_util.register_dataclass(cls, data_fields=traced, meta_fields=static)


def specs(section: type, prefix: str = "") -> Iterator[tuple[str, Spec, Any]]:
    """Every field as (dotted name, Spec, default)."""
    for entry in dataclasses.fields(section):
        name = prefix + entry.name
        if "spec" in entry.metadata:
            yield name, entry.metadata["spec"], entry.default
        else:
            yield from specs(type(entry.default_factory()), name + ".")


def build(section: type, values: dict[str, Any], prefix: str = "") -> Any:
    """A section from {dotted name: value} of all its fields."""
    return section(
        **{
            entry: values[name] if inner is None else build(inner, values, name + ".")
            for entry, name, inner in _entries(section, prefix)
        }
    )


@functools.cache
def _entries(section: type, prefix: str) -> list[tuple[str, str, type | None]]:
    """A section's entries: name, dotted name, and the type of those that are sections."""
    return [
        (
            entry.name,
            prefix + entry.name,
            None if "spec" in entry.metadata else type(entry.default_factory()),
        )
        for entry in dataclasses.fields(section)
    ]
