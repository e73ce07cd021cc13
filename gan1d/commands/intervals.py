"""Plays two Gaussians against two intervals, with the best D and with gradient steps of D.

    python -m gan1d intervals
    python -m gan1d intervals --seeds=500:1000 --mass=signed --plot=intervals.png

The game of Li, Madry, Peebles and Schmidt 2018 (arXiv 1706.09884), from a random start a seed: G's
means and D's ends uniform within 3 stds of 0. G takes gradient steps against the best D; at once
with D's; and after one of D (in turn) or several. Printed are shares of seeds with 95% intervals.
Converged: the total variation of G and the data is at most 0.05, the median over the last tenth of
training. Oscillates: it moves by more than that within it. One mode: both of G's means end nearer
to the same mode of the data. One interval, or none: what D has left, as its intervals merge or
become empty. Below: each dynamics against the best D, seed by seed.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import flags

from gan1d.commands import shell
from gan1d.commands.shared_flags import SEEDS
from gan1d.config import axes
from gan1d.report import comparisons, figures, statistics, tables
from gan1d.report.figures import intervals as panels
from gan1d.report.figures import layout
from gan1d.report.figures.intervals import Played

USUAL_SEEDS = "0:500"
LOOKS = 100  # at each game, evenly spread
LAST = 11  # of them, the last tenth of training and where it begins
CLOSE = 0.05  # total variation of what has converged
BEST = "the best D"

_DATA = flags.DEFINE_list("data", ["-1", "1"], "The means of the data's two modes, in stds.")
_RATE = flags.DEFINE_float("rate", 0.1, "The step of both players.", lower_bound=1e-6)
_STEPS = flags.DEFINE_integer("steps", 2000, "Updates: steps of G, a multiple of 100.")
_D_STEPS = flags.DEFINE_list("d_steps", ["1", "5", "25"], "Steps of D before each of G.")
_MASS = flags.DEFINE_enum(
    "mass",
    "union",
    ["union", "signed"],
    "What D is where its ends pass each other: an indicator of a union, in which intervals become "
    "empty or merge; or a signed sum, which goes on as its formula has it.",
)
_PLOT = flags.DEFINE_string("plot", None, "Also draw to this file, .png, .pdf or .svg.")
flags.declare_key_flag("seeds")


class Ended(NamedTuple):
    """How games `[seed]` ended."""

    settled: np.ndarray  # total variation, the median over the last tenth
    converged: np.ndarray
    oscillates: np.ndarray
    one_mode: np.ndarray
    parts: np.ndarray | None  # how many intervals D has left; None of the best one


def main(argv: list[str]) -> int:
    """Print the tables, and draw if it is asked for; returns the exit code."""
    if len(argv) != 1:
        return shell.refuse(f"{argv[1]}: no such argument; see --help")
    try:
        data, d_steps, seeds = _data(), _d_steps(), _seeds()
        _check_steps_and_file()
    except ValueError as error:
        return shell.refuse(str(error))
    games = _play(data, seeds, d_steps)
    ended = {name: _ended(name, game, data) for name, game in games.items()}
    print(tables.markdown([_row(name, each) for name, each in ended.items()]))
    print(f"\n{_caption(seeds)}\n")
    print(tables.markdown(_against_best(ended)))
    if _PLOT.value:
        path = Path(_PLOT.value)
        with layout.styled():
            converged = {name: each.converged for name, each in ended.items()}
            drawn = panels.draw(games, data, converged, CLOSE, _STEPS.value, _caption(seeds))
            layout.settle(drawn)
            figures.write(drawn, path, path.suffix[1:])
        print(f"\n{path}")
    return 0


def _data() -> np.ndarray:
    """The means `[2]` of the data."""
    given = ",".join(_DATA.value)
    try:
        first, second = map(float, _DATA.value)
    except ValueError:
        raise ValueError(f"data={given}: two means are needed, for example -1,1") from None
    if first == second or not np.isfinite([first, second]).all():
        raise ValueError(f"data={given}: two modes are needed, with finite means that differ")
    return np.array([first, second], np.float32)


def _d_steps() -> list[int]:
    given = ",".join(_D_STEPS.value)
    try:
        steps = [int(each) for each in _D_STEPS.value]
    except ValueError:
        steps = []
    if not steps or min(steps) < 1 or len(set(steps)) < len(steps):
        raise ValueError(f"d_steps={given}: different whole numbers from 1 on are needed")
    return steps


def _seeds() -> np.ndarray:
    return np.array(axes.parse_seeds(SEEDS.value or USUAL_SEEDS))


def _check_steps_and_file() -> None:
    """Refuse what can't be looked at evenly, or be drawn, before anything is played."""
    if _STEPS.value < LOOKS or _STEPS.value % LOOKS:
        raise ValueError(f"steps={_STEPS.value}: a multiple of {LOOKS} is needed")
    if _PLOT.value and Path(_PLOT.value).suffix[1:] not in figures.FORMATS:
        known = " or ".join(f".{each}" for each in figures.FORMATS)
        raise ValueError(f"plot={_PLOT.value}: give a name that ends in {known}")


