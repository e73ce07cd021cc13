"""One GAN as a composition: its state, a step of its players, an update, and a run of updates.

An update is made of turns, each of which lets one player move, or both at once. A step takes the
game, the players' losses as functions of both, to a field of their own gradients; a dynamics makes
directions of it, optimizers moves, constraints bring weights back into their bounds.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import Array

from gan1d.gan import averages, constraints, matching, optimizers, penalties, perceptrons, pytrees
from gan1d.gan.averages import Averages
from gan1d.gan.diversity import DIVERSITY, best
from gan1d.gan.dynamics import DYNAMICS, Field, Memory, Pull, Terms
from gan1d.gan.inputs import ALTERNATING, G_FIRST, SIMULTANEOUS, Batch, draw
from gan1d.gan.losses import LOSSES, of_d
from gan1d.gan.players import Params, Players, Rows, Seen, Tree, Variables
from gan1d.gan.pretrain import Pretraining, pretrain
from gan1d.gan.randomness import stream
from gan1d.gan.setting import Setting
from gan1d.gan.spec import OFF

__all__ = ["State", "advance", "draw", "init", "judged", "start", "step", "update"]

del pytrees  # what it is imported for has happened

Both = Players[Params]
Game = Players[Callable[[Both], Array]]  # both players' losses, scalars
Expected = Callable[[Both], Both]  # players to those that G plays against and is
Movers = tuple[str, ...]  # "g", "d", or both
Losses = Players[Array | None]  # mean losses, scalars; None of one that stays


class State(NamedTuple):
    """Everything that training changes; arrays only."""

    params: Both
    carried: Players[Variables]  # what networks keep beside their parameters and is not trained
    opt_state: Memory
    averages: Averages
    past: Both | None = None  # directions of the last step; None where no dynamics looks at them


class Run(NamedTuple):
    """One GAN in training: its state, when it diverged, and its losses since the last log point."""

    state: State
    diverged_at: Array  # int32: the update that first gave a non-finite value, -1 for never
    loss_sums: Players[Array]


def init(setting: Setting, key: Array) -> tuple[State, Pretraining | None]:
    """Initial weights and optimizer states, and D's pretraining where the setting has any."""
    g, g_carried = perceptrons.init_generator(setting, stream(key, "init_g"))
    d, d_carried = perceptrons.init_discriminator(setting, stream(key, "init_d"))
    pretraining = None
    if setting.pretraining.steps:
        d, pretraining = pretrain(setting, d, stream(key, "pretraining"))
    params = Players(g, d)
    opt_state = Players(
        *(
            optimizer.init(own(setting, params, name))
            for name, optimizer in _optimizers(setting)._asdict().items()
        )
    )
    historical = setting.tricks.historical_averaging != OFF
    of_d = penalties.followed(setting.penalty)
    carried = Players(g_carried, d_carried)
    kept = averages.begun(setting.averages, params, carried, of_d, historical=historical)
    past = None
    if DYNAMICS[setting.training.dynamics].past:
        past = jax.tree.map(jnp.zeros_like, params)
    return State(params, carried, opt_state, kept, past), pretraining


def start(setting: Setting, key: Array) -> tuple[Run, Pretraining | None]:
    """A run before its first update, and how D was pretrained."""
    state, pretraining = init(setting, key)
    diverged_at = jnp.where(_all_finite(state.params), -1, 0).astype(jnp.int32)
    return Run(state, diverged_at, Players(jnp.zeros(()), jnp.zeros(()))), pretraining


def judged(state: State) -> Players[Variables]:
    """The networks' variables that are judged: of G its average, if one is kept."""
    found = variables(state.params, state.carried)
    averaged = state.averages.judged
    return found if averaged is None else found._replace(g=found.g | averaged)


def variables(params: Both, carried: Players[Variables]) -> Players[Variables]:
    """Parameters, and what is carried beside them, as flax has them."""
    return Players(*({"params": p} | c for p, c in zip(params, carried, strict=True)))


