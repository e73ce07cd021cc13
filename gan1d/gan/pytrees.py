"""Sections of settings made known to JAX: whoever hands a setting to it imports this module."""

import dataclasses
from collections.abc import Iterable

import jax
from jax.tree_util import GetAttrKey

from gan1d.gan.spec import DECLARED, SECTIONS, Added

Static = tuple[tuple[str, ...], tuple[tuple[str, object], ...]]


def _register(section: type) -> None:
    specs = {entry.name: entry.metadata.get("spec") for entry in dataclasses.fields(section)}
    static = [name for name, spec in specs.items() if spec and not spec.traced]
    traced = [name for name in specs if name not in static]
    jax.tree_util.register_dataclass(section, data_fields=traced, meta_fields=static)


def _flatten(added: Added) -> tuple[list[tuple[GetAttrKey, object]], Static]:
    children = [(GetAttrKey(name), value) for name, value in added.numbers.items()]
    return children, (tuple(added.numbers), tuple(added.rest.items()))


def _unflatten(static: Static, children: Iterable[object]) -> Added:
    names, rest = static
    return Added(dict(zip(names, children, strict=True)), dict(rest))


jax.tree_util.register_pytree_with_keys(Added, _flatten, _unflatten)
for each in SECTIONS:
    _register(each)
DECLARED.append(_register)
