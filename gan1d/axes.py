"""The axes of a sweep and its seeds, as text: FIELD=V1,V2,... and FIRST:END."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from gan1d import fields, spec
from gan1d.settings import Setting

PLAIN = "plain"  # the name of the setting in which every trick is off
BASE = "base"  # the same where some trick is on in every setting


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
    known = fields.specs()
    columns = []
    for term in _split(text, " "):
        field, equals, listed = term.partition("=")
        if not equals:
            raise ValueError(f"sweep={text}: write an axis as FIELD=V1,V2,...")
        if field not in known:
            raise ValueError(f"sweep={text}: {fields.unknown_field(field, known)}")
        if field not in {name for name, _, _ in spec.specs(Setting)}:
            raise ValueError(f"sweep={text}: {field} is the same for a whole sweep; run two sweeps")
        values = [fields.parsed(field, value) for value in _split(listed, ",")]
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

    def varied(axis: str) -> set[str]:
        return {term.partition("=")[0] for term in _split(axis, " ")}

    anew = set().union(*(varied(axis) for axis in more))
    for axis in axes:
        left = varied(axis) - anew
        if left and varied(axis) & anew:
            names = " and ".join(sorted(left))
            raise fields.ConfigError(
                [f"sweep={axis}: it also varies {names}; give --sweep for that too"]
            )
    return (*(axis for axis in axes if not varied(axis) & anew), *more)


def product(axes: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    """The swept fields and their values per setting: the product of the axes."""
    parsed = [parse_axis(axis) for axis in axes]
    swept = tuple(field for columns in parsed for field, _ in columns)
    twice = {field for field in swept if swept.count(field) > 1}
    if twice:
        raise ValueError(f"sweep: {', '.join(sorted(twice))} is swept twice; keep one axis a field")
    rows = [list(zip(*(values for _, values in columns), strict=True)) for columns in parsed]
    points = tuple(tuple(itertools.chain(*point)) for point in itertools.product(*rows))
    return swept, points


def labels(
    base: dict[str, Any], swept: tuple[str, ...], points: tuple[tuple[Any, ...], ...]
) -> tuple[str, ...]:
    """A name a setting that says what sets it apart from the others.

    What is off is left out; what is only ever on in one way is named without its value.
    """
    known = fields.specs()
    names = [_field_name(field) for field in swept]
    neutral = [known[field][0].neutral for field in swept]
    on = [{point[i] for point in points} - {neutral[i]} for i in range(len(swept))]
    fixed_on = [
        name
        for name, (entry, _) in known.items()
        if name not in swept and entry.neutral is not None and base[name] != entry.neutral
    ]
    nothing_on = BASE if fixed_on else PLAIN
    switch = [neutral[i] is not None and len(on[i]) == 1 for i in range(len(swept))]
    return tuple(
        " + ".join(
            names[i] if switch[i] else f"{names[i]} {fields.value_text(value)}"
            for i, value in enumerate(point)
            if value != neutral[i]
        )
        or nothing_on
        for point in points
    )


def without_effect(
    base: dict[str, Any], swept: tuple[str, ...], points: tuple[tuple[Any, ...], ...]
) -> Iterator[str]:
    """Swept fields that change nothing in any setting, since what uses them is off."""
    for field in swept:
        if not fields.specs()[field][0].only:
            continue
        beside, *effective = fields.specs()[field][0].only
        other = f"{field.rpartition('.')[0]}.{beside}"
        values = {base[other]}
        if other in swept:
            values = {point[swept.index(other)] for point in points}
        if not values & set(effective):
            needed = " or ".join(effective)
            yield f"sweep={field}: no effect unless {other} is {needed}; set that too"


def overridden(field: str, value: Any) -> str:
    """The problem of a field that has both a value and an axis."""
    remedy = f"it is swept; change its axis, --sweep={field}=V1,V2,..."
    return f"{field}={fields.value_text(value)}: {remedy}"


def _field_name(field: str) -> str:
    """What people call a field."""
    network = {"generator": "G ", "discriminator": "D "}.get(field.split(".optimizer.")[0], "")
    label = fields.specs()[field][0].label or field
    return network + label if ".optimizer." in field else label


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
