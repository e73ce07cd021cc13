"""Targets in the plane: curves and clusters, with normal noise around them.

In standard coordinates a row is place(U) + noise * N(0, I): one uniform U runs along a curve or
picks a mode. Data are loc + scale * that, with one loc and scale for both coordinates, or a pair of
them; `noise` and `modes` are the setting's. The families before their noise:

  quadratic   x = 100 (U - 1/2), y = 10 + x^2: the data of the DigitalOcean and Paperspace tutorial
              (2018), which does not scale them; x is within 50, y between 10 and 2510
  two_curves  that curve and its mirror image y = -(10 + x^2), half of the data on each
  sine        two periods of y = sin(pi x), with x uniform in (-2, 2)
  spiral      scikit-learn's make_swiss_roll without its third axis: the Archimedean spiral
              (a cos a, a sin a), a uniform in (3 pi / 2, 9 pi / 2), here divided by 9 pi / 2
  moons       scikit-learn's make_moons: an upper half circle around (0, 0) and a lower one around
              (1, 1/2), both of radius 1, half of the data on each
  ring        `modes` equally likely Gaussians, evenly spaced on the unit circle from (1, 0) on
  grid        `modes` x `modes` equally likely Gaussians, neighbours 1 apart, around (0, 0)

The first five have a curve, the next two have modes, each a Gaussian whose std is the noise. The
last two are mixtures of Gaussians whose `weights` and `centres` are the setting's, without other
noise: those of `plane_mixture` are round, of `stds`, each that of both coordinates around a centre;
those of `plane_gaussians` have any `covariances`.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gan1d.gan.targets import mixture
from gan1d.system.lazy import Array, jnp, jsp

if TYPE_CHECKING:
    from gan1d.gan.targets import TargetFields

UNIFORMS = 3  # a row takes: the place on the curve or the mode, and a normal for each coordinate


class Factors(NamedTuple):
    """The symmetric square roots of covariances, entry by entry, each of any shape `[...]`."""

    xx: Array
    xy: Array
    yy: Array

    def spread(self, normals: Array) -> Array:
        """Standard normal rows `[..., 2]` as modes of these covariances have them around 0."""
        x, y = normals[..., 0], normals[..., 1]
        return jnp.stack([self.xx * x + self.xy * y, self.xy * x + self.yy * y], axis=-1)

    def gathered(self, rows: Array) -> Array:
        """What `spread` makes such rows `[..., 2]` of."""
        x, y = rows[..., 0], rows[..., 1]
        area = self.area()
        return jnp.stack(
            [(self.yy * x - self.xy * y) / area, (self.xx * y - self.xy * x) / area], axis=-1
        )

    def area(self) -> Array:
        """The product of the stds along both axes of an ellipse."""
        return self.xx * self.yy - self.xy**2

    def stds(self) -> Array:
        """The standard deviation of each coordinate, `[..., 2]`."""
        squares = self.xx**2 + self.xy**2, self.xy**2 + self.yy**2
        return jnp.sqrt(jnp.stack(squares, axis=-1))


class Family(NamedTuple):
    """One family in standard coordinates and before its noise: a curve, or modes."""

    place: Callable[
        ["TargetFields", Array], Array
    ]  # (target, s [...]) -> [..., 2], for s ~ U(0, 1)
    moments: Callable[
        ["TargetFields"], tuple[np.ndarray | Array, np.ndarray | Array]
    ]  # means and variances of that, [2] each
    curve: int = 0  # its pieces; s runs through them in turn, an equal part of [0, 1] for each
    modes: Callable[["TargetFields"], np.ndarray] | None = None  # target -> [K, 2], all alike
    # Weights `[K]`, centres `[K, 2]` and stds `[K]` of modes that differ; then there is no noise.
    components: Callable[["TargetFields"], tuple[Array, Array, Array]] | None = None
    factors: Callable[["TargetFields"], Factors] | None = None  # of modes that are not round
    widths: str = ""  # the field that has the widths of modes that differ


def _curve(
    point: Callable[[Array], tuple[Array, Array]],
    mean: Sequence[float] | np.ndarray,
    variance: Sequence[float] | np.ndarray,
    pieces: int = 1,
) -> Family:
    return Family(
        place=lambda target, s: jnp.stack(point(s), axis=-1),
        moments=lambda target: (np.array(mean), np.array(variance)),
        curve=pieces,
    )


def _clusters(modes: Callable[[int], np.ndarray]) -> Family:
    def place(target: "TargetFields", s: Array) -> Array:
        centres = modes(target.modes)
        last = len(centres) - 1
        # Rounded, the largest s times the number of modes can be that number.
        return jnp.asarray(centres, s.dtype)[jnp.minimum(s * len(centres), last).astype(int)]

    def moments(target: "TargetFields") -> tuple[np.ndarray, np.ndarray]:
        centres = modes(target.modes)
        return centres.mean(0), centres.var(0)

    return Family(place, moments, modes=lambda target: modes(target.modes))


def _components(target: "TargetFields") -> tuple[Array, Array, Array]:
    """Weights `[K]` (normalised), centres `[K, 2]` and stds `[K]` of a mixture."""
    return *_places(target), mixture.stacked(target.stds)


def _gaussians(target: "TargetFields") -> tuple[Array, Array, Array]:
    """The same, of each the std of a round one over as large an area."""
    return *_places(target), jnp.sqrt(_factors(target).area())


def _factors(target: "TargetFields") -> Factors:
    """Those of 2 x 2 matrices in closed form; a symmetric one prefers neither coordinate."""
    x, between, y = mixture.stacked(target.covariances).T
    area = jnp.sqrt(x * y - between**2)
    sides = jnp.sqrt(x + y + 2 * area)
    return Factors((x + area) / sides, between / sides, (y + area) / sides)


def _places(target: "TargetFields") -> tuple[Array, Array]:
    """Weights `[K]` (normalised) and centres `[K, 2]`."""
    weights = mixture.stacked(target.weights)
    return weights / weights.sum(), mixture.stacked(target.centres)


def _place_of_component(target: "TargetFields", s: Array) -> Array:
    weights, centres = _places(target)
    return centres[mixture.picked(weights, s)]


def _moments_of_components(target: "TargetFields") -> tuple[Array, Array]:
    weights, centres = _places(target)
    mean = (weights[:, None] * centres).sum(0)
    return mean, (weights[:, None] * (centres - mean[None]) ** 2).sum(0)


def _halves(s: Array) -> tuple[Array, Array]:
    """Which of two pieces s is on (False: the first), and where on it, in [0, 1]."""
    second = s >= 0.5
    return second, 2 * s - second


def _quadratic(s: Array) -> tuple[Array, Array]:
    x = 100 * (s - 0.5)
    return x, 10 + x**2


def _two_curves(s: Array) -> tuple[Array, Array]:
    mirrored, s = _halves(s)
    x, y = _quadratic(s)
    return x, jnp.where(mirrored, -y, y)


def _sine(s: Array) -> tuple[Array, Array]:
    x = 4 * s - 2
    return x, jnp.sin(np.pi * x)


def _spiral(s: Array) -> tuple[Array, Array]:
    turns = (1 + 2 * s) / 3  # the radius, and the angle in units of 9 pi / 2
    angle = 4.5 * np.pi * turns
    return turns * jnp.cos(angle), turns * jnp.sin(angle)


def _moons(s: Array) -> tuple[Array, Array]:
    lower, s = _halves(s)
    x, y = jnp.cos(np.pi * s), jnp.sin(np.pi * s)
    return jnp.where(lower, 1 - x, x), jnp.where(lower, 0.5 - y, y)


def _ring(modes: int) -> np.ndarray:
    angles = 2 * np.pi * np.arange(modes) / modes
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _grid(modes: int) -> np.ndarray:
    side = np.arange(modes) - (modes - 1) / 2
    return np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)


# The integrals of a cos(a), a sin(a) and their squares over the spiral's angles a.
_SPIRAL_MEAN = np.array([2, 2 / (3 * np.pi)]) / (4.5 * np.pi)
_SPIRAL_SQUARE = (4.875 * np.pi**2 + np.array([-0.25, 0.25])) / (4.5 * np.pi) ** 2

FAMILIES: dict[str, Family] = {
    "quadratic": _curve(_quadratic, (0.0, 10 + 2500 / 3), (100**2 / 12, 2500**2 * 4 / 45)),
    "two_curves": _curve(
        _two_curves, (0.0, 0.0), (100**2 / 12, 10**2 + 20 * 2500 / 3 + 2500**2 / 5), pieces=2
    ),
    "sine": _curve(_sine, (0.0, 0.0), (4 / 3, 1 / 2)),
    "spiral": _curve(_spiral, _SPIRAL_MEAN, _SPIRAL_SQUARE - _SPIRAL_MEAN**2),
    "moons": _curve(_moons, (0.5, 0.25), (0.75, 9 / 16 - 1 / np.pi), pieces=2),
    "ring": _clusters(_ring),
    "grid": _clusters(_grid),
    "plane_mixture": Family(
        _place_of_component, _moments_of_components, components=_components, widths="stds"
    ),
    "plane_gaussians": Family(
        _place_of_component,
        _moments_of_components,
        components=_gaussians,
        factors=_factors,
        widths="covariances",
    ),
}


def sample(target: "TargetFields", u: Array) -> Array:
    """Standard rows `[..., 2]` from uniforms `[..., 3]` in the open interval (0, 1)."""
    family, s = FAMILIES[target.kind], u[..., 0]
    normals = jsp.ndtri(u[..., 1:])
    if family.components is None:
        return family.place(target, s) + target.noise * normals
    weights, _, stds = family.components(target)
    picked = mixture.picked(weights, s)
    if family.factors is None:
        return family.place(target, s) + stds[picked][..., None] * normals
    factors = Factors(*(each[picked] for each in family.factors(target)))
    return family.place(target, s) + factors.spread(normals)


def mean(target: "TargetFields") -> Array:
    """E of each standard coordinate, `[2]`; exact."""
    mean, _ = FAMILIES[target.kind].moments(target)
    return jnp.asarray(mean, jnp.float32)


def std(target: "TargetFields") -> Array:
    """The standard deviation of each standard coordinate, `[2]`; exact."""
    family = FAMILIES[target.kind]
    _, variance = family.moments(target)
    noise: Array | float = target.noise**2
    if family.components is not None:
        weights, _, stds = family.components(target)
        noise = (weights * stds**2).sum()
    if family.factors is not None:
        noise = (weights[:, None] * family.factors(target).stds() ** 2).sum(0)
    return jnp.sqrt(jnp.asarray(variance, jnp.float32) + noise)
