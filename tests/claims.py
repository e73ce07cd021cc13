"""What README and docs claim, from what is kept of the runs that they rest on.

    python tests/claims.py keep results/NAME ...   keeps per-run results in tests/data/claims
    python tests/claims.py write                   writes the tables of README and docs again

A text has blocks `<!-- claim: KIND NAME WORDS --> ... <!-- end -->`, which are made here:

    table NAME COLUMN,...    settings and what became of their runs
    compare NAME SETTING     every setting against one, seed by seed
    pair NAME ONE / OTHER    one against another, and where their profiles cross
    effects NAME CRITERION ...   main effects and interactions, by criteria that begin so
    factors NAME CRITERION ...   main effects over all ranges, a column for each of the criteria
    board NAME SETTING       every setting in the order of its successes, and against one
    modes NAME ONE / OTHER   one, or `every`, against another by the modes hit at the last look
    by_modes NAME            how many of their modes mixtures of so many have hit then
    printed NAME             what a command printed, kept as it was in tests/data/claims/NAME.txt
    modes_effects NAME FACTOR ...   what each factor, by these names, and two of them do to how
                             many modes are hit then

of the ranges of seeds that are kept: NAME and NAME-again. Their values stand beside each other,
`first; second`.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.stats
import xarray as xr

from gan1d import results
from gan1d.report import comparisons, effects, statistics, tables
from gan1d.report import runs as of_runs
from gan1d.report.tables import interval, markdown, number, percent
from gan1d.results import judge, older, verdicts
from gan1d.results.judge import STRUCTURE
from gan1d.results.schema import CURVE, DERIVED, coordinate

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "tests" / "data" / "claims"
PAGES = ("main-job", "experiments", "tricks", "atlas")
TEXTS = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in PAGES)]
RANGES = ("", "-again")
BLOCK = re.compile(r"(<!-- claim: (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
NAMES = {  # of settings by their numbers, where labels are too long for a table
    "plain_gans": {1: "PacGAN's", 32: "GDPP's"},
}
MEASURES = (
    "w1",
    "w1_trained",
    "generated_std",
    "generated_mean",
    "loss_d",
    "loss_g",
    "d_flatness",
    "residual",
)
AT_LAST = ("modes", "high_quality", "reverse_kl")  # kept of the last look too, as papers have them


def keep(folder: Path) -> Path:
    """Keep of a results folder its settled generators, one look a run, and their verdicts."""
    runs = results.load(folder)
    runs = runs.isel(setting=of_runs.finished(runs).any(axis=1))
    last = runs.isel(step=[-1])
    names = [name for name in MEASURES if name in runs and runs[name].dims == CURVE]
    small = {name: (CURVE, _short(of_runs.settled(runs, name))[..., None]) for name in names}
    small |= {name: last[name] for name in DERIVED if name in runs}
    small |= {name: last[name] for name in ("diverged_at", "finished", "target_std")}
    if "target_mean" in runs and runs.target_mean.dims == ("setting",):
        small["target_mean"] = last.target_mean
    if "centroid_distance" in runs:
        apart = runs.centroid_distance.sel(moment="before D").values
        small["approach"] = (CURVE[:2], _short(of_runs.approach(runs)))
        small["mixing"] = (CURVE[:2], _short(apart[..., -1] / apart[..., 0]))
    for name in ("settled_std", "settled_structure"):
        small[name] = (CURVE[:2], _short(runs[name].values))
    for name in STRUCTURE:
        if name in runs:
            small[name] = (CURVE, _short(of_runs.settled(runs, name))[..., None])
            perfect = judge.perfect(runs, name)
            small[f"{name}_null"] = (("setting", "replicate"), np.stack([perfect, perfect], -1))
    for name in AT_LAST:
        if name in runs:
            small[f"last_{name}"] = (CURVE[:2], _short(last[name].values[..., 0]))
    if "w1_null" in runs:
        floor = np.stack(of_runs.null_floor(runs), axis=-1)
        small["w1_null"] = (("setting", "replicate"), np.float32(floor))
    swept = map(coordinate, of_runs.swept_fields(runs))
    coordinates = {name: runs[name] for name in (*CURVE[:2], *swept)} | {"step": last.step}
    attributes = dict(runs.attrs, looks=int((runs.step >= runs.attrs["settled_from"]).sum()))
    attributes.pop("provenance", None)
    if "target_mode" in runs.sizes:
        attributes["target_modes"] = runs.sizes["target_mode"]
    attributes |= {name: int(attributes[name]) for name in ("settled_from", "schema")}
    path = KEPT / f"{folder.name}.npz"
    path.parent.mkdir(exist_ok=True)
    variables = xr.Dataset(small, coordinates).variables
    arrays = {
        f"{name}:{','.join(each.dims)}": _plain(each.values) for name, each in variables.items()
    }
    np.savez_compressed(path, attributes=json.dumps(attributes), **arrays)
    return path


def _plain(values: np.ndarray) -> np.ndarray:
    """Values without Python's own objects."""
    return values.astype(str) if values.dtype.kind == "O" else values


