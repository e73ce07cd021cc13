import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from helpers import setting
from hypothesis import given
from hypothesis import strategies as st

from gan1d.gan import latents

EPSILON = 2.0**-24  # the smallest uniform that training draws
EVEN = np.linspace(EPSILON, 1 - EPSILON, 1000, dtype=np.float32)[:, None]
jitted_draw = jax.jit(latents.draw)
jitted_grid = jax.jit(latents.grid, static_argnames="points")


def latent(kind, dim=1, low=-8.0, high=8.0, jitter=0.01):
    fields = {"kind": kind, "dim": dim, "low": low, "high": high, "jitter": jitter}
    return setting(**{f"latent.{name}": value for name, value in fields.items()}).latent


def draw(section, u):
    return np.asarray(jitted_draw(section, jnp.asarray(u, jnp.float32)), float)


def grid(section, points):
    return np.asarray(jitted_grid(section, points), float)


def test_stratified_is_even_from_end_to_end_without_jitter():
    values = draw(latent("stratified", low=-3.0, high=5.0, jitter=0.0), np.full((9, 1), 0.7))
    np.testing.assert_allclose(values, np.linspace(-3, 5, 9)[:, None], atol=1e-6)


def test_a_single_stratified_row_is_at_the_lower_end():
    np.testing.assert_allclose(draw(latent("stratified"), [[0.5]]), [[-8 + 0.005]], rtol=1e-6)


@given(
    low=st.floats(-100, 0, width=32, allow_subnormal=False),
    width=st.floats(0.125, 100, width=32),
    jitter=st.floats(0, 10, width=32, allow_subnormal=False),
    seed=st.integers(0, 1000),
)
def test_each_stratified_point_is_moved_upwards_by_its_own_share_of_the_jitter(
    low, width, jitter, seed
):
    u = np.random.default_rng(seed).uniform(size=(16, 1)).astype(np.float32)
    values = draw(latent("stratified", low=low, high=low + width, jitter=jitter), u)
    expected = np.linspace(low, low + width, 16)[:, None] + jitter * u
    np.testing.assert_allclose(values, expected, atol=2e-5)  # float32 at up to 100


@pytest.mark.parametrize("dim", [1, 3])
def test_uniform_latents_fill_their_range(dim):
    section = latent("uniform", dim, low=-1.0, high=3.0)
    u = np.stack([np.roll(EVEN[:, 0], 100 * i) for i in range(dim)], axis=1)
    np.testing.assert_allclose(draw(section, u), 4 * u - 1, atol=1e-6)
    assert draw(section, [[EPSILON] * dim]).min() >= -1
    assert draw(section, [[1 - EPSILON] * dim]).max() <= 3


@pytest.mark.parametrize("dim", [1, 3])
def test_normal_latents_ignore_the_range_and_have_the_normals_moments(dim):
    section = latent("normal", dim, low=-0.1, high=0.1)
    values = draw(section, np.repeat((np.arange(10_000)[:, None] + 0.5) / 10_000, dim, axis=1))
    assert values.shape == (10_000, dim)
    # The even grid lacks half a point's weight in each tail, where x^4 is about 230.
    moments = [(values**order).mean(0) for order in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, np.outer([0, 1, 0, 3], np.ones(dim)), atol=0.03)


