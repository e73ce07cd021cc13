"""What became of each run: exclusive outcomes, and the log points at which runs passed.

numpy only. A run that diverged is an outcome of its own and is never dropped.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

OUTCOMES = ("success", "off target", "collapsed", "diverged")
SUCCESS, OFF_TARGET, COLLAPSED, DIVERGED = range(len(OUTCOMES))
UNFINISHED = -1


class Criterion(NamedTuple):
    """What tells a success from a collapse and from neither, in units of the target's std."""

    collapsed_std: float  # below it a generator has collapsed
    success_w1: float  # up to it a generator is close enough


def criterion(config: Mapping[str, object]) -> Criterion:
    """The criterion of a sweep by its resolved config.

    Raises:
      ValueError: the config has none.
    """
    judging = config.get("judging")
    fields = judging if isinstance(judging, Mapping) else {}

    def number(name: str) -> float:
        value = fields.get(name)
        if not isinstance(value, float) or value != value:
            raise ValueError(f"its config has no valid judging.{name} ({value!r})")
        return value

    return Criterion(*map(number, Criterion._fields))


def word(outcome: str) -> str:
    """An outcome's name as one word, for attributes and columns."""
    return outcome.replace(" ", "_")


def classify(
    *,
    final_w1: np.ndarray,
    final_std: np.ndarray,
    target_std: np.ndarray,
    diverged_at: np.ndarray,
    finished: np.ndarray,
    collapsed_std: float,
    success_w1: float,
) -> np.ndarray:
    """The one outcome of each run `[setting, seed]`: an index into OUTCOMES, or UNFINISHED.

    Diverged, else collapsed (std < collapsed_std * target_std), else a success
    (w1 <= success_w1 * target_std), else off target.

    Args:
      final_w1: W1 to the target after the last update `[setting, seed]`.
      final_std: the generator's standard deviation after the last update `[setting, seed]`.
      target_std: `[setting, 1]`.
      diverged_at: the update that first gave a non-finite value, -1 for never `[setting, seed]`.
      finished: whether the run was trained to its end `[setting, seed]`.
      collapsed_std: in units of the target's standard deviation.
      success_w1: in units of the target's standard deviation.

    Raises:
      ValueError: a run that finished and did not diverge has a non-finite W1 or standard deviation,
        or a target's standard deviation is not a positive number.
    """
    if not np.all(np.isfinite(target_std) & (np.asarray(target_std) > 0)):
        raise ValueError("outcomes need targets of positive and finite standard deviation")
    finished = np.asarray(finished, bool)
    diverged = np.asarray(diverged_at) >= 0
    nonfinite = ~(np.isfinite(final_w1) & np.isfinite(final_std))
    lost = np.count_nonzero(finished & ~diverged & nonfinite)
    if lost:
        raise ValueError(
            f"{lost} runs finished without diverging, yet their W1 or std is non-finite"
        )
    conditions = {
        UNFINISHED: ~finished,
        DIVERGED: diverged,
        COLLAPSED: final_std < collapsed_std * target_std,
        SUCCESS: final_w1 <= success_w1 * target_std,
    }
    return np.select(list(conditions.values()), list(conditions), OFF_TARGET).astype(np.int8)


def meets_criterion(
    *,
    w1: np.ndarray,
    std: np.ndarray,
    target_std: np.ndarray,
    collapsed_std: float,
    success_w1: float,
) -> np.ndarray:
    """Whether a generator would pass as a success, elementwise; NaN, after divergence, never does.

    The same criterion as in `classify`, at any log point.
    """
    return (w1 <= success_w1 * target_std) & (std >= collapsed_std * target_std)


class StoppingSteps(NamedTuple):
    """Log points of runs `[setting, seed]`; -1 where there is no such log point."""

    first_met: np.ndarray  # the first that met the criterion
    last_met: np.ndarray
    best_step: np.ndarray  # of the lowest W1


def stopping_steps(met: np.ndarray, w1: np.ndarray, step: np.ndarray) -> StoppingSteps:
    """The log points at which runs first and last met the criterion and had their lowest W1.

    What early stopping by the similarity of the two distributions (AYLIEN 2016) could have used, to
    the resolution of the log points.

    Args:
      met: `[setting, seed, step]`.
      w1: `[setting, seed, step]`, NaN where there is none.
      step: `[step]`.
    """
    ever = met.any(-1)
    first = np.where(ever, step[met.argmax(-1)], -1)
    last = np.where(ever, step[met.shape[-1] - 1 - met[..., ::-1].argmax(-1)], -1)
    known = ~np.isnan(w1)
    best = np.where(known.any(-1), step[np.where(known, w1, np.inf).argmin(-1)], -1)
    return StoppingSteps(*(each.astype(np.int32) for each in (first, last, best)))
