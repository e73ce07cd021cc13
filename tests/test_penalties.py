"""Penalties of D: closed forms, and derivatives against differences in float64."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from helpers import setting

from gan1d.gan import penalties, perceptrons, train
from gan1d.gan.penalties import Levels
from gan1d.gan.players import Output, Seen

GAMMA = 0.7
RNG = np.random.default_rng(3)


def section(kind, **fields):
    fields = {"kind": kind, "weight": GAMMA, **fields}
    return setting(**{f"penalty.{name}": value for name, value in fields.items()}).penalty


class Form(NamedTuple):
    """A penalty of D(x) = w x + b, whose slope is w everywhere and whose output is 0."""

    of_slope: Callable  # length of w to the value
    through_sigmoid: Callable | None  # likewise, of D's sigmoid; None: it has no such form


# A new penalty needs a row here, and an entry in PENALTIES.
FORMS = {
    "r1": Form(lambda s: GAMMA / 2 * s**2, lambda s: GAMMA / 32 * s**2),
    "r2": Form(lambda s: GAMMA / 2 * s**2, lambda s: GAMMA / 32 * s**2),
    "r1_r2": Form(lambda s: GAMMA * s**2, lambda s: GAMMA / 16 * s**2),
    "gradient": Form(lambda s: GAMMA * (s - 1) ** 2, lambda s: GAMMA * (s / 4 - 1) ** 2),
    "one_sided": Form(
        lambda s: GAMMA * max(0, s - 1) ** 2, lambda s: GAMMA * max(0, s / 4 - 1) ** 2
    ),
    "zero_centred": Form(lambda s: GAMMA * s**2, lambda s: GAMMA * s**2 / 16),
    "steepest": Form(lambda s: GAMMA * s**2, lambda s: GAMMA * s**2 / 16),
    "dragan": Form(lambda s: GAMMA * (s - 1) ** 2, lambda s: GAMMA * (s / 4 - 1) ** 2),
    "jensen_shannon": Form(lambda s: GAMMA / 4 * s**2, None),
    "lecam": Form(lambda s: GAMMA * (0.2**2 + 0.3**2), None),
    "fisher": Form(lambda s: GAMMA / 2 - 0.4, None),
}
FOLLOWED = {"lecam": Levels(0.3, -0.2), "fisher": 0.4}
each_penalty = pytest.mark.parametrize("kind", penalties.PENALTIES)


def test_every_penalty_has_its_closed_form():
    assert FORMS.keys() == penalties.PENALTIES.keys()


def seen_by_d(kind, *shape):
    return Seen(*RNG.normal(size=(3, *shape)).astype(np.float32), FOLLOWED.get(kind))


@each_penalty
@pytest.mark.parametrize("length", [0.6, 1.5, 4.5])
def test_penalties_of_a_linear_d(kind, length):
    """In the rows that it looks at, of an output that is 0 there."""
    w = np.float32([0.6, -0.8]) * np.float32(length)
    seen = seen_by_d(kind, 5, 2)

    def d(x):
        return Output((x - jax.lax.stop_gradient(x)) @ w, x)

    value = penalties.PENALTIES[kind](section(kind), d, seen)
    np.testing.assert_allclose(value, FORMS[kind].of_slope(length), rtol=1e-5, atol=1e-7)
    if FORMS[kind].through_sigmoid is not None:
        through = setting(
            **{"penalty.kind": kind, "penalty.weight": GAMMA, "penalty.through": "sigmoid"}
        )
        value = penalties.PENALTIES[kind](through.penalty, d, seen)
        np.testing.assert_allclose(value, FORMS[kind].through_sigmoid(length), rtol=1e-5, atol=1e-7)


WHERE = {"lecam": "r", "fisher": "rf", "r1": "r", "r2": "f", "r1_r2": "rf", "jensen_shannon": "rf"}


@each_penalty
def test_a_penalty_looks_at_its_own_rows(kind):
    """A parabola's slope is 0 at 0: only rows that are elsewhere count."""
    looked = ""
    for i, name in enumerate("rfm"):
        rows = [jnp.zeros((4, 1))] * 3
        rows[i] = jnp.full((4, 1), 3.0)
        own = section(kind, target=0.0)
        at_0 = {"lecam": Levels(0.0, 0.0), "fisher": 0.0}.get(kind)

        def penalty(rows, own=own, at_0=at_0):
            seen = Seen(*rows, at_0)
            return penalties.PENALTIES[kind](own, lambda x: Output(x[:, 0] ** 2 / 2, x), seen)

        looked += name * bool(abs(penalty(rows) - penalty([jnp.zeros((4, 1))] * 3)) > 1e-6)
    assert looked == WHERE.get(kind, "m")


