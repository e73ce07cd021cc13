from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from helpers import gradients_and_differences, setting

from gan1d.gan import losses

OUTPUTS = np.linspace(-6, 6, 49)
CROSS_ENTROPIES = ("non_saturating", "saturating")
LABELLED = (*CROSS_ENTROPIES, "least_squares")
OF_OUTPUTS = [kind for kind, entry in losses.LOSSES.items() if entry.of_rows is None]
each_loss = pytest.mark.parametrize("kind", OF_OUTPUTS)
each_labelled = pytest.mark.parametrize("kind", LABELLED)


def section(kind, floor=0.0, **fields):
    own = FORMS[kind].fields if kind in FORMS else {}
    fields = {"kind": kind, "log_floor": floor, **own, **fields}
    # Sorted rows are no pairs.
    fields = {f"loss.{name}": value for name, value in fields.items()}
    return setting(**fields, **{"training.sort": False}).loss


def discriminator(loss, real, fake):
    return losses.LOSSES[loss.kind].d(loss, jnp.float32(real), jnp.float32(fake))


def generator(loss, fake, real=0.0):
    return losses.LOSSES[loss.kind].g(loss, jnp.float32(real), jnp.float32(fake))


def log_d(floor, output):
    """log max(D, floor), as the sources have it."""
    return np.log(np.maximum(1 / (1 + np.exp(-np.asarray(output, float))), floor))


def softplus(x):
    return np.logaddexp(0, np.asarray(x, float))


class Form(NamedTuple):
    """A loss in closed form and float64, and what is known of it."""

    d: Callable  # (floor, real, fake)
    g: Callable  # (floor, real, fake)
    at_rest: tuple[float, float] | None  # of D and G, where D can't tell; None: there is no rest
    fixture: tuple[float, float]  # means of D and G at real (1, 2), generated (.5, -1)
    shifts: bool = False  # whether a constant on every output changes nothing of D's loss
    fields: Mapping = MappingProxyType({})  # of the loss section, that all this is of


