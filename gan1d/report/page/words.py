"""What a sweep asks, and what came out, in words that are made of its numbers.

By the rules of docs/judging.md: intervals and the number of seeds with every number, ranks only
with their intervals, p-values corrected for all that are shown, and never that there is no effect.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import xarray as xr

from gan1d.report import comparisons, effects
from gan1d.report import runs as of_runs
from gan1d.report.comparisons import Compared
from gan1d.report.effects import Factor, Found
from gan1d.report.statistics import Difference, Effect
from gan1d.report.tables import interval, number, percent

LEVEL = 0.05  # of a corrected p-value
MOST = 8  # things that a list names


class Said(NamedTuple):
    """A sentence or a few, and what is listed under them."""

    text: str
    items: Sequence[str] = ()


def question(runs: xr.Dataset) -> str:
    """What is swept, and what all runs have in common."""
    settings = runs.sizes["setting"]
    counts = f"{settings} settings, {_seeds(runs)} each"
    fixed = f", {runs.attrs['fixed']}" if runs.attrs.get("fixed") else ""
    common = f"{runs.step.values[-1]} updates{fixed}."
    if settings == 1:
        label = str(runs.setting.values[0])
        return f"How often does this GAN, {label!r}, learn its target? {_seeds(runs)}, {common}"
    known = factors(runs)
    if known:
        levels = "; ".join(_span(each.levels) for each in known)
        asked = f"What makes a GAN learn its target more often, alone or together? Swept: {levels}"
    else:
        asked = (
            "Which of these settings learn their target more often, or less often, than "
            f"{str(runs.setting.values[0])!r}? Swept: "
            f"{', '.join(_some(of_runs.swept_fields(runs)))}"
        )
    return f"{asked}. {counts}, {common}"


def factors(runs: xr.Dataset) -> list[Factor]:
    """The factors whose effects there are to see; none where settings are no product of several.

    Of a single one effects are the differences of its levels.
    """
    try:
        known = effects.factors(runs)
    except ValueError:
        return []
    return known if len(known) > 1 else []


def answer(
    runs: xr.Dataset,
    summary: pd.DataFrame,
    found: list[Found],
    compared: list[Compared],
    among: str = "",
) -> list[Said]:
    """What came out.

    Args:
      runs: all of them.
      summary: what `tables.summary` says of them.
      found: the effects of swept fields; none where settings are no product of factors.
      compared: settings against the first declared one.
      among: which settings these are; "" for all.
    """
    if not summary.finished.sum():
        return [Said("No run is finished: nothing can be said.")]
    said = [_most_successes(runs, summary), _distance(summary.iloc[0])]
    if found:
        said += _of_effects(found)
    elif compared:
        said += _of_differences(str(runs.setting.values[0]), compared, among)
    crossing = [line for each in compared if (line := comparisons.crossings(each))]
    if crossing:
        first = str(runs.setting.values[0])
        text = f"Against {first!r}, what holds at one threshold of W1 need not hold at others:"
        said.append(Said(text, _some(crossing)))
    return [*said, _basis(runs, summary)]


def _most_successes(runs: xr.Dataset, summary: pd.DataFrame) -> Said:
    """Who succeeds most often, and who else may be first."""
    best = summary.iloc[0]
    rate = f"{_rate(best)} of n = {best.finished}"
    if len(summary) == 1:
        return Said(f"Success: {rate}.")
    if best.success == 0:
        return Said(f"No run of any setting is a success; {best.setting!r}: {rate}.")
    said = f"Seen to succeed most often: {best.setting!r}, {rate}."
    if pd.isna(best.rank_low):
        return Said(f"{said} Of so few seeds no setting can be given a rank.")
    tied = summary[(summary.rank_low == 1) & (summary.index > 0)]
    others = len(summary) - 1 - len(tied)
    if not len(tied):
        ahead = comparisons.differences(comparisons.paired(runs, best.setting, summary.setting[1]))
        points = comparisons.points(next(iter(ahead.values())))
        return Said(
            f"{said} No other setting can be first (rank intervals at 95%); on the same seeds the "
            f"next, {summary.setting[1]!r}, is behind it by {points} points."
        )
    told = f"{others} others cannot" if others else "these seeds tell no setting from the best"
    rates = [f"{row.setting}: {_rate(row)}" for _, row in tied.iterrows()]
    text = f"{said} It is tied with {len(tied)} that may be first too (rank intervals at 95%)"
    return Said(f"{text}; {told}.", _some(rates))


def _distance(best: pd.Series) -> Said:
    """How far from the target the best setting's runs are, and what became of the others."""
    w1 = interval(*(number(best[f"w1_{part}"]) for part in ("median", "low", "high")))
    perfect = number(best.w1_null_median)
    beside = "" if perfect == "-" else f"; a perfect sampler's is {perfect}"
    failures = {
        name.replace("_", " "): best[name]
        for name in ("blurred", "near", "far", "modes_lost", "collapsed", "diverged")
        if best[name]
    }
    became = ", ".join(f"{count} {name}" for name, count in failures.items()) or "none"
    if best.collapsed_beyond_one:
        became += f" (of the collapsed {best.collapsed_beyond_one} not on the target: W1 above 1)"
    return Said(
        f"Its median W1 is {w1} target stds{beside}. Its runs that are no success: {became}."
    )


