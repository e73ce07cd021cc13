"""What became of each run: exclusive verdicts, and what success has to hold to be sustained.

numpy only. A run that diverged has a verdict of its own and is never dropped. Scores are in units
that do not depend on the target, so that one rule judges all families.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import scipy.stats

# From best to worst: what is no success is neither better nor worse by more than its distance.
VERDICTS = ("success", "blurred", "near", "far", "modes lost", "collapsed", "diverged")
SUCCESS, BLURRED, NEAR, FAR, MODES_LOST, COLLAPSED, DIVERGED = range(len(VERDICTS))
UNFINISHED = -1

AT_MODES = 0.5  # share of the samples that lie at modes, from which on modes can be said to be lost
MODES_HIT = 0.9  # of the modes that a perfect sampler hits: with fewer, modes are lost
CHANCE = 1e-4  # that a perfect sampler has of losing a mode by this count, at most
DEVIATIONS = 4.0  # of the number of modes that perfect samplers hit: fewer is no chance
LOOKS = 5  # at least, over which a success has to hold to be sustained
FROZEN = 1e-5  # losses that change by less than this part of themselves are frozen


class Thresholds(NamedTuple):
    """What tells verdicts apart; those with a default are missing in older configs."""

    collapsed_std: float  # below this part of the target's std a generator has collapsed
    success_w1: float  # in target stds: up to it a generator is close enough
    near_w1: float = 1.0  # in target stds: up to it what is no success is near
    structure: float = 0.8  # of a perfect sampler's score: what a success reaches at least
    mode_share: float = 0.25  # of a mode's share: with less the mode is lost
    hold: float = 500.0  # updates over which a success is sustained


def thresholds(config: Mapping[str, object]) -> Thresholds:
    """The thresholds of a sweep by its resolved config.

    Raises:
      ValueError: one is missing, or no number.
    """
    judging = config.get("judging")
    fields = judging if isinstance(judging, Mapping) else {}

    def number(name: str) -> float:
        value = fields.get(name, Thresholds._field_defaults.get(name))
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise ValueError(f"its config has no valid judging.{name} ({value!r})")
        return float(value)

    return Thresholds(*map(number, Thresholds._fields))


def word(verdict: str) -> str:
    """A verdict's name as one word, for attributes and columns."""
    return verdict.replace(" ", "_")


class Scores(NamedTuple):
    """What verdicts are made of, arrays of one shape; NaN is what does not apply."""

    w1: np.ndarray  # in target stds
    std: np.ndarray  # in target stds
    structure: np.ndarray  # over a perfect sampler's score; of several the least
    at_modes: np.ndarray  # share of the samples
    modes_are_lost: np.ndarray  # whether some mode, or too many, can't be chance
    mode_std: np.ndarray  # in target stds: of the narrowest mode of several


def modes_are_lost(
    mass: np.ndarray, share: np.ndarray, rows: np.ndarray, mode_share: float
) -> np.ndarray:
    """Whether some mode holds less than a part of its share, and less than chance explains.

    Args:
      mass: share of a generator's samples at each mode `[..., K]`, NaN without such a mode.
      share: that of the target `[..., K]`.
      rows: how many samples were looked at, of a shape that goes with `[...]`.
      mode_share: the part.
    """
    rows = np.maximum(rows, 1)[..., None]  # targets without modes have none looked at
    count = np.maximum(np.sum(~np.isnan(share), axis=-1, keepdims=True), 1)
    plausible = scipy.stats.binom.ppf(CHANCE / count, rows, np.nan_to_num(share)) / rows
    return (mass < np.minimum(mode_share * share, plausible)).any(-1)