# A new loss needs a row here, and an entry in LOSSES.
FORMS = {
    "non_saturating": Form(
        lambda floor, real, fake: -(log_d(floor, real) + log_d(floor, -fake)),
        lambda floor, real, fake: -log_d(floor, fake),
        (2 * np.log(2), np.log(2)),
        (0.863764, 0.893669),
    ),
    "saturating": Form(
        lambda floor, real, fake: -(log_d(floor, real) + log_d(floor, -fake)),
        lambda floor, real, fake: log_d(floor, -fake),
        (2 * np.log(2), -np.log(2)),
        (0.863764, -0.643669),
    ),
    "least_squares": Form(
        lambda floor, real, fake: 0.5 * (real - 1) ** 2 + 0.5 * fake**2,
        lambda floor, real, fake: 0.5 * (fake - 1) ** 2,
        (1 / 4, 1 / 8),
        (0.5625, 1.0625),
    ),
    "wasserstein": Form(
        lambda floor, real, fake: fake - real,
        lambda floor, real, fake: -fake,
        None,
        (-1.75, 0.25),
        shifts=True,
    ),
    "hinge": Form(
        lambda floor, real, fake: np.maximum(0, 1 - real) + np.maximum(0, 1 + fake),
        lambda floor, real, fake: -fake,
        (2.0, 0.0),
        (0.75, 0.25),
    ),
    "relativistic": Form(
        lambda floor, real, fake: softplus(-(real - fake)),
        lambda floor, real, fake: softplus(-(fake - real)),
        (np.log(2), np.log(2)),
        (0.261332, 2.011332),
        shifts=True,
    ),
    "least_squares_pearson": Form(
        lambda floor, real, fake: 0.5 * ((real - 1) ** 2 + (fake + 1) ** 2),
        lambda floor, real, fake: 0.5 * fake**2,
        (1.0, 0.0),
        (0.8125, 0.3125),
    ),
    "relativistic_least_squares": Form(
        lambda floor, real, fake: (real - fake - 1) ** 2,
        lambda floor, real, fake: (fake - real - 1) ** 2,
        (1.0, 1.0),
        (2.125, 9.125),
        shifts=True,
    ),
    "relativistic_hinge": Form(
        lambda floor, real, fake: np.maximum(0, 1 - (real - fake)),
        lambda floor, real, fake: np.maximum(0, 1 - (fake - real)),
        (1.0, 1.0),
        (0.25, 2.75),
        shifts=True,
    ),
    "relativistic_average": Form(
        lambda floor, real, fake: softplus(fake.mean() - real) + softplus(fake - real.mean()),
        lambda floor, real, fake: softplus(real - fake.mean()) + softplus(real.mean() - fake),
        (2 * np.log(2), 2 * np.log(2)),
        (0.372144, 3.872144),
        shifts=True,
    ),
    "relativistic_average_least_squares": Form(
        lambda floor, real, fake: (real - fake.mean() - 1) ** 2 + (fake - real.mean() + 1) ** 2,
        lambda floor, real, fake: (real - fake.mean() + 1) ** 2 + (fake - real.mean() - 1) ** 2,
        (2.0, 2.0),
        (1.9375, 15.9375),
        shifts=True,
    ),
    "relativistic_average_hinge": Form(
        lambda floor, real, fake: (
            np.maximum(0, 1 - real + fake.mean()) + np.maximum(0, 1 + fake - real.mean())
        ),
        lambda floor, real, fake: (
            np.maximum(0, 1 + real - fake.mean()) + np.maximum(0, 1 - fake + real.mean())
        ),
        (2.0, 2.0),
        (0.0, 5.5),
        shifts=True,
    ),
    # At alpha = 1/2, by P = sigmoid: 1 / P - 1.
    "alpha_saturating": Form(
        lambda floor, real, fake: np.exp(-log_d(floor, real)) + np.exp(-log_d(floor, -fake)) - 2,
        lambda floor, real, fake: 1 - np.exp(-log_d(floor, -fake)),
        (2.0, -1.0),
        (1.259908, -1.008300),
        fields={"alpha_d": 0.5, "alpha_g": 0.5},
    ),
    # At alpha = 2: 2 (1 - sqrt(P)).
    "alpha_non_saturating": Form(
        lambda floor, real, fake: (
            4 - 2 * np.exp(log_d(floor, real) / 2) - 2 * np.exp(log_d(floor, -fake) / 2)
        ),
        lambda floor, real, fake: 2 - 2 * np.exp(log_d(floor, fake) / 2),
        (1.171573, 0.585786),
        (0.737009, 0.692443),
        fields={"alpha_d": 2.0, "alpha_g": 2.0},
    ),
    "f_kl": Form(
        lambda floor, real, fake: -real + np.exp(fake - 1),
        lambda floor, real, fake: -np.exp(fake - 1),
        (0.0, -1.0),
        (-1.129067, -0.370933),
    ),
    "f_reverse_kl": Form(
        lambda floor, real, fake: np.exp(-real) + fake - 1,
        lambda floor, real, fake: 1 - fake,
        (0.0, 1.0),
        (-0.998393, 1.25),
    ),
    "f_pearson": Form(
        lambda floor, real, fake: -real + fake**2 / 4 + fake,
        lambda floor, real, fake: -(fake**2) / 4 - fake,
        (0.0, 0.0),
        (-1.59375, 0.09375),
    ),
    "f_squared_hellinger": Form(
        lambda floor, real, fake: np.exp(-real) + np.exp(fake) - 2,
        lambda floor, real, fake: 1 - np.exp(fake),
        (0.0, 0.0),
        (-0.740092, -0.0083),
    ),
    "f_jensen_shannon": Form(
        lambda floor, real, fake: softplus(-real) + softplus(fake) - 2 * np.log(2),
        lambda floor, real, fake: np.log(2) - softplus(fake),
        (0.0, 0.0),
        (-0.522530, 0.049478),
    ),
}


def test_every_loss_has_its_closed_form_below():
    assert FORMS.keys() == set(OF_OUTPUTS)


@each_loss
@pytest.mark.parametrize("floor", [0.0, 1e-5, 0.25])
def test_losses_are_their_formulas_row_by_row(kind, floor):
    loss, form = section(kind, floor), FORMS[kind]
    real, fake = (array.ravel() for array in np.meshgrid(OUTPUTS, OUTPUTS))
    close = {"rtol": 2e-6, "atol": 1e-6}
    np.testing.assert_allclose(discriminator(loss, real, fake), form.d(floor, real, fake), **close)
    np.testing.assert_allclose(generator(loss, fake, real), form.g(floor, real, fake), **close)


@each_loss
def test_means_over_a_batch_of_two(kind):
    """Pairs are real row i and generated row i."""
    loss, real, fake = section(kind), np.array([1.0, 2.0]), np.array([0.5, -1.0])
    means = discriminator(loss, real, fake).mean(), generator(loss, fake, real).mean()
    np.testing.assert_allclose(means, FORMS[kind].fixture, atol=1e-6)


