"""Setting: one point of a sweep, a value for every field of one GAN.

Each field is declared once, with its default, its range, what it means, and whether it is *static*
or *traced*. A Setting is a pytree whose leaves are the traced numbers; its tree structure holds
everything that changes the traced program. So settings whose tree structures are equal share one
compilation, and `vmap` maps over the numbers. No other module lists the fields again.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import jax

from gan1d import latents, losses, networks, optimizers, targets, tricks

# Numbers are float32 inside the traced program.
LARGEST = 1e30
SMALLEST = 1e-30


@dataclasses.dataclass(frozen=True)
class Spec:
    """What is known about a field besides its default."""

    doc: str
    traced: bool = False
    options: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False  # low itself is excluded
    label: str = ""  # how a swept value is named in tables and figures
    neutral: Any = None  # the value that means "off", left out of names
    only: tuple[str, ...] = ()  # a field beside it, and the values of that where it has an effect

    def problem(self, value: Any) -> str | None:
        """Why the value is not allowed, or None."""
        if self.options:
            return None if value in self.options else f"choose one of {', '.join(self.options)}"
        entries = value if isinstance(value, tuple) else (value,)
        for entry in entries:
            if not abs(entry) <= LARGEST:
                return f"it must be a number of at most {LARGEST:g} in size"
            if 0 < abs(entry) < SMALLEST:
                return f"it must be 0 or at least {SMALLEST:g} in size"
            if entry < self.low or entry > self.high or (self.open_low and entry == self.low):
                return f"it must be {self.range()}"
        return None

    def range(self) -> str:
        """The allowed values in words."""
        if self.options:
            return " | ".join(self.options)
        low = f"{'above' if self.open_low else 'at least'} {self.low:g}"
        high = f"at most {self.high:g}"
        bounds = [low] * (self.low > -math.inf) + [high] * (self.high < math.inf)
        return " and ".join(bounds) or "any number"


# What `Spec.only` says of several fields.
MIXTURE = ("kind", "mixture")
MINIBATCH = ("minibatch", "append", "replace")


def field(default: Any, doc: str, **spec: Any) -> Any:
    """A static field: its value is part of the structure."""
    return dataclasses.field(default=default, metadata={"spec": Spec(doc, **spec)})


def _choice(default: str, doc: str, options: Any, **spec: Any) -> Any:
    return field(default, doc, options=tuple(options), **spec)


def _number(default: float | tuple[float, ...], doc: str, **spec: Any) -> Any:
    return field(default, doc, traced=True, **spec)


def section(default: Any) -> Any:
    """A field that holds fields."""
    return dataclasses.field(default_factory=lambda: default)


def _pytree(cls: Any) -> Any:
    """A frozen dataclass and pytree: traced fields are its leaves, static ones its structure."""
    cls = dataclasses.dataclass(frozen=True)(cls)
    specs = {entry.name: entry.metadata.get("spec") for entry in dataclasses.fields(cls)}
    static = [name for name, spec in specs.items() if spec and not spec.traced]
    traced = [name for name in specs if name not in static]
    return jax.tree_util.register_dataclass(cls, data_fields=traced, meta_fields=static)


@_pytree
class Target:
    """The distribution to be learned."""

    kind: str = _choice("gaussian", "family", targets.FAMILIES, label="target")
    loc: float = _number(4.0, "location", label="target loc")
    scale: float = _number(0.5, "scale", low=0, open_low=True, label="target scale")
    weights: tuple[float, ...] = _number(
        (0.5, 0.5),
        "mixture: weights, normalised",
        low=0,
        open_low=True,
        label="weights",
        only=MIXTURE,
    )
    means: tuple[float, ...] = _number(
        (-2.0, 2.0), "mixture: means, before loc and scale", label="means", only=MIXTURE
    )
    stds: tuple[float, ...] = _number(
        (0.5, 0.5), "mixture: standard deviations", low=0, open_low=True, label="stds", only=MIXTURE
    )


@_pytree
class Latent:
    """What the generator is fed."""

    kind: str = _choice("stratified", "distribution", latents.KINDS, label="latent")
    dim: int = field(1, "dimension (stratified: 1)", low=1, high=1024, label="latent dim")
    low: float = _number(
        -8.0,
        "stratified, uniform: lower end",
        label="latent low",
        only=("kind", "stratified", "uniform"),
    )
    high: float = _number(
        8.0,
        "stratified, uniform: upper end",
        label="latent high",
        only=("kind", "stratified", "uniform"),
    )
    jitter: float = _number(
        0.01,
        "stratified: width of each point's uniform jitter",
        low=0,
        label="latent jitter",
        only=("kind", "stratified"),
    )


@_pytree
class Optimizer:
    """How one network's gradients become steps."""

    kind: str = _choice("adam", "method", optimizers.OPTIMIZERS, label="optimizer")
    rate: float = _number(1e-3, "learning rate", low=0, label="rate")
    decay: float = _number(
        1.0, "factor on the rate every decay_steps steps", low=0, open_low=True, label="rate decay"
    )
    decay_steps: float = _number(
        1000.0, "steps of this network between decays", low=1, label="decay steps"
    )
    momentum: float = _number(
        0.9, "momentum: coefficient", low=0, high=1, label="momentum", only=("kind", "momentum")
    )
    b1: float = _number(
        0.9,
        "adam: decay of the first moment",
        low=0,
        high=0.999999,
        label="b1",
        only=("kind", "adam"),
    )
    b2: float = _number(
        0.999,
        "adam: decay of the second moment",
        low=0,
        high=0.999999,
        label="b2",
        only=("kind", "adam"),
    )
    epsilon: float = _number(
        1e-8,
        "adam, rmsprop: added to the root",
        low=0,
        label="epsilon",
        only=("kind", "adam", "rmsprop"),
    )
    rms_decay: float = _number(
        0.9,
        "rmsprop: decay of the mean square",
        low=0,
        high=1,
        label="rms",
        only=("kind", "rmsprop"),
    )
    rms_initial: float = _number(
        0.0,
        "rmsprop: first value of the mean square (TensorFlow 1: 1)",
        low=0,
        label="rms start",
        only=("kind", "rmsprop"),
    )


