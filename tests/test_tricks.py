import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from gan1d.gan import inputs, matching, tricks

minibatch_features = jax.jit(tricks.minibatch_features, static_argnames="rows")
seeds = st.integers(0, 10_000)


def normals(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def similarities(projected, self_distance, compared=0):
    """sum_j exp(-(||M_ib - M_jb||_1 + self_distance [i = j])), entry by entry.

    j runs over i, i + B / compared, i + 2 B / compared, ..., rounded down and around the end.
    """
    rows, kernels, dim = projected.shape
    result = np.zeros((rows, kernels))
    for i in range(rows):
        for b in range(kernels):
            for step in range(compared or rows):
                j = (i + step * rows // (compared or rows)) % rows
                distance = sum(abs(projected[i, b, k] - projected[j, b, k]) for k in range(dim))
                result[i, b] += np.exp(-(distance + (self_distance if i == j else 0.0)))
    return result


@pytest.mark.parametrize("self_distance", [0.0, 1.0])
@pytest.mark.parametrize("shape", [(8, 5, 3), (5, 2, 1), (2, 1, 4)])
def test_minibatch_features_are_the_papers_sum(shape, self_distance):
    projected = normals(1, *shape)
    np.testing.assert_allclose(
        minibatch_features(jnp.asarray(projected), self_distance),
        similarities(projected.astype(float), self_distance),
        rtol=1e-5,
    )


# Every shape is another compilation: few of them.
shapes = st.sampled_from([(1, 1, 1), (2, 3, 1), (3, 1, 4), (7, 2, 2), (8, 5, 3), (13, 4, 2)])


@given(
    seed=seeds,
    shape=shapes,
    self_distance=st.floats(0, 3, width=32),
    part=st.sampled_from([0, 0.3, 0.5, 1]),
)
def test_minibatch_features_are_the_sum_over_the_compared_rows(seed, shape, self_distance, part):
    rows = -(-int(10 * part) * shape[0] // 10)  # 0: all of them
    projected = normals(seed, *shape)
    np.testing.assert_allclose(
        minibatch_features(jnp.asarray(projected), self_distance, rows=rows),
        similarities(projected.astype(float), self_distance, rows),
        rtol=1e-5,
    )


@pytest.mark.parametrize("size", [2, 7, 12])
def test_all_rows_compared_by_number_are_all_rows(size):
    projected = jnp.asarray(normals(6, size, 5, 3))
    np.testing.assert_allclose(
        minibatch_features(projected, 0.5, rows=size),
        minibatch_features(projected, 0.5),
        rtol=1e-6,
    )


@pytest.mark.parametrize("self_distance", [0.0, 1.0])
def test_a_row_compared_with_one_is_compared_with_itself(self_distance):
    projected = jnp.asarray(normals(7, 9, 5, 3))
    features = minibatch_features(projected, self_distance, rows=1)
    np.testing.assert_allclose(features, np.exp(-self_distance), rtol=1e-6)


@pytest.mark.parametrize("size, rows", [(8, 4), (8, 3), (12, 5), (32, 16), (5, 4)])
def test_each_row_is_compared_with_as_many_others_spread_over_the_batch(size, rows):
    """Ones where a row is compared: identical rows, of which each counts 1."""
    identical = jnp.zeros((size, 1, 1))
    np.testing.assert_allclose(minibatch_features(identical, 0.0, rows=rows), rows, rtol=1e-6)
    # Each row in turn far from all others, which lose it from their sums where they compare.
    losers = np.zeros((size, size), bool)
    for j in range(size):
        moved = identical.at[j].set(100.0)
        losers[j] = np.asarray(minibatch_features(moved, 0.0, rows=rows))[:, 0] < rows - 0.5
        losers[j, j] = False  # it compares itself with others
    # Column i: whom row i is compared with besides itself.
    np.testing.assert_array_equal(losers.sum(0), rows - 1)
    for i in range(size):
        offsets = np.sort(np.append((np.flatnonzero(losers[:, i]) - i) % size, [0, size]))
        assert np.ptp(np.diff(offsets)) <= 1


def test_identical_rows_are_as_near_as_the_batch_is_large():
    projected = jnp.asarray(np.repeat(normals(2, 1, 5, 3), 7, axis=0))
    np.testing.assert_allclose(minibatch_features(projected, 0.0), 7, rtol=1e-6)
    # With the identity of AYLIEN's first code a row's own term is exp(-1).
    expected = 6 + np.exp(-1)
    np.testing.assert_allclose(minibatch_features(projected, 1.0), expected, rtol=1e-6)


def test_distant_rows_are_near_to_themselves_only():
    projected = jnp.asarray(100 * np.arange(4.0, dtype=np.float32)[:, None, None])
    np.testing.assert_allclose(minibatch_features(projected, 0.0), 1, rtol=1e-6)


@given(seed=seeds)
def test_minibatch_features_move_with_their_rows(seed):
    projected = normals(seed, 6, 5, 3)
    order = np.random.default_rng(seed).permutation(6)
    straight = minibatch_features(jnp.asarray(projected), 1.0)
    permuted = minibatch_features(jnp.asarray(projected[order]), 1.0)
    # Only the order of the six summands differs.
    np.testing.assert_allclose(permuted, np.asarray(straight)[order], rtol=1e-6)


@given(seed=seeds, shift=st.floats(-100, 100, width=32, allow_subnormal=False))
def test_only_distances_count(seed, shift):
    # In steps of 1/64 the shift is exact, so the distances are the same to the last bit.
    projected = np.round(64 * normals(seed, 6, 5, 3)) / 64
    moved = projected + np.round(64 * shift) / 64
    np.testing.assert_array_equal(
        minibatch_features(jnp.asarray(moved, jnp.float32), 0.0),
        minibatch_features(jnp.asarray(projected, jnp.float32), 0.0),
    )


# In float64. A new form of feature matching needs an entry.
CLOSED_FORMS = {
    "paired": lambda real, fake: np.linalg.norm(real - fake),
    "paired_squared": lambda real, fake: np.linalg.norm(real - fake) ** 2,
    "mean": lambda real, fake: np.linalg.norm(real.mean(0) - fake.mean(0)) ** 2,
}


@pytest.mark.parametrize("kind", matching.MATCHING)
@given(seed=seeds)
def test_feature_matching_is_its_formula(kind, seed):
    real, fake = normals(seed, 2, 12, 8)
    expected = CLOSED_FORMS[kind](real.astype(float), fake.astype(float))
    actual = matching.MATCHING[kind](jnp.asarray(real), jnp.asarray(fake))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("kind", matching.MATCHING)
def test_equal_features_match_perfectly_and_give_no_gradient(kind):
    features = jnp.asarray(normals(3, 12, 8))
    match = matching.MATCHING[kind]
    value, gradient = jax.value_and_grad(match, argnums=1)(features, features)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("kind", matching.MATCHING)
def test_features_that_are_no_numbers_match_by_none(kind):
    features = normals(3, 12, 8)
    broken = features.copy()
    broken[3, 2] = np.nan
    assert np.isnan(matching.MATCHING[kind](features, broken))
    assert np.isnan(matching.MATCHING[kind](broken, features))


def test_the_gradient_of_paired_matching_is_the_unit_direction_to_the_features():
    real, fake = normals(4, 2, 12, 8)
    gradient = jax.grad(matching.MATCHING["paired"], argnums=1)(
        jnp.asarray(real), jnp.asarray(fake)
    )
    difference = (fake - real).astype(float)
    expected = difference / np.linalg.norm(difference)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


def test_only_paired_matching_depends_on_the_order_of_rows():
    real, fake = normals(5, 2, 12, 8)
    for kind, match in matching.MATCHING.items():
        straight = match(jnp.asarray(real), jnp.asarray(fake))
        shuffled = match(jnp.asarray(real), jnp.asarray(fake[::-1].copy()))
        assert np.allclose(straight, shuffled, rtol=1e-5) == (kind == "mean")


def normalised(x, reference, epsilon=1e-5):
    """Each row of x by the mean and variance of the reference rows and itself, one at a time."""
    result = np.empty_like(x)
    for i, row in enumerate(x):
        batch = np.concatenate([reference, row[None]])
        result[i] = (row - batch.mean(0)) / np.sqrt(batch.var(0) + epsilon)
    return result


virtual_batch_norm = jax.jit(tricks.virtual_batch_norm)


@given(
    seed=seeds, size=st.sampled_from([1, 2, 8]), shift=st.floats(-50, 50), scale=st.floats(0.5, 4)
)
def test_virtual_batch_norm_is_its_formula(seed, size, shift, scale):
    reference = (shift + scale * normals(seed, size, 5)).astype(np.float32)
    x = (shift + 2 * normals(seed + 1, 6, 5)).astype(np.float32)
    rows, batch = virtual_batch_norm(jnp.asarray(x), jnp.asarray(reference))
    x, reference = x.astype(float), reference.astype(float)
    # Rounding of the values moves them by up to 4e-6 of 1, and one value has no spread but epsilon.
    close = {"rtol": 1e-3, "atol": 1e-4 if size > 1 else 4e-6 / 1e-5**0.5}
    np.testing.assert_allclose(rows, normalised(x, reference), **close)
    spread = np.sqrt(reference.var(0) + 1e-5)
    np.testing.assert_allclose(batch, (reference - reference.mean(0)) / spread, **close)


def test_virtual_batch_norm_of_a_row_does_not_depend_on_its_company():
    reference, x = jnp.asarray(normals(8, 12, 5)), jnp.asarray(normals(9, 6, 5))
    alone, batch = virtual_batch_norm(x[2:3], reference)
    in_company, same = virtual_batch_norm(x, reference)
    np.testing.assert_allclose(in_company[2:3], alone, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(batch, same, rtol=1e-6, atol=1e-6)


def test_virtual_batch_norm_of_constant_rows_is_finite():
    ones = jnp.full((8, 3), 7.3)

    def total(x, reference):
        return sum(rows.sum() for rows in tricks.virtual_batch_norm(x, reference))

    value, gradients = jax.jit(jax.value_and_grad(total, argnums=(0, 1)))(ones[:2], ones)
    np.testing.assert_allclose(value, 0, atol=1e-2)  # rounding over the root of epsilon
    for gradient in gradients:
        assert np.isfinite(gradient).all()


COUNT, DRAWS = 5, 20_000
sorted_normals = jax.jit(jax.vmap(inputs.sorted_normals))


@pytest.fixture(scope="module")
def draws():
    """Sorted normals `[DRAWS, COUNT, 2]`."""
    u = jax.random.uniform(jax.random.key(0), (DRAWS, COUNT + 1, 2), minval=2.0**-24)
    return np.asarray(sorted_normals(u), float)


def test_sorted_normals_ascend(draws):
    assert draws.shape == (DRAWS, COUNT, 2)
    assert (np.diff(draws, axis=1) > 0).all()


@pytest.mark.parametrize("rank", range(1, COUNT + 1))
def test_each_sorted_normal_is_distributed_as_its_order_statistic(draws, rank):
    # The rank-th of 5 uniforms is Beta(rank, 6 - rank); the p-values' bound allows one false
    # alarm in a thousand keys for each of these ten comparisons.
    beta = scipy.stats.beta(rank, COUNT + 1 - rank)
    for column in range(2):
        values = draws[:, rank - 1, column]
        error = values.std() / DRAWS**0.5
        expected = beta.expect(scipy.stats.norm.ppf)
        assert abs(values.mean() - expected) < 4 * error
        assert scipy.stats.kstest(scipy.stats.norm.cdf(values), beta.cdf).pvalue > 1e-3


def test_sorted_normals_are_jointly_those_of_independent_ones(draws):
    # Together they are five independent normals: the sum has variance 5, the squares' sum mean 5.
    sums, squares = draws.sum(1), (draws**2).sum(1)
    np.testing.assert_allclose(sums.var(0), COUNT, rtol=4 * (2 / DRAWS) ** 0.5)
    np.testing.assert_allclose(squares.mean(0), COUNT, rtol=4 * (2 / COUNT / DRAWS) ** 0.5)
    # The columns have nothing to do with each other.
    assert abs(np.corrcoef(sums.T)[0, 1]) < 4 / DRAWS**0.5


@pytest.mark.parametrize("extreme", [2.0**-24, 1 - 2.0**-24])
def test_sorted_normals_of_the_most_extreme_uniforms_are_finite(extreme):
    u = np.full((9, 1), 0.5, np.float32)
    u = np.repeat(u[None], 4, axis=0)
    u[[0, 1, 2], [0, 4, 8]] = extreme
    u[3] = extreme
    assert np.isfinite(sorted_normals(jnp.asarray(u))).all()
