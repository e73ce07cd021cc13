"""Declared fields: what ranges admit, and which are leaves."""

import dataclasses
import math

import jax
import pytest

from gan1d.gan import spec
from gan1d.gan.spec import Spec


@pytest.mark.parametrize(
    "spec, value, allowed",
    [
        (Spec("", low=0, high=1), 0, True),
        (Spec("", low=0, high=1), 1, True),
        (Spec("", low=0, high=1), 1.0001, False),
        (Spec("", low=0, high=1), -1e-9, False),
        (Spec("", low=0, open_low=True), 0.0, False),
        (Spec("", low=0, open_low=True), 1e-30, True),
        (Spec(""), 1e-31, False),  # 0 in float32, and so division by zero
        (Spec(""), -1e30, True),
        (Spec(""), 1e31, False),  # infinite once squared or multiplied
        (Spec(""), math.inf, False),
        (Spec(""), math.nan, False),
        (Spec("", low=0), (1.0, 2.0), True),
        (Spec("", low=0), (1.0, -2.0), False),
        (Spec("", low=0), (), True),
        (Spec("", options=("a", "b")), "b", True),
        (Spec("", options=("a", "b")), "c", False),
    ],
)
def test_ranges_admit_what_they_say(spec, value, allowed):
    assert (spec.problem(value) is None) == allowed


@pytest.mark.parametrize(
    "spec, words",
    [
        (Spec("", low=0, high=1), ("at least 0", "at most 1")),
        (Spec("", low=0, open_low=True), ("above 0",)),
        (Spec(""), ("any number",)),
        (Spec("", options=("a", "b")), ("a", "b")),
    ],
)
def test_ranges_are_put_into_words(spec, words):
    for word in words:
        assert word in spec.range()


@spec.pytree
class Inner:
    size: int = spec.field(3, "static")
    rate: float = spec.number(0.5, "traced")


@spec.pytree
class Outer:
    kind: str = spec.choice("a", "static", ("a", "b"))
    inner: Inner = spec.section(Inner())
    other: Inner = spec.section(Inner())
    widths: tuple[float, ...] = spec.number((1.0, 2.0), "traced")


def test_fields_are_named_with_their_sections():
    assert [(name, default) for name, _, default in spec.specs(Outer)] == [
        ("kind", "a"),
        ("inner.size", 3),
        ("inner.rate", 0.5),
        ("other.size", 3),
        ("other.rate", 0.5),
        ("widths", (1.0, 2.0)),
    ]


def test_traced_fields_are_leaves_and_static_ones_structure():
    assert sorted(jax.tree.leaves(Outer())) == [0.5, 0.5, 1.0, 2.0]
    assert jax.tree.structure(Outer(kind="b")) != jax.tree.structure(Outer())
    assert jax.tree.structure(Outer(widths=(7.0, 8.0))) == jax.tree.structure(Outer())


def test_a_built_section_holds_the_values_by_name():
    values = {"kind": "b", "inner.size": 1, "inner.rate": 2.0, "other.size": 3, "other.rate": 4.0}
    built = spec.build(Outer, values | {"widths": (5.0,)})
    assert built == Outer("b", Inner(1, 2.0), Inner(3, 4.0), (5.0,))


def test_sections_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Outer().kind = "b"