def own(setting: Setting, params: Both, name: str) -> Params:
    """What a player's optimizer moves: its parameters, or of a G that trains features both.

    Neural Perspective's code (2016) gives the optimizer of the matching loss no list of variables.
    D's output layer has no part in the features: its gradients, and steps, are zero.
    """
    return params if name == "g" and trains_features(setting) else getattr(params, name)


def with_own(setting: Setting, params: Both, name: str, moved: Params) -> Both:
    """Both players with what one's optimizer has moved."""
    return moved if name == "g" and trains_features(setting) else params._replace(**{name: moved})


def trains_features(setting: Setting) -> bool:
    """Whether G's optimizer moves D's hidden layers too."""
    tricks = setting.tricks
    return tricks.feature_matching != OFF and tricks.feature_matching_trains == "g_and_features"


def _optimizers(setting: Setting) -> Players[optax.GradientTransformation]:
    sections = Players(setting.generator.optimizer, setting.discriminator.optimizer)
    return Players(*map(optimizers.make, sections))


def seen(
    setting: Setting, carried: Players[Variables], followed: Tree, params: Both, fed: Rows
) -> tuple[penalties.D, Seen]:
    """D as a function of rows, and the rows that it is shown."""
    g, d = variables(params, carried)
    fake = perceptrons.generate(setting, g, fed.latent, training=True)
    real, fake = _added(fed.real, fed.real_noise), _added(fake, fed.fake_noise)
    real, fake = (perceptrons.packed(setting, rows) for rows in (real, fake))
    shown = Seen(real, fake, None, followed)
    if fed.probes is not None:
        shown = shown._replace(more=penalties.probed(setting.penalty, shown, fed.probes))
    return lambda x: perceptrons.discriminate(setting, d, x, fed.masks, training=True), shown


def game(
    setting: Setting,
    carried: Players[Variables],
    rows: Players[Rows],
    followed: Tree = None,
) -> Game:
    """Both players' mean losses, on rows of their own; D's with what its penalty has followed."""

    def d_loss(params: Both) -> Array:
        d, shown = seen(setting, carried, followed, params, rows.d)
        real, fake = d(shown.real), d(shown.fake)
        loss = of_d(setting.loss, real.value, fake.value, rows.d.flipped).mean()
        penalty = setting.penalty
        if penalty.kind == OFF:
            return loss
        factor = penalties.factor(penalty, rows.d.number)
        return loss + factor * penalties.PENALTIES[penalty.kind](penalty, d, shown)

    def g_loss(params: Both) -> Array:
        d, shown = seen(setting, carried, followed, params, rows.g)
        return _adversarial(setting, d, shown, rows.g.number) + _of_diversity(params)

    def _of_diversity(params: Both) -> Array | float:
        diversity, fed = setting.diversity, rows.g
        if fed.others is None:
            return 0.0
        g = variables(params, carried).g
        latents = jnp.stack([fed.latent, fed.others])
        made = jnp.stack([perceptrons.generate(setting, g, z, training=True) for z in latents])
        return diversity.weight * DIVERSITY[diversity.kind](diversity, made, latents)

    return Players(g_loss, d_loss)


def _adversarial(setting: Setting, d: penalties.D, shown: Seen, number: Array | None) -> Array:
    """G's loss by D, by D's features, or by the rows themselves."""
    loss, tricks = LOSSES[setting.loss.kind], setting.tricks
    if loss.of_rows is not None:
        return loss.of_rows(setting.loss, shown.real, shown.fake)
    fake, real = d(shown.fake), d(shown.real)
    if tricks.feature_matching != OFF:
        return matching.MATCHING[tricks.feature_matching](real.features, fake.features)
    rows = loss.g(setting.loss, real.value, fake.value)
    if tricks.top_k is not None and number is not None:
        rows = rows * best(tricks, fake.value, number)
    return rows.mean()


