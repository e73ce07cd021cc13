"""Entries of one's own, beside those that gan1d has: decorators for config files and notebooks.

A function that is registered in a config file, or in a module that lies beside it, is an entry like
all others: its name is a value of the field that chooses among them, the fields that it brings
along are fields of the section that it is chosen in, and what it is made of is part of the identity
of every sweep.
"""

import dataclasses
import hashlib
import inspect
import re
import sys
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

from gan1d.gan import spec
from gan1d.gan.losses import LOSSES, Loss, LossFields
from gan1d.gan.networks import ACTIVATIONS
from gan1d.gan.optimizers import OPTIMIZERS, OptimizerFields
from gan1d.gan.penalties import PENALTIES, Penalty, PenaltyFields
from gan1d.gan.spec import choice, field, number
from gan1d.gan.targets import LINE, PLANE, TargetFields, line
from gan1d.system.lazy import Array

__all__ = [
    "activation",
    "choice",
    "field",
    "loss",
    "metric",
    "number",
    "optimizer",
    "penalty",
    "sources",
    "target",
]

F = TypeVar("F", bound=Callable[..., Any])

# Functions that were registered from outside of the package, by registry and name.
_OWN: dict[tuple[int, str], Callable[..., Any]] = {}


def loss(
    name: str,
    *,
    rest: float | Callable[[LossFields], float] | None = None,
    read: Callable[[LossFields, Array], Array] | None = None,
    paired: bool = False,
    **fields: Any,
) -> Callable[[F], F]:
    """Register a loss: a function of (loss section, D's outputs on real rows, on generated rows).

    It gives D's loss and G's of each row, `[B]` both. `rest`, `read` and `paired` are those of
    `losses.Loss`.
    """

    def registered(function: F) -> F:
        at_rest = rest if rest is None or callable(rest) else lambda section: rest
        entry = Loss(
            (function.__doc__ or "").partition("\n")[0],
            d=lambda section, real, fake: function(section, real, fake)[0],
            g=lambda section, real, fake: function(section, real, fake)[1],
            rest=at_rest,
            read=read,
            paired=paired,
        )
        return _add(LOSSES, name, entry, function, LossFields, fields)

    return registered


def penalty(name: str, **fields: Any) -> Callable[[Penalty], Penalty]:
    """Register a penalty: a function of (penalty section, D, rows as D sees them) to a scalar."""
    return lambda function: _add(PENALTIES, name, function, function, PenaltyFields, fields)


def activation(name: str) -> Callable[[F], F]:
    """Register an activation: a function of an array, entry by entry."""
    return lambda function: _add(ACTIVATIONS, name, function, function)


def optimizer(name: str, **fields: Any) -> Callable[[F], F]:
    """Register an optimizer: a function of the optimizer's section to an optax transformation.

    Its updates are multiplied by minus the learning rate, which is scheduled for all of them.
    """
    return lambda function: _add(OPTIMIZERS, name, function, function, OptimizerFields, fields)


def metric(name: str, long_name: str, **said: Any) -> Callable[[F], F]:
    """Register a metric: a function of `metrics.Judged` to a scalar; `said` is that of `Metric`."""

    def registered(function: F) -> F:
        from gan1d.gan import metrics  # which JAX comes with

        entry = metrics.Metric(function, long_name, **said)
        return _add(metrics.METRICS, name, entry, function)

    return registered


def target(name: str, **fields: Any) -> Callable[[F], F]:
    """Register a target: a function without arguments to a family of `targets.line` or `.plane`."""

    def registered(function: F) -> F:
        family = function()
        registry: MutableMapping[str, Any] = LINE if isinstance(family, line.Family) else PLANE
        return _add(registry, name, family, function, TargetFields, fields)

    return registered


def sources() -> dict[str, str]:
    """What registered entries are made of: digests of files by name, or of functions without any.

    Modules that lie beside such a file, and have been imported, count with it.
    """
    digests: dict[str, str] = {}
    for (_, entry), function in _OWN.items():
        path = Path(function.__code__.co_filename).absolute()  # as those of modules are
        if not path.is_file():
            digests[entry] = _digest(_text(function).encode())
            continue
        beside = {
            Path(file)
            for name, module in list(sys.modules.items())
            if name != "__main__"
            and (file := getattr(module, "__file__", None))
            and Path(file).parent == path.parent
        }
        digests |= {each.name: _digest(each.read_bytes()) for each in {path, *beside}}
    return dict(sorted(digests.items()))


def _add(
    registry: MutableMapping[str, Any],
    name: str,
    entry: Any,
    function: F,
    section: type | None = None,
    fields: dict[str, Any] | None = None,
) -> F:
    """Make an entry, and its fields, known.

    Raises:
      ValueError: the name, or a field's, is no word or that of another.
    """
    for word in (name, *(fields or ())):
        if not re.fullmatch("[a-z][a-z0-9_]*", word):
            raise ValueError(f"register: {word!r}: use small letters, digits and underscores")
    if name in registry and (id(registry), name) not in _OWN:
        raise ValueError(f"register: gan1d has a {name!r} already; choose another name")
    if section is not None:
        added = spec.SECTIONS[section]
        ours = {word for word, (known, _) in added.items() if known.only == ("kind", name)}
        taken = {known for known, *_ in spec.specs(section)} - ours
        hidden = taken & (fields or {}).keys()
        if hidden:
            raise ValueError(f"register: {name}: there is a field {min(hidden)!r} already")
        for word, declared in (fields or {}).items():
            entry_spec = dataclasses.replace(declared.metadata["spec"], only=("kind", name))
            label = entry_spec.label or word.replace("_", " ")
            spec.add(section, word, dataclasses.replace(entry_spec, label=label), declared.default)
    registry[name] = entry
    _OWN[id(registry), name] = function
    return function


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _text(function: Callable[..., Any]) -> str:
    """A function's source, or its code where nobody has that."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        code = function.__code__
        return f"{code.co_code!r} {code.co_consts!r} {code.co_names!r}"
