"""What --until saves: ranges of a sweep's seeds, ended when their answer is known, and all.

    python -m gan1d.main --config=configs/sweep.py --seeds=0:5120 --workdir=results/ten --nofigures
    python -m gan1d.bench.racing results/ten --ranges=10 --points=5

A line a range: at how many of its seeds `--until=POINTS` would have ended, and how well the main
effects on success were known then; of how many effects the sign was told there (95% intervals that
leave out 0), and of how many the same was told by all of its seeds; and by how many points of
success the setting that was seen to be best falls short of the one that is, by all ranges together,
picked at the end of the race and by all seeds. The sweep must be a product of fields.
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr
from absl import flags

from gan1d import results
from gan1d.commands import shell
from gan1d.report import effects, precision
from gan1d.report import runs as of_runs
from gan1d.report.tables import markdown

_RANGES = flags.DEFINE_integer("ranges", 10, "Ranges of as many seeds.", lower_bound=1)
_POINTS = flags.DEFINE_float("points", 5.0, "As --until takes them.", lower_bound=0.1)


def main(argv: list[str]) -> int:
    """Race through each range and print how it went; returns the exit code."""
    if len(argv) != 2:
        return shell.refuse("usage: python -m gan1d.bench.racing results/NAME [--ranges --points]")
    try:
        whole = results.load(Path(argv[1]))
        effects.factors(whole)
    except (results.ResultsError, ValueError) as error:
        return shell.refuse(f"{argv[1]}: {error}")
    whole = whole.isel(seed=of_runs.finished(whole).all(axis=0))
    size = whole.sizes["seed"] // _RANGES.value
    if size <= precision.BATCH:
        return shell.refuse(f"ranges={_RANGES.value}: {size} finished seeds each; give fewer")
    truth = 100 * of_runs.succeeded(whole).mean(axis=1)
    rows, used = [], 0
    for first in range(0, _RANGES.value * size, size):
        part = whole.isel(seed=slice(first, first + size))
        seeds, half_width = race(part, _POINTS.value)
        ended = part.isel(seed=slice(seeds))
        at_the_end, by_all = signs(ended), signs(part)
        used += seeds
        rows.append(
            {
                "seeds": f"{part.seed.values[0]} to {part.seed.values[-1]}",
                "used": str(seeds),
                "known to": f"+-{100 * half_width:.1f}",
                "told": f"{np.count_nonzero(at_the_end)} of {len(at_the_end)}",
                "as by all": f"{np.count_nonzero(at_the_end == by_all)} of {len(by_all)}",
                "short": f"{truth.max() - truth[_best(ended)]:.1f}",
                "short, all": f"{truth.max() - truth[_best(part)]:.1f}",
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    print(markdown(rows))
    settings = whole.sizes["setting"]
    print(f"\nruns used: {settings * used} of {settings * size * _RANGES.value}")
    return 0


def race(part: xr.Dataset, points: float) -> tuple[int, float]:
    """At how many of its seeds it ends, and to what share its main effects are known then."""
    seeds, most = precision.BATCH, part.sizes["seed"]
    while True:
        found = precision.asked(part.isel(seed=slice(seeds)))
        if 100 * found.half_width <= points or seeds == most:
            return seeds, found.half_width
        seeds = precision.seeds_for(points, seeds, found.half_width, most)


def signs(runs: xr.Dataset) -> np.ndarray:
    """Of each main effect on success the sign, 0 where its interval has 0."""
    found = [effect for _, effect in effects.find(runs)[0].effects if len(effect.levels) == 1]
    low, high = np.array([(effect.low, effect.high) for effect in found]).T
    return np.where(low * high > 0, np.sign(low), 0)


def _best(runs: xr.Dataset) -> int:
    """The setting with the most successes."""
    return int(of_runs.succeeded(runs).sum(axis=1).argmax())


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
