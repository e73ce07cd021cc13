"""Finite sets of data and latents: what is drawn from them, by whom, and that it is of the family.

And rows that are spread over a family, drawn anew or in such a set.
"""

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


LATENTS = {"latent.kind": "normal", "latent.dim": 2, "training.finite_latents": True}


def latents_of(made, seed, count=ROWS):
    numbers = jnp.arange(count, dtype=jnp.float32)
    return np.asarray(jax.jit(inputs.latent_set)(made, randomness.run_key(seed), numbers))


def latents_drawn(made, seed, name, updates=20):
    key = randomness.run_key(seed)
    batches = [getattr(draw(made, key, step), name) for step in range(updates)]
    return np.concatenate([batch.reshape(-1, made.latent.dim) for batch in batches])


@pytest.mark.parametrize("name", ["latent_d", "latent_g", "others"])
def test_latents_of_a_finite_set_are_all_that_is_drawn_and_every_one_comes(name):
    made = setting(**FINITE, **LATENTS, **{"diversity.kind": "mode_seeking"})
    found = latents_drawn(made, 3, name)
    np.testing.assert_array_equal(np.unique(found, axis=0), np.unique(latents_of(made, 3), axis=0))


def test_both_players_draw_latents_of_their_own_and_pair_them_with_any_row():
    made = setting(**FINITE, **LATENTS, **{"training.sort": False})
    assert (latents_drawn(made, 0, "latent_d") != latents_drawn(made, 0, "latent_g")).any()
    rows, paired = drawn(made, 0), latents_drawn(made, 0, "latent_d")
    pairs = np.unique(np.concatenate([rows, paired], axis=1), axis=0)
    assert len(pairs) == ROWS**2


def test_each_seed_has_latents_of_its_own_or_all_have_the_same():
    own = setting(**FINITE, **LATENTS)
    same = setting(**FINITE, **LATENTS, **{"training.data_set": "same"})
    assert not np.isin(latents_of(own, 0), latents_of(own, 1)).any()
    np.testing.assert_array_equal(latents_of(same, 0), latents_of(same, 1))


def test_latents_of_a_set_are_independent_ones_of_their_law():
    found = latents_of(setting(**FINITE, **LATENTS), 0, 5000).astype(float)
    assert scipy.stats.kstest(found.reshape(-1), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(*found.T)[0, 1]) < 4.5 / 5000**0.5


def test_a_full_batch_is_the_data_set_in_its_order_beside_the_same_latents():
    full = {"training.full_batch": True, "training.sort": False, "training.batch_size": ROWS}
    steps = {"training.d_steps": 2, "training.g_steps": 3}
    made = setting(**FINITE | LATENTS | full | steps)
    for step in (0, 5):
        batch = draw(made, randomness.run_key(4), step)
        for rows in batch.real:
            np.testing.assert_array_equal(rows, rows_of(made, 4))
        for latents in (*batch.latent_d, *batch.latent_g):
            np.testing.assert_array_equal(latents, latents_of(made, 4))


def modes_of(rows):
    """The number of each row's mode on a ring of eight."""
    return np.round(np.arctan2(rows[..., 1], rows[..., 0]) * 4 / np.pi).astype(int) % 8


RING = {"target.kind": "ring", "target.loc": 0.0, "target.scale": 1.0, "latent.kind": "normal"}
SPREAD = RING | {"training.batch_size": 16, "training.strata": 8}


def test_a_row_is_of_the_stratum_that_its_number_says():
    made = setting(**SPREAD, **{"training.d_steps": 2})
    for step in range(5):
        found = modes_of(draw(made, randomness.run_key(0), step).real)
        np.testing.assert_array_equal(found, np.broadcast_to(np.arange(16) % 8, (2, 16)))


def test_a_data_set_is_spread_over_strata_by_its_rows_numbers():
    made = setting(**SPREAD | {"training.data_rows": 64})
    np.testing.assert_array_equal(modes_of(rows_of(made, 7, 64)), np.arange(64) % 8)


def test_rows_of_a_stratum_are_of_its_part_of_the_law_and_none_is_beyond_it():
    made = setting(**{"training.strata": 64, "training.batch_size": 64, "training.sort": False})
    levels = law(made.target).cdf(np.float64(drawn(made, 0, 200).reshape(200, 64)))
    within = 64 * levels - np.arange(64)
    assert within.min() > -1e-4 and within.max() < 1 + 1e-4
    assert scipy.stats.kstest(within.reshape(-1), "uniform").pvalue > 1e-3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(randomness, "uniforms", lambda key, shape: jnp.full(shape, 1 - 2.0**-24))
        batch = inputs.draw(setting(**SPREAD), randomness.run_key(1), 0)
    np.testing.assert_array_equal(modes_of(np.asarray(batch.real)[0]), np.arange(16) % 8)


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