def _rate(row: pd.Series) -> str:
    """A setting's share of successes, with its interval."""
    rate, low, high = (percent(row[f"success_{part}"]) for part in ("rate", "low", "high"))
    return "no finished run" if rate == "-" else interval(f"{rate}%", low, high)


def _of_effects(found: list[Found]) -> list[Said]:
    """Main effects and interactions on success, those that are told from 0 and those that aren't.

    Each with its effects on the share of runs within the laxer thresholds.
    """
    if found[0].seeds < 2:
        return [Said("Of one seed there are no effects to tell from chance.")]
    p_values = effects.corrected(found)
    told: list[str] = []
    others: list[str] = []
    for i, (name, effect) in enumerate(found[0].effects):
        p = p_values[0][i]
        wider = [f"{each.criterion}: {effects.points(each.effects[i][1])}" for each in found[1:]]
        line = f"{name}: {effects.points(effect)}, p = {p:.2g}; {'; '.join(wider)}"
        if _turns([each.effects[i][1] for each in found]):
            line += "; which way it goes depends on the threshold"
        (told if p < LEVEL else others).append(line)
    tests = sum(map(len, p_values))
    how = f"{found[0].seeds} seeds, paired; p corrected for {tests} effects, Holm"
    text = f"Effects on success in points [95%] that are told from 0 ({how}): "
    said = [Said(text + ("" if told else "none."), _some(told))]
    if others:
        text = "Not told from 0 once p is corrected; how small they are, their intervals bound:"
        said.append(Said(text, _some(others)))
    return said


def _turns(each: list[Effect]) -> bool:
    """Whether an effect has one sign by one criterion and the other by another, by intervals."""
    return any(e.low > 0 for e in each) and any(e.high < 0 for e in each)


def _of_differences(reference: str, compared: list[Compared], among: str) -> list[Said]:
    """Settings that succeed more often than the first one, less often, and neither for certain."""
    p_values = comparisons.corrected(compared)
    more: list[str] = []
    less: list[str] = []
    others: list[Difference] = []
    for each, p in zip(compared, p_values, strict=True):
        criterion, found = next(iter(each.differences.items()))
        if not p[criterion] < LEVEL:
            others.append(found)
            continue
        points = comparisons.points(found)
        line = f"{each.setting}: {points}, n = {found.pairs}, p = {p[criterion]:.2g}"
        (more if found.difference > 0 else less).append(line)
    how = f"in points [95%], paired by seed, p corrected for {sum(map(len, p_values))}, Holm"
    how += f"; of {among}" if among else ""
    said = []
    if more:
        said.append(Said(f"More often a success than {reference!r} ({how}):", _some(more)))
    if less:
        said.append(Said(f"Less often a success than {reference!r} ({how}):", _some(less)))
    if others:
        low, high = min(each.low for each in others), max(each.high for each in others)
        said.append(
            Said(
                f"Not told from {reference!r} by these seeds: {_counted(len(others), 'setting')}. "
                f"Their differences may lie anywhere from {100 * low:+.1f} to {100 * high:+.1f} "
                "points; how many seeds would tell is in the table of differences."
            )
        )
    return said


def _basis(runs: xr.Dataset, summary: pd.DataFrame) -> Said:
    """What all of it rests on."""
    left = int(summary.runs.sum() - summary.finished.sum())
    unfinished = f" {_counted(left, 'run')} unfinished, not counted." if left else ""
    return Said(
        f"{of_runs.caption(runs)}.{unfinished} This is one range of seeds, {_range(runs)}; what is "
        "to be claimed is to be seen on another one as well."
    )


def _some(lines: list[str]) -> list[str]:
    """The first lines, and how many more there are."""
    more = [f"and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return [*lines[:MOST], *more]


def _span(levels: Sequence[str]) -> str:
    """All levels of a factor or, of many, between which they are."""
    if len(levels) > MOST:
        return f"{len(levels)} levels from {levels[0]} to {levels[-1]}"
    return ", ".join(levels)


def _range(runs: xr.Dataset) -> str:
    first, last = runs.seed.values.min(), runs.seed.values.max()
    if first == last:
        return f"{first}"
    whole = last - first + 1 == runs.sizes["seed"]
    return f"{first} to {last}" if whole else f"some of {first} to {last}"


def _seeds(runs: xr.Dataset) -> str:
    return f"{_counted(runs.sizes['seed'], 'seed')} ({_range(runs)})"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
