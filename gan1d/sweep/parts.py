"""Which runs of a sweep another one has, that is a part of it: from their configs alone."""

import dataclasses
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from gan1d.config import experiment
from gan1d.config.experiment import ConfigError, Experiment
from gan1d.results.verdicts import Thresholds

# Of `judging` what a part may have otherwise than the whole.
FREE = frozenset((*Thresholds._fields, "snapshot_seeds", "generator_seeds"))


class Part(NamedTuple):
    """Where a sweep's settings and seeds are in a part of it; -1: nowhere."""

    setting: np.ndarray  # [S]
    seed: np.ndarray  # [N]


def part_of(config: Mapping[str, object], whole: Experiment) -> Part | None:
    """Where a sweep's runs are in another one that is a part of it, by its resolved config.

    None where that is no part: it has runs that the whole has not, or trains or looks otherwise.
    """
    try:
        part = experiment.recorded(config)
    except ConfigError:
        return None  # of a version with other fields
    if _alike(part) != _alike(whole):
        return None
    # As the record will have it: what was found out of data is declared there.
    declared = experiment.recorded(whole.config()).built
    found = Part(
        places(list(map(repr, part.built)), list(map(repr, declared))),
        places(part.seeds, whole.seeds),
    )
    sizes = len(part.points), len(part.seeds)
    return found if tuple(int((each >= 0).sum()) for each in found) == sizes else None


def _alike(of: Experiment) -> dict[str, object]:
    """What the schedules of a whole and its parts have in common."""
    judging = dataclasses.asdict(of.schedule.judging)
    return {"steps": of.schedule.steps} | {
        name: value for name, value in judging.items() if name not in FREE
    }


def places(there: Iterable[Hashable], wanted: Iterable[Hashable]) -> np.ndarray:
    """Where each of what is wanted is among what is there; -1 where it is not."""
    places = {each: i for i, each in enumerate(there)}
    return np.array([places.get(each, -1) for each in wanted])