def renewed(
    setting: Setting, state: State, rows: Players[Rows], movers: Movers
) -> tuple[Players[Variables], Averages]:
    """What is carried beside the parameters, and followed of D's outputs, after a step of these."""
    g, d = variables(state.params, state.carried)
    carried, kept = state.carried, state.averages
    if "g" in movers:
        carried = carried._replace(g=perceptrons.renewed_generator(setting, g, rows.g.latent))
    if "d" in movers and (carried.d or kept.of_d is not None):
        look, shown = seen(setting, state.carried, kept.of_d, state.params, rows.d)
        batches = shown.real, shown.fake
        carried = carried._replace(d=perceptrons.renewed_discriminator(setting, d, batches))
        if kept.of_d is not None:
            follow = penalties.FOLLOWED[setting.penalty.kind].after
            kept = kept._replace(of_d=follow(setting.penalty, look, shown))
    return carried, kept


def own_gradients(
    setting: Setting, game: Game, movers: Movers, expected: Callable[[Both], Both]
) -> Field:
    """The field of the movers' gradients of their own losses, in what they move.

    G's are those of its loss against the D that is `expected` of both players.
    """
    losses = game._replace(g=lambda params: game.g(expected(params)))

    def at(params: Both) -> Pull:
        pull = Pull(Players(None, None), Players(None, None))
        for name in movers:

            def loss(moved: Params, name: str = name) -> Array:
                return getattr(losses, name)(with_own(setting, params, name, moved))

            value, grads = jax.value_and_grad(loss)(own(setting, params, name))
            pull = Pull(
                pull.losses._replace(**{name: value}), pull.gradients._replace(**{name: grads})
            )
        return pull

    return at


def moved(
    setting: Setting, movers: Movers, params: Both, directions: Both, memory: Memory
) -> tuple[Both, Memory]:
    """What the movers' optimizers make of directions, within the bounds of weights."""
    optimizer = _optimizers(setting)
    for name in movers:
        before = own(setting, params, name)
        updates, after = getattr(optimizer, name).update(
            getattr(directions, name), getattr(memory, name), before
        )
        memory = memory._replace(**{name: after})
        params = with_own(setting, params, name, optax.apply_updates(before, updates))
    bound = setting.discriminator.weight_clip
    if bound is not None and "d" in movers:
        params = params._replace(d=constraints.clipped(bound, params.d))
    return params, memory


def unrolled(setting: Setting, d_loss: Callable[[Both], Array], memory: Memory) -> Expected:
    """What D becomes of some steps of its own optimizer on G's rows, which are then undone.

    Metz et al. 2017 (arXiv 1611.02163): G's gradient goes through them, or takes D as it then is.
    """
    training = setting.training
    field = own_gradients(setting, Players(d_loss, d_loss), ("d",), lambda params: params)

    @jax.jit  # traced once, not once a step
    def ahead(params: Both, memory: Memory) -> tuple[Both, Memory]:
        return moved(setting, ("d",), params, field(params).gradients, memory)

    def expected(params: Both) -> Both:
        after, d_memory = params, memory
        for _ in range(training.unrolled):
            after, d_memory = ahead(after, d_memory)
        if training.unrolled and training.unrolled_through == OFF:
            after = after._replace(d=jax.lax.stop_gradient(after.d))
        return after

    return expected


def step(
    setting: Setting, state: State, rows: Players[Rows], movers: Movers
) -> tuple[State, Losses]:
    """One step of the movers; returns their mean losses as well, None for one that stays."""
    training, history = setting.training, state.averages.history
    later = Players(*(own if own.later is None else own.later for own in rows))

    def field(names: Movers, rows: Players[Rows]) -> Field:
        played, of_gs_rows = (
            game(setting, state.carried, each, state.averages.of_d)
            for each in (rows, Players(rows.g, rows.g))
        )
        expected = unrolled(setting, of_gs_rows.d, state.opt_state)
        plain = own_gradients(setting, played, names, expected)
        if history is None:
            return plain
        return averages.pulled(plain, setting.tricks.historical_weight, history.of)

    pull, memory = DYNAMICS[training.dynamics].directions(
        Terms(
            players=state.params,
            memory=state.opt_state,
            past=state.past,
            field=field(movers, rows),
            later=field(movers, later),
            everyone=field(("g", "d"), rows),
            extrapolate=functools.partial(moved, setting, movers),
            weight=training.dynamics_weight,
            rate=setting.generator.optimizer.rate,
            iterations=training.dynamics_iterations,
        )
    )
    params, memory = moved(setting, movers, state.params, pull.gradients, memory)
    past = state.past
    if past is not None:
        past = past._replace(**{name: getattr(pull.gradients, name) for name in movers})
    losses = Players(*(getattr(pull.losses, n) if n in movers else None for n in ("g", "d")))
    carried, kept = renewed(setting, state, rows, movers)
    return State(params, carried, memory, kept, past), losses


