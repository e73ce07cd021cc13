"""The fields of a config and their values: names, types, ranges, and how they are typed."""

import ast
import difflib
import functools
from collections.abc import Iterator

import ml_collections
import numpy as np

from gan1d.config.schedule import Schedule
from gan1d.gan import spec
from gan1d.gan.setting import Setting
from gan1d.gan.spec import Spec, Value

SHOWN = 200  # characters of a value in a message
# What people type who come from elsewhere, and the part of a field's name that it is here.
ALIASES = {
    "lr": "optimizer.rate",
    "learning_rate": "optimizer.rate",
    "beta1": "optimizer.b1",
    "beta2": "optimizer.b2",
    "eps": "epsilon",
    "batch": "batch_size",
    "epochs": "steps",
    "iterations": "steps",
    "width": "hidden",
    "gp": "penalty",
    "sn": "spectral_norm",
    "bn": "norm",
    "z_dim": "latent.dim",
    "n_critic": "d_steps",
    "seed": "seeds",
}


class ConfigError(ValueError):
    """A config that can't be run; each problem names the field, the value and what to do."""

    def __init__(self, problems: list[str] | str):
        """Keep the problems, one line each."""
        # One text: config files' errors are raised anew, from their message, by what loads them.
        super().__init__(problems if isinstance(problems, str) else "\n".join(problems))


def specs() -> dict[str, tuple[Spec, Value]]:
    """Every field of a config: dotted name -> (Spec, default)."""
    return _specs(len(spec.ADDITIONS))


@functools.cache
def _specs(additions: int) -> dict[str, tuple[Spec, Value]]:
    return {
        name: (known, default)
        for section in (Setting, Schedule)
        for name, known, default in spec.specs(section)
    }


def details(known: Spec) -> str:
    """A field's unit, what it may be, and with what it has an effect; "" for none of them."""
    allowed = known.range() if known.range() != "any number" else ""
    condition = known.condition()
    only = f"only with {condition.field} {condition.words()}" if condition else ""
    pairs = "a number or a pair" if known.pairs else ""
    return ", ".join(filter(None, [known.unit, pairs, allowed, only]))


def line(name: str, known: Spec, default: Value) -> str:
    """All that is said of a field, but of its options."""
    inside = f" ({details(known)})" if details(known) else ""
    return f"{name}={value_text(default)}: {known.doc}{inside}"


def said(name: str, known: Spec) -> dict[str, str]:
    """What each option of a field is; of D's optimizer G's has said it already."""
    return {} if name.startswith("discriminator.optimizer.") else known.said()


def flatten(config: Value, prefix: str = "") -> Iterator[tuple[str, Value]]:
    """A nested config as (dotted name, value); sections without entries come as they are."""
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, ml_collections.ConfigDict | dict) and len(value):
            yield from flatten(value, name + ".")
        else:
            yield name, value


def differences(old: dict[str, Value], new: dict[str, Value]) -> str:
    """The fields in which two resolved configs differ, and how; empty where they don't.

    A field that an older version did not have is what it is by default.
    """
    before, after = (dict(flatten(config)) for config in (old, new))
    for name in after:
        if name not in before and name in specs():
            before[name] = plain(specs()[name][1])
    return "; ".join(
        f"{field}={before.get(field)!r} there, {after.get(field)!r} now"
        for field in dict.fromkeys([*before, *after])
        if before.get(field) != after.get(field)
    )


def plain(value: Value) -> Value:
    """A value as JSON has it: tuples are lists."""
    return [plain(entry) for entry in value] if isinstance(value, tuple) else value


def nearest(field: str, known: Value) -> list[str]:
    """The fields that this one is elsewhere, or whose names are most like it."""
    section, _, last = field.rpartition(".")
    if meant := ALIASES.get(last.lower().replace("-", "_")):
        named = [name for name in known if f".{meant}" in f".{name}."]
        named.sort(key=lambda name: name != meant)
        return [name for name in named if name.startswith(section)][:3] or named[:3]
    near = difflib.get_close_matches(field, list(known), n=3, cutoff=0.5)
    # A last part that is right in the wrong section is the commonest slip.
    near += [name for name in known if name.split(".")[-1] == last]
    return list(dict.fromkeys(near))


def unknown_field(field: str, known: Value) -> str:
    """The problem of a name that is no field, with the nearest names that are."""
    near = nearest(field, known)
    hint = f"did you mean {' or '.join(near)}?" if near else "see --help for all fields"
    return f"{value_text(field)}: there is no such field; {hint}"


def value_text(value: Value) -> str:
    """A field's value as it would be typed."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()  # numpy writes its own types around its numbers
    if isinstance(value, tuple | list):
        entries = ",".join(value_text(entry) for entry in value)
        return f"({entries},)" if len(value) == 1 else f"({entries})"
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    text = value if isinstance(value, str) else _shown(value)
    return text if text.isprintable() else repr(text)


def _shown(value: Value) -> str:
    """A value as Python writes it, cut short."""
    try:
        text = repr(value)
    except ValueError:  # whole numbers of thousands of digits
        return "a number too long to write"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def checked(field: str, value: Value) -> Value:
    """The value in the field's own type, or ValueError."""
    known, default = specs()[field]
    is_pair = known.pairs and isinstance(value, tuple | list) and len(value) == 2
    typed = _typed((default,) if is_pair else default, value)
    if typed is None:
        kind = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}
        example = value_text(default) if default else '("FIELD=V1,V2",)'
        wanted = kind.get(type(default)) or f"a tuple such as {example}"
        wanted += f", or a pair such as ({example},{example})" if known.pairs else ""
        raise ValueError(f"{field}={_shown(value)}: it must be {wanted}")
    if isinstance(default, str) and not known.options:
        return typed  # free text is checked where it is parsed
    if isinstance(typed, tuple) and any(isinstance(entry, str) for entry in typed):
        return typed
    problem = known.problem(typed)
    if problem:
        raise ValueError(f"{field}={value_text(typed)}: {problem}")
    return typed


def _typed(default: Value, value: Value) -> Value:
    """`value` as the type of `default`, or None where it is of another type.

    Tuples have any length, but those in a tuple that of the default's.
    """
    if isinstance(default, tuple):
        if not isinstance(value, tuple | list):
            return None
        entry_default = default[0] if default else ""
        entries = tuple(_typed(entry_default, entry) for entry in value)
        wrong = None in entries
        if isinstance(entry_default, tuple):
            wrong |= any(len(entry) != len(entry_default) for entry in entries if entry is not None)
        return None if wrong else entries
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


def parsed(field: str, text: str) -> Value:
    """A value typed on the command line, in the field's type.

    Text may stand in quotes, true and false begin small, and a tuple of one be its only entry.
    """
    _, default = specs()[field]
    if isinstance(default, bool):
        text = text.capitalize()
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = text
    if isinstance(default, str):
        return checked(field, value if isinstance(value, str) else text)
    if isinstance(default, tuple) and not isinstance(value, tuple | list | str):
        value = (value,)
    return checked(field, value)