@_pytree
class Generator:
    """The generator."""

    hidden: tuple[int, ...] = field(
        (4,), "units of each hidden layer", low=1, high=4096, label="G hidden"
    )
    activation: str = _choice(
        "softplus", "hidden activation", networks.ACTIVATIONS, label="G activation"
    )
    output_activation: str = _choice(
        "linear", "activation of the output", networks.ACTIVATIONS, label="G output"
    )
    output_scale: float = _number(
        1.0, "factor on the output", low=0, open_low=True, label="G output scale"
    )
    kernel_init: str = _choice("normal", "weights", networks.INITIALIZERS, label="G init")
    kernel_scale: float = _number(1.0, "factor on the initial weights", low=0, label="G init scale")
    optimizer: Optimizer = section(Optimizer())


@_pytree
class Discriminator:
    """The discriminator."""

    hidden: tuple[int, ...] = field(
        (8, 8, 8), "units of each hidden layer", low=1, high=4096, label="D hidden"
    )
    activation: str = _choice(
        "relu", "hidden activation", networks.ACTIVATIONS, label="D activation"
    )
    kernel_init: str = _choice("normal", "weights", networks.INITIALIZERS, label="D init")
    kernel_scale: float = _number(1.0, "factor on the initial weights", low=0, label="D init scale")
    optimizer: Optimizer = section(Optimizer())


@_pytree
class Loss:
    """The adversarial loss."""

    kind: str = _choice("non_saturating", "formula", losses.LOSSES, label="loss")
    log_floor: float = _number(
        1e-5,
        "smallest probability a log sees (0: none)",
        low=0,
        high=0.5,
        label="log floor",
        only=("kind", "non_saturating", "saturating"),
    )


