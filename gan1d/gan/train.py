"""One GAN as a composition: its state, a step of its players, an update, and a run of updates.

An update is made of turns, each of which lets one player move, or both at once. A step takes the
game, the players' losses as functions of both, to a field of their own gradients; a dynamics makes
directions of it, optimizers moves, constraints bring weights back into their bounds.
"""

from collections.abc import Callable
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import Array

from gan1d.gan import averages, constraints, matching, optimizers, penalties, perceptrons, pytrees
from gan1d.gan.averages import Averages
from gan1d.gan.dynamics import DYNAMICS, Field, Pull
from gan1d.gan.inputs import ALTERNATING, G_FIRST, SIMULTANEOUS, Batch, draw
from gan1d.gan.losses import LOSSES, of_d
from gan1d.gan.players import Output, Params, Players, Rows, Seen, Tree, Variables
from gan1d.gan.pretrain import Pretraining, pretrain
from gan1d.gan.randomness import stream
from gan1d.gan.setting import Setting
from gan1d.gan.spec import OFF

__all__ = ["State", "advance", "draw", "init", "judged", "start", "step", "update"]

del pytrees  # what it is imported for has happened

Both = Players[Params]
Game = Players[Callable[[Both], Array]]  # both players' losses, scalars
Movers = tuple[str, ...]  # "g", "d", or both
Losses = Players[Array | None]  # mean losses, scalars; None of one that stays


class State(NamedTuple):
    """Everything that training changes; arrays only."""

    params: Both
    carried: Players[Variables]  # what networks keep beside their parameters and is not trained
    opt_state: Players[Tree]
    averages: Averages


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
    kept = averages.begun(setting.averages, params, historical=historical)
    return State(params, Players(g_carried, d_carried), opt_state, kept), pretraining


def start(setting: Setting, key: Array) -> tuple[Run, Pretraining | None]:
    """A run before its first update, and how D was pretrained."""
    state, pretraining = init(setting, key)
    diverged_at = jnp.where(_all_finite(state.params), -1, 0).astype(jnp.int32)
    return Run(state, diverged_at, Players(jnp.zeros(()), jnp.zeros(()))), pretraining


def judged(state: State) -> Players[Variables]:
    """The networks' variables that are judged: of G the average of its weights, if one is kept."""
    averaged = state.averages.ema is not None
    params = state.params._replace(g=state.averages.ema) if averaged else state.params
    return variables(params, state.carried)


def variables(params: Both, carried: Players[Variables]) -> Players[Variables]:
    """Parameters, and what is carried beside them, as flax has them."""
    return Players(*({"params": p} | c for p, c in zip(params, carried, strict=True)))


def own(setting: Setting, params: Both, name: str) -> Params:
    """What a player's optimizer moves: its parameters, or of a G that trains features both.

    Neural Perspective's code (2016) gives the optimizer of the matching loss no list of variables.
    D's output layer has no part in the features: its gradients, and steps, are zero.
    """
    return params if name == "g" and _trains_features(setting) else getattr(params, name)


def with_own(setting: Setting, params: Both, name: str, moved: Params) -> Both:
    """Both players with what one's optimizer has moved."""
    return moved if name == "g" and _trains_features(setting) else params._replace(**{name: moved})


def _trains_features(setting: Setting) -> bool:
    tricks = setting.tricks
    return tricks.feature_matching != OFF and tricks.feature_matching_trains == "g_and_features"


def _optimizers(setting: Setting) -> Players[optax.GradientTransformation]:
    sections = Players(setting.generator.optimizer, setting.discriminator.optimizer)
    return Players(*map(optimizers.make, sections))


def game(setting: Setting, carried: Players[Variables], rows: Players[Rows]) -> Game:
    """Both players' mean losses, on rows of their own."""

    def seen(params: Both, fed: Rows) -> tuple[Callable[[Array], Output], Seen]:
        g, d = variables(params, carried)
        fake = perceptrons.generate(setting, g, fed.latent)
        shown = Seen(_added(fed.real, fed.real_noise), _added(fake, fed.fake_noise))
        return lambda x: perceptrons.discriminate(setting, d, x), shown

    def d_loss(params: Both) -> Array:
        d, shown = seen(params, rows.d)
        real, fake = d(shown.real), d(shown.fake)
        loss = of_d(setting.loss, real.value, fake.value, rows.d.flipped).mean()
        penalty = setting.penalty
        if penalty.kind == OFF:
            return loss
        if rows.d.probes is not None:
            shown = shown._replace(more=penalties.probed(penalty, shown, rows.d.probes))
        return loss + penalties.PENALTIES[penalty.kind](penalty, d, shown)

    def g_loss(params: Both) -> Array:
        d, shown = seen(params, rows.g)
        loss = LOSSES[setting.loss.kind]
        if loss.of_rows is not None:
            return loss.of_rows(setting.loss, shown.real, shown.fake)
        fake, real = d(shown.fake), d(shown.real)
        if setting.tricks.feature_matching != OFF:
            return matching.MATCHING[setting.tricks.feature_matching](real.features, fake.features)
        return loss.g(setting.loss, real.value, fake.value).mean()

    return Players(g_loss, d_loss)


def own_gradients(setting: Setting, game: Game, movers: Movers) -> Field:
    """The field of the movers' gradients of their own losses, in what they move."""

    def at(params: Both) -> Pull:
        pull = Pull(Players(None, None), Players(None, None))
        for name in movers:

            def loss(moved: Params, name: str = name) -> Array:
                return getattr(game, name)(with_own(setting, params, name, moved))

            value, grads = jax.value_and_grad(loss)(own(setting, params, name))
            pull = Pull(
                pull.losses._replace(**{name: value}), pull.gradients._replace(**{name: grads})
            )
        return pull

    return at


def step(
    setting: Setting, state: State, rows: Players[Rows], movers: Movers
) -> tuple[State, Losses]:
    """One step of the movers; returns their mean losses as well, None for one that stays."""
    field = own_gradients(setting, game(setting, state.carried, rows), movers)
    if state.averages.history is not None:
        weight, history = setting.tricks.historical_weight, state.averages.history
        field = averages.pulled(field, weight, history.mean)
    optimizer = _optimizers(setting)

    def moved(params: Both, gradients: Both) -> tuple[Both, Players[Tree]]:
        opt_state = state.opt_state
        for name in movers:
            before = own(setting, params, name)
            updates, memory = getattr(optimizer, name).update(
                getattr(gradients, name), getattr(opt_state, name), before
            )
            opt_state = opt_state._replace(**{name: memory})
            params = with_own(setting, params, name, optax.apply_updates(before, updates))
        bound = setting.discriminator.weight_clip
        if bound is not None and "d" in movers:
            params = params._replace(d=constraints.clipped(bound, params.d))
        return params, opt_state

    pull = DYNAMICS[setting.training.dynamics](
        field, lambda params, gradients: moved(params, gradients)[0], state.params
    )
    params, opt_state = moved(state.params, pull.gradients)
    return state._replace(params=params, opt_state=opt_state), pull.losses


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
    followed = averages.followed(setting.averages, state.averages, state.params)
    return state._replace(averages=followed), cast(Players[Array], losses)


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
