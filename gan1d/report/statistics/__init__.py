"""Statistics over runs: plain arrays in and out; numpy and scipy only.

A diverged run's W1 is +inf, the worst possible; it is never dropped, and order statistics, ranks
and signs bear it. NaN is no value: the caller leaves unfinished runs out. What is random (bands,
ranks, ratios) takes `rng`, an int by default, and so repeats itself.
"""

from gan1d.report.statistics.effects import Effect, effects
from gan1d.report.statistics.intervals import (
    iqm,
    mean_interval,
    median,
    median_interval,
    quantiles,
    share_interval,
    wilson_interval,
)
from gan1d.report.statistics.paired import (
    Difference,
    difference,
    difference_of_counts,
    equivalent_within,
    holm,
    seeds_needed,
    sign_test,
    tango_interval,
)
from gan1d.report.statistics.paired_w1 import W1Comparison, compare_w1
from gan1d.report.statistics.profiles import (
    Crossing,
    Profile,
    crossings,
    profile,
    profile_difference,
)
from gan1d.report.statistics.ranks import Ranks, ranks, success_rate
from gan1d.report.statistics.survival import Survival, kaplan_meier

__all__ = [
    "Crossing",
    "Difference",
    "Effect",
    "Profile",
    "Ranks",
    "Survival",
    "W1Comparison",
    "compare_w1",
    "crossings",
    "difference",
    "difference_of_counts",
    "effects",
    "equivalent_within",
    "holm",
    "iqm",
    "kaplan_meier",
    "mean_interval",
    "median",
    "median_interval",
    "profile",
    "profile_difference",
    "quantiles",
    "ranks",
    "seeds_needed",
    "share_interval",
    "sign_test",
    "success_rate",
    "tango_interval",
    "wilson_interval",
]