@each_loss
def test_values_where_d_cannot_tell_real_from_generated(kind):
    loss, entry = section(kind, 1e-5), losses.LOSSES[kind]
    assert (entry.rest is None) == (FORMS[kind].at_rest is None)
    if entry.rest is None:
        return
    output = np.float32(entry.rest(loss))
    values = discriminator(loss, output, output), generator(loss, output, output)
    np.testing.assert_allclose(values, FORMS[kind].at_rest, rtol=1e-6)


@each_loss
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("output", losses.OUTPUTS)
def test_d_rests_where_neither_row_pulls_on_it(kind, smoothing, output):
    """Over rows that real and generated ones share, D's loss has its least value at rest."""
    entry = losses.LOSSES[kind]
    cross_entropy = kind in CROSS_ENTROPIES
    if entry.rest is None or (output != "logit" and not cross_entropy):
        return
    smoothed = {"label_smoothing": smoothing} if kind in LABELLED else {}
    loss = section(kind, output=output, **smoothed)
    at_rest = jnp.float32(entry.rest(loss))
    slope = jax.grad(lambda o: entry.d(loss, o, o))(at_rest)
    np.testing.assert_allclose(slope, 0, atol=1e-6)
    if entry.read is not None:
        expected = (1 - smoothed.get("label_smoothing", 0)) / 2
        np.testing.assert_allclose(losses.probability(loss, at_rest), expected, rtol=1e-6)


@each_loss
def test_a_shift_of_all_outputs_matters_where_there_is_a_zero(kind):
    loss = section(kind)
    real, fake = np.array([0.8, -1.0]), np.array([-0.2, 0.7])  # one crosses the hinge
    shifted = discriminator(loss, real + 0.5, fake + 0.5)
    same = np.allclose(shifted, discriminator(loss, real, fake), atol=1e-6)
    assert same == FORMS[kind].shifts


@pytest.mark.parametrize(
    "kind, output, as_seen, before_clipping",
    [
        ("non_saturating", "logit", 1 / (1 + np.exp(-OUTPUTS)), 1 / (1 + np.exp(-OUTPUTS))),
        ("saturating", "sigmoid", 1 / (1 + np.exp(-OUTPUTS)), 1 / (1 + np.exp(-OUTPUTS))),
        ("non_saturating", "probability", np.clip(OUTPUTS, 0.1, 0.9), OUTPUTS),
        ("least_squares", "probability", OUTPUTS, OUTPUTS),
    ],
)
def test_what_is_one_half_at_the_optimum_and_what_pretraining_fits(
    kind, output, as_seen, before_clipping
):
    loss, outputs = section(kind, output=output, clip=0.1), jnp.float32(OUTPUTS)
    np.testing.assert_allclose(losses.probability(loss, outputs), as_seen, rtol=1e-6)
    np.testing.assert_allclose(losses.estimate(loss, outputs), before_clipping, rtol=1e-6)


@each_loss
def test_d_learns_to_raise_real_and_lower_generated_outputs(kind):
    # Between the labels, where least squares pushes outwards too.
    outputs = jnp.linspace(0.05, 0.95, 19)
    loss, entry = section(kind, 1e-5), losses.LOSSES[kind]
    real, fake = jax.grad(lambda real, fake: entry.d(loss, real, fake).sum(), argnums=(0, 1))(
        outputs, outputs[::-1]
    )
    assert (real < 0).all()
    assert (fake > 0).all()


@each_loss
def test_g_learns_to_raise_its_rows_outputs(kind):
    # Below the output that each kind of least squares would have.
    outputs = jnp.linspace(-0.95, -0.05, 19)
    loss, entry = section(kind, 1e-5), losses.LOSSES[kind]
    real, fake = jax.grad(lambda real, fake: entry.g(loss, real, fake).sum(), argnums=(0, 1))(
        outputs[::-1], outputs
    )
    assert (fake < 0).all()
    assert (np.asarray(real) != 0).all() == kind.startswith("relativistic")


def test_only_the_non_saturating_g_learns_from_a_d_that_is_sure():
    def slope(kind):
        g, loss = losses.LOSSES[kind].g, section(kind)
        return float(jax.grad(lambda fake: g(loss, 0.0, fake))(jnp.float32(-6.0)))

    # Derivatives at output -6: sigmoid(-6) - 1 and -sigmoid(-6).
    certainty = 1 / (1 + np.exp(6.0))
    np.testing.assert_allclose(slope("non_saturating"), certainty - 1, rtol=1e-5)
    np.testing.assert_allclose(slope("saturating"), -certainty, rtol=1e-5)