@pytest.mark.parametrize("freedom", [1.0, 2.5, 4.0])
def test_latents_of_students_t_are_its_quantiles_in_each_dimension(freedom):
    made = {"latent.kind": "student_t", "latent.freedom": freedom, "latent.dim": 2}
    u = np.column_stack([EVEN[:, 0], EVEN[::-1, 0]])
    expected = scipy.stats.t.ppf(u.astype(float), freedom)
    np.testing.assert_allclose(draw(setting(**made).latent, u), expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("kind", latents.KINDS)
def test_the_most_extreme_uniforms_give_finite_latents(kind):
    assert np.isfinite(draw(latent(kind), [[EPSILON], [1 - EPSILON]])).all()


def test_the_grid_of_an_interval_is_the_midpoints_of_equal_slices():
    for kind in ("uniform", "stratified"):  # the jitter is no part of the grid
        values = grid(latent(kind, low=-2.0, high=6.0, jitter=5.0), 4)
        np.testing.assert_allclose(values, [[-1], [1], [3], [5]], atol=1e-6)


def test_the_normal_grid_is_the_normals_quantiles_at_midpoints():
    levels = (np.arange(501) + 0.5) / 501
    expected = scipy.stats.norm.ppf(levels)[:, None]
    np.testing.assert_allclose(grid(latent("normal"), 501), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("points", [1, 101, 100_001])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_every_grid_is_finite_and_within_the_range(dim, points):
    values = grid(latent("uniform", dim, low=0.0, high=1.0), points)
    assert values.shape == (points, dim)
    assert values.min() > 0 and values.max() < 1


def test_each_coordinate_of_the_planes_grid_is_even():
    values = grid(latent("uniform", 2, low=0.0, high=1.0), 500)
    edges = np.pad(np.sort(values, axis=0), ((1, 1), (0, 0)), constant_values=(0, 1))
    # Random points leave gaps of about log(500) / 500 = 6 / 500.
    assert np.diff(edges, axis=0).max() <= 3 / 500


@pytest.mark.parametrize("dim", [2, 3])
def test_a_grid_of_several_dimensions_fills_them_together(dim):
    # Points on the diagonal would be even in each coordinate as well.
    values = grid(latent("uniform", dim, low=0.0, high=1.0), 500)
    random = np.random.default_rng(0).uniform(size=(500, dim))
    assert scipy.stats.qmc.discrepancy(values) < 0.25 * scipy.stats.qmc.discrepancy(random)


@pytest.mark.parametrize("batch_size", [2, 8, 300, 4096])
def test_trained_latents_are_those_that_batches_have(batch_size):
    section, points = latent("stratified", low=-1.0, high=3.0, jitter=0.001), 501
    values = np.asarray(latents.trained(section, batch_size, points), float)[:, 0]
    places = draw(section, np.zeros((batch_size, 1)))[:, 0]
    index = np.searchsorted(places, values + 1e-6, side="right") - 1
    counts = np.bincount(index, minlength=batch_size)
    assert counts.max() - counts.min() <= 1 and counts.sum() == points
    moved = values - places[index]
    assert moved.min() > -1e-6 and moved.max() < 0.001 + 1e-6
    if batch_size <= 8:  # the jitter of each point is spread evenly
        for place in range(batch_size):
            own = np.sort(moved[index == place])
            even = 0.001 * (np.arange(len(own)) + 0.5) / len(own)
            np.testing.assert_allclose(own, even, atol=0.001 / len(own) + 1e-6)


@pytest.mark.parametrize("dim", [9, 64, 256])
def test_coordinates_of_many_are_not_correlated(dim):
    values = latents.levels(501, dim)
    assert values.dtype == np.float32 and values.min() > 0 and values.max() < 1
    correlations = np.corrcoef(values, rowvar=False)[np.triu_indices(dim, 1)]
    assert np.abs(correlations).max() < 5.5 / 501**0.5
    assert scipy.stats.kstest(values.ravel(), "uniform").pvalue > 1e-3
    np.testing.assert_array_equal(values, latents.levels(501, dim))


def test_the_points_of_many_dimensions_are_always_these():
    expected = np.float32([[0.23230010271072388, 0.8281057476997375, 0.5279693007469177]])
    np.testing.assert_array_equal(latents.levels(2, 9)[:1, :3], expected)


def test_the_grid_of_the_plane_is_the_recurrence_of_the_plastic_number():
    values = grid(latent("uniform", 2, low=0.0, high=1.0), 50)
    plastic = np.roots([1, 0, -1, -1]).real.max()  # g^3 = g + 1
    expected = (0.5 + np.outer(np.arange(50), [1 / plastic, 1 / plastic**2])) % 1
    np.testing.assert_allclose(values, expected, atol=1e-6)
