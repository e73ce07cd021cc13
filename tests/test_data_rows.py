"""A family's finite data set: what is drawn from it, by whom, and that it is of the family."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from helpers import draw, law, setting

from gan1d.config import experiment, fields
from gan1d.gan import inputs, randomness

ROWS = 7
PLANE = {"target.kind": "moons", "latent.kind": "uniform", "latent.dim": 2}
FINITE = {"training.data_rows": ROWS, "training.batch_size": 32}


def rows_of(made, seed, count=ROWS):
    """A run's whole data set `[N, X]`."""
    numbers = jnp.arange(count, dtype=jnp.float32)
    return np.asarray(jax.jit(inputs.data_set)(made, randomness.run_key(seed), numbers))


def drawn(made, seed, updates=20):
    """All rows that a run is trained on `[N, X]`."""
    key = randomness.run_key(seed)
    batches = [draw(made, key, step) for step in range(updates)]
    batches += [batch.later for batch in batches if batch.later]
    return np.concatenate([batch.real.reshape(-1, batch.real.shape[-1]) for batch in batches])


@pytest.mark.parametrize("target", [{}, {"target.kind": "poisson"}, PLANE])
def test_all_that_is_drawn_is_of_the_data_set_and_every_row_comes(target):
    made = setting(**FINITE, **target)
    expected, found = rows_of(made, 3), drawn(made, 3)
    np.testing.assert_array_equal(np.unique(found, axis=0), np.unique(expected, axis=0))


def test_rows_are_equally_likely():
    made = setting(**FINITE)
    _, counts = np.unique(drawn(made, 0, 100), return_counts=True)
    assert len(counts) == ROWS and counts.sum() == 3200
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_each_seed_has_a_data_set_of_its_own_or_all_have_the_same():
    own = setting(**FINITE)
    same = setting(**FINITE, **{"training.data_set": "same"})
    assert not np.isin(rows_of(own, 0), rows_of(own, 1)).any()
    np.testing.assert_array_equal(rows_of(same, 0), rows_of(same, 1))
    # Yet they draw from it in an order of their own.
    assert (drawn(same, 0) != drawn(same, 1)).any()


def test_a_seeds_data_set_is_the_same_in_other_settings_and_grows_with_its_size():
    small, large = (
        setting(**{"training.data_rows": rows, "training.batch_size": size})
        for rows, size in ((ROWS, 8), (3 * ROWS, 64))
    )
    np.testing.assert_array_equal(rows_of(small, 5), rows_of(large, 5, 3 * ROWS)[:ROWS])


def test_second_halves_of_steps_draw_from_it_too():
    halves = {"training.dynamics": "extragradient", "training.fresh_halves": True}
    made = setting(**FINITE, **halves)
    assert np.isin(drawn(made, 2), rows_of(made, 2)).all()


def test_its_rows_are_independent_ones_of_the_family():
    made = setting(**FINITE)
    found = rows_of(made, 0, 5000)[:, 0].astype(float)
    assert len(np.unique(found)) > 4990
    assert scipy.stats.kstest(found, law(made.target).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 4.5 / 5000**0.5


def test_the_largest_uniform_draws_the_last_row():
    """Of so many rows that the product is rounded up to their number."""
    made = setting(**FINITE | {"training.data_rows": 2**22})
    last = rows_of(made, 1, 2**22)[-1]
    with pytest.MonkeyPatch.context() as patch:
        largest = np.float32(1 - 2.0**-24)
        patch.setattr(randomness, "uniforms", _all_but_in_rows(largest, randomness.uniforms))
        batch = inputs.draw(made, randomness.run_key(1), 0)
    np.testing.assert_array_equal(batch.real, np.broadcast_to(last, batch.real.shape))


def _all_but_in_rows(value, uniforms):
    """Uniforms that are all one value, but for those that rows themselves are made of, `[1]`."""
    return lambda key, shape: uniforms(key, shape) if shape == (1,) else jnp.full(shape, value)


def test_what_it_makes_no_sense_with_is_refused():
    own_data = {"target.kind": "data", "target.array": np.arange(100.0)}
    with pytest.raises(
        fields.ConfigError, match=r"training.data_rows=7: own data are a finite set"
    ):
        experiment.resolve(FINITE | own_data)
    with pytest.raises(fields.ConfigError, match=r"training.data_set: no effect unless"):
        experiment.resolve({"sweep": ("training.data_set=own,same",)})


def test_its_size_can_be_swept_against_no_end_of_data():
    made = experiment.resolve({"sweep": ("training.data_rows=0,100,10000",)})
    assert made.labels == ("plain", "data rows 100", "data rows 10000")