@pytest.mark.parametrize("kind", CROSS_ENTROPIES)
def test_the_floor_bounds_every_log_and_stops_its_gradient(kind):
    floor = 1e-5
    at_floor = np.log(floor / (1 - floor))  # the output whose probability is the floor
    function = losses.LOSSES[kind].d
    loss = section(kind, floor)
    slopes = jax.grad(lambda real, fake: function(loss, real, fake), argnums=(0, 1))
    sign = 1 if kind == "non_saturating" else -1  # which of D and 1 - D G's log is taken of
    g_slope = jax.grad(lambda fake: losses.LOSSES[kind].g(loss, 0.0, fake))
    below, above = jnp.float32(at_floor - 0.01), jnp.float32(at_floor + 0.01)

    # -log(floor) for the real row plus as good as nothing for the generated row.
    np.testing.assert_allclose(discriminator(loss, below, -200), -np.log(floor), rtol=1e-6)
    np.testing.assert_allclose(discriminator(loss, 200, -below), -np.log(floor), rtol=1e-6)
    np.testing.assert_allclose(generator(loss, sign * below), -sign * np.log(floor), rtol=1e-6)
    assert slopes(below, -below) == (0, 0)
    assert g_slope(sign * below) == 0
    # Just above it the log's own slope, 1 - floor in size.
    np.testing.assert_allclose(slopes(above, -above), (-1, 1), rtol=1e-4)
    np.testing.assert_allclose(g_slope(sign * above), -1, rtol=1e-4)


@pytest.mark.parametrize("kind", CROSS_ENTROPIES)
def test_without_a_floor_losses_of_extreme_outputs_stay_finite(kind):
    loss = section(kind, 0.0)
    # -log D(-200) = 200, though D(-200) itself is 0 in float32.
    np.testing.assert_allclose(discriminator(loss, -200, 200), 400, rtol=1e-6)
    np.testing.assert_allclose(discriminator(loss, 200, -200), 0, atol=1e-6)
    expected = {"non_saturating": (200, 0), "saturating": (0, -200)}[kind]
    np.testing.assert_allclose(generator(loss, np.array([-200, 200])), expected, atol=1e-6)
    function = losses.LOSSES[kind].d
    slopes = jax.grad(lambda real, fake: function(loss, real, fake), argnums=(0, 1))
    np.testing.assert_allclose(slopes(-200.0, 200.0), (-1, 1), rtol=1e-6)


def d_slopes(loss, real, fake):
    """Derivatives of D's loss of one row in its real and in its generated output."""
    function = losses.LOSSES[loss.kind].d
    slopes = jax.grad(lambda real, fake: function(loss, real, fake), argnums=(0, 1))
    return slopes(jnp.float32(real), jnp.float32(fake))


def rows_slopes(loss, real, fake):
    return jax.vmap(lambda real, fake: jnp.stack(d_slopes(loss, real, fake)))(
        jnp.float32(real), jnp.float32(fake)
    )


@pytest.mark.parametrize("kind", CROSS_ENTROPIES)
@pytest.mark.parametrize("floor", [0.0, 1e-5, 0.25])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_log_of_a_sigmoid_is_that_of_its_logit_where_float32_has_both(kind, floor, smoothing):
    """A floor at log p instead of p, or on one of the two logs only, would show here."""
    real, fake = (array.ravel() for array in np.meshgrid(OUTPUTS, OUTPUTS))
    logit, sigmoid = (
        section(kind, floor, output=output, label_smoothing=smoothing)
        for output in ("logit", "sigmoid")
    )
    # 1 - sigmoid(6) is a difference: it has lost 9 of its 24 bits.
    close = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(
        discriminator(sigmoid, real, fake), discriminator(logit, real, fake), **close
    )
    np.testing.assert_allclose(generator(sigmoid, fake), generator(logit, fake), **close)
    np.testing.assert_allclose(
        rows_slopes(sigmoid, real, fake), rows_slopes(logit, real, fake), **close
    )


