"""When and how runs are judged; the same for a whole sweep."""

import dataclasses

from gan1d.gan.spec import field

SETTLED_LOOKS = 10  # at least, at a generator that counts as settled


@dataclasses.dataclass(frozen=True)
class Judging:
    """When and how runs are judged; the same for a whole sweep."""

    log_every: int = field(
        250,
        "updates between log points; the last tenth of training has ten at least",
        unit="updates",
        low=1,
        high=100_000,
    )
    points: int = field(
        501,
        "generated samples that judge a generator; modes are judged by 2500",
        unit="samples",
        low=251,  # of 101 perfect ones of two far modes, 1 in 100 is no success
        high=5001,
    )
    success_w1: float = field(
        0.25, "success: W1 within this part of the target's std", unit="target stds", low=0
    )
    structure: float = field(
        0.8,
        "success: at least this part of the structure score that a perfect sampler has",
        unit="ratio",
        low=0,
        high=1,
    )
    near_w1: float = field(
        1.0, "near, where not a success: W1 within this", unit="target stds", low=0
    )
    mode_share: float = field(
        0.25,
        "modes lost: some mode holds less than this part of its share",
        unit="ratio",
        low=0,
        high=1,
    )
    collapsed_std: float = field(
        0.25, "collapsed: std below this part of the target's", unit="target stds", low=0, high=1
    )
    hold: int = field(
        500, "sustained: a success at every look of so many updates", unit="updates", low=0
    )
    snapshot_seeds: int = field(
        4,
        "first seeds whose samples and D are kept at every log point",
        unit="seeds",
        low=0,
        high=64,
    )
    generator_seeds: int = field(
        1024,
        "first seeds whose final generators are kept, to be sampled from",
        unit="seeds",
        low=0,
        high=2**20,
    )
    features: bool = field(
        False, "follow D's features through one more update at each log point; True costs compiling"
    )
    view: tuple[float, ...] = field(
        (0.0, 0.0),
        "x from, to: where densities and D are drawn in 1-D; (0, 0): around the target",
        unit="data units",
    )


def settled_from(steps: int) -> int:
    """From which update on a generator counts as settled: a tenth of the training before its end.

    In short trainings that is nine updates, so that there are ten to look at, if there are as many.
    """
    return steps - max(steps // 10, min(9, steps - 1))


def log_steps(steps: int, judging: Judging) -> list[int]:
    """The numbers of updates after which runs are judged: 0, log_every, 2 log_every, ..., steps.

    Settled generators are judged more often where that is needed for ten looks. Those are evenly
    spread, and none is much nearer to the one before: engines compute equal spans at a time.
    """
    settled = settled_from(steps)
    looks = min(SETTLED_LOOKS, steps - settled)
    if judging.log_every * SETTLED_LOOKS <= steps - settled or not looks:
        return [*range(0, steps, judging.log_every), steps]
    apart = (steps - settled) // looks
    before = [
        step
        for step in range(0, settled, judging.log_every)
        if step == 0 or settled - step >= apart
    ]
    return [*before, *(settled + (steps - settled) * i // looks for i in range(looks + 1))]