def _short(values: np.ndarray) -> np.ndarray:
    """Values to four digits: the others would take most of the room."""
    bits = np.float32(values).view(np.uint32)
    return ((bits + np.uint32(1 << 9)) & ~np.uint32((1 << 10) - 1)).view(np.float32)


def load(name: str) -> list[xr.Dataset]:
    """What is kept of a sweep, or of several joined by +, a Dataset for each range of seeds."""
    named = [KEPT / f"{each}{end}.npz" for each in name.split("+") for end in RANGES]
    paths = [path for path in named if path.exists()]
    assert paths, f"nothing is kept of {name}"
    return [_with_names(_read(path), name) for path in paths]


def _with_names(runs: xr.Dataset, name: str) -> xr.Dataset:
    """The settings under shorter names than their labels, where there are such."""
    labels = runs.setting.values.tolist()
    for i, short in NAMES.get(name, {}).items():
        labels[i - 1] = short
    return runs.assign_coords(setting=labels)


def third(name: str) -> xr.Dataset:
    """What is kept of a sweep's third range."""
    return _read(KEPT / f"{name}-third.npz")


def _read(path: Path) -> xr.Dataset:
    with np.load(path) as kept:
        attributes = json.loads(str(kept["attributes"]))
        named = [(name.split(":"), kept[name]) for name in kept.files if name != "attributes"]
    variables = {name: (dims.split(","), values) for (name, dims), values in named}
    runs = older.renamed(xr.Dataset(variables, attrs=attributes))
    runs["settled_w1"] = runs.settled_w1.where(runs.verdict != verdicts.DIVERGED, np.inf)
    swept = map(coordinate, of_runs.swept_fields(runs))
    return runs.set_coords(["setting", "seed", "step", *swept])


def pooled(ranges: list[xr.Dataset]) -> xr.Dataset:
    """All ranges as one."""
    along = dict(data_vars="minimal", coords="minimal", compat="override", join="override")
    return xr.concat(ranges, "seed", **along)


def _rate(row, name: str) -> str:
    parts = [percent(row[f"{name}_{part}"]) for part in ("rate", "low", "high")]
    return interval(f"{parts[0]}%", *parts[1:])


def _of_features(runs: xr.Dataset, name: str, number_of_setting: int) -> str:
    """The median over seeds of what is kept of D's features."""
    values = runs[name].values[number_of_setting]
    found = statistics.median(values), *statistics.median_interval(values)
    return interval(*(number(each) for each in found))


def _median(row, name: str) -> str:
    return interval(*(number(row[f"{name}_{part}"]) for part in ("median", "low", "high")))


def _hit(runs: xr.Dataset, number_of_setting: int) -> np.ndarray:
    """How many modes each seed's generator hits at the last look, of those that are finished."""
    hit = runs.last_modes.values[number_of_setting]
    return hit[runs.finished.values[number_of_setting] == 1]


def _share(of_runs: np.ndarray) -> str:
    low, high = statistics.wilson_interval(of_runs.sum(), np.array(len(of_runs)))
    parts = [percent(float(each)) for each in (of_runs.mean(), low, high)]
    return interval(f"{parts[0]}%", *parts[1:])


def _mean(values: np.ndarray) -> str:
    found = values.mean(), *statistics.mean_interval(values)
    return interval(*(number(float(each)) for each in found))


def _reverse_kl(runs: xr.Dataset, i: int) -> str:
    return _mean(runs.last_reverse_kl.values[i][runs.finished.values[i] == 1])