def test_the_log_of_a_saturated_sigmoid_diverges_as_in_the_posts_code():
    naive, floored = (section("non_saturating", floor, output="sigmoid") for floor in (0.0, 1e-5))
    exact = section("non_saturating", 0.0, output="logit")
    # sigmoid(17) is 1 in float32: log(1 - 1).
    assert np.isposinf(discriminator(naive, 0.0, 17.0))
    assert not np.isfinite(d_slopes(naive, 0.0, 17.0)[1])
    assert np.isfinite(discriminator(naive, 0.0, 16.0))
    assert np.isposinf(generator(naive, -200.0))
    np.testing.assert_allclose(discriminator(exact, 0.0, 17.0), np.log(2) + 17, rtol=1e-6)
    # The floor of 2017 is what keeps it finite, with no gradient.
    np.testing.assert_allclose(
        discriminator(floored, 0.0, 17.0), np.log(2) - np.log(1e-5), rtol=1e-6
    )
    np.testing.assert_array_equal(d_slopes(floored, 0.0, 17.0)[1], 0)
    np.testing.assert_array_equal(d_slopes(floored, -200.0, 0.0)[0], 0)


# Jang's tanh outputs on both sides of the clip, none at its corners.
PROBABILITIES = np.array([-0.95, -0.3, 0.0, 0.005, 0.02, 0.3, 0.5, 0.9, 0.985, 0.995, 0.999])


@pytest.mark.parametrize("kind", CROSS_ENTROPIES)
def test_an_output_that_is_a_probability_is_clipped(kind):
    loss = section(kind, output="probability", clip=0.01)
    real, fake = (array.ravel() for array in np.meshgrid(PROBABILITIES, PROBABILITIES))
    p_real, p_fake = np.clip(real, 0.01, 0.99), np.clip(fake, 0.01, 0.99)
    expected = -np.log(p_real) - np.log(1 - p_fake)
    np.testing.assert_allclose(discriminator(loss, real, fake), expected, rtol=1e-5, atol=1e-6)
    log = {"non_saturating": -np.log(p_fake), "saturating": np.log(1 - p_fake)}[kind]
    np.testing.assert_allclose(generator(loss, fake), log, rtol=1e-5, atol=1e-6)

    def inside(p):
        return np.where((p > 0.01) & (p < 0.99), 1.0, 0.0)

    slopes = np.stack([-inside(real) / p_real, inside(fake) / (1 - p_fake)], axis=1)
    np.testing.assert_allclose(rows_slopes(loss, real, fake), slopes, rtol=1e-4)
    # Not merely small outside of the clip.
    assert (np.asarray(rows_slopes(loss, real, fake))[slopes == 0] == 0).all()


# One-sided: in float64, by the label of real rows and log D, log(1 - D).
SMOOTHED = {
    "non_saturating": lambda label, d, real, fake: (
        -label * np.log(d(real)) - (1 - label) * np.log(1 - d(real)) - np.log(1 - d(fake))
    ),
    "saturating": lambda label, d, real, fake: (
        -label * np.log(d(real)) - (1 - label) * np.log(1 - d(real)) - np.log(1 - d(fake))
    ),
    "least_squares": lambda label, d, real, fake: 0.5 * (real - label) ** 2 + 0.5 * fake**2,
}
READINGS = {
    "logit": lambda o: 1 / (1 + np.exp(-o)),
    "sigmoid": lambda o: 1 / (1 + np.exp(-o)),
    "probability": lambda o: np.clip(o, 0.01, 0.99),
}


@each_labelled
@pytest.mark.parametrize("output", losses.OUTPUTS)
@pytest.mark.parametrize("smoothing", [0.1, 0.9])
def test_smoothed_labels_are_those_of_real_rows_only(kind, output, smoothing):
    loss = section(kind, output=output, label_smoothing=smoothing)
    real, fake = (array.ravel() for array in np.meshgrid(OUTPUTS, OUTPUTS))
    expected = SMOOTHED[kind](1 - smoothing, READINGS[output], real, fake)
    np.testing.assert_allclose(discriminator(loss, real, fake), expected, rtol=1e-4, atol=1e-5)
    plain = section(kind, output=output)
    np.testing.assert_array_equal(generator(loss, fake), generator(plain, fake))


@pytest.mark.parametrize(
    "kind, best", [("non_saturating", 0.9), ("saturating", 0.9), ("least_squares", 0.9)]
)
def test_the_best_answer_to_real_rows_is_their_smoothed_label(kind, best):
    loss = section(kind, label_smoothing=0.1)
    outputs = np.linspace(-4, 4, 2001, dtype=np.float32)
    values = discriminator(loss, outputs, np.zeros_like(outputs))
    answer = losses.probability(loss, jnp.float32(outputs[np.argmin(values)]))
    np.testing.assert_allclose(answer, best, atol=3e-3)


