import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from helpers import CLUSTERS, CURVES, NOISY, PLANE, each_plane

from gan1d.gan import targets

sample, mean, std, curve, modes = (
    jax.jit(function)
    for function in (targets.sample, targets.mean, targets.std, targets.curve, targets.modes)
)
EPSILON = 2.0**-24  # the smallest uniform of training
COUNT = 20_000
UNIFORMS = (np.random.default_rng(0).integers(0, 2**23, (COUNT, 3)) + 0.5) / 2**23


def replaced(target, **fields):
    return dataclasses.replace(target, **fields)


def draws(target, u=UNIFORMS):
    return np.asarray(sample(target, jnp.asarray(u, jnp.float32)), float)


def standard(target, x):
    return (np.asarray(x, float) - target.loc) / target.scale


def mirrored(s):
    x, y = 100 * (2 * s % 1 - 0.5), 10 + (100 * (2 * s % 1 - 0.5)) ** 2
    return x, np.where(s < 0.5, y, -y)


def moons(s):
    angle = 2 * np.pi * (s % 0.5)
    upper = np.cos(angle), np.sin(angle)
    lower = 1 - np.cos(angle), 1 - np.sin(angle) - 0.5
    return np.where(s < 0.5, upper, lower)


def swiss_roll(s):
    angle = 1.5 * np.pi * (1 + 2 * s)
    return angle * np.cos(angle) / (4.5 * np.pi), angle * np.sin(angle) / (4.5 * np.pi)


# As the sources write them, in float64.
FORMULAS = {
    "quadratic": lambda s: (100 * (s - 0.5), 10 + (100 * (s - 0.5)) ** 2),
    "two_curves": mirrored,
    "sine": lambda s: (-2 + 4 * s, np.sin(np.pi * (-2 + 4 * s))),
    "spiral": swiss_roll,
    "moons": moons,
}


def places(target, s):
    """The noiseless standard points of uniforms s `[N]`, in float64."""
    if target.kind in FORMULAS:
        return np.stack(FORMULAS[target.kind](s), axis=1)
    side = np.arange(target.modes)
    if target.kind == "ring":
        angles = 2 * np.pi * side / target.modes
        centres = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    else:
        centres = np.array([(x, y) for x in side for y in side]) - (target.modes - 1) / 2
    return centres[np.minimum(s * len(centres), len(centres) - 1).astype(int)]


@each_plane()
def test_a_row_in_the_plane_takes_three_uniforms_and_has_two_coordinates(target):
    assert (targets.dim(target), targets.uniforms(target)) == (2, 3)
    flat = draws(target, UNIFORMS[:24])
    assert flat.shape == (24, 2)
    shaped = draws(target, UNIFORMS[:24].reshape(4, 2, 3, 3))
    np.testing.assert_allclose(shaped, flat.reshape(4, 2, 3, 2), rtol=1e-6)


@each_plane(NOISY)
def test_without_noise_rows_are_on_the_families_formulas(target):
    target = replaced(target, noise=0.0)
    expected = target.loc + target.scale * places(target, UNIFORMS[:, 0])
    # The quadratic squares a float32 of up to 50 and scales up the rounding of s a hundred times.
    np.testing.assert_allclose(draws(target), expected, rtol=1e-6, atol=2e-5)


def test_the_quadratic_is_the_tutorials_data_unscaled():
    target = replaced(PLANE["quadratic"], loc=0.0, scale=1.0, noise=0.0)
    x, y = draws(target).T
    np.testing.assert_allclose(x, 100 * (UNIFORMS[:, 0] - 0.5), rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(y, 10 + x * x, rtol=1e-6)
    assert x.min() < -49.9 and x.max() > 49.9 and y.min() < 10.1 and y.max() > 2490


@each_plane(NOISY)
def test_the_noise_is_normal_of_its_std_and_independent(target):
    noise = 0.125
    target = replaced(target, noise=noise)
    # The quadratic's y of up to 2510 is rounded by 1e-4.
    noisy = standard(target, draws(target)) - places(target, UNIFORMS[:, 0])
    np.testing.assert_allclose(noisy, noise * scipy.stats.norm.ppf(UNIFORMS[:, 1:]), atol=2e-3)
    place = UNIFORMS[:, :1]
    correlations = np.corrcoef(np.concatenate([noisy, place], axis=1).T)[np.triu_indices(3, 1)]
    assert np.abs(correlations).max() < 4.5 / COUNT**0.5
    np.testing.assert_allclose(noisy.std(0), noise, rtol=4.5 / (2 * COUNT) ** 0.5)


@each_plane(NOISY)
@pytest.mark.parametrize("noise", [0.02, 0.5])
def test_moments_are_those_of_many_rows(target, noise):
    target = replaced(target, noise=noise)
    s = (np.arange(200_000) + 0.5) / 200_000
    exact = places(target, s)
    variance = exact.var(0) + noise**2
    # The midpoints' error is 1e-10; one mode of 64 may have a point more than another.
    close = {"rtol": 1e-4, "atol": 1e-4 * target.scale}
    np.testing.assert_allclose(mean(target), target.loc + target.scale * exact.mean(0), **close)
    np.testing.assert_allclose(std(target), target.scale * variance**0.5, **close)
    rows = draws(target)
    np.testing.assert_allclose(
        (rows.mean(0) - np.asarray(mean(target))) / np.asarray(std(target)), 0, atol=4.5 / 141
    )
    np.testing.assert_allclose(rows.std(0), std(target), rtol=0.03)


@pytest.mark.parametrize("modes_", [1, 2, 3, 64])
@each_plane(CLUSTERS)
def test_moments_of_few_and_many_modes(target, modes_):
    target = replaced(target, modes=modes_)
    centres = standard(target, modes(target))
    assert len(centres) == modes_ ** (2 if target.kind == "grid" else 1)
    np.testing.assert_allclose(
        standard(target, mean(target)), centres.mean(0), atol=1e-5 * target.modes
    )
    expected = np.sqrt(centres.var(0) + 0.02**2)
    np.testing.assert_allclose(std(target) / target.scale, expected, rtol=1e-4, atol=1e-5)


def test_the_ring_has_eight_distinct_evenly_spaced_modes():
    target = replaced(PLANE["ring"], modes=8)
    t = standard(target, modes(target))
    np.testing.assert_allclose(np.hypot(*t.T), 1, rtol=1e-6)
    degrees = np.degrees(np.arctan2(t[:, 1], t[:, 0])) % 360
    # Radius and angle of all: none is there twice, as where an angle of 2 pi follows one of 0.
    np.testing.assert_allclose(degrees, np.arange(8) * 45, atol=1e-4)


def test_the_grids_neighbours_are_one_apart():
    t = standard(PLANE["grid"], modes(replaced(PLANE["grid"], modes=3)))
    expected = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    np.testing.assert_allclose(t, expected, atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 8])