def _play(data: np.ndarray, seeds: np.ndarray, d_steps: list[int]) -> dict[str, Played]:
    """The games of each dynamics, by its name."""
    import jax

    from gan1d.gan import intervals
    from gan1d.system import backend

    backend.enable_compilation_cache()
    backend.devices()
    dynamics = {BEST: intervals.BEST, "at once": intervals.AT_ONCE}
    dynamics |= {"in turn" if k == 1 else f"D {k} times": k for k in d_steps}
    games = {}
    for name, steps in dynamics.items():
        found = intervals.trajectories(
            data, seeds, _RATE.value, steps, _MASS.value, looks=LOOKS, every=_STEPS.value // LOOKS
        )
        far = intervals.total_variations(data, found.means)
        parts = jax.vmap(intervals.parts)(jax.tree.map(lambda ends: ends[:, -1], found.d))
        games[name] = Played(*map(np.asarray, (found.means, far, parts)))
    return games


def _ended(name: str, game: Played, data: np.ndarray) -> Ended:
    last = game.total_variation[:, -LAST:]
    settled = np.median(last, axis=1)
    nearer = np.abs(game.means[:, -1, :, None] - data).argmin(-1)
    return Ended(
        converged=settled <= CLOSE,
        oscillates=np.ptp(last, axis=1) > CLOSE,
        one_mode=nearer[:, 0] == nearer[:, 1],
        parts=None if name == BEST else game.parts,
        settled=settled,
    )


def _row(name: str, ended: Ended) -> dict[str, str]:
    parts = ended.parts
    low, high = statistics.median_interval(ended.settled)
    return {
        "converged % [95%]": _share(ended.converged),
        "oscillates %": _share(ended.oscillates),
        "one mode %": _share(ended.one_mode),
        "one interval %": "-" if parts is None else _share(parts == 1),
        "no interval %": "-" if parts is None else _share(parts == 0),
        "total variation": tables.interval(
            *map(tables.number, (float(statistics.median(ended.settled)), low, high))
        ),
        "dynamics": name,
    }


def _share(met: np.ndarray) -> str:
    """A share of seeds in percent, with Wilson's interval."""
    low, high = statistics.wilson_interval(np.array(met.sum()), np.array(met.size))
    return tables.interval(*(f"{100 * share:.1f}" for share in (met.mean(), low, high)))


def _caption(seeds: np.ndarray) -> str:
    return (
        f"data at {' and '.join(_DATA.value)}; D of two intervals, {_MASS.value}; rate "
        f"{_RATE.value:g}; {_STEPS.value} updates; seeds: {axes.seeds_text(seeds)}"
    )


def _against_best(ended: dict[str, Ended]) -> list[dict[str, str]]:
    """Each other dynamics against the best D, in how often it converged."""
    best, *others = ended.items()
    found = {
        name: statistics.difference(each.converged, best[1].converged) for name, each in others
    }
    p_values = statistics.holm(np.array([each.p_exact for each in found.values()]))
    return [
        {
            "converged, only it:only the best D": f"{each.only_first}:{each.only_second}",
            "points [95%]": comparisons.points(each),
            "p (Holm)": f"{p:.2g}",
            "dynamics": name,
        }
        for (name, each), p in zip(found.items(), p_values, strict=True)
    ]


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
