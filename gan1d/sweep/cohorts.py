"""A sweep with what follows from its config alone: settings, cohorts, and what results will hold.

A cohort's settings share one traced program: they have one structure, and differ in numbers only.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import numpy as np

from gan1d.config.experiment import Experiment
from gan1d.gan.setting import Setting
from gan1d.gan.spec import specs
from gan1d.sweep import collect
from gan1d.sweep.collect import Shape


class Cohort(NamedTuple):
    """Settings that share one traced program."""

    structure: jax.tree_util.PyTreeDef  # that the settings have as trees
    setting_indices: np.ndarray  # [S] in the sweep
    leaves: np.ndarray  # [S, leaves] float32, the settings' traced numbers

    def example(self) -> Setting:
        """Its first setting."""
        return jax.tree.unflatten(self.structure, list(self.leaves[0]))


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep:
    """An experiment, and what follows from it on any machine; each is found out once."""

    experiment: Experiment

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Its settings in order."""
        return self.experiment.settings

    @functools.cached_property
    def cohorts(self) -> tuple[Cohort, ...]:
        """Its settings by structure, in order of first appearance."""
        return group(self.settings)

    @functools.cached_property
    def shape(self) -> Shape:
        """What its results will hold."""
        return collect.shape_of(self.experiment, self.settings)

    @property
    def run_count(self) -> int:
        """How many runs it has."""
        return len(self.experiment.points) * len(self.experiment.seeds)


def group(settings: tuple[Setting, ...]) -> tuple[Cohort, ...]:
    """Settings by structure, in order of first appearance."""
    members: dict[jax.tree_util.PyTreeDef, tuple[list[int], list[np.ndarray]]] = {}
    for index, setting in enumerate(settings):
        leaves, structure = jax.tree.flatten(setting)
        indices, numbers = members.setdefault(structure, ([], []))
        indices.append(index)
        numbers.append(np.asarray(leaves, np.float32))
    return tuple(
        _without_vanishing(Cohort(structure, np.asarray(indices), np.stack(numbers)))
        for structure, (indices, numbers) in members.items()
    )


def _without_vanishing(cohort: Cohort) -> Cohort:
    """The cohort with None for fields that are 0 in all its settings, where that takes out work."""
    vanishing = {name for name, spec, _ in specs(Setting) if spec.vanishes}
    leaves, structure = jax.tree_util.tree_flatten_with_path(cohort.example())
    unused = [
        i
        for i, (path, _) in enumerate(leaves)
        if _field(path) in vanishing and not cohort.leaves[:, i].any()
    ]
    used = [None if i in unused else value for i, (_, value) in enumerate(leaves)]
    structure = jax.tree.structure(jax.tree.unflatten(structure, used))
    return Cohort(structure, cohort.setting_indices, np.delete(cohort.leaves, unused, axis=1))


def _field(path: tuple[object, ...]) -> str:
    """The dotted name of the field that a leaf of a setting is of."""
    names = (getattr(key, "name", "added") for key in path)
    return ".".join(name for name in names if name != "added")
