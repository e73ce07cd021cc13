"""Fields of a setting that are each allowed but make no sense together."""

from collections.abc import Iterator

import numpy as np

from gan1d.config.fields import value_text
from gan1d.gan import targets
from gan1d.gan.dynamics import DYNAMICS
from gan1d.gan.inputs import SIMULTANEOUS
from gan1d.gan.losses import AVERAGED, LABELLED, LOSSES
from gan1d.gan.networks import SAME
from gan1d.gan.penalties import FOLLOWED
from gan1d.gan.setting import Setting
from gan1d.gan.spec import OFF, Value
from gan1d.gan.targets import TargetFields, counts, data

LEAST_COUNT_STD = 0.3  # of counts: of 251 perfect samples 25 are something else
MOST_COUNTS = 1000  # that all but the rare ends of a law is spread over
MOST_CORRELATED = 0.999  # coordinates of a mode; beyond, float32 has few digits of its width
LEAST_SHARE = 1e-6  # of a mixture's component; uniforms come in steps of 1.2e-7

# Losses of which G's is minus D's, but for what has no gradient in G; and what parts them.
ZERO_SUM = ("saturating", "wasserstein")
ZERO_SUM_WORDS = f"use {' or '.join(ZERO_SUM)}"
ONE_GAME: dict[str, Value] = {
    "training.order": SIMULTANEOUS,
    "training.fresh_batches": False,
    "training.unrolled": 0,
    "penalty.kind": OFF,
    "diversity.kind": OFF,
    "tricks.top_k": 0.0,
    "discriminator.dropout": 0.0,
    "tricks.feature_matching": OFF,
    "tricks.instance_noise": 0.0,
    "tricks.input_noise": 0.0,
    "tricks.historical_averaging": OFF,
    "loss.drift": 0.0,
    "loss.label_smoothing": 0.0,
    "loss.fake_label": 0.0,
    "loss.flips": 0.0,
}


def find(setting: Setting) -> Iterator[tuple[str, Value, str]]:
    """Fields that make no sense together, as (dotted name, value, what to do)."""
    target, latent = setting.target, setting.latent
    if target.kind in targets.MIXTURES:
        yield from _mixture(target)
    if latent.kind == "stratified" and latent.dim != 1:
        yield "latent.dim", latent.dim, "stratified latents are 1-D: set latent.kind=uniform or 1"
    if latent.kind in ("stratified", "uniform") and latent.low >= latent.high:
        yield "latent.low", latent.low, f"it must be below latent.high={latent.high:g}"
    if target.kind == "pareto" and target.shape < targets.LEAST_PARETO:
        remedy = f"Pareto's tail leaves no std to judge by; give {targets.LEAST_PARETO:g} or more"
        yield "target.shape", target.shape, remedy
    if target.kind in targets.COUNTS:
        yield from _counts(target)
    if (np.abs(target.loc) > 1e4 * np.array(target.scale)).any():
        yield "target.loc", target.loc, "float32 has no digits for more than 1e4 target scales"
    for name in ("loc", "scale"):
        if isinstance(value := getattr(target, name), tuple) and target.kind not in targets.PLANE:
            yield f"target.{name}", value, "a pair is of a target in the plane; give one number"
    if latent.kind == "stratified" and setting.training.batch_size == 1:
        yield "training.batch_size", 1, "stratified latents span an interval with 2 points or more"
    plane = targets.dim(target) > 1
    if setting.tricks.input_noise and (latent.dim != 1 or plane):
        remedy = "sorted noise needs 1-D data and latents; use tricks.instance_noise"
        yield "tricks.input_noise", setting.tricks.input_noise, remedy
    if setting.training.data_rows and target.kind == data.KIND:
        remedy = "own data are a finite set as they are; set it to 0"
        yield "training.data_rows", setting.training.data_rows, remedy
    if setting.pretraining.steps and target.kind == data.KIND:
        yield "pretraining.steps", setting.pretraining.steps, "data have no density; set it to 0"
    elif setting.pretraining.steps and target.kind in targets.COUNTS:
        yield "pretraining.steps", setting.pretraining.steps, "counts have no density; set it to 0"
    elif setting.pretraining.steps and plane:
        yield "pretraining.steps", setting.pretraining.steps, "D regresses on 1-D densities only"
    if target.kind in ("ring", "grid") and target.noise == 0:
        yield "target.noise", target.noise, "modes need a width above 0 to be judged by"
    yield from _finite(setting)
    yield from _order(setting)
    yield from _dynamics(setting)
    yield from _together(setting)
    yield from _networks(setting)
    yield from _loss(setting)
    if setting.generator.kind == "point" and setting.tricks.virtual_batch_norm == "on":
        yield "generator.kind", "point", "virtual batch norm needs hidden layers"
    elif not setting.generator.hidden:
        for name, value, nothing in (
            ("generator.norm", setting.generator.norm, OFF),
            ("generator.last_activation", setting.generator.last_activation, SAME),
            ("tricks.virtual_batch_norm", setting.tricks.virtual_batch_norm, OFF),
        ):
            if value != nothing:
                yield name, value, "it needs a hidden layer"
    layers = len(setting.discriminator.hidden)
    hidden = f"discriminator.hidden={setting.discriminator.hidden}"
    if setting.tricks.minibatch != "off":
        needed = 2 if setting.tricks.minibatch == "replace" else 1
        if layers < needed:
            yield (
                "tricks.minibatch",
                setting.tricks.minibatch,
                f"it needs {needed} hidden layers, but {hidden}",
            )
        if setting.training.batch_size == 1:
            yield "training.batch_size", 1, "minibatch discrimination compares rows: use 2 or more"
        if setting.tricks.minibatch_rows > setting.training.batch_size:
            size = setting.training.batch_size
            yield "tricks.minibatch_rows", setting.tricks.minibatch_rows, f"a batch has {size} rows"
    last = setting.discriminator.last_activation
    if last != SAME and (not layers or setting.tricks.minibatch == "replace"):
        why = "minibatch=replace leaves none" if layers else hidden
        yield "discriminator.last_activation", last, f"it needs a last hidden layer, but {why}"
    if setting.tricks.feature_matching != "off" and not layers:
        yield (
            "tricks.feature_matching",
            setting.tricks.feature_matching,
            f"it needs a hidden layer, but {hidden}",
        )
    if setting.pretraining.steps and setting.pretraining.low >= setting.pretraining.high:
        high = setting.pretraining.high
        yield (
            "pretraining.low",
            setting.pretraining.low,
            f"it must be below pretraining.high={high:g}",
        )


