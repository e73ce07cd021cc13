"""How the players' gradients become directions: fields made of fields.

A field gives, at any pair of players, the losses and the gradients of those that move in a step. A
dynamics takes one to the directions that optimizers then follow. J is the Jacobian of both players'
gradients v = (v_g, v_d) in the parameters of both; a product with it, or with its transpose, costs
about as much as the gradients do.
"""

from collections.abc import Callable
from typing import NamedTuple

from gan1d.gan.players import Params, Players, Tree
from gan1d.system.lazy import Array, jax, jnp

Both = Players[Params]


class Pull(NamedTuple):
    """What a field gives at a pair of players; None for one that doesn't move."""

    losses: Players[Array | None]
    gradients: Both


Field = Callable[[Both], Pull]
Memory = Players[Tree]  # of optimizers


class Terms(NamedTuple):
    """What a step is made of."""

    players: Both
    memory: Memory
    past: Both | None  # directions of the step before; None where no dynamics looks at them
    field: Field  # of those that move
    later: Field  # the same on the rows of the step's second half
    everyone: Field  # of both players
    # (players, their directions, memory) to what such a step makes of players and memory.
    extrapolate: Callable[[Both, Both, Memory], tuple[Both, Memory]]
    weight: Array | float
    rate: Array | float  # of both players, where a dynamics has to know it
    iterations: int


class Dynamics(NamedTuple):
    """Directions from a step's terms, and what has to be known of them."""

    directions: Callable[[Terms], tuple[Pull, Memory]]
    of_both: bool = False  # it needs both players' gradients, whoever moves
    weighted: bool = False
    zero_sum: bool = False  # G's loss must be minus D's
    past: bool = False  # it looks at the directions of the step before


def gradient(terms: Terms) -> tuple[Pull, Memory]:
    """Each player's own gradient, where the players are."""
    return terms.field(terms.players), terms.memory


def extragradient(terms: Terms) -> tuple[Pull, Memory]:
    """The gradients where a step would lead, w - eta v(w - eta v(w)).

    Korpelevich 1976; for GANs Gidel et al. 2019 (arXiv 1802.10551), algorithm 1, and with Adam
    algorithm 4: both halves advance its moments. Losses are those where the players are. With a
    batch of its own for the second half the two are independent, as their theory has it.
    """
    here = terms.field(terms.players)
    there, memory = terms.extrapolate(terms.players, here.gradients, terms.memory)
    return here._replace(gradients=terms.later(there).gradients), memory


def past_extragradient(terms: Terms) -> tuple[Pull, Memory]:
    """Extragradient whose first half follows the directions of the step before: one evaluation.

    Popov 1980; Gidel et al. 2019 (arXiv 1802.10551), algorithm 3. Losses are those where the first
    half leads.
    """
    assert terms.past is not None
    there, memory = terms.extrapolate(terms.players, terms.past, terms.memory)
    return terms.field(there), memory


def consensus(terms: Terms) -> tuple[Pull, Memory]:
    """Consensus: v + gamma grad |v|^2 / 2, which is v + gamma J' v.

    Mescheder et al. 2017 (arXiv 1705.10461). (Their notebook of 2018 halves one of its terms.)
    """
    v, losses, transposed = _backward(terms)
    return Pull(losses, _plus(v, terms.weight, transposed(v))), terms.memory


def jacobian(terms: Terms) -> tuple[Pull, Memory]:
    """JARE: each player also minimises gamma |the other's gradient|^2 / 2.

    Nie & Patel 2019 (arXiv 1806.09235).
    """
    v, losses, transposed = _backward(terms)
    of_d = transposed(Players(_zeros(v.g), v.d))
    of_g = transposed(Players(v.g, _zeros(v.d)))
    return Pull(losses, _plus(v, terms.weight, Players(of_d.g, of_g.d))), terms.memory


def d_gradient(terms: Terms) -> tuple[Pull, Memory]:
    """G also minimises gamma |D's gradient|^2 / 2: Nagarajan & Kolter 2017 (arXiv 1706.04156)."""
    v, losses, transposed = _backward(terms)
    of_d = transposed(Players(_zeros(v.g), v.d))
    return Pull(losses, _plus(v, terms.weight, Players(of_d.g, _zeros(v.d)))), terms.memory