def d_turn(setting: Setting, state: State, batch: Batch) -> tuple[State, Losses]:
    """D's steps of an update; returns their mean loss."""
    rows = batch.d_rows()
    return _repeat(setting, state, Players(rows, rows), ("d",))


def g_turn(setting: Setting, state: State, batch: Batch) -> tuple[State, Losses]:
    """G's steps of an update; returns their mean loss."""
    rows = batch.g_rows()
    return _repeat(setting, state, Players(rows, rows), ("g",))


def joint_turn(setting: Setting, state: State, batch: Batch) -> tuple[State, Losses]:
    """One step of both players at once, each on latents of its own; returns their losses."""
    return _repeat(setting, state, Players(batch.g_rows(), batch.d_rows()), ("g", "d"))


Turn = Callable[[Setting, State, Batch], tuple[State, Losses]]
TURNS: dict[str, tuple[Turn, ...]] = {
    ALTERNATING: (d_turn, g_turn),
    G_FIRST: (g_turn, d_turn),
    SIMULTANEOUS: (joint_turn,),
}


def update(setting: Setting, state: State, batch: Batch) -> tuple[State, Players[Array]]:
    """One update, and each player's mean loss. Everything random is in `batch`."""
    losses: Losses = Players(None, None)
    for turn in TURNS[setting.training.order]:
        state, own_losses = turn(setting, state, batch)
        pairs = zip(own_losses, losses, strict=True)
        losses = Players(*(before if now is None else now for now, before in pairs))
    params, followed = averages.followed(
        setting.averages, state.averages, state.params, state.carried
    )
    return state._replace(params=params, averages=followed), cast(Players[Array], losses)


def advance(setting: Setting, run: Run, batch: Batch, step: Array) -> Run:
    """Update number `step` (from 0) of a run, unless it has diverged.

    A run whose weights, optimizer state or losses become NaN or infinite keeps its last finite
    state from then on.
    """
    state, losses = update(setting, run.state, batch)
    finite = _all_finite((state, losses))
    running = run.diverged_at < 0

    def keep(new: Array, old: Array) -> Array:
        return jnp.where(running & finite, new, old)

    return Run(
        state=jax.tree.map(keep, state, run.state),
        diverged_at=jnp.where(running & ~finite, step + 1, run.diverged_at),
        loss_sums=jax.tree.map(
            lambda total, loss: keep(total + loss, total), run.loss_sums, losses
        ),
    )


def _added(rows: Array, noise: Array | None) -> Array:
    return rows if noise is None else rows + noise


def _repeat(
    setting: Setting, state: State, rows: Players[Rows], movers: Movers
) -> tuple[State, Losses]:
    """A step for each of the rows `[steps, ...]`, and the mean losses; no loop around one step."""

    def one(state: State, rows: Players[Rows]) -> tuple[State, Losses]:
        return step(setting, state, rows, movers)

    if jax.tree.leaves(rows)[0].shape[0] > 1:
        state, losses = jax.lax.scan(one, state, rows)
        return state, jax.tree.map(lambda each: each.mean(), losses)
    return one(state, jax.tree.map(lambda array: array[0], rows))


def _all_finite(tree: Tree) -> Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()
