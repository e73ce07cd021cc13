"""What each swept factor does, and what two of them do together, in words and numbers."""

import itertools
from typing import NamedTuple

import numpy as np
import xarray as xr

from gan1d.report import runs as of_runs
from gan1d.report import statistics
from gan1d.report.comparisons import criteria
from gan1d.report.statistics import Effect
from gan1d.report.tables import markdown
from gan1d.results.schema import coordinate


class Factor(NamedTuple):
    """Swept fields that vary in step, or one: what takes a level of its own in each setting."""

    name: str
    levels: tuple[str, ...]  # in words, in the order of their first setting
    of_setting: np.ndarray  # the level's index `[setting]`


def factors(runs: xr.Dataset) -> list[Factor]:
    """The factors of a sweep whose settings are their product.

    Fields that do not occur in all combinations belong together, as those of one axis do.

    Raises:
      ValueError: the settings are no product of factors.
    """
    groups = [[field] for field in of_runs.swept_fields(runs)]
    merged = True
    while merged:
        merged = False
        for one, other in itertools.combinations(groups, 2):
            if not _crossed(_codes(runs, one), _codes(runs, other)):
                one.extend(other)
                groups.remove(other)
                merged = True
                break
    codes = [_codes(runs, group) for group in groups]
    count = int(np.prod([code.max() + 1 for code in codes]))
    if count != runs.sizes["setting"] or count < 2:
        raise ValueError("the settings are no product of swept fields: there are no effects to see")
    return [_factor(runs, group, code) for group, code in zip(groups, codes, strict=True)]


def _codes(runs: xr.Dataset, fields: list[str]) -> np.ndarray:
    """The index of what fields are in each setting, in the order of their first setting."""
    rows = list(zip(*(runs[coordinate(field)].values.tolist() for field in fields), strict=True))
    index = {row: i for i, row in enumerate(dict.fromkeys(rows))}
    return np.array([index[row] for row in rows])


def _crossed(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether all combinations occur."""
    return len(set(zip(one, other, strict=True))) == (one.max() + 1) * (other.max() + 1)


def _factor(runs: xr.Dataset, fields: list[str], code: np.ndarray) -> Factor:
    first = [int(np.flatnonzero(code == level)[0]) for level in range(code.max() + 1)]
    short = [of_runs.short_name(runs, field) for field in fields]
    if len(fields) > 1 and len(first) == runs.sizes["setting"]:
        # Nothing else is swept: its levels are the settings, and called as they are.
        return Factor(" and ".join(short), tuple(runs.setting.values.tolist()), code)
    reference = [runs[coordinate(field)].values[first[0]] for field in fields]
    levels = []
    for setting in first:
        values = [runs[coordinate(field)].values[setting] for field in fields]
        words = [
            f"{name}={of_runs.value_text(value)}"
            for name, value, other in zip(short, values, reference, strict=True)
            if value != other or setting == first[0]
        ]
        levels.append(" ".join(words))
    return Factor(" and ".join(short), tuple(levels), code)


class Found(NamedTuple):
    """Effects by one criterion, over the seeds that all settings have finished."""

    criterion: str
    seeds: int
    effects: list[tuple[str, Effect]]  # by what has the effect, in words


def find(runs: xr.Dataset) -> list[Found]:
    """Main effects and interactions on success and on W1 within half a target std and one.

    Raises:
      ValueError: the settings are no product of factors, or no seed is finished in all.
    """
    known = factors(runs)
    runs = runs.isel(seed=of_runs.finished(runs).all(axis=0))
    if not runs.sizes["seed"]:
        raise ValueError("there is no seed that all settings have finished")
    levels = {factor.name: factor.of_setting for factor in known}
    words = {factor.name: factor.levels for factor in known}
    found = []
    for criterion, met in criteria(runs, of_runs.settled_w1(runs)).items():
        effects = statistics.effects(met.astype(float), levels)
        found.append(Found(criterion, runs.sizes["seed"], [(_named(words, e), e) for e in effects]))
    return found


def _named(words: dict[str, tuple[str, ...]], effect: Effect) -> str:
    """What has an effect: one level, or two together."""
    return " x ".join(words[factor][level] for factor, level in effect.levels)


def table(runs: xr.Dataset) -> str:
    """All effects as a Markdown table, and what it rests on.

    Raises:
      ValueError: as `find`.
    """
    found = find(runs)
    return "\n".join(
        [
            markdown(rows(found)),
            "",
            legend(runs, found),
            f"{of_runs.caption(runs)}.",
        ]
    )


def corrected(found: list[Found]) -> list[list[float]]:
    """Of each criterion its effects' p-values, corrected for all of them together (Holm)."""
    together = iter(statistics.holm(np.array([e.p for each in found for _, e in each.effects])))
    return [[float(next(together)) for _ in each.effects] for each in found]


class Row(NamedTuple):
    """An effect by one criterion, in numbers."""

    what: str  # has it, in words
    criterion: str
    seeds: int
    estimate: float  # on the share of runs that meet the criterion, with its interval
    low: float
    high: float
    p: float  # corrected for all rows (Holm)


def numbers(found: list[Found]) -> list[Row]:
    """A row a criterion and effect."""
    return [
        Row(name, each.criterion, each.seeds, e.estimate, e.low, e.high, p)
        for each, p_values in zip(found, corrected(found), strict=True)
        for (name, e), p in zip(each.effects, p_values, strict=True)
    ]


def rows(found: list[Found]) -> list[dict[str, str]]:
    """The cells of a table with a row a criterion and effect."""
    return [
        {
            "criterion": row.criterion,
            "effect, points [95%]": points(row),
            "p": f"{row.p:.2g}",
            "what": row.what,
        }
        for row in numbers(found)
    ]


def points(effect: Effect | Row) -> str:
    """An effect on shares in points, with its interval."""
    return "{:+.1f} [{:+.1f}, {:+.1f}]".format(
        *(100 * each for each in (effect.estimate, effect.low, effect.high))
    )


def legend(runs: xr.Dataset, found: list[Found]) -> str:
    """What effects are, and against what."""
    references = "; ".join(f"{factor.name}: {factor.levels[0]}" for factor in factors(runs))
    return (
        f"Against {references}. Of {found[0].seeds} seeds, as contrasts by seed: a main effect "
        "is the mean over all other factors,\nan interaction (x) what two do together beyond what "
        "each does alone; p: corrected for all that are printed (Holm)."
    )
