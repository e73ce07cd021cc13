"""Generators with a known fault, and the verdict that each of them must get.

Pure numpy. `CASES` maps a name to (target, samples, verdicts): the target's fields as they are in
`target.*`, a function (rng, n) -> samples `[n]` on the line or `[n, 2]` in the plane,
and the verdicts that are right, whatever the criterion is.
"""

import numpy as np
from scipy import stats

RING = {"kind": "ring", "loc": 0.0, "scale": 1.0, "noise": 0.02, "modes": 8}
GRID5 = {"kind": "grid", "loc": 0.0, "scale": 1.0, "noise": 0.02, "modes": 5}
GRID8 = GRID5 | {"modes": 8}
PLANE_MIXTURE = {
    "kind": "plane_mixture",
    "loc": 0.0,
    "scale": 1.0,
    "weights": (0.5, 0.3, 0.2),
    "centres": ((-2.0, 0.0), (1.0, 2.0), (1.0, -2.0)),
    "stds": (0.1, 0.5, 0.2),
}
WIDE = PLANE_MIXTURE | {
    "weights": (0.5, 0.5),
    "centres": ((-1.5, 0.0), (1.5, 0.0)),
    "stds": (0.5, 0.5),
}
SLANTED = WIDE | {
    "kind": "plane_gaussians",
    "centres": ((-3.0, 0.0), (3.0, 0.0)),
    "covariances": ((0.25, 0.24, 0.25), (0.25, -0.24, 0.25)),
}
POISSON = {"kind": "poisson", "loc": 0.0, "scale": 1.0, "rate": 4.0}
BINOMIAL = {"kind": "binomial", "loc": 0.0, "scale": 1.0, "trials": 10, "probability": 0.3}
CAUCHY = {"kind": "cauchy", "loc": 0.0, "scale": 1.0}
GAUSSIAN = {"kind": "gaussian", "loc": 0.0, "scale": 1.0}
TWO = {
    "kind": "mixture",
    "loc": 0.0,
    "scale": 1.0,
    "weights": (0.5, 0.5),
    "means": (-2.0, 2.0),
    "stds": (0.5, 0.5),
}
FAR_TWO = TWO | {"means": (-3.0, 3.0)}
# The clusters U(0, 0.3) and U(4, 4.3) of Sun, Fang & Schwing (2020), arXiv 2011.04926.
FLAT = {
    "kind": "uniform_mixture",
    "loc": 0.0,
    "scale": 1.0,
    "weights": (0.5, 0.5),
    "means": (0.15, 4.15),
    "half_widths": (0.15, 0.15),
}
FLAT_RARE = FLAT | {"weights": (0.95, 0.05)}
# Two that overlap, and one that touches them.
FLAT_CLOSE = FLAT | {
    "weights": (0.5, 0.3, 0.2),
    "means": (-1.0, 0.0, 1.5),
    "half_widths": (1.0, 0.5, 1.0),
}
RARE = TWO | {"weights": (0.9, 0.1), "means": (0.0, 4.0)}
FIVE = {
    "kind": "mixture",
    "loc": 0.0,
    "scale": 1.0,
    "weights": (0.2,) * 5,
    "means": (-4.0, -2.0, 0.0, 2.0, 4.0),
    "stds": (0.1,) * 5,
}

_ANGLES = 2 * np.pi * np.arange(8) / 8
RING_MODES = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


def grid_modes(side):
    places = np.arange(side) - (side - 1) / 2
    return np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1).reshape(-1, 2)


def at_modes(centres, keep, std, weights=None):
    return lambda rng, n: centres[rng.choice(keep, n, p=weights)] + std * rng.normal(size=(n, 2))


def mixture(target, keep=None, weights=None):
    centres = "centres" if "centres" in target else "means"
    keep = list(range(len(target["stds"]))) if keep is None else keep
    weights = np.array([target["weights"][k] for k in keep] if weights is None else weights)

    def draw(rng, n):
        which = np.array(keep)[rng.choice(len(keep), n, p=weights / weights.sum())]
        places, stds = np.array(target[centres])[which], np.array(target["stds"])[which]
        return places + (stds * rng.normal(size=(*places.shape[1:], n))).T

    return draw