def symplectic(terms: Terms) -> tuple[Pull, Memory]:
    """Symplectic gradient adjustment: v + lambda A' v, A the antisymmetric part of J.

    Balduzzi et al. 2018 (arXiv 1802.05642), with lambda's sign as in section 3.5: that of
    <v, J' v> <A' v, J' v> / n + 1/10, where n is the number of weights' arrays, as in their code.
    """
    v, losses, transposed = _backward(terms)
    hamiltonian = transposed(v)
    _, forward = jax.jvp(lambda p: terms.everyone(p).gradients, (terms.players,), (v,))
    adjustment = jax.tree.map(lambda a, b: (a - b) / 2, hamiltonian, forward)
    arrays = len(jax.tree.leaves(v))
    aligned = _dot(v, hamiltonian) * _dot(adjustment, hamiltonian) / arrays + 0.1
    return Pull(losses, _plus(v, terms.weight * jnp.sign(aligned), adjustment)), terms.memory


def competitive(terms: Terms) -> tuple[Pull, Memory]:
    """Competitive gradient descent: each player expects the other's step, (I + eta J_o) u = v.

    Schaefer & Anandkumar 2019 (arXiv 1905.12103); J_o is J without the players' own Hessians. In a
    zero-sum game it is antisymmetric, so that (I - eta^2 J_o^2) u = v - eta J_o v can be solved by
    conjugate gradients. Without iterations that is the right-hand side, their linearised method.
    """
    v, forward, losses = jax.linearize(_of_everyone(terms), terms.players, has_aux=True)

    def crossed(w: Both) -> Both:
        """J_o w, times eta."""
        by_d, by_g = forward(Players(_zeros(w.g), w.d)), forward(Players(w.g, _zeros(w.d)))
        return jax.tree.map(lambda x: terms.rate * x, Players(by_d.g, by_g.d))

    right = _plus(v, -1.0, crossed(v))

    def iterated(_: int, state: tuple[Both, Both, Both]) -> tuple[Both, Both, Both]:
        solution, residual, direction = state
        applied = _plus(direction, -1.0, crossed(crossed(direction)))
        size = _dot(residual, residual)
        length = _ratio(size, _dot(direction, applied))
        solution = _plus(solution, length, direction)
        residual = _plus(residual, -length, applied)
        direction = _plus(residual, _ratio(_dot(residual, residual), size), direction)
        return solution, residual, direction

    if terms.iterations:
        first = crossed(crossed(right))  # what the right-hand side leaves over as a solution
        start = right, first, first
        right, *_ = jax.lax.fori_loop(0, terms.iterations, iterated, start)
    return Pull(losses, right), terms.memory


DYNAMICS: dict[str, Dynamics] = {
    "gradient": Dynamics(gradient),
    "extragradient": Dynamics(extragradient),
    "past_extragradient": Dynamics(past_extragradient, past=True),
    "consensus": Dynamics(consensus, of_both=True, weighted=True),
    "jacobian": Dynamics(jacobian, of_both=True, weighted=True),
    "d_gradient": Dynamics(d_gradient, of_both=True, weighted=True),
    "symplectic": Dynamics(symplectic, of_both=True, weighted=True),
    "competitive": Dynamics(competitive, of_both=True, zero_sum=True),
}


def _of_everyone(terms: Terms) -> Callable[[Both], tuple[Both, Players[Array | None]]]:
    """Both players' gradients as a function of both, and their losses."""

    def v(players: Both) -> tuple[Both, Players[Array | None]]:
        pull = terms.everyone(players)
        return pull.gradients, pull.losses

    return v


def _backward(
    terms: Terms,
) -> tuple[Both, Players[Array | None], Callable[[Both], Both]]:
    """v, the losses, and products with J'."""
    v, back, losses = jax.vjp(_of_everyone(terms), terms.players, has_aux=True)
    return v, losses, lambda cotangent: back(cotangent)[0]


def _plus(one: Both, weight: Array | float, other: Both) -> Both:
    return jax.tree.map(lambda a, b: a + weight * b, one, other)


def _zeros(params: Params) -> Params:
    return jax.tree.map(jnp.zeros_like, params)


def _dot(one: Tree, other: Tree) -> Array:
    products = jax.tree.map(lambda a, b: (a * b).sum(), one, other)
    return jnp.stack(jax.tree.leaves(products)).sum()


def _ratio(numerator: Array, denominator: Array) -> Array:
    """Their ratio, 0 where the denominator is: nothing is left to be solved."""
    safe = jnp.where(denominator == 0, 1.0, denominator)
    return jnp.where(denominator == 0, 0.0, numerator / safe)