def too_few_modes(modes: np.ndarray, perfect: np.ndarray) -> np.ndarray:
    """Whether fewer modes are hit than by perfect samplers.

    Args:
      modes: hit by a generator `[setting, ...]`.
      perfect: hit by perfect samplers `[setting, replicate]`.
    """
    mean, deviation = perfect.mean(-1), perfect.std(-1)
    least = np.minimum(MODES_HIT * mean, mean - DEVIATIONS * deviation)
    return modes < least.reshape(-1, *[1] * (modes.ndim - 1))


def succeeded(scores: Scores, limits: Thresholds) -> np.ndarray:
    """Whether generators are successes, elementwise; after divergence (NaN) they never are."""
    lost = _collapsed(scores, limits) | _lost_modes(scores)
    return _conditions(scores, limits)[SUCCESS] & ~lost


def classify(
    scores: Scores, limits: Thresholds, *, diverged: np.ndarray, finished: np.ndarray
) -> np.ndarray:
    """The one verdict of each run: an index into VERDICTS, or UNFINISHED.

    The first that holds: diverged; collapsed; modes lost; success (near enough, and structured as
    the target is); blurred (near enough only); near; far.

    Args:
      scores: of settled generators.
      limits: what tells verdicts apart.
      diverged: whether something became NaN or infinite.
      finished: whether the run was trained to its end.

    Raises:
      ValueError: a run that finished and did not diverge has no W1 or standard deviation.
    """
    unknown = np.count_nonzero(finished & ~diverged & np.isnan(scores.w1 + scores.std))
    if unknown:
        raise ValueError(f"{unknown} runs finished without diverging, yet have no W1 or std")
    conditions = {
        UNFINISHED: ~finished,
        DIVERGED: diverged,
        COLLAPSED: _collapsed(scores, limits),
        MODES_LOST: _lost_modes(scores),
        **_conditions(scores, limits),
    }
    return np.select(list(conditions.values()), list(conditions), FAR).astype(np.int8)


def _collapsed(scores: Scores, limits: Thresholds) -> np.ndarray:
    """Whether generators are too narrow, and not because they have learned one narrow mode."""
    learned = _lost_modes(scores) & (scores.std >= limits.collapsed_std * scores.mode_std)
    return (scores.std < limits.collapsed_std) & ~learned


def _lost_modes(scores: Scores) -> np.ndarray:
    return (scores.at_modes >= AT_MODES) & scores.modes_are_lost


def _conditions(scores: Scores, limits: Thresholds) -> dict[int, np.ndarray]:
    """By distance and structure; the first that holds counts."""
    close = scores.w1 <= limits.success_w1
    # A structure that was not judged (NaN) can't be held against a run.
    structured = ~(scores.structure < limits.structure)
    return {SUCCESS: close & structured, BLURRED: close, NEAR: scores.w1 <= limits.near_w1}


def sustained_at(met: np.ndarray, step: np.ndarray, hold: float) -> np.ndarray:
    """The update at which success had first held for long: `[...]`, NaN where it never had.

    It held at every look of a window of `hold` updates, and of LOOKS looks at least.

    Args:
      met: whether a generator would be a success `[..., step]`.
      step: `[step]`.
      hold: updates.
    """
    first = np.searchsorted(step, step - hold, side="right") - 1  # of the window that ends here
    first = np.minimum(first, np.arange(len(step)) - (LOOKS - 1))
    failures = np.cumsum(np.pad(~met, [(0, 0)] * (met.ndim - 1) + [(1, 0)]), axis=-1)
    held = (first >= 0) & (failures[..., 1:] == failures[..., np.maximum(first, 0)])
    return np.where(held.any(-1), step[held.argmax(-1)].astype(float), np.nan)


def is_frozen(losses: np.ndarray) -> np.ndarray:
    """Whether losses `[..., look]` are the same at each look, to rounding.

    Each is a mean over updates with data of their own. So what does not move at all is at its floor
    or clip, or of a discriminator whose units are all off: no gradient comes from there.
    """
    low, high = losses.min(-1), losses.max(-1)
    return high - low <= FROZEN * np.maximum(np.abs(low), np.abs(high))
