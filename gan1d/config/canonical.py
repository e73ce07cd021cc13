"""Which fields have an effect in a setting: points that differ in others only are one setting."""

from collections.abc import Iterator

import numpy as np

from gan1d.config import fields
from gan1d.config.fields import value_text
from gan1d.gan.spec import Condition, Value

Point = tuple[Value, ...]  # the values of the swept fields in one setting


def _beside(field: str) -> str | None:
    """The field that decides whether this one has an effect, or None."""
    condition = fields.specs()[field][0].condition()
    section = field.rpartition(".")[0]
    return None if condition is None else f"{section}.{condition.field}"


def has_effect(field: str, base: dict[str, Value], swept: tuple[str, ...], point: Point) -> bool:
    """Whether a field changes anything in a setting."""
    beside = _beside(field)
    if beside is None:
        return True
    value = point[swept.index(beside)] if beside in swept else base[beside]
    return _condition(field).holds(value) and has_effect(beside, base, swept, point)


def built_from(
    base: dict[str, Value], swept: tuple[str, ...], points: tuple[Point, ...]
) -> tuple[dict[str, Value], tuple[str, ...], tuple[Point, ...]]:
    """What settings are built from: base, what varies, and points, where all else has defaults.

    A value without effect is not handed on, so that nothing can depend on it; it may have an effect
    in some settings of a sweep only.
    """
    kept, partly = dict(base), []
    for field in _changed(base, swept):
        has = {has_effect(field, base, swept, point) for point in points}
        if has == {True, False}:
            partly.append(field)
        elif has == {False}:
            kept[field] = fields.specs()[field][1]

    def value(field: str, point: Point) -> Value:
        has = has_effect(field, base, swept, point)
        return base[field] if has else fields.specs()[field][1]

    built = tuple((*point, *(value(field, point) for field in partly)) for point in points)
    return kept, (*swept, *partly), built


def distinct(
    base: dict[str, Value], swept: tuple[str, ...], points: tuple[Point, ...]
) -> tuple[tuple[Point, ...], tuple[int, ...], tuple[str, ...]]:
    """The points of a sweep with defaults for what has no effect, each once.

    The values of swept fields decide alone: all others are the same in every point.

    Returns:
      The points, which of the given ones they are, and what to say of it.
    """
    conditional = [i for i, field in enumerate(swept) if _beside(field) is not None]
    if not conditional:
        return points, tuple(range(len(points))), ()
    defaults = [fields.specs()[field][1] for field in swept]
    without: dict[str, None] = {}
    unique: dict[Point, int] = {}
    for number, point in enumerate(points):
        canonical = list(point)
        for i in conditional:
            if not has_effect(swept[i], base, swept, point):
                canonical[i] = defaults[i]
                without[swept[i]] = None
        unique.setdefault(tuple(canonical), number)
    first = tuple(unique.values())
    if len(unique) == len(points):
        return tuple(unique), first, ()
    why = "; ".join(_needed(field) for field in without)
    said = (
        f"sweep: {len(points)} points are {len(unique)} settings, as others differ only in what "
        f"has no effect there ({why})"
    )
    return tuple(unique), first, (said,)


def twice(swept: tuple[str, ...], points: tuple[Point, ...]) -> Iterator[str]:
    """The problem of points that are the same, as numbers are in the traced program."""
    traced = [fields.specs()[field][0].traced for field in swept]

    def as_traced(value: Value, number: bool) -> Value:
        return tuple(np.ravel(np.asarray(value, np.float32)).tolist()) if number else value

    seen = {tuple(map(as_traced, point, traced)) for point in points}
    if len(seen) < len(points):
        yield "sweep: a setting occurs twice; name each value once (numbers are float32)"


def without_effect(
    base: dict[str, Value], swept: tuple[str, ...], points: tuple[Point, ...]
) -> Iterator[str]:
    """Swept fields that change nothing in any setting, since what uses them is off."""
    for field in swept:
        if not any(has_effect(field, base, swept, point) for point in points):
            yield f"sweep={_needed(field)}; set that too"


def unused(
    base: dict[str, Value], swept: tuple[str, ...], points: tuple[Point, ...]
) -> tuple[str, ...]:
    """What to say of fields that were set and change nothing in any setting."""
    return tuple(
        f"{field}={value_text(base[field])}: {_needed(field).partition(': ')[2]}"
        for field in _changed(base, swept)
        if not any(has_effect(field, base, swept, point) for point in points)
    )


def _changed(base: dict[str, Value], swept: tuple[str, ...]) -> list[str]:
    """Fields that have no effect always, and are set to another value than their default."""
    return [
        field
        for field, value in base.items()
        if field not in swept and _beside(field) is not None and value != fields.specs()[field][1]
    ]


def _needed(field: str) -> str:
    return f"{field}: no effect unless {_beside(field)} is {_condition(field).words()}"


def _condition(field: str) -> Condition:
    """When a field has an effect that does not always have one."""
    condition = fields.specs()[field][0].condition()
    assert condition is not None
    return condition