def test_a_flat_d_has_a_gradient_penalty_and_a_finite_gradient_of_it():
    def value(w):
        return penalties.gradient(
            section("gradient"), lambda x: Output(x @ w, x), seen_by_d("gradient", 5, 2)
        )

    found, slope = jax.value_and_grad(value)(jnp.zeros(2))
    np.testing.assert_allclose(found, GAMMA, rtol=1e-6)
    np.testing.assert_array_equal(slope, 0)


def test_interpolated_rows_of_sorted_batches_are_independent_pairs():
    """Of D = x^2 / 2, N(m, S^2) and N(k, T^2): E slope^2 is (m^2 + S^2 + k^2 + T^2 + m k) / 3."""
    one = setting(**{"penalty.kind": "zero_centred", "training.batch_size": 4096})
    assert one.training.sort
    batch = jax.jit(train.draw)(one, jax.random.key(0), 0)
    probes = jax.tree.map(lambda array: array[0], batch.probes)
    m, s, k, t = 1.0, 2.0, -1.5, 0.5
    rows = np.sort(RNG.normal(size=(2, 4096, 1)), axis=1).astype(np.float32)
    seen = Seen(m + s * rows[0], k + t * rows[1])
    between = penalties.probed(one.penalty, seen, probes)
    expected = (m**2 + s**2 + k**2 + t**2 + m * k) / 3
    np.testing.assert_allclose((between**2).mean(), expected, rtol=0.05)
    # Had they been paired in their order, it would be this far off.
    in_order = penalties.probed(one.penalty, seen, probes._replace(partner=None))
    assert abs((in_order**2).mean() - expected) > 0.08 * expected


def test_rows_around_real_ones_are_within_half_of_their_std():
    one = setting(**{"penalty.kind": "dragan", "training.batch_size": 512})
    batch = jax.jit(train.draw)(one, jax.random.key(0), 0)
    probes = jax.tree.map(lambda array: array[0], batch.probes)
    real = jnp.asarray(RNG.normal(0, 3, (512, 1)), jnp.float32)
    away = penalties.probed(one.penalty, Seen(real, real), probes) - real
    assert 0 < away.min() and away.max() < 0.5 * real.std()
    np.testing.assert_allclose(away.mean(), 0.125 * real.std(), rtol=0.1)


@pytest.mark.parametrize("kind", ["gradient", "dragan"])
def test_a_row_in_the_plane_is_probed_at_one_share_of_the_way(kind):
    """To another one; or around it, within half of one std of all entries of the batch."""
    fields = {"target.kind": "ring", "latent.kind": "uniform", "latent.dim": 2}
    one = setting(**fields, **{"penalty.kind": kind})
    probes = penalties.draw(one, lambda name, shape: RNG.uniform(size=shape), (1, 5))
    probes = jax.tree.map(lambda x: x[0], probes)
    assert probes.share.shape == (5, 1) and probes.partner is None
    real, fake = RNG.normal(size=(2, 5, 2)) * [1, 100]
    found = penalties.probed(one.penalty, Seen(real, fake), probes)
    if kind == "dragan":
        assert probes.away.shape == (5, 2)
        expected = real + probes.share * 0.5 * np.std(real.ravel()) * probes.away
    else:
        expected = probes.share * real + (1 - probes.share) * fake
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@each_penalty
def test_a_penalty_of_a_row_that_is_no_number_is_none(kind):
    rows = np.ones((3, 3, 1), np.float32)
    rows[:, 1] = np.nan
    own, seen = section(kind, target=0.0), Seen(*rows, FOLLOWED.get(kind))
    value = penalties.PENALTIES[kind](own, lambda x: Output(x[:, 0] ** 2, x), seen)
    assert np.isnan(value)


