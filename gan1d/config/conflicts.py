"""Fields of a setting that are each allowed but make no sense together."""

from collections.abc import Iterator

from gan1d.gan import targets
from gan1d.gan.inputs import SIMULTANEOUS
from gan1d.gan.losses import LABELLED, LOSSES
from gan1d.gan.setting import Setting
from gan1d.gan.spec import Value

LEAST_SHARE = 1e-6  # of a mixture's component; uniforms come in steps of 1.2e-7


def find(setting: Setting) -> Iterator[tuple[str, Value, str]]:
    """Fields that make no sense together, as (dotted name, value, what to do)."""
    target, latent = setting.target, setting.latent
    if target.kind == "mixture" and not (
        len(target.weights) == len(target.means) == len(target.stds) > 0
    ):
        yield "target.weights", target.weights, "give weights, means and stds the same length"
    rarest = min(target.weights, default=1.0)
    if target.kind == "mixture" and rarest < LEAST_SHARE * sum(target.weights):
        remedy = f"float32 can't draw shares below {LEAST_SHARE:g} of their sum; leave them out"
        yield "target.weights", target.weights, remedy
    if latent.kind == "stratified" and latent.dim != 1:
        yield "latent.dim", latent.dim, "stratified latents are 1-D: set latent.kind=uniform or 1"
    if latent.kind != "normal" and latent.low >= latent.high:
        yield "latent.low", latent.low, f"it must be below latent.high={latent.high:g}"
    if abs(target.loc) > 1e4 * target.scale:
        yield "target.loc", target.loc, "float32 has no digits for more than 1e4 target scales"
    if latent.kind == "stratified" and setting.training.batch_size == 1:
        yield "training.batch_size", 1, "stratified latents span an interval with 2 points or more"
    plane = targets.dim(target) == 2
    if setting.tricks.input_noise and (latent.dim != 1 or plane):
        remedy = "sorted noise needs 1-D data and latents; use tricks.instance_noise"
        yield "tricks.input_noise", setting.tricks.input_noise, remedy
    if setting.pretraining.steps and plane:
        yield "pretraining.steps", setting.pretraining.steps, "D regresses on 1-D densities only"
    if target.kind in ("ring", "grid") and target.noise == 0:
        yield "target.noise", target.noise, "modes need a width above 0 to be judged by"
    yield from _order(setting)
    yield from _loss(setting)
    if setting.generator.kind == "point" and setting.tricks.virtual_batch_norm == "on":
        yield "generator.kind", "point", "virtual batch norm needs hidden layers"
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
    if last != "same" and (not layers or setting.tricks.minibatch == "replace"):
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


def _loss(setting: Setting) -> Iterator[tuple[str, Value, str]]:
    """What the loss does not go with."""
    loss = setting.loss
    if loss.kind in LABELLED and loss.fake_label >= 1 - loss.label_smoothing:
        remedy = f"it must be below that of real rows, 1 - label_smoothing={loss.label_smoothing:g}"
        yield "loss.fake_label", loss.fake_label, remedy
    if LOSSES[loss.kind].of_rows is not None and setting.tricks.feature_matching != "off":
        remedy = f"loss.kind={loss.kind} is G's loss, and needs no D; set off"
        yield "tricks.feature_matching", setting.tricks.feature_matching, remedy


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