def _finite(setting: Setting) -> Iterator[tuple[str, Value, str]]:
    """What finite sets, and rows that are spread over a family, do not go with."""
    training, is_stratified = setting.training, setting.latent.kind == "stratified"
    if training.finite_latents and is_stratified:
        yield "latent.kind", "stratified", "these are fixed points already; use uniform or normal"
    if training.full_batch and training.batch_size != training.data_rows:
        remedy = f"full_batch needs as many as training.data_rows={training.data_rows}"
        yield "training.batch_size", training.batch_size, remedy
    if training.full_batch and training.finite_latents and setting.diversity.kind != OFF:
        yield "diversity.kind", setting.diversity.kind, "full_batch has no other latents; set off"
    if not training.strata:
        return
    if setting.target.kind == data.KIND:
        yield "training.strata", training.strata, "own data have no equal parts; set it to 0"
    name = "data_rows" if training.data_rows else "batch_size"
    if (rows := getattr(training, name)) % training.strata:
        yield "training.strata", training.strata, f"it must divide training.{name}={rows}"


def _loss(setting: Setting) -> Iterator[tuple[str, Value, str]]:
    """What the loss does not go with."""
    loss = setting.loss
    if loss.kind in LABELLED and loss.fake_label >= 1 - loss.label_smoothing:
        remedy = f"it must be below that of real rows, 1 - label_smoothing={loss.label_smoothing:g}"
        yield "loss.fake_label", loss.fake_label, remedy
    if LOSSES[loss.kind].of_rows is not None and setting.tricks.feature_matching != "off":
        remedy = f"loss.kind={loss.kind} is G's loss, and needs no D; set off"
        yield "tricks.feature_matching", setting.tricks.feature_matching, remedy
    if LOSSES[loss.kind].of_rows is not None and setting.tricks.top_k:
        remedy = f"loss.kind={loss.kind} has no scores of rows; set it to 0"
        yield "tricks.top_k", setting.tricks.top_k, remedy
    size = setting.training.batch_size
    if loss.kind in AVERAGED and size // setting.tricks.packing == 1:
        remedy = f"loss.kind={loss.kind} compares with means; use two rows, or packs, or more"
        yield "training.batch_size", size, remedy
    if loss.kind == "ranks" and targets.dim(setting.target) != 1:
        yield "loss.kind", "ranks", "ranks are of numbers: it needs a target on the line"
    if loss.kind == "ranks" and loss.ranks > size:
        yield "loss.ranks", loss.ranks, f"a batch has {size} rows to be ranked among"


