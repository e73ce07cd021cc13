"""The axes of a sweep and its seeds: FIELD=V1,V2,... and FIRST:END, or as Python has them."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import ml_collections
import numpy as np

from gan1d.config import canonical, fields
from gan1d.config.canonical import Point
from gan1d.gan import spec
from gan1d.gan.setting import Setting
from gan1d.gan.spec import Value

NAME = "name"  # the term of an axis that names its points
# Text in quotes, where a value or an entry of one can begin.
QUOTED = r"""(?<![^\s=,(\[])(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
PLAIN = "plain"  # the name of the setting in which every trick is off
BASE = "base"  # the same where some trick is on in every setting
MOST_SHOWN = 80  # characters of a value in titles
MOST_SEEDS = 10**7
MOST_SETTINGS = 10**5


class Axis(NamedTuple):
    """What varies in step."""

    columns: list[tuple[str, list[Value]]]  # of each field its values, one a point
    names: list[str]  # of the points; none where they are called by the fields that differ


# Of a point, for each swept field: what to call it by; None: by its name and value.
Names = tuple[str | None, ...]

Seeds = int | str | Sequence[int] | np.ndarray  # as `seeds_text` takes them
Axes = str | Sequence[str] | Mapping[str, Sequence[Value] | np.ndarray]  # as `axes_texts` does


def seeds_text(seeds: Seeds) -> str:
    """Seeds as text; a number of them, 8 or "8", is 0:8.

    So a lone number never stands in a record of a sweep: there it means that one seed, as it did
    when earlier versions wrote it (`results.older`).

    Args:
      seeds: text that `parse_seeds` takes, a number, or a range, list or array of seeds.

    Raises:
      ValueError: they are something else.
    """
    if isinstance(seeds, str):
        return f"0:{seeds.strip()}" if re.fullmatch(r"\s*[0-9]+\s*", seeds) else seeds
    if isinstance(seeds, int | np.integer) and not isinstance(seeds, bool):
        return f"0:{seeds}"
    if isinstance(seeds, range) and seeds.step == 1:
        return f"{seeds.start}:{seeds.stop}"
    listed = np.asarray(seeds) if isinstance(seeds, range | Sequence | np.ndarray) else np.empty(0)
    if listed.ndim != 1 or listed.dtype.kind not in "iu":
        remedy = 'give how many, a range, a list of whole numbers, or text such as "0:100,500:600"'
        raise ValueError(f"seeds={fields.value_text(seeds)}: {remedy}")
    spans = np.split(listed, np.flatnonzero(np.diff(listed) != 1) + 1)
    return ",".join(f"{span[0]}:{span[-1] + 1}" for span in spans)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from text such as `8` (0 to 7), `0:128` or `0:100,500,600:700`; ends are excluded.

    A number is that seed where it is one of several parts; alone it is how many there are.

    Raises:
      ValueError: on anything else, an empty or overlapping range, a seed outside [0, 2^31), or too
        many of them.
    """
    shown = fields.value_text(text)
    spans: list[tuple[int, int]] = []
    for part in seeds_text(text).split(","):
        first, colon, last = part.strip().partition(":")
        numbers = [first, last] if colon else [first]
        if not all(re.fullmatch("[0-9]{1,10}", number) for number in numbers):
            raise ValueError(f"seeds={shown}: write FIRST:END, or how many, for example 0:128")
        start, end = int(first), int(last) if colon else int(first) + 1
        if end > 2**31:
            raise ValueError(f"seeds={shown}: {part.strip()} goes beyond 2^31, seeds are below")
        if end <= start:
            raise ValueError(
                f"seeds={shown}: {part.strip()} holds no seed; END is excluded and above FIRST"
            )
        spans.append((start, end))
    if sum(end - start for start, end in spans) > MOST_SEEDS:
        raise ValueError(f"seeds={shown}: they are more than {MOST_SEEDS}; run several sweeps")
    for (_, end), (start, _) in itertools.pairwise(sorted(spans)):
        if start < end:
            raise ValueError(f"seeds={shown}: ranges overlap; name every seed once")
    return tuple(itertools.chain.from_iterable(range(*span) for span in spans))


def parse_axis(text: str) -> Axis:
    """An axis `FIELD=V1,V2,...`, or several of them to be varied in step.

    Its points have names of their own by `name=N1,N2,...`, in quotes where there are blanks or
    commas in them.

    Raises:
      ValueError: unknown or fixed fields, values of the wrong type or range, uneven lengths; one
        problem a line.
    """
    known, shown = fields.specs(), fields.value_text(text)
    columns: list[tuple[str, list[Value]]] = []
    names: list[str] = []
    problems: list[str] = []
    for term in _terms(text):
        field, equals, listed = term.partition("=")
        if field == NAME and equals:
            names += map(_unquoted, _split(listed, ","))
            if not names:
                problems.append(f"sweep={shown}: {NAME} has no values")
        elif not equals:
            problems.append(f"sweep={shown}: write an axis as FIELD=V1,V2,...")
        elif field not in known:
            problems.append(f"sweep={shown}: {fields.unknown_field(field, known)}")
        elif field not in {name for name, _, _ in spec.specs(Setting)}:
            problems.append(f"sweep={shown}: {field} is the same for a whole sweep; run two sweeps")
        else:
            values = [_value(field, value, problems) for value in _split(listed, ",")]
            if not values:
                problems.append(f"sweep={shown}: {field} has no values")
            columns.append((field, values))
    if not columns and not problems:
        problems.append("sweep: an axis is empty; write FIELD=V1,V2,...")
    counts = {field: len(values) for field, values in columns}
    if names:
        counts[NAME] = len(names)
    if len(set(counts.values())) > 1 and not problems:
        listed = ", ".join(f"{field}: {count}" for field, count in counts.items())
        problems.append(f"sweep={shown}: fields varied in step need as many values each ({listed})")
    for name in (
        name for name, count in Counter(names).items() if count > 1 or not _is_a_name(name)
    ):
        remedy = "give each point a name of its own, which can be printed"
        problems.append(f"sweep={shown}: {NAME}={name!r}: {remedy}")
    if problems:
        raise ValueError("\n".join(problems))
    return Axis(columns, names)


def _is_a_name(text: str) -> bool:
    return text.isprintable() and text == text.strip() != ""


def _unquoted(text: str) -> str:
    """What is in quotes, or text as it is."""
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if re.fullmatch(QUOTED, text) else text


def _value(field: str, text: str, problems: list[str]) -> Value:
    """A value of an axis; what is wrong with it is added to the problems."""
    try:
        return fields.parsed(field, text)
    except ValueError as error:
        problems.append(f"sweep: {error}")
        return None


def axis_text(field: str, values: Sequence[Value]) -> str:
    """The axis of a field with these values, as text."""
    return f"{field}={','.join(map(fields.value_text, values))}"


def names_text(names: Sequence[str]) -> str:
    """The term of an axis that names its points."""
    quoted = ["'" + re.sub(r"([\\'])", r"\\\1", name) + "'" for name in names]
    return f"{NAME}={','.join(quoted)}"


def axes_texts(sweep: Value) -> tuple[str, ...]:
    """A sweep's axes as text: of a dict each field with its list of values is one.

    Raises:
      ValueError: a field has something else than a list, or `sweep` is nothing that can be axes.
    """
    if isinstance(sweep, str):
        return (sweep,)
    if not isinstance(sweep, ml_collections.ConfigDict | Mapping):
        return fields.checked("sweep", sweep)
    texts = []
    for field, values in fields.flatten(sweep):
        if isinstance(values, str) or not isinstance(values, Sequence | range | np.ndarray):
            shown = fields.value_text(values)
            raise ValueError(f"sweep: {field}={shown}: give a list of its values, [V1, V2]")
        texts.append(axis_text(field, list(values)))
    return tuple(texts)


def add_axes(axes: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    """Axes of a sweep with more of them; an axis whose fields are all varied anew is replaced.

    Raises:
      ConfigError: some of an axis's fields are varied anew, and others that go in step are not.
    """

    def varied(axis: str) -> set[str]:
        return {term.partition("=")[0] for term in _terms(axis)} - {NAME}

    anew = set().union(*(varied(axis) for axis in more))
    for axis in axes:
        left = varied(axis) - anew
        if left and varied(axis) & anew:
            names = " and ".join(sorted(left))
            shown = fields.value_text(axis)
            raise fields.ConfigError(
                [f"sweep={shown}: it also varies {names}; give --sweep for that too"]
            )
    return (*(axis for axis in axes if not varied(axis) & anew), *more)


def product(axes: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Point, ...], tuple[Names, ...]]:
    """The swept fields, and their values and names per setting: the product of the axes.

    Raises:
      ValueError: axes that can't be parsed, a field with two of them, or too many settings; one
        problem a line.
    """
    parsed, problems = [], []
    for axis in axes:
        try:
            parsed.append(parse_axis(axis))
        except ValueError as error:
            problems.append(str(error))
    swept = tuple(field for axis in parsed for field, _ in axis.columns)
    twice = {field for field in swept if swept.count(field) > 1}
    if twice:
        problems.append(f"sweep: {', '.join(sorted(twice))} is swept twice; keep one axis a field")
    rows = [_rows(axis) for axis in parsed]
    settings = math.prod(map(len, rows))
    if settings > MOST_SETTINGS:
        problems.append(f"sweep: {settings} settings, at most {MOST_SETTINGS}; run several sweeps")
    if problems:
        raise ValueError("\n".join(problems))
    points, names = [], []
    for row in itertools.product(*rows):
        points.append(tuple(itertools.chain.from_iterable(values for values, _ in row)))
        names.append(tuple(itertools.chain.from_iterable(called for _, called in row)))
    return swept, tuple(points), tuple(names)


def _rows(axis: Axis) -> list[tuple[Point, Names]]:
    """An axis's points: the values of its fields, and what these are called by."""
    points = list(zip(*(values for _, values in axis.columns), strict=True))
    if not axis.names:
        return [(point, (None,) * len(point)) for point in points]
    # A name stands for all fields of its axis: it takes the first one's place.
    others = ("",) * (len(axis.columns) - 1)
    return [(point, (name, *others)) for point, name in zip(points, axis.names, strict=True)]


def labels(
    base: dict[str, Value],
    swept: tuple[str, ...],
    points: tuple[Point, ...],
    names: tuple[Names, ...],
) -> tuple[str, ...]:
    """A name a setting that says what sets it apart from the others.

    It has the names of points that have such, and of all other axes the fields and their values.

    What is off, or has no effect there, is left out, and so is the first setting's value of a field
    where most have it, as in a list of tricks of which each is tried alone; what is only ever on in
    one way is named without its value.
    """
    known = fields.specs()
    usual = [_usual([point[i] for point in points]) for i in range(len(swept))]
    field_names = [_field_name(field) for field in swept]
    neutral = [known[field][0].neutral for field in swept]
    on = [{point[i] for point in points} - {neutral[i]} for i in range(len(swept))]
    fixed_on = any(name not in swept and _is_on(name, value) for name, value in base.items())
    nothing_on = BASE if fixed_on else PLAIN
    switch = [neutral[i] is not None and len(on[i]) == 1 for i in range(len(swept))]

    def words(i: int, point: Point) -> str:
        """What is said of a swept field that has no other name in a point, if anything."""
        value = point[i]
        if value in (neutral[i], usual[i]) or not canonical.has_effect(
            swept[i], base, swept, point
        ):
            return ""
        return field_names[i] if switch[i] else f"{field_names[i]} {fields.value_text(value)}"

    made = []
    for point, called in zip(points, names, strict=True):
        parts = [words(i, point) if name is None else name for i, name in enumerate(called)]
        made.append(" + ".join(filter(None, parts)) or nothing_on)
    return tuple(made)


def _usual(values: Sequence[Value]) -> Value:
    """The first of them, if more than two in three are it, but not all; else None."""
    return values[0] if 2 / 3 < values.count(values[0]) / len(values) < 1 else None


def fixed(base: dict[str, Value], swept: tuple[str, ...], points: tuple[Point, ...]) -> str:
    """What all settings have in common, in words: the target, and whatever is on."""
    target = [
        field
        for field in base
        if field.startswith("target.")
        and field not in swept
        and fields.specs()[field][0].label
        and base[field] not in ("", ())
        and any(canonical.has_effect(field, base, swept, point) for point in points)
    ]
    on = [field for field in base if field not in (*swept, *target) and _is_on(field, base[field])]
    return ", ".join(f"{_field_name(name)} {_short(base[name])}" for name in target + on)


def _short(value: Value) -> str:
    """A value as it would be typed, cut where it is long: names of columns can be."""
    text = fields.value_text(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."


def _is_on(field: str, value: Value) -> bool:
    """Whether a field that can be off is on."""
    neutral = fields.specs()[field][0].neutral
    return neutral is not None and value != neutral


def overridden(field: str, value: Value) -> str:
    """The problem of a field that has both a value and an axis."""
    remedy = f"it is swept; change its axis, --sweep={field}=V1,V2,..."
    return f"{field}={fields.value_text(value)}: {remedy}"


def _field_name(field: str) -> str:
    """What people call a field."""
    network = {"generator": "G ", "discriminator": "D "}.get(field.split(".optimizer.")[0], "")
    label = fields.specs()[field][0].label or field
    return network + label if ".optimizer." in field else label


def _terms(text: str) -> list[str]:
    """The FIELD=V1,V2,... of an axis; blanks beside a comma or an equals sign part nothing."""
    tight = re.sub(rf"({QUOTED})|\s*([,=])\s*", lambda found: found[1] or found[2], text)
    return _split(tight, " ")


def _split(text: str, separator: str) -> list[str]:
    """Split outside brackets and quotes; empty parts are dropped."""
    parts, depth, current = [], 0, ""
    for piece in re.findall(rf"{QUOTED}|.", text.strip(), re.DOTALL):
        depth += (piece in "([") - (piece in ")]")
        if piece == separator and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += piece
    return [part.strip() for part in [*parts, current] if part.strip()]