@each_plane(CLUSTERS)
def test_modes_are_equally_likely_and_all_reached(target, count):
    target = replaced(target, modes=count, noise=1e-3)
    centres = np.asarray(modes(target), float)
    total = 16 * len(centres)
    u = np.full((total, 3), 0.5)
    u[:, 0] = (np.arange(total) + 0.5) / total
    distances = np.linalg.norm(draws(target, u)[:, None] - centres, axis=2)
    assert distances.min(1).max() < 1e-5
    np.testing.assert_array_equal(np.bincount(distances.argmin(1), minlength=len(centres)), 16)


@each_plane(("two_curves", "moons"))
def test_half_of_the_data_is_on_each_curve(target):
    s = standard(target, draws(replaced(target, noise=0.0), UNIFORMS))
    if target.kind == "two_curves":
        first = s[:, 1] > 0
    else:
        first = np.abs(np.hypot(*s.T) - 1) < 1e-5  # around (0, 0); the other is around (1, 1/2)
    # Random uniforms, so within the binomial's error of a half; and each half spans the x axis.
    assert abs(first.mean() - 0.5) < 4.5 * 0.5 / COUNT**0.5
    for part in (s[first, 0], s[~first, 0]):
        assert scipy.stats.iqr(part) > 0.3 * np.ptp(s[:, 0])


@each_plane(CURVES)
def test_the_curve_is_the_noiseless_target_at_its_parameters(target):
    s = np.linspace(0, 1, 101)[:-1]
    points = np.asarray(curve(target, jnp.asarray(s, jnp.float32)), float)
    expected = target.loc + target.scale * places(target, s)
    np.testing.assert_allclose(points, expected, rtol=1e-5, atol=3e-4)
    u = jnp.stack([jnp.asarray(s[1:], jnp.float32)] + [jnp.full(99, 0.9)] * 2, axis=1)
    np.testing.assert_array_equal(sample(replaced(target, noise=0.0), u), points[1:])


@each_plane(CURVES)
def test_each_piece_of_a_curve_is_continuous_and_pieces_are_apart(target):
    pieces = targets.pieces(target)
    s = np.linspace(0, 1, 2001)[:-1].astype(np.float32)
    points = np.asarray(curve(target, jnp.asarray(s)), float)
    jumps = np.linalg.norm(np.diff(points, axis=0) / np.asarray(std(target)), axis=1) > 0.1
    assert jumps.sum() == pieces - 1
    if pieces == 2:
        assert jumps[999]  # at one half


def test_what_a_family_lacks_is_refused():
    for kind in CURVES:
        with pytest.raises(ValueError, match="no modes"):
            targets.modes(PLANE[kind])
    for kind in CLUSTERS:
        assert targets.pieces(PLANE[kind]) == 0
        with pytest.raises(ValueError, match="no curve"):
            targets.curve(PLANE[kind], jnp.zeros(1))


@each_plane(NOISY)
def test_the_most_extreme_uniforms_give_finite_rows_within_reach(target):
    ends = np.array([EPSILON, 1 - EPSILON])
    u = np.stack(np.meshgrid(ends, ends, ends), axis=-1).reshape(-1, 3)
    rows = draws(target, u)
    reach = target.scale * target.noise * scipy.stats.norm.ppf(1 - EPSILON) + 1e-3
    expected = target.loc + target.scale * places(target, np.clip(u[:, 0], 0, 1 - 1e-7))
    assert (np.abs(rows - expected) < reach + 1e-6 * np.abs(expected)).all()


@each_plane()
def test_the_numbers_of_targets_can_be_mapped_over(target):
    made = [
        replaced(target, loc=loc, scale=scale, noise=noise)
        for loc, scale, noise in ((0.0, 1.0, 0.0), (2.0, 0.25, 0.1), (-1.0, 3.0, 0.02))
    ]
    stacked = jax.tree.map(lambda *leaves: jnp.asarray(leaves, jnp.float32), *made)
    u = jnp.asarray(UNIFORMS[:50], jnp.float32)
    rows = jax.jit(jax.vmap(targets.sample, in_axes=(0, None)))(stacked, u)
    stds = jax.jit(jax.vmap(targets.std))(stacked)
    for i, one in enumerate(made):
        np.testing.assert_allclose(rows[i], sample(one, u), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(stds[i], std(one), rtol=1e-6)