def test_r1_of_a_parabola_is_that_of_the_second_moment():
    """D = a x^2 / 2: (gamma / 2) a^2 E x^2, over the real rows alone."""
    real = RNG.normal(1.0, 2.0, (50, 1)).astype(np.float32)
    seen = Seen(jnp.asarray(real), jnp.full((50, 1), 1e3))
    value = penalties.r1(section("r1"), lambda x: Output(1.5 * x[:, 0] ** 2 / 2, x), seen)
    np.testing.assert_allclose(value, GAMMA / 2 * 1.5**2 * (real**2).mean(), rtol=1e-5)


def test_the_slope_of_a_d_that_compares_rows_is_that_of_the_sum_of_its_outputs():
    rows = jnp.asarray(RNG.normal(size=(4, 1)), jnp.float32)
    slopes = penalties.slopes(lambda x: Output(x[:, 0] * x.sum(), x), rows)
    np.testing.assert_allclose(slopes[:, 0], np.full(4, 2 * rows.sum()), rtol=1e-5)


@each_penalty
@pytest.mark.parametrize("activation", ["tanh", "softplus", "relu"])
def test_the_gradient_in_ds_weights_is_that_of_differences(kind, activation):
    fields = {"discriminator.hidden": (3, 2), "discriminator.activation": activation}
    one = setting(**fields)
    params, _ = perceptrons.init_discriminator(one, jax.random.key(1))
    seen = Seen(*RNG.normal(size=(3, 6, 1)), FOLLOWED.get(kind))
    leaves, structure = jax.tree.flatten(jax.tree.map(lambda x: np.asarray(x, float), params))
    ends = np.cumsum([leaf.size for leaf in leaves])

    def value(flat):
        parts = jnp.split(flat, ends[:-1])
        rebuilt = [part.reshape(x.shape) for part, x in zip(parts, leaves, strict=True)]
        d = {"params": jax.tree.unflatten(structure, rebuilt)}
        own = section(kind, target=0.01)
        return penalties.PENALTIES[kind](own, lambda x: perceptrons.discriminate(one, d, x), seen)

    flat, step = np.concatenate([leaf.ravel() for leaf in leaves]), 1e-6
    ways = np.eye(len(flat)) * step
    with jax.enable_x64(True):
        values = jax.jit(jax.vmap(value))
        found = jax.jit(jax.grad(value))(flat), values(flat + ways), values(flat - ways)
    gradient, above, below = map(np.asarray, found)
    assert gradient.dtype == above.dtype == np.float64 and np.abs(gradient).max() > 1e-3
    np.testing.assert_allclose(gradient, (above - below) / (2 * step), rtol=1e-5, atol=1e-8)


def test_lecams_levels_are_running_means_of_ds_outputs():
    one = setting(**{"penalty.kind": "lecam", "penalty.memory": 0.8, "training.d_steps": 2})
    state, _ = train.init(one, jax.random.key(2))
    batch = jax.jit(train.draw)(one, jax.random.key(2), 0)
    step = jax.jit(train.step, static_argnums=3)
    levels, each = np.zeros(2), state
    for i in range(2):
        fed = jax.tree.map(lambda x, i=i: x[i], batch.d_rows())
        d, shown = train.seen(one, each.carried, None, each.params, fed)
        now = [float(d(x).value.mean()) for x in (shown.real, shown.fake)]
        levels = 0.8 * levels + 0.2 * np.asarray(now)
        each, _ = step(one, each, train.Players(fed, fed), ("d",))
    after, _ = jax.jit(train.d_turn)(one, state, batch)
    np.testing.assert_allclose(after.averages.of_d, levels, rtol=1e-4)