MODES = {
    "modes_hit": lambda runs, i: _mean(_hit(runs, i)),
    "all_hit": lambda runs, i: _share(_hit(runs, i) == runs.attrs["target_modes"]),
    "none_hit": lambda runs, i: _share(_hit(runs, i) == 0),
    "high_quality": lambda runs, i: _of_features(runs, "last_high_quality", i),
    "reverse_kl": _reverse_kl,
}
FEATURES = ("approach", "mixing")
RATES = ("success", "blurred", "near", "far", "modes_lost", "collapsed", "diverged", "dead")
RATES += ("sustained", "within_half", "beyond_one")
HEADINGS = {
    "modes_lost": "modes lost",
    "within_half": "W1 <= 0.5",
    "beyond_one": "W1 > 1",
    "w1": "W1, target stds",
    "loss_d": "loss of D",
    "loss_g": "loss of G",
    "d_flatness": "mean of abs(D - 1/2)",
    "std_ratio": "std ratio",
    "mean_error": "mean error, target stds",
    "approach": "share of G's updates that bring centroids nearer",
    "mixing": "distance of centroids, last over first",
    "modes_hit": "modes hit, mean",
    "all_hit": "all modes hit",
    "none_hit": "none hit",
    "high_quality": "high quality",
    "reverse_kl": "reverse KL, mean",
}


def table(name: str, columns: str) -> str:
    """Settings in the order declared, and of each the columns in all ranges."""
    ranges = load(name)
    frames = [tables.summary(runs).sort_values("number") for runs in ranges]
    rows = []
    for i, label in enumerate(frames[0].setting):
        row = {"": label}
        for column in columns.split(","):
            if column in FEATURES:
                cells = [_of_features(runs, column, i) for runs in ranges]
            elif column in MODES:
                cells = [MODES[column](runs, i) for runs in ranges]
            else:
                cell = _rate if column in RATES else _median
                cells = [cell(frame.iloc[i], column) for frame in frames]
            row[HEADINGS.get(column, column)] = "; ".join(cells)
        rows.append(row)
    return _table(rows) + f"\n\n{_caption(ranges)}"


def compare(name: str, *against: str) -> str:
    """Every setting against one: differences in each range, and over all."""
    ranges = load(name)
    reference = of_runs.find_setting(ranges[0], " ".join(against))
    others = [label for label in ranges[0].setting.values.tolist() if label != reference]
    return f"{_table(_compared(ranges, others, reference))}\n\n{_caption(ranges)}"


def pair(name: str, *words: str) -> str:
    """One setting against another, and where their profiles cross."""
    ranges = load(name)
    asked = " ".join(words).split(" / ")
    first, second = (of_runs.find_setting(ranges[0], each) for each in asked)
    ranges = [each.sel(setting=[first, second]) for each in ranges]  # others may lack a range
    found = comparisons.compare(pooled(ranges), first, second)
    ratio = (number(each) for each in (found.w1.ratio, found.w1.ratio_low, found.w1.ratio_high))
    said = [f"Ratio of median W1, all: {interval(*ratio)}."]
    said += [
        f"Profiles cross between {each.low:.2g} and {each.high:.2g} target stds."
        for each in found.crossings
        if each.significant
    ]
    rows = _compared(ranges, [first], second)
    return f"{_table(rows)}\n\n{' '.join(said)} {_caption(ranges)}"


def modes(name: str, *words: str) -> str:
    """What tells settings from another by the modes that they hit, seed by seed."""
    runs = pooled(load(name))
    one, _, other = " ".join(words).partition(" / ")
    reference = of_runs.find_setting(runs, other)
    others = [label for label in runs.setting.values.tolist() if label != reference]
    rows, p_values = [], []
    for label in others if one == "every" else [of_runs.find_setting(runs, one)]:
        both = comparisons.paired(runs, label, reference)
        hit, usual = both.last_modes.values
        every = runs.attrs["target_modes"]
        found = statistics.difference(hit == every, usual == every)
        p_values.append(found.p_exact)
        row = {f"against {reference}": label, "seeds": str(found.pairs)}
        row["modes more"] = _more(hit - usual)
        if "last_reverse_kl" in runs:
            row["reverse KL more"] = _more(-np.diff(both.last_reverse_kl.values, axis=0)[0])
        row["all hit, only it:only other"] = f"{found.only_first}:{found.only_second}"
        rows.append(row | {"points": _points(found)})
    for row, p in zip(rows, statistics.holm(np.array(p_values)), strict=True):
        row["p"] = f"{p:.1g}"
    return _table(rows)


def _more(differences: np.ndarray) -> str:
    """The mean of paired differences, with its interval."""
    more = float(differences.mean()), *statistics.mean_interval(differences)
    return "{:+.2f} [{:+.2f}, {:+.2f}]".format(*more)


