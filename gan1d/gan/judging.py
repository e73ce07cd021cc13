"""When and how runs are judged; the same for a whole sweep."""

import dataclasses

from gan1d.gan.spec import field


@dataclasses.dataclass(frozen=True)
class Judging:
    """When and how runs are judged; the same for a whole sweep."""

    log_every: int = field(
        250,
        "updates between log points; the last update is one too",
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
    collapsed_std: float = field(
        0.25, "collapsed: std below this part of the target's", unit="target stds", low=0, high=1
    )
    success_w1: float = field(
        0.25, "success: W1 within this part of the target's std", unit="target stds", low=0
    )
    snapshot_seeds: int = field(
        4,
        "first seeds whose samples and D are kept at every log point",
        unit="seeds",
        low=0,
        high=64,
    )
    features: bool = field(
        False, "follow D's features through one more update at each log point; True costs compiling"
    )
    view: tuple[float, ...] = field(
        (0.0, 0.0),
        "x from, to: where densities and D are drawn in 1-D; (0, 0): around the target",
        unit="data units",
    )