def _mixture(target: TargetFields) -> Iterator[tuple[str, Value, str]]:
    """Components of a mixture that make none."""
    of_line, spread = target.kind in targets.LINE, targets.MIXTURES[target.kind]
    name = "means" if of_line else "centres"
    places, widths = getattr(target, name), getattr(target, spread)
    if not len(target.weights) == len(places) == len(widths) > 0:
        remedy = f"give weights, {name} and {spread} the same length"
        yield "target.weights", target.weights, remedy
        return
    if min(target.weights) < LEAST_SHARE * sum(target.weights):
        remedy = f"float32 can't draw shares below {LEAST_SHARE:g} of their sum; leave them out"
        yield "target.weights", target.weights, remedy
    if of_line:
        return
    shares = np.array(target.weights) / sum(target.weights)
    mean = shares @ places
    if spread == "stds":
        variances = np.square(target.stds)[:, None]
    else:
        x, between, y = np.array(target.covariances).T
        variances = np.stack([x, y], axis=1)
        if not ((x > 0) & (y > 0) & (np.square(between) <= MOST_CORRELATED**2 * x * y)).all():
            remedy = f"variances must be above 0, correlations within {MOST_CORRELATED:g}"
            yield "target.covariances", target.covariances, remedy
            return
    std = np.sqrt(shares @ (np.array(places) - mean) ** 2 + shares @ variances)
    loc, scale = np.array(target.loc), np.array(target.scale)
    if (np.abs(loc + scale * mean) > data.LARGEST_MEAN * scale * std).any():
        far = f"along one axis its mean is beyond {data.LARGEST_MEAN:g} of its stds"
        yield "target.centres", places, f"{far}, where float32 has no digits; move it nearer to 0"


def _counts(target: TargetFields) -> Iterator[tuple[str, Value, str]]:
    """Laws of counts that can't be judged."""
    name = "rate" if target.kind == "poisson" else "probability"
    law, field = counts.law(target), f"target.{name}"
    if law.std < LEAST_COUNT_STD:
        remedy = "few samples would be any other count; give more than one a chance"
        yield field, getattr(target, name), f"its std is {law.std:.2g} counts: {remedy}"
    if (many := targets.mode_count(target)) > MOST_COUNTS:
        remedy = f"at most {MOST_COUNTS} can be told apart; bring them nearer together"
        yield field, getattr(target, name), f"it spreads over {many} counts: {remedy}"


def _dynamics(setting: Setting) -> Iterator[tuple[str, Value, str]]:
    """What a dynamics, and a look ahead, do not go with."""
    training, g, d = setting.training, setting.generator.optimizer, setting.discriminator.optimizer
    dynamics = DYNAMICS[training.dynamics]
    trains_features = setting.tricks.feature_matching_trains == "g_and_features"
    if trains_features and (dynamics.of_both or training.unrolled):
        what = f"dynamics={training.dynamics}" if dynamics.of_both else "unrolled"
        remedy = f"training.{what} has no place for a G that moves D's layers; set g"
        yield "tricks.feature_matching_trains", "g_and_features", remedy
    if dynamics.past and training.order != SIMULTANEOUS:
        remedy = f"training.dynamics={training.dynamics} has both players move at once; set that"
        yield "training.order", training.order, remedy
    if not dynamics.zero_sum:
        return
    named = f"training.dynamics={training.dynamics}"
    if setting.loss.kind not in ZERO_SUM:
        yield "loss.kind", setting.loss.kind, f"{named} is for zero-sum games: {ZERO_SUM_WORDS}"
    for name, off in ONE_GAME.items():
        section, _, entry = name.partition(".")
        if (value := getattr(getattr(setting, section), entry)) != off:
            yield name, value, f"{named} has both players see one game; set {value_text(off)}"
    for name, optimizer in (("generator", g), ("discriminator", d)):
        if optimizer.kind != "sgd":
            remedy = f"{named} has steps of its own; set sgd"
            yield f"{name}.optimizer.kind", optimizer.kind, remedy
        for entry, off in (("decay", 1.0), ("warmup", 0.0), ("weight_decay", 0.0)):
            if (value := getattr(optimizer, entry)) != off:
                remedy = f"{named} reckons with a rate that stays; set {off:g}"
                yield f"{name}.optimizer.{entry}", value, remedy
    if g.rate != d.rate:
        remedy = f"{named} has one rate; set that of the discriminator, {d.rate:g}"
        yield "generator.optimizer.rate", g.rate, remedy