def board(name: str, *against: str) -> str:
    """Settings by how often they succeed over all seeds, and what tells each from one of them.

    Sorted by that rate, which is no ranking: the ranks have intervals.
    """
    ranges, everything = load(name), pooled(load(name))
    reference = of_runs.find_setting(everything, " ".join(against))
    frames = [tables.summary(runs).set_index("setting") for runs in ranges]
    whole = tables.summary(everything)
    others = [label for label in whole.setting if label != reference]
    found = {label: comparisons.compare(everything, label, reference) for label in others}
    of_success = {label: next(iter(each.differences.values())) for label, each in found.items()}
    p_values = np.array([each.p_exact for each in of_success.values()])
    corrected = dict(zip(others, statistics.holm(p_values), strict=True))
    rows = []
    for _, row in whole.iterrows():
        label = row.setting
        cells = {
            "": label,
            "success": "; ".join(_rate(frame.loc[label], "success") for frame in frames),
            "W1": "; ".join(_median(frame.loc[label], "w1") for frame in frames),
            "rank, all": f"{row.rank_low:.0f} to {row.rank_high:.0f}",
        }
        if label != reference:
            w1, crossings = found[label].w1, found[label].crossings
            ratio = interval(*(number(each) for each in (w1.ratio, w1.ratio_low, w1.ratio_high)))
            cells |= {
                "points, all": _points(of_success[label]),
                "p, all": f"{corrected[label]:.1g}",
                "ratio of W1, all": ratio,
                "profiles cross at": ", ".join(
                    f"{each.low:.2g} to {each.high:.2g}" for each in crossings if each.significant
                ),
            }
        rows.append(cells)
    columns = dict.fromkeys(name for cells in rows for name in cells)
    filled = [{name: cells.get(name, "") for name in columns} for cells in rows]
    return f"{_table(filled)}\n\n{_caption(ranges)}"


def _compared(
    ranges: list[xr.Dataset], settings: list[str], reference: str
) -> list[dict[str, str]]:
    everything = [_differences(pooled(ranges), label, reference) for label in settings]
    p_values = [found.p_exact for each in everything for found in each.values()]
    corrected = iter(statistics.holm(np.array(p_values)))
    rows = []
    for label, each in zip(settings, everything, strict=True):
        of_ranges = [_differences(runs, label, reference) for runs in ranges]
        for criterion, found in each.items():
            counts = found.only_first, found.only_second, found.pairs
            parts = [differences[criterion] for differences in of_ranges]
            rows.append(
                {
                    f"against {reference}": label,
                    "criterion": criterion,
                    "only it:only other": "; ".join(
                        f"{part.only_first}:{part.only_second}" for part in parts
                    ),
                    "points": "; ".join(_points(part) for part in parts),
                    "points, all": _points(found),
                    "p, all": f"{next(corrected):.1g}",
                    "equivalent within, all": f"{100 * statistics.equivalent_within(*counts):.1f}",
                    "seeds needed": number(statistics.seeds_needed(*counts)),
                }
            )
    return rows


def _differences(runs: xr.Dataset, first: str, second: str):
    return comparisons.differences(comparisons.paired(runs, first, second))


def effects_of(name: str, *criteria: str) -> str:
    """Effects in each range, and over all, by the criteria that begin so; none given: by all.

    The p-values are corrected over all criteria.
    """
    ranges = load(name)
    of_ranges, everything = [effects.find(runs) for runs in ranges], effects.find(pooled(ranges))
    p_values = [found.p for each in everything for _, found in each.effects]
    corrected = iter(statistics.holm(np.array(p_values)))
    rows = []
    for k, each in enumerate(everything):
        for i, (what, found) in enumerate(each.effects):
            parts = [by_range[k].effects[i][1] for by_range in of_ranges]
            p = next(corrected)
            if criteria and not each.criterion.startswith(criteria):
                continue
            rows.append(
                {
                    "effect": _effect(what),
                    "criterion": each.criterion,
                    "points": "; ".join(
                        f"{100 * part.estimate:+.1f} {_bracket(part)}" for part in parts
                    ),
                    "points, all": f"{100 * found.estimate:+.1f} {_bracket(found)}",
                    "p, all": f"{p:.1g}",
                }
            )
    return _table(rows) + f"\n\n{_caption(ranges)}"