SATURATED = np.array([-30.0, -17.0, -1.0, 0.5, 17.0, 30.0, 200.0])


@each_labelled
@pytest.mark.parametrize("output", losses.OUTPUTS)
@pytest.mark.parametrize("floor", [0.0, 1e-5])
def test_labels_smoothed_by_nothing_change_nothing(kind, output, floor):
    """Where D is sure of a real row, log(1 - D) is -inf: 0 times that must not enter the loss."""
    loss = section(kind, floor, output=output, label_smoothing=0.0)
    o = losses.OUTPUTS[output]

    def unsmoothed(real, fake):
        if kind == "least_squares":
            return 0.5 * ((real - 1) ** 2 + fake**2)
        return -o.log_probability(loss, real) - o.log_complement(loss, fake)

    def with_smoothing(real, fake):
        return losses.LOSSES[kind].d(loss, real, fake)

    real, fake = jnp.float32(SATURATED), jnp.zeros(len(SATURATED))
    values, slopes = jax.vmap(jax.value_and_grad(with_smoothing, argnums=(0, 1)))(real, fake)
    expected = jax.vmap(jax.value_and_grad(unsmoothed, argnums=(0, 1)))(real, fake)
    assert np.isfinite(values).all() and np.isfinite(slopes).all()
    for actual, plain in zip((values, *slopes), (expected[0], *expected[1]), strict=True):
        np.testing.assert_array_equal(actual, plain)


@pytest.mark.parametrize("kind", LABELLED)
def test_a_label_of_generated_rows_is_theirs_only(kind):
    """Both labels together move D's rest; sigmoid and probability are read as above."""
    loss = section(kind, label_smoothing=0.3, fake_label=0.2)
    real, fake = (array.ravel() for array in np.meshgrid(OUTPUTS, OUTPUTS))
    d = READINGS["logit"]
    expected = {
        "least_squares": 0.5 * (real - 0.7) ** 2 + 0.5 * (fake - 0.2) ** 2,
    }.get(
        kind,
        -0.7 * np.log(d(real))
        - 0.3 * np.log(1 - d(real))
        - 0.8 * np.log(1 - d(fake))
        - 0.2 * np.log(d(fake)),
    )
    np.testing.assert_allclose(discriminator(loss, real, fake), expected, rtol=1e-4, atol=1e-5)
    at_rest = jnp.float32(losses.LOSSES[kind].rest(loss))
    slope = jax.grad(lambda o: losses.LOSSES[kind].d(loss, o, o))(at_rest)
    np.testing.assert_allclose(slope, 0, atol=1e-6)
    np.testing.assert_allclose(losses.probability(loss, at_rest), 0.45, rtol=1e-5)


def test_flipped_rows_change_places_and_a_drift_is_of_real_rows():
    """In expectation flips of a share are labels smoothed by it on both sides."""
    share, real, fake = 0.2, np.float32([0.7]), np.float32([-0.3])
    flips = section("non_saturating", flips=share)
    one, other = (losses.of_d(flips, real, fake, np.array([flip])) for flip in (False, True))
    np.testing.assert_allclose((1 - share) * one + share * other, 1.157541, rtol=1e-6)
    smoothed = section("non_saturating", label_smoothing=share, fake_label=share)
    np.testing.assert_allclose(discriminator(smoothed, real, fake), 1.157541, rtol=1e-6)
    drifting = section("wasserstein", drift=0.1)
    np.testing.assert_allclose(losses.of_d(drifting, real, fake, None), -1 + 0.049, rtol=1e-5)


ALPHAS = {0.2: 3.75, 0.5: 1, 1: 0.693147, 1.2: 0.654608, 2: 0.585786, 3: 0.555059, 1e30: 0.5}


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_alpha_loss_at_one_half_and_its_slope(alpha):
    """The slope is the cross-entropy's times P^(1 - 1/alpha), at 1 it is the cross-entropy's."""
    loss = section("alpha_non_saturating", alpha_d=alpha, alpha_g=alpha)
    np.testing.assert_allclose(generator(loss, 0.0), ALPHAS[alpha], rtol=1e-5)
    outputs = jnp.linspace(-3, 3, 13)
    g = losses.LOSSES["alpha_non_saturating"].g
    slopes = jax.vmap(jax.grad(lambda o: g(loss, o, o)))(outputs)
    p = 1 / (1 + np.exp(-np.asarray(outputs, float)))
    np.testing.assert_allclose(slopes, -(1 - p) * p ** (1 - 1 / alpha), rtol=1e-4)