def test_fishers_penalty_is_an_augmented_lagrangian():
    """With rows whose outputs are known, and a multiplier and rho of 1."""
    real, fake = jnp.array([[1.0], [2.0]]), jnp.array([[0.5], [-1.0]])
    seen, own = Seen(real, fake, None, jnp.ones(())), section("fisher", weight=1.0)

    def d(x):
        return Output(x[:, 0], x)

    value = fake.mean() - real.mean() + penalties.fisher(own, d, seen)
    np.testing.assert_allclose(value, -1.029297, atol=1e-6)
    np.testing.assert_allclose(penalties.multiplier_followed(own, d, seen), 1 + 0.5625, atol=1e-6)


def test_fishers_distance_of_two_normals():
    """N(1, 1) and N(0, 1): of the best D of mean square 1 only that distance is left."""
    p, q = scipy.stats.norm(1, 1), scipy.stats.norm(0, 1)
    levels = (np.arange(20000) + 0.5) / 20000
    real, fake = (law.ppf(levels)[:, None] for law in (p, q))

    def chi(x):
        return (p.pdf(x) - q.pdf(x)) / (p.pdf(x) + q.pdf(x))

    size = np.sqrt((np.mean(chi(real) ** 2) + np.mean(chi(fake) ** 2)) / 2)
    seen = Seen(real, fake, None, 0.3)
    penalty = penalties.fisher(section("fisher"), lambda x: Output(chi(x)[:, 0] / size, x), seen)
    np.testing.assert_allclose(penalty, 0, atol=1e-9)
    loss = (chi(fake).mean() - chi(real).mean()) / size
    np.testing.assert_allclose(loss, -0.903447, atol=1e-4)


def test_fishers_multiplier_is_0_at_first_and_moves_with_ds_steps_only():
    fields = {"penalty.kind": "fisher", "penalty.weight": 0.5, "loss.kind": "wasserstein"}
    one = setting(**fields)
    state, _ = train.init(one, jax.random.key(2))
    batch = jax.jit(train.draw)(one, jax.random.key(2), 0)
    rows = jax.tree.map(lambda x: x[0], batch.d_rows())
    d, shown = train.seen(one, state.carried, None, state.params, rows)
    left = 1 - ((d(shown.real).value ** 2).mean() + (d(shown.fake).value ** 2).mean()) / 2
    assert state.averages.of_d == 0
    after, _ = jax.jit(train.d_turn)(one, state, batch)
    np.testing.assert_allclose(after.averages.of_d, -0.5 * left, rtol=1e-5)
    then, _ = jax.jit(train.g_turn)(one, after, batch)
    assert then.averages.of_d == after.averages.of_d


def test_a_lazy_penalty_comes_every_few_updates_as_many_times_as_strong():
    own = section("r1", every=3)
    factors = [float(penalties.factor(own, jnp.float32(n))) for n in range(7)]
    assert factors == [3, 0, 0, 3, 0, 0, 3]


def test_a_penalty_falls_exponentially_to_what_is_left_of_it():
    own = section("r1", fade_steps=10.0, fade=0.01)
    factors = [float(penalties.factor(own, jnp.float32(n))) for n in (0, 5, 10, 20)]
    np.testing.assert_allclose(factors, [1, 0.1, 0.01, 0.01], rtol=1e-5)


@pytest.mark.parametrize("fields", [{"every": 2}, {"fade_steps": 4.0, "fade": 0.1}])
def test_what_a_penalty_is_multiplied_by_is_that_of_its_update(fields):
    named = {f"penalty.{name}": value for name, value in fields.items()}
    one = setting(**{"penalty.kind": "r1", "penalty.weight": 2.0}, **named)
    plain = setting(**{"penalty.kind": "r1", "penalty.weight": 2.0})
    off = setting()
    state, _ = train.init(one, jax.random.key(2))
    for number in range(3):
        batch = jax.jit(train.draw)(one, jax.random.key(2), number)
        rows = jax.tree.map(lambda x: x[0], batch.d_rows())
        with_, whole, without = (
            train.game(each, state.carried, train.Players(rows, rows)).d(state.params)
            for each in (one, plain, off)
        )
        factor = penalties.factor(one.penalty, jnp.float32(number))
        np.testing.assert_allclose(
            with_ - without, factor * (whole - without), rtol=1e-4, atol=1e-5
        )
