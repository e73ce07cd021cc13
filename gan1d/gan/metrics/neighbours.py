"""Distances between rows of coordinates, each computed once, and what is made of them.

Energy distance: Szekely and Rizzo 2013. Precision, density and coverage: Naeem et al. 2020,
"Reliable fidelity and diversity metrics for generative models"; recall: Kynkaanniemi et al. 2019,
"Improved precision and recall metric". A row's ball reaches to its 5th neighbour, itself not
counted, and has no edge. So rows that are copies of each other, more than 5, have empty balls.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

NEIGHBOURS = 5  # k, of both papers' experiments 5 and 3


class Own(NamedTuple):
    """A set of rows among themselves."""

    spread: Array  # the mean distance between two rows, those of a row with itself too
    radii: Array | None  # [N] the distance of each row to its 5th neighbour, where asked for


class Across(NamedTuple):
    """Generated rows, and the real ones that they are compared with."""

    spread: Array  # the mean distance of a generated row from a real one
    precision: Array  # share of generated rows in the ball of a real one
    recall: Array  # share of real rows in the ball of a generated one
    density: Array  # real balls that a generated row is in, on average, by what is expected
    coverage: Array  # share of real balls with a generated row in it


def distances(rows: Array, row: Array) -> Array:
    """Of each of the rows `[N, X]` from one `[X]`."""
    return jnp.sqrt(((rows - row[None]) ** 2).sum(-1))


def among(rows: Array, *, radii: bool) -> Own:
    """What there is to know of rows `[N, X]` among themselves."""
    # As many as there are neighbours, and the row itself; kept in order as rows come one by one,
    # which takes far less than to sort all of a row's distances.
    kept = min(NEIGHBOURS + 1, rows.shape[0]) if radii else 0
    nearest = tuple(jnp.full(rows.shape[0], jnp.inf) for _ in range(kept))

    def step(nearest: tuple[Array, ...], row: Array) -> tuple[tuple[Array, ...], Array]:
        found = distances(rows, row)
        mean, pushed = found.mean(), found
        inserted = []
        for each in nearest:
            inserted.append(jnp.minimum(each, pushed))
            pushed = jnp.maximum(each, pushed)
        return tuple(inserted), mean

    # Row by row, so that no float32 sum is so long that its rounding would show in a difference.
    nearest, means = jax.lax.scan(step, nearest, rows)
    return Own(means.mean(), nearest[-1] if radii else None)


def across(rows: Array, own: Own, real: Array, theirs: Own) -> Across:
    """Compare generated rows `[N, X]` with real ones `[M, X]`, both with their radii."""
    if own.radii is None or theirs.radii is None:
        raise ValueError("rows are compared by their radii")
    real_radii = theirs.radii

    def step(
        seen: tuple[Array, Array], generated: tuple[Array, Array]
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        covered, recalled = seen
        row, radius = generated
        found = distances(real, row)
        within = jnp.where(found < real_radii, 1.0, 0.0)
        recalled = jnp.maximum(recalled, jnp.where(found < radius, 1.0, 0.0))
        return (jnp.maximum(covered, within), recalled), (found.mean(), within.sum())

    nothing = jnp.zeros(real.shape[0])
    (covered, recalled), (means, balls) = jax.lax.scan(step, (nothing, nothing), (rows, own.radii))
    return Across(
        spread=means.mean(),
        precision=jnp.where(balls > 0, 1.0, 0.0).mean(),
        recall=recalled.mean(),
        density=balls.mean() / NEIGHBOURS,
        coverage=covered.mean(),
    )


def mean_distance(rows: Array, others: Array) -> Array:
    """Of rows `[N, X]` from others `[M, X]`."""
    return jax.lax.map(lambda row: distances(others, row).mean(), rows).mean()