# The divergence of N(1, 1) from N(0, 1), and the outputs that find it, by log(p / q).
DIVERGENCES = {
    "f_kl": (0.5, lambda log: 1 + log),
    "f_reverse_kl": (0.5, lambda log: log),
    "f_pearson": (np.e - 1, lambda log: 2 * (np.exp(log) - 1)),
    "f_squared_hellinger": (2 * (1 - np.exp(-1 / 8)), lambda log: log / 2),
    "f_jensen_shannon": (0.222843, lambda log: log),
}


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_the_best_d_of_an_f_gan_finds_its_divergence(kind):
    """And its outputs are read as p / (p + q); the other loss of G is -g_f, as of real rows."""
    divergence, best = DIVERGENCES[kind]
    x = np.linspace(-6, 7, 4001)
    p, q = (np.exp(-0.5 * (x - mean) ** 2) / np.sqrt(2 * np.pi) for mean in (1, 0))
    loss, v = section(kind), best(x - 0.5)
    of_real, of_fake = discriminator(loss, v, 0 * v), discriminator(loss, 0 * v, v)
    nothing = discriminator(loss, 0.0, 0.0)
    step = x[1] - x[0]
    bound = -step * (p * (of_real - nothing) + q * of_fake).sum()
    np.testing.assert_allclose(bound, divergence, rtol=2e-4)
    np.testing.assert_allclose(losses.probability(loss, jnp.float32(v)), p / (p + q), atol=1e-5)
    other = section(kind, f_generator="alternative")
    ours = generator(other, v) - generator(other, 0.0)
    np.testing.assert_allclose(ours, of_real - nothing, rtol=1e-5, atol=1e-5)


def test_exponentials_of_outputs_do_not_overflow():
    for kind in ("f_kl", "f_reverse_kl", "f_squared_hellinger"):
        loss = section(kind)
        assert np.isfinite(discriminator(loss, np.float32([-500, 500]), [500, -500])).all()


def of_rows(kind, real, fake, **fields):
    loss = section(kind, **fields)
    return losses.LOSSES[kind].of_rows(loss, jnp.float32(real), jnp.float32(fake))


def test_mmd_of_two_points_is_that_of_their_kernels():
    found = of_rows("mmd", [[0.0]], [[3.0]])
    widths = np.array([1, 2, 4, 8, 16])
    np.testing.assert_allclose(found, 2 * (1 - np.exp(-9 / (2 * widths**2))).sum(), rtol=1e-6)
    np.testing.assert_allclose(of_rows("mmd", [[0.0], [1.0]], [[1.0], [0.0]]), 0, atol=1e-6)


def test_the_energy_distance_is_scipys():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 40))
    expected = scipy.stats.energy_distance(real, fake) ** 2
    np.testing.assert_allclose(of_rows("energy", real[:, None], fake[:, None]), expected, rtol=1e-5)
    far = of_rows("energy", np.zeros((3, 2)), np.tile([3.0, 4.0], (3, 1)))
    np.testing.assert_allclose(far, 10, rtol=1e-6)


def test_ranks_of_real_rows_among_generated_ones_are_to_be_uniform():
    """Each of three ranks once; and all above all of ten."""
    fake = jnp.asarray([[-1.0], [1.0], [-1.0], [1.0], [-1.0], [1.0]])
    real = jnp.asarray([[-9.0], [-9.0], [0.0], [0.0], [9.0], [9.0]])
    np.testing.assert_allclose(of_rows("ranks", real, fake, ranks=2), 0, atol=1e-6)
    above = of_rows("ranks", np.full((20, 1), 9.0), np.zeros((20, 1)), ranks=5)
    np.testing.assert_allclose(above, 5 / 6, rtol=1e-5)


@pytest.mark.parametrize("kind", ["mmd", "energy"])
def test_a_distance_pulls_generated_rows_towards_real_ones(kind):
    slope = jax.grad(lambda fake: of_rows(kind, [[0.0], [0.5]], fake))(jnp.array([[3.0], [3.0]]))
    assert (slope > 0).all()


