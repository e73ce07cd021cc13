"""Terms of G's loss that keep rows of different latents apart, and the rows that G learns from."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gan1d.gan.numerics import safe_sqrt
from gan1d.gan.spec import OFF, Switch, choice, chosen, number, pytree
from gan1d.system.lazy import Array, jax, jnp

if TYPE_CHECKING:
    from gan1d.gan.tricks import TrickFields

TINY = 1e-5  # beside ratios and logarithms of distances that may be 0


def mode_seeking(diversity: "DiversityFields", rows: Array, latents: Array) -> Array:
    """The inverse of how far rows are apart, as a part of how far their latents are.

    Mao et al. 2019 (arXiv 1903.05628), equation 4 and their code: means over entries and pairs.
    """
    del diversity
    apart = jnp.abs(rows[0] - rows[1]).mean() / jnp.abs(latents[0] - latents[1]).mean()
    return 1 / (apart + TINY)


def distances(diversity: "DiversityFields", rows: Array, latents: Array) -> Array:
    """The squared logarithm of how rows' distances differ from `stretch` times their latents'.

    Xiao et al. 2018 (arXiv 1805.07674), equation 6, with any latents in the place of their
    embeddings of the data.
    """

    def logarithm(pairs: Array) -> Array:
        return jnp.log(safe_sqrt(((pairs[0] - pairs[1]) ** 2).sum(1)) + TINY)

    return ((logarithm(rows) - logarithm(diversity.stretch * latents)) ** 2).mean()


# Functions of (section, rows `[2, B, X]`, their latents `[2, B, L]`) to `[]`; row i of one half and
# of the other are a pair, whose latents are independent.
DIVERSITY: dict[str, Callable[["DiversityFields", Array, Array], Array]] = {
    "mode_seeking": mode_seeking,
    "distances": distances,
}


def best(tricks: "TrickFields", outputs: Array, number: Array) -> Array:
    """Weights `[B]` of the rows that G learns from in update `number`, of mean 1.

    Those k that D scores best: Sinha et al. 2020 (arXiv 2002.06224). Their share falls by a factor
    an update, from all rows to the least share.
    """
    size = outputs.shape[0]
    share = jnp.maximum(tricks.top_k_decay**number, tricks.top_k)
    kept = jnp.clip(jnp.floor(share * size + 1e-3), 1, size)
    ordered = jnp.sort(jax.lax.stop_gradient(outputs))
    least = jnp.where(jnp.arange(size) == size - kept, ordered, 0.0).sum()
    chosen = jnp.where(outputs >= least, 1.0, 0.0)
    # Where settings that leave no row out share the program, all are kept.
    chosen = jnp.where(tricks.top_k > 0, chosen, 1.0)
    return jax.lax.stop_gradient(chosen * size / chosen.sum())


@pytree
class DiversityFields:
    """What is added to G's loss for how near rows of different latents are."""

    kind: str = choice(OFF, "formula", Switch(DIVERSITY), label="diversity", neutral=OFF)
    weight: float = number(
        1.0,
        "factor (1 for mode_seeking, 0.1 for distances in their papers)",
        low=0,
        unit="ratio",
        label="diversity weight",
        only=("kind", chosen),
    )
    stretch: float = number(
        1.0,
        "how far rows are to be apart, by their latents",
        low=0,
        open_low=True,
        unit="data units per latent unit",
        label="stretch",
        only=("kind", "distances"),
    )