def clusters(target, weights=None):
    weights = np.array(target["weights"] if weights is None else weights)

    def draw(rng, n):
        which = rng.choice(len(weights), n, p=weights / weights.sum())
        means, half_widths = np.array(target["means"]), np.array(target["half_widths"])
        return means[which] + half_widths[which] * rng.uniform(-1, 1, n)

    return draw


def between(share):
    """The flat clusters with this share of the rows spread over the gap."""

    def draw(rng, n):
        inside = clusters(FLAT)(rng, n)
        return np.where(rng.uniform(size=n) < share, rng.uniform(0.3, 4, n), inside)

    return draw


def box(half_width, dim=2):
    return lambda rng, n: rng.uniform(-half_width, half_width, (n, dim) if dim > 1 else n)


def blob(stds):
    return lambda rng, n: np.asarray(stds) * rng.normal(size=(n, 2))


def circle(rng, n):
    angle = rng.uniform(0, 2 * np.pi, n)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.02 * rng.normal(size=(n, 2))


def sine(rng, n, reach=2.0, noise=0.02):
    x = rng.uniform(-reach, reach, n)
    return np.stack([x, np.sin(np.pi * x)], axis=1) + noise * rng.normal(size=(n, 2))


def without(count, samples):
    return np.where(samples == count, count + 1.0, samples)