def modes_effects(name: str, *names: str) -> str:
    """What factors of two levels do to the number of modes that are hit at the last look."""
    ranges = load(name)
    runs = pooled(ranges)
    known = [each for each in effects.factors(runs) if len(each.levels) > 1]
    levels = {words: factor.of_setting for words, factor in zip(names, known, strict=True)}
    found = statistics.effects(runs.last_modes.values.astype(float), levels)
    rows = [
        {
            "effect": " x ".join(factor.replace("_", " ") for factor, _ in each.levels),
            "modes": f"{each.estimate:+.2f} [{each.low:+.2f}, {each.high:+.2f}]",
            "p": f"{each.p_holm:.1g}",
        }
        for each in found
    ]
    return f"{_table(rows)}\n\n{_caption(ranges)}"


def factors(name: str, *criteria: str) -> str:
    """What each factor does alone, in points over all ranges, by criteria that begin so."""
    ranges = load(name)
    rows: dict[str, dict[str, str]] = {}
    for each in effects.find(pooled(ranges)):
        if each.criterion.startswith(criteria):
            for what, found in each.effects:
                if " x " not in what:
                    row = rows.setdefault(what, {"factor": _effect(what)})
                    row[each.criterion] = f"{100 * found.estimate:+.1f} {_bracket(found)}"
    return _table(list(rows.values())) + f"\n\n{_caption(ranges)}"


def _effect(what: str) -> str:
    """An effect as texts name it."""
    return what.replace("input noise=0 ", "")


def _points(found) -> str:
    return f"{100 * found.difference:+.1f} {_bracket(found)}"


def _bracket(found) -> str:
    return f"[{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def _table(rows: list[dict[str, str]]) -> str:
    """Rows as they stand in a text: not aligned, so that lines stay short."""
    return re.sub(r" +\|", " |", re.sub(r"\| +", "| ", markdown(rows)))


def _caption(ranges: list[xr.Dataset]) -> str:
    """What a table rests on."""
    seeds = "; ".join(f"{runs.seed.values[0]} to {runs.seed.values[-1]}" for runs in ranges)
    text = re.sub(r"seeds: \d+", f"seeds: {seeds}", of_runs.caption(ranges[0]))
    return re.sub(r"medians of \d+ looks", f"medians of {ranges[0].attrs['looks']} looks", text)


def by_modes(name: str) -> str:
    """Of mixtures of so many modes the share that is hit at the last look; a mixture is a unit."""
    ranges = load(name)
    runs = pooled(ranges)
    modes_of = np.array(
        [weights.strip("(,)").count(",") + 1 for weights in runs.target_weights.values]
    )
    hit = runs.last_modes.values / modes_of[:, None]
    rows = []
    for count in np.unique(modes_of):
        of_count = hit[modes_of == count]
        low, middle, high = statistics.quantiles(of_count.ravel(), (0.05, 0.5, 0.95))
        rows.append(
            {"modes": str(count), "mixtures": str(len(of_count)), "runs": str(of_count.size)}
        )
        each = of_count.mean(1)
        found = float(each.mean()), *statistics.mean_interval(each)
        rows[-1]["share hit, mean"] = interval(*(f"{value:.2f}" for value in found))
        rows[-1]["median of runs (5%, 95%)"] = f"{middle:.2f} ({low:.2f}, {high:.2f})"
    found = scipy.stats.spearmanr(modes_of, hit.mean(1))
    spread = 1.96 * (1.06 / (len(hit) - 3)) ** 0.5  # of its atanh: Fieller et al. 1957
    low, high = np.tanh(np.arctanh(found.statistic) + np.array([-spread, spread]))
    said = f"{found.statistic:.2f} [{low:.2f}, {high:.2f}]"
    last = f"Rank correlation of modes and the share hit, over {len(hit)} mixtures: {said}."
    return f"{_table(rows)}\n\n{last} {_caption(ranges)}"


def printed(name: str) -> str:
    """What a command has printed of runs that are not kept otherwise."""
    return (KEPT / f"{name}.txt").read_text().rstrip("\n")


KINDS: dict[str, Callable[..., str]] = {
    "table": table,
    "compare": compare,
    "effects": effects_of,
    "factors": factors,
    "pair": pair,
    "board": board,
    "modes": modes,
    "modes_effects": modes_effects,
    "by_modes": by_modes,
    "printed": printed,
}


def made(words: str) -> str:
    """What a block holds."""
    kind, *arguments = words.split()
    return KINDS[kind](*arguments) + "\n"


def written(text: str) -> str:
    """A text with its blocks made again."""
    return BLOCK.sub(lambda found: found[1] + made(found[2]) + found[4], text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["keep"]:
        for folder in sys.argv[2:]:
            print(keep(Path(folder)))
    else:
        for path in TEXTS:
            path.write_text(written(path.read_text()))