def _together(setting: Setting) -> Iterator[tuple[str, Value, str]]:
    """What rows that are taken together do not go with."""
    tricks, size = setting.tricks, setting.training.batch_size
    packing, group = tricks.packing, tricks.minibatch_std
    if size % packing:
        yield "tricks.packing", packing, f"it must divide training.batch_size={size}"
    elif group and (group == 1 or (size // packing) % group):
        yield (
            "tricks.minibatch_std",
            group,
            f"groups of 2 or more must divide {size // packing} rows",
        )
    sorts = setting.training.sort and 1 in (targets.dim(setting.target), setting.latent.dim)
    if packing > 1 and sorts:
        yield "training.sort", True, "rows of a pack must be independent; set it to False"
    ordered = {"tricks.packing": packing > 1, "diversity.kind": setting.diversity.kind != OFF}
    for name, taken in ordered.items():
        if taken and setting.latent.kind == "stratified":
            remedy = f"{name} takes independent latents together; use uniform or normal"
            yield "latent.kind", "stratified", remedy
    if packing > 1 and setting.pretraining.steps:
        yield "pretraining.steps", setting.pretraining.steps, "D judges packs; set it to 0"
    if tricks.top_k and tricks.feature_matching != OFF:
        yield "tricks.top_k", tricks.top_k, "feature matching has no scores of rows; set it to 0"


def _networks(setting: Setting) -> Iterator[tuple[str, Value, str]]:
    """What networks' norms, dropout, averages and fading noise do not go with."""
    tricks, d = setting.tricks, setting.discriminator
    if d.norm == "batch" and setting.penalty.kind not in (OFF, *FOLLOWED):
        remedy = "a row's slope is that of its batch; use layer, or no penalty"
        yield "discriminator.norm", "batch", remedy
    kept = {"norm": d.norm == "batch", "spectral_norm": d.spectral_norm != OFF}
    for name, on in kept.items():
        if on and setting.pretraining.steps:
            remedy = f"discriminator.{name} follows D through training; set it to 0"
            yield "pretraining.steps", setting.pretraining.steps, remedy
    if setting.generator.norm != OFF and tricks.virtual_batch_norm != OFF:
        yield "generator.norm", setting.generator.norm, "virtual batch norm is one; set off"
    for name, network in (("generator", setting.generator), ("discriminator", d)):
        if network.norm == "batch" and setting.training.batch_size // tricks.packing == 1:
            yield f"{name}.norm", "batch", "a batch of one row is all alike; use 2 or more"
    if not d.hidden:
        of_units = ("norm", d.norm, OFF), ("dropout", d.dropout, 0.0), ("maxout", d.maxout, 1)
        for name, value, off in of_units:
            if value != off:
                yield f"discriminator.{name}", value, "it needs a hidden layer"
    if setting.averages.uniform != OFF and setting.averages.ema:
        remedy = "one average is judged; set 0, or averages.uniform=off"
        yield "averages.ema", setting.averages.ema, remedy
    endless = tricks.noise_fade_steps and tricks.noise_fade_shape == "exponential"
    if endless and not tricks.noise_fade:
        yield "tricks.noise_fade", 0.0, "exponentially noise gets near to 0; give a part above it"


def _order(setting: Setting) -> Iterator[tuple[str, Value, str]]:
    """What the order of steps, and of rows, does not go with."""
    training = setting.training
    if training.order == SIMULTANEOUS:
        for name in ("d_steps", "g_steps"):
            if (steps := getattr(training, name)) != 1:
                remedy = f"training.order={SIMULTANEOUS} has one step of each; set 1"
                yield f"training.{name}", steps, remedy
        if setting.tricks.feature_matching_trains == "g_and_features":
            remedy = "both players would move D's layers at once; set training.order=alternating"
            yield "tricks.feature_matching_trains", "g_and_features", remedy
    if LOSSES[setting.loss.kind].paired and training.sort and targets.dim(setting.target) == 1:
        remedy = f"loss.kind={setting.loss.kind} pairs rows at random; set training.sort=False"
        yield "training.sort", True, remedy