LOST = {"modes lost"}
NOT = {"near", "far", "blurred", "modes lost", "collapsed"}  # anything but a success
CASES = {
    # In the plane: what matches two moments is no success.
    "ring, perfect": (RING, at_modes(RING_MODES, range(8), 0.02), {"success"}),
    "ring, every second mode": (RING, at_modes(RING_MODES, [0, 2, 4, 6], 0.02), {"modes lost"}),
    "ring, seven of eight modes": (RING, at_modes(RING_MODES, range(7), 0.02), {"modes lost"}),
    "ring, two opposite modes": (RING, at_modes(RING_MODES, [0, 4], 0.02), {"modes lost"}),
    "ring, one mode": (RING, at_modes(RING_MODES, [0], 0.02), {"modes lost", "collapsed"}),
    "ring, a circle": (RING, circle, {"blurred"}),
    "ring, modes ten times too wide": (RING, at_modes(RING_MODES, range(8), 0.2), {"blurred"}),
    "ring, a box of the same moments": (RING, box(0.707 * 3**0.5), {"blurred", "near"}),
    "ring, all at the centre": (RING, blob((0.02, 0.02)), {"collapsed"}),
    "grid of 25, perfect": (GRID5, at_modes(grid_modes(5), range(25), 0.02), {"success"}),
    "grid of 25, a checkerboard of 13": (
        GRID5,
        at_modes(grid_modes(5), range(0, 25, 2), 0.02),
        {"modes lost"},
    ),
    "grid of 25, a box": (GRID5, box(2.5), {"blurred"}),
    "grid of 64, perfect": (GRID8, at_modes(grid_modes(8), range(64), 0.02), {"success"}),
    "grid of 64, a box": (GRID8, box(4.0), {"blurred"}),
    "sine, perfect": ({"kind": "sine", "loc": 0.0, "scale": 1.0, "noise": 0.02}, sine, {"success"}),
    "sine, a blob of the same moments": (
        {"kind": "sine", "loc": 0.0, "scale": 1.0, "noise": 0.02},
        blob(((4 / 3) ** 0.5, 0.5**0.5)),
        {"blurred", "near"},
    ),
    "sine, half of the curve": (
        {"kind": "sine", "loc": 0.0, "scale": 1.0, "noise": 0.02},
        lambda rng, n: np.abs(sine(rng, n)) * [1, 1],
        NOT,
    ),
    "plane mixture, perfect": (PLANE_MIXTURE, mixture(PLANE_MIXTURE), {"success"}),
    "slanted Gaussians, round ones of their variances": (SLANTED, mixture(SLANTED), {"blurred"}),
    "slanted Gaussians, one of them": (
        SLANTED,
        lambda rng, n: rng.multivariate_normal((-3, 0), ((0.25, 0.24), (0.24, 0.25)), n),
        {"modes lost"},
    ),
    "plane mixture, without its rarest": (
        PLANE_MIXTURE,
        mixture(PLANE_MIXTURE, [0, 1]),
        {"modes lost"},
    ),
    "plane mixture, only a little of its rarest": (
        PLANE_MIXTURE,
        mixture(PLANE_MIXTURE, weights=[0.5, 0.47, 0.03]),
        {"modes lost"},
    ),
    "plane mixture, the widest one's std in all": (
        PLANE_MIXTURE,
        mixture(PLANE_MIXTURE | {"stds": (0.5, 0.5, 0.5)}),
        {"blurred"},
    ),
    "plane mixture, a blob of the same moments": (
        PLANE_MIXTURE,
        lambda rng, n: np.array([-0.5, 0.2]) + blob((1.54, 1.42))(rng, n),
        {"blurred", "near"},
    ),
    "plane mixture, its modes exchanged": (
        PLANE_MIXTURE,
        mixture(PLANE_MIXTURE, weights=[0.1, 0.3, 0.6]),
        {"modes lost", "near"},
    ),
    "wide plane mixture, perfect": (WIDE, mixture(WIDE), {"success"}),
    "wide plane mixture, a blob of the same moments": (
        WIDE,
        blob((1.58, 0.5)),
        {"blurred", "near"},
    ),
    # On the line.
    "gaussian, perfect": (
        GAUSSIAN,
        lambda rng, n: stats.norm.ppf((np.arange(n) + 0.5) / n),
        {"success"},
    ),
    "gaussian, shifted by half a std": (
        GAUSSIAN,
        lambda rng, n: 0.5 + rng.normal(size=n),
        {"near"},
    ),
    "gaussian, shifted by three stds": (GAUSSIAN, lambda rng, n: 3 + rng.normal(size=n), {"far"}),
    "gaussian, a tenth of the std": (
        GAUSSIAN,
        lambda rng, n: 0.1 * rng.normal(size=n),
        {"collapsed"},
    ),
    "gaussian, three atoms": (
        GAUSSIAN,
        lambda rng, n: np.repeat(stats.norm.ppf([1 / 6, 1 / 2, 5 / 6]), -(-n // 3))[:n],
        {"near", "blurred"},
    ),
    "mixture of two, perfect": (TWO, mixture(TWO), {"success"}),
    "mixture of two, one mode": (TWO, mixture(TWO, [0]), {"modes lost"}),
    "far mixture of two, one mode": (FAR_TWO, mixture(FAR_TWO, [1]), {"modes lost"}),
    "mixture of two, weights .97 and .03": (
        TWO,
        mixture(TWO, weights=[0.97, 0.03]),
        {"modes lost"},
    ),
    "mixture of two, a uniform of the same moments": (
        TWO,
        lambda rng, n: 2.0616 * 3**0.5 * rng.uniform(-1, 1, n),
        {"blurred", "near"},
    ),
    "mixture of two, a gaussian of the same moments": (
        TWO,
        lambda rng, n: 2.0616 * rng.normal(size=n),
        {"blurred", "near"},
    ),
    "mixture with a rare mode, dropped": (RARE, mixture(RARE, [0]), {"modes lost"}),
    "flat clusters, perfect": (FLAT, clusters(FLAT), {"success"}),
    "flat clusters, one of them": (FLAT, clusters(FLAT, (1, 0)), {"modes lost"}),
    "flat clusters, a point of one": (FLAT, lambda rng, n: np.full(n, 0.15), {"collapsed"}),
    "flat clusters, weights .93 and .07": (FLAT, clusters(FLAT, (0.93, 0.07)), {"modes lost"}),
    "flat clusters, a tenth in the gap": (FLAT, between(0.1), {"success"}),
    "flat clusters, a third in the gap": (FLAT, between(0.33), {"blurred"}),
    "flat clusters, a uniform from end to end": (
        FLAT,
        lambda rng, n: rng.uniform(0, 4.3, n),
        {"near"},
    ),
    "flat clusters, twice as wide": (
        FLAT,
        clusters(FLAT | {"half_widths": (0.3, 0.3)}),
        {"blurred"},
    ),
    "flat clusters, moved by their width": (
        FLAT,
        lambda rng, n: 0.3 + clusters(FLAT)(rng, n),
        {"blurred", "near"},
    ),
    "flat clusters with a rare one, dropped": (
        FLAT_RARE,
        clusters(FLAT_RARE, (1, 0)),
        {"modes lost"},
    ),
    "flat clusters that meet, perfect": (FLAT_CLOSE, clusters(FLAT_CLOSE), {"success"}),
    "flat clusters that meet, without the last": (
        FLAT_CLOSE,
        clusters(FLAT_CLOSE, (0.5, 0.3, 0)),
        {"modes lost"},
    ),
    # A law without moments; 0.6745 is a normal's upper quartile.
    "cauchy, perfect": (CAUCHY, lambda rng, n: rng.standard_cauchy(n), {"success"}),
    "cauchy, cut off far out": (
        CAUCHY,
        lambda rng, n: np.clip(rng.standard_cauchy(n), -100, 100),
        {"success"},
    ),
    "cauchy, a normal of its quartiles": (
        CAUCHY,
        lambda rng, n: rng.normal(size=n) / 0.6745,
        {"near"},
    ),
    "cauchy, a normal of its winsorised std": (
        CAUCHY,
        lambda rng, n: 3.9 * rng.normal(size=n),
        {"near", "blurred"},
    ),
    "cauchy, moved by its range of quartiles": (
        CAUCHY,
        lambda rng, n: 2 + rng.standard_cauchy(n),
        {"near"},
    ),
    "cauchy, twice as wide": (CAUCHY, lambda rng, n: 2 * rng.standard_cauchy(n), {"near"}),
    "cauchy, one half of it": (CAUCHY, lambda rng, n: abs(rng.standard_cauchy(n)), {"near"}),
    "cauchy, a tenth as wide": (
        CAUCHY,
        lambda rng, n: 0.1 * rng.normal(size=n),
        {"collapsed"},
    ),
    # Counts.
    "poisson, perfect": (POISSON, lambda rng, n: rng.poisson(4, n), {"success"}),
    "poisson, each count a little blurred": (
        POISSON,
        lambda rng, n: rng.poisson(4, n) + 0.08 * rng.normal(size=n),
        {"success"},
    ),
    "poisson, a density of the same moments": (
        POISSON,
        lambda rng, n: rng.gamma(4, 1, n),
        {"blurred"},
    ),
    "poisson, without threes": (POISSON, lambda rng, n: without(3, rng.poisson(4, n)), LOST),
    "poisson, never above six": (
        POISSON,
        lambda rng, n: np.minimum(rng.poisson(4, n), 6),
        LOST,
    ),
    "poisson, one too many": (POISSON, lambda rng, n: 1 + rng.poisson(4, n), {"modes lost"}),
    "poisson, halfway between counts": (
        POISSON,
        lambda rng, n: 0.5 + rng.poisson(4, n),
        {"blurred", "near"},
    ),
    "poisson, fours only": (POISSON, lambda rng, n: np.full(n, 4.0), {"collapsed"}),
    "binomial, perfect": (BINOMIAL, lambda rng, n: rng.binomial(10, 0.3, n), {"success"}),
    "binomial, of twice the probability": (
        BINOMIAL,
        lambda rng, n: rng.binomial(10, 0.6, n),
        {"modes lost"},
    ),
    "five narrow modes, perfect": (FIVE, mixture(FIVE), {"success"}),
    "five narrow modes, a uniform": (FIVE, lambda rng, n: rng.uniform(-5, 5, n), {"blurred"}),
    "five narrow modes, three of them": (FIVE, mixture(FIVE, [0, 2, 4]), {"modes lost"}),
}