@pytest.mark.parametrize("kind", losses.LOSSES)
def test_gradients_are_those_of_differences(kind):
    """In both players' outputs, or in the rows; through the means of a batch too."""
    rng = np.random.default_rng(8)
    entry, weights = losses.LOSSES[kind], rng.normal(size=(2, 4))
    if entry.of_rows is None:
        loss, arrays = section(kind, 1e-5), rng.normal(size=(2, 4))
    else:
        loss, arrays = section(kind, ranks=2), rng.normal(0, 0.2, (2, 4, 1 + (kind != "ranks")))

    def values(real, fake):
        if entry.of_rows is not None:
            return entry.of_rows(loss, real, fake)[None]
        both = entry.d(loss, real, fake), entry.g(loss, real, fake)
        return jnp.stack([own @ rows for own, rows in zip(weights, both, strict=True)])

    gradients, differences = gradients_and_differences(values, *arrays)
    assert (np.abs(gradients).max(1) > 1e-3).all()
    np.testing.assert_allclose(gradients, differences, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", losses.LOSSES)
@pytest.mark.parametrize("where", ["real", "fake"])
def test_a_loss_of_what_is_no_number_is_none(kind, where):
    loss, entry = section(kind, 1e-5, ranks=2), losses.LOSSES[kind]
    shape = (3,) if entry.of_rows is None else (3, 1)
    rows = {"real": np.ones(shape, np.float32), "fake": np.zeros(shape, np.float32)}
    rows[where][1] = np.nan
    if entry.of_rows is not None:
        assert np.isnan(entry.of_rows(loss, **rows))
        return
    assert np.isnan(entry.d(loss, **rows).mean())
    of_g = where == "fake" or kind.startswith("relativistic")
    assert np.isnan(entry.g(loss, **rows).mean()) == of_g


# Sun, Fang & Schwing 2020 (arXiv 2011.04926): real rows at places 0 and 1, generated ones there or
# elsewhere, and the greatest value that any outputs of D have: half of Jensen-Shannon's, and that
# of pairs. To leave the real row that both are at costs .1308 of the one, and nothing of the other.
PLACES = ((2, 3), (0, 2), (0, 0), (0, 1), (1, 2))
LANDSCAPE = {
    "saturating": (0.5, (0.0, -0.346574, -0.477386, -0.693147, -0.346574)),
    "relativistic": (1.0, (0.0, -0.346574, -0.346574, -0.693147, 0.0)),
}


@pytest.mark.parametrize("kind", LANDSCAPE)
def test_only_a_loss_of_pairs_has_no_basin_where_generated_rows_share_a_real_one(kind):
    def loss(outputs, fakes):
        return losses.LOSSES[kind].d(section(kind), outputs[:2], outputs[fakes]).mean()

    share, values = LANDSCAPE[kind]
    lowest = jax.jit(jax.value_and_grad(loss))
    for fakes, value in zip(PLACES, values, strict=True):
        with jax.enable_x64(True):
            found = scipy.optimize.minimize(
                lambda x, fakes=fakes: jax.device_get(lowest(x, np.array(fakes))),
                np.zeros(4),
                jac=True,
                bounds=[(-40, 40)] * 4,
                options={"ftol": 1e-12, "gtol": 1e-9},
            )
        np.testing.assert_allclose(-share * found.fun, value, atol=1e-6)


def alpha_loss(p, alpha):
    return -np.log(p) if alpha == 1 else alpha / (alpha - 1) * (1 - p ** ((alpha - 1) / alpha))


@pytest.mark.parametrize("alpha_d, alpha_g", [(0.5, 3.0), (3.0, 0.5), (1.0, 2.0)])
def test_each_player_has_an_alpha_of_its_own(alpha_d, alpha_g):
    alphas = {"alpha_d": alpha_d, "alpha_g": alpha_g}
    of_real, of_fake = (1 / (1 + np.exp(-sign * OUTPUTS)) for sign in (1, -1))
    for kind, of_g in (
        ("alpha_saturating", -alpha_loss(of_fake, alpha_g)),
        ("alpha_non_saturating", alpha_loss(of_real, alpha_g)),
    ):
        loss = section(kind, **alphas)
        np.testing.assert_allclose(
            discriminator(loss, OUTPUTS, OUTPUTS[::-1]), 2 * alpha_loss(of_real, alpha_d), rtol=1e-4
        )
        np.testing.assert_allclose(generator(loss, OUTPUTS), of_g, rtol=1e-4, atol=1e-5)
    # Where real rows are p of all: of the expected loss.
    p = np.linspace(0.1, 0.9, 9)
    outputs = np.log(p / (1 - p)) * alpha_d
    real, fake = rows_slopes(loss, outputs, outputs).T
    np.testing.assert_allclose(p * real + (1 - p) * fake, 0, atol=1e-6)