@_pytree
class Tricks:
    """What changes training and is not a loss."""

    minibatch: str = _choice(
        "off",
        "minibatch discrimination: after D's last hidden layer, or in its place",
        ("off", "append", "replace"),
        label="minibatch",
        neutral="off",
    )
    minibatch_kernels: int = field(
        5, "minibatch: kernels", low=1, high=1024, label="kernels", only=MINIBATCH
    )
    minibatch_dim: int = field(
        3, "minibatch: dimension of a kernel", low=1, high=1024, label="kernel dim", only=MINIBATCH
    )
    minibatch_init_scale: float = _number(
        0.02,
        "minibatch: std of the initial projection",
        low=0,
        label="projection scale",
        only=MINIBATCH,
    )
    minibatch_self_distance: float = _number(
        0.0,
        "minibatch: added to a row's distance to itself",
        low=0,
        label="self distance",
        only=MINIBATCH,
    )
    feature_matching: str = _choice(
        "off",
        "G matches D's last hidden features instead of its own loss",
        ("off", *tricks.FEATURE_MATCHING),
        label="feature matching",
        neutral="off",
    )
    input_noise: float = _number(
        0.0,
        "std of sorted normal noise on the data and on G's latents",
        low=0,
        label="input noise",
        neutral=0.0,
    )
    instance_noise: float = _number(
        0.0,
        "std of normal noise on D's inputs, real and generated",
        low=0,
        label="instance noise",
        neutral=0.0,
    )


@_pytree
class Pretraining:
    """D's regression on the target's density before the GAN starts."""

    steps: int = field(0, "steps", low=0, high=100_000, label="pretraining", neutral=0)
    low: float = _number(-5.0, "lower end of the points' uniform distribution", label="pre low")
    high: float = _number(5.0, "upper end of the points' uniform distribution", label="pre high")


@_pytree
class Training:
    """One update: d_steps steps of D, then g_steps steps of G, each on its own batch."""

    batch_size: int = field(
        8, "rows of real and of generated data", low=1, high=65536, label="batch"
    )
    d_steps: int = field(1, "steps of D in an update", low=1, high=100, label="D steps")
    g_steps: int = field(1, "steps of G in an update", low=1, high=100, label="G steps")
    sort: bool = field(True, "sort the data and the latents of each batch", label="sort")


@_pytree
class Setting:
    """A value for every field; the default is AYLIEN's GAN of June 2017."""

    target: Target = section(Target())
    latent: Latent = section(Latent())
    generator: Generator = section(Generator())
    discriminator: Discriminator = section(Discriminator())
    loss: Loss = section(Loss())
    tricks: Tricks = section(Tricks())
    pretraining: Pretraining = section(Pretraining())
    training: Training = section(Training())


def specs(section: type = Setting, prefix: str = "") -> Iterator[tuple[str, Spec, Any]]:
    """Every field as (dotted name, Spec, default)."""
    for entry in dataclasses.fields(section):
        name = prefix + entry.name
        if "spec" in entry.metadata:
            yield name, entry.metadata["spec"], entry.default
        else:
            yield from specs(type(entry.default_factory()), name + ".")


def build(values: dict[str, Any], section: type = Setting, prefix: str = "") -> Any:
    """A section, by default a whole Setting, from {dotted name: value} of all its fields."""
    entries = {}
    for entry in dataclasses.fields(section):
        name = prefix + entry.name
        if "spec" in entry.metadata:
            entries[entry.name] = values[name]
        else:
            entries[entry.name] = build(values, type(entry.default_factory()), name + ".")
    return section(**entries)


def conflicts(setting: Setting) -> Iterator[tuple[str, Any, str]]:
    """Fields that make no sense together, as (dotted name, value, what to do)."""
    target, latent = setting.target, setting.latent
    if target.kind == "mixture" and not (
        len(target.weights) == len(target.means) == len(target.stds) > 0
    ):
        yield "target.weights", target.weights, "give weights, means and stds the same length"
    if latent.kind == "stratified" and latent.dim != 1:
        yield "latent.dim", latent.dim, "stratified latents are 1-D: set latent.kind=uniform or 1"
    if latent.kind != "normal" and latent.low >= latent.high:
        yield "latent.low", latent.low, f"it must be below latent.high={latent.high:g}"
    if abs(target.loc) > 1e4 * target.scale:
        yield "target.loc", target.loc, "float32 has no digits for more than 1e4 target scales"
    if latent.kind == "stratified" and setting.training.batch_size == 1:
        yield "training.batch_size", 1, "stratified latents span an interval with 2 points or more"
    if setting.tricks.input_noise and latent.dim != 1:
        yield "tricks.input_noise", setting.tricks.input_noise, "sorted noise needs latent.dim=1"
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
