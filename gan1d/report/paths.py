"""What paths and eigenvalues say of where runs have ended, and a table of it over seeds.

Berard et al. 2020 (arXiv 1906.04848) look at figures of single runs; here each of their signs is a
number of a run. Eigenvalues are those of the game's Jacobian J and of each player's own Hessian, a
block of it; players move by -J, so that what has a positive real part is stable.
"""

import numpy as np
import xarray as xr

from gan1d.report import statistics, tables

LINES = ("path_angle", "path_norm")
SPECTRA = ("game_eigenvalue", "g_eigenvalue", "d_eigenvalue")  # the largest in size first
NEAR = 0.1  # of the end, in lengths of the path
LEADING = 20  # eigenvalues, the largest in size: as many as their code looks at
CLEAR = 1e-3  # of the largest in size: what is below 0 by less may be rounding
LEGEND = (
    f"Attracted: the angle is above 0 on average before the end and below it behind, within {NEAR}."
    " Bump: there, the largest of\nabs(angle(1 - s) + angle(1 + s)) / 2, 0 where all is attraction."
    f" Rotates: of the game's {LEADING} largest eigenvalues one has an\nimaginary part above its"
    " real one. Unstable, saddle of G or of D: the lowest eigenvalue of the game, or of a player's"
    f" own\nHessian, is below -{CLEAR:g} of the largest; lowest: that ratio's medians. Medians and"
    " rates over seeds, 95% intervals."
)


def attracted(t: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Whether the angle `[..., T]` changes its sign from + to - around t = 1."""
    before = angle[..., (t >= 1 - NEAR) & (t < 1)].mean(-1)
    behind = angle[..., (t > 1) & (t <= 1 + NEAR)].mean(-1)
    return (before > 0) & (behind < 0)


def bump(t: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """The largest even part of the angle `[..., T]` around t = 1, in [0, 1].

    Attraction is odd: cosines of 1 before the end and of -1 behind it. A line that passes a point
    about which players rotate has the same sign on both sides.
    """
    away = np.linspace(0, NEAR, 21)

    def even(one: np.ndarray) -> float:
        before, behind = (np.interp(1 + side * away, t, one) for side in (-1, 1))
        return np.abs(before + behind).max() / 2

    return np.apply_along_axis(even, -1, angle)


def rotates(eigenvalues: np.ndarray) -> np.ndarray:
    """Whether of the leading eigenvalues `[..., N]` one has an imaginary part above its real one.

    They are sorted by size, the largest first.
    """
    leading = eigenvalues[..., :LEADING]
    return (np.abs(leading.imag) > np.abs(leading.real)).any(-1)


def lowest(eigenvalues: np.ndarray) -> np.ndarray:
    """The lowest real part of eigenvalues `[..., N]`, over the largest in size; NaN is none."""
    low, size = np.nanmin(eigenvalues.real, axis=-1), np.nanmax(np.abs(eigenvalues), axis=-1)
    return low / np.where(size > 0, size, 1)  # of a G whose units are all dead they are 0


def table(runs: xr.Dataset) -> str:
    """A row a setting, of the runs whose paths are known, and what it says."""
    rows = [_row(runs.isel(setting=i), i + 1) for i in range(runs.sizes["setting"])]
    return f"{tables.markdown([row for row in rows if row])}\n\n{LEGEND}"


def _row(runs: xr.Dataset, number: int) -> dict[str, str]:
    """The cells of one setting; none where no path is known."""
    runs = runs.isel(seed=runs.path_angle.notnull().all("t").values)
    if not runs.sizes["seed"]:
        return {}
    t, angle = runs.t.values, runs.path_angle.values
    begun, ended = np.array([np.interp((0, 1), t, each) for each in runs.path_norm.values]).T
    begun[begun == 0] = np.nan  # of players whose units are all dead from the beginning
    known = np.isfinite(runs.game_eigenvalue.values).any(-1)
    spectra = [runs[name].values[known] for name in SPECTRA]
    low = [lowest(each) for each in spectra]
    names = ("unstable %", "saddle of G %", "saddle of D %")
    return {
        "#": str(number),
        "n": str(runs.sizes["seed"]),
        "attracted %": _share(attracted(t, angle)),
        "bump": _median(bump(t, angle)),
        "size of v, end over beginning": _median(ended / begun),
        "rotates %": _share(rotates(spectra[0])),
        **{name: _share(each < -CLEAR) for name, each in zip(names, low, strict=True)},
        "lowest: game, G, D": ", ".join(tables.number(float(statistics.median(a))) for a in low),
        "setting": str(runs.setting.values),
    }


def _share(mask: np.ndarray) -> str:
    if not mask.size:
        return "-"
    interval = statistics.wilson_interval(np.array(mask.sum()), np.array(mask.size))
    return tables.interval(*map(tables.percent, (mask.mean(), *map(float, interval))))


def _median(values: np.ndarray) -> str:
    values = values[~np.isnan(values)]
    interval = statistics.median_interval(values)
    return tables.interval(*map(tables.number, (float(statistics.median(values)), *interval)))
